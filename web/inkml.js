// InkML (W3C Ink Markup Language, Recommendation of 2011), written and read.

import {STRIDE} from "./strokes.js";

const ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"};

/** Return text for XML; what XML forbids even when escaped becomes a question mark. */
export const escaped = (text) => text
  .replace(/[^\t\n\r -\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "?")
  .replace(/[&<>"\r]/g, (sign) => ESCAPES[sign]);

export const short = (value, decimals) => String(+value.toFixed(decimals));

/** Return rows {text, strokes} as InkML, each a traceGroup with its text as truth.
 *
 * Times are ms from the first point. `pen` {width, colour} and `units` are of a page in mm. */
export function toInkml(rows, {units = "", pen = null} = {}) {
  const start = rows[0]?.strokes[0]?.[2] ?? 0, unit = units && ` units="${units}"`;
  const lines = rows.map(({text, strokes}) => {
    const kept = text === text.trim().replace(/\s+/g, " ") ? "" : ' xml:space="preserve"';
    const truth = text && `    <annotation type="truth"${kept}>${escaped(text)}</annotation>\n`;
    const traces = strokes.map((stroke) => {
      const points = [];
      for (let i = 0; i < stroke.length; i += STRIDE) {
        points.push([short(stroke[i], 3), short(stroke[i + 1], 3), short(stroke[i + 2] - start, 2),
          short(stroke[i + 3], 3)].join(" "));
      }
      return `    <trace>${points.join(", ")}</trace>\n`;
    });
    const brush = pen ? ' brushRef="#pen"' : "";
    return `  <traceGroup contextRef="#page"${brush}>\n${truth}${traces.join("")}  </traceGroup>\n`;
  });
  const brush = pen && `
    <brush xml:id="pen">
      <brushProperty name="width" value="${pen.width}" units="mm"/>
      <brushProperty name="color" value="${pen.colour}"/>
    </brush>`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<ink xmlns="http://www.w3.org/2003/InkML">
  <definitions>
    <timestamp xml:id="start" time="${Math.round(start)}"/>${brush || ""}
  </definitions>
  <context xml:id="page">
    <traceFormat>
      <channel name="X" type="decimal"${unit}/><channel name="Y" type="decimal"${unit}/>
      <channel name="T" type="decimal" units="ms" respectTo="#start"/>
      <channel name="F" type="decimal"/>
    </traceFormat>
  </context>
${lines.join("")}</ink>
`;
}

/** Return the strokes of InkML, in the file's units; an Error says what is wrong with it. */
export function fromInkml(content, name) {
  const root = new DOMParser().parseFromString(content, "application/xml").documentElement;
  const all = (tag) => [...root.getElementsByTagNameNS("*", tag)];
  if (root.localName !== "ink") throw new Error(`${name} is not InkML.`);
  const names = all("channel").map((channel) => channel.getAttribute("name").toUpperCase());
  const place = (channel, usual) => names.length ? names.indexOf(channel) : usual;
  const [x, y, t, f] = [place("X", 0), place("Y", 1), place("T", -1), place("F", -1)];
  const strokes = [];
  for (const trace of all("trace")) {
    const stroke = [], before = strokes.at(-1)?.at(-2) ?? 0;
    for (const [number, point] of trace.textContent.trim().split(",").entries()) {
      const values = point.trim().split(/\s+/).map(Number);
      if (![values[x], values[y]].every(Number.isFinite)) {
        throw new Error(`${name}: a point of trace ${strokes.length + 1} is not two numbers ` +
          `(“${point.trim().slice(0, 20)}”). “experiments.py read” knows more kinds of InkML.`);
      }
      const time = t < 0 ? before + 80 + 18 * number : values[t];
      stroke.push(values[x], values[y], time, f < 0 ? 0.5 : values[f]);
    }
    strokes.push(stroke);
  }
  if (!strokes.length) throw new Error(`${name} has no ink.`);
  return strokes;
}
