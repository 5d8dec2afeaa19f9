// The viewer of notes: searches them, shows their pages, and corrects words.

import {button, create, find, save} from "./dom.js";
import {accept, alike, correctedWord, showAlike} from "./view_alike.js";
import {NOWHERE, ask, day, fetched, given, limits, link, suffixOf, visit} from "./view_address.js";
import {keyInNotes, keyInTree, showNotes, showTree} from "./view_folder.js";
import {restart, search} from "./view_hits.js";
import {clipping, drawn, rectangle, shape, sizeOf} from "./view_ink.js";
import {keyInKinds, showKinds} from "./view_kinds.js";
import {placeLearning, showLearning} from "./view_learning.js";
import {stop, unclicked} from "./view_list.js";

const POLL_TIME = 2000; // ms from one question what is new to the next
const TYPING_TIME = 120; // ms after the last key until a search begins (assumed)
const SAID_TIME = 15_000; // ms that a message stays (assumed); Ctrl+Z works for longer
const PATIENCE = 150; // ms until a page that is on its way says so (assumed)
const PAUSE = 400; // ms without a key, after which keys are meant for what is shown (assumed)
const filters = find("#filters"), editor = find("#word");
let state = {}, shown; // `shown`: the open page
let opened = 0, drawnLast = 0; // numbers of requests for a page
let list = {scroll: 0, link: ""}; // where the list was left
let edited = null, isTour = false; // the open word; whether doubtful words are gone through
let place = ""; // the address of the marked word
let isBusy = false, dropped = -Infinity; // whether the word takes no keys; when it dropped the last
const undoable = []; // how to take back each correction

/** Show the open page, and mark the word of the address. */
function showPage() {
  const {name, number, pages, date, size, paper, rows, unread, background} = shown;
  const boxes = rows.flatMap(({words}, row) => words.map((word, index) => {
    const box = rectangle(word.box, 15, {class: kind(word)});
    box.addEventListener("click", () => visit({row: row + 1, word: index + 1, edit: 1}));
    return box;
  }));
  const svg = shape("svg", {viewBox: `0 0 ${size.join(" ")}`, role: "img", "aria-label": name},
    shape("rect", {width: size[0], height: size[1], fill: paper}), ...boxes,
    ...unread.map((box) => rectangle(box, 15, {class: "unread"})), ...drawn(shown));
  find("#sheet").replaceChildren(svg);
  find("#rows").replaceChildren(...rows.map(({words, mark}, row) => create("p",
    {className: mark.startsWith("#") ? "heading" : ""}, ...words.flatMap((word, index) => [
      create("a", {className: kind(word), href: link({row: row + 1, word: index + 1, edit: 1}),
        title: about(word)}, word.text || "—"), " "]))));
  const turn = (to, text) => to < 1 || to > pages ? ""
    : create("a", {href: link({...NOWHERE, name, number: to}), title: text}, text);
  const over = background ? ` · over ${background}, which is not shown` : "";
  const openInProgram = () => ask("open", {}, {name}).then(() => say(`${name} is opened.`));
  const copy = () => navigator.clipboard.writeText(shown.text).then(() => say("The text is copied."));
  find("#place").replaceChildren(back(),
    create("b", {}, name), create("span", {}, `${day(date)} · page ${number} of ${pages}${over}`),
    turn(number - 1, "previous page"), turn(number + 1, "next page"),
    create("span", {className: "buttons"},
      button("Open in its program", () => openInProgram().catch(show)),
      button("Copy the text", () => copy().catch(show)),
      button("PDF", ({target}) => download(name, target))));
}

const back = () => create("a", {href: link(NOWHERE), title: "Escape"},
  given().alike ? "← Words alike" : given().doubtful ? "← Doubtful words"
    : given().q || given().unread ? "← Found" : "← Notes");

/** Let the browser save a note as a PDF. */
async function download(name, element) {
  element.disabled = true;
  say("The PDF is made …");
  try {
    const file = name.slice(name.lastIndexOf("/") + 1), end = suffixOf(file);
    save(`${file.slice(0, file.length - end.length)}.pdf`, await fetched("pdf", {name}), "application/pdf");
    say("The PDF is saved.");
  } catch (error) { show(error); }
  element.disabled = false;
}

