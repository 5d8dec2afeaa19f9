// Writes and reads InkML (W3C Ink Markup Language, Recommendation of 2011).

import {check, checkLines, need} from "./checks.js";

const MAX_BYTES = 2 ** 24; // of a file, as in Python
const MAX_GROUP_POINTS = 20_000; // of a traceGroup, as in Python
const MAX_FILE_POINTS = 100_000; // of a file (assumed)
const MAX_COORDINATE = 1e9; // largest absolute value of a coordinate (Python limits offsets)
const GROUP = /<(?:[\w.-]+:)?traceGroup\b/;
const CHANNEL = /<(?:[\w.-]+:)?channel\b[^<>]*?\bname\s*=\s*["'](\w+)/g;
const TRACE = /<(?:[\w.-]+:)?trace\b[^<>]*>([^<]*[^<\s][^<]*)(<\/(?:[\w.-]+:)?trace\s*>)?/g;
const END = /<\/(?:[\w.-]+:)?ink\s*>\s*$/;
const ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"};
const FORBIDDEN = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu; // in XML

/** A text as the content of an element or of an attribute in quotation marks. Characters that XML
 * forbids are replaced. */
export const escaped = (text) =>
  text.replace(FORBIDDEN, "\uFFFD").replace(/[&<>"]/g, (sign) => ESCAPES[sign]);

/** A number with at most `decimals` decimals. */
export const short = (value, decimals) => String(+value.toFixed(decimals));

/** The InkML of rows {text, strokes}: a traceGroup for each row, annotated with its text. A point
 * is [x, y, time, pressure]; times and pressures are saved if every point has them. Times are in ms
 * from the first point. */
export function toInkml(rows, units = "") {
  checkLines(rows, "rows");
  check("units", units, "a string, such as mm", () => typeof units === "string");
  const points = rows.flatMap(({strokes}) => strokes.flat());
  const [hasTime, hasPressure] = [2, 3].map((channel) =>
    points.every((point) => Number.isFinite(point[channel])));
  const start = hasTime && points.length ? points[0][2] : 0, unit = units && ` units="${escaped(units)}"`;
  const numbers = (point) => [short(point[0], 3), short(point[1], 3),
    ...(hasTime ? [short(point[2] - start, 2)] : []), ...(hasPressure ? [short(point[3], 3)] : [])];
  const groups = rows.map(({text, strokes}) => {
    const truth = text && `    <annotation type="truth">${escaped(text)}</annotation>\n`;
    const traces = strokes.map((stroke) =>
      stroke.map((point) => numbers(point).join(" ")).join(", "));
    return `  <traceGroup contextRef="#page">\n${truth}` +
      `${traces.map((trace) => `    <trace>${trace}</trace>\n`).join("")}  </traceGroup>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>
<ink xmlns="http://www.w3.org/2003/InkML">
  <definitions>
    <timestamp xml:id="start" time="${Math.round(start)}"/>
  </definitions>
  <context xml:id="page">
    <traceFormat>
      <channel name="X" type="decimal"${unit}/><channel name="Y" type="decimal"${unit}/>
${hasTime ? '      <channel name="T" type="decimal" units="ms" respectTo="#start"/>\n' : ""}` +
`${hasPressure ? '      <channel name="F" type="decimal"/>\n' : ""}    </traceFormat>
  </context>
${groups.join("")}</ink>
`;
}

/** A text of XML without its comments; a comment without an end stays. */
function withoutComments(text) {
  const parts = [];
  let start = 0;
  for (;;) {
    const open = text.indexOf("<!--", start);
    const close = open < 0 ? -1 : text.indexOf("-->", open + 4);
    if (close < 0) return parts.join("") + text.slice(start);
    parts.push(text.slice(start, open));
    start = close + 3;
  }
}

/** The strokes of InkML, a text or a File, in its units. A point is [x, y], with its time and its
 * pressure if the file has these; a time that only the file lacks is NaN. An Error names a fault. */
export async function fromInkml(source) {
  check("source", source, "the text of an InkML file, or a Blob such as a File",
    () => typeof source === "string" || typeof source.text === "function");
  const file = typeof source === "string" ? new Blob([source]) : source;
  const refuse = (reason, isFault) =>
    need(!isFault, `${typeof file.name === "string" ? file.name : "The text"} ${reason}.`, "bad_file");
  refuse(`has more than ${MAX_BYTES} bytes`, file.size > MAX_BYTES);
  const content = await file.text();
  check("The text of `source`", content, "a string", () => typeof content === "string");
  const text = withoutComments(content), strokes = [];
  refuse("is not InkML", /<(?:[\w.-]+:)?([a-z]\w*)/i.exec(text)?.[1] !== "ink");
  const channels = [...text.matchAll(CHANNEL)].map(([, name]) => name.toUpperCase());
  if (!channels.length) channels.push("X", "Y");
  const [x, y, t, f] = ["X", "Y", "T", "F"].map((channel) => channels.indexOf(channel));
  const count = f < 0 ? t < 0 ? 2 : 3 : 4; // numbers of a point
  let fileCount = 0;
  for (const group of text.split(GROUP)) {
    let groupCount = 0;
    for (const [, content, end] of group.matchAll(TRACE)) {
      const points = content.split(",");
      [groupCount, fileCount] = [groupCount + points.length, fileCount + points.length];
      refuse(`has a group of more than ${MAX_GROUP_POINTS} points`, groupCount > MAX_GROUP_POINTS);
      refuse(`has more than ${MAX_FILE_POINTS} points`, fileCount > MAX_FILE_POINTS);
      strokes.push(points.map((point) => {
        const values = point.trim().split(/\s+/).map(Number);
        const isPoint = [values[x], values[y]].every((value) => Math.abs(value) <= MAX_COORDINATE);
        refuse(`has a point that is not two numbers (“${point.trim().slice(0, 20)}”). ` +
          "“experiments.py read” accepts more kinds of InkML", !isPoint);
        return [values[x], values[y], values[t] ?? NaN, values[f] ?? NaN].slice(0, count);
      }));
      refuse("has a trace without an end: it is cut off or damaged", !end);
    }
  }
  refuse("has no ink", !strokes.length);
  refuse("has no </ink> at its end: it is cut off or damaged", !END.test(text));
  return strokes;
}
