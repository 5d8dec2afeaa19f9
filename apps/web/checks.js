// What is wrong, and checks of what a caller gives.

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

/** Throw an Error unless `strokes` are lists of points of finite numbers. */
export function checkStrokes(strokes) {
  need(Array.isArray(strokes), "The strokes are no list of strokes.", "bad_ink");
  for (const [number, stroke] of strokes.entries()) {
    let arePoints = Array.isArray(stroke) && stroke.length > 0;
    for (let i = 0; arePoints && i < stroke.length; i++) // `every` would pass over holes
      arePoints = Number.isFinite(stroke[i]?.[0]) && Number.isFinite(stroke[i][1]);
    need(arePoints, `Stroke ${number} is no list of points [x, y] of finite numbers.`, "bad_ink");
  }
}

/** Throw an Error unless `lines` are a list of {text, strokes}. */
export function checkLines(lines) {
  need(Array.isArray(lines), "The lines are no list of lines {text, strokes}.");
  for (const [number, line] of lines.entries()) {
    need(typeof line?.text === "string", `Line ${number} has no text; give {text, strokes}.`);
    checkStrokes(line.strokes);
  }
}
