// Texts: the characters that a network knows, and what was misread.

const ALIKE = ["'’‘`", '"“”„', "-–—", "lI|", "Bß"]; // which nobody tells apart

/** A text of characters that a network knows, and what stands for each of the others: what `page`
 * writes (`fit` in handwriting/plain_text.py), or nothing. Blanks of all kinds stay. */
export function fit(text, {alphabet, replacements = {}}) {
  const signs = new Set(alphabet), changes = {};
  const apart = (sign) => (signs.has(sign) ? sign : ` ${sign}`); // 1½ is not 11/2
  const fitted = text.normalize("NFC").replace(/(?<=\d)[¼-¾⅐-⅞]/gu, apart).replace(/\S/gu,
    (sign) => (signs.has(sign) ? sign : changes[sign] = replacements[sign] ?? ""));
  return {text: fitted, changes};
}

/** The numbers of a text's characters. */
export const encode = (text, alphabet) =>
  [...text].map((character) => [...alphabet].indexOf(character));

/** How many characters to insert, delete or replace for one text to become another. */
export const editDistance = (text, other) => [...text].reduce((before, character) => {
  const costs = [before[0] + 1];
  [...other].forEach((wanted, i) => costs.push(
    Math.min(before[i] + (character !== wanted), before[i + 1] + 1, costs[i] + 1)));
  return costs;
}, [...other, ""].map((_, i) => i)).at(-1);

/** The words of a text, [start, end] each. */
export const wordsOf = (text) =>
  [...text.matchAll(/\S+/gu)].map(({index, 0: word}) => [index, index + word.length]);

/** The words [start, end] of a text that are not in what was read of it, in their order, and how
 * many there are, with those that were read and are not in the text. */
export function misread(text, read) {
  const like = (character) => ALIKE.find((group) => group.includes(character))?.[0] ?? character;
  // The lines that readers learned from have blanks before apostrophes.
  const folded = (words) => [...words.replace(/ (?=['’])/g, "")].map(like).join("");
  const seen = folded(read).split(" "), words = wordsOf(text);
  let at = 0;
  const doubtful = words.filter((span) => {
    const place = seen.indexOf(folded(text.slice(...span)), at);
    if (place >= 0) at = place + 1;
    return place < 0;
  });
  return {doubtful, errors: doubtful.length + Math.max(seen.length - words.length, 0)};
}
