// Texts: the characters that a network knows, and what was misread.

const ALIKE = ["'’‘`", '"“”„', "-–—", "lI|", "Bß"]; // which nobody tells apart

/** A text as it is written: in normal form C, without blanks around it or two between words. */
export const plain = (text) => text.normalize("NFC").replace(/\s+/gu, " ").trim();

/** The numbers of a text's characters. */
export function encode(text, alphabet) {
  const known = [...alphabet], numbers = [...text].map((character) => known.indexOf(character));
  const unknown = new Set([...text].filter((_, i) => numbers[i] < 0));
  if (!unknown.size) return numbers;
  const shown = [...unknown].slice(0, 10).join(" ");
  throw new Error(`The network cannot write ${shown}: leave that out.`);
}

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
    const found = seen.indexOf(folded(text.slice(...span)), at);
    if (found >= 0) at = found + 1;
    return found < 0;
  });
  return {doubtful, errors: doubtful.length + Math.max(seen.length - words.length, 0)};
}
