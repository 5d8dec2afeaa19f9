// Repairs of written characters, with the constants of apps/pages/repairs.py.

import {bounds, median, sum} from "./ink.js";

const SHARE = 0.5; // a stroke belongs to a character if more than this fraction of its points do
const POINTS = 4; // points of a straight line that is drawn
const BAR_TILT = 0.05; // heights of a 5 by which its bar rises
const LEAST_BAR = 0.3; // heights of a 5: the least width of its bar
const WAIST = 0.4; // heights of a 5 from its top to the lower end of its stem
const DOWN = 0.55; // heights of a 5 from its top to where its belly has surely begun

const fraction = (peaks, index) => peaks.filter((peak) => peak === index).length / peaks.length;
const minBy = (items, valueOf) =>
  items.reduce((best, item) => (valueOf(item) < valueOf(best) ? item : best), items[0]);

/** Strokes with a straight bar and stem in each 5 of a text: a 5 has a corner, an S has none.
 * `peaks` has a list for each stroke: the index in the text of each point's character. Downstrokes
 * lean to the right by `lean`, x over y. */
export function withCorners(strokes, peaks, text, lean) {
  [strokes, peaks] = [[...strokes], [...peaks]];
  const bars = new Set();
  for (const [index, character] of [...text].entries()) {
    if (character !== "5") continue;
    const ofFive = [...strokes.keys()].filter((k) => fraction(peaks[k], index) > SHARE);
    if (!ofFive.length) continue;
    const body = minBy(ofFive, (k) => -bounds([strokes[k]]).height);
    const bar = barOfFive(strokes, peaks, body, index);
    const drawn = withCorner(strokes[body], strokes[bar] ?? [], lean);
    if (!drawn || !(fraction(peaks[body].slice(0, drawn.next), index) > SHARE)) continue;
    strokes[body] = [...drawn.points, ...strokes[body].slice(drawn.next)];
    peaks[body] = [...drawn.points.map(() => index), ...peaks[body].slice(drawn.next)];
    bars.add(bar);
  }
  return strokes.filter((_, k) => !bars.has(k));
}

/** The index of the stroke that is the bar of a 5: flat, and at the upper end of the stroke `body`.
 * Undefined if the bar is part of the body. */
function barOfFive(strokes, peaks, body, index) {
  const [[x, y]] = strokes[body], {height} = bounds([strokes[body]]);
  const gap = (k) => Math.min(...strokes[k].map(([a, b]) => Math.hypot(a - x, b - y)));
  return minBy([...strokes.keys()].filter((k) => {
    const bar = bounds([strokes[k]]);
    const middle = sum(strokes[k].map(([, b]) => b)) / strokes[k].length;
    return k !== body && Math.abs(median(peaks[k]) - index) <= 1 &&
      bar.height < Math.min(bar.width, WAIST * height) &&
      Math.abs(middle - y) < WAIST * height && bar.right > x && gap(k) <= LEAST_BAR * height;
  }), gap);
}

/** Return {points, next}: the points of a 5's straight bar and stem, and the index of the point of
 * `body` that follows them; null if the body does not have the shape of a 5. */
function withCorner(body, bar, lean) {
  const {height, top} = bounds([bar, body]);
  const belly = body.findIndex(([, y]) => y > top + DOWN * height);
  if (belly < 0 || body[0][1] > top + WAIST * height) return null;
  const turn = minBy([...body.keys()].slice(0, belly), (i) => body[i][0] + lean * body[i][1]);
  const {right} = bounds([bar, body.slice(0, turn + 1)]), [x, y] = body[turn];
  const corner = [x + lean * (y - top), top + BAR_TILT * height];
  const waist = [x + lean * (y - top - WAIST * height), top + WAIST * height];
  const tip = [Math.max(right, corner[0] + LEAST_BAR * height), top];
  const next = body.findIndex(([, y2], i) => i > turn && y2 > waist[1]);
  return {points: [...straight(tip, corner), ...straight(corner, waist).slice(1)], next};
}

const straight = (from, to) => Array.from({length: POINTS}, (_, i) =>
  from.map((start, axis) => start + (to[axis] - start) * i / (POINTS - 1)));
