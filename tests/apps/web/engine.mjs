// Runs the engine of the page in Node: a request as JSON on standard input, the answer on output.

import { readFileSync } from "node:fs";

const web = new URL("../../../apps/web/", import.meta.url);
const request = JSON.parse(readFileSync(0, "utf8"));
const { baselineOf, fromStrokes, levelled, rowStarts, slant, toStrokes } = await import(new URL("ink.js", web));
const { parse } = await import(new URL("flat_file.js", web));
const { CTCNetwork, HandDescriptor, SynthesisNetwork } = await import(new URL("networks.js", web));
const module = new WebAssembly.Module(readFileSync(request.wasm));
const bytes = (path) => new Uint8Array(readFileSync(path));
const open = async (Kind, path) => new Kind(module, await parse(bytes(path), path));

// Each returns what JSON can hold.
const tasks = {
  async teacher_forced({ network, points, text }) {
    const writer = await open(SynthesisNetwork, network);
    const [outputs, phi] = [[], []];
    const line = writer.begin([0, 0, 0], text, 0, { bias: 0, stretch: [1, 1] });
    const count = writer.output[1].length;
    for (const point of points) {
      line.run(1);
      line.setPoint(point);
      outputs.push(...writer.kernels.floats(line.raw, count));
      phi.push(...writer.kernels.floats(line.phis, text.length + 1));
    }
    return { outputs, phi };
  },

  async write({ network, text, primer, primed, seeds, sampling, limit }) {
    const writer = await open(SynthesisNetwork, network);
    // All lines are drawn in turns.
    const lines = seeds.map((seed) => {
      const drawing = writer.begin(primer, text, primed, sampling).write(seed, limit);
      return { drawing, ink: [], turn: {} };
    });
    for (let isOpen = true; isOpen;) {
      isOpen = false;
      for (const line of lines.filter(({ turn }) => !turn.done)) {
        line.turn = line.drawing.next();
        if (!line.turn.done) line.ink.push(...line.turn.value);
        isOpen = true;
      }
    }
    return lines.map(({ ink, turn }) => ({ ink, ...turn.value }));
  },

  /** The descriptor of each line, the vector of all lines when level, and those of drawn hands. */
  async hand({ descriptor, network, lines, seeds }) {
    const describer = await open(HandDescriptor, descriptor);
    const { handEncoder } = await open(SynthesisNetwork, network);
    const described = lines.map((line) => describer.describe(line));
    const drawn = seeds.map((seed) => handEncoder.draw(seed));
    const level = lines.map((line) => describer.describe(levelled(line)));
    return { described, vector: handEncoder.vector(level), drawn };
  },

  async transliterate({ texts, ...network }) {
    const { transliterate } = await import(new URL("text.js", web));
    return texts.map((text) => transliterate(text, network).text);
  },

  async misread({ pairs }) {
    const { misread } = await import(new URL("text.js", web));
    return pairs.map((pair) => misread(...pair));
  },

  async distances({ pairs }) {
    const { editDistance } = await import(new URL("text.js", web));
    return pairs.map((pair) => editDistance(...pair));
  },

  /** What is said of each file: null if nothing. */
  load: ({ files }) => Promise.all(files.map(([role, path]) =>
    open(role === "reader" ? CTCNetwork : SynthesisNetwork, path).then(() => null, ({ message }) => message))),

  /** A text in the rows into which its long words break it. */
  async broken({ text, alphabet }) {
    const { broken } = await import(new URL("text.js", web));
    return broken(text, alphabet).split("\n");
  },

  /** The points of a row that are seen when its pen has written for each of the times. */
  async seen({ ink, times }) {
    const { Paper } = await import(new URL("sheet.js", web));
    const row = new Paper({ paper: "card", ruling: "plain", size: 3 }).row(0);
    row.set(toStrokes(ink));
    return times.map((clock) => Object.assign(row, { clock }).shown.flat().length);
  },

  /** A ZIP of files, in base64. */
  async zip({ files }) {
    const { toZip } = await import(new URL("zip.js", web));
    return Buffer.from(await (await toZip(files)).arrayBuffer()).toString("base64");
  },

  rows: ({ inks }) => inks.map(rowStarts),

  /** The strokes of pages, neater; a page is a list of rows {strokes, words}. */
  async neat({ pages }) {
    const { neat } = await import(new URL("neat.js", web));
    return pages.map(neat);
  },

  /** The words of each row. */
  async words({ network, rows }) {
    const reader = await open(CTCNetwork, network);
    return rows.map((strokes) => reader.read(strokes).words);
  },

  async corners({ cases }) {
    const { withCorners } = await import(new URL("repairs.js", web));
    return cases.map((letters) => withCorners(...letters));
  },

  /** The ink of a line whose points a stand-in for a network draws. */
  async line({ ink, peaks, text, hand }) {
    const { writeLine } = await import(new URL("line.js", web));
    const sampling = { stretch: 0, x_height: 10, baseline: 0 };
    const line = {
      *write() {
        yield ink;
        return { steps: ink.length / 3, ended: true, peaks };
      },
    };
    const network = { header: { sampling, alphabet: "45 omn" }, begin: () => line };
    const parts = writeLine(network, text, { seed: 0, bias: 0, hand }, {});
    let part = parts.next();
    while (!part.done) part = parts.next();
    return [...fromStrokes(part.value.strokes)];
  },

  /** How far strokes lean, and where their baseline is. */
  measures: ({ cases }) => cases.map(([parts, text]) => [slant(parts), baselineOf(parts, text, 10)]),

  async read({ network, inks }) {
    const reader = await open(CTCNetwork, network);
    return inks.map((ink) => {
      const parts = toStrokes(ink), { text } = reader.read(parts);
      return { values: reader.logProbs(parts).flatMap((frame) => [...frame]), text };
    });
  },
};

console.log(JSON.stringify(await tasks[request.task](request)));
