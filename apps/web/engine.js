// The compiled engine, engine.wasm, and what its functions take and return; engine/handwriting.h has
// them. Runs in a browser and in Node.

import {HandwritingError, need} from "./checks.js";

const CODES = ["", "stopped", "no_memory", "bad_file", "bad_ink", "bad_text", "bad_argument",
  "too_large"]; // of the engine's statuses
const WORD = 4; // bytes of each field of a structure, and of a pointer
const POINT = 3; // words of a point: x, y, whether the pen is lifted after it
const DIGITS = 7; // decimal digits that a float32 holds
// The fields of structures, in their order. The first letter is the type: a number, a float, a text.
const FIELDS = {
  info: ["t.role", "t.name", "t.licence", "t.alphabet", "n.styles", "n.biases", "n.numStyles",
    "n.replacements", "n.numReplacements", "n.longest", "f.bias", "n.handSize", "n.drawsHands",
    "n.descriptionSize"],
  row: ["t.text", "n.alternatives", "n.numAlternatives", "n.words", "n.numWords", "n.characters",
    "n.numCharacters", "n.isDrawing", "n.firstStroke", "n.numStrokes"],
  word: ["t.text", "n.start", "n.end", "n.first", "n.count", "f.probability", "n.isDoubtful",
    "n.strokes", "n.numStrokes", "n.alternatives", "n.numAlternatives"],
  character: ["n.start", "n.end", "f.probability", "n.first", "n.last", "n.strokes",
    "n.numStrokes"],
  rows: ["n.first", "n.count"],
  hand: ["n.vector", "n.size", "t.text", "n.points", "n.numPoints", "f.height", "f.stretchX",
    "f.stretchY"],
  ink: ["n.stage", "n.points", "n.numPoints", "n.isWhole", "n.raw", "n.numRaw", "n.doubtful",
    "n.numDoubtful"],
};
export const GROWING = 0, DRAWN = 1, DONE = 2; // stages of a line

/** A float32 as a short number. */
const short = (value) => Number(value.toPrecision(DIGITS));

/** One network in the engine, with memory of its own. */
export class Engine {
  #c;
  #work;
  #network = 0;

