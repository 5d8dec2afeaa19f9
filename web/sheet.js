// Sheets of paper with rows of writing, in millimetres: their layout and how they look.

import {
  bounds, count, curve, draw, meanStep, moved, PERIOD, save, STRIDE, Tracer,
} from "./strokes.js";
import {escaped, short, toInkml} from "./inkml.js";

const SIZES = {
  a4: [210, 297], a5: [148, 210], a6: [105, 148], card: [148, 105], letter: [215.9, 279.4],
  envelope: [220, 110],
};
const SPACING = {plain: 0, ruled: 8.5, squared: 5, dotted: 5};
const RULING = "#b3c0d8", SMALL = 180, LINE_HEIGHT = 3.9;  // as in Python
const TIGHT = 0.8;   // how much narrower a row may be made to fit (assumed, by eye)
const JUMP = 150;    // mm a second of the lifted pen, where a page writes itself
const DPI = 300;

/** A row of writing on a sheet: its text, place, ink, and what in it is doubtful. */
export class Row {
  constructor(sheet, x, y, size) {
    Object.assign(this, {text: "", sheet, x, y, size, doubtful: [], complete: false});
    this.clear();
  }

  get strokes() { return this.tracer.strokes; }
  get end() { return this.strokes.at(-1)?.at(-2) ?? 0; }
  get width() { return bounds(this.strokes).right - this.x; }

  /** The strokes that are shown already. */
  get shown() {
    const begun = this.strokes[this.stroke]?.slice(0, STRIDE * this.point) ?? [];
    return [...this.strokes.slice(0, this.stroke), ...(begun.length ? [begun] : [])];
  }

  clear() {
    this.set([]);
    [this.stroke, this.point, this.clock, this.finished] = [0, 0, 0, false];
  }

  add(ink) { this.tracer.add(ink); }

  /** Replace the ink; what is shown stays shown. */
  set(ink) {
    this.tracer = new Tracer(this.x, this.y, this.size);
    this.add(ink);
  }

  /** Make the row narrower if it is wider than a column; return whether it looks well then. */
  fit(column) {
    const factor = Math.min(column / this.width, 1);
    this.tracer.strokes = moved(this.strokes, factor, this.x * (1 - factor), 1, 0);
    return factor >= TIGHT;
  }

  /** Draw on what the pen does until a time, in ms since the row's begin. */
  reveal(context, look, until) {
    context.strokeStyle = look.colour;
    const usual = meanStep(this.strokes);
    for (; this.stroke < this.strokes.length; this.stroke++, this.point = 0) {
      const stroke = this.strokes[this.stroke], points = count(stroke);
      let to = this.point;
      while (to < points && stroke[STRIDE * to + 2] <= until) to++;
      if (to > this.point) {
        draw(context, stroke.slice(0, STRIDE * to), look.pen, {from: this.point, usual});
      }
      this.point = to;
      // The worker may yet add to the last stroke.
      if (to < points || this.stroke === this.strokes.length - 1) return;
    }
  }
}

/** A paper, and where the rows on it lie. */
export class Paper {
  constructor({paper, ruling, size}) {
    [this.width, this.height] = SIZES[paper];
    const small = Math.min(this.width, this.height);
    this.margins = small < SMALL ? Array(4).fill(small / 10) : [22, 20, 22, 25];
    [this.ruling, this.spacing, this.size] = [ruling, SPACING[ruling], size];
    const height = LINE_HEIGHT * size;
    this.step = this.spacing ? Math.max(Math.round(height / this.spacing), 1) * this.spacing : height;
    const first = this.spacing ? Math.ceil(2 * size / this.spacing) * this.spacing : 2 * size;
    this.first = this.margins[0] + first;
    this.rows = Math.max(Math.floor((this.height - this.margins[2] - this.first) / this.step) + 1, 1);
    this.column = this.width - this.margins[1] - this.margins[3];
  }

  /** Return an empty row with a number, counted from the first of the first sheet. */
  row(number) {
    const y = this.first + (number % this.rows) * this.step;
    return new Row(Math.floor(number / this.rows), this.margins[3], y, this.size);
  }

  /** Return the printed lines, [x, y, x, y], and the dots as lines of no length. */
  rules() {
    const steps = (from, to, by) => Array.from({length: Math.ceil((to - from) / by - 1e-6)},
      (_, i) => from + i * by);
    const {width, height, spacing, margins: [top, , bottom, left]} = this;
    if (this.ruling === "plain") return [];
    if (this.ruling === "ruled") {
      return steps(top + spacing, height - bottom + 0.01, spacing).map((y) => [0, y, width, y]);
    }
    const down = steps(top % spacing || spacing, height, spacing);
    const across = steps(left % spacing || spacing, width, spacing);
    if (this.ruling === "dotted") return down.flatMap((y) => across.map((x) => [x, y, x, y]));
    return [...down.map((y) => [0, y, width, y]), ...across.map((x) => [x, 0, x, height])];
  }
}

