// The features of strokes that a reader sees, with the constants of
// model/recognition/ink_features.py and utils/delayed_strokes.py.

import {
  atEqualSteps, baseline, baselineAngle, bounds, moved, pathAlong, sum, turnedBack, xHeight,
} from "./ink.js";

const MAX_POINTS = 20_000;
const DETAIL = 3; // factor on the features of parts, which are a third as large as others
const FAR = 8; // x-heights beyond which positions and jumps grow only logarithmically
const LATE = 5; // x-heights by which a late mark ends to the left of earlier ink
const MARK_ABOVE = 0.6; // x-heights of a mark above the baseline, at least
const MARK_WIDTH = 2.5; // x-heights of a mark's width, at most
const ACROSS = 4; // factor by which a distance along the row counts more than across the row
const BEFORE = 0.25; // x-heights to the left of a letter beyond which a mark comes before it

/** The number of features of a point. */
export const numFeatures = (parts) => 10 + (parts > 1 ? 2 * parts : 0);

/** The features of each point. */
export function features(written, {spacing, parts}) {
  const height = xHeight(written), strokes = undelayed(written, height);
  const paths = strokes.map(pathAlong);
  const distance = Math.max(spacing * height, sum(paths.map((path) => path.at(-1))) / MAX_POINTS);
  const counts = paths.map((path) => Math.ceil(path.at(-1) / distance));
  const fine = strokes.map((part, i) => atEqualSteps(part, paths[i], parts * counts[i]));
  const whole = fine.map((part) => part.filter((_, i) => i % parts === 0));
  const scaled = moved(whole, 1 / height, 0, 1 / height, 0), above = heightAboveLine(scaled);
  let last = null, rightmost = -Infinity;
  return scaled.flatMap((part, number) => {
    const ways = part.map((point, i) => direction(part[Math.max(i - 1, 0)], point));
    const piece = paths[number].at(-1) / Math.max(parts * counts[number], 1) || 1;
    const points = part.map(([x, y], i) => {
      const [cos, sin] = ways[i], end = i === part.length - 1, [cos2, sin2] = ways[i + 1] ?? [0, 0];
      const turn = i && !end ? [cos * cos2 + sin * sin2 - 1, cos * sin2 - sin * cos2] : [0, 0];
      const jump = i === 0 && last ? [x - last[0], y - last[1]] : [0, 0];
      rightmost = Math.max(rightmost, x);
      const far = [...jump, above([x, y]), rightmost - x].map((way) => FAR * Math.asinh(way / FAR));
      const detail = Array.from({length: parts > 1 ? 2 * parts : 0}, (_, k) => {
        if (i === 0) return 0;
        const axis = k % 2, at = parts * (i - 1) + (k >> 1);
        const [from, to] = fine[number].slice(at, at + 2);
        return DETAIL * ((to[axis] - from[axis]) / piece - ways[i][axis]);
      });
      return [cos, sin, ...turn, Number(i === 0), Number(end), ...far, ...detail];
    });
    last = part.at(-1);
    return points;
  });
}

/** The strokes of a row, with each late mark next to the nearest letter. */
function undelayed(strokes, height) {
  let front = -Infinity;
  const late = strokes.map((part) => {
    const {right} = bounds([part]);
    front = Math.max(front, right);
    return front - right >= LATE * height;
  });
  if (!late.includes(true)) return strokes;
  const level = turnedBack(strokes, baselineAngle(strokes));
  const above = baseline(level) - MARK_ABOVE * height;
  const all = level.map((part, number) => {
    const {left, top, right, bottom} = bounds([part]), x = (left + right) / 2;
    const isMark = bottom < above && right - left < MARK_WIDTH * height;
    return {number, part, place: number, left, x, y: (top + bottom) / 2, isMark};
  });
  const letters = all.filter(({isMark}) => !isMark);
  for (const mark of all.filter(({number, isMark}) => isMark && late[number] && letters.length)) {
    const apart = letters.map(({part}) => part.reduce((least, [x, y]) =>
      Math.min(least, Math.hypot(ACROSS * (x - mark.x), y - mark.y)), Infinity));
    const {place, left} = letters[apart.indexOf(Math.min(...apart))];
    mark.place = place + (mark.x < left - BEFORE * height ? -0.5 : 0.5);
  }
  return all.sort((a, b) => a.place - b.place || a.x - b.x).map(({number}) => strokes[number]);
}

/** Cosine and sine of the direction from a point to the next; zeros if the points are the same. */
function direction([x, y], [x2, y2]) {
  const length = Math.max(Math.hypot(x2 - x, y2 - y), 1e-12);
  return [(x2 - x) / length, (y2 - y) / length];
}

/** The function that gives a point's height above the least-squares line of all points, or above
 * the middle of narrow ink: a line through narrow ink would follow the letters. */
function heightAboveLine(parts) {
  const points = parts.flat(), {left, top, right, bottom} = bounds(parts);
  const [x0, y0] = [0, 1].map((axis) => sum(points.map((point) => point[axis])) / points.length);
  if (right - left <= 2 * (bottom - top)) return ([, y]) => y0 - y;
  const spread = sum(points.map(([x]) => (x - x0) ** 2));
  const slope = sum(points.map(([x, y]) => (x - x0) * (y - y0))) / spread;
  return ([x, y]) => slope * (x - x0) - (y - y0);
}
