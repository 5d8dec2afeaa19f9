// The browsers' Handwriting Recognition API (WICG, draft) by a reader of this package: what a page
// gets where the browser has none.

import {fault} from "./checks.js";
import {loadReader} from "./reader.js";

// Letters beyond ASCII that a language needs, for the languages that are asked for most.
const LETTERS = {
  en: "", id: "", ms: "", sw: "", la: "", cs: "áčďéěíňóřšťúůýž", da: "æøå", de: "äöüß", es: "áéíñóúü¿¡",
  fi: "äö", fr: "àâçèéêëîïôùûœ", it: "àèéìòù", nb: "æøå", nl: "ëéï", no: "æøå", pl: "ąćęłńóśźż",
  pt: "àáâãçéêíóôõú", sv: "åäö",
};
const HINTS = {
  recognitionType: null, inputType: ["mouse", "stylus", "touch"], textContext: null, alternatives: true,
};

/** Throw a TypeError, as browsers do, unless a test accepts an argument. */
function needs(name, value, expected, accepts) {
  const message = fault(name, value, expected, accepts);
  if (message) throw new TypeError(message);
}

const needsStroke = stroke =>
  needs("stroke", stroke, "a HandwritingStroke", () => stroke instanceof HandwritingStroke);

/** A continuous movement of the pen. Points have a position and perhaps a time in ms. */
export class HandwritingStroke {
  #points = [];

  addPoint(point) {
    needs("point", point, "an object {x, y} of numbers, perhaps with a time t", () =>
      [point.x, point.y, point.t ?? 0].every(Number.isFinite));
    const {x, y, t} = point;
    this.#points.push(t === undefined ? {x, y} : {x, y, t});
  }

  getPoints() { return this.#points.map(point => ({...point})); }

  clear() { this.#points = []; }
}

/** The strokes that are read together. */
export class HandwritingDrawing {
  #strokes = [];
  #read;

  constructor(read) { this.#read = read; }

  addStroke(stroke) {
    needsStroke(stroke);
    this.#strokes.push(stroke);
  }

  removeStroke(stroke) {
    needsStroke(stroke);
    this.#strokes = this.#strokes.filter(other => other !== stroke);
  }

  getStrokes() { return [...this.#strokes]; }

  clear() { this.#strokes = []; }

  /** The likeliest texts, the first of which has the strokes and points of each character; an end
   * index of points is that of the last point. */
  async getPrediction() {
    return this.#read(this.#strokes.map(stroke => stroke.getPoints().map(({x, y}) => [x, y])));
  }
}

/** What reads drawings, until `finish`. */
export class HandwritingRecognizer {
  #reader;

  constructor(reader) { this.#reader = reader; }

  startDrawing(hints) {
    this.#check();
    let alternatives = 3;
    needs("hints", hints, "an object, perhaps with the number of alternatives, an integer from 0 on",
      () => (hints ?? null) === null || (typeof hints === "object" &&
        (alternatives = hints.alternatives ?? 3, Number.isInteger(alternatives) && alternatives >= 0)));
    return new HandwritingDrawing(strokes => this.#predict(strokes, alternatives));
  }

  finish() {
    this.#reader?.dispose();
    this.#reader = null;
  }

  #check() {
    if (!this.#reader) throw new DOMException("The recognizer is finished.", "InvalidStateError");
  }

  async #predict(drawn, most) {
    this.#check();
    const numbers = [...drawn.keys()].filter(number => drawn[number].length);
    if (!numbers.length) return [];
    const rows = await this.#reader.read(numbers.map(number => drawn[number]), {});
    const text = rows.map(row => row.text).join("\n");
    if (!text.trim()) return [];
    const others = rows.flatMap((row, k) => row.alternatives.map(other =>
      rows.map((each, n) => n === k ? other : each.text).join("\n")));
    const best = {text, segmentationResult: segmented(rows, drawn, numbers)};
    return [best, ...others.map(text => ({text}))].slice(0, most);
  }
}

// The characters of rows with their ink; `numbers` are those of the strokes that were read.
function segmented(rows, drawn, numbers) {
  const segments = [];
  let begin = 0;
  for (const row of rows) {
    for (const {place, strokes, first, last} of row.characters) {
      const grapheme = row.text.slice(...place);
      if (!grapheme.trim()) continue;
      const drawingSegments = strokes.map(read => {
        const number = numbers[read], end = drawn[number].length - 1;
        return {
          strokeIndex: number,
          beginPointIndex: read === first[0] ? first[1] : 0,
          endPointIndex: read === last[0] ? last[1] : end,
        };
      });
      const [beginIndex, endIndex] = place.map(index => begin + index);
      segments.push({grapheme, beginIndex, endIndex, drawingSegments});
    }
    begin += row.text.length + 1;
  }
  return segments;
}

function isRead(constraint, alphabet) {
  const isTag = tag => typeof tag === "string";
  needs("constraint", constraint, "an object {languages} with a list of tags such as en", () =>
    Array.isArray(constraint.languages) && Array.from(constraint.languages).every(isTag));
  const languages = constraint.languages.map(tag => tag.toLowerCase().split("-")[0]);
  return languages.length > 0 && languages.every(language =>
    Object.hasOwn(LETTERS, language) && [...LETTERS[language]].every(c => alphabet.includes(c)));
}

/** Put the API into a page, in place of the browser's, if it has one: `navigator` gets its two
 * functions, and the page `HandwritingStroke`. The arguments are those of `loadReader`. */
export function install(network, engine) {
  needs("globalThis.navigator", globalThis.navigator, "a page to install into", () =>
    typeof globalThis.navigator === "object");
  const queryHandwritingRecognizer = async constraint => {
    const reader = await loadReader(network, engine);
    try {
      return isRead(constraint, reader.alphabet)
        ? {textAlternatives: true, textSegmentation: true, hints: {...HINTS}} : null;
    } finally {
      reader.dispose();
    }
  };
  const createHandwritingRecognizer = async constraint => {
    const reader = await loadReader(network, engine);
    if (isRead(constraint, reader.alphabet)) return new HandwritingRecognizer(reader);
    reader.dispose();
    throw new DOMException("No network reads these languages.", "NotSupportedError");
  };
  const values = {queryHandwritingRecognizer, createHandwritingRecognizer};
  for (const [name, value] of Object.entries(values))
    Object.defineProperty(globalThis.navigator, name, {value, configurable: true, writable: true});
  Object.assign(globalThis, {HandwritingStroke, HandwritingDrawing, HandwritingRecognizer});
}