/** Show texts in place of a page. */
function leavePage(...texts) {
  for (const part of ["#sheet", "#rows"]) find(part).replaceChildren();
  find("#place").replaceChildren(back(), ...texts);
}

/** Say why a page cannot be shown, where it would be. */
function showFault(name, error) {
  shown = null;
  closeWord();
  leavePage(create("b", {}, name), create("span", {className: "fault"}, error.message));
}

const kind = (word) => `word${word.read === null ? "" : " corrected"}${word.isSure ? "" : " doubtful"}`;

function about({ink, read, confidence, text}) {
  if (!ink) return "typed";
  if (read !== null) return `corrected; it was read as “${read}”`;
  return `read as “${text}”, ${Math.round(100 * confidence)} % sure`;
}

/** Open the page of the address, or the list. */
async function open() {
  const mine = ++opened, {name, number, row, word, ...rest} = given();
  if (typing === null) for (const field of filters.elements)
    if (field.type === "checkbox") field.checked = Boolean(rest[field.name]);
    else if (field.name && field.value !== (rest[field.name] ?? ""))
      field.value = rest[field.name] ?? "";
  if (name && find("#page").hidden)
    list = {scroll: scrollY, link: document.activeElement.getAttribute("href") ?? ""};
  const isBack = !name && !find("#page").hidden;
  find("#list").hidden = Boolean(name);
  find("#page").hidden = !name;
  placeLearning();
  if (!name) return openList(isBack);
  stop();
  const {version} = state, isOpen = isShown(name, number);
  if (isOpen) openWord(Number(row), Number(word)); // at once; what has changed follows
  else if (edited) {
    edited.place = ""; // so that the next word is a new one
    setBusy(true);
  }
  if (isOpen && shown.version === version) return;
  const opening = setTimeout(() => {
    if (!isShown(name, number) && mine === opened)
      leavePage(create("b", {}, name), create("span", {}, "is opened …"));
  }, PATIENCE);
  const page = await ask("page", {name, number}).catch((error) => error);
  await unclicked();
  clearTimeout(opening);
  const now = given();
  if (now.name !== name || now.number !== number || mine < drawnLast) return; // left, or outdated
  drawnLast = mine;
  const isSame = isShown(name, number);
  if (page instanceof Error) return isSame ? show(page) : showFault(name, page);
  const isAlike = isSame && JSON.stringify({...page, version}) === JSON.stringify({...shown, version});
  shown = {...page, version};
  if (!isAlike) showPage();
  if (!isSame) scrollTo(0, 0);
  openWord(Number(now.row), Number(now.word));
}

/** Show the list of the address; `isBack`: after a page, where it was left. */
async function openList(isBack) {
  const {q, unread, doubtful, alike: corrected} = given();
  shown = null;
  place = "";
  leavePage();
  closeWord();
  const tree = showTree(state);
  await (corrected ? showAlike(state, confirmed)
    : doubtful ? showKinds(state, confirmed) : q || unread ? search(state) : showNotes(state));
  await tree;
  if (!isBack || given().name) return;
  scrollTo(0, list.scroll);
  if (!list.link) return;
  const kindLeft = CSS.escape(new URLSearchParams(list.link.slice(1)).get("kind") ?? "");
  const left = find(`#found a[href="${CSS.escape(list.link)}"]`)
    ?? find(`#found [data-kind="${kindLeft}"] .confirm`);
  left?.focus({preventScroll: true});
}

let lookedUp = null; // the corrected word whose like are offered

/** Offer to correct the words that look like a word that was corrected just now. */
async function offerAlike(name, address) {
  const corrected = {name, address: address.join(":"), words: []};
  lookedUp = corrected;
  Object.assign(corrected, await alike(name, corrected.address));
  const number = corrected.words.length;
  if (!number || lookedUp !== corrected) return;
  const looks = number === 1 ? "1 more word looks like this." : `${number} more words look like this.`;
  find("#alike span").textContent = looks;
  find("#alike").hidden = false;
}

