// Sheets of paper with rows of writing, in millimetres: their layout and how they look.

import {curve, distance, draw, save} from "./dom.js";
import {bounds, meanStep, moved} from "./ink.js";
import {escaped, short, toInkml} from "./inkml.js";
import {toZip} from "./zip.js";

const SIZES = { // mm, width and height of each paper
  a4: [210, 297], a5: [148, 210], a6: [105, 148], card: [148, 105], letter: [215.9, 279.4],
  envelope: [220, 110],
};
const SPACING = {plain: 0, ruled: 8.5}; // mm from one printed line to the next; 0: no lines
const RULING = {width: 0.15, colour: "#b3c0d8"}; // the pen of printed lines, as in Python
const MAX_SMALL = 180; // mm of a paper's shorter side below which margins are narrow, as in Python
const LINE_HEIGHT = 3.9; // x-heights from row to row, as in Python
const MIN_NARROWING = 0.8; // least factor by which a row may be narrowed to fit (assumed, by eye)
const PERIOD = 18; // ms from point to point of written ink, as in Python
const LIFT_TIME = 80; // ms to lift the pen, as in Python
const AIR_SPEED = 0.2; // mm per ms of the lifted pen, as in Python
const ROW_PAUSE = 250; // ms after a row (assumed)
const PRESSURE = 0.5; // of every written point (assumed)
const DPI = 300; // pixels per inch of a PNG
const TYPES = { // suffix and media type of each kind of file
  svg: ["svg", "image/svg+xml"], animated: ["svg", "image/svg+xml"], png: ["png", "image/png"],
  inkml: ["inkml", "application/inkml+xml"],
};

/** Strokes that are scaled by `size` and moved to (x, y), in mm. A point becomes
 * [x, y, time, pressure]; the pen reaches the point at this time, in ms. */
function timedStrokes(strokes, x, y, size) {
  let previous = null;
  return moved(strokes, size, x, size, y).map((stroke) => stroke.map((point, i) => {
    const isLift = previous && i === 0;
    const duration = isLift ? LIFT_TIME + distance(previous, point) / AIR_SPEED : PERIOD;
    previous = [...point, previous ? previous[2] + duration : 0, PRESSURE];
    return previous;
  }));
}

/** A row of writing on a sheet. `sheet` is the sheet's number, `size` the x-height in mm, and
 * `doubtful` has the place [start, end] in the text of each doubtful word. */
class Row {
  constructor(sheet, x, y, size) {
    Object.assign(this, {text: "", sheet, x, y, size, doubtful: []});
    this.clear();
  }

  get end() { return this.strokes.at(-1)?.at(-1)[2] ?? 0; }
  get width() { return bounds(this.strokes).right - this.x; }
  get shown() { return this.upTo(this.clock).filter((stroke) => stroke.length); }

  /** Remove the ink. `clock` is the time in ms up to which the row was played; `inkComplete` says
   * that the ink is final, `played` that all of it was shown. */
  clear() {
    this.set([]);
    Object.assign(this, {clock: 0, inkComplete: false, played: false});
  }

  /** Replace the strokes by `written` ones, in x-heights; shown ink stays shown. */
  set(written) {
    const {x, y, size} = this;
    Object.assign(this, {written, strokes: timedStrokes(written, x, y, size)});
  }

  /** Narrow the row if it is wider than a column; return whether the letters stay wide enough. */
  narrowTo(column) {
    const factor = Math.min(column / this.width, 1);
    this.strokes = moved(this.strokes, factor, this.x * (1 - factor), 1, 0);
    return factor >= MIN_NARROWING;
  }

  /** The strokes that the pen has written before a time, in ms since the row's first point. */
  upTo(time) { return this.strokes.map((stroke) => stroke.filter((point) => point[2] < time)); }

  /** Draw the ink that the pen writes in the next `ms`. */
  play(context, pen, ms) {
    const until = this.clock + ms, shown = this.upTo(this.clock);
    const options = {meanStep: meanStep(this.strokes)};
    this.upTo(until).forEach((stroke, i) => {
      const from = shown[i].length;
      if (stroke.length > from) draw(context, stroke, pen.width, {...options, from});
    });
    this.clock = this.inkComplete ? until : Math.min(until, this.end);
    this.played = this.inkComplete && until >= this.end + ROW_PAUSE;
  }
}

/** The sheets of a paper, and the places of rows on them. `size` is the x-height in mm. */
export class Paper {
  constructor({paper, ruling, size}) {
    [this.width, this.height] = SIZES[paper];
    const shorter = Math.min(this.width, this.height), spacing = SPACING[ruling];
    this.margins = shorter < MAX_SMALL ? Array(4).fill(shorter / 10) : [22, 20, 22, 25];
    const [top, right, bottom, left] = this.margins, height = LINE_HEIGHT * size;
    this.rowHeight = spacing ? Math.max(Math.round(height / spacing), 1) * spacing : height;
    this.firstRow = top + (spacing ? Math.ceil(2 * size / spacing) * spacing : 2 * size);
    const space = this.height - bottom - this.firstRow;
    this.rowsPerSheet = Math.max(Math.floor(space / this.rowHeight) + 1, 1);
    this.column = this.width - right - left;
    Object.assign(this, {spacing, size});
  }

