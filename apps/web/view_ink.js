// Draws pages of ink, and parts of them.

import {create, find} from "./dom.js";
import {NOWHERE, ask, link} from "./view_address.js";

/** An SVG element with attributes and children. */
export function shape(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const rectangle = ([left, top, right, bottom], margin, attributes) => shape("rect", {
  x: left - margin, y: top - margin, width: right - left + 2 * margin,
  height: bottom - top + 2 * margin, rx: 20, ...attributes});

/** The images, the ink and the typed texts of a page. */
export function drawn({paths, images, typed}) {
  const ink = paths.map(({data, colour, width, opacity, dash, blend}) => shape("path",
    width ? {d: data, fill: "none", stroke: colour, "stroke-width": width, opacity,
      "stroke-dasharray": dash.join(" "), class: blend} : {d: data, fill: colour, opacity}));
  const pictures = images.map(([[x, y, right, bottom], href]) =>
    shape("image", {x, y, width: right - x, height: bottom - y, href, preserveAspectRatio: "none"}));
  const texts = typed.flatMap(({text, x, y, size, colour}) => text.split("\n").map((line, number) =>
    shape("text", {x, y: y + (0.9 + 1.17 * number) * size, "font-size": size, fill: colour}, line)));
  return [...pictures, ...ink, ...texts];
}

export const union = (boxes) => [0, 1, 2, 3].map((k) =>
  Math[k < 2 ? "min" : "max"](...boxes.map((box) => box[k])));

/** The part of a page around a box, in a row of words, for an element as wide as `width` and as high
 * as `height`; the box is marked. */
export function clipping(page, box, words, [width, height]) {
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

export const sizeOf = (element) => [element.clientWidth || find("main").clientWidth,
  parseFloat(getComputedStyle(element).height)];

export const watching = new IntersectionObserver((entries) => entries.forEach(({target, isIntersecting}) => {
  if (!isIntersecting) return;
  watching.unobserve(target);
  target.draw();
}), {rootMargin: "300px"});

const MAX_PARTS = 500; // parts of pages that are kept (assumed: 50 kB each)
const parts = new Map(); // promises of the parts of pages that clippings show, by address

/** A link to a word or a place of a page, which shows its clipping and `texts` below it; words that
 * were read anew since `version` are other ones. */
export function clipLink(hit, version, address, ...texts) {
  const {name, page_number: number, row_number: row, word_number: word, place} = hit;
  const paper = create("div", {className: "clip"}), isPlace = place !== undefined;
  const values = {name, number, ...isPlace ? {place} : {row}};
  const key = [version, ...Object.values(values), isPlace].join("|");
  paper.draw = async () => {
    if (parts.size > MAX_PARTS) parts.clear();
    if (!parts.has(key)) parts.set(key, ask("page", values));
    try {
      const page = await parts.get(key);
      if (!paper.isConnected) return;
      const words = page.rows[row - 1]?.words ?? [];
      const marked = words.slice(word - 1, word - 1 + (hit.numWords ?? 1)).map((each) => each.box);
      const box = isPlace ? page.unread[place] : union(marked);
      paper.replaceChildren(clipping(page, box, words, sizeOf(paper)));
    } catch (error) { paper.textContent = error.message; }
  };
  watching.observe(paper);
  const at = isPlace ? {} : {row, word};
  return create("a", {className: "hit", href: link({...NOWHERE, name, number, ...at, ...address})},
    paper, create("span", {}, ...texts));
}
