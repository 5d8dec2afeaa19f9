// A worker that loads networks, and writes and reads with them; client.js asks it. A request names
// one of the `tasks`, and comes with a port for its answer. A line is written by many requests, so that
// other requests need not wait for the end of the line.

import {fromInkml, loadReader, loadWriter, neat} from "./index.js";

const loaders = {reader: loadReader, writer: loadWriter};
const loading = {}, networks = {}; // promises of networks, and networks, by role
const lines = new Map(); // lines that are written, by the numbers that the page gives them
const urlOf = (name) => new URL(name, import.meta.url);

const tasks = {
  /** A role's network, without its methods. The network is loaded once; a `file` replaces it. */
  async load({role, file, name = `networks/${role}.bin`}) {
    const previous = loading[role];
    if (file || !previous) {
      loading[role] = loaders[role](file ?? urlOf(name), urlOf("engine.wasm"),
        urlOf("networks/descriptor.bin"));
      loading[role].catch(() => { loading[role] = previous; });
    }
    networks[role] = await loading[role];
    return {...networks[role]};
  },

  /** The style for `write`: of `lines` {text, strokes}, a style's name, or the hand of a seed. */
  hand: ({lines, style, seed}) =>
    (lines ? networks.writer.handOf(lines) : style || networks.writer.ownHand(seed)),

  /** The next part of a line; `options` are those of `Writer.write`. The line is proofread if the
   * reader is loaded before its end. */
  async write({line, text, ...options}) {
    if (!lines.has(line)) {
      const reader = {readLine: (strokes) => networks.reader?.readLine(strokes) ?? null};
      lines.set(line, networks.writer.write(text, {...options, reader}));
    }
    const {value} = await lines.get(line).next();
    if (value?.doubtful) lines.delete(line);
    return value;
  },

  /** Forget a line. */
  stop({line}) {
    lines.get(line)?.return();
    lines.delete(line);
  },

  /** The strokes of an InkML file. */
  open: ({file}) => fromInkml(file),

  /** The rows of strokes, read; the options are those of `Reader.read`. */
  async read({strokes}, options) {
    await tasks.load({role: "reader"});
    return networks.reader.read(strokes, options);
  },

  /** The strokes, neater. */
  neater: async (request) => neat(await tasks.read(request)),
};

/** Answer a request on a port. Whoever asks may end the work by any message to the port. */
async function answer({task, request, tellsProgress}, port) {
  const controller = new AbortController(), options = {signal: controller.signal};
  if (tellsProgress) options.onProgress = (progress) => port.postMessage({progress});
  port.onmessage = () => controller.abort();
  try {
    port.postMessage({answer: await tasks[task](request, options)});
  } catch ({message, code}) {
    port.postMessage({error: message, code});
  }
}

if (globalThis.self) self.onmessage = ({data, ports: [port]}) => answer(data, port);
else { // a worker of Node.js
  const threads = "node:worker_threads"; // bundlers for browsers do not look for a variable
  import(/* webpackIgnore: true */ /* @vite-ignore */ threads).then(({parentPort}) =>
    parentPort.on("message", ({port, ...data}) => answer(data, port)));
}
