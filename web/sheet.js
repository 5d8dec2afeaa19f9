// Sheets of paper with rows of writing, in millimetres: their layout and how they look.

import {curve, distance, draw, save} from "./dom.js";
import {bounds, meanStep, moved, strokes} from "./ink.js";
import {escaped, short, toInkml} from "./inkml.js";

const SIZES = {
  a4: [210, 297], a5: [148, 210], a6: [105, 148], card: [148, 105], letter: [215.9, 279.4],
  envelope: [220, 110],
};
const SPACING = {plain: 0, ruled: 8.5};
const RULING = "#b3c0d8", RULE_WIDTH = 0.15, SMALL = 180, LINE_HEIGHT = 3.9; // as in Python
const TIGHT = 0.8; // least factor by which a row may be narrowed to fit (assumed, by eye)
const PERIOD = 18; // ms from point to point of written ink, as in Python
const LIFT = 80, AIR = 0.2; // ms to lift the pen; mm per ms of the lifted pen
const REST = 250; // ms after a row
const DPI = 300;

/** Strokes of ink, scaled by `size` and moved to (x, y) in mm; each point has the time in ms at
 * which a pen reaches it. */
function penned(ink, x, y, size) {
  let last = null;
  return moved(strokes(ink), size, x, size, y).map((stroke) => stroke.map((point, i) => {
    const duration = i || !last ? PERIOD : LIFT + distance(last, point) / AIR;
    return last = [...point, last ? last[2] + duration : 0, 0.5];
  }));
}

/** A row of writing on a sheet: its text, place, ink, and doubtful words. */
class Row {
  constructor(sheet, x, y, size) {
    Object.assign(this, {text: "", sheet, x, y, size, doubtful: []});
    this.clear();
  }

  get end() { return this.strokes.at(-1)?.at(-1)[2] ?? 0; }
  get width() { return bounds(this.strokes).right - this.x; }
  get shown() { return this.upTo(this.clock).filter((stroke) => stroke.length); }

  clear() {
    this.set([]);
    Object.assign(this, {clock: 0, complete: false, finished: false});
  }

  /** Replace the ink; shown ink stays shown. */
  set(ink) { Object.assign(this, {ink, strokes: penned(ink, this.x, this.y, this.size)}); }

  /** Narrow the row if it is wider than a column; return whether the result looks well. */
  fit(column) {
    const factor = Math.min(column / this.width, 1);
    this.strokes = moved(this.strokes, factor, this.x * (1 - factor), 1, 0);
    return factor >= TIGHT;
  }

  /** The strokes that the pen has written by a time, in ms since the row's begin. */
  upTo(time) { return this.strokes.map((stroke) => stroke.filter((point) => point[2] <= time)); }

  /** Draw the ink that the pen writes in the next `ms`. */
  play(context, look, ms) {
    const until = this.clock + ms, usual = meanStep(this.strokes), shown = this.upTo(this.clock);
    this.upTo(until).forEach((stroke, i) => {
      const from = shown[i].length;
      if (stroke.length > from) draw(context, stroke, look.pen, {from, usual});
    });
    this.clock = this.complete ? until : Math.min(until, this.end);
    this.finished = this.complete && until >= this.end + REST;
  }
}

/** A paper, and the places of the rows on it. */
export class Paper {
  constructor({paper, ruling, size}) {
    [this.width, this.height] = SIZES[paper];
    const small = Math.min(this.width, this.height), spacing = SPACING[ruling];
    this.margins = small < SMALL ? Array(4).fill(small / 10) : [22, 20, 22, 25];
    const [top, right, bottom, left] = this.margins, height = LINE_HEIGHT * size;
    this.step = spacing ? Math.max(Math.round(height / spacing), 1) * spacing : height;
    this.first = top + (spacing ? Math.ceil(2 * size / spacing) * spacing : 2 * size);
    this.rows = Math.max(Math.floor((this.height - bottom - this.first) / this.step) + 1, 1);
    this.column = this.width - right - left;
    Object.assign(this, {spacing, size});
  }

