// Texts: the characters that a network knows, and misread words.

const ALIKE = ["'’‘`", '"“”„', "-–—", "lI|", "Bß"]; // groups of signs that nobody tells apart

/** Return {text, changes}: the text in characters that a network knows, and the replacement of each
 * unknown sign, as `fit` in handwriting/plain_text.py, or "". Blanks of all kinds stay. */
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

/** The least number of characters to insert, delete or replace that turn a text into another. */
export const editDistance = (text, other) => [...text].reduce((previous, character) => {
  const costs = [previous[0] + 1];
  [...other].forEach((wanted, i) => costs.push(
    Math.min(previous[i] + (character !== wanted), previous[i + 1] + 1, costs[i] + 1)));
  return costs;
}, [...other, ""].map((_, i) => i)).at(-1);

/** The words of a text, [start, end] each. */
export const wordsOf = (text) =>
  [...text.matchAll(/\S+/gu)].map(({index, 0: word}) => [index, index + word.length]);

/** Return {doubtful, errors}: the words [start, end] of a text that are missing from its reading,
 * and the number of these words, plus the surplus words of the reading. */
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
