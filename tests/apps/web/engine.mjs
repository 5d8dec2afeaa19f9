// Runs the package and the page's functions in Node: a request as JSON on standard input, the answer
// on output.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { toStrokes } from "./strokes.js";

const web = new URL("../../../apps/web/", import.meta.url);
const request = JSON.parse(readFileSync(0, "utf8"));
const { fromInkml, loadReader, loadWriter, toInkml } = await import(new URL("index.js", web));
const engine = pathToFileURL(request.wasm), urlOf = (path) => pathToFileURL(path).href;

/** What a call throws: [code, message]. */
const fault = (call) => Promise.resolve().then(call).then(() => null, ({ code, message }) => [code, message]);

// Each returns what JSON can hold.
const tasks = {
  /** Lines of seeds, all written in turns: the ink of each as it was drawn, and whether it is whole. */
  async write({ network, text, seeds, style, descriptor, options = {} }) {
    const writer = await loadWriter(urlOf(network), engine, descriptor && urlOf(descriptor));
    const lines = seeds.map((seed) => ({ drawing: writer.write(text, { seed, style, ...options }) }));
    for (let isOpen = true; isOpen;) {
      isOpen = false;
      for (const line of lines.filter(({ done }) => !done)) {
        const { value, done } = await line.drawing.next();
        if (done) line.done = true;
        else line.ink = value;
        isOpen = true;
      }
    }
    return lines.map(({ ink: { raw, ended } }) => ({ raw: [...raw], ended }));
  },

  /** The vector of lines, and those of drawn hands. */
  async hand({ descriptor, network, lines, seeds }) {
    const writer = await loadWriter(urlOf(network), engine, urlOf(descriptor));
    const vector = await writer.handOf(lines.map((strokes) => ({ text: "a", strokes })));
    return { vector, drawn: seeds.map((seed) => writer.ownHand(seed)) };
  },

  /** The rows of pages. */
  async read({ network, pages }) {
    const reader = await loadReader(urlOf(network), engine);
    return pages.map((strokes) => reader.read(strokes));
  },

  /** What is said of each file: null if nothing. */
  load: ({ files }) => Promise.all(files.map(([role, path]) =>
    fault(() => (role === "reader" ? loadReader : loadWriter)(urlOf(path), engine)))),

  /** Reads a page twice, with a signal and progress: what was seen. */
  async progress({ network, strokes, wrong }) {
    const reader = await loadReader(urlOf(network), engine), fractions = [];
    const onProgress = (fraction) => fractions.push(fraction);
    const rows = await reader.read(strokes, { onProgress });
    const stop = new AbortController();
    const stopped = reader.read(strokes, { signal: stop.signal, onProgress: () => stop.abort() });
    return { fractions, same: JSON.stringify(rows) === JSON.stringify(reader.read(strokes)),
      stopped: await stopped.catch(({ name }) => name),
      faults: await Promise.all(wrong.map((options) => fault(() => reader.read(strokes, options)))) };
  },

  /** What is thrown for strokes with a hole, and for a page of too many points. */
  async limits({ network }) {
    const reader = await loadReader(urlOf(network), engine), hole = [[[0, 0], , [1, 1]]];
    const strokes = [[0, 0]], many = [Array.from({ length: 1_000_001 }, (_, i) => [i % 7, i % 5])];
    return Promise.all([() => reader.read(hole), () => reader.read([, strokes]),
      () => toInkml([, { text: "a", strokes: hole }]), () => reader.read(many)].map(fault));
  },

  /** InkML of a text with units, and its strokes again. */
  async inkml({ text, units }) {
    const inkml = toInkml([{ text, strokes: [[[0, 0], [1, 2]]] }], units);
    return { inkml, strokes: await fromInkml(inkml) };
  },

  async transliterate({ texts, ...network }) {
    const { transliterate } = await import(new URL("text.js", web));
    return texts.map((text) => transliterate(text, network).text);
  },

  async distances({ pairs }) {
    const { editDistance } = await import(new URL("text.js", web));
    return pairs.map((pair) => editDistance(...pair));
  },

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
};

console.log(JSON.stringify(await tasks[request.task](request)));
