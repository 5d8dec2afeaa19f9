// The notes of the folder: a tree of its folders, and thumbnails of the notes.

import {button, create, find} from "./dom.js";
import {NOWHERE, ask, counted, day, given, limits, link, suffixOf, visit} from "./view_address.js";
import {drawn, shape} from "./view_ink.js";
import {fill, underWay} from "./view_list.js";

const GAP = 20, MIN_WIDTH = 150; // pixels between thumbnails, and least width of one (assumed)
const RATIO = 1.25, TEXT_HEIGHT = 72; // height of a thumbnail's paper by its width; of its text
const STILL_TIME = 60; // ms that a thumbnail is in sight until it is asked for (assumed)
const MAX_ASKED = 4; // thumbnails that are asked for at a time (assumed)
const MAX_THUMBNAILS = 600; // that are kept (assumed: 10 kB each)
const tree = find("#folders"), isWide = matchMedia("(min-width: 56rem)");
const order = new Intl.Collator(undefined, {numeric: true}).compare;
const thumbnails = new Map(); // promises of thumbnails, by note and state
const opened = new Set([""]); // folders whose folders are shown
let notes = [], known = null; // all notes; of which version
let below = new Map(); // the folders in each folder, with the number of notes in them and below them
let sorted = [], grid = null, cards = new Map(); // the chosen notes, and the cards that are in sight
let laidWidth = 0, columns = 1, rowHeight = 1, cardWidth = 1; // pixels, for which width
let waiting = [], numAsked = 0; // cards whose thumbnails are to be asked for, and number of asked ones

/** Learn the notes of a version of the folder. */
async function learn(version) {
  if (known === version) return;
  const answer = await ask("notes", {});
  notes = answer.notes.map(([name, date, pages, unsure, stamp]) => ({name, date, pages, unsure, stamp,
    folder: name.slice(0, Math.max(name.lastIndexOf("/"), 0))}));
  const counts = new Map();
  for (const {folder} of notes) for (let path = folder; path; path = parentOf(path))
    counts.set(path, (counts.get(path) ?? 0) + 1);
  below = Map.groupBy([...counts].sort(([one], [other]) => order(one, other)),
    ([path]) => parentOf(path));
  known = version;
}

const parentOf = (path) => path.slice(0, Math.max(path.lastIndexOf("/"), 0));

// The tree

function branch(path, name, count, chosen) {
  const inner = below.get(path) ?? [], isOpen = opened.has(path);
  const toggle = () => {
    if (opened.has(path)) opened.delete(path); else opened.add(path);
    drawTree();
  };
  const twist = inner.length && path
    ? Object.assign(button("", toggle), {className: "twist", tabIndex: -1}) : create("span");
  twist.setAttribute?.("aria-label", `${isOpen ? "Close" : "Open"} ${name}`);
  const text = create("a", {href: link({...NOWHERE, alike: null, folder: path}), title: path || name}, name,
    create("small", {}, count.toLocaleString()));
  Object.assign(text, {path, toggle: inner.length && path ? toggle : null, isOpen});
  if (path === chosen) text.setAttribute("aria-current", "true");
  const list = inner.length && isOpen ? [create("ul", {}, ...inner.map(([each, number]) =>
    branch(each, each.slice(each.lastIndexOf("/") + 1), number, chosen)))] : [];
  return create("li", {className: isOpen ? "open" : ""}, create("div", {}, twist, text), ...list);
}

function drawTree() {
  const {folder = ""} = given(), nav = find("#folders nav"), {path} = document.activeElement;
  const isFocused = nav.contains(document.activeElement);
  nav.replaceChildren(create("ul", {}, branch("", "All notes", notes.length, folder)));
  find("#folders summary").textContent = folder ? `Folder: ${folder}` : "Folders";
  tree.hidden = !notes.some((note) => note.folder);
  find("#list").classList.toggle("flat", tree.hidden);
  if (isFocused) [...nav.querySelectorAll("a")].find((each) => each.path === path)?.focus();
}

