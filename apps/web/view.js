// The viewer of notes: searches them, shows their pages, and corrects words.

import {button, create, find} from "./dom.js";

const POLL_TIME = 2000; // ms from one question what is new to the next
const TYPING_TIME = 120; // ms after the last key until a search begins (assumed)
const SAID_TIME = 15_000; // ms that a message stays (assumed); Ctrl+Z works for longer
const FIRST = 10, MORE = 60; // hits of the first answer, which is fast, and of the next ones
const MAX_PARTS = 500; // parts of pages that are kept (assumed: 50 kB each)
const token = location.search.slice(1), filters = find("#filters"), editor = find("#word");
const parts = new Map(); // promises of the parts of pages that clippings show, by address
let state = {}, count = FIRST, shown; // `shown`: the open page
let asked = 0, opened = 0, drawnLast = 0; // numbers of a search, of a request for a page
let edited = null, isTour = false; // the open word; whether doubtful words are gone through
let place = "", isSaving = false; // the address of the marked word; whether a word is being saved
const undoable = []; // how to take back each correction

async function ask(what, values, body) {
  const address = `/api/${what}?${new URLSearchParams(values)}`;
  const answer = await fetch(body ? `/api/${what}` : address,
    {method: body ? "POST" : "GET", headers: {"X-Token": token}, body: body && JSON.stringify(body)})
    .catch(() => { throw new Error("The viewer has ended. Start it again."); });
  const found = await answer.json().catch(() => ({error: answer.statusText}));
  if (!answer.ok) throw new Error(found.error);
  return found;
}

/** An SVG element with attributes and children. */
function shape(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const rectangle = ([left, top, right, bottom], margin, attributes) => shape("rect", {
  x: left - margin, y: top - margin, width: right - left + 2 * margin,
  height: bottom - top + 2 * margin, rx: 20, ...attributes});

/** The images, the ink and the typed texts of a page. */
function drawn({paths, images, typed}) {
  const ink = paths.map(({data, colour, width, opacity, dash, blend}) => shape("path",
    width ? {d: data, fill: "none", stroke: colour, "stroke-width": width, opacity,
      "stroke-dasharray": dash.join(" "), class: blend} : {d: data, fill: colour, opacity}));
  const pictures = images.map(([[x, y, right, bottom], href]) =>
    shape("image", {x, y, width: right - x, height: bottom - y, href, preserveAspectRatio: "none"}));
  const texts = typed.flatMap(({text, x, y, size, colour}) => text.split("\n").map((line, number) =>
    shape("text", {x, y: y + (0.9 + 1.17 * number) * size, "font-size": size, fill: colour}, line)));
  return [...pictures, ...ink, ...texts];
}

const union = (boxes) => [0, 1, 2, 3].map((k) =>
  Math[k < 2 ? "min" : "max"](...boxes.map((box) => box[k])));

/** The part of a page around a box, in a row of words, for an element as wide as `width` and as high
 * as `height`; the box is marked. */
function clipping(page, box, words, [width, height]) {
  const [left, , right] = union([box, ...words.map((word) => word.box)]);
  const tall = page.rows.flatMap((row) => row.words.map(({box: [, top, , bottom]}) => bottom - top))
    .sort((one, other) => one - other);
  const high = 1.5 * Math.max(box[3] - box[1], 1.1 * (tall[Math.floor(0.8 * tall.length)] ?? 0));
  const wide = Math.max(high * width / height, 1.1 * (box[2] - box[0])), margin = 0.15 * high;
  const centred = Math.min((box[0] + box[2] - wide) / 2, right + margin - wide);
  const start = right - left + 2 * margin < wide ? left - margin : Math.max(centred, left - margin);
  const view = [start, (box[1] + box[3] - high) / 2, wide, high].map(Math.round).join(" ");
  return shape("svg", {viewBox: view, preserveAspectRatio: "xMinYMid meet", "aria-hidden": true},
    rectangle(box, 20, {class: "marked"}), ...drawn(page));
}

const sizeOf = (element) => [element.clientWidth || find("main").clientWidth,
  parseFloat(getComputedStyle(element).height)];

const watching = new IntersectionObserver((entries) => entries.forEach(({target, isIntersecting}) => {
  if (!isIntersecting) return;
  watching.unobserve(target);
  target.draw();
}), {rootMargin: "300px"});

/** The address of the page with some values changed; null removes a value. */
function link(values) {
  const all = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of Object.entries(values))
    if (value === null || value === "") all.delete(name); else all.set(name, value);
  return `#${all}`;
}

