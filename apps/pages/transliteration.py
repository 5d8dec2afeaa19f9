"""Replaces the characters of a text that a network does not know by characters that it knows."""

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence, Set
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ink.alphabet import SHOWN, Alphabet, describe, nfc
from utils.checks import UserError

TAB = "    "  # replacement of a tab (assumed)
MAX_WORDS = 100  # most words without some of their characters that are listed (assumed)
MAX_DEPTH = 4  # largest number of replacements in a row (assumed: ½ takes two)

_FILE = Path(__file__).with_name("similar_characters.json")
_SIGNS = json.loads(_FILE.read_text("utf-8"))
SIMILAR = {other: sign for sign, others in _SIGNS.items() for other in others}
"""Replacements of characters for which normal form KC has none that is useful."""

MU = "µ"
MU_WITHOUT_LEG = "u"
"""A sign that is drawn, see `marks`: the letter gets a leg."""
RIGHT_TO_LEFT = "right-to-left script is not supported"
LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
"""The line ends that become `\\n`."""
_FRACTION = re.compile("(?<=[0-9])[¼-¾⅐-⅞]")
_LEFT_OUT = "\0"  # stands for a character that is left out; no alphabet contains this character


class Transliteration(NamedTuple):
    """A text that a network can write, and how the text was changed.

    Attributes:
        text: in NFC, of characters that the network knows and `\\n`.
        changes: the replacement of each replaced character, empty for a removed one, such as an
            invisible character. Line ends are not listed.
        left_out: the characters that have no replacement.
        shortened: what is left of each word that has such characters.
    """

    text: str
    changes: dict[str, str]
    left_out: list[str]
    shortened: dict[str, str]


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
    characters = accepted.characters if isinstance(accepted, Alphabet) else accepted
    accepted = {"\n", *characters}
    text = nfc(LINE_ENDS.sub("\n", text))
    if " " in accepted:  # A space keeps 1½ from becoming 11/2.
        text = _FRACTION.sub(lambda part: part[0] if part[0] in accepted else f" {part[0]}", text)
    original = text
    replaced = dict[str, str | None]()
    while unknown := [sign for sign in text if sign not in accepted]:
        replaced |= {sign: replaced_by(sign, accepted) for sign in dict.fromkeys(unknown)}
        # NFC may combine new neighbours to a character that is not accepted.
        text = nfc(_concatenated(sign if sign in accepted else replaced[sign] for sign in text))
    changes = {sign: other for sign, other in replaced.items() if other is not None}
    left_out = [sign for sign, other in replaced.items() if other is None]
    shortened = {}
    for word in original.split():
        if not set(left_out).isdisjoint(word):
            shortened[word] = "".join(replaced_by(sign, accepted) or "" for sign in word)
    transliteration = Transliteration(text, changes, left_out, shortened)
    if not text.strip():
        reason = explain(transliteration) or "the text is empty"
        raise UserError(f"there is nothing to write: {reason}")
    return transliteration


@cache
def replacements(accepted: frozenset[str]) -> dict[str, str]:
    """Return the replacement of each visible character that `transliterate` replaces, for the page
    in the browser, which has no table of characters."""
    visible = filter(str.isprintable, map(chr, range(0x110000)))
    replaced = {sign: replaced_by(sign, accepted) for sign in visible if sign not in accepted}
    return {sign: other for sign, other in replaced.items() if other}


def explain(transliteration: Transliteration) -> str:
    """Return a sentence on the replaced and omitted characters; empty if there are none."""
    _, changes, left_out, shortened = transliteration
    sentences = []
    if changes:
        pairs = [f"{_shown(sign)} as {_shown(other)}" for sign, other in changes.items()]
        sentences.append(f"written as others: {_listed(pairs)}")
    if left_out:
        sentences.append(f"left out: {_listed([*map(describe, left_out)])}")
    if shortened:
        words = [f"{_printable(word)} as {left or 'nothing'}" for word, left in shortened.items()]
        sentences.append(f"words without them: {_listed(words, MAX_WORDS)}")
    if any(map(is_right_to_left, left_out)):
        sentences.append(RIGHT_TO_LEFT)
    return "; ".join(sentences)


def is_right_to_left(sign: str) -> bool:
    """Return whether a character is of a script that is written from right to left."""
    return unicodedata.bidirectional(sign) in ("R", "AL")


def _listed(names: Sequence[str], limit: int = SHOWN) -> str:
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _shown(text: str) -> str:
    """Return a text for a message: itself, or a description if it is invisible or a mark."""
    if not text.strip(" "):
        return {0: "nothing", 1: "a space"}.get(len(text), f"{len(text)} spaces")
    is_mark = unicodedata.category(text[0])[0] == "M"
    return text if text.isprintable() and not is_mark else describe(text)


def _printable(word: str) -> str:
    return word if word.isprintable() else ascii(word)


def _concatenated(parts: Iterable[str | None]) -> str:
    """Return parts as one text; None is a character left out. At a line's end the blanks around it
    go too; elsewhere the blanks behind it, if a blank or the line's start is before it."""
    text = "".join(_LEFT_OUT if part is None else part for part in parts)
    # From the start of its blanks only, as starts within them would take square time.
    blanks = f"[{_LEFT_OUT} ]"
    text = re.sub(f"(?<!{blanks}) *+{_LEFT_OUT}{blanks}*+$", "", text, flags=re.MULTILINE)
    text = re.sub(f"(^| ){_LEFT_OUT}{blanks}*+", r"\1", text, flags=re.MULTILINE)
    return text.replace(_LEFT_OUT, "")


def replaced_by(sign: str, accepted: Set[str], depth: int = MAX_DEPTH) -> str | None:
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
        parts = [replaced_by(part, accepted, depth - 1) for part in replacement]
        if None in parts:
            continue
        whole = nfc("".join(parts))
        if accepted.issuperset(whole) and (whole.strip() or replacement == " "):
            return whole
    return None
