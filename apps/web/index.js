// The package: writes and reads handwriting. See README.md; index.d.ts has the types.

import {parse} from "./flat_file.js";
import {
  atEqualSteps, checkLines, checkStrokes, levelled, meanStep, median, moved, need, rowStarts,
  toStrokes, xHeight,
} from "./ink.js";
import {writeLine} from "./line.js";
import {neat as neatRows} from "./neat.js";
import {CTCNetwork, HandDescriptor, SynthesisNetwork} from "./networks.js";
import {named} from "./text.js";

export {fromInkml, toInkml} from "./inkml.js";

const MAX_CHARACTERS = 1000; // of a line of a network without a limit, as in Python
const SEEDS = 2 ** 32; // number of seeds
const RATIOS = [0.01, 100]; // bounds of the ratio of two devices' steps, as in Python
const OPTIONS = ["style", "seed", "bias", "signal", "reader"]; // of `write`

let engine = null; // a promise of the compiled engine of this package

/** The bytes of a file: its URL, a Blob or the bytes themselves. */
async function bytesOf(source) {
  if (typeof source !== "string" && !(source instanceof URL)) {
    const bytes = await (source?.arrayBuffer?.() ?? source);
    need(Number.isInteger(bytes?.byteLength), "A file is a URL, a Blob or bytes.");
    return new Uint8Array(bytes);
  }
  const failed = (reason) => new Error(`${source} could not be loaded (${reason}).`);
  if (`${source}`.startsWith("file:")) { // Node.js, whose `fetch` has no files
    const files = "node:fs/promises"; // bundlers for browsers do not look for a variable
    return import(/* webpackIgnore: true */ /* @vite-ignore */ files)
      .then(async ({readFile}) => new Uint8Array(await readFile(new URL(source)))) // no Buffer
      .catch(({code}) => { throw failed(code ?? "no file can be read here"); });
  }
  // Without a page there is nothing that a path could be relative to.
  if (!globalThis.location && !/^[a-z][\w+.-]+:/i.test(source))
    throw failed("it is no URL: give a URL, a Blob or bytes");
  const answer = await fetch(source).catch(() => null);
  if (!answer?.ok) throw failed(answer?.status ?? "there is no answer");
  return new Uint8Array(await answer.arrayBuffer());
}

async function compile(source) {
  const bytes = await bytesOf(source);
  const module = await WebAssembly.compile(bytes).catch(({message}) => {
    throw new Error(`The engine cannot be compiled: give the package's engine.wasm (${message}).`);
  });
  need(WebAssembly.Module.exports(module).some(({name}) => name === "write_lines"),
    "The engine is another program: give the package's engine.wasm.");
  return module;
}

function compiled(source) {
  if (source) return compile(source);
  engine ??= compile(new URL("engine.wasm", import.meta.url));
  engine.catch(() => { engine = null; }); // the next call tries again
  return engine;
}

