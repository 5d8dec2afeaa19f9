// InkML (W3C Ink Markup Language, Recommendation of 2011), written and read.

const ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"};

/** The text of an element; of a written line, which has no characters that XML forbids. */
export const escaped = (text) => text.replace(/[&<>]/g, (sign) => ESCAPES[sign]);

export const short = (value, decimals) => String(+value.toFixed(decimals));

/** Rows {text, strokes} as InkML, each a traceGroup with its text as truth. Times are ms from the
 * first point. */
export function toInkml(rows, units = "") {
  const start = rows[0]?.strokes[0]?.[0][2] ?? 0, unit = units && ` units="${units}"`;
  const groups = rows.map(({text, strokes}) => {
    const truth = text && `    <annotation type="truth">${escaped(text)}</annotation>\n`;
    const traces = strokes.map((stroke) => stroke.map(([x, y, time, pressure]) =>
      [short(x, 3), short(y, 3), short(time - start, 2), short(pressure, 3)].join(" ")).join(", "));
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
      <channel name="T" type="decimal" units="ms" respectTo="#start"/>
      <channel name="F" type="decimal"/>
    </traceFormat>
  </context>
${groups.join("")}</ink>
`;
}

/** The strokes of InkML, in the file's units; an Error says what is wrong with it. */
export function fromInkml(content, name) {
  const root = new DOMParser().parseFromString(content, "application/xml").documentElement;
  const all = (tag) => [...root.getElementsByTagNameNS("*", tag)];
  if (root.localName !== "ink") throw new Error(`${name} is not InkML.`);
  const channels = all("channel").map((channel) => channel.getAttribute("name").toUpperCase());
  const names = channels.length ? channels : ["X", "Y"];
  const [x, y, t, f] = ["X", "Y", "T", "F"].map((channel) => names.indexOf(channel));
  let before = 0;
  const strokes = all("trace").map((trace, number) => {
    const stroke = trace.textContent.trim().split(",").map((point, i) => {
      const values = point.trim().split(/\s+/).map(Number);
      if ([values[x], values[y]].every(Number.isFinite))
        return [values[x], values[y], values[t] ?? before + 80 + 18 * i, values[f] ?? 0.5];
      throw new Error(`${name}: a point of trace ${number + 1} is not two numbers ` +
        `(“${point.trim().slice(0, 20)}”). “experiments.py read” knows more kinds of InkML.`);
    });
    before = stroke.at(-1)[2];
    return stroke;
  });
  if (!strokes.length) throw new Error(`${name} has no ink.`);
  return strokes;
}
