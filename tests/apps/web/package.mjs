// Uses the package as it is installed beside this file: a request as JSON on standard input, the
// answer on output. See test_package.py.

import { readFileSync } from "node:fs";
import { fromInkml, loadReader, loadWriter, neat, toInkml } from "online-handwriting";

const { lines, text, strokes } = JSON.parse(readFileSync(0, "utf8"));
const [reader, writer] = await Promise.all([loadReader(), loadWriter()]);

async function write(text, options) {
  let ink = null;
  for await (ink of writer.write(text, options));
  return { ...ink, raw: [...ink.raw] };
}

/** The message of what a call throws. */
const fault = (call) => Promise.resolve().then(call).then(() => "", ({ message }) => message);

const written = await Promise.all(lines.map(({ text, ...options }) => write(text, options)));
const mine = await writer.handOf([{ text: "漢", strokes }, { text, strokes }]);
const proofread = await write("Dear Anna", { style: mine, reader });

const stop = new AbortController(), begun = writer.write("A line that ends", { signal: stop.signal });
await begun.next();
stop.abort();
const faults = {
  aborted: await fault(() => begun.next()),
  text: await fault(() => write(" ")),
  sign: await fault(() => write("漢 a")),
  long: await fault(() => write("a ".repeat(60))),
  style: await fault(() => write("a", { style: "round" })),
  seed: await fault(() => write("a", { seed: -1 })),
  lines: await fault(() => writer.handOf([{ text: "漢", strokes }])),
  strokes: await fault(() => reader.read([[[0, 0]], [[1, NaN]]])),
  network: await fault(() => loadReader(new URL("none.bin", import.meta.url))),
  role: await fault(() => loadReader(
    import.meta.resolve("online-handwriting/networks/open_writer.bin"))),
  options: await fault(() => write("a", null)),
  none: await fault(() => write(undefined)),
  replaced: await fault(() => write("½ a\nb\r\nc")),
  unknown: await fault(() => write("a", { stile: "open_clear" })),
  bias: await fault(() => write("a", { bias: "1" })),
  signal: await fault(() => write("a", { signal: {} })),
  reader: await fault(() => write("a", { reader: {} })),
  hands: await fault(() => writer.handOf()),
  rows: await fault(() => neat(undefined)),
  words: await fault(() => neat([{ ...reader.read(strokes)[0], first: 9999 }])),
  saved: await fault(() => toInkml(undefined)),
  point: await fault(() => toInkml([{ text: "a", strokes: [[[0, NaN]]] }])),
  opened: await fault(() => fromInkml(undefined)),
  cut: await fault(() => fromInkml("<ink><trace>1 2")),
  end: await fault(() => fromInkml("<ink><trace>1 2</trace>")),
  source: await fault(() => loadReader(3)),
  path: await fault(() => loadReader("/abs/path")),
  bytes: await fault(() => loadReader(new Uint8Array(10))),
  engine: await fault(() => loadReader(undefined, new Uint8Array(10))),
  other: await fault(() => loadReader(undefined, Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0))),
};
/** What cannot be the style of a line, nor the line of a hand if it has a text. */
const notHands = [{}, 3, [1, 2], { text: "", strokes }, { text: "你", strokes }, { strokes },
  { text: "a", strokes: [] }, { text: "a", strokes: [[]] }, { text: "a".repeat(70), strokes }];
const refused = [];
for (const style of notHands)
  refused.push([await fault(() => write("a", { style })), await fault(() => writer.handOf([style]))]);
const channels = (names) => fromInkml(`<ink>${names.split("").map((name) =>
  `<channel name="${name}"/>`).join("")}<trace>1 2 3 4</trace></ink>`);
const points = await Promise.all(["", "XY", "XYT", "XYTF"].map(channels));
const rows = reader.read(strokes), tidy = neat(rows), inkml = toInkml(rows);
const going = writer.write("A line that is cut");
await going.next();
writer.dispose();
reader.dispose();
faults.going = await fault(() => going.next());
faults.disposed = await fault(() => reader.read(strokes));
const answer = { written, hand: mine, proofread, faults, refused, points, rows, tidy, inkml, alphabet: reader.alphabet,
  styles: writer.styles };
process.stdout.write(JSON.stringify(answer));
