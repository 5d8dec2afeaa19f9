// The list of what was found, below the header.

import {create, find} from "./dom.js";

const PATIENCE = 150; // ms until a list that is looked for says so (assumed)
let newest, listed = ""; // what is looked for; of which list the elements are
let released = Promise.resolve(); // fulfilled when a click that has begun is over

window.addEventListener("pointerdown", () => {
  released = new Promise((done) => {
    for (const end of ["pointerup", "pointercancel"])
      window.addEventListener(end, () => setTimeout(done), {once: true, capture: true});
  });
}, {capture: true});

/** Wait until no click is under way, so that what is clicked stays where it is. */
export const unclicked = () => released;

/** Begin to look for the list `key`; another list goes, and `text` says what is looked for, if it
 * takes longer than the twinkling of an eye. */
export function underWay(key, text) {
  const way = {key, timer: 0};
  clearTimeout(newest?.timer);
  newest = way;
  if (key !== listed) way.timer = setTimeout(() => {
    listed = "";
    find("#found").replaceChildren(create("p", {className: "quiet", role: "status"}, text));
  }, PATIENCE);
  way.wait = (answer) => answer.catch((error) => {
    if (way === newest) fill(way, create("p", {className: "fault"}, error.message));
    throw error;
  });
  return way;
}

/** Look for nothing any more. */
export function stop() {
  clearTimeout(newest?.timer);
  newest = null;
}

/** Show elements as the list that was looked for, and return true; false if another one is looked
 * for. The link that had the focus has it again. */
export async function fill(way, ...elements) {
  const before = document.activeElement, focused = before?.getAttribute("href");
  await released;
  if (way !== newest) return false;
  clearTimeout(way.timer);
  listed = way.key;
  const isFree = [before, document.body].includes(document.activeElement);
  find("#found").replaceChildren(...elements);
  if (isFree && focused?.startsWith("#")) find(`#found a[href="${CSS.escape(focused)}"]`)?.focus();
  return true;
}
