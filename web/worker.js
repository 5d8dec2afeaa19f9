// The worker of the page: loads networks, and writes and reads with them. A request names one of
// the `tasks`, and comes with a port for its answer. A line is written by many requests, so that
// other requests need not wait for the end of the line.

import {parse} from "./flat_file.js";
import {levelled, rowStarts} from "./ink.js";
import {fromInkml} from "./inkml.js";
import {writeLine} from "./line.js";
import {neat} from "./neat.js";
import {HandDescriptor, Reader, Writer} from "./networks.js";
import {wordsOf} from "./text.js";

const KINDS = {writer: Writer, reader: Reader, descriptor: HandDescriptor};
const MIN_PROBABILITY = 0.6; // of a character that is not doubtful (assumed)

const loading = {}, networks = {}; // promises of networks, and networks, by role
const readings = new Map(); // {text, doubtful} of rows, by their strokes
let line = null; // the generator that writes the line

async function fetchBytes(url) {
  const answer = await fetch(new URL(url, import.meta.url)).catch(() => null);
  if (!answer?.ok)
    throw new Error(`${url} could not be loaded (${answer?.status ?? "no network"}).`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** Load the network of a role, from `bytes` or else from the file `name`. */
async function loadNetwork(role, bytes, name) {
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

  /** The reading of each row of strokes: {text, doubtful}. */
  async read({strokes}) {
    await tasks.load({role: "reader"});
    return rowsOf(strokes).map(readRow);
  },

  /** The strokes, neater. A row that is mostly doubtful may be a drawing: it stays. */
  async neater({strokes}) {
    await tasks.load({role: "reader"});
    return neat(rowsOf(strokes).map((row) => {
      const characters = networks.reader.read(row);
      const isDrawing = characters.filter(isDoubtful).length > characters.length / 2;
      return {strokes: row, words: isDrawing ? [] : networks.reader.words(row, characters)};
    }));
  },
};

/** The strokes of each row. */
function rowsOf(strokes) {
  const starts = strokes.length ? rowStarts(strokes) : [];
  return starts.map((start, row) => strokes.slice(start, starts[row + 1]));
}

const isDoubtful = ({probability}) => probability < MIN_PROBABILITY;

function readRow(strokes) {
  const key = JSON.stringify(strokes.map((points) => [points.length, points[0]]));
  if (readings.has(key)) return readings.get(key);
  const characters = networks.reader.read(strokes);
  const text = characters.map(({character}) => character).join("");
  const doubtful = wordsOf(text).filter((place) => characters.slice(...place).some(isDoubtful));
  readings.set(key, {text, doubtful});
  return readings.get(key);
}

self.onmessage = async ({data: {task, request}, ports: [port]}) => {
  try {
    port.postMessage({answer: await tasks[task](request)});
  } catch (error) {
    port.postMessage({error: error.message});
  }
};