const given = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

const NOWHERE = {name: null, number: null, row: null, word: null, edit: null};

/** Go to the address with some values changed, and show what is there. */
function visit(values) {
  const address = link(values);
  if (address === (location.hash || "#")) return open();
  location.hash = address; // shows it, too
}

let released = Promise.resolve(); // fulfilled when a click that has begun is over
window.addEventListener("pointerdown", () => {
  released = new Promise((done) => {
    for (const end of ["pointerup", "pointercancel"])
      window.addEventListener(end, () => setTimeout(done), {once: true, capture: true});
  });
}, {capture: true});
const day = (date) => new Date(`${date}T12:00`).toLocaleDateString(undefined, {dateStyle: "medium"});

/** A hit as a link to its page: the clipping of its ink, and how sure it is. */
function hitLink(hit) {
  const {name, page_number: number, row_number: row, word_number: word, place} = hit;
  const paper = create("div", {className: "clip"}), isPlace = place !== undefined;
  const values = {name, number, ...isPlace ? {place} : {row}};
  const key = [state.version, ...Object.values(values), isPlace].join("|");
  paper.draw = async () => {
    if (!parts.has(key)) parts.set(key, ask("page", values));
    try {
      const page = await parts.get(key);
      if (!paper.isConnected) return;
      const words = page.rows[row - 1]?.words ?? [];
      const marked = words.slice(word - 1, word - 1 + hit.numWords).map((each) => each.box);
      const box = isPlace ? page.unread[place] : union(marked);
      paper.replaceChildren(clipping(page, box, words, sizeOf(paper)));
    } catch (error) { paper.textContent = error.message; }
  };
  watching.observe(paper);
  const sure = isPlace ? "" : hit.is_similar ? "perhaps" : `${Math.round(100 * hit.confidence)} %`;
  const at = isPlace ? {} : {row, word};
  return create("a", {className: "hit", href: link({...NOWHERE, name, number, ...at})}, paper,
    create("span", {}, create("span", {className: "text"}, hit.text),
      create("small", {}, `page ${number}${sure && ` · ${sure}`}`)));
}

/** Show the hits by note. */
function showHits({hits, notes, more}) {
  const groups = new Map();
  for (const hit of hits ?? []) {
    const key = hit.is_similar ? "Perhaps" : hit.name;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(hit);
  }
  const sections = [...groups].map(([name, list]) => create("section", {className: "note"},
    create("h2", {}, name, create("small", {}, name === "Perhaps" ? "a letter differs"
      : day(list[0].date))), ...list.map(hitLink)));
  const cards = (notes ?? []).map(({name, date, pages, unsure}) => create("a", {className: "hit card",
    href: link({...NOWHERE, name, number: 1})}, create("b", {}, name),
  create("small", {}, !pages ? "could not be read" : `${day(date)} · ${pages} page${pages === 1 ? "" : "s"}`
    + (unsure ? ` · ${unsure} doubtful` : ""))));
  const nothing = (hits ?? notes).length === 0 ? [create("p", {className: "quiet"},
    state.left || state.isLooking ? "Nothing yet; notes are still being read." : "Nothing was found.")] : [];
  const further = more ? [button("More", () => { count += MORE; search(); })] : [];
  find("#found").replaceChildren(...cards, ...sections, ...nothing, ...further);
}

/** Search as the filters say: first the first hits, then more of them. */
async function search() {
  const mine = ++asked, {unread, q = "", folder = "", since = "", until = ""} = given();
  if (parts.size > MAX_PARTS) parts.clear();
  const before = document.activeElement, focused = before?.getAttribute("href");
  for (const number of count > FIRST ? [count] : [FIRST, MORE]) {
    const found = await ask(unread ? "unread" : "search", {q, folder, since, until, count: number});
    await released;
    if (mine !== asked) return; // a later search has begun
    const isFree = [before, document.body].includes(document.activeElement);
    showHits(found);
    if (isFree && focused?.startsWith("#")) find(`#found a[href="${CSS.escape(focused)}"]`)?.focus();
    if (!found.more) break;
    if (number > count) count = number;
  }
}

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
  find("#place").replaceChildren(create("a", {href: link(NOWHERE), title: "Escape"}, "← Found"),
    create("b", {}, name), create("span", {}, `${day(date)} · page ${number} of ${pages}${over}`),
    turn(number - 1, "previous page"), turn(number + 1, "next page"));
}