  /** A new, empty row; `number` counts rows over all sheets, from 0. */
  row(number) {
    const y = this.firstRow + (number % this.rowsPerSheet) * this.rowHeight;
    return new Row(Math.floor(number / this.rowsPerSheet), this.margins[3], y, this.size);
  }

  /** The y of each printed line of a sheet. */
  rules() {
    const {height, spacing, margins: [top, , bottom]} = this;
    const count = spacing ? Math.floor((height - bottom - top) / spacing) : 0;
    return Array.from({length: count}, (_, i) => top + (i + 1) * spacing);
  }
}

/** Draw a sheet: its printed lines, and its rows, each a list of strokes. */
export function paint(context, paper, pen, rows) {
  context.strokeStyle = RULING.colour;
  for (const y of paper.rules()) draw(context, [[0, y], [paper.width, y]], RULING.width);
  context.strokeStyle = pen.colour;
  for (const row of rows)
    for (const stroke of row) draw(context, stroke, pen.width, {meanStep: meanStep(row)});
}

/** A sheet as SVG in mm, with a path for each stroke. An "animated" sheet writes itself (SMIL) at
 * the speed of the page. A "printed" one has its text in white below the ink, so that a PDF can be
 * searched: browsers leave out of a PDF what is transparent. */
function toSvg(paper, rows, pen, kind) {
  const number = (value) => short(value, 3), {width, height} = paper;
  const rules = paper.rules().map((y) => `<path d="M0 ${number(y)}H${width}"/>`);
  let start = ROW_PAUSE; // ms at which a row begins
  const pathOf = (stroke) => {
    const curves = stroke.slice(1).map((_, k) => `C${curve(stroke, k).map(number).join(" ")}`);
    const path = `M${number(stroke[0][0])} ${number(stroke[0][1])}${curves.join("") || "h0.01"}`;
    if (kind !== "animated") return `<path d="${path}"/>`;
    const begin = start + stroke[0][2], duration = stroke.at(-1)[2] - stroke[0][2] || PERIOD;
    return `<path pathLength="1" stroke-dasharray="2" d="${path}">` +
      `<set attributeName="visibility" to="hidden" end="${number(begin / 1000)}s"/>` +
      `<animate attributeName="stroke-dashoffset" begin="${number(begin / 1000)}s" ` +
      `dur="${number(duration / 1000)}s" values="2;1"/></path>`;
  };
  const writing = rows.flatMap((row) => {
    const paths = row.strokes.map(pathOf);
    start += row.end + ROW_PAUSE;
    return paths;
  });
  const texts = rows.map(({text, x, y, size, width}) => `<text x="${x}" y="${y}" fill="#fff" ` +
    `font-size="${2 * size}" textLength="${width}" lengthAdjust="spacingAndGlyphs">` +
    `${escaped(text)}</text>`);
  const group = ({colour, width}, paths) =>
    `<g fill="none" stroke="${colour}" stroke-width="${width}" ` +
    `stroke-linecap="round" stroke-linejoin="round">\n${paths.join("\n")}\n</g>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}mm" height="${height}mm" ` +
    `viewBox="0 0 ${width} ${height}">
<title>${escaped(rows.map((row) => row.text).join(" ").slice(0, 80))}</title>
${kind === "printed" ? texts.join("\n") : ""}
${group(RULING, rules)}
${group(pen, writing)}
</svg>
`;
}

/** The rows of each sheet. */
const sheetsOf = (rows) => [...new Set(rows.map(({sheet}) => sheet))].map((sheet) =>
  rows.filter((row) => row.sheet === sheet));

/** An SVG element for each sheet, to print. */
export const toElements = (paper, rows, pen) => sheetsOf(rows).map((sheet) => new DOMParser()
  .parseFromString(toSvg(paper, sheet, pen, "printed"), "image/svg+xml").documentElement);

/** A sheet as a PNG. */
function toPng(paper, rows, pen) {
  const scale = DPI / 25.4;
  const canvas = new OffscreenCanvas(paper.width * scale, paper.height * scale);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(scale, scale);
  paint(context, paper, pen, rows.map((row) => row.strokes));
  return canvas.convertToBlob();
}

/** Save a sheet as a file, or all sheets in one ZIP: of many files a browser saves only the first.
 * `kind` is svg, animated, png or inkml. */
export async function saveSheets(kind, paper, rows, pen) {
  const title = `handwriting${kind === "animated" ? "-moving" : ""}`, files = [];
  const [suffix, type] = TYPES[kind], sheets = sheetsOf(rows);
  for (const [number, sheet] of sheets.entries()) {
    const content = kind === "inkml" ? toInkml(sheet, "mm")
      : await (kind === "png" ? toPng : toSvg)(paper, sheet, pen, kind);
    files.push({name: `${title}-${number + 1}.${suffix}`, content});
  }
  if (files.length > 1) save(`${title}.zip`, await toZip(files), "application/zip");
  else save(`${title}.${suffix}`, files[0].content, type);
}
