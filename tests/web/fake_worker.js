// Stands in for the worker: answers with canned ink, in the manner of the true one.
// fake.json: {ink, text} of a style. A text with "€" is refused; one with "doubt" is doubtful.
let canned = null;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const cancelled = new Set();

async function answer({id, type, ...data}) {
  const say = (kind, more = {}) => postMessage({id, type: kind, ...more});
  canned ??= await (await fetch("fake.json")).json();
  if (type === "cancel") return cancelled.add(data.target);
  if (type === "load") {
    const bytes = data.bytes ?? await (await fetch(data.url)).arrayBuffer();
    say("progress", {loaded: bytes.byteLength, total: bytes.byteLength});
    if (bytes.byteLength < 8) return say("error", {message: "The network file is cut off."});
    const sampling = {bias: 0.75, longest: 40};
    return say("loaded", {header: {name: data.name ?? data.role, licence: "as it is", sampling}});
  }
  if (type === "write") {
    if (data.text.includes("€")) return say("error", {message: "The writer does not know “€”."});
    const share = Math.min(data.text.length / canned.text.length, 3);
    const length = 3 * Math.floor(canned.ink.length / 3 * share);
    const ink = Float32Array.from({length}, (_, i) => canned.ink[i % canned.ink.length]);
    ink[length - 1] = 1;
    for (let i = 0; i < length; i += 96) {
      await wait(5);
      if (cancelled.has(id)) return say("cancelled");
      say("points", {ink: ink.slice(i, i + 96)});
    }
    const at = data.text.indexOf("doubt");
    return say("done", {ink, text: data.text, doubtful: at < 0 ? [] : [[at, at + 5]]});
  }
  if (type === "rows") return say("rows", {starts: [0]});
  say("text", {text: `${data.strokes.length} strokes`, doubtful: [[0, 1]]});
}

onmessage = ({data}) => answer(data);