/** Show the tree of folders, with the folders above the chosen one open. */
export async function showTree({version}) {
  await learn(version);
  const names = (given().folder ?? "").split("/");
  for (let depth = 1; depth < names.length; depth++) opened.add(names.slice(0, depth).join("/"));
  drawTree();
}

tree.open = isWide.matches;
isWide.addEventListener("change", () => { tree.open = isWide.matches; });
tree.addEventListener("click", (event) => {
  if (event.target.closest("a") && !isWide.matches) tree.open = false;
});

/** What a key does in the tree. */
export function keyInTree(key) {
  const links = [...tree.querySelectorAll("a")], here = document.activeElement;
  const step = {ArrowDown: 1, ArrowUp: -1}[key], index = links.indexOf(here);
  if (index < 0) return null;
  if (step) return () => (links[index + step] ?? (step < 0 ? find("[name=q]") : here)).focus();
  const isOpen = here.toggle && here.isOpen;
  if (key === "ArrowRight" && here.toggle)
    return () => isOpen ? links[index + 1].focus() : here.toggle();
  const above = links.find(({path}) => path === parentOf(here.path));
  if (key === "ArrowLeft") return () => isOpen ? here.toggle() : above.focus();
  return null;
}

// The thumbnails

/** Show the notes in the chosen folder and between the dates, by date or name; with `names`, those
 * of them that a search of limits alone has. */
export async function showNotes({version, left, isLooking}, names = null) {
  const {by = "date", q = ""} = given(), {folder, since, until} = limits();
  const way = underWay(JSON.stringify([by, folder, since, until, q]), "Looking at the notes …");
  await way.wait(learn(version));
  sorted = notes.filter((note) => (!folder || `${note.folder}/`.startsWith(`${folder}/`))
    && since <= note.date && note.date <= (until || "9") && (!names || names.has(note.name)));
  if (by === "name") sorted.sort((one, other) => order(one.name, other.name));
  const orders = create("span", {className: "buttons", role: "group", ariaLabel: "Order"},
    ...[["date", "By date"], ["name", "By name"]].map(([value, text]) => {
      const choice = button(text, () => visit({by: value === "date" ? null : value}));
      choice.setAttribute("aria-pressed", String(by === value));
      return choice;
    }));
  const nothing = sorted.length ? [] : [create("p", {className: "quiet"}, left || isLooking
    ? "Nothing yet; notes are still being read." : "Nothing was found.")];
  const focused = document.activeElement?.closest?.("#notes > a")?.note.name;
  const element = create("div", {id: "notes"});
  if (!await fill(way, create("div", {className: "bar"}, create("h2", {}, q || folder || "All notes",
    create("small", {}, counted(sorted.length, "note"))), orders), ...nothing, element)) return;
  grid = element;
  laidWidth = 0;
  layOut();
  const index = focused === undefined ? -1 : sorted.findIndex(({name}) => name === focused);
  if (index >= 0) cardAt(index).focus({preventScroll: true});
}

/** Place the notes in as many columns as there is room for, if that has changed. */
function layOut() {
  const width = grid?.clientWidth;
  if (!width || width === laidWidth) return;
  const focused = document.activeElement?.closest?.("#notes > a")?.index;
  laidWidth = width;
  columns = Math.max(2, Math.floor((width + GAP) / (MIN_WIDTH + GAP)));
  cardWidth = (width - GAP * (columns - 1)) / columns;
  rowHeight = Math.round(RATIO * cardWidth) + TEXT_HEIGHT + GAP;
  grid.style.height = `${Math.ceil(sorted.length / columns) * rowHeight}px`;
  grid.replaceChildren();
  cards = new Map();
  drawCards();
  if (focused !== undefined) cardAt(focused).focus({preventScroll: true});
}

/** Have cards of the notes that are in sight, and no others but the one with the focus. */
function drawCards() {
  if (!grid?.isConnected || !grid.clientWidth) return;
  const {top} = grid.getBoundingClientRect();
  const first = Math.max(Math.floor(-top / rowHeight) - 1, 0) * columns;
  const last = Math.min((Math.ceil((innerHeight - top) / rowHeight) + 1) * columns, sorted.length);
  for (const [index, card] of cards)
    if ((index < first || index >= last) && card !== document.activeElement) {
      card.remove();
      cards.delete(index);
    }
  for (let index = first; index < last; index++) cardAt(index);
}

