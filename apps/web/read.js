// Read: shows the text of handwriting while it is written.

import {create, find, marked, save} from "./dom.js";
import {bounds, moved} from "./ink.js";
import {toInkml} from "./inkml.js";
import {Pad} from "./pen.js";

const PAUSE = 250; // ms without a change before the strokes are read (assumed)
const SPACE = 120; // least px below the last stroke (assumed)
const MAX_HEIGHT = 4000; // px of strokes from which the canvas no longer grows (assumed)

/** Set up the part Read. `open` of the result shows the kept strokes. */
export function startRead({startClient, store}) {
  const canvas = find("#read-pad"), output = find("#text"), stop = find("#stop-read");
  const pending = new Set(); // the requests that have no answer yet
  let timer = 0, client = startClient();

  const pad = new Pad(canvas, "#read .buttons", () => {
    store.keep("", {strokes: pad.strokes});
    readSoon();
  }, (strokes) => answer("neater", {strokes}));

  /** Make room below the strokes, and read them after a pause. */
  function readSoon() {
    const bottom = pad.strokes.length ? bounds(pad.pointLists).bottom * pad.scale : 0;
    if (bottom + SPACE > canvas.clientHeight && bottom < MAX_HEIGHT)
      canvas.style.height = `${Math.ceil(bottom + 2 * SPACE)}px`;
    clearTimeout(timer);
    timer = setTimeout(read, PAUSE);
  }

  /** Show the text of the strokes; while the worker is busy or a stroke is written, wait. */
  async function read() {
    if (pending.size || pad.isWriting) return readSoon();
    const rows = await answer("read", {strokes: pad.pointLists});
    output.replaceChildren(...rows.flatMap(({text, doubtful}) =>
      [...marked(text, doubtful), create("br")]));
  }

  /** The worker's answer. The button Stop ends it with an Error "stopped". */
  function answer(task, request) {
    pending.add(request);
    stop.hidden = false;
    return client.ask(task, request).finally(() => {
      pending.delete(request);
      stop.hidden = !pending.size;
    });
  }

  stop.onclick = () => {
    client.stop();
    client = startClient();
    pending.clear();
    stop.hidden = true;
  };
  find("#copy-text").onclick = () => navigator.clipboard.writeText(output.innerText.trim());
  find("#save-read").onclick = () => {
    const rows = [{text: "", strokes: pad.pointLists}]; // no text: a reading may be wrong
    if (pad.strokes.length) save("handwriting.inkml", toInkml(rows), "application/inkml+xml");
  };
  find("#open-read").onchange = async ({target}) => {
    const [file] = target.files;
    target.value = "";
    const opened = await answer("open", {file}), {left, top, right} = bounds(opened);
    const scale = Math.min(canvas.clientWidth - 32, 20 * (right - left)) / (right - left || 1);
    pad.set(moved(opened, scale, 16 - scale * left, scale, 32 - scale * top)
      .map((points) => ({pointer: "file", points})));
  };

  return {
    pad,
    open() {
      if (pad.strokes.length) return;
      pad.load(store.get("").strokes);
      readSoon();
    },
  };
}
