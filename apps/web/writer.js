// Writes text by hand. See README.md; index.d.ts has the types.

import {check, checkLines, checkSeed, checkText, need, optionsOf} from "./checks.js";
import {DONE, DRAWN} from "./engine.js";
import {loaded, turn} from "./loading.js";

const USUAL_BIAS = -1; // as the engine takes it
const OPTIONS = ["style", "seed", "bias", "signal", "reader"]; // of `write`

/** A network that writes. */
class Writer {
  #engine;
  #handSize; // numbers of a hand vector; 0 if the network takes none
  #descriptor; // a function that loads the network that describes hands

  constructor({engine, info}, descriptor) {
    const {name, licence, alphabet, replacements, longest, bias, biases, styles} = info;
    Object.assign(this, {name, licence, alphabet, replacements, longest, bias, biases, styles,
      hasOwnHands: Boolean(info.drawsHands)});
    this.#engine = engine;
    this.#handSize = info.handSize;
    this.#descriptor = descriptor;
  }

  #loaded() {
    need(this.#engine, "The writer was disposed of.", "disposed");
    return this.#engine;
  }

  /** The hand of a style of `write`: {name} or {hand}, or nothing. */
  #hand(style) {
    if (typeof style === "string") return {name: style};
    if (style === undefined) return {};
    if (this.#handSize && style.length === this.#handSize) return {hand: style};
    check("style", style, `a style's name or ${this.#handSize ? `${this.#handSize} numbers or ` : ""}` +
      "a hand, such as {text, strokes}", () => style.strokes);
    const {text, strokes, x_height = 0, stretch = [0, 0]} = style;
    return {hand: {text, strokes, x_height, stretch}};
  }

  /** The hand in which a seed is written without a style; null if only the drawn points show it. */
  ownHand(seed = 0) {
    checkSeed(seed);
    return this.#loaded().handOf(undefined, seed);
  }

  /** The hand of lines {text, strokes} of one's own, as a style. A network without hand vectors goes
   * on after the first line whose text it knows. */
  async handOf(lines) {
    const engine = this.#loaded();
    checkLines(lines);
    if (this.#handSize) {
      need(lines.length && lines.every(({strokes}) => strokes.length),
        "A hand is that of one line or more, each with strokes.");
      const {engine: describer, info: {descriptionSize}} = await this.#descriptor();
      return this.#loaded().handOfLines(lines.map(({strokes}) =>
        describer.describe(strokes, descriptionSize)));
    }
    let refused = null;
    for (const {text, strokes} of [...lines, {text: "", strokes: []}]) {
      try {
        return engine.handOfLine(text, strokes);
      } catch (error) {
        if (error.code !== "bad_text") throw error; // another line may have a text that fits
        refused = error;
      }
    }
    throw refused;
  }

  /** Write one line of text. Yields {strokes} as the line grows. See README.md and index.d.ts. */
  async *write(text, options = {}) {
    checkText(text);
    const {style, seed = 0, signal, reader, bias = USUAL_BIAS} = optionsOf(options, OPTIONS);
    const title = text.normalize("NFC").trim().replace(/ +/g, " ");
    const line = this.#loaded().beginLine(title, {...this.#hand(style), seed, bias});
    try {
      for (let ink = {}; ink.stage !== DONE;) {
        await turn();
        signal?.throwIfAborted();
        ink = this.#next(line, title, reader);
        const {strokes, isWhole: ended, raw, doubtful} = ink;
        yield ink.stage === DONE ? {strokes, ended, raw, doubtful} : {strokes};
      }
    } finally {
      this.#engine?.endLine(line);
    }
  }

  /** The next ink of a line that is to be shown; a drawn line is proofread if there is a reader. */
  #next(line, title, reader) {
    const ink = this.#loaded().continueLine(line, title);
    if (ink.stage !== DRAWN) return ink;
    const reading = reader?.readLine(ink.strokes) ?? null;
    check("The reading of `reader`", reading, "a string", () => typeof (reading ?? "") === "string");
    this.#engine.judgeLine(line, reading);
    return this.#engine.continueLine(line, title);
  }

  /** Free the network's memory. The writer writes no more. */
  dispose() { this.#engine = null; }
}

/** Load a network that writes: `network`, `engine` and `descriptor` are URLs, Blobs or bytes.
 * `descriptor` is a network that describes hands, which only networks with hand vectors need. */
export async function loadWriter(network, engine, descriptor) {
  const source = network ?? new URL("networks/open_writer.bin", import.meta.url);
  let describer = null;
  return new Writer(await loaded("writer", source, engine), async () => {
    need((descriptor ?? null) !== null, "The hand of lines needs a descriptor; see loadWriter.");
    describer ??= await loaded("descriptor", descriptor, engine);
    return describer;
  });
}