/** The card of a note, which is made if it is not there. */
function cardAt(index) {
  if (cards.has(index)) return cards.get(index);
  const note = sorted[index], {name, date, pages, unsure, folder} = note;
  const title = name.slice(folder && folder.length + 1), end = suffixOf(title);
  const href = link({...NOWHERE, name, number: 1});
  const card = create("a", {className: "hit card", href, title: name},
    create("div", {className: "thumb"}),
    create("b", {}, title.slice(0, title.length - end.length), create("i", {}, end)),
    create("small", {}, !pages ? "could not be read"
      : pages > 1 ? `${day(date)} · ${counted(pages, "page")}` : day(date)),
    create("small", {}, [folder, unsure ? `${unsure} doubtful` : ""].filter(Boolean).join(" · ")));
  Object.assign(card, {note, index});
  const left = (index % columns) * (cardWidth + GAP), top = Math.floor(index / columns) * rowHeight;
  const style = {left, top, width: cardWidth, height: rowHeight - GAP};
  for (const [property, value] of Object.entries(style)) card.style[property] = `${value}px`;
  card.firstChild.style.height = `${Math.round(RATIO * cardWidth)}px`;
  cards.set(index, card);
  grid.insertBefore(card, [...grid.children].find((each) => each.index > index) ?? null);
  if (pages) {
    waiting.push(card);
    setTimeout(askForThumbnails, thumbnails.has(keyOf(note)) ? 0 : STILL_TIME);
  }
  return card;
}

const keyOf = ({name, stamp}) => `${stamp} ${name}`;

/** Ask for the thumbnails of the cards that are still there, from the top. */
function askForThumbnails() {
  while (numAsked < MAX_ASKED && waiting.length) {
    const card = waiting.shift(), key = keyOf(card.note);
    if (!card.isConnected) continue;
    if (thumbnails.size > MAX_THUMBNAILS) thumbnails.clear();
    if (!thumbnails.has(key)) thumbnails.set(key, ask("thumbnail", {name: card.note.name}));
    numAsked++;
    thumbnails.get(key).then((page) => {
      const [width, height] = page.size, high = Math.min(height, RATIO * width);
      const viewBox = `0 0 ${width} ${high}`, preserveAspectRatio = "xMidYMin slice";
      card.firstChild.replaceChildren(shape("svg", {viewBox, preserveAspectRatio, "aria-hidden": true},
      shape("rect", {width, height: RATIO * width, fill: page.paper}), ...drawn(page)));
    }, (error) => {
      thumbnails.delete(key);
      card.firstChild.textContent = error.message;
    }).finally(() => {
      numAsked--;
      askForThumbnails();
    });
  }
}

/** What a key does at a thumbnail, or in the search field above the thumbnails. */
export function keyInNotes(key) {
  if (!grid?.isConnected || !sorted.length) return null;
  const {index = -1} = document.activeElement.closest("#notes > a") ?? {};
  const end = sorted.length - 1;
  const next = index < 0 ? {ArrowDown: 0}[key] : {
    ArrowDown: Math.min(index + columns, end), ArrowUp: index - columns,
    ArrowRight: Math.min(index + 1, end), ArrowLeft: Math.max(index - 1, 0), Home: 0, End: end}[key];
  if (next === undefined) return null;
  return () => next < 0 ? find("[name=q]").focus() : goTo(next);
}

function goTo(index) {
  const {top} = grid.getBoundingClientRect(), header = find("header").offsetHeight;
  const from = top + Math.floor(index / columns) * rowHeight, to = from + rowHeight;
  if (from < header) scrollBy(0, from - header);
  else if (to > innerHeight) scrollBy(0, to - innerHeight);
  drawCards();
  cardAt(index).focus({preventScroll: true});
}

window.addEventListener("scroll", drawCards, {passive: true});
new ResizeObserver(layOut).observe(find("#found"));