/** The compiled engine and the parsed file of a network with a role. */
async function loaded(role, source, engineSource) {
  const isAddress = source.href || typeof source === "string";
  const title = source.name ?? (isAddress ? source : "The network");
  const [module, file] = await Promise.all([compiled(engineSource),
    bytesOf(source).then((bytes) => parse(bytes, title))]);
  need(file.header.role === role, `${title} is a ${file.header.role}; a ${role} is needed.`);
  return [module, file];
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
    checkStrokes(strokes);
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
    checkStrokes(strokes);
    const network = this.#loaded();
    return strokes.length ? network.readText(strokes) : "";
  }

  #loaded() {
    need(this.#network, "The reader was disposed of.");
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
  const isRow = (row) => row?.words?.every?.((word) =>
    word?.strokes?.every?.((index) => row.strokes?.[index - row.first]));
  need(Array.isArray(rows) && rows.every(isRow), "The rows are none that a reader has read.");
  for (const {strokes} of rows) checkStrokes(strokes);
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
    const {name, licence, alphabet, replacements, sampling, hands, biases = {}, styles} =
      network.header;
    const longest = sampling.longest ?? MAX_CHARACTERS;
    Object.assign(this, {name, licence, alphabet, replacements, longest, biases, bias: sampling.bias,
      styles: Object.keys(hands ?? styles ?? {}), hasOwnHands: Boolean(hands && !hands.hand)});
    this.#network = network;
    this.#descriptor = descriptor;
  }

  #header() {
    need(this.#network, "The writer was disposed of.");
    return this.#network.header;
  }

  /** The hand of a style; without a name the hand that a network learned. Else null: each seed has
   * another hand. */
  #handOfStyle(name = "hand") {
    const {hands, styles} = this.#header(), {ink, ...primer} = styles?.[name] ?? {};
    need(this.styles.includes(name) || name === "hand",
      `There is no style “${name}”; there are ${this.styles.join(", ") || "none"}.`);
    return hands?.[name] ?? (ink ? {...primer, strokes: toStrokes(ink)} : null);
  }

  /** The first of lines {text, strokes} of a hand that the network can go on after. */
  #known(lines) {
    const {alphabet} = this.#header();
    const line = lines.find(({text, strokes}) => text.trim() && text.length <= this.longest &&
      strokes.length && [...text].every((sign) => alphabet.includes(sign)));
    need(line, `${this.name} goes on after a line with strokes and a text of 1 to ${this.longest} ` +
      "characters, all of which it knows. No line is like that.");
    return line;
  }

  /** The hand of a style of `write`: a name, a hand, or nothing. */
  #hand(style, seed) {
    if (typeof style === "string") return this.#handOfStyle(style);
    if ((style ?? null) === null) return this.ownHand(seed);
    const {columns} = this.#network.handGates ?? {};
    if (columns && style.length === columns && [...style].every(Number.isFinite)) return style;
    need(style.strokes, "The style is neither a name nor a hand, such as {text, strokes}.");
    checkLines([style]);
    return this.#known([style]);
  }

  /** The hand in which a seed is written without a style; null if only the drawn points show it. */
  ownHand(seed) {
    const hand = this.#handOfStyle();
    return hand ?? this.#network.handEncoder?.draw(seed) ?? null;
  }

  /** The hand of lines {text, strokes} of one's own, as a style. A network without hand vectors goes
   * on after the first line whose text it knows. */
  async handOf(lines) {
    const {hands, styles, sampling} = this.#header();
    checkLines(lines);
    if (hands) {
      need(lines.length && lines.every(({strokes}) => strokes.length),
        "A hand is that of one line or more, each with strokes.");
      const descriptor = await this.#descriptor();
      return this.#network.handEncoder.vector(lines.map(({strokes}) =>
        descriptor.describe(levelled(strokes))));
    }
    need(styles, `${this.name} writes in no hand but its own.`);
    const line = this.#known(lines);
    const step = median(Object.values(styles).map(({ink}) => meanStep(toStrokes(ink))));
    return {text: line.text, x_height: sampling.x_height, strokes: resampled(line.strokes, step)};
  }

  /** Write one line of text. Yields {strokes} as the line grows. See README.md and index.d.ts. */
  async *write(text, options = {}) {
    need(typeof text === "string", "The text is no string.");
    need(typeof options === "object" && options, "The options are no object.");
    const {style, seed = 0, signal, reader} = options, header = this.#header();
    const {bias = this.biases[style ?? "hand"] ?? this.bias} = options;
    const title = text.normalize("NFC").trim().replace(/ +/g, " ");
    const unknown = [...new Set(title)].filter((sign) => !header.alphabet.includes(sign));
    const surplus = Object.keys(options).find((option) => !OPTIONS.includes(option));
    need(!surplus, `There is no option “${surplus}”; there are ${OPTIONS.join(", ")}.`);
    need(title, "The text is blank.");
    need(!unknown.length, `${this.name} cannot write ${named(unknown, this.replacements)}.`);
    need(title.length <= this.longest, `The text has ${title.length} characters; a line of ` +
      `${this.name} has at most ${this.longest}.`);
    need(Number.isInteger(seed) && seed >= 0 && seed < SEEDS,
      `The seed ${seed} is no integer from 0 to ${SEEDS - 1}.`);
    need(Number.isFinite(bias) && bias >= 0, `The bias ${bias} is no number from 0 on.`);
    need(!signal || signal.throwIfAborted, "The signal is no AbortSignal.");
    need(!reader || reader.readLine, "The reader is none that `loadReader` returned.");
    const hand = this.#hand(style, seed);
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
    need(descriptor, "The hand of lines needs a descriptor; see loadWriter.");
    describer ??= new HandDescriptor(...await loaded("descriptor", descriptor, engine));
    return describer;
  });
}