  constructor(module) {
    const math = Object.fromEntries(Object.getOwnPropertyNames(Math).map((name) =>
      [name, Math[name]]));
    this.#c = new WebAssembly.Instance(module, {math}).exports;
    this.#work = this.#taking(WORD, (pointer) => {
      need(this.#c.hw_begin(0, pointer) === 0, "There is not enough memory.", "no_memory");
      return this.#word(pointer);
    });
  }

  /** Open the network of a file's bytes, which messages name by a title. */
  open(bytes, title) {
    this.#within((keep) => {
      const content = keep(bytes.length);
      new Uint8Array(this.#c.memory.buffer).set(bytes, content);
      this.#network = this.#result((result) =>
        this.#call("hw_open", this.#text(`${title}`, keep), content, bytes.length, result));
    });
    const info = this.#structure("info", this.#c.hw_about(this.#network));
    const styles = this.#texts(info.styles, info.numStyles);
    const pairs = this.#texts(info.replacements, 2 * info.numReplacements);
    const biases = this.#numbers(Float32Array, info.biases, info.numStyles);
    return {
      ...info, styles, bias: short(info.bias),
      biases: Object.fromEntries(styles.map((name, i) => [name, short(biases[i])])),
      replacements: Object.fromEntries(pairs.flatMap((key, i) =>
        i % 2 ? [] : [[key, pairs[i + 1]]])),
    };
  }

  /** The index of the first stroke of each row of a page. */
  rowStarts(strokes) {
    return this.#withInk(strokes, (points, count) => this.#resultOf("hw_find_rows", (pointer) => {
      const {first, count} = this.#structure("rows", pointer);
      return [...this.#numbers(Uint32Array, first, count)];
    }, points, count));
  }

  /** Read strokes that are one row. */
  readRow(strokes) {
    return this.#withInk(strokes, (points, count) => this.#resultOf("hw_read_row", (pointer) =>
      this.#row(pointer, strokes), this.#network, points, count));
  }

  /** Begin a line; see `hw_style`. Returns its pointer. */
  beginLine(text, {name, hand, seed, bias}) {
    return this.#within((keep) => {
      const style = this.#fill(keep, [name === undefined ? 0 : this.#text(name, keep),
        hand ? this.#hand(hand, keep) : 0, seed, 0]);
      new Float32Array(this.#c.memory.buffer)[style / WORD + 3] = bias;
      return this.#result((result) =>
        this.#call("hw_begin_line", this.#network, this.#text(text, keep), style, result));
    });
  }

  /** Go on with a line. Returns its `stage` and {strokes}; of a line that is drawn or done also
   * whether it is `isWhole`, its `raw` ink, and the places of `doubtful` words in its `text`. */
  continueLine(line, text) {
    return this.#within((keep) => {
      const pointer = keep(WORD * FIELDS.ink.length);
      this.#call("hw_continue", line, pointer);
      const ink = this.#structure("ink", pointer), places = this.#placesOf(text);
      const strokes = this.#strokes(ink.points, ink.numPoints);
      if (ink.stage === GROWING) return {stage: ink.stage, strokes};
      const doubtful = [...this.#numbers(Uint32Array, ink.doubtful, 2 * ink.numDoubtful)];
      return {
        stage: ink.stage, strokes, isWhole: Boolean(ink.isWhole),
        raw: this.#numbers(Float32Array, ink.raw, 3 * ink.numRaw),
        doubtful: doubtful.flatMap((start, i) =>
          i % 2 ? [] : [[places.get(start), places.get(doubtful[i + 1])]]),
      };
    });
  }

  /** Say how a drawn line is read; null ends it. */
  judgeLine(line, reading) {
    this.#within((keep) =>
      this.#call("hw_judge", line, reading === null ? 0 : this.#text(reading, keep)));
  }

  endLine(line) { this.#c.hw_end_line(line); }

  /** The hand of a style, or without a name of a seed; null if only the drawn line shows it. */
  handOf(name, seed) {
    return this.#within((keep) => this.#resultOf("hw_hand_of", (pointer) => this.#handAt(pointer),
      this.#network, name === undefined ? 0 : this.#text(name, keep), seed));
  }

  /** The numbers that describe the hand of a line's strokes. */
  describe(strokes, size) {
    return this.#withInk(strokes, (points, count, keep) => {
      const target = keep(WORD * size);
      this.#call("hw_describe", this.#network, points, count, target);
      return this.#numbers(Float32Array, target, size);
    });
  }

  /** The hand of lines from their descriptions. */
  handOfLines(descriptions) {
    return this.#within((keep) => {
      const numbers = keep(WORD * descriptions.length * descriptions[0].length);
      descriptions.forEach((description, i) => new Float32Array(this.#c.memory.buffer)
        .set(description, numbers / WORD + i * description.length));
      return this.#resultOf("hw_hand_of_lines", (pointer) => this.#handAt(pointer), this.#network,
        numbers, descriptions.length);
    });
  }

  /** The hand of a line that somebody wrote, for a network that goes on after lines. */
  handOfLine(text, strokes) {
    return this.#withInk(strokes, (points, count, keep) => this.#resultOf("hw_hand_of_line",
      (pointer) => this.#handAt(pointer), this.#network, this.#text(text, keep), points, count));
  }

  /** The strokes of rows {strokes, words, isDrawing}, neater; the words have numbers of strokes of
   * their row. */
  neat(rows) {
    const strokes = rows.flatMap((row) => row.strokes);
    if (!strokes.length) return [];
    return this.#withInk(strokes, (points, count, keep) => {
      let first = 0;
      const structures = rows.flatMap(({strokes: {length}, words, isDrawing}) => {
        const list = words.flatMap(({text, strokes}) => [this.#text(text, keep), 0, 0, 0, 0, 0, 0,
          this.#fill(keep, strokes.map((number) => first + number)), strokes.length, 0, 0]);
        first += length;
        return [0, 0, 0, this.#fill(keep, list), words.length, 0, 0, isDrawing ? 1 : 0,
          first - length, length];
      });
      const before = this.#strokes(points, count), rowList = this.#fill(keep, structures);
      this.#call("hw_neat", points, count, rowList, rows.length, points);
      const {x, y} = originOf(strokes), stays = (point, old) =>
        point[0] === old[0] && point[1] === old[1];
      return this.#strokes(points, count).map((stroke, k) =>
        (stroke.every((point, i) => stays(point, before[k][i])) ? strokes[k]
          : stroke.map((point) => [point[0] + x, point[1] + y])));
    });
  }

  // What follows puts values into memory and takes them out. A pointer is a number of bytes.

  #word(pointer) { return new Uint32Array(this.#c.memory.buffer)[pointer / WORD]; }

  /** A copy of numbers in memory. */
  #numbers(Kind, pointer, count) {
    return new Kind(this.#c.memory.buffer, pointer, count).slice();
  }

  /** The result of `work`, which gets a pointer to memory of some bytes, all 0. */
  #taking(size, work) {
    const pointer = this.#c.malloc(Math.max(size, WORD));
    need(pointer, "There is not enough memory.", "no_memory");
    new Uint8Array(this.#c.memory.buffer).fill(0, pointer, pointer + size);
    try {
      return work(pointer);
    } finally {
      this.#c.free(pointer);
    }
  }

  /** The result of `work`, which gets a function that takes memory; the memory is freed. */
  #within(work) {
    const kept = [];
    const keep = (size) => {
      const pointer = this.#c.malloc(Math.max(size, WORD));
      need(pointer, "There is not enough memory.", "no_memory");
      kept.push(pointer);
      return pointer;
    };
    try {
      return work(keep);
    } finally {
      for (const pointer of kept) this.#c.free(pointer);
    }
  }

  #fill(keep, words) {
    const pointer = keep(WORD * words.length);
    new Uint32Array(this.#c.memory.buffer).set(words, pointer / WORD);
    return pointer;
  }

  #text(text, keep) {
    const bytes = new TextEncoder().encode(`${text.replaceAll("\0", "\uFFFD")}\0`);
    const pointer = keep(bytes.length);
    new Uint8Array(this.#c.memory.buffer).set(bytes, pointer);
    return pointer;
  }

  #textAt(pointer) {
    const bytes = new Uint8Array(this.#c.memory.buffer);
    return new TextDecoder().decode(bytes.slice(pointer, bytes.indexOf(0, pointer)));
  }

  #texts(pointer, count) {
    return [...this.#numbers(Uint32Array, pointer, count)].map((text) => this.#textAt(text));
  }

  /** The fields of a structure. */
  #structure(name, pointer) {
    const words = this.#numbers(Uint32Array, pointer, FIELDS[name].length);
    const floats = new Float32Array(words.buffer);
    return Object.fromEntries(FIELDS[name].map((field, i) => {
      const value = field[0] === "f" ? floats[i] : words[i];
      return [field.slice(2), field[0] !== "t" ? value : value ? this.#textAt(value) : null];
    }));
  }

  /** Call a function of the engine with the work handle. */
  #call(name, ...values) {
    const status = this.#c[name](this.#work, ...values);
    if (status) throw new HandwritingError(this.#textAt(this.#c.hw_message(this.#work)),
      CODES[status]);
  }

  /** The pointer that `work` writes to the place that it gets. */
  #result(work) {
    return this.#taking(WORD, (place) => {
      work(place);
      return this.#word(place);
    });
  }

  /** Call a function whose last value is the place of a result. Returns what `convert` makes of the
   * result, null without one. */
  #resultOf(name, convert, ...values) {
    const result = this.#result((place) => this.#call(name, ...values, place));
    if (!result) return null;
    try {
      return convert(result);
    } finally {
      this.#c.hw_free(result);
    }
  }

  /** The result of `work`, which gets the points of strokes and their number. Positions are counted
   * from the first point, which float32 holds exactly enough wherever the ink lies. */
  #withInk(strokes, work) {
    let count = 0, next = 0;
    for (const {length} of strokes) count += length;
    return this.#within((keep) => {
      const points = keep(POINT * WORD * count), {x, y} = originOf(strokes);
      const {buffer} = this.#c.memory;
      const floats = new Float32Array(buffer, points, POINT * count);
      const words = new Uint32Array(buffer, points, POINT * count);
      for (const stroke of strokes) {
        for (const point of stroke) {
          floats[next] = point[0] - x;
          floats[next + 1] = point[1] - y;
          words[next + 2] = 0;
          next += POINT;
        }
        words[next - 1] = 1;
      }
      return work(points, count, keep);
    });
  }

  #strokes(pointer, count) {
    const floats = this.#numbers(Float32Array, pointer, POINT * count), strokes = [];
    const lifts = new Uint32Array(floats.buffer);
    for (let i = 0, begins = true; i < POINT * count; i += POINT) {
      if (begins) strokes.push([]);
      strokes.at(-1).push([floats[i], floats[i + 1]]);
      begins = lifts[i + 2] !== 0;
    }
    return strokes;
  }

  /** A structure of a hand: a hand vector, or {text, strokes}. */
  #hand(hand, keep) {
    if (!hand.strokes) {
      const vector = keep(WORD * hand.length);
      new Float32Array(this.#c.memory.buffer).set(hand, vector / WORD);
      return this.#fill(keep, [vector, hand.length, 0, 0, 0, 0, 0, 0]);
    }
    const {text, strokes, x_height: height = 0, stretch = [0, 0]} = hand;
    return this.#withInk(strokes, (points, count) => {
      const copy = this.#numbers(Uint32Array, points, POINT * count);
      const pointer = this.#fill(keep, [0, 0, this.#text(text, keep), this.#fill(keep, copy), count]
        .concat([0, 0, 0]));
      new Float32Array(this.#c.memory.buffer).set([height, ...stretch], pointer / WORD + 5);
      return pointer;
    });
  }

  #handAt(pointer) {
    const hand = this.#structure("hand", pointer);
    if (hand.vector) return [...this.#numbers(Float32Array, hand.vector, hand.size)];
    const {text, height, stretchX, stretchY} = hand;
    return {text, strokes: this.#strokes(hand.points, hand.numPoints),
      ...(height && {x_height: height}), ...(stretchX && {stretch: [stretchX, stretchY]})};
  }

  /** The places in a text, in JavaScript's characters, by their places in bytes. */
  #placesOf(text) {
    const places = new Map([[0, 0]]);
    let bytes = 0, index = 0;
    for (const sign of text) {
      bytes += new TextEncoder().encode(sign).length;
      places.set(bytes, index += sign.length);
    }
    return places;
  }

  #row(pointer, strokes) {
    const row = this.#structure("row", pointer), places = this.#placesOf(row.text);
    const list = (name, start, count) => Array.from({length: count}, (_, i) =>
      this.#structure(name, start + i * WORD * FIELDS[name].length));
    const place = ({start, end}) => [places.get(start), places.get(end)];
    const numbers = (of) => [...this.#numbers(Uint32Array, of.strokes, of.numStrokes)];
    const words = list("word", row.words, row.numWords);
    const begins = [];
    let count = 0;
    for (const stroke of strokes) begins.push(count), count += stroke.length;
    const pointOf = (number, of) => { // [stroke, point] of a point's number
      const stroke = of.find((k) => number >= begins[k] && number < begins[k] + strokes[k].length);
      return [stroke, number - begins[stroke]];
    };
    const characters = list("character", row.characters, row.numCharacters).map((character) => {
      const of = numbers(character);
      return {place: place(character), probability: character.probability, strokes: of,
        first: pointOf(character.first, of), last: pointOf(character.last, of)};
    });
    return {
      text: row.text,
      alternatives: this.#texts(row.alternatives, row.numAlternatives),
      words: words.map((word) => ({text: word.text, probability: word.probability,
        strokes: numbers(word), alternatives: this.#texts(word.alternatives, word.numAlternatives)})),
      characters,
      doubtful: words.filter((word) => word.isDoubtful).map(place),
      isDrawing: Boolean(row.isDrawing),
    };
  }
}

const originOf = (strokes) => ({x: strokes[0]?.[0][0] ?? 0, y: strokes[0]?.[0][1] ?? 0});
