// Read: the text of handwriting appears during writing.

import {create, find, marked, save} from "./dom.js";
import {bounds, moved} from "./ink.js";
import {toInkml} from "./inkml.js";
import {Pad} from "./pen.js";

const PAUSE = 250; // ms from a stroke to the reading
const SPACE = 120; // px left to write in below the last line
const MOST = 4000; // px of the sheet's height

export function startRead({startClient, store}) {
  const canvas = find("#read-pad"), shown = find("#text"), stop = find("#stop-read");
  let timer = 0, client = startClient();

  const pad = new Pad(canvas, "#read .buttons", () => {
    store.keep("", {strokes: pad.strokes});
    show();
  });

  /** Leave room to write in, and read the strokes after a pause. */
  function show() {
    const bottom = pad.strokes.length ? bounds(pad.parts).bottom * pad.scale : 0;
    if (bottom + SPACE > canvas.clientHeight && bottom < MOST)
      canvas.style.height = `${Math.ceil(bottom + 2 * SPACE)}px`;
    clearTimeout(timer);
    timer = setTimeout(read, PAUSE);
  }

  async function read() {
    if (!stop.hidden || pad.writing) return show();
    const rows = await answer("read", {strokes: pad.parts});
    shown.replaceChildren(...rows.flatMap(({text, doubtful}) =>
      [...marked(text, doubtful), create("br")]));
  }

  /** The worker's answer; none if the button Stop ends the worker. */
  function answer(task, request) {
    stop.hidden = false;
    return client.ask(task, request).finally(() => { stop.hidden = true; });
  }

  stop.onclick = () => {
    client.stop();
    client = startClient();
    stop.hidden = true;
  };
  find("#copy-text").onclick = () => navigator.clipboard.writeText(shown.innerText.trim());
  find("#save-read").onclick = () => {
    const rows = [{text: "", strokes: pad.parts}]; // no text, as a reading is no truth
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
      show();
    },
  };
}
