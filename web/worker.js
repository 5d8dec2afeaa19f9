// The worker of the page: loads networks, and writes and reads with them. A request names one of
// the `tasks`, and comes with a port for its answer. A line is written by many requests, so that
// other requests need not wait for the end of the line.

import {parse} from "./flat_file.js";
import {fromInkml, loadReader, neat} from "./index.js";
import {levelled} from "./ink.js";
import {writeLine} from "./line.js";
import {HandDescriptor, Writer} from "./networks.js";

const KINDS = {writer: Writer, descriptor: HandDescriptor};

const loading = {}, networks = {}; // promises of networks, and networks, by role
let line = null; // the generator that writes the line

async function fetchBytes(url) {
  const answer = await fetch(new URL(url, import.meta.url)).catch(() => null);
  if (!answer?.ok)
    throw new Error(`${url} could not be loaded (${answer?.status ?? "no network"}).`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** Load the network of a role, from `bytes` or else from the file `name`. */
async function loadNetwork(role, bytes, name) {
  if (role === "reader") return loadReader(bytes ?? new URL(name, import.meta.url));
  const file = await parse(bytes ? new Uint8Array(bytes) : await fetchBytes(name), name);
  if (file.header.role !== role)
    throw new Error(`${name} is a ${file.header.role}; a ${role} is needed.`);
  const engine = await WebAssembly.compile(await fetchBytes("engine.wasm"));
  return new KINDS[role](engine, file);
}

const tasks = {
  /** The header of a role's network. The network is loaded once; `bytes` of a file replace it. */
  async load({role, bytes, name = `networks/${role}.bin`}) {
    const previous = loading[role];
    if (bytes || !previous) {
      loading[role] = loadNetwork(role, bytes, name);
      loading[role].catch(() => { loading[role] = previous; });
    }
    networks[role] = await loading[role];
    return networks[role].header;
  },

  /** The hand for `begin`: a vector computed from `lines` of strokes, or that of `style`, or one
   * drawn with `seed`. For a writer without hand vectors: the writer's style `hand`, or null. */
  async hand({lines, style, seed}) {
    const {header: {hands, styles}, handEncoder} = networks.writer;
    if (!hands) return styles?.hand ?? null;
    if (!lines) return hands[style || "hand"] ?? handEncoder.draw(seed);
    await tasks.load({role: "descriptor"});
    return handEncoder.vector(lines.map((line) => networks.descriptor.describe(levelled(line))));
  },

  /** Begin a line; `request` has the arguments of `writeLine`. */
  begin(request) { line = writeLine(networks, request); },

  /** The next answer about the line: {ink}, or at last {ink, doubtful}. */
  goOn: () => line.next().value,

  /** The strokes of an InkML file. */
  open: ({file}) => fromInkml(file),

  /** The rows of strokes, read. */
  async read({strokes}) {
    await tasks.load({role: "reader"});
    return networks.reader.read(strokes);
  },

  /** The strokes, neater. */
  neater: async (request) => neat(await tasks.read(request)),
};

self.onmessage = async ({data: {task, request}, ports: [port]}) => {
  try {
    port.postMessage({answer: await tasks[task](request)});
  } catch (error) {
    port.postMessage({error: error.message});
  }
};
