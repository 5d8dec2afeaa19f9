// Geometry of the page's ink.
//
// A stroke is a list of points [x, y]; y grows downwards. A point may have more numbers: the time
// in ms and the pressure from 0 to 1.

/** Strokes with every x replaced by a x + b, and every y by c y + d. */
export const moved = (strokes, a, b, c, d) =>
  strokes.map((stroke) => stroke.map(([x, y, ...more]) => [a * x + b, c * y + d, ...more]));

export function bounds(strokes) {
  let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
  for (const stroke of strokes)
    for (const [x, y] of stroke) {
      [left, top] = [Math.min(left, x), Math.min(top, y)];
      [right, bottom] = [Math.max(right, x), Math.max(bottom, y)];
    }
  return {left, top, right, bottom, width: right - left, height: bottom - top};
}

/** The mean distance between neighbouring points of strokes; 0 if each stroke is a single point. */
export function meanStep(strokes) {
  let length = 0, steps = 0;
  for (const stroke of strokes)
    for (let i = 1; i < stroke.length; i++, steps++)
      length += Math.hypot(stroke[i][0] - stroke[i - 1][0], stroke[i][1] - stroke[i - 1][1]);
  return steps && length / steps;
}
