// The package: writes and reads handwriting. See README.md; index.d.ts has the types.

import {parse} from "./flat_file.js";
import {rowStarts} from "./ink.js";
import {neat as neatRows} from "./neat.js";
import {CTCNetwork} from "./networks.js";

export {fromInkml, toInkml} from "./inkml.js";

let engine = null; // a promise of the compiled engine of this package

/** The bytes of a file: its URL, a Blob or the bytes themselves. */
async function bytesOf(source) {
  if (typeof source !== "string" && !(source instanceof URL))
    return new Uint8Array(await (source.arrayBuffer?.() ?? source));
  const failed = (reason) => new Error(`${source} could not be loaded (${reason}).`);
  if (`${source}`.startsWith("file:")) { // Node.js, whose `fetch` has no files
    const files = "node:fs/promises"; // bundlers for browsers do not look for a variable
    return import(/* webpackIgnore: true */ /* @vite-ignore */ files)
      .then(async ({readFile}) => new Uint8Array(await readFile(new URL(source)))) // no Buffer
      .catch(({code}) => { throw failed(code ?? "no file can be read here"); });
  }
  const answer = await fetch(source).catch(() => null);
  if (!answer?.ok) throw failed(answer?.status ?? "no network");
  return new Uint8Array(await answer.arrayBuffer());
}

function compiled(source) {
  if (source) return bytesOf(source).then((bytes) => WebAssembly.compile(bytes));
  engine ??= compiled(new URL("engine.wasm", import.meta.url));
  engine.catch(() => { engine = null; }); // the next call tries again
  return engine;
}

/** The compiled engine and the parsed file of a network with a role. */
async function loaded(role, source, engineSource) {
  const named = source.name ?? (source.href || typeof source === "string" ? source : "The network");
  const [module, file] = await Promise.all([compiled(engineSource),
    bytesOf(source).then((bytes) => parse(bytes, named))]);
  if (file.header.role !== role)
    throw new Error(`${named} is a ${file.header.role}; a ${role} is needed.`);
  return [module, file];
}

/** Throw an Error unless `strokes` are lists of points of finite numbers. */
function check(strokes) {
  const isPoint = (point) => Number.isFinite(point?.[0]) && Number.isFinite(point[1]);
  if (!Array.isArray(strokes)) throw new Error("The strokes are no list of strokes.");
  strokes.forEach((stroke, number) => {
    if (!Array.isArray(stroke) || !stroke.length || !stroke.every(isPoint))
      throw new Error(`Stroke ${number} is no list of points [x, y] of finite numbers.`);
  });
}

/** A network that reads. */
class Reader {
  #network;
  #readings = new Map(); // of the rows of the last page, by their strokes

  constructor(network) {
    const {name, licence, alphabet} = network.header;
    Object.assign(this, {name, licence, alphabet});
    this.#network = network;
  }

  /** Read a page of strokes, in the order in which they were written. Returns its rows. */
  read(strokes) {
    check(strokes);
    const starts = strokes.length ? rowStarts(strokes) : [], before = this.#readings;
    this.#readings = new Map();
    return starts.map((first, i) => {
      const row = strokes.slice(first, starts[i + 1]), key = JSON.stringify(row);
      const reading = before.get(key) ?? this.readRow(row);
      this.#readings.set(key, reading);
      const words = reading.words.map((word) =>
        ({...word, strokes: word.strokes.map((index) => first + index)}));
      return {...reading, first, strokes: row, words};
    });
  }

  /** Read strokes that are one row; see `read`. */
  readRow(strokes) {
    check(strokes);
    if (!this.#network) throw new Error("The reader was disposed of.");
    const none = {text: "", words: [], doubtful: [], isDrawing: false};
    return {...(strokes.length ? this.#network.read(strokes) : none), first: 0, strokes};
  }

  /** Free the network's memory. The reader reads no more. */
  dispose() {
    this.#network = null;
    this.#readings.clear();
  }
}

/** Load a network that reads: `network` and `engine` are URLs, Blobs or bytes, by default those of
 * this package. */
export async function loadReader(network, engine) {
  const source = network ?? new URL("networks/open_reader.bin", import.meta.url);
  return new Reader(new CTCNetwork(...await loaded("reader", source, engine)));
}

/** The strokes of rows that a reader has read, neater: positions [x, y] in the strokes' order. A
 * row that may be a drawing stays as it is. */
export function neat(rows) {
  return neatRows(rows.map(({strokes, words, first, isDrawing}) => ({strokes,
    words: isDrawing ? [] : words.map((word) =>
      ({...word, strokes: word.strokes.map((index) => index - first)}))})));
}
