"""Reads a user's text: its lines with their front matter, in characters that a network knows."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from apps.pages.front_matter import with_front_matter
from apps.pages.page_options import LOOK_PARSERS, PageOptions, Values, line_height
from apps.pages.paragraphs import FILL, kind_of
from apps.pages.transliteration import LINE_ENDS, MU, MU_WITHOUT_LEG, explain, transliterate
from ink.alphabet import Alphabet, describe, nfc
from utils.checks import UserError, short

MAX_LINES = 5_000  # largest number of lines (assumed: 5,000 empty lines are 170 pages of A4)
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ", "0123456789n", strict=True))
"""Raised characters, and for each the character that is written, smaller, in its place."""
MAX_WORD = 99  # largest number of characters of a word (assumed: longer ones take minutes)


def parse_text(text: str, source: str, options: PageOptions) -> list[tuple[Values, str]]:
    """Return each line of a text with the values of the front matter before it.

    Raises:
        UserError: if there are too many lines, or a word is too long, or the front matter has
            faults or does not fit on the paper.
    """

    def check(values: Values) -> None:
        line_height(replace(options.look, **values), options.line_height, options.paper)

    lines = LINE_ENDS.sub("\n", text).split("\n")
    if len(lines) > MAX_LINES:
        raise UserError(f"{source}: {len(lines):,} lines; at most {MAX_LINES:,} are accepted")
    marked_lines = with_front_matter(lines, source, LOOK_PARSERS, check)
    for word in chain.from_iterable(FILL.sub(" ", line).split() for _, line in marked_lines):
        if len(word) > MAX_WORD:
            problem = f"{short(word)} is no word: {len(word):,} characters without a blank"
            raise UserError(f"{source}: {problem}; at most {MAX_WORD} are accepted")
    return marked_lines


def known_lines(
    lines: Sequence[str], alphabet: Alphabet, skip_unknown: bool
) -> tuple[list[str], list[str]]:
    """Return lines in characters that a network knows, without empty lines at the end, and a list
    of at most one sentence on the characters that were replaced or left out.

    Raises:
        UserError: if a character is not known and not to be skipped, or nothing is left to write.
    """
    text, in_table = "", False
    for line in lines:  # Tabs only at a line's start are an indent, unless a table is above.
        in_table = kind_of(line) == "table" and (in_table or "\t" in line.lstrip())
        text += (line if in_table else line.expandtabs(4)) + "\n"
    raised = (sign for sign, written in RAISED.items() if not alphabet.unknown(written))
    drawn = [MU] if not alphabet.unknown(MU_WITHOUT_LEG) else []
    transliteration = transliterate(text, {*alphabet.characters, "\t", *raised, *drawn})
    if transliteration.left_out and not skip_unknown:
        known_only(alphabet, [*transliteration.left_out], skip=False)
    return transliteration.text.rstrip().split("\n"), [*filter(None, [explain(transliteration)])]


def known_only(
    alphabet: Alphabet, texts: Sequence[str], skip: bool | None
) -> tuple[list[str], str]:
    """Return texts without the characters that an alphabet lacks, and a sentence on these
    characters, which is empty if there are none.

    Args:
        alphabet: the alphabet of the network.
        texts: the texts to write.
        skip: True leaves such characters out; False refuses them with a hint to --skip-unknown;
            None refuses them without the hint.

    Raises:
        UserError: if such characters are refused, or if a text has no other characters.
    """
    texts = [nfc(text) for text in texts]
    unknown = list(dict.fromkeys(c for text in texts for c in alphabet.unknown(text)))
    names = ", ".join(map(describe, unknown))
    if unknown and not skip:
        advice = "" if skip is None else "; --skip-unknown leaves that out"
        raise UserError(f"the network does not know {names}{advice}")
    known = ["".join(c for c in text if c not in unknown) for text in texts]
    for text, known_text in zip(texts, known, strict=True):
        if not known_text.strip():
            raise UserError(f"there is nothing to write in {text!r}")
    return known, f"left out, because the network does not know it: {names}" if names else ""
