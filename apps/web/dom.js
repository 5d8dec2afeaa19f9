// Functions for all parts of the page: elements, canvases, and the drawing of strokes.

const SPEED_EXPONENT = 0.3; // a stroke's width falls with this power of the pen's speed (assumed)
const MIN_WIDTH = 0.55; // width of the narrowest piece, in widths of the pen (assumed)
const MAX_WIDTH = 1.3; // width of the widest piece, in widths of the pen (assumed)

export const find = (selector) => document.querySelector(selector);

/** A new element with properties and children. */
export function create(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export const button = (text, onclick) => create("button", {type: "button", onclick}, text);

/** The nodes of a text whose `doubtful` words, [start, end] each, are marked. */
export function marked(text, doubtful) {
  let markedUpTo = 0;
  const nodes = doubtful.flatMap(([start, end]) => {
    const plain = text.slice(markedUpTo, start);
    markedUpTo = end;
    return [plain, create("mark", {}, text.slice(start, end))];
  });
  return [...nodes, text.slice(markedUpTo)];
}

/** Let the browser save `content` as a file; `type` is the media type. */
export function save(name, content, type) {
  const href = URL.createObjectURL(new Blob([content], {type}));
  create("a", {href, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/** Clear a canvas, and give it a pixel for each pixel of the screen. Return its context, scaled so
 * that the canvas is `unitsAcross` units wide (default: CSS pixels). */
export function clearedContext(canvas, unitsAcross = canvas.clientWidth) {
  const ratio = window.devicePixelRatio || 1, context = canvas.getContext("2d");
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  context.scale(canvas.width / unitsAcross, canvas.width / unitsAcross);
  context.strokeStyle = getComputedStyle(canvas).color;
  return context;
}

export const distance = ([x, y], [x2, y2]) => Math.hypot(x2 - x, y2 - y);

/** The arguments of `bezierCurveTo` for the piece from point k to point k + 1 of the centripetal
 * Catmull-Rom spline (Yuksel, Schaefer and Keyser, 2011), as in ink/geometry.py. */
export function curve(stroke, k) {
  const [start, end] = stroke.slice(k, k + 2);
  // The mirror image of `other` at `point` takes the place of a point beyond the stroke's end.
  const mirrored = (point, other) => [2 * point[0] - other[0], 2 * point[1] - other[1]];
  const previous = stroke[k - 1] ?? mirrored(start, end);
  const following = stroke[k + 2] ?? mirrored(end, start);
  return [...control(previous, start, end), ...control(following, end, start), end[0], end[1]];
}

/** The control point next to `point` of the piece from `point` to `next`. */
function control(previous, point, next) {
  const d1 = distance(previous, point), d2 = distance(point, next);
  if (!d1) return point.slice(0, 2);
  const r1 = Math.sqrt(d1), r2 = Math.sqrt(d2), weight = 2 * d1 + 3 * r1 * r2 + d2;
  return [0, 1].map((i) =>
    (d1 * next[i] - d2 * previous[i] + weight * point[i]) / (3 * r1 * (r1 + r2)));
}

/** Draw a stroke from point `from` on. With `meanStep` the line is wider where steps are shorter
 * than `meanStep`; otherwise, with `hasPressure`, the line is wider where pressure is higher. */
export function draw(context, stroke, width, {from = 0, meanStep = 0, hasPressure = false} = {}) {
  const last = stroke.length - 1;
  const step = (k) => {
    const end = Math.min(Math.max(k, 1), last);
    return distance(stroke[end - 1], stroke[end]);
  };
  context.lineCap = context.lineJoin = "round";
  for (let k = Math.max(from - 1, 0); k < Math.max(last, 1); k++) {
    let factor = hasPressure ? 0.5 + stroke[k][3] : 1;
    if (meanStep && last > 2) {
      const smoothed = (step(k - 1) + 3 * step(k) + 3 * step(k + 1) + step(k + 2)) / 8;
      factor = (smoothed / meanStep) ** -SPEED_EXPONENT;
      factor = Math.min(Math.max(factor, MIN_WIDTH), MAX_WIDTH);
    }
    context.lineWidth = width * factor;
    context.beginPath();
    context.moveTo(stroke[k][0], stroke[k][1]);
    // A dot is a very short line: a line of length 0 has no round caps.
    if (last) context.bezierCurveTo(...curve(stroke, k));
    else context.lineTo(stroke[0][0] + 0.01, stroke[0][1]);
    context.stroke();
  }
}
