// Repairs of a written line's characters, with the constants of handwriting/repairs.py.

import {bounds, median, sum} from "./ink.js";

const SHARE = 0.5; // fraction of a stroke's points at which the window is at its letter
const POINTS = 4; // points of a straight line that is drawn
// In heights of a 5:
const BAR_TILT = 0.05;
const LEAST_BAR = 0.3;
const WAIST = 0.4;
const DOWN = 0.55;

const fraction = (peaks, at) => peaks.filter((number) => number === at).length / peaks.length;
const smallest = (items, valueOf) =>
  items.reduce((best, item) => (valueOf(item) < valueOf(best) ? item : best), items[0]);

/** Strokes with a straight bar and stem in each 5 of a text: their corner tells a 5 from an S.
 * `peaks` has, for each stroke, the number of each point's character; downstrokes lean by `lean` to
 * the right, x over y. */
export function withCorners(parts, peaks, text, lean) {
  [parts, peaks] = [[...parts], [...peaks]];
  const bars = new Set();
  for (const [at, character] of [...text].entries()) {
    if (character !== "5") continue;
    const numbers = [...parts.keys()].filter((k) => fraction(peaks[k], at) > SHARE);
    if (!numbers.length) continue;
    const body = smallest(numbers, (k) => -bounds([parts[k]]).height);
    const bar = barOfFive(parts, peaks, body, at);
    const drawn = withCorner(parts[body], parts[bar] ?? [], lean);
    if (!drawn || !(fraction(peaks[body].slice(0, drawn.next), at) > SHARE)) continue;
    parts[body] = [...drawn.ways, ...parts[body].slice(drawn.next)];
    peaks[body] = [...drawn.ways.map(() => at), ...peaks[body].slice(drawn.next)];
    bars.add(bar);
  }
  return parts.filter((_, k) => !bars.has(k));
}

/** The number of the stroke that is the bar of a 5, flat and at the upper end of the 5's body;
 * undefined if the bar is part of the body's stroke. */
function barOfFive(parts, peaks, body, at) {
  const [[x, y]] = parts[body], {height} = bounds([parts[body]]);
  const apart = (k) => Math.min(...parts[k].map(([a, b]) => Math.hypot(a - x, b - y)));
  return smallest([...parts.keys()].filter((k) => {
    const bar = bounds([parts[k]]), middle = sum(parts[k].map(([, b]) => b)) / parts[k].length;
    return k !== body && Math.abs(median(peaks[k]) - at) <= 1 &&
      bar.height < Math.min(bar.width, WAIST * height) &&
      Math.abs(middle - y) < WAIST * height && bar.right > x && apart(k) <= LEAST_BAR * height;
  }), apart);
}

/** The `ways` of the straight bar and stem of a 5, and the number of the `next` point of the 5's
 * body; null if the body has no such shape. */
function withCorner(body, bar, lean) {
  const {height, top} = bounds([bar, body]);
  const low = body.findIndex(([, y]) => y > top + DOWN * height);
  if (low < 0 || body[0][1] > top + WAIST * height) return null;
  const turn = smallest([...body.keys()].slice(0, low), (i) => body[i][0] + lean * body[i][1]);
  const {right} = bounds([bar, body.slice(0, turn + 1)]), [x, y] = body[turn];
  const corner = [x + lean * (y - top), top + BAR_TILT * height];
  const waist = [x + lean * (y - top - WAIST * height), top + WAIST * height];
  const tip = [Math.max(right, corner[0] + LEAST_BAR * height), top];
  const next = body.findIndex(([, height], i) => i > turn && height > waist[1]);
  return {ways: [...straight(tip, corner), ...straight(corner, waist).slice(1)], next};
}

const straight = (from, to) => Array.from({length: POINTS}, (_, i) =>
  from.map((start, axis) => start + (to[axis] - start) * i / (POINTS - 1)));