/** Say why a page cannot be shown, where it would be. */
function showFault(name, error) {
  shown = null;
  closeWord();
  for (const part of ["#sheet", "#rows"]) find(part).replaceChildren();
  find("#place").replaceChildren(create("a", {href: link(NOWHERE), title: "Escape"}, "← Found"),
    create("b", {}, name), create("span", {className: "fault"}, error.message));
}

const kind = (word) => `word${word.read === null ? "" : " corrected"}${word.isSure ? "" : " doubtful"}`;

function about({ink, read, confidence, text}) {
  if (!ink) return "typed";
  if (read !== null) return `corrected; it was read as “${read}”`;
  return `read as “${text}”, ${Math.round(100 * confidence)} % sure`;
}

/** Open the page of the address, or what was found. */
async function open() {
  const mine = ++opened, {name, number, row, word, ...rest} = given();
  if (typing === null) for (const field of filters.elements)
    if (field.type === "checkbox") field.checked = Boolean(rest[field.name]);
    else if (field.name && field !== document.activeElement) field.value = rest[field.name] ?? "";
  find("#found").hidden = Boolean(name);
  find("#page").hidden = !name;
  if (!name) {
    shown = null;
    place = "";
    for (const part of ["#place", "#sheet", "#rows"]) find(part).replaceChildren();
    closeWord();
    return search();
  }
  const {version} = state, isOpen = isShown(name, number);
  if (isOpen) openWord(Number(row), Number(word)); // at once; what has changed follows
  if (isOpen && shown.version === version) return;
  const page = await ask("page", {name, number}).catch((error) => error);
  await released;
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
    if (!document.activeElement.checkVisibility() || document.activeElement === document.body)
      marked[1].focus({preventScroll: true});
    return;
  }
  const isNew = edited?.place !== place, hasChanged = isNew || editor.text.value === edited.text;
  edited = {...values, name: shown.name, address, place};
  find("#read-as").textContent = about(values);
  find("#others").replaceChildren(...(values.ink ? values.others : []).map((text) =>
    button(text, () => correct(text))));
  find("#as-read").hidden = values.read === null;
  for (const each of editor.querySelectorAll("input, .main, #no-word")) each.disabled = !values.ink;
  if (hasChanged && editor.text.value !== values.text) editor.text.value = values.text;
  editor.hidden = false;
  if (!isNew) return; // what is typed stays
  find("#refused").textContent = "";
  const ink = find("#word-ink");
  ink.replaceChildren(clipping(shown, values.box, shown.rows[row - 1].words, sizeOf(ink)));
  editor.text.focus({preventScroll: true});
  editor.text.select();
}

function closeWord() {
  if (editor.contains(document.activeElement)) document.activeElement.blur();
  editor.hidden = true;
  edited = null;
}

function leaveWord() {
  isTour = false;
  if (given().name) closeWord(); // before the address is looked at, which is later
  return visit({edit: null});
}

/** Correct the open word. Null removes its correction. */
async function correct(text) {
  if (isSaving) return; // Enter was pressed twice
  const {name, address, ink, place: saved} = edited;
  isSaving = true;
  try {
    const done = await ask("correct", {}, {name, address, ink, text}).catch((error) => {
      find("#refused").textContent = `Not saved: ${error.message}`;
    });
    if (!done) return;
    undoable.push({name, address, ink, text: done.before, undone: done.now});
    state.version = done.version; // so that the page is asked for again
    say(text === null ? "As it was read." : text ? `Saved: ${text}` : "Not a word.", true);
    if (edited?.place !== saved) await open(); // another word was opened meanwhile
    else await (isTour ? go(1) : leaveWord());
  } finally { isSaving = false; }
}

/** Take the last correction back. */
async function takeBack() {
  const last = undoable.pop();
  if (!last) return;
  const {name, address: [number, row, word]} = last;
  try {
    state.version = (await ask("correct", {}, last)).version;
    say("Undone.");
  } catch (error) {
    say(`Not undone: ${error.message}.`);
    if (shown) shown.version = null; // so that the other correction is seen
  }
  isTour = false;
  await visit({name, number, row, word, edit: null});
}

let saying;
function say(text, isUndoable = false) {
  clearTimeout(saying);
  saying = setTimeout(() => { find("#said").hidden = true; }, SAID_TIME);
  find("#said").hidden = !text;
  find("#said span").textContent = text || "";
  find("#undo").hidden = !isUndoable;
}

