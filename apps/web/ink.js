// Geometry of ink, with the constants of ink/geometry.py and ink/measures.py.
//
// A stroke is a list of points [x, y]; y grows downwards. A point may have more numbers: the time
// in ms and the pressure from 0 to 1. Ink is a flat list of numbers, three for each point: the
// offset in x, the offset in y, and 1 where a stroke ends, otherwise 0.

const FLAT = 0.3; // x-heights of the tallest flat segment between turning points in y
const LEAST_WIDTH = 4; // x-heights of the narrowest line whose baseline's slope is measured
const MIN_DOWNSTROKE = 0.5; // x-heights of the shortest downstroke whose lean is measured
const MAX_SLANT = 50; // degrees; the largest slant of a downstroke that is measured
const MIDDLE_SIGNS = "-–—~=+"; // signs whose middle is half an x-height above the baseline
const TALL = 0.6; // least height of a tall stroke, as a fraction of the tallest stroke's height

export const sum = (values) => values.reduce((total, value) => total + value, 0);
export const median = (values) => {
  const sorted = Float64Array.from(values).sort(), middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Throw an Error with a message unless `fits`. */
export function need(fits, message) {
  if (!fits) throw new Error(message);
}

/** Throw an Error unless `strokes` are lists of points of finite numbers. */
export function checkStrokes(strokes) {
  const isPoint = (point) => Number.isFinite(point?.[0]) && Number.isFinite(point[1]);
  need(Array.isArray(strokes), "The strokes are no list of strokes.");
  strokes.forEach((stroke, number) =>
    need(Array.isArray(stroke) && stroke.length && stroke.every(isPoint),
      `Stroke ${number} is no list of points [x, y] of finite numbers.`));
}

/** Throw an Error unless `lines` are a list of {text, strokes}. */
export function checkLines(lines) {
  need(Array.isArray(lines), "The lines are no list of lines {text, strokes}.");
  for (const [number, line] of lines.entries()) {
    need(typeof line?.text === "string", `Line ${number} has no text; give {text, strokes}.`);
    checkStrokes(line.strokes);
  }
}

/** The strokes of ink that begins at the origin. */
export function toStrokes(ink) {
  const strokes = [];
  let x = 0, y = 0, begins = true;
  for (let i = 0; i < ink.length; i += 3) {
    if (begins) strokes.push([]);
    strokes.at(-1).push([(x += ink[i]), (y += ink[i + 1])]);
    begins = ink[i + 2] > 0.5;
  }
  return strokes;
}

/** The ink of strokes; its first offset is the position of the first point. */
export function fromStrokes(strokes) {
  let previous = [0, 0];
  return Float32Array.from(strokes.flatMap((stroke) => stroke.flatMap((point, i) => {
    const [x, y] = previous;
    previous = point;
    return [point[0] - x, point[1] - y, Number(i === stroke.length - 1)];
  })));
}

/** Strokes with every x replaced by a x + b, and every y by c y + d. */
export const moved = (strokes, a, b, c, d) =>
  strokes.map((stroke) => stroke.map(([x, y, ...more]) => [a * x + b, c * y + d, ...more]));

export function bounds(strokes) {
  let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
  for (const [x, y] of strokes.flat()) {
    [left, top] = [Math.min(left, x), Math.min(top, y)];
    [right, bottom] = [Math.max(right, x), Math.max(bottom, y)];
  }
  return {left, top, right, bottom, width: right - left, height: bottom - top};
}

/** The segments of strokes between turning points in y. Each has a start {x, y} and an offset
 * {dx, dy}; dy is not 0. */
function verticalSegments(strokes) {
  const segments = [];
  const extend = (segment, [x, y]) =>
    Object.assign(segment, {dx: x - segment.x, dy: y - segment.y});
  for (const stroke of strokes) {
    let direction = 0;
    for (let i = 1; i < stroke.length; i++) {
      const previous = stroke[i - 1], point = stroke[i], sign = Math.sign(point[1] - previous[1]);
      if (!sign) continue;
      if (direction) extend(segments.at(-1), previous);
      if (sign !== direction) segments.push({x: previous[0], y: previous[1]});
      extend(segments.at(-1), point);
      direction = sign;
    }
  }
  return segments;
}

/** The upper and the lower ends, [x, y] each, of the segments of strokes that are not flat, and for
 * each downstroke [lean, height], its lean to the right being -dx / dy. */
export function turningPoints(strokes, height) {
  const segments = verticalSegments(strokes), maxLean = Math.tan(MAX_SLANT * Math.PI / 180);
  const steep = segments.filter(({dy}) => Math.abs(dy) > FLAT * height);
  const ends = steep.map(({x, y, dx, dy}) => [[x, y], [x + dx, y + dy]]);
  const [high, low] = [1, -1].map((sign) =>
    ends.map(([start, end], i) => (sign * steep[i].dy > 0 ? start : end)));
  const down = segments.filter(({dx, dy}) =>
    dy > MIN_DOWNSTROKE * height && Math.abs(dx) <= maxLean * dy);
  return {high, low, down: down.map(({dx, dy}) => [-dx / dy, dy])};
}

/** The slopes between two points that are more than `distance` apart in x. */
export const slopesBetween = (points, distance) => points.flatMap(([x, y], i) => points.slice(i + 1)
  .filter(([x2]) => Math.abs(x2 - x) > distance).map(([x2, y2]) => (y2 - y) / (x2 - x)));

/** The weighted median of pairs [value, weight]; undefined without pairs. */
export function weightedMedian(pairs) {
  const sorted = pairs.toSorted(([a], [b]) => a - b);
  const half = sum(pairs.map(([, weight]) => weight)) / 2;
  let total = 0;
  return (sorted.find(([, weight]) => (total += weight) >= half) ?? sorted.at(-1))?.[0];
}

/** The x-height of strokes: a number above 0. */
export function xHeight(strokes) {
  const heights = verticalSegments(strokes).map(({dy}) => Math.abs(dy));
  if (heights.length) return weightedMedian(heights.map((height) => [height, height]));
  const {width, height} = bounds(strokes);
  return Math.max(width, height) || 1;
}

/** The angle of the baseline in radians, positive if the baseline falls to the right; NaN if the
 * line is too short to measure. */
export function baselineAngle(strokes) {
  const height = xHeight(strokes);
  const down = verticalSegments(strokes).filter(({dy}) => dy > FLAT * height);
  const stride = Math.max(1, Math.ceil(down.length / 400)); // limits the number of pairs
  const feet = down.filter((_, i) => i % stride === 0).map(({x, y, dx, dy}) => [x + dx, y + dy]);
  const slopes = slopesBetween(feet, 0.5 * LEAST_WIDTH * height);
  if (slopes.length < 3 || bounds(strokes).width < LEAST_WIDTH * height) return NaN;
  return Math.atan(median(slopes));
}

/** Strokes turned by -`angle` about the origin; NaN counts as 0. */
export function turnedBack(strokes, angle) {
  const cos = Math.cos(angle || 0), sin = Math.sin(angle || 0);
  return strokes.map((stroke) => stroke.map(([x, y]) => [x * cos + y * sin, y * cos - x * sin]));
}

/** Strokes turned so that their baseline is level. */
export const levelled = (strokes) => turnedBack(strokes, baselineAngle(strokes));

/** The y of the baseline of level strokes. */
export function baseline(strokes) {
  const {low} = turningPoints(strokes, xHeight(strokes));
  return low.length ? median(low.map(([, y]) => y)) : bounds(strokes).bottom;
}

/** The y of the baseline of a text's level strokes, by the x-height of the hand. In a text without
 * small letters, the median foot of the tall strokes, or what MIDDLE_SIGNS show. */
export function baselineOf(strokes, text, height) {
  const {low} = turningPoints(strokes, height);
  if (/\p{Ll}/u.test(text) && low.length) return median(low.map(([, y]) => y));
  if ([...text].every((sign) => MIDDLE_SIGNS.includes(sign) || sign === " ")) {
    const {top, bottom} = bounds(strokes);
    return (top + bottom + height) / 2;
  }
  const boxes = strokes.map((stroke) => bounds([stroke]));
  const tallest = Math.max(...boxes.map(({height}) => height));
  return median(boxes.filter(({height}) => height >= TALL * tallest).map(({bottom}) => bottom));
}

/** The lean of level strokes to the right: the median of -dx / dy over the downstrokes, weighted by
 * dy; 0 if there are no downstrokes. */
export function slant(strokes) {
  return weightedMedian(turningPoints(strokes, xHeight(strokes)).down) ?? 0;
}

/** The index of the first stroke of each row of writing. */
export function rowStarts(strokes) {
  const height = xHeight(strokes), starts = [];
  let left, right, middles;
  strokes.forEach((stroke, index) => {
    const box = bounds([stroke]), middle = sum(stroke.map(([, y]) => y)) / stroke.length;
    if (!index || (middle - median(middles) > 1.6 * height &&
        box.left < left + 0.4 * (right - left) && box.right < right - height)) {
      starts.push(index);
      [left, right, middles] = [Infinity, -Infinity, []];
    }
    [left, right] = [Math.min(left, box.left), Math.max(right, box.right)];
    middles.push(middle);
  });
  return starts;
}

/** The distance along a stroke from its first point to each of its points. */
export function pathAlong(stroke) {
  let path = 0;
  return stroke.map(([x, y], i) => {
    if (i) path += Math.hypot(x - stroke[i - 1][0], y - stroke[i - 1][1]);
    return path;
  });
}

/** A stroke's first point and `count` points more, at equal steps of `path`, which has an
 * ascending number for each point of the stroke. */
export function atEqualSteps(stroke, path, count) {
  if (!count) return stroke.slice(0, 1);
  let i = 0;
  return Array.from({length: count + 1}, (_, step) => {
    const target = path[0] + (path.at(-1) - path[0]) * step / count;
    while (i < path.length - 2 && path[i + 1] <= target) i++;
    const length = path[i + 1] - path[i];
    const fraction = length > 0 ? Math.min((target - path[i]) / length, 1) : 1;
    return stroke[i].map((start, axis) => start + fraction * (stroke[i + 1][axis] - start));
  });
}

/** The mean distance between neighbouring points of strokes; 0 if each stroke is a single point. */
export function meanStep(strokes) {
  const steps = sum(strokes.map((stroke) => stroke.length - 1));
  return steps && sum(strokes.map((stroke) => pathAlong(stroke).at(-1))) / steps;
}
