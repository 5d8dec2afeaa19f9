// InkML (W3C Ink Markup Language, Recommendation of 2011), written and read.

const MAX_BYTES = 2 ** 24; // bytes of a file, as in Python
const MAX_POINTS = 20_000; // points of a group, as in Python
const MAX_SHEET = 100_000; // points of a file (assumed)
const FARTHEST = 1e9; // largest absolute coordinate (in Python the largest offset)
const GROUP = /<(?:[\w.-]+:)?traceGroup\b/;
const CHANNEL = /<(?:[\w.-]+:)?channel\b[^<>]*?\bname\s*=\s*["'](\w+)/g;
const TRACE = /<(?:[\w.-]+:)?trace\b[^<>]*>([^<]*[^<\s][^<]*)/g;
const ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"};

/** The text of an element; a written line has no characters that XML forbids. */
export const escaped = (text) => text.replace(/[&<>]/g, (sign) => ESCAPES[sign]);

export const short = (value, decimals) => String(+value.toFixed(decimals));

/** Rows {text, strokes} as InkML; a row is a traceGroup with its text as truth. Times are in ms
 * from the first point. */
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

/** The strokes of an InkML file, in the file's units; an Error says what is wrong with the file. */
export async function fromInkml(file) {
  const refuse = (reason, wrong) => { if (wrong) throw new Error(`${file.name} ${reason}.`); };
  refuse(`has more than ${MAX_BYTES} bytes`, file.size > MAX_BYTES);
  const text = (await file.text()).replace(/<!--.*?-->/gs, ""), strokes = [];
  refuse("is not InkML", /<(?:[\w.-]+:)?([a-z]\w*)/i.exec(text)?.[1] !== "ink");
  const channels = [...text.matchAll(CHANNEL)].map(([, name]) => name.toUpperCase());
  if (!channels.length) channels.push("X", "Y");
  const [x, y, t, f] = ["X", "Y", "T", "F"].map((channel) => channels.indexOf(channel));
  let all = 0;
  for (const group of text.split(GROUP)) {
    let count = 0;
    for (const [, content] of group.matchAll(TRACE)) {
      const points = content.split(","), before = strokes.at(-1)?.at(-1)[2] ?? 0;
      refuse(`has more than ${MAX_POINTS} points together`, (count += points.length) > MAX_POINTS);
      refuse(`has more than ${MAX_SHEET} points`, (all += points.length) > MAX_SHEET);
      strokes.push(points.map((point, i) => {
        const values = point.trim().split(/\s+/).map(Number);
        const fine = [values[x], values[y]].every((value) => Math.abs(value) <= FARTHEST);
        refuse(`has a point that is not two numbers (“${point.trim().slice(0, 20)}”). ` +
          "“experiments.py read” knows more kinds of InkML", !fine);
        return [values[x], values[y], values[t] ?? before + 80 + 18 * i, values[f] ?? 0.5];
      }));
    }
  }
  refuse("has no ink", !strokes.length);
  return strokes;
}
