// My hand: sentences are written one after the other, and kept as lines to learn a hand from.

import {toInkml} from "./inkml.js";
import {Pad} from "./pen.js";
import {addTools} from "./read.js";
import {bounds, count, draw, fresh, save, STRIDE, toInk, Tracer} from "./strokes.js";

const GOOD = 30;     // lines from which a hand is learned well (docs/train.md)
const FEW = 2;       // times that a character is wanted
const LETTER = 24;   // px of a character's width on the sheet
const MOST = 2000;   // points of a line that the writer goes on from
const DEVICES = {mouse: "a mouse", touch: "a finger"};

/** Return strokes with fewer points, where there are more than the writer takes. */
function thinned(strokes) {
  const points = strokes.reduce((sum, stroke) => sum + count(stroke), 0);
  const every = Math.ceil(points / MOST);
  return strokes.map((stroke) => stroke.filter((_, i) => {
    const number = Math.floor(i / STRIDE);
    return number % every === 0 || number === count(stroke) - 1;
  }));
}

export function startHand(tools, sentences) {
  const {client, complain, progress, say, keep, keepLine, strokes, lines} = tools;
  const find = (selector) => document.querySelector(selector);
  const canvas = find("#hand-pad"), scroll = find("#hand .scroll");
  let recording = false, current = null, timer = 0;

  const isDone = (key) => lines.get(key)?.state === "done";
  const done = () => [...lines.values()].filter((line) => line.state === "done" && strokes.get(line.key)?.length)
    .sort((a, b) => a.when - b.when);
  const valuesOf = (key) => (strokes.get(key) ?? []).map((stroke) => stroke.values);

  const pad = new Pad(canvas, (_, appended) => {
    strokes.set(current, pad.strokes);
    keep(current, pad.strokes, appended);
    update();
    clearTimeout(timer);
    timer = setTimeout(follow, 500);
  });
  const updateTools = addTools("hand", pad);

  function update() {
    updateTools();
    find("#next").disabled = !pad.strokes.length;
  }

  /** On a narrow screen the sheet moves on with the writing. */
  function follow() {
    if (pad.writing || !pad.strokes.length) return;
    const {right} = bounds(pad.values.slice(-1)), width = scroll.clientWidth;
    if (right - scroll.scrollLeft > 0.7 * width) {
      scroll.scrollTo({left: right - 0.3 * width, behavior: "smooth"});
    }
  }

  function setState(key, state) {
    const line = {key, state, when: Date.now()};
    lines.set(key, line);
    keepLine(line);
  }

  /** Show a sentence to be written, with what is there of it. */
  function show(key) {
    current = key;
    recording = key !== undefined;
    render();
    if (!recording) return;
    canvas.style.width = `max(100%, ${LETTER * (key.length + 2)}px)`;
    scroll.scrollLeft = 0;
    pad.load(strokes.get(key) ?? []);
    find("#sentence").textContent = key;
    update();
  }

  function next() {
    const open = (...states) => sentences.find((key) => states.includes(lines.get(key)?.state));
    show(open(undefined) ?? open("skipped"));
  }

  function coverage() {
    const counts = new Map([...sentences.join("").replaceAll(" ", "")].map((sign) => [sign, 0]));
    for (const {key} of done()) {
      for (const sign of key) if (counts.has(sign)) counts.set(sign, counts.get(sign) + 1);
    }
    const rare = [...counts].filter(([, times]) => times < FEW).sort(([a], [b]) => a < b ? -1 : 1);
    find("#rare").replaceChildren(...rare.flatMap(([sign, times]) => {
      const shown = Object.assign(document.createElement("span"), {textContent: sign});
      shown.className = times ? "seen" : "";
      return [shown, " "];
    }));
    find("#rare").parentElement.hidden = !rare.length;
    find("#lines-done").textContent = `${done().length} of ${GOOD}`;
    Object.assign(find("#lines-progress"), {max: GOOD, value: Math.min(done().length, GOOD)});
  }

  function render() {
    const recorded = done();
    find("#recording").hidden = !recording;
    find("#overview").hidden = recording;
    find("#continue").hidden = find("#learn").hidden = !recorded.length;
    find("#begin").textContent = recorded.length ? "Go on" : "Begin";
    coverage();
    if (recording) return;
    const others = recorded.map(({key}) => DEVICES[strokes.get(key)[0].pointer]).filter(Boolean);
    find("#pointers").textContent = others.length ? `${others.length} of ${recorded.length} lines ` +
      `are written with ${[...new Set(others)].join(" or ")}: the learned hand will look like that.` : "";
    find("#lines").replaceChildren(...recorded.toReversed().map(({key}) => {
      const item = document.createElement("li"), picture = document.createElement("canvas");
      const again = Object.assign(document.createElement("button"), {textContent: "Write again"});
      again.onclick = () => show(key);
      const device = document.createElement("small");
      device.textContent = strokes.get(key)[0].pointer;
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", key);
      item.append(picture, device, again);
      return item;
    }));
    [...find("#lines").querySelectorAll("canvas")].forEach((picture, i) =>
      sketch(picture, valuesOf(recorded.at(-1 - i).key)));
  }

  /** Draw strokes as large as they fit on a canvas. */
  function sketch(picture, values) {
    const {left, top, right, bottom} = bounds(values);
    if (!picture.clientWidth) return;
    const context = fresh(picture), {clientWidth: width, clientHeight: height} = picture;
    const scale = Math.min((width - 8) / (right - left || 1), (height - 8) / (bottom - top || 1), 1);
    context.translate(4 - scale * left, height / 2 - scale * (top + bottom) / 2);
    context.scale(scale, scale);
    context.strokeStyle = getComputedStyle(picture).color;
    for (const stroke of values) draw(context, stroke, 1.6 / scale);
  }

  /** Let the writer go on in the hand of the last line that a pen, or else anything, wrote. */
  async function goOn(event) {
    event.preventDefault();
    const recorded = done().toReversed();
    const {key} = recorded.find(({key}) => strokes.get(key)[0].pointer === "pen") ?? recorded[0];
    const picture = find("#continued"), tracer = new Tracer(0, 0, 1);
    picture.hidden = false;
    const parts = {points: ({ink}) => { tracer.add(ink); sketch(picture, tracer.strokes); }};
    try {
      await client.load("writer", progress);
      say("Writing");
      const text = new FormData(event.target).get("text");
      const options = {seed: Math.floor(Math.random() * 2 ** 32), bias: 0.75, style: null, proofread: false,
        primer: {...toInk(thinned(valuesOf(key))), text: key}};
      const {ink} = await client.request("write", {text, options}, {parts});
      const whole = new Tracer(0, 0, 40);
      whole.add(ink);
      sketch(picture, whole.strokes);
      picture.setAttribute("aria-label", text);
    } catch (error) {
      complain(error);
    }
    say("");
  }

  find("#begin").onclick = () => {
    navigator.storage?.persist?.();
    next();
  };
  find("#next").onclick = () => {
    setState(current, "done");
    next();
  };
  find("#skip").onclick = () => {
    setState(current, isDone(current) ? "done" : "skipped");
    next();
  };
  find("#pause").onclick = () => show();
  find("#continue").onsubmit = goOn;
  find("#download").onclick = () => {
    const rows = done().map(({key}) => ({text: key, strokes: valuesOf(key)}));
    save("my_hand.inkml", toInkml(rows), "application/inkml+xml");
  };
  return {pad, open: render};
}
