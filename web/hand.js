// My hand: sentences are written one by one, and kept as lines from which a network learns a hand.

import {button, create, draw, find, fresh, save} from "./dom.js";
import {bounds} from "./ink.js";
import {toInkml} from "./inkml.js";
import {Pad} from "./pen.js";
import {editDistance} from "./text.js";

const GOOD = 30; // lines from which a hand is learned well (docs/train.md)
const FEW = 2; // times that each character should be written
const MISREAD = 0.5; // fraction of a sentence's characters (measured, lab notebook: other sentences)
const LETTER = 24; // px of a character's width on the sheet
const DEVICES = {mouse: "a mouse", touch: "a finger"};

/** Draw strokes on a canvas, scaled down to fit. */
function sketch(picture, parts) {
  const {left, top, right, bottom} = bounds(parts);
  const context = fresh(picture), {clientWidth: width, clientHeight: height} = picture;
  const scales = [(width - 24) / (right - left || 1), (height - 16) / (bottom - top || 1)];
  const scale = Math.min(...scales, 1);
  context.translate(12 - scale * left, height / 2 - scale * (top + bottom) / 2);
  context.scale(scale, scale);
  for (const stroke of parts) draw(context, stroke, 1.6 / scale);
}

export function startHand({client, store}, sentences) {
  const canvas = find("#hand-pad"), scroll = find("#hand .scroll");
  let current, timer = 0;

  const stateOf = (key) => store.get(key).state;

  const pad = new Pad(canvas, "#recording .tools", () => {
    store.keep(current, {strokes: pad.strokes});
    find("#next").disabled = !pad.strokes.length;
    clearTimeout(timer);
    timer = setTimeout(follow, 500);
  });

  /** Scroll the sheet, on a narrow screen, as the writing goes on. */
  function follow() {
    if (pad.writing || !pad.strokes.length) return;
    const {right} = bounds(pad.parts.slice(-1)), width = scroll.clientWidth;
    if (right - scroll.scrollLeft > 0.7 * width)
      scroll.scrollTo({left: right - 0.3 * width, behavior: "smooth"});
  }

  /** Show a sentence to be written, with its recorded strokes; without a `key` the overview. */
  function show(key) {
    current = key;
    find("#recording").hidden = !key;
    find("#overview").hidden = Boolean(key);
    showProgress();
    if (!key) return showLines();
    canvas.style.width = `max(100%, ${LETTER * (key.length + 2)}px)`;
    scroll.scrollLeft = 0;
    pad.load(store.get(key).strokes);
    find("#sentence").textContent = key;
    find("#next").disabled = !pad.strokes.length;
  }

  /** Set a sentence's state, and show the first open sentence, or else the first skipped one. */
  function next(key, state) {
    if (key) store.keep(key, {state});
    find("#problem").hidePopover();
    show(sentences.find((key) => !stateOf(key)) ??
      sentences.find((key) => stateOf(key) === "skipped"));
  }

  /** Go on if the reader reads about the sentence, or cannot be loaded; otherwise ask. */
  async function finish() {
    const key = current, keep = () => next(key, "done");
    const rows = await client.ask("read", {strokes: pad.parts}).catch(() => [{text: key}]);
    const text = rows.map((row) => row.text).join(" ");
    if (editDistance(text, key) <= MISREAD * key.length) return keep();
    const error = new Error(`This reads “${text}” and not the sentence. Is it right anyway?`);
    error.remedy = ["Keep it", keep];
    throw error;
  }

  function showProgress() {
    const signs = new Set(sentences.join("").replaceAll(" ", ""));
    const lines = store.recorded(), length = lines.length;
    const written = lines.map(({text}) => text).join("");
    const shown = [...signs].sort().map((sign) => [sign, written.split(sign).length - 1])
      .filter(([, times]) => times < FEW)
      .flatMap(([sign, times]) => [create("span", {className: times ? "seen" : ""}, sign), " "]);
    find("#rare").replaceChildren(...shown);
    find("#rare").parentElement.hidden = !shown.length;
    find("#write-mine").hidden = !length;
    find("#lines-done").textContent = `${length} of ${GOOD}`;
    Object.assign(find("#lines-progress"), {max: GOOD, value: Math.min(length, GOOD)});
  }

  function showLines() {
    const lines = store.recorded(), length = lines.length;
    const withoutPen = lines.map(({device}) => DEVICES[device]).filter(Boolean);
    const devices = [...new Set(withoutPen)].join(" or ");
    find("#learn").hidden = !length;
    find("#begin").textContent = length ? "Go on" : "Begin";
    find("#pointers").textContent = devices && `${withoutPen.length} of ${length} lines are ` +
      `written with ${devices}: the learned hand will look like that.`;
    find("#lines").replaceChildren();
    for (const {text, device, strokes} of lines.toReversed()) {
      const picture = create("canvas", {role: "img", ariaLabel: text});
      find("#lines").append(create("li", {}, picture, create("small", {}, device),
        button("Write again", () => show(text)), " ", button("Delete", () => {
          if (!confirm(`Delete “${text}”?`)) return;
          store.keep(text, {state: "", strokes: []});
          show();
        })));
      sketch(picture, strokes);
    }
  }

  find("#begin").onclick = () => {
    navigator.storage?.persist?.();
    next();
  };
  find("#next").onclick = finish;
  find("#skip").onclick = () => next(current, stateOf(current) === "done" ? "done" : "skipped");
  find("#pause").onclick = () => show();
  find("#download").onclick = () =>
    save("my_hand.inkml", toInkml(store.recorded()), "application/inkml+xml");
  return {pad, open: () => show(current)};
}
