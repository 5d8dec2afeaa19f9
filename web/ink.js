// Geometry of ink, with the constants of utils/ink.py and utils/hand_measures.py.
//
// A stroke is a list of points [x, y]; y grows downwards. A point may have more numbers: the time
// in ms and the pressure from 0 to 1. A writer's ink is flat, three numbers a point: offset in x
// and y, and 1 where a stroke ends.

const FLAT = 0.3; // x-heights up to which a movement up or down counts as flat
const LEAST_WIDTH = 4; // x-heights of the narrowest line whose slope is measured
const STEEP = 0.5; // x-heights of the shortest downstrokes whose lean is measured
const MAX_LEAN = 50; // degrees of the largest lean of such a downstroke
const TALL = 0.6; // least height of a tall stroke, as a fraction of the tallest stroke's

export const sum = (values) => values.reduce((all, value) => all + value, 0);
export const median = (values) => {
  const sorted = Float64Array.from(values).sort(), middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

export function strokes(ink) {
  const parts = [];
  let x = 0, y = 0, begins = true;
  for (let i = 0; i < ink.length; i += 3) {
    if (begins) parts.push([]);
    parts.at(-1).push([(x += ink[i]), (y += ink[i + 1])]);
    begins = ink[i + 2] > 0.5;
  }
  return parts;
}

/** Ink whose first offset is the position of the first point. */
export function fromStrokes(parts) {
  let last = [0, 0];
  return Float32Array.from(parts.flatMap((part) => part.flatMap((point, i) => {
    const [x, y] = last;
    last = point;
    return [point[0] - x, point[1] - y, Number(i === part.length - 1)];
  })));
}

/** Strokes with every x replaced by a x + b, and every y by c y + d. */
export const moved = (parts, a, b, c, d) =>
  parts.map((part) => part.map(([x, y, ...more]) => [a * x + b, c * y + d, ...more]));

export function bounds(parts) {
  let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
  for (const [x, y] of parts.flat()) {
    [left, top] = [Math.min(left, x), Math.min(top, y)];
    [right, bottom] = [Math.max(right, x), Math.max(bottom, y)];
  }
  return {left, top, right, bottom, width: right - left, height: bottom - top};
}

/** Parts of strokes between turning points in y: {x, y, dx, dy} each, dy not 0. */
function verticalSegments(parts) {
  const segments = [], extend = (segment, [x, y]) =>
    Object.assign(segment, {dx: x - segment.x, dy: y - segment.y});
  for (const part of parts) {
    let direction = 0;
    for (let i = 1; i < part.length; i++) {
      const [previous, point] = [part[i - 1], part[i]], sign = Math.sign(point[1] - previous[1]);
      if (!sign) continue;
      if (direction) extend(segments.at(-1), previous);
      if (sign !== direction) segments.push({x: previous[0], y: previous[1]});
      extend(segments.at(-1), point);
      direction = sign;
    }
  }
  return segments;
}

function weightedMedian(values, weights) {
  const order = [...values.keys()].sort((a, b) => values[a] - values[b]), half = sum(weights) / 2;
  let reached = 0;
  return values[order.find((i) => (reached += weights[i]) >= half) ?? order.at(-1)];
}

/** The x-height of strokes, always above 0. */
export function xHeight(parts) {
  const heights = verticalSegments(parts).map(({dy}) => Math.abs(dy));
  if (heights.length) return weightedMedian(heights, heights);
  const {width, height} = bounds(parts);
  return Math.max(width, height) || 1;
}

/** The angle of the baseline in radians, positive if the baseline falls to the right; 0 for a line
 * too short to measure. */
export function baselineAngle(parts) {
  const letter = xHeight(parts);
  let low = verticalSegments(parts).filter(({dy}) => dy > FLAT * letter);
  const every = Math.max(1, Math.ceil(low.length / 400)); // as all pairs would be too many
  low = low.filter((_, i) => i % every === 0).map(({x, y, dx, dy}) => [x + dx, y + dy]);
  const slopes = low.flatMap(([x, y], first) => low.slice(first + 1)
    .filter(([x2]) => Math.abs(x2 - x) > 0.5 * LEAST_WIDTH * letter)
    .map(([x2, y2]) => (y2 - y) / (x2 - x)));
  if (slopes.length < 3 || bounds(parts).width < LEAST_WIDTH * letter) return 0;
  return Math.atan(median(slopes));
}

export function turnedBack(parts, angle) {
  const cos = Math.cos(angle), sin = Math.sin(angle);
  return parts.map((part) => part.map(([x, y]) => [x * cos + y * sin, y * cos - x * sin]));
}

/** The y of the baseline of level strokes. */
export function baseline(parts) {
  const least = FLAT * xHeight(parts);
  const ways = verticalSegments(parts).filter(({dy}) => Math.abs(dy) > least);
  return ways.length ? median(ways.map(({y, dy}) => y + Math.max(dy, 0))) : bounds(parts).bottom;
}

/** The y of the baseline of a text; without small letters, the line on which most of the tall
 * strokes stand. */
export function baselineOf(parts, text) {
  if (/\p{Ll}/u.test(text)) return baseline(parts);
  const boxes = parts.map((part) => bounds([part]));
  const tallest = Math.max(...boxes.map(({height}) => height));
  return median(boxes.filter(({height}) => height >= TALL * tallest).map(({bottom}) => bottom));
}

/** How far downstrokes of level strokes lean to the right, x over y; 0 without downstrokes. */
export function slant(parts) {
  const letter = xHeight(parts), most = Math.tan(MAX_LEAN * Math.PI / 180);
  const down = verticalSegments(parts).filter(({dx, dy}) =>
    dy > STEEP * letter && Math.abs(dx) <= most * dy);
  return weightedMedian(down.map(({dx, dy}) => -dx / dy), down.map(({dy}) => dy)) ?? 0;
}

/** The numbers of the strokes with which rows of writing begin; the first number is 0. */
export function rowStarts(parts) {
  const height = xHeight(parts), starts = [];
  let left, right, middles;
  parts.forEach((part, number) => {
    const box = bounds([part]), middle = sum(part.map(([, y]) => y)) / part.length;
    if (!number || (middle - median(middles) > 1.6 * height &&
        box.left < left + 0.4 * (right - left) && box.right < right - height)) {
      starts.push(number);
      [left, right, middles] = [Infinity, -Infinity, []];
    }
    [left, right] = [Math.min(left, box.left), Math.max(right, box.right)];
    middles.push(middle);
  });
  return starts;
}

/** The length of a stroke's path up to each of its points. */
export function pathAlong(part) {
  let path = 0;
  return part.map(([x, y], i) => i && (path += Math.hypot(x - part[i - 1][0], y - part[i - 1][1])));
}

/** A stroke's first point and `count` more, at equal steps of `path`, which grows along it. */
export function atEqualSteps(part, path, count) {
  if (!count) return part.slice(0, 1);
  let i = 0;
  return Array.from({length: count + 1}, (_, step) => {
    const at = path[0] + (path.at(-1) - path[0]) * step / count;
    while (i < path.length - 2 && path[i + 1] <= at) i++;
    const length = path[i + 1] - path[i];
    const fraction = length > 0 ? Math.min((at - path[i]) / length, 1) : 1;
    return part[i].map((from, axis) => from + fraction * (part[i + 1][axis] - from));
  });
}

/** The mean length of a step within strokes; 0 without steps. */
export function meanStep(parts) {
  const steps = sum(parts.map((part) => part.length - 1));
  return steps && sum(parts.map((part) => pathAlong(part).at(-1))) / steps;
}
