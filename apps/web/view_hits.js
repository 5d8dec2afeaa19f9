// What a search finds, and the places that were not read.

import {button, create, find} from "./dom.js";
import {ask, day, given, limits} from "./view_address.js";
import {showNotes} from "./view_folder.js";
import {clipLink} from "./view_ink.js";
import {fill, underWay} from "./view_list.js";

const FIRST = 10, MORE = 60; // hits of the first answer, which is fast, and of the next ones
let count = FIRST;

/** Go back to the first hits. */
export function restart() { count = FIRST; }

function hitLink(hit, version) {
  const isPlace = hit.place !== undefined;
  const sure = isPlace ? "" : hit.is_similar ? "perhaps" : `${Math.round(100 * hit.confidence)} %`;
  return clipLink(hit, version, {},
    create("span", {className: "text"}, hit.text),
    create("small", {}, `page ${hit.page_number}${sure && ` · ${sure}`}`));
}

/** The hits by note. */
function sections(hits, version) {
  const groups = new Map();
  for (const hit of hits) {
    const key = hit.is_similar ? "Perhaps" : hit.name;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(hit);
  }
  return [...groups].map(([name, list]) => create("section", {className: "note"},
    create("h2", {}, name, create("small", {}, name === "Perhaps" ? "a letter or two differ"
      : day(list[0].date))), ...list.map((hit) => hitLink(hit, version))));
}

/** Search as the address says: first the first hits, then more of them. */
export async function search(state) {
  const {q = "", unread} = given(), values = {q, ...limits()};
  const way = underWay(JSON.stringify([values, unread]),
    unread ? "Looking for what was not read …" : `Searching for “${q}” …`);
  const nothing = create("p", {className: "quiet"}, state.left || state.isLooking
    ? "Nothing yet; notes are still being read." : "Nothing was found.");
  for (const number of count > FIRST ? [count] : [FIRST, MORE]) {
    const {hits, more, notes} = await way.wait(
      ask(unread ? "unread" : "search", {...values, count: number}));
    if (notes) return showNotes(state, new Set(notes));
    const further = more ? [button("More", () => { count += MORE; search(state); })] : [];
    const found = hits.length ? sections(hits, state.version) : [nothing];
    if (!await fill(way, ...found, ...further)) return;
    if (!more) break;
    if (number > count) count = number;
  }
}