/** Go to the next doubtful word, or with `step` -1 to the one before. */
async function go(step) {
  isTour = true;
  applyFilters();
  const {name = "", number = 0, row = 0, word = 0, folder = "", since = "", until = ""} = given();
  const address = [number, row, word].join(":");
  const found = await ask("doubtful", {name, address, step, folder, since, until});
  if (!isTour) return; // left meanwhile
  if (!found.name) {
    say(!name ? "There are no doubtful words." : step > 0 ? "No more doubtful words."
      : "This is the first doubtful word.");
    return step > 0 && leaveWord();
  }
  const [page, nextRow, nextWord] = found.address;
  return visit({name: found.name, number: page, row: nextRow, word: nextWord, edit: 1});
}

/** Ask what is new, and show it. */
async function poll() {
  try {
    const next = await ask("state", {}), {isLooking, version: earlier, folders: listed} = state;
    state = {...next, version: Math.max(next.version, earlier ?? 0)}; // a word was saved meanwhile
    const {folder, notes, pages, words, unsure, left, folders, problem} = state;
    document.title = `Notes: ${folder}`;
    const doing = left ? `Reading ${left} of ${notes + left} notes … `
      : state.isLooking ? "Looking at the folder … " : "";
    find("#about").replaceChildren(doing,
      `${notes} notes, ${pages} pages, ${words.toLocaleString()} words, ${unsure} doubtful `,
      create("span", {className: "fault"}, problem));
    showFaults(state);
    const chosen = given().folder ?? "";
    if (String(folders) !== String(listed)) filters.folder.replaceChildren(
      ...["", ...folders].map((name) =>
        create("option", {value: name, selected: name === chosen}, name || "All")));
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
  const values = Object.fromEntries(["q", "folder", "since", "until"].map(
    (name) => [name, filters[name].value]));
  const unread = filters.unread.checked ? "1" : null;
  history.replaceState(null, "", link({...values, unread, ...NOWHERE}));
  count = FIRST;
}

filters.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    applyFilters();
    open().catch(show);
  }, TYPING_TIME);
});
filters.addEventListener("submit", (event) => event.preventDefault());
editor.addEventListener("submit", (event) => {
  event.preventDefault();
  if (edited?.ink) correct(editor.text.value.trim());
});
find("#no-word").onclick = () => correct("");
find("#as-read").onclick = () => correct(null);
find("#next").onclick = find("#doubtful").onclick = () => go(1).catch(show);
find("#previous").onclick = () => go(-1).catch(show);
find("#close").onclick = leaveWord;
find("#undo").onclick = takeBack;

new ResizeObserver(([{target}]) => document.documentElement.style
  .setProperty("--header", `${target.offsetHeight}px`)).observe(find("header"));

/** Choose another of the words that are offered. */
function choose(step) {
  const texts = [...new Set([edited.text, ...edited.others])];
  const index = texts.indexOf(editor.text.value);
  editor.text.value = texts[(index + step + texts.length) % texts.length];
  editor.text.select();
}

function moveAmongHits(step) {
  const hits = [...document.querySelectorAll("#found .hit")];
  const next = hits[hits.indexOf(document.activeElement) + step];
  (next ?? filters.q).focus();
}

/** Whether keys without Ctrl belong to an element. */
const isTyped = (element) => element.matches("input:not([type=checkbox]), select");

window.addEventListener("keydown", (event) => {
  const {key, target} = event, isField = isTyped(target);
  const vertical = {ArrowDown: 1, ArrowUp: -1}[key], far = {PageDown: 1, PageUp: -1}[key];
  const inWord = target === editor.text;
  let act;
  if (key === "Escape" && given().name) act = given().edit ? leaveWord : () => visit(NOWHERE);
  else if (key === "Escape" && target === filters.q) act = () => target.blur();
  else if ((event.ctrlKey || event.metaKey) && key === "z" && !isField) act = takeBack;
  else if (event.ctrlKey || event.metaKey || event.altKey) return;
  else if (inWord && vertical) act = () => choose(vertical);
  else if (edited && far) act = () => go(far);
  else if (vertical && !given().name && (!isField || target === filters.q)) act = () => moveAmongHits(vertical);
  else if (!isField && key === "/") act = () => { filters.q.focus(); filters.q.select(); };
  else if (!isField && {n: 1, p: -1}[key]) act = () => go({n: 1, p: -1}[key]);
  if (!act) return;
  event.preventDefault();
  Promise.resolve(act()).catch(show);
});

function show(error) { say(error.message); }

window.addEventListener("hashchange", () => open().catch(show));
window.addEventListener("unhandledrejection", (event) => show(event.reason));
poll();
