// Shared by the parts of the page: elements, canvases, and the look of strokes.

const EXPONENT = 0.3; // exponent of the speed for the width of a line, as in Python
const NARROWEST = 0.55; // times the usual width
const WIDEST = 1.3; // times the usual width

export const find = (selector) => document.querySelector(selector);

/** A new element with properties and children. */
export function create(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export const button = (text, onclick) => create("button", {type: "button", onclick}, text);

/** A text with doubtful parts marked, as nodes. */
export function marked(text, doubtful) {
  const starts = [0, ...doubtful.map(([, end]) => end)];
  return starts.flatMap((from, i) => {
    const [start, end] = doubtful[i] ?? [];
    return [text.slice(from, start), ...(end ? [create("mark", {}, text.slice(start, end))] : [])];
  });
}

/** Let the browser save a file. */
export function save(name, content, type) {
  const href = URL.createObjectURL(new Blob([content], {type}));
  create("a", {href, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/** Give a canvas the pixels of its size on the screen, and return its context, cleared. The canvas
 * is `across` units of the context wide. */
export function fresh(canvas, across = canvas.clientWidth) {
  const ratio = window.devicePixelRatio || 1, context = canvas.getContext("2d");
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  context.scale(canvas.width / across, canvas.width / across);
  context.strokeStyle = getComputedStyle(canvas).color;
  return context;
}

export const distance = ([x, y], [x2, y2]) => Math.hypot(x2 - x, y2 - y);

/** The six arguments of `bezierCurveTo` for the curve from point k to the next point, part of the
 * centripetal Catmull-Rom spline (Yuksel, Schaefer and Keyser, 2011), as in utils/ink.py. */
export function curve(stroke, k) {
  const [start, end] = stroke.slice(k, k + 2);
  const beside = (a, b) => [2 * a[0] - b[0], 2 * a[1] - b[1]];
  const before = stroke[k - 1] ?? beside(start, end), after = stroke[k + 2] ?? beside(end, start);
  return [...control(before, start, end), ...control(after, end, start), end[0], end[1]];
}

function control(before, point, after) {
  const d1 = distance(before, point), d2 = distance(point, after);
  if (!d1) return point.slice(0, 2);
  const r1 = Math.sqrt(d1), r2 = Math.sqrt(d2), weight = 2 * d1 + 3 * r1 * r2 + d2;
  return [0, 1].map((i) =>
    (d1 * after[i] - d2 * before[i] + weight * point[i]) / (3 * r1 * (r1 + r2)));
}

/** Draw a stroke from point `from` on: wider where steps are shorter than `usual`, if given, and by
 * the pressure of its points, if they are `pressed`. */
export function draw(context, stroke, width, {from = 0, usual = 0, pressed = false} = {}) {
  const last = stroke.length - 1, step = (k) => {
    const n = Math.min(Math.max(k, 1), last);
    return distance(stroke[n - 1], stroke[n]);
  };
  context.lineCap = context.lineJoin = "round";
  for (let k = Math.max(from - 1, 0); k < Math.max(last, 1); k++) {
    let factor = pressed ? 0.5 + stroke[k][3] : 1;
    if (usual && last > 2) {
      const mean = (step(k - 1) + 3 * step(k) + 3 * step(k + 1) + step(k + 2)) / 8;
      factor = Math.min(Math.max((mean / usual) ** -EXPONENT, NARROWEST), WIDEST);
    }
    context.lineWidth = width * factor;
    context.beginPath();
    context.moveTo(stroke[k][0], stroke[k][1]);
    // A dot is a very short line, as round caps show only on lines of some length.
    if (last) context.bezierCurveTo(...curve(stroke, k));
    else context.lineTo(stroke[0][0] + 0.01, stroke[0][1]);
    context.stroke();
  }
}
