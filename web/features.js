// What a reader sees of ink: utils/ink_features.py, whose constants these are.

import { atEqualSteps, bounds, pathAlong, strokes, xHeight } from "./ink.js";

const MAX_POINTS = 20_000;
const DETAIL = 3; // factor on what is a third as large as other features
const FAR = 8; // x-heights beyond which positions and jumps grow only logarithmically

// The features of all points, one after the other.
export function features(ink, { spacing, parts }) {
  const own = strokes(ink);
  const height = xHeight(own);
  const paths = own.map(pathAlong);
  const length = paths.reduce((sum, path) => sum + path.at(-1), 0);
  const distance = Math.max(spacing * height, length / MAX_POINTS);
  const counts = paths.map((path) => Math.ceil(path.at(-1) / distance));
  const fine = own.map((part, i) => atEqualSteps(part, paths[i], parts * counts[i]));
  const scaled = fine.map((part) =>
    part.filter((_, i) => i % parts === 0).map(([x, y]) => [x / height, y / height]));
  const above = heightAboveLine(scaled);
  const found = [];
  let [before, rightmost] = [null, -Infinity];
  scaled.forEach((part, number) => {
    const ways = part.map((point, i) => direction(part[Math.max(i - 1, 0)], point));
    const piece = paths[number].at(-1) / Math.max(parts * counts[number], 1) || 1;
    part.forEach(([x, y], i) => {
      const [[cos, sin], end] = [ways[i], i === part.length - 1];
      const [nextCos, nextSin] = end ? [0, 0] : ways[i + 1];
      const turn = [cos * nextCos + sin * nextSin - 1, cos * nextSin - sin * nextCos];
      const jump = i === 0 && before ? [x - before[0], y - before[1]] : [0, 0];
      rightmost = Math.max(rightmost, x);
      const far = [...jump, above([x, y]), rightmost - x].map((way) => FAR * Math.asinh(way / FAR));
      found.push(cos, sin, ...(i && !end ? turn : [0, 0]), Number(i === 0), Number(end), ...far);
      for (let k = parts * (i - 1); k < parts * i && parts > 1; k++) {
        const [from, to] = [fine[number][k], fine[number][k + 1]];
        const detail = (axis) => DETAIL * ((to[axis] - from[axis]) / piece - ways[i][axis]);
        found.push(...(i ? [detail(0), detail(1)] : [0, 0]));
      }
    });
    before = part.at(-1);
  });
  return Float32Array.from(found);
}

// Cosine and sine of the way from a point to another; zeros where they are the same.
function direction([x, y], [x2, y2]) {
  const length = Math.max(Math.hypot(x2 - x, y2 - y), 1e-12);
  return [(x2 - x) / length, (y2 - y) / length];
}

// How high points lie above the straight line of least squares through them all; above their middle
// where they are less wide than high, as a line would follow the letters.
function heightAboveLine(parts) {
  const points = parts.flat();
  const mean = [0, 1].map((axis) =>
    points.reduce((sum, point) => sum + point[axis], 0) / points.length);
  const { left, top, right, bottom } = bounds(parts);
  if (right - left <= 2 * (bottom - top)) return ([, y]) => mean[1] - y;
  let [spread, both] = [0, 0];
  for (const [x, y] of points) {
    spread += (x - mean[0]) ** 2;
    both += (x - mean[0]) * (y - mean[1]);
  }
  return ([x, y]) => (both / spread) * (x - mean[0]) - (y - mean[1]);
}
