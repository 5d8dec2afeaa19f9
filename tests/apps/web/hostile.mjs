// Gives hostile values to every function of the package that is installed beside this file. Prints as
// JSON the calls whose error is not the package's, {call, value, error}, and the number of calls.

import { fromInkml, HandwritingError, loadReader, loadWriter, neat, toInkml } from "online-handwriting";
import { HandwritingWorker } from "online-handwriting/worker";
import * as recognizer from "online-handwriting/recognizer";

const transferred = (bytes) => {
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
};
const { proxy, revoke } = Proxy.revocable([], {});
revoke();
const throwing = new Proxy({}, { get() { throw new Error("a trap of the caller"); } });
const VALUES = {
  symbol: Symbol("s"), NaN, zero: 0, bigint: 10n, infinity: Infinity, true: true, false: false, empty: "",
  text: "nosuch", long: "a".repeat(1e5), function: () => 1, date: new Date(NaN), array: [], holes: Array(3),
  symbols: [Symbol("s")], cyclic: [], bare: Object.create(null), transferred: transferred(new Float32Array(8)),
  buffer: transferred(new Uint8Array(8)).buffer, shared: new SharedArrayBuffer(8), revoked: proxy, throwing,
  bigints: [[[1n, 2n]]], nothing: [[null]], inkml: { text: () => 5 }, blob: { arrayBuffer: () => Symbol() },
  named: { name: Symbol("n"), arrayBuffer: () => new ArrayBuffer(3) }, weak: new WeakMap(),
  word: { text: "a", strokes: [0n] }, signal: { throwIfAborted: true }, reader: { readLine: true },
};
VALUES.cyclic.push(VALUES.cyclic);

const ink = [[[0, 0], [5, 9], [10, 0]], [[12, 0], [14, 3]]];
const [reader, writer] = await Promise.all([loadReader(), loadWriter()]);
const rows = reader.read(ink), worker = new HandwritingWorker();
globalThis.navigator ??= {};
recognizer.install();
const found = await navigator.createHandwritingRecognizer({ languages: ["en"] });
const drawing = found.startDrawing(), stroke = new recognizer.HandwritingStroke();
const first = (lines) => lines.next().finally(() => lines.return());
const CALLS = {
  loadReader, loadWriter, neat, toInkml, fromInkml, engine: (x) => loadReader(undefined, x),
  read: (x) => reader.read(x), readOptions: (x) => reader.read(ink, x), readLine: (x) => reader.readLine(x),
  stroke: (x) => reader.read([x]), point: (x) => reader.read([[x]]), x: (x) => reader.read([[[x, 1]]]),
  time: (x) => reader.read([[[0, 0, x]]]), row: (x) => neat([x]), units: (x) => toInkml(rows, x),
  words: (x) => neat([{ ...rows[0], words: x }]), word: (x) => neat([{ ...rows[0], words: [x] }]),
  first: (x) => neat([{ ...rows[0], first: x }]), isDrawing: (x) => neat([{ ...rows[0], isDrawing: x }]),
  line: (x) => toInkml([x]), lineTime: (x) => toInkml([{ text: "a", strokes: [[[0, 0, x]]] }]),
  write: (x) => first(writer.write(x)), writeOptions: (x) => first(writer.write("ab", x)),
  handOf: (x) => writer.handOf(x), handOfLine: (x) => writer.handOf([x]), ownHand: (x) => writer.ownHand(x),
  networks: (x) => new HandwritingWorker(x).stop(), network: (x) => new HandwritingWorker({ reader: x }).stop(),
  load: (x) => worker.load(x), workerRead: (x) => worker.read(x), workerOptions: (x) => worker.read(ink, x),
  workerTime: (x) => worker.read([[[0, 0, x]]]), workerNeat: (x) => worker.neat(x),
  workerWrite: (x) => first(worker.write(x)), workerWriteOptions: (x) => first(worker.write("ab", x)),
  query: (x) => navigator.queryHandwritingRecognizer(x), addPoint: (x) => stroke.addPoint(x),
  language: (x) => navigator.createHandwritingRecognizer({ languages: [x] }),
  addStroke: (x) => drawing.addStroke(x), removeStroke: (x) => drawing.removeStroke(x),
  startDrawing: (x) => found.startDrawing(x), alternatives: (x) => found.startDrawing({ alternatives: x }),
};
for (const name of ["style", "seed", "bias", "signal", "reader"])
  CALLS[`write ${name}`] = (x) => first(writer.write("ab", { [name]: x }));
for (const name of ["style", "signal", "proofread"])
  CALLS[`worker ${name}`] = (x) => first(worker.write("ab", { [name]: x }));
for (const name of ["signal", "onProgress"]) {
  CALLS[`read ${name}`] = (x) => reader.read(ink, { [name]: x });
  CALLS[`worker ${name} of read`] = (x) => worker.read(ink, { [name]: x });
}

// The recognizer throws TypeErrors, as browsers do.
const OURS = /^(stroke|point|hints|constraint) is .*: give .*\.$/s;
const isOurs = (error) => error instanceof HandwritingError || error.name === "NotSupportedError" ||
  OURS.test(error.message) || error.message === "a trap of the caller";
const faults = [];
for (const [call, run] of Object.entries(CALLS))
  for (const [value, x] of Object.entries(VALUES)) {
    const error = await Promise.resolve().then(() => run(x)).then(() => null, (reason) => reason);
    if (error && !isOurs(error)) faults.push({ call, value, error: `${error}` });
  }
process.stdout.write(JSON.stringify({ faults, calls: Object.keys(CALLS).length * Object.keys(VALUES).length }),
  () => process.exit());
