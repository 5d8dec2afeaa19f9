"""Text as people have it, made writable by a network that knows certain characters."""

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from utils.alphabet import SHOWN, Alphabet, describe, nfc
from utils.checks import UserError

TAB = "    "
"""A tab (assumed)."""

DEPTH = 4
"""Steps of replacements at most; assumed: ½ takes two."""

_FILE = Path(__file__).with_name("similar_characters.json")
_SIGNS = json.loads(_FILE.read_text("utf-8"))
SIMILAR = {one: sign for sign, others in _SIGNS.items() for one in others}
"""What is written instead of an unknown character, where its normal form KC does not tell."""

_LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_FRACTION = re.compile("(?<=[0-9])[¼-¾⅐-⅞]")
_GAP = "\0"  # in the place of what is left out; no alphabet holds it


class Fitted(NamedTuple):
    """A text that a network can write, and what it took.

    Attributes:
        text: in NFC, of known characters and `\\n`.
        changes: what was written for each character; nothing for a mark or an invisible one. Line
            ends are not listed.
        left_out: what has no replacement.
    """

    text: str
    changes: dict[str, str]
    left_out: list[str]


def fit(text: str, known: Collection[str] | Alphabet) -> Fitted:
    """Return a text made of the characters that a network knows.

    Every line end becomes `\\n`. A known character stays. Of the others, tabs are written as four
    spaces and all kinds of space as a space; what is invisible (soft hyphens, zero-width and
    control characters, marks of direction) goes, as do accents that join no letter; the rest is
    written as `SIMILAR` says, else in its normal form KC (ligatures, full width, superscripts,
    fractions), else without its accents, whichever gives known characters first. What is left is
    left out, with the blanks behind it if a blank or the start of a line is before it.

    Raises:
        UserError: if there is nothing to write.
    """
    known = {"\n", *(known.characters if isinstance(known, Alphabet) else known)}
    text = nfc(_LINE_ENDS.sub("\n", text))
    if " " in known:  # 1½ is not 11/2
        text = _FRACTION.sub(lambda one: one[0] if one[0] in known else f" {one[0]}", text)
    found: dict[str, str | None] = {}
    while unknown := [one for one in text if one not in known]:
        found |= {one: _written(one, known) for one in dict.fromkeys(unknown)}
        # Neighbours may now combine to one character in NFC, which is checked again.
        text = nfc(_joined(one if one in known else found[one] for one in text))
    changes = {one: other for one, other in found.items() if other is not None}
    fitted = Fitted(text, changes, [one for one in found if found[one] is None])
    if not text.strip():
        reason = explain(fitted) or "the text is empty"
        raise UserError(f"there is nothing to write: {reason}")
    return fitted


@cache
def replacements(known: frozenset[str]) -> dict[str, str]:
    """Return what `fit` writes for each visible character that a network does not know, where there
    is something to write: for the page in the browser, which has no table of its own."""
    visible = filter(str.isprintable, map(chr, range(0x110000)))
    return {one: other for one in visible if one not in known and (other := _written(one, known))}


def known_only(
    alphabet: Alphabet, texts: Sequence[str], skip: bool | None
) -> tuple[list[str], str]:
    """Return texts without the characters that an alphabet lacks if `skip`, else refuse these; and
    what was left out, in a sentence, or an empty one.

    Args:
        alphabet: of the network.
        texts: what is to be written.
        skip: None where there is no --skip-unknown.

    Raises:
        UserError: naming the characters that the alphabet lacks, or if nothing is left.
    """
    texts = [nfc(text) for text in texts]
    unknown = list(dict.fromkeys(c for text in texts for c in alphabet.unknown(text)))
    names = ", ".join(map(describe, unknown))
    if unknown and not skip:
        hint = "" if skip is None else "; --skip-unknown leaves that out"
        raise UserError(f"the network does not know {names}{hint}")
    left = ["".join(c for c in text if c not in unknown) for text in texts]
    for text, given in zip(left, texts, strict=True):
        if not text.strip():
            raise UserError(f"there is nothing to write in {given!r}")
    return left, f"left out, because the network does not know it: {names}" if names else ""


def split(text: str) -> list[str]:
    """Return the lines of a text, at the ends that `fit` knows."""
    return _LINE_ENDS.sub("\n", text).split("\n")


def explain(fitted: Fitted) -> str:
    """Return what was changed and left out in a sentence, or an empty string if nothing was."""
    sentences = []
    if fitted.changes:
        listed = [f"{_plain(one)} as {_plain(other)}" for one, other in fitted.changes.items()]
        sentences.append(f"written as others: {_listed(listed)}")
    if fitted.left_out:
        sentences.append(f"left out: {_listed([*map(describe, fitted.left_out)])}")
    directions = set(map(unicodedata.bidirectional, fitted.left_out))
    if directions & {"R", "AL"}:
        sentences.append("right-to-left script is not supported")
    return "; ".join(sentences)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _plain(text: str) -> str:
    """Return a character as it is where that can be seen, and what replaces it."""
    if not text.strip(" "):
        return {0: "nothing", 1: "a space"}.get(len(text), f"{len(text)} spaces")
    is_mark = unicodedata.category(text[0])[0] == "M"
    return text if text.isprintable() and not is_mark else describe(text)


def _joined(parts: Iterable[str | None]) -> str:
    """Return parts as one text; None, which was left out, leaves no blanks of its own."""
    text = "".join(_GAP if part is None else part for part in parts)
    text = re.sub(f" *{_GAP}[{_GAP} ]*$", "", text, flags=re.MULTILINE)
    text = re.sub(f"(^| ){_GAP}[{_GAP} ]*", r"\1", text, flags=re.MULTILINE)
    return text.replace(_GAP, "")


def _written(one: str, known: set[str] | frozenset[str], depth: int = DEPTH) -> str | None:
    """Return how a character is written with known ones, or None if it cannot be."""
    if one in known:
        return one
    kind = unicodedata.category(one)
    if one == "\t" or kind == "Zs":
        other = TAB if one == "\t" else " "
        return other if " " in known else None
    if kind in ("Cc", "Cf") or kind[0] == "M":
        return ""
    letters = unicodedata.normalize("NFD", one)
    bare = "".join(part for part in letters if unicodedata.category(part)[0] != "M")
    for other in (SIMILAR.get(one), unicodedata.normalize("NFKC", one), bare):
        if not other or other == one or depth == 0:
            continue
        spelt = [_written(part, known, depth - 1) for part in other]
        if None in spelt:
            continue
        whole = nfc("".join(spelt))
        if known.issuperset(whole) and (whole.strip() or other == " "):
            return whole
    return None
