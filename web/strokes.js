// Strokes and their geometry.
//
// A stroke is an array of numbers, four a point: x, y (right and down), time in milliseconds, and
// pressure from 0 to 1. The worker's ink has three: offset in x, offset in y, end of stroke.

export const STRIDE = 4;
export const PERIOD = 18;                    // ms from point to point of written ink, as in Python
const LIFT = 80, AIR = 0.2;                  // ms to lift the pen; mm a ms of the lifted pen
const EXPONENT = 0.3, NARROWEST = 0.55, WIDEST = 1.3;  // of the line's width, as in Python

export const count = (stroke) => stroke.length / STRIDE;

/** Return strokes as the worker's ink, with the times of its points in seconds. */
export function toInk(strokes) {
  const points = strokes.reduce((sum, stroke) => sum + count(stroke), 0);
  const ink = new Float32Array(3 * points), times = new Float32Array(points);
  const start = strokes[0]?.[2] ?? 0;
  let at = 0, x = strokes[0]?.[0] ?? 0, y = strokes[0]?.[1] ?? 0;
  for (const stroke of strokes) {
    for (let i = 0; i < stroke.length; i += STRIDE, at++) {
      ink[3 * at] = stroke[i] - x;
      ink[3 * at + 1] = stroke[i + 1] - y;
      [x, y] = [stroke[i], stroke[i + 1]];
      times[at] = (stroke[i + 2] - start) / 1000;
    }
    ink[3 * at - 1] = 1;
  }
  return {ink, times};
}

/** Grows strokes from the worker's ink, at a place in mm and with the times that a pen takes. */
export class Tracer {
  constructor(x, y, scale) {
    Object.assign(this, {x, y, scale, time: -PERIOD, up: true, strokes: []});
  }

  add(ink) {
    for (let i = 0; i < ink.length; i += 3) {
      const [dx, dy] = [ink[i] * this.scale, ink[i + 1] * this.scale];
      this.x += dx;
      this.y += dy;
      this.time += this.up && this.strokes.length ? LIFT + Math.hypot(dx, dy) / AIR : PERIOD;
      if (this.up) this.strokes.push([]);
      this.strokes.at(-1).push(this.x, this.y, this.time, 0.5);
      this.up = ink[i + 2] > 0.5;
    }
  }
}

export function bounds(strokes) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const stroke of strokes) {
    for (let i = 0; i < stroke.length; i += STRIDE) {
      left = Math.min(left, stroke[i]);
      right = Math.max(right, stroke[i]);
      top = Math.min(top, stroke[i + 1]);
      bottom = Math.max(bottom, stroke[i + 1]);
    }
  }
  return {left, top, right, bottom};
}

/** Return strokes with every position moved: x to a * x + b, y to c * y + d. */
export function moved(strokes, a, b, c, d) {
  return strokes.map((stroke) => stroke.map((value, i) =>
    i % STRIDE === 0 ? a * value + b : i % STRIDE === 1 ? c * value + d : value));
}

/** Return the six numbers of the cubic curve from point k to the next, as `bezierCurveTo` takes.
 *
 * It is the centripetal Catmull-Rom spline (Yuksel, Schaefer and Keyser, 2011), as in utils/ink.py. */
export function curve(stroke, k) {
  const at = (n) => [stroke[STRIDE * n], stroke[STRIDE * n + 1]];
  const beside = (a, b) => [2 * a[0] - b[0], 2 * a[1] - b[1]];
  const start = at(k), end = at(k + 1);
  const before = k > 0 ? at(k - 1) : beside(start, end);
  const after = k + 2 < count(stroke) ? at(k + 2) : beside(end, start);
  return [...control(before, start, end), ...control(after, end, start), ...end];
}

function control(before, point, after) {
  const d1 = Math.hypot(point[0] - before[0], point[1] - before[1]);
  const d2 = Math.hypot(after[0] - point[0], after[1] - point[1]);
  if (!d1) return point;
  const r1 = Math.sqrt(d1), r2 = Math.sqrt(d2), weight = 2 * d1 + 3 * r1 * r2 + d2;
  return [0, 1].map((i) =>
    (d1 * after[i] - d2 * before[i] + weight * point[i]) / (3 * r1 * (r1 + r2)));
}

/** Return the mean length of the steps within strokes, 0 without any. */
export function meanStep(strokes) {
  let sum = 0, steps = 0;
  for (const stroke of strokes) {
    for (let i = STRIDE; i < stroke.length; i += STRIDE, steps++) {
      sum += Math.hypot(stroke[i] - stroke[i - STRIDE], stroke[i + 1] - stroke[i - STRIDE + 1]);
    }
  }
  return steps ? sum / steps : 0;
}

/** Draw a stroke from its point `from` on; wider where it is slower than `usual`, or pressed. */
export function draw(context, stroke, width, {from = 0, usual = 0, pressed = false} = {}) {
  const points = count(stroke);
  const step = (k) => Math.hypot(stroke[STRIDE * k] - stroke[STRIDE * k - STRIDE],
    stroke[STRIDE * k + 1] - stroke[STRIDE * k - STRIDE + 1]);
  context.lineCap = context.lineJoin = "round";
  for (let k = Math.max(from - 1, 0); k < Math.max(points - 1, 1); k++) {
    let factor = 1;
    if (pressed) factor = 0.5 + stroke[STRIDE * k + 3];
    else if (usual && points > 3) {
      const near = [k - 1, k, k + 1, k + 2].map((n) => step(Math.min(Math.max(n, 1), points - 1)));
      const mean = (near[0] + 3 * near[1] + 3 * near[2] + near[3]) / 8;
      factor = Math.min(Math.max((mean / usual) ** -EXPONENT, NARROWEST), WIDEST);
    }
    context.lineWidth = width * factor;
    context.beginPath();
    context.moveTo(stroke[STRIDE * k], stroke[STRIDE * k + 1]);
    // A dot is a line of no length, whose round caps show.
    if (points > 1) context.bezierCurveTo(...curve(stroke, k));
    else context.lineTo(stroke[0], stroke[1]);
    context.stroke();
  }
}

/** Give a canvas the pixels of its size on the screen, and return its context, cleared, in units of
 * which `across` are as wide as it is. */
export function fresh(canvas, across = canvas.clientWidth) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  const context = canvas.getContext("2d");
  context.scale(canvas.width / across, canvas.width / across);
  return context;
}

/** Let the browser save a file. */
export function save(name, parts, type) {
  const blob = parts instanceof Blob ? parts : new Blob([parts], {type});
  const link = Object.assign(document.createElement("a"), {href: URL.createObjectURL(blob)});
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
