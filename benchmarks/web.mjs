// For web.py, in a browser: the engine's steps per second of a line.

import { parse } from "../web/flat_file.js";
import { Writer } from "../web/networks.js";
import { encode } from "../web/text.js";

const BIAS = 0.75;

const network = await parse(new Uint8Array(await (await fetch("/writer.bin")).arrayBuffer()), "");
const writer = new Writer(await WebAssembly.compileStreaming(fetch("/web/engine.wasm")), network);

/** The steps per second of a line. */
export function measure(text, seed) {
  writer.begin([0, 0, 0], encode(text, writer.header.alphabet), 0, { bias: BIAS, stretch: [1, 1] });
  const start = performance.now();
  const ink = [...writer.write(seed, 2000)].flat();
  return (1000 * ink.length) / 3 / (performance.now() - start);
}
