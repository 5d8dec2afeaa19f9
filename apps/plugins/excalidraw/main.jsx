// Excalidraw with a button that replaces selected handwriting by its text.

import {Button, CaptureUpdateAction, convertToExcalidrawElements, Excalidraw, getCommonBounds,
  newElementWith} from "@excalidraw/excalidraw";
import "@excalidraw/excalidraw/index.css";
import {useState} from "react";
import {createRoot} from "react-dom/client";
import network from "open-reader";
import engine from "../../web/engine.wasm";
import {loadReader} from "../../web/index.js";
import {isPen, strokesOf} from "../drawings.js";

const loading = loadReader(network, engine);

/** Replace the selected strokes of a pen by a text of the same width around the same middle. */
async function toText(api) {
  const {selectedElementIds} = api.getAppState();
  const pens = api.getSceneElements().filter(({id}) => selectedElementIds[id]).filter(isPen);
  const rows = pens.length ? await (await loading).read(strokesOf(pens)) : [];
  const text = rows.map((row) => row.text).join("\n");
  if (!text.trim()) throw new Error("Select handwriting of the pen first.");
  await document.fonts.load("20px Excalifont", text); // the font of new text, to measure it
  const typed = (x, y, fontSize) => convertToExcalidrawElements([
    {type: "text", text, x, y, fontSize, strokeColor: pens[0].strokeColor}])[0];
  const [left, top, right, bottom] = getCommonBounds(pens);
  const trial = typed(0, 0, 20), scale = (right - left) / trial.width;
  const element = typed(left, (top + bottom - scale * trial.height) / 2, 20 * scale);
  const replaced = new Set(pens.map(({id}) => id));
  api.updateScene({
    elements: [...api.getSceneElementsIncludingDeleted().map((other) =>
      (replaced.has(other.id) ? newElementWith(other, {isDeleted: true}) : other)), element],
    appState: {selectedElementIds: {[element.id]: true}},
    captureUpdate: CaptureUpdateAction.IMMEDIATELY, // a step of Undo
  });
}

function Page() {
  const [api, setApi] = useState(null);
  const run = () => toText(api).catch(({message}) => api.setToast({message}));
  return <Excalidraw excalidrawAPI={setApi} handleKeyboardGlobally renderTopRightUI={() =>
    <Button onSelect={run} style={{width: "auto", whiteSpace: "nowrap"}}>To text</Button>}/>;
}

createRoot(document.querySelector("main")).render(<Page/>);