  /** A new, empty row; `number` counts rows over all sheets, from 0. */
  row(number) {
    const y = this.first + (number % this.rows) * this.step;
    return new Row(Math.floor(number / this.rows), this.margins[3], y, this.size);
  }

  /** The heights of printed lines. */
  rules() {
    const {height, spacing, margins: [top, , bottom]} = this;
    const count = spacing && Math.floor((height - bottom - top) / spacing);
    return Array.from({length: count}, (_, i) => top + (i + 1) * spacing);
  }
}

/** Draw a paper and rows, each a list of strokes. */
export function paint(context, paper, look, rows) {
  context.strokeStyle = RULING;
  for (const y of paper.rules()) draw(context, [[0, y], [paper.width, y]], RULE_WIDTH);
  context.strokeStyle = look.colour;
  for (const row of rows)
    for (const stroke of row) draw(context, stroke, look.pen, {usual: meanStep(row)});
}

/** A sheet as SVG in mm, a path for each stroke; an `animated` sheet writes itself (SMIL), as fast
 * as on the screen. */
function toSvg(paper, rows, look, animated) {
  const number = (value) => short(value, 3), {width, height} = paper;
  const lines = paper.rules().map((y) => `<path d="M0 ${number(y)}H${width}"/>`);
  let start = REST; // ms at which a row begins
  const pathOf = (stroke) => {
    const curves = stroke.slice(1).map((_, k) => `C${curve(stroke, k).map(number).join(" ")}`);
    const path = `M${number(stroke[0][0])} ${number(stroke[0][1])}${curves.join("") || "h0.01"}`;
    if (!animated) return `<path d="${path}"/>`;
    const begin = start + stroke[0][2], duration = stroke.at(-1)[2] - stroke[0][2] || PERIOD;
    return `<path pathLength="1" stroke-dasharray="2" d="${path}">` +
      `<set attributeName="visibility" to="hidden" end="${number(begin / 1000)}s"/>` +
      `<animate attributeName="stroke-dashoffset" begin="${number(begin / 1000)}s" ` +
      `dur="${number(duration / 1000)}s" values="2;1"/></path>`;
  };
  const drawn = rows.flatMap((row) => {
    const paths = row.strokes.map(pathOf);
    start += row.end + REST;
    return paths;
  });
  const group = (colour, pen, paths) => `<g fill="none" stroke="${colour}" stroke-width="${pen}" ` +
    `stroke-linecap="round" stroke-linejoin="round">\n${paths.join("\n")}\n</g>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}mm" height="${height}mm" ` +
    `viewBox="0 0 ${width} ${height}">
<title>${escaped(rows.map((row) => row.text).join(" ").slice(0, 80))}</title>
${group(RULING, RULE_WIDTH, lines)}
${group(look.colour, look.pen, drawn)}
</svg>
`;
}

const sheetsOf = (rows) => Object.values(Object.groupBy(rows, (row) => row.sheet));

/** Sheets as elements of SVG. */
export const toElements = (paper, rows, look) => sheetsOf(rows).map((sheet) => new DOMParser()
  .parseFromString(toSvg(paper, sheet, look), "image/svg+xml").documentElement);

/** Save sheets; the names of several files are numbered. */
export async function saveSheets(kind, paper, rows, look) {
  const sheets = sheetsOf(rows), suffix = kind === "animated" ? "-moving" : "";
  for (const [number, sheet] of sheets.entries()) {
    const name = `handwriting${suffix}${sheets.length > 1 ? `-${number + 1}` : ""}`;
    if (kind === "inkml")
      save(`${name}.inkml`, toInkml(sheet, "mm"), "application/inkml+xml");
    else if (kind !== "png")
      save(`${name}.svg`, toSvg(paper, sheet, look, kind === "animated"), "image/svg+xml");
    else {
      const scale = DPI / 25.4;
      const canvas = new OffscreenCanvas(paper.width * scale, paper.height * scale);
      const context = canvas.getContext("2d");
      context.fillStyle = "#fff";
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.scale(scale, scale);
      paint(context, paper, look, sheet.map((row) => row.strokes));
      save(`${name}.png`, await canvas.convertToBlob(), "image/png");
    }
  }
}
