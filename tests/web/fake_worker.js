// Stands in for the worker: answers with canned ink, in the manner of the true one.
// fake.json: {ink, text} of a style. A text with "€" is refused; one with "doubt" is doubtful.
let canned = null;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const cancelled = new Set();

async function answer({id, type, ...data}) {
  const say = (kind, more = {}) => postMessage({id, type: kind, ...more});
  canned ??= await (await fetch("fake.json")).json();
  if (type === "load") {
    const bytes = data.bytes ?? await (await fetch(data.url)).arrayBuffer();
    say("progress", {loaded: bytes.byteLength, total: bytes.byteLength});
    if (bytes.byteLength < 8) return say("error", {message: "The network file is cut off."});
    return say("loaded", {header: {name: data.name ?? data.role, licence: "as the weights"}});
  }
  if (type === "cancel") return cancelled.add(data.target);
  if (type === "write") {
    if (data.text.includes("€")) return say("error", {message: "The writer does not know “€”."});
    const all = canned.ink, points = Math.floor(all.length / 3 * Math.min(data.text.length / canned.text.length, 3));
    const ink = Float32Array.from({length: 3 * points}, (_, i) => all[i % all.length]);
    let x = 0;
    const width = all.reduce((sum, value, i) => sum + (i % 3 === 0 ? value : 0), 0);
    for (let i = all.length; i < ink.length; i += all.length) { ink[i] += 1; ink[i + 1] -= 0.0; }
    ink[ink.length - 1] = 1;
    for (let i = 0; i < ink.length; i += 96) {
      await wait(5);
      if (cancelled.has(id)) return say("cancelled");
      say("points", {ink: ink.slice(i, i + 96)});
    }
    const at = data.text.indexOf("doubt");
    return say("done", {ink, text: data.text, read: data.text, advance: width + x,
      doubtful: at < 0 ? [] : [[at, at + 5]]});
  }
  if (type === "rows") {
    const rows = [];
    let [first, stroke] = [0, 0];
    for (let i = 0; i < data.ink.length; i += 3) {
      if (i && data.ink[i - 1] > 0.5 && ++stroke && data.ink[i] < -200) {
        rows.push([first, stroke - 1]);
        first = stroke;
      }
    }
    return say("rows", {rows: [...rows, [first, stroke]]});
  }
  if (type === "read") {
    const text = `${data.ink.filter((end, i) => i % 3 === 2 && end).length} strokes`;
    return say("text", {text, characters: [], doubtful: [[0, 1]]});
  }
}

onmessage = ({data}) => answer(data);
