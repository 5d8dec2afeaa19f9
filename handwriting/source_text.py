"""Texts of users: their front matter, which sets how the lines behind it are written, and their
characters, which are replaced where a network does not know them.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence, Set
from dataclasses import replace
from functools import cache
from itertools import chain, takewhile
from pathlib import Path
from typing import NamedTuple

from handwriting.page_options import (
    LOOK_PARSERS,
    Keys,
    PageOptions,
    Values,
    key_of,
    line_height,
    parse_value,
)
from handwriting.paragraphs import FILL, kind_of
from ink.alphabet import SHOWN, Alphabet, describe, nfc
from utils.checks import UserError, listed, short

MAX_LINES = 5_000  # largest number of lines (assumed: 5,000 empty lines are 170 pages of A4)
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ", "0123456789n", strict=True))
"""Raised characters, and for each the character that is written, smaller, in its place."""
FENCE = "---"  # the line before and the line behind front matter
FENCE_ADVICE = f"for {FENCE} as text, put an empty line behind it"

TAB = "    "  # replacement of a tab (assumed)
MAX_WORD = 99
"""Largest number of characters of a word (assumed: longer ones are no words, and take minutes)."""
MAX_DEPTH = 4  # largest number of replacements in a row (assumed: ½ takes two)

_FILE = Path(__file__).with_name("similar_characters.json")
_SIGNS = json.loads(_FILE.read_text("utf-8"))
SIMILAR = {other: sign for sign, others in _SIGNS.items() for other in others}
"""Replacements of characters for which normal form KC has none that is useful."""

_LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_FRACTION = re.compile("(?<=[0-9])[¼-¾⅐-⅞]")
_LEFT_OUT = "\0"  # stands for a character that is left out; no alphabet contains this character


class Transliteration(NamedTuple):
    """A text that a network can write, and how the text was changed.

    Attributes:
        text: in NFC, of characters that the network knows and `\\n`.
        changes: the replacement of each replaced character, empty for a removed one, such as an
            invisible character. Line ends are not listed.
        left_out: the characters that have no replacement.
    """

    text: str
    changes: dict[str, str]
    left_out: list[str]


def transliterate(text: str, accepted: Collection[str] | Alphabet) -> Transliteration:
    """Return a text made of the accepted characters, which a network knows.

    Line ends become `\\n`. If not accepted, tabs become four spaces, and other kinds of space a
    space; invisible characters (soft hyphens, zero-width and control characters, marks of
    direction) and accents that join no letter are removed. Any other character becomes the first of
    these that is accepted: its entry in `SIMILAR`, its normal form KC (for ligatures, full width,
    superscripts, fractions), and the character without its accents. If none is accepted, the
    character is left out, see `_concatenated`.

    Raises:
        UserError: if there is nothing to write.
    """
    accepted = {"\n", *(accepted.characters if isinstance(accepted, Alphabet) else accepted)}
    text = nfc(_LINE_ENDS.sub("\n", text))
    if " " in accepted:  # A space keeps 1½ from becoming 11/2.
        text = _FRACTION.sub(lambda part: part[0] if part[0] in accepted else f" {part[0]}", text)
    replaced: dict[str, str | None] = {}
    while unknown := [sign for sign in text if sign not in accepted]:
        replaced |= {sign: _replacement(sign, accepted) for sign in dict.fromkeys(unknown)}
        # NFC may combine new neighbours to a character that is not accepted.
        text = nfc(_concatenated(sign if sign in accepted else replaced[sign] for sign in text))
    changes = {sign: other for sign, other in replaced.items() if other is not None}
    left_out = [sign for sign, other in replaced.items() if other is None]
    transliteration = Transliteration(text, changes, left_out)
    if not text.strip():
        reason = explain(transliteration) or "the text is empty"
        raise UserError(f"there is nothing to write: {reason}")
    return transliteration


@cache
def replacements(accepted: frozenset[str]) -> dict[str, str]:
    """Return the replacement of each visible character that `transliterate` replaces, for the page
    in the browser, which has no table of characters."""
    visible = filter(str.isprintable, map(chr, range(0x110000)))
    replaced = {sign: _replacement(sign, accepted) for sign in visible if sign not in accepted}
    return {sign: other for sign, other in replaced.items() if other}


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


def explain(transliteration: Transliteration) -> str:
    """Return a sentence on the replaced and omitted characters; empty if there are none."""
    sentences = []
    changes, left_out = transliteration.changes, transliteration.left_out
    if changes:
        pairs = [f"{_shown(sign)} as {_shown(other)}" for sign, other in changes.items()]
        sentences.append(f"written as others: {_listed(pairs)}")
    if left_out:
        sentences.append(f"left out: {_listed([*map(describe, left_out)])}")
    directions = set(map(unicodedata.bidirectional, left_out))
    if directions & {"R", "AL"}:
        sentences.append("right-to-left script is not supported")
    return "; ".join(sentences)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _shown(text: str) -> str:
    """Return a text for a message: itself, or a description if it is invisible or a mark."""
    if not text.strip(" "):
        return {0: "nothing", 1: "a space"}.get(len(text), f"{len(text)} spaces")
    is_mark = unicodedata.category(text[0])[0] == "M"
    return text if text.isprintable() and not is_mark else describe(text)


def _concatenated(parts: Iterable[str | None]) -> str:
    """Return parts as one text; None is a character left out. At a line's end the blanks around it
    go too; elsewhere the blanks behind it, if a blank or the line's start is before it."""
    text = "".join(_LEFT_OUT if part is None else part for part in parts)
    # From the start of its blanks only, as starts within them would take square time.
    blanks = f"[{_LEFT_OUT} ]"
    text = re.sub(f"(?<!{blanks}) *+{_LEFT_OUT}{blanks}*+$", "", text, flags=re.MULTILINE)
    text = re.sub(f"(^| ){_LEFT_OUT}{blanks}*+", r"\1", text, flags=re.MULTILINE)
    return text.replace(_LEFT_OUT, "")


