// The worker of the page: loads networks, and writes and reads with them. A request names one of
// the `tasks`, and comes with a port for its answer. A line is written in pieces, a request each,
// so that other requests need not wait for the end of the line.

import {parse} from "./flat_file.js";
import {rowStarts} from "./ink.js";
import {fromInkml} from "./inkml.js";
import {writeLine} from "./line.js";
import {HandDescriptor, Reader, Writer} from "./networks.js";
import {wordsOf} from "./text.js";

const KINDS = {writer: Writer, reader: Reader, descriptor: HandDescriptor};
const SURE = 0.6; // probability of a character below which it is doubtful (assumed)

const loading = {}, networks = {}; // by their roles
const rows = new Map(); // the texts of rows that were read, by their strokes
let line = null;

async function fetchBytes(url) {
  const answer = await fetch(new URL(url, import.meta.url)).catch(() => null);
  if (!answer?.ok)
    throw new Error(`${url} could not be loaded (${answer?.status ?? "no network"}).`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function open(role, bytes, name) {
  const file = await parse(bytes ? new Uint8Array(bytes) : await fetchBytes(name), name);
  if (file.header.role !== role)
    throw new Error(`${name} is a ${file.header.role}, and a ${role} is needed.`);
  const engine = await WebAssembly.compile(await fetchBytes("engine.wasm"));
  return new KINDS[role](engine, file);
}

const tasks = {
  /** The header of the network of a role, loaded once; bytes of a file replace the network. */
  async load({role, bytes, name = `networks/${role}.bin`}) {
    const previous = loading[role];
    if (bytes || !previous) {
      loading[role] = open(role, bytes, name);
      loading[role].catch(() => { loading[role] = previous; });
    }
    networks[role] = await loading[role];
    return networks[role].header;
  },

  /** The hand for `begin`: computed from `lines` of strokes if there are any, else of `style`, else
   * drawn with `seed`. For a writer without hand vectors: its style `hand`, or null. */
  async hand({lines, style, seed}) {
    const {header: {hands, styles}, handEncoder} = networks.writer;
    if (!hands) return styles?.hand ?? null;
    if (!lines) return hands[style || "hand"] ?? handEncoder.draw(seed);
    await tasks.load({role: "descriptor"});
    return handEncoder.vector(lines.map((strokes) => networks.descriptor.describe(strokes)));
  },

  begin(request) { line = writeLine(networks, request); },

  goOn: () => line.next().value,

  /** The strokes of an InkML file. */
  open: ({file}) => fromInkml(file),

  /** The reading of each row of strokes: {text, doubtful}. */
  async read({strokes}) {
    await tasks.load({role: "reader"});
    const starts = strokes.length ? rowStarts(strokes) : [];
    return starts.map((first, number) => rowOf(strokes.slice(first, starts[number + 1])));
  },
};

function rowOf(strokes) {
  const key = JSON.stringify(strokes.map((points) => [points.length, points[0]]));
  if (rows.has(key)) return rows.get(key);
  const characters = networks.reader.read(strokes);
  const text = characters.map(({character}) => character).join("");
  const unsure = (span) => characters.slice(...span).some(({probability}) => probability < SURE);
  rows.set(key, {text, doubtful: wordsOf(text).filter(unsure)});
  return rows.get(key);
}

self.onmessage = async ({data: {task, request}, ports: [port]}) => {
  try {
    port.postMessage({answer: await tasks[task](request)});
  } catch (error) {
    port.postMessage({error: error.message});
  }
};
