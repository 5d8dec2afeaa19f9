// Stands in for the worker: answers with canned ink, in the manner of the true one.
// fake.json: {ink, text}. Neater strokes are 10 px further to the right. A text with "doubt" is doubtful; in the hand of n lines x-heights are n/2.
// A file "slow.inkml" is never read to its end.
import {fromInkml} from "./inkml.js";

const ALPHABET = String.fromCharCode(...Array.from({length: 95}, (_, i) => 32 + i));
const PIECE = 96;
const names = {};
let canned = null, line = null;

const tasks = {
  async load({role, bytes, name = names[role] ?? role}) {
    names[role] = name;
    bytes ??= await (await fetch(`networks/${role}.bin`)).arrayBuffer();
    if (bytes.byteLength < 8) throw new Error("The network file is cut off.");
    return {name, licence: "as it is", sampling: {bias: 0.75, longest: 40}, alphabet: ALPHABET,
      replacements: {"½": "1/2"}, hands: name === role ? {round: []} : {hand: []}};
  },
  hand: ({lines, style, seed}) => lines ?? [style, seed],
  begin({text, hand}) {
    const share = Math.min(text.length / canned.text.length, 3), at = text.indexOf("doubt");
    const length = 3 * Math.floor(canned.ink.length / 3 * share);
    const ink = Float32Array.from({length}, (_, i) => canned.ink[i % canned.ink.length]);
    ink[length - 1] = 1;
    for (let i = 0; i < length; i += 3)
      ink.set(ink.slice(i, i + 2).map((value) => value * hand.length / 2), i);
    line = {ink, shown: 0, doubtful: at < 0 ? [] : [[at, at + 5]]};
  },
  async goOn() {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const {ink, doubtful} = line;
    line.shown += PIECE;
    return {ink: ink.slice(0, line.shown), ...(line.shown >= ink.length && {doubtful})};
  },
  open: ({file}) => file.name === "slow.inkml" ? new Promise(() => {}) : fromInkml(file),
  neater: ({strokes}) => strokes.map((points) => points.map(([x, y]) => [x + 10, y])),
  read: ({strokes: {length}}) =>
    length ? [{text: `${length} strokes`, doubtful: [[0, 1]]}] : [],
};

onmessage = async ({data: {task, request}, ports: [port]}) => {
  try {
    canned ??= await (await fetch("fake.json")).json();
    port.postMessage({answer: await tasks[task](request)});
  } catch (error) {
    port.postMessage({error: error.message});
  }
};
