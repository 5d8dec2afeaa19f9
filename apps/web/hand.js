// My hand: records sentences, one by one, as lines from which a network learns a hand.

import {button, clearedContext, create, draw, find, save} from "./dom.js";
import {bounds} from "./ink.js";
import {toInkml} from "./inkml.js";
import {Pad} from "./pen.js";
import {editDistance} from "./text.js";

const ENOUGH_LINES = 30; // lines from which a hand is learned well (docs/train.md)
const ENOUGH_TIMES = 2; // times that each character should be written (assumed)
// Largest edit distance from a sentence to its reading, as a fraction of the sentence's length.
const MAX_MISREAD = 0.5; // measured (notebook: hands, sentences that a person writes)
const CHARACTER_WIDTH = 24; // px that the sheet has for a character (assumed)
const DEVICES = {mouse: "a mouse", touch: "a finger"}; // pointers that are no pens

/** Draw strokes on a canvas, scaled down if they do not fit. */
function sketch(canvas, strokes) {
  const {left, top, right, bottom} = bounds(strokes);
  const context = clearedContext(canvas), {clientWidth: width, clientHeight: height} = canvas;
  const scales = [(width - 24) / (right - left || 1), (height - 16) / (bottom - top || 1)];
  const scale = Math.min(...scales, 1);
  context.translate(12 - scale * left, height / 2 - scale * (top + bottom) / 2);
  context.scale(scale, scale);
  for (const stroke of strokes) draw(context, stroke, 1.6 / scale);
}

/** Set up the part My hand. `open` of the result shows the part. */
export function startHand({client, store}, sentences) {
  const canvas = find("#hand-pad"), scroll = find("#hand .scroll");
  let current, timer = 0; // `current` is the text of the sentence that is shown

  const stateOf = (text) => store.get(text).state;

  const pad = new Pad(canvas, "#recording .tools", () => {
    store.keep(current, {strokes: pad.strokes});
    find("#next").disabled = !pad.strokes.length;
    clearTimeout(timer);
    timer = setTimeout(scrollOn, 500);
  }, (strokes) => client.ask("neater", {strokes}));

  /** On a narrow screen, scroll the sheet to the space behind the last stroke. */
  function scrollOn() {
    if (pad.isWriting || !pad.strokes.length) return;
    const {right} = bounds(pad.pointLists.slice(-1)), width = scroll.clientWidth;
    if (right - scroll.scrollLeft > 0.7 * width)
      scroll.scrollTo({left: right - 0.3 * width, behavior: "smooth"});
  }

  /** Show a sentence to write, with its recorded strokes; without a text, show the overview. */
  function show(text) {
    current = text;
    find("#recording").hidden = !text;
    find("#overview").hidden = Boolean(text);
    showProgress();
    if (!text) return showLines();
    canvas.style.width = `max(100%, ${CHARACTER_WIDTH * (text.length + 2)}px)`;
    scroll.scrollLeft = 0;
    pad.load(store.get(text).strokes);
    find("#sentence").textContent = text;
    find("#next").disabled = !pad.strokes.length;
  }

  /** Set the state of a sentence, if one is named. Then show the first sentence without a state, or
   * else the first skipped sentence. */
  function next(text, state) {
    if (text) store.keep(text, {state});
    find("#problem").hidePopover();
    show(sentences.find((sentence) => !stateOf(sentence)) ??
      sentences.find((sentence) => stateOf(sentence) === "skipped"));
  }

  /** Show the next sentence. If the reader reads another sentence, first ask whether the strokes
   * are right; without a reader do not ask. Do nothing if somebody goes elsewhere or writes on while
   * the strokes are read. */
  async function finish() {
    const text = current, {strokes} = pad, keep = () => next(text, "done");
    const rows = await client.ask("read", {strokes: pad.pointLists}).catch(() => [{text}]);
    if (text !== current || strokes !== pad.strokes || pad.isWriting) return;
    const read = rows.map((row) => row.text).join(" ");
    if (editDistance(read, text) <= MAX_MISREAD * text.length) return keep();
    const error = new Error(`This reads “${read}” and not the sentence. Is it right anyway?`);
    error.remedy = ["Keep it", keep];
    throw error;
  }

  function showProgress() {
    const signs = new Set(sentences.join("").replaceAll(" ", ""));
    const lines = store.recorded(), count = lines.length;
    const written = lines.map(({text}) => text).join("");
    const rare = [...signs].sort().map((sign) => [sign, written.split(sign).length - 1])
      .filter(([, times]) => times < ENOUGH_TIMES)
      .flatMap(([sign, times]) => [create("span", {className: times ? "seen" : ""}, sign), " "]);
    find("#rare").replaceChildren(...rare);
    find("#rare").parentElement.hidden = !rare.length;
    find("#write-mine").hidden = !count;
    find("#lines-done").textContent = `${count} of ${ENOUGH_LINES}`;
    const progress = {max: ENOUGH_LINES, value: Math.min(count, ENOUGH_LINES)};
    Object.assign(find("#lines-progress"), progress);
  }

  function showLines() {
    const lines = store.recorded(), count = lines.length;
    const withoutPen = lines.map(({device}) => DEVICES[device]).filter(Boolean);
    const devices = [...new Set(withoutPen)].join(" or ");
    find("#learn").hidden = !count;
    find("#begin").textContent = count ? "Go on" : "Begin";
    find("#pointers").textContent = devices && `${withoutPen.length} of ${count} lines are ` +
      `written with ${devices}: the learned hand will look like these lines.`;
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
