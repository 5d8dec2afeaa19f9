// What is wrong, and checks of what a caller gives.

const SEEDS = 2 ** 32; // number of seeds
const MAX_SHOWN = 40; // characters of a value in a message
const MAX_SHOWN_ITEMS = 4; // of a list in a message

/** An Error with a `code`; index.d.ts has the codes. */
export class HandwritingError extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}
HandwritingError.prototype.name = "HandwritingError";

/** Throw an Error with a message unless `fits`. */
export function need(fits, message, code = "bad_argument") {
  if (!fits) throw new HandwritingError(message, code);
}

/** Whether a test accepts a value. A value whose own code throws, as that of a revoked proxy, is not
 * accepted. */
export function fits(accepts, value) {
  try {
    return Boolean(accepts(value));
  } catch {
    return false;
  }
}

const cut = (text) => (text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text);
const isObject = (value) => typeof value === "object" && value !== null;

/** A value as a message shows it. */
function shown(value) {
  if (typeof value === "string") return `“${cut(value)}”`;
  if (typeof value === "function") return "a function";
  if (!isObject(value)) return cut(String(value)) + (typeof value === "bigint" ? "n" : "");
  try {
    if (Array.isArray(value)) {
      const items = value.slice(0, MAX_SHOWN_ITEMS).map((item) => isObject(item) ? "…" : shown(item));
      return `[${items.join(", ")}${value.length > MAX_SHOWN_ITEMS ? ", …" : ""}]`;
    }
    const kind = cut(Object.prototype.toString.call(value).slice(8, -1));
    return `of type ${kind}${value.byteLength === 0 ? " without bytes, or transferred" : ""}`;
  } catch {
    return "an object that cannot be looked into";
  }
}

/** What is wrong with an argument, a sentence; "" if a test accepts its value. */
export const fault = (name, value, expected, accepts) =>
  (fits(accepts, value) ? "" : `${name} is ${shown(value)}: give ${expected}.`);

/** Throw an Error that names an argument, its value and what is `expected`, unless a test accepts the
 * value. */
export function check(name, value, expected, accepts, code) {
  const message = fault(name, value, expected, accepts);
  need(!message, message, code);
}

const isPoint = (point) => Number.isFinite(point[0]) && Number.isFinite(point[1]);

/** Throw an Error unless `strokes` are lists of points of finite numbers. */
export function checkStrokes(strokes, name = "strokes") {
  check(name, strokes, "a list of strokes", Array.isArray, "bad_ink");
  for (const [number, stroke] of strokes.entries()) {
    check(`${name}[${number}]`, stroke, "a list of points [x, y], one or more",
      () => Array.isArray(stroke) && stroke.length, "bad_ink");
    for (let i = 0; i < stroke.length; i++) // `every` would pass over holes
      if (!fits(isPoint, stroke[i]))
        check(`${name}[${number}][${i}]`, stroke[i], "a point [x, y] of finite numbers", isPoint, "bad_ink");
  }
}

/** Throw an Error unless a line is a {text, strokes}. */
function checkLine(line, name) {
  check(name, line, "a line {text, strokes}", () => isObject(line) && [line.text, line.strokes]);
  check(`${name}.text`, line.text, "a string", (text) => typeof text === "string");
  checkStrokes(line.strokes, `${name}.strokes`);
}

/** Throw an Error unless `lines` are a list of {text, strokes}. */
export function checkLines(lines, name = "lines") {
  check(name, lines, "a list of lines {text, strokes}", Array.isArray);
  for (const [number, line] of lines.entries()) checkLine(line, `${name}[${number}]`);
}

/** Throw an Error unless a style is a name, numbers of a hand vector, or a line. */
function checkStyle(style) {
  const isVector = () => Number.isInteger(style.length) && Array.from(style).every(Number.isFinite);
  if (typeof style === "string" || fits(isVector, style)) return;
  check("style", style, "a name or a hand, such as {text, strokes}", () => style.strokes);
  checkLine(style, "style");
  const {x_height: height = 0, stretch = [0, 0]} = style;
  check("style.x_height", height, "a number", Number.isFinite);
  check("style.stretch", stretch, "two numbers", isPoint);
}

export const checkSeed = (seed) => check("seed", seed, `an integer from 0 to ${SEEDS - 1}`,
  () => Number.isInteger(seed) && seed >= 0 && seed < SEEDS);

export const checkText = (text) =>
  check("text", text, "a string", () => typeof text === "string", "bad_text");

const isFunction = (value) => typeof value === "function";

// Checks of options by their names.
const CHECKS = {
  style: checkStyle,
  seed: checkSeed,
  bias: (bias) => check("bias", bias, "a number from 0 on", () => Number.isFinite(bias) && bias >= 0),
  signal: (signal) => check("signal", signal, "an AbortSignal",
    () => isFunction(signal.throwIfAborted) && isFunction(signal.addEventListener)),
  onProgress: (onProgress) => check("onProgress", onProgress, "a function", isFunction),
  reader: (reader) => check("reader", reader, "what `loadReader` returned",
    () => isFunction(reader.readLine)),
  proofread: (proofread) => check("proofread", proofread, "true or false",
    () => typeof proofread === "boolean"),
};

/** A copy of options, checked, of which only `names` may be given. It lacks those that are null. */
export function optionsOf(options, names) {
  let entries = [];
  check("options", options, `an object with any of ${names.join(", ")}`,
    () => isObject(options) && (entries = Object.entries(options)));
  entries = entries.filter(([, value]) => (value ?? null) !== null);
  for (const [name, value] of entries) {
    need(names.includes(name), `There is no option “${cut(name)}”; there are ${names.join(", ")}.`);
    CHECKS[name](value);
  }
  return Object.fromEntries(entries);
}
