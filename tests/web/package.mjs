// Uses the package as it is installed beside this file: a request as JSON on standard input, the
// answer on output. See test_package.py.

import { readFileSync } from "node:fs";
import { loadReader, loadWriter, neat, toInkml } from "online-handwriting";

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
};
const rows = reader.read(strokes), tidy = neat(rows), inkml = toInkml(rows);
const going = writer.write("A line that is cut");
await going.next();
writer.dispose();
reader.dispose();
faults.going = await fault(() => going.next());
faults.disposed = await fault(() => reader.read(strokes));
const answer = { written, hand: mine, proofread, faults, rows, tidy, inkml, alphabet: reader.alphabet,
  styles: writer.styles };
process.stdout.write(JSON.stringify(answer));
