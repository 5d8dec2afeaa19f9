// Texts: the characters that a network knows, the parts of long lines, and what was misread.

import { UserError } from "./engine.js";

const LONGEST = 1000; // characters of a line
const ALIKE = ["'’‘`", '"“”„', "-–—", "lI|", "Bß"]; // which nobody tells apart

// A text as it is written: in normal form C, without blanks around it or two between words.
export function plain(text) {
  const found = text.normalize("NFC").replace(/\s+/gu, " ").trim();
  if (!found) throw new UserError("There is no text to write.");
  if (found.length > LONGEST)
    throw new UserError(`A line has at most ${LONGEST} characters, this one ${found.length}.`);
  return found;
}

// The numbers of a text's characters.
export function encode(text, alphabet) {
  const known = new Map([...alphabet].map((character, number) => [character, number]));
  const unknown = new Set([...text].filter((character) => !known.has(character)));
  if (unknown.size) {
    const shown = [...unknown].slice(0, 10).join(" ");
    throw new UserError(`The network cannot write ${shown}: leave that out.`);
  }
  return [...text].map((character) => known.get(character));
}

// A text in parts of at most half of `longest` characters and of about equal lengths, where it has
// more than that; longer words are parts of their own (generation/writing.py).
export function partsOf(text, longest) {
  if (!longest || text.length <= longest) return [text];
  const most = longest >> 1;
  const aim = text.length / Math.ceil(text.length / most);
  const parts = [];
  for (const word of text.split(" ")) {
    const last = parts.at(-1);
    const fits = last?.length < aim && last.length + 1 + word.length <= most;
    parts.push(fits ? `${parts.pop()} ${word}` : word);
  }
  return parts;
}

// The words of a text, [start, end] each.
export function wordsOf(text) {
  return [...text.matchAll(/\S+/gu)].map(({ index, 0: word }) => [index, index + word.length]);
}

// The errors in what was read of a text, and its words [start, end] in which they are.
export function misread(text, read) {
  const like = (character) => ALIKE.find((group) => group.includes(character))?.[0] ?? character;
  // The lines that readers learned from have blanks before apostrophes.
  const seen = [...(text.includes(" '") ? read : read.replace(/ (?=['’])/g, ""))].map(like);
  const wanted = [...text].map(like);
  const costs = [[...seen, 0].map((_, column) => column)];
  wanted.forEach((character, row) => {
    costs.push([row + 1]);
    seen.forEach((other, column) => costs[row + 1].push(Math.min(
      costs[row][column] + Number(character !== other),
      Math.min(costs[row][column + 1], costs[row + 1][column]) + 1,
    )));
  });
  const wrong = new Set();
  for (let row = wanted.length, column = seen.length; row || column;) {
    const cost = costs[row][column];
    const same = row && column && wanted[row - 1] === seen[column - 1];
    if (!same) wrong.add(Math.max(row - 1, 0));
    const across = row && column && cost === costs[row - 1][column - 1] + Number(!same);
    const down = !across && row && cost === costs[row - 1][column] + 1;
    row -= Number(across || down);
    column -= Number(across || !down);
  }
  // An error at a blank is one of the words beside it.
  const inside = ([start, end]) => [...wrong].some((at) => at >= start - 1 && at <= end);
  return { errors: costs.at(-1).at(-1), doubtful: wordsOf(text).filter(inside) };
}
