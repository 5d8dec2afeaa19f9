// The package: writes and reads handwriting. See README.md; index.d.ts has the types.

import {parse} from "./flat_file.js";
import {
  atEqualSteps, levelled, meanStep, median, moved, rowStarts, toStrokes, xHeight,
} from "./ink.js";
import {writeLine} from "./line.js";
import {neat as neatRows} from "./neat.js";
import {CTCNetwork, HandDescriptor, SynthesisNetwork} from "./networks.js";

export {fromInkml, toInkml} from "./inkml.js";

const MAX_CHARACTERS = 1000; // of a line of a network without a limit, as in Python
const SEEDS = 2 ** 32; // number of seeds
const RATIOS = [0.01, 100]; // bounds of the ratio of two devices' steps, as in Python

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
    const network = this.#loaded(), starts = strokes.length ? rowStarts(strokes) : [];
    const before = this.#readings;
    this.#readings = new Map();
    return starts.map((first, i) => {
      const row = strokes.slice(first, starts[i + 1]), key = JSON.stringify(row);
      const reading = before.get(key) ?? network.read(row);
      this.#readings.set(key, reading);
      const words = reading.words.map((word) =>
        ({...word, strokes: word.strokes.map((index) => first + index)}));
      return {...reading, first, strokes: row, words};
    });
  }

  /** The text of strokes that are one row. */
  readLine(strokes) {
    check(strokes);
    const network = this.#loaded();
    return strokes.length ? network.readText(strokes) : "";
  }

  #loaded() {
    if (!this.#network) throw new Error("The reader was disposed of.");
    return this.#network;
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

/** A promise that is fulfilled when other tasks of the event loop have had their turn. */
const turn = () => new Promise((resolve) => {
  const {port1, port2} = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    resolve();
  };
  port2.postMessage(null);
});

/** Strokes as a device of mean step `step` records them: level, in x-heights; see `match_device`. */
function resampled(written, step) {
  const level = levelled(written), height = xHeight(level);
  const strokes = moved(level, 1 / height, 0, 1 / height, 0), [least, most] = RATIOS;
  const ratio = Math.min(Math.max(meanStep(strokes) / step, least), most);
  const count = ({length}) => length > 1 && Math.max(Math.round((length - 1) * ratio), 1);
  return strokes.map((stroke) => atEqualSteps(stroke, [...stroke.keys()], count(stroke)));
}

/** A network that writes. */
class Writer {
  #network;
  #descriptor; // a function that loads the network that describes hands

  constructor(network, descriptor) {
    const {name, licence, alphabet, replacements, sampling, hands, styles} = network.header;
    const longest = sampling.longest ?? MAX_CHARACTERS;
    Object.assign(this, {name, licence, alphabet, replacements, longest, bias: sampling.bias,
      styles: Object.keys(hands ?? styles ?? {}), hasOwnHands: Boolean(hands && !hands.hand)});
    this.#network = network;
    this.#descriptor = descriptor;
  }

  #header() {
    if (!this.#network) throw new Error("The writer was disposed of.");
    return this.#network.header;
  }

  /** The hand of a style; without a name the hand that a network learned. Else null: each seed has
   * another hand. */
  #handOfStyle(name = "hand") {
    const {hands, styles} = this.#header(), {ink, ...primer} = styles?.[name] ?? {};
    if (!this.styles.includes(name) && name !== "hand")
      throw new Error(`There is no style “${name}”; there are ${this.styles.join(", ") || "none"}.`);
    return hands?.[name] ?? (ink ? {...primer, strokes: toStrokes(ink)} : null);
  }

  /** The hand in which a seed is written without a style; null if only the drawn points show it. */
  ownHand(seed) {
    const hand = this.#handOfStyle();
    return hand ?? this.#network.handEncoder?.draw(seed) ?? null;
  }

  /** The hand of lines {text, strokes} of one's own, as a style. A network without hand vectors goes
   * on after the first line whose text it knows. */
  async handOf(lines) {
    const {hands, styles, alphabet, sampling} = this.#header();
    for (const {strokes} of lines) check(strokes);
    if (hands) {
      const descriptor = await this.#descriptor();
      return this.#network.handEncoder.vector(lines.map(({strokes}) =>
        descriptor.describe(levelled(strokes))));
    }
    if (!styles) throw new Error(`${this.name} writes in no hand but its own.`);
    const line = lines.find(({text}) => text && text.length <= this.longest &&
      [...text].every((sign) => alphabet.includes(sign)));
    if (!line) throw new Error(`${this.name} goes on after a line of at most ${this.longest} ` +
      "characters, all of which it knows. No line is like that.");
    const step = median(Object.values(styles).map(({ink}) => meanStep(toStrokes(ink))));
    return {text: line.text, x_height: sampling.x_height, strokes: resampled(line.strokes, step)};
  }

  /** Write one line of text. Yields {strokes} as the line grows. See README.md and index.d.ts. */
  async *write(text, options = {}) {
    const {style, seed = 0, bias = this.bias, signal} = options, header = this.#header();
    const title = String(text).normalize("NFC").trim().replace(/ +/g, " ");
    const unknown = [...new Set(title)].filter((sign) => !header.alphabet.includes(sign));
    if (!title) throw new Error("The text is blank.");
    if (unknown.length) throw new Error(`${this.name} cannot write ${unknown.join(" ")}.`);
    if (title.length > this.longest)
      throw new Error(`The text has ${title.length} characters; a line of ${this.name} has at most ` +
        `${this.longest}.`);
    if (!(Number.isInteger(seed) && seed >= 0 && seed < SEEDS))
      throw new Error(`The seed ${seed} is no integer from 0 to ${SEEDS - 1}.`);
    if (!(bias >= 0 && bias < Infinity)) throw new Error(`The bias ${bias} is no number from 0 on.`);
    const isName = typeof style === "string";
    const hand = isName ? this.#handOfStyle(style) : style ?? this.ownHand(seed);
    const line = writeLine(this.#network, title, {seed, bias, hand}, options);
    for (let next = {}; !next.done; yield next.value) {
      await turn();
      signal?.throwIfAborted();
      this.#header(); // may have been disposed of
      next = line.next();
    }
  }

  /** Free the network's memory. The writer writes no more. */
  dispose() { this.#network = null; }
}

/** Load a network that writes: `network`, `engine` and `descriptor` are URLs, Blobs or bytes.
 * `descriptor` is a network that describes hands, which only networks with hand vectors need. */
export async function loadWriter(network, engine, descriptor) {
  const source = network ?? new URL("networks/open_writer.bin", import.meta.url);
  const file = await loaded("writer", source, engine);
  let describer = null;
  return new Writer(new SynthesisNetwork(...file), async () => {
    if (!descriptor) throw new Error("The hand of lines needs a descriptor; see loadWriter.");
    describer ??= new HandDescriptor(...await loaded("descriptor", descriptor, engine));
    return describer;
  });
}
