// Doubtful words by kind: first those of which the most may be wrong.

import {button, create} from "./dom.js";
import {ask, counted, limits} from "./view_address.js";
import {clipLink} from "./view_ink.js";
import {fill, underWay} from "./view_list.js";

const FIRST = 20, MORE = 40; // kinds of the first answer, and of the next ones (assumed)
const INTRO = "Words of which the reader is unsure, first those where your answer helps most. "
  + "Click a word that is wrong to correct it.";
let count = FIRST, shown = ""; // `shown`: the answer whose kinds are shown
const whole = new Set(); // kinds of which all words are shown

/** A link to a word of a note, whose place gets further values of the address; `about` stands before
 * its confidence. */
export function wordLink({name, address: [page, row, word], text, confidence}, address, version,
  about = "") {
  const place = {name, page_number: page, row_number: row, word_number: word};
  const found = clipLink(place, version, address, create("span", {className: "text"}, text),
    create("small", {}, `${about}${Math.round(100 * confidence)} %`));
  found.title = `${name}, page ${page}: correct it`;
  return found;
}

/** A section of words, and a button that answers for all of them by `act`, a promise. */
export function wordSection({kind, text, about, label}, words, act, ...rest) {
  const confirm = button(label, () => {
    confirm.disabled = true;
    act().catch((error) => {
      confirm.disabled = false;
      refused.textContent = `Not saved: ${error.message}`;
    });
  });
  confirm.className = "confirm";
  const refused = create("p", {className: "fault", role: "alert"});
  const element = create("section", {className: words.length === 1 && kind ? "single kind" : "kind"},
    create("div", {className: "bar"}, create("h2", {}, text, create("small", {}, about)), confirm),
    create("div", {className: "words"}, ...words), ...rest, refused);
  element.dataset.kind = kind;
  return element;
}

function section({kind, text, count: number, wrong, words}, state, confirmed) {
  const about = number === 1 ? `${Math.round(100 * words[0].confidence)} % sure`
    : `${counted(number, "time")}, some ${Math.max(1, Math.round(wrong))} wrong`;
  const label = number === 1 ? "It is right" : `All ${number} are right`;
  const links = words.map((word) => wordLink(word, {edit: 1, kind}, state.version));
  const act = () => ask("confirm", {}, {kind, count: number, ...limits()})
    .then((done) => confirmed(done, number === 1 ? text : `${done.undo.length} × ${text}`));
  const rest = words.length < number ? [button(`Show all ${number}`, () => {
    whole.add(kind);
    showKinds(state, confirmed);
  })] : [];
  return wordSection({kind, text, about, label}, links, act, ...rest);
}

/** Show the kinds of doubtful words; `confirmed` is called when all words of a kind are right. */
export async function showKinds(state, confirmed) {
  const values = limits();
  const way = underWay(JSON.stringify(["kinds", values]), "Looking for doubtful words …");
  const found = await way.wait(ask("kinds", {...values, count}));
  for (const [index, {kind}] of found.kinds.entries()) if (whole.has(kind))
    [found.kinds[index]] = (await way.wait(ask("kinds", {...values, count: 1, kind}))).kinds;
  const key = JSON.stringify([found, state.left]);
  if (key === shown && document.querySelector("#found > .kind")) return;
  const focused = document.activeElement?.closest?.(".kind")?.dataset.kind;
  const isButton = document.activeElement?.matches("button, body");
  const place = [...document.querySelectorAll(".kind")]
    .findIndex((each) => each.dataset.kind === focused);
  const more = button("More", () => { count += MORE; showKinds(state, confirmed); });
  const further = found.more ? [more] : [];
  const intro = create("p", {className: "quiet"}, found.kinds.length ? INTRO
    : state.left || state.isLooking ? "Nothing yet; notes are still being read."
    : "There are no doubtful words.");
  const sections = found.kinds.filter(Boolean).map((kind) => section(kind, state, confirmed));
  if (!await fill(way, intro, ...sections, ...further)) return;
  shown = key;
  // The kind that had the focus may be gone; then the next one has it.
  const next = sections.find((each) => each.dataset.kind === focused) ?? sections[place];
  if (focused !== undefined && isButton) next?.querySelector(".confirm").focus();
}

/** What a key does among the kinds. */
export function keyInKinds(key) {
  const kinds = [...document.querySelectorAll(".kind")], here = document.activeElement;
  if (!kinds.length) return null;
  const kind = here.closest(".kind"), index = kinds.indexOf(kind);
  const step = {ArrowDown: 1, ArrowUp: -1}[key], aside = {ArrowRight: 1, ArrowLeft: -1}[key];
  if (step) return () => (kinds[index + step]?.querySelector(".confirm")
    ?? (step < 0 ? document.querySelector("[name=q]") : here)).focus();
  if (key === "Delete" && kind) {
    const out = here.closest(".words > *")?.querySelector(".out");
    return out ? () => out.click() : null;
  }
  if (!aside || !kind) return null;
  const stops = [kind.querySelector(".confirm"), ...kind.querySelectorAll("a")];
  return () => stops[stops.indexOf(here) + aside]?.focus();
}
