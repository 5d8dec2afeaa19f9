// Runs the engine of the page in Node: a request as JSON on standard input, the answer on output.

import { readFileSync } from "node:fs";

const web = new URL("../../web/", import.meta.url);
const request = JSON.parse(readFileSync(0, "utf8"));
const { parse, Reader, Writer } = await import(new URL("networks.js", web));
const module = new WebAssembly.Module(readFileSync(request.wasm));
const bytes = (path) => new Uint8Array(readFileSync(path));
const open = async (Kind, path) => new Kind(module, await parse(bytes(path), path));

// Each returns what JSON can hold.
const tasks = {
  async teacher_forced({ network, points, text }) {
    const writer = await open(Writer, network);
    const steps = points.length / writer.inputs;
    const start = writer.layers.map((layer) => layer.start());
    const { hidden, phi } = writer.forward(Float32Array.from(points), text, start);
    const output = writer.outputLayer([1, 1]);
    const rows = output.run(hidden, steps, hidden.length / steps);
    return { outputs: [...rows], phi: [...phi] };
  },

  async write({ network, text, primer, primerLength, seeds, sampling }) {
    const writer = await open(Writer, network);
    const begin = writer.begin(Float32Array.from(primer), text, primerLength);
    return seeds.map((seed) => {
      const lines = writer.write(begin, seed, sampling);
      const ink = [];
      let turn = lines.next();
      for (; !turn.done; turn = lines.next()) ink.push(...turn.value);
      return { ink, ...turn.value };
    });
  },

  async random({ seeds, count }) {
    const { TorchRandom } = await import(new URL("random.js", web));
    return seeds.map((seed) => {
      const random = new TorchRandom(seed);
      const numbers = [random.uniform(count), random.normal(count), random.uniform(count)];
      return numbers.map((row) => [...row]);
    });
  },

  async read({ network, inks }) {
    const reader = await open(Reader, network);
    return inks.map((ink) => {
      const points = Float32Array.from(ink);
      const text = reader.read(points).map(({ character }) => character).join("");
      return { values: [...reader.logProbs(points)], text };
    });
  },
};

console.log(JSON.stringify(await tasks[request.task](request)));
