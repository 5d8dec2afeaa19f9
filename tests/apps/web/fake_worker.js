// Stands in for the worker: answers with canned ink, in the manner of the true one.
// fake.json: {ink, text}. Neater strokes are 10 px further to the right. A text with "doubt" is doubtful; in the hand of n lines x-heights are n/2.
// A file "slow.inkml" is never read to its end; seven strokes are read in a second.
import {fromInkml} from "./index.js";
import {toStrokes} from "./strokes.js";

const ALPHABET = String.fromCharCode(...Array.from({length: 95}, (_, i) => 32 + i));
const PIECE = 960;
const names = {};
const lines = new Map();
let canned = null;

function begun(text, hand) {
  const share = Math.min(text.length / canned.text.length, 3), at = text.indexOf("doubt");
  const length = 3 * Math.floor(canned.ink.length / 3 * share);
  const ink = Float32Array.from({length}, (_, i) => canned.ink[i % canned.ink.length]);
  ink[length - 1] = 1;
  for (let i = 0; i < length; i += 3)
    ink.set(ink.slice(i, i + 2).map((value) => value * hand.length / 2), i);
  return {ink, shown: 0, doubtful: at < 0 ? [] : [[at, at + 5]]};
}

const tasks = {
  async load({role, file, name = file?.name ?? names[role] ?? role}) {
    names[role] = name;
    file ??= await (await fetch(`networks/${role}.bin`)).blob();
    if (file.size < 8) throw new Error("The network file is cut off.");
    return {name, licence: "as it is", longest: 40, alphabet: ALPHABET,
      replacements: {"½": "1/2"}, styles: [name === role ? "round" : "hand"],
      hasOwnHands: name === role, bias: 0.75, biases: {round: 1}};
  },
  hand: ({lines, style, seed}) => lines ?? [style, seed],
  async write({line: number, text, style: hand}) {
    if (!lines.has(number)) lines.set(number, begun(text, hand));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const line = lines.get(number), {ink, doubtful} = line;
    line.shown += PIECE;
    const strokes = toStrokes(ink.slice(0, line.shown));
    return {strokes, ...(line.shown >= ink.length && {doubtful})};
  },
  stop() {},
  open: ({file}) => file.name === "slow.inkml" ? new Promise(() => {}) : fromInkml(file),
  neater: ({strokes}) => strokes.map((points) => points.map(([x, y]) => [x + 10, y])),
  async read({strokes: {length}}) {
    if (length === 7) await new Promise((resolve) => setTimeout(resolve, 1000));
    return length ? [{text: `${length} strokes`, doubtful: [[0, 1]]}] : [];
  },
};

onmessage = async ({data: {task, request}, ports: [port]}) => {
  try {
    canned ??= await (await fetch("fake.json")).json();
    port.postMessage({answer: await tasks[task](request)});
  } catch (error) {
    port.postMessage({error: error.message});
  }
};
