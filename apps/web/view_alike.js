// Words that look like a word that was corrected: they are corrected together.

import {button, create, find} from "./dom.js";
import {NOWHERE, ask, counted, given, link} from "./view_address.js";
import {wordLink, wordSection} from "./view_kinds.js";
import {fill, underWay} from "./view_list.js";

const INTRO = "Take out those that are another word; the others are corrected in one step.";
const takenOut = new Set(); // words that are other ones, by corrected word, note and address
let shown = ""; // the answer whose words are shown

/** The words that look like the corrected word of a note at an address, `page:row:word`. */
export const alike = (name, address) => ask("alike", {name, address});

/** The place of the corrected word of the page's address, without the list of the others. */
export function correctedWord() {
  const [number, row, word, ...rest] = given().alike.split(":");
  return {...NOWHERE, alike: null, name: rest.join(":"), number, row, word};
}

/** Correct words, each as its `text`; the answer of the viewer. */
export const accept = (words) => ask("accept", {}, {words: words.map(
  ({name, address, read, text}) => ({name, address, read, text}))});

const keyOf = ({name, address}) => [given().alike, ...address, name].join(":");

/** Show the words of the address; `confirmed` is called when they are corrected. */
export async function showAlike(state, confirmed) {
  const corrected = correctedWord(), {name, number: page, row, word} = corrected;
  const way = underWay(JSON.stringify(["alike", given().alike]), "Looking for such words …");
  const {text, words: all} = await way.wait(alike(name, [page, row, word].join(":")));
  const words = all.filter((each) => !takenOut.has(keyOf(each)));
  const key = JSON.stringify([given().alike, words]);
  if (key === shown && find("#found > .kind")) return;
  const back = create("a", {href: link(corrected), title: "Escape"}, "← The corrected word");
  const number = words.length;
  const intro = create("p", {className: "quiet"}, back, " ",
    number ? INTRO : "No other doubtful word looks like it.");
  const parts = words.map((each) => {
    const out = button("×", () => takeOut(each, state, confirmed));
    Object.assign(out, {className: "out", title: "Another word: Delete"});
    out.setAttribute("aria-label", `Take out ${each.read}`);
    const shownLink = wordLink(each, {edit: 1}, state.version, `page ${each.address[0]} · `);
    shownLink.title = `${each.name}, page ${each.address[0]}: read as “${each.read}”`;
    return create("div", {}, shownLink, out);
  });
  const section = number ? [wordSection({kind: "", text, about: `${counted(number, "word")} alike`,
    label: number === 1 ? "Accept" : `Accept all ${number}`}, parts, () => accept(words)
    .then((done) => confirmed(done, `${done.undo.length} × ${text}`)))] : [];
  if (await fill(way, intro, ...section)) shown = key;
}

/** Leave a word as it was read; the next one has the focus. */
async function takeOut(word, state, confirmed) {
  const place = [...document.querySelectorAll(".out")].findIndex(
    (each) => each.parentElement.contains(document.activeElement));
  takenOut.add(keyOf(word));
  await showAlike(state, confirmed);
  const links = document.querySelectorAll(".kind .hit");
  (links[Math.min(Math.max(place, 0), links.length - 1)] ?? find("#found a"))?.focus();
}
