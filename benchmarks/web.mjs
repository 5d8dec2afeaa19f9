// Writes a text with the engine of web/ and prints the steps of each line in a second of
// a core:
//   node benchmarks/web.mjs NETWORK.bin TEXT LINES

import { readFileSync } from "node:fs";
import { parse, Writer } from "../web/networks.js";
import { encode } from "../web/text.js";

const [path, text, lines] = process.argv.slice(2);
const bytes = (name) => new Uint8Array(readFileSync(name));
const engine = new URL("../web/engine.wasm", import.meta.url);
const writer = new Writer(new WebAssembly.Module(bytes(engine)), await parse(bytes(path), path));
const sampling = { bias: 0.75, stretch: [1.03, 1] };
writer.begin([0, 0, 0], encode(text, writer.header.alphabet), 0, sampling);
const rates = Array.from({ length: Number(lines) }, (_, seed) => {
  const start = process.cpuUsage();
  let steps = 0;
  for (const ink of writer.write(seed, 2000)) steps += ink.length / 3;
  const { user, system } = process.cpuUsage(start);
  return (1e6 * steps) / (user + system);
});
console.log(JSON.stringify(rates));