/** Show the words that are offered. */
function showOffered() {
  const {name, address} = lookedUp;
  say("");
  isTour = false;
  visit({...NOWHERE, alike: `${address}:${name}`});
}

/** Correct the words that are offered. */
async function acceptOffered() {
  const {words, text} = lookedUp;
  say("");
  const done = await accept(words);
  confirmed(done, `${done.undo.length} × ${text}`);
}

/** Say that words are corrected, as they are in an answer. */
function confirmed({undo, version}, text) {
  undoable.push(undo);
  state.version = version;
  say(`Saved: ${text}`, true);
  open().catch(show);
}

const isShown = (name, number) => shown?.name === name && shown.number === Number(number);

/** Mark a word of the open page; with `edit` in the address, open it. */
function openWord(row, word) {
  const values = shown.rows[row - 1]?.words[word - 1], address = [shown.number, row, word];
  for (const each of document.querySelectorAll("#page .chosen")) each.classList.remove("chosen");
  const before = place;
  place = values ? [shown.name, ...address].join(":") : "";
  if (!values) return closeWord();
  const index = shown.rows.slice(0, row - 1).reduce((sum, {words}) => sum + words.length, word - 1);
  const marked = ["#sheet rect.word", "#rows a"].map((one) => document.querySelectorAll(one)[index]);
  marked.forEach((each) => each.classList.add("chosen"));
  if (place !== before) marked[0].scrollIntoView({block: "start"});
  if (!given().edit) {
    closeWord();
    const {activeElement} = document;
    if (place !== before || activeElement === document.body || !activeElement.checkVisibility())
      marked[1].focus({preventScroll: true});
    return;
  }
  const isNew = edited?.place !== place, {value, selectionStart, selectionEnd} = editor.text;
  const isTouched = !isNew && (edited.isTyped || selectionStart > 0 || selectionEnd < value.length);
  if (isTouched && edited.ink !== values.ink) return; // what is typed is not for other ink
  edited = {...values, name: shown.name, address, place, isTyped: !isNew && edited.isTyped};
  find("#read-as").textContent = about(values);
  find("#others").replaceChildren(...(values.ink ? values.others : []).map((text) =>
    button(text, () => correct(text))));
  find("#as-read").hidden = values.read === null;
  for (const each of editor.querySelectorAll("input, .main, #no-word")) each.disabled = !values.ink;
  editor.hidden = false;
  if (!isTouched && (isNew || value !== values.text)) {
    editor.text.value = values.text;
    editor.text.select(); // so that what is typed next replaces it
  }
  if (!isNew) return;
  find("#refused").textContent = "";
  const ink = find("#word-ink");
  ink.replaceChildren(clipping(shown, values.box, shown.rows[row - 1].words, sizeOf(ink)));
  editor.text.focus({preventScroll: true});
  release();
}

let releasing; // the timer of `release`

/** While a word is saved, or the next one is looked for, keys and buttons change nothing. */
function setBusy(value) {
  clearTimeout(releasing);
  isBusy = value;
  editor.classList.toggle("busy", value);
}

/** Take keys again, when who types has had time to see that the word is another one. */
function release() {
  const rest = dropped + PAUSE - performance.now();
  setBusy(rest > 0);
  if (isBusy) releasing = setTimeout(release, rest);
}

function closeWord() {
  if (editor.contains(document.activeElement)) document.activeElement.blur();
  editor.hidden = true;
  edited = null;
  setBusy(false);
}

function leaveWord() {
  isTour = false;
  if (given().name) closeWord(); // before the address is looked at, which is later
  return visit({edit: null});
}