/** Draw a paper and strokes, as a list of them for each row. */
export function paint(context, paper, look, rows) {
  const line = paper.ruling === "dotted" ? 0.3 : 0.15;
  context.strokeStyle = RULING;
  for (const [x, y, to, down] of paper.rules()) {
    draw(context, [x, y, 0, 0, to, down, 0, 0], line);
  }
  context.strokeStyle = look.colour;
  for (const strokes of rows) {
    const usual = meanStep(strokes);
    for (const stroke of strokes) draw(context, stroke, look.pen, {usual});
  }
}

/** Return a sheet as SVG in mm, a path for each stroke; `animated`: it writes itself (SMIL). */
export function toSvg(paper, rows, look, animated) {
  const number = (value) => short(value, 3), {width, height} = paper;
  const lines = paper.rules().map(([x, y, to, down]) =>
    `<path d="M${number(x)} ${number(y)}L${number(to)} ${number(down)}"/>`);
  const drawn = [];
  let now = 0, last = null;
  for (const stroke of rows.flatMap((row) => row.strokes)) {
    const points = count(stroke);
    let path = `M${number(stroke[0])} ${number(stroke[1])}`, along = [0];
    for (let k = 0; k < points - 1; k++) {
      path += `C${curve(stroke, k).map(number).join(" ")}`;
      along.push(along[k] + Math.hypot(stroke[STRIDE * (k + 1)] - stroke[STRIDE * k],
        stroke[STRIDE * (k + 1) + 1] - stroke[STRIDE * k + 1]));
    }
    if (!along.at(-1)) [path, along] = [`M${number(stroke[0])} ${number(stroke[1] - 0.1)}v0.2`, [0, 1]];
    if (last) now += Math.hypot(stroke[0] - last[0], stroke[1] - last[1]) / JUMP;
    last = stroke.slice(-STRIDE);
    const duration = (along.length - 1) * PERIOD / 1000, begin = number(now);
    const values = along.map((value) => short(2 - value / along.at(-1), 4)).join(";");
    const hidden = now && `<set attributeName="visibility" to="hidden" end="${begin}s"/>`;
    now += duration;
    drawn.push(!animated ? `<path d="${path}"/>` : `<path pathLength="1" d="${path}">${hidden || ""}` +
      `<animate attributeName="stroke-dashoffset" begin="${begin}s" dur="${number(duration)}s" ` +
      `values="${values}"/></path>`);
  }
  const layer = (label, colour, pen, more, paths) => paths.length ? [
    `<g inkscape:groupmode="layer" inkscape:label="${escaped(label)}" fill="none" ` +
    `stroke="${colour}" stroke-width="${pen}" stroke-linecap="round" ` +
    `stroke-linejoin="round"${more}>`, ...paths, "</g>"] : [];
  return ['<?xml version="1.0" encoding="UTF-8"?>', '<svg xmlns="http://www.w3.org/2000/svg" ' +
    'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" ' +
    `width="${width}mm" height="${height}mm" viewBox="0 0 ${width} ${height}">`,
  `<title>${escaped(rows.map((row) => row.text).join(" ").slice(0, 80))}</title>`,
  ...layer("1 ruling", RULING, paper.ruling === "dotted" ? 0.3 : 0.15, "", lines),
  ...layer(`2 pen ${look.pen} mm ${look.colour}`, look.colour, look.pen,
    animated ? ' stroke-dasharray="2"' : "", drawn), "</svg>", ""].join("\n");
}

/** Save sheets, in files with numbers where there are several. */
export async function saveSheets(kind, paper, rows, look) {
  const sheets = Object.values(Object.groupBy(rows, (row) => row.sheet));
  for (const [number, own] of sheets.entries()) {
    const ending = kind === "animated" ? "svg" : kind;
    const name = `handwriting${sheets.length > 1 ? `-${number + 1}` : ""}.${ending}`;
    if (kind === "png") {
      const scale = DPI / 25.4, canvas = new OffscreenCanvas(paper.width * scale, paper.height * scale);
      const context = canvas.getContext("2d");
      context.fillStyle = "#fff";
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.scale(scale, scale);
      paint(context, paper, look, own.map((row) => row.strokes));
      save(name, await canvas.convertToBlob());
    } else if (kind === "inkml") {
      save(name, toInkml(own, {units: "mm", pen: {width: look.pen, colour: look.colour}}),
        "application/inkml+xml");
    } else save(name, toSvg(paper, own, look, kind === "animated"), "image/svg+xml");
  }
}
