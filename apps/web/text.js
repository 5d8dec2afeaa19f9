// Texts of the page: the characters that a network knows, rows, and distances.

const TOO_LONG = /(\S{28}\p{L})(?=\p{L}\S)|\S{30}(?=\S)/gu; // the first part of a long word

/** Replace or leave out the characters that a network does not know, except blanks. Return {text,
 * changes}: the new text; for each such character its replacement, "" if it is left out. */
export function transliterate(text, {alphabet, replacements = {}}) {
  const known = new Set(alphabet), changes = {};
  const separated = (sign) => (known.has(sign) ? sign : ` ${sign}`); // 1½ is not 11/2
  const replaced = (sign) => (known.has(sign) ? sign : changes[sign] = replacements[sign] ?? "");
  const spaced = text.normalize("NFC").replace(/(?<=\d)[¼-¾⅐-⅞]/gu, separated);
  return {text: spaced.replace(/\S/gu, replaced), changes};
}

/** Characters as a message names them, each with its replacement. */
export function named(signs, replacements = {}) {
  const code = (sign) => sign.codePointAt().toString(16).toUpperCase().padStart(4, "0");
  const describe = (sign) => /[\n\r\u2028\u2029]/.test(sign) ? "a line break"
    : /[\p{C}\p{M}]/u.test(sign) ? `U+${code(sign)}` : sign;
  const instead = (sign) => replacements[sign] ? ` (${replacements[sign]} instead)` : "";
  return [...new Set(signs.map((sign) => describe(sign) + instead(sign)))].join(", ");
}

/** A text whose words of more than 30 characters are broken into rows, with a hyphen between letters
 * if the alphabet has one. */
export const broken = (text, alphabet) => text.replace(TOO_LONG, (part, letters) =>
  `${part}${letters && alphabet.includes("-") ? "-" : ""}\n`);

/** The least number of insertions, deletions and replacements of characters that turn `text` into
 * `other`. */
export const editDistance = (text, other) => [...text].reduce((previous, character) => {
  const costs = [previous[0] + 1];
  [...other].forEach((wanted, i) => costs.push(
    Math.min(previous[i] + Number(character !== wanted), previous[i + 1] + 1, costs[i] + 1)));
  return costs;
}, [...other, ""].map((_, i) => i)).at(-1);