/** Correct the open word. Null removes its correction. */
async function correct(text) {
  if (isBusy) return; // Enter was pressed twice, or another word is on its way
  const {name, address, ink, text: read, place: saved} = edited;
  setBusy(true);
  const changes = [{name, address, ink, text}];
  const done = await ask("correct", {}, {changes}).catch((error) => {
    if (edited?.place !== saved) return say(`Not saved: ${error.message}`);
    find("#refused").textContent = `Not saved: ${error.message}`;
    setBusy(false);
  });
  if (!done) return;
  undoable.push(done.undo);
  state.version = done.version; // so that the page is asked for again
  say(text === null ? "As it was read." : text ? `Saved: ${text}` : "Not a word.", true);
  if (text && text !== read) offerAlike(name, address).catch(show);
  if (edited?.place !== saved) await open(); // another word was opened meanwhile
  else if (isTour) await go(1);
  else if (given().kind) visit(NOWHERE); // where the others of its kind wait
  else leaveWord();
}

/** Take the last correction back. */
async function takeBack() {
  const last = undoable.pop();
  if (!last) return;
  const [{name, address: [number, row, word]}] = last;
  try {
    state.version = (await ask("correct", {}, {changes: last})).version;
    say("Undone.");
  } catch (error) {
    say(`Not undone: ${error.message}.`);
    if (shown) shown.version = null; // so that the other correction is seen
  }
  isTour = false;
  if (last.length > 1) await open();
  else visit({name, number, row, word, edit: null});
}

let saying;
function say(text, isUndoable = false) {
  clearTimeout(saying);
  saying = setTimeout(() => { find("#said").hidden = true; }, SAID_TIME);
  find("#said").hidden = !text;
  find("#said span").textContent = text || "";
  find("#undo").hidden = !isUndoable;
  find("#alike").hidden = true;
  lookedUp = null;
}

/** Go to the next doubtful word, or with `step` -1 to the one before. */
async function go(step) {
  isTour = true;
  applyFilters();
  const {name = "", number = 0, row = 0, word = 0, kind = ""} = given();
  const address = [number, row, word].join(":");
  setBusy(Boolean(edited));
  const found = await ask("doubtful", {name, address, step, kind, ...limits()})
    .catch((error) => { setBusy(false); throw error; });
  if (!isTour) return; // left meanwhile
  if (!found.name) {
    say(!name ? "There are no doubtful words." : step > 0 ? "No more doubtful words."
      : "This is the first doubtful word.");
    setBusy(false);
    return step > 0 && (kind ? visit(NOWHERE) : leaveWord());
  }
  const [page, nextRow, nextWord] = found.address;
  return visit({name: found.name, number: page, row: nextRow, word: nextWord, edit: 1});
}

/** Ask what is new, and show it. */
async function poll() {
  try {
    const next = await ask("state", {}), {isLooking, version: earlier} = state;
    state = {...next, version: Math.max(next.version, earlier ?? 0)}; // a word was saved meanwhile
    const {folder, notes, pages, words, unsure, left, problem} = state;
    document.title = `Notes: ${folder}`;
    const doing = left ? `Reading ${left} of ${notes + left} notes … `
      : state.isLooking ? "Looking at the folder … " : "";
    find("#about").replaceChildren(doing,
      `${notes.toLocaleString()} notes, ${pages.toLocaleString()} pages, `,
      `${words.toLocaleString()} words, ${unsure.toLocaleString()} doubtful `,
      create("span", {className: "fault"}, problem));
    showFaults(state);
    showLearning(state.learning, say, show);
    if (state.version !== earlier || state.isLooking !== isLooking) await open();
  } catch (error) {
    find("#about").textContent = error.message;
  }
  setTimeout(poll, POLL_TIME);
}

/** Name the notes that could not be read, in a line that opens. */
function showFaults({numFaults, faults}) {
  const more = numFaults - faults.length;
  find("#faults").hidden = !numFaults;
  find("#faults summary").textContent =
    `${numFaults} note${numFaults === 1 ? "" : "s"} could not be read`;
  const texts = more ? [...faults, `and ${more} more`] : faults;
  find("#faults div").replaceChildren(
    ...texts.map((text) => create("p", {className: "fault"}, text)));
}

let typing = null; // the timer of a change of the filters that the address lacks

