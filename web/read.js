// Read: the text of what is written appears while one writes.

import {fromInkml, toInkml} from "./inkml.js";
import {Pad} from "./pen.js";
import {bounds, moved, save, toInk} from "./strokes.js";
import {marked} from "./write.js";

const PAUSE = 250;   // ms after a stroke before it is read
const SPACE = 120;   // px left to write in below the last line
const MOST = 4000;   // px of the sheet's height

/** Add the buttons of a pad to its place. */
export function addTools(place, pad) {
  const button = (text, act) => {
    const added = Object.assign(document.createElement("button"), {type: "button", textContent: text});
    added.onclick = act;
    document.querySelector(`[data-pad=${place}]`).append(added);
    return added;
  };
  const tools = {
    undo: button("Undo", () => pad.step(-1)), redo: button("Redo", () => pad.step(1)),
    erase: button("Erase", () => { pad.erasing = !pad.erasing; tools.update(); }),
    clear: button("Clear", () => pad.clear()),
    update() {
      [tools.undo.disabled, tools.redo.disabled] = [!pad.canUndo, !pad.canRedo];
      tools.erase.setAttribute("aria-pressed", pad.erasing);
      tools.clear.disabled = !pad.strokes.length;
    },
  };
  tools.update();
  return tools.update;
}

export function startRead({client, complain, progress, keep, strokes}) {
  const find = (selector) => document.querySelector(selector);
  const canvas = find("#read-pad"), shown = find("#text");
  let rows = [], timer = 0, reading = false, changed = false, known = new Map();

  const pad = new Pad(canvas, (_, appended) => {
    keep("", pad.strokes, appended);
    update();
    grow();
    later();
  });
  const update = addTools("read", pad);

  function grow() {
    const bottom = pad.strokes.length ? bounds(pad.values).bottom * pad.scale : 0;
    if (bottom + SPACE > canvas.clientHeight && bottom < MOST) {
      canvas.style.height = `${Math.ceil(bottom + 2 * SPACE)}px`;
    }
  }

  function later() {
    changed = true;
    clearTimeout(timer);
    timer = setTimeout(read, PAUSE);
  }

  /** Read the rows that are not known; what changes meanwhile is read afterwards. */
  async function read() {
    if (reading || pad.writing) return later();
    [reading, changed] = [true, false];
    try {
      rows = await readRows(pad.values);
      shown.replaceChildren(...rows.flatMap((row) =>
        [...marked(row.text, row.doubtful), document.createElement("br")]));
    } catch (error) {
      complain(error);
    }
    reading = false;
    if (changed) later();
  }

  async function readRows(values) {
    if (!values.length) return [];
    await client.load("reader", progress);
    const found = [], before = known;
    known = new Map();
    for (const [first, last] of (await client.request("rows", toInk(values))).rows) {
      const own = values.slice(first, last + 1);
      const key = `${first}-${last}-${own.at(-1)[2]}-${own.reduce((sum, one) => sum + one.length, 0)}`;
      known.set(key, before.get(key) ?? await client.request("read", toInk(own)));
      const {text, doubtful} = known.get(key);
      found.push({text, doubtful, strokes: own});
    }
    return found;
  }

  find("#copy-text").onclick = () =>
    navigator.clipboard.writeText(rows.map((row) => row.text).join("\n")).catch(complain);
  find("#save-read").onclick = async () => {
    // The text of each row is the one that is shown.
    if (changed) await read();
    const all = rows.length ? rows : [{text: "", strokes: pad.values}];
    if (pad.strokes.length) save("handwriting.inkml", toInkml(all), "application/inkml+xml");
  };
  find("#open-read").onchange = async ({target}) => {
    const file = target.files[0];
    target.value = "";
    try {
      const found = fromInkml(await file.text(), file.name), {left, top, right} = bounds(found);
      const scale = Math.min(canvas.clientWidth - 32, 20 * (right - left)) / (right - left || 1);
      pad.set(moved(found, scale, 16 - scale * left, scale, 32 - scale * top)
        .map((values) => ({pointer: "file", values: Float64Array.from(values)})));
    } catch (error) {
      complain(error);
    }
  };

  return {
    pad,
    open() {
      if (!pad.strokes.length && strokes.has("")) {
        pad.load(strokes.get(""));
        grow();
        later();
      }
      update();
    },
  };
}
