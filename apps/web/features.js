// The features of strokes, the inputs of a reader, with the constants of
// model/recognition/ink_features.py and ink/delayed_strokes.py.

import {
  atEqualSteps, baseline, bounds, levelled, moved, pathAlong, sum, xHeight,
} from "./ink.js";

const MAX_POINTS = 20_000; // maximum number of points of a row; each stroke may have two more
const DETAIL = 3; // factor by which the features of parts (see `numFeatures`) are scaled
const FAR = 8; // x-heights beyond which positions and jumps grow only logarithmically
const LATE = 5; // least x-heights from the end of the ink back to a late mark
const MARK_ABOVE = 0.6; // least x-heights from the baseline up to the lower end of a mark
const MARK_WIDTH = 2.5; // most x-heights of a mark's width
const ACROSS = 4; // weight of a distance in x, relative to a distance in y
const BEFORE = 0.25; // least x-heights from a mark to a letter that the mark precedes

/** The number of features of a point. The path from the previous point has `parts` parts. */
export const numFeatures = (parts) => 10 + (parts > 1 ? 2 * parts : 0);

/** The x-height of a row, its strokes in the order in which a reader sees them, the paths along
 * them, and the number of equal steps of each path. */
function ordered(written, spacing) {
  const height = xHeight(written), strokes = undelayed(written, height);
  const paths = strokes.map(pathAlong);
  const distance = Math.max(spacing * height, sum(paths.map((path) => path.at(-1))) / MAX_POINTS);
  return {height, strokes, paths, counts: paths.map((path) => Math.ceil(path.at(-1) / distance))};
}

/** The strokes of a row in the order in which a reader sees them, and for each point of `features`
 * the number of the point of these strokes that is there, such as 2.5 between points 2 and 3. */
export function places(written, {spacing}) {
  const {strokes, paths, counts} = ordered(written, spacing);
  let number = 0;
  const numbered = strokes.map((stroke) => stroke.map(() => [number++]));
  const rows = numbered.flatMap((stroke, k) => atEqualSteps(stroke, paths[k], counts[k]).flat());
  return {strokes, rows};
}

/** The features of each point, as `stroke_features` in model/recognition/ink_features.py. */
export function features(written, {spacing, parts}) {
  const {height, strokes, paths, counts} = ordered(written, spacing);
  const fine = strokes.map((stroke, k) => atEqualSteps(stroke, paths[k], parts * counts[k]));
  const coarse = fine.map((stroke) => stroke.filter((_, i) => i % parts === 0));
  const scaled = moved(coarse, 1 / height, 0, 1 / height, 0), above = heightAboveLine(scaled);
  let previous = null, rightmost = -Infinity;
  return scaled.flatMap((stroke, k) => {
    const directions = stroke.map((point, i) => direction(stroke[Math.max(i - 1, 0)], point));
    const partLength = paths[k].at(-1) / Math.max(parts * counts[k], 1) || 1;
    const points = stroke.map(([x, y], i) => {
      const [cos, sin] = directions[i], [cos2, sin2] = directions[i + 1] ?? [0, 0];
      const isFirst = i === 0, isLast = i === stroke.length - 1;
      const change = [cos * cos2 + sin * sin2 - 1, cos * sin2 - sin * cos2];
      const turn = isFirst || isLast ? [0, 0] : change;
      const jump = isFirst && previous ? [x - previous[0], y - previous[1]] : [0, 0];
      rightmost = Math.max(rightmost, x);
      const distances = [...jump, above([x, y]), rightmost - x];
      const compressed = distances.map((value) => FAR * Math.asinh(value / FAR));
      const detail = Array.from({length: parts > 1 ? 2 * parts : 0}, (_, feature) => {
        if (isFirst) return 0;
        const axis = feature % 2, index = parts * (i - 1) + (feature >> 1);
        const [start, end] = fine[k].slice(index, index + 2);
        return DETAIL * ((end[axis] - start[axis]) / partLength - directions[i][axis]);
      });
      return [cos, sin, ...turn, Number(isFirst), Number(isLast), ...compressed, ...detail];
    });
    previous = stroke.at(-1);
    return points;
  });
}

/** The strokes of a row, reordered: each late mark directly follows or precedes its letter. */
function undelayed(strokes, height) {
  let front = -Infinity; // the right end of the ink so far
  const isLate = strokes.map((stroke) => {
    const {right} = bounds([stroke]);
    front = Math.max(front, right);
    return front - right >= LATE * height;
  });
  if (!isLate.includes(true)) return strokes;
  const level = levelled(strokes);
  const markBottom = baseline(level) - MARK_ABOVE * height;
  const all = level.map((stroke, index) => {
    const {left, top, right, bottom} = bounds([stroke]), x = (left + right) / 2;
    const isMark = bottom < markBottom && right - left < MARK_WIDTH * height;
    return {index, stroke, order: index, left, x, y: (top + bottom) / 2, isMark};
  });
  const letters = all.filter(({isMark}) => !isMark);
  for (const mark of all.filter(({index, isMark}) => isMark && isLate[index] && letters.length)) {
    const distances = letters.map(({stroke}) => stroke.reduce((least, [x, y]) =>
      Math.min(least, Math.hypot(ACROSS * (x - mark.x), y - mark.y)), Infinity));
    const {order, left} = letters[distances.indexOf(Math.min(...distances))];
    mark.order = order + (mark.x < left - BEFORE * height ? -0.5 : 0.5);
  }
  return all.sort((a, b) => a.order - b.order || a.x - b.x).map(({index}) => strokes[index]);
}

/** The cosine and sine of the direction from a point to another; zeros for equal points. */
function direction([x, y], [x2, y2]) {
  const length = Math.max(Math.hypot(x2 - x, y2 - y), 1e-12);
  return [(x2 - x) / length, (y2 - y) / length];
}

/** A function that returns a point's height above the least-squares line of all points. In narrow
 * ink, where this line would follow the letters, it returns the height above the mean point. */
function heightAboveLine(strokes) {
  const points = strokes.flat(), {left, top, right, bottom} = bounds(strokes);
  const [x0, y0] = [0, 1].map((axis) => sum(points.map((point) => point[axis])) / points.length);
  if (right - left <= 2 * (bottom - top)) return ([, y]) => y0 - y;
  const spread = sum(points.map(([x]) => (x - x0) ** 2));
  const slope = sum(points.map(([x, y]) => (x - x0) * (y - y0))) / spread;
  return ([x, y]) => slope * (x - x0) - (y - y0);
}