/** Put the filters into the address. */
function applyFilters() {
  if (typing === null) return;
  clearTimeout(typing);
  typing = null;
  const values = Object.fromEntries(["q", "since", "until"].map(
    (name) => [name, filters[name].value]));
  const unread = filters.unread.checked ? "1" : null;
  const isOther = values.q !== (given().q ?? ""), isLeft = isOther || unread;
  const left = isLeft ? {doubtful: null, alike: null} : {};
  history.replaceState(null, "", link({...values, unread, ...left, ...NOWHERE}));
  restart();
}

filters.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    applyFilters();
    open().catch(show);
  }, TYPING_TIME);
});
editor.text.addEventListener("beforeinput", (event) => {
  if (!isBusy) return;
  event.preventDefault();
  if (event.data) dropped = performance.now();
});
editor.text.addEventListener("input", () => { if (edited) edited.isTyped = true; });
filters.addEventListener("submit", (event) => event.preventDefault());
editor.addEventListener("submit", (event) => {
  event.preventDefault();
  if (edited?.ink && !isBusy) correct(editor.text.value.trim());
});
find("#no-word").onclick = () => correct("");
find("#as-read").onclick = () => correct(null);
find("#next").onclick = () => go(1).catch(show);
find("#doubtful").onclick = () => {
  isTour = false;
  visit({...NOWHERE, doubtful: 1, alike: null, q: null, unread: null});
};
find("#previous").onclick = () => go(-1).catch(show);
find("#close").onclick = leaveWord;
find("#undo").onclick = takeBack;
find("#show-alike").onclick = showOffered;
find("#accept-alike").onclick = () => acceptOffered().catch(show);

new ResizeObserver(([{target}]) => document.documentElement.style
  .setProperty("--header", `${target.offsetHeight}px`)).observe(find("header"));

/** Choose another of the words that are offered. */
function choose(step) {
  const texts = [...new Set([edited.text, ...edited.others])];
  const index = texts.indexOf(editor.text.value);
  editor.text.value = texts[(index + step + texts.length) % texts.length];
  edited.isTyped = true;
  editor.text.select();
}

/** What a key does in the list: it moves the focus. */
function keyInList(key) {
  const step = {ArrowDown: 1, ArrowUp: -1}[key];
  const moved = keyInTree(key) ?? keyInNotes(key) ?? keyInKinds(key);
  if (moved || !step) return moved;
  const hits = [...document.querySelectorAll("#found .hit")];
  return () => (hits[hits.indexOf(document.activeElement) + step] ?? filters.q).focus();
}

/** Whether keys without Ctrl belong to an element. */
const isTyped = (element) => element.matches("input:not([type=checkbox])");

window.addEventListener("keydown", (event) => {
  const {key, target} = event, isField = isTyped(target);
  const vertical = {ArrowDown: 1, ArrowUp: -1}[key], far = {PageDown: 1, PageUp: -1}[key];
  const inWord = target === editor.text;
  if (key === "Enter" && event.repeat && editor.contains(target)) return event.preventDefault();
  let act;
  if (key === "Escape" && given().name) act = given().edit ? leaveWord : () => visit(NOWHERE);
  else if (key === "Escape" && given().alike && !isField) act = () => visit(correctedWord());
  else if (key === "Escape" && target === filters.q) act = () => target.blur();
  else if ((event.ctrlKey || event.metaKey) && key === "z" && !isField) act = takeBack;
  else if (event.ctrlKey || event.metaKey || event.altKey) return;
  else if (inWord && vertical && !isBusy) act = () => choose(vertical);
  else if (edited && far && !isBusy) act = () => go(far);
  else if (!given().name && (!isField || (target === filters.q && vertical))) act = keyInList(key);
  if (!act && !isField && key === "/") act = () => { filters.q.focus(); filters.q.select(); };
  else if (!act && !isField && {n: 1, p: -1}[key]) act = () => go({n: 1, p: -1}[key]);
  if (!act && !isField && key === "a" && !find("#alike").hidden) act = showOffered;
  if (!act) return;
  event.preventDefault();
  Promise.resolve(act()).catch(show);
});

function show(error) { say(error.message); }

window.addEventListener("hashchange", () => open().catch(show));
window.addEventListener("unhandledrejection", (event) => show(event.reason));
poll();
