// Reads handwriting. See README.md; index.d.ts has the types.

import {check, checkStrokes, need, optionsOf} from "./checks.js";
import {emptyEngine, loaded, turn} from "./loading.js";

const OPTIONS = ["signal", "onProgress"]; // of `read`

/** A network that reads. */
class Reader {
  #engine;
  #readings = new Map(); // of the rows of the last page, by their strokes

  constructor({engine, info: {name, licence, alphabet}}) {
    Object.assign(this, {name, licence, alphabet});
    this.#engine = engine;
  }

  /** Read a page of strokes, in the order in which they were written. Returns its rows; with options
   * a promise of the rows. */
  read(strokes, options) {
    checkStrokes(strokes);
    const engine = this.#loaded(), starts = strokes.length ? engine.rowStarts(strokes) : [];
    const before = this.#readings, readRow = (first, i) => {
      const row = strokes.slice(first, starts[i + 1]), key = keyOf(row);
      const reading = before.get(key) ?? this.#loaded().readRow(row);
      this.#readings.set(key, reading);
      const shifted = (items) => items.map((item) =>
        ({...item, strokes: item.strokes.map((index) => first + index)}));
      const characters = shifted(reading.characters).map((character) => ({...character,
        first: [first + character.first[0], character.first[1]],
        last: [first + character.last[0], character.last[1]]}));
      return {...reading, first, strokes: row, words: shifted(reading.words), characters};
    };
    this.#readings = new Map();
    return options === undefined ? starts.map(readRow) : this.#readInTurns(starts, readRow, options);
  }

  async #readInTurns(starts, readRow, options) {
    const {signal, onProgress} = optionsOf(options, OPTIONS), rows = [];
    for (const [i, first] of starts.entries()) {
      await turn();
      signal?.throwIfAborted();
      rows.push(readRow(first, i));
      onProgress?.((i + 1) / starts.length);
    }
    return rows;
  }

  /** The text of strokes that are one row. */
  readLine(strokes) {
    checkStrokes(strokes);
    const engine = this.#loaded();
    return strokes.length ? engine.readRow(strokes).text : "";
  }

  #loaded() {
    need(this.#engine, "The reader was disposed of.", "disposed");
    return this.#engine;
  }

  /** Free the network's memory. The reader reads no more. */
  dispose() {
    this.#engine = null;
    this.#readings.clear();
  }
}

/** Load a network that reads: `network` and `engine` are URLs, Blobs or bytes, by default those of
 * this package. */
export async function loadReader(network, engine) {
  const source = network ?? new URL("networks/open_reader.bin", import.meta.url);
  return new Reader(await loaded("reader", source, engine));
}

// The positions of strokes as a text.
const keyOf = (strokes) =>
  strokes.map((stroke) => stroke.map((point) => `${point[0]},${point[1]}`).join(" ")).join("\n");

/** Throw an Error unless a row has what `neat` needs of it. */
function checkRow(row, name) {
  check(name, row, "a row that a reader has read", () => row.strokes && row.words);
  checkStrokes(row.strokes, `${name}.strokes`);
  check(`${name}.first`, row.first, "the number of the row's first stroke", Number.isInteger);
  check(`${name}.words`, row.words, "the row's words, a list", Array.isArray);
  for (const [number, word] of row.words.entries())
    check(`${name}.words[${number}]`, word, "a word {text, strokes} of the row", ({text, strokes}) =>
      typeof text === "string" && Array.isArray(strokes) && strokes.every((index) =>
        Number.isInteger(index) && row.strokes[index - row.first]));
}

/** The strokes of rows that a reader has read, neater: positions [x, y] in the strokes' order. A
 * row that may be a drawing stays as it is. */
export function neat(rows) {
  check("rows", rows, "the rows that a reader has read", Array.isArray);
  for (const [number, row] of rows.entries()) checkRow(row, `rows[${number}]`);
  const written = rows.filter(({strokes}) => strokes.length);
  return emptyEngine().neat(written.map(({strokes, words, first, isDrawing}) => {
    const numbered = words.map((word) =>
      ({text: word.text, strokes: word.strokes.map((index) => index - first)}));
    return {strokes, isDrawing, words: numbered};
  }));
}