def _replacement(sign: str, accepted: Set[str], depth: int = MAX_DEPTH) -> str | None:
    """Return a character or its replacement, in accepted characters; None if there is neither."""
    if sign in accepted:
        return sign
    kind = unicodedata.category(sign)
    if sign == "\t" or kind == "Zs":
        replacement = TAB if sign == "\t" else " "
        return replacement if " " in accepted else None
    if kind in ("Cc", "Cf") or kind[0] == "M":
        return ""
    letters = unicodedata.normalize("NFD", sign)
    bare = "".join(part for part in letters if unicodedata.category(part)[0] != "M")
    for replacement in (SIMILAR.get(sign), unicodedata.normalize("NFKC", sign), bare):
        if not replacement or replacement == sign or depth == 0:
            continue
        parts = [_replacement(part, accepted, depth - 1) for part in replacement]
        if None in parts:
            continue
        whole = nfc("".join(parts))
        if accepted.issuperset(whole) and (whole.strip() or replacement == " "):
            return whole
    return None


def parse_text(text: str, source: str, options: PageOptions) -> list[tuple[Values, str]]:
    """Return each line of a text with the values of the front matter before it.

    Raises:
        UserError: if there are too many lines, or a word is too long, or the front matter has
            faults or does not fit on the paper.
    """

    def check(values: Values) -> None:
        line_height(replace(options.look, **values), options.line_height, options.paper)

    lines = _LINE_ENDS.sub("\n", text).split("\n")
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
    raised = (sign for sign, plain in RAISED.items() if not alphabet.unknown(plain))
    transliteration = transliterate(text, {*alphabet.characters, "\t", *raised})
    if transliteration.left_out and not skip_unknown:
        known_only(alphabet, [*transliteration.left_out], skip=False)
    return transliteration.text.rstrip().split("\n"), [*filter(None, [explain(transliteration)])]


def with_front_matter(
    lines: list[str], source: str, keys: Keys, check: Callable[[Values], object]
) -> list[tuple[Values, str]]:
    """Return each line of a text with the values of the front matter before it.

    Front matter is any number of lines `key: value` between two lines `---`. Its values hold for
    the lines up to the next front matter. A line `---` is text if an empty line or the text's end
    comes before the next `---`. But it is a fault if a line before the empty line has a key.

    Args:
        lines: the lines of the text.
        source: where the text is from, for error messages.
        keys: the accepted keys.
        check: raises a UserError for values that contradict each other.

    Raises:
        UserError: if front matter has faults; the message lists all of them with their lines.
    """
    marked_lines: list[tuple[Values, str]] = []
    faults: list[str] = []
    values: Values = {}
    numbered = iter(enumerate(lines, 1))
    for number, line in numbered:
        block = []  # the lines that follow a fence, up to an empty line
        if line.rstrip() == FENCE:
            block = [block_line.rstrip() for block_line in takewhile(str.strip, lines[number:])]
        if FENCE in block:
            block = block[: block.index(FENCE)]
            values, new_faults = _values(block, number, keys, check)
            faults += new_faults
            for _ in (*block, FENCE):
                next(numbered)
        else:
            if any(colon and name in keys for name, colon, _ in map(_parts, block)):
                end = f"no line {FENCE} ends this front matter; {FENCE_ADVICE}"
                faults.append(f"line {number}: {end}")
            marked_lines.append((values, line))
    if faults:
        raise UserError(listed(source, faults) if faults[1:] else f"{source}, {faults[0]}")
    return marked_lines


def _parts(line: str) -> tuple[str, str, str]:
    """Return the key, the colon and the value of a line; a missing colon is an empty text."""
    name, colon, value = map(str.strip, line.partition(":"))
    return key_of(name) if colon else name, colon, value


def _values(
    lines: list[str], fence: int, keys: Keys, check: Callable[[Values], object]
) -> tuple[Values, list[str]]:
    """Return the values in lines of front matter, which follow line number `fence`, and faults."""
    values: Values = {}
    faults = []
    for number, line in enumerate(lines, fence + 1):
        name, colon, value = _parts(line)
        try:
            if not colon:
                raise UserError(
                    f"{short(name)} is not a line of front matter, `key: value`; {FENCE_ADVICE}"
                )
            values[name] = parse_value(name, value, keys)
        except UserError as error:
            key = f"{name}: " if name in keys else ""
            faults.append(f"line {number}: {key}{error}")
    try:
        check(values)
    except UserError as error:
        faults.insert(0, f"line {fence}: {error}")
    return values, faults
