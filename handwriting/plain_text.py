"""Text as people have it, made writable by a network that knows certain characters."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
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
# Hangul fillers, a joiner, selectors.
_INVISIBLE = set("\u034f\u115f\u1160\u3164\uffa0\ufe0e\ufe0f")
_JOINER = "\u200d"
_GAP = "\0"  # in the place of what is left out; no alphabet holds it
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]")
_EMOJI_SUFFIX = re.compile(f"[{_JOINER}\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")


class Fitted(NamedTuple):
    """A text that a network can write, and what it took.

    Attributes:
        text: in NFC, of known characters and `\\n`.
        changes: what was written for a character or a sequence of them seen as one, and how often;
            an invisible one becomes an empty string. Line ends are not listed.
        left_out: what has no replacement, and how often it was left out.
    """

    text: str
    changes: dict[str, tuple[str, int]]
    left_out: dict[str, int]


def fit(text: str, known: Collection[str] | Alphabet) -> Fitted:
    """Return a text made of the characters that a network knows.

    Every line end becomes `\\n`. A known character stays. Of the others, tabs are written as four
    spaces and all kinds of space as a space; what is invisible (soft hyphens, zero-width and
    control characters, marks of direction) goes; the rest is written as `SIMILAR` says, else in its
    normal form KC (ligatures, full width, superscripts, fractions), else without its accents,
    whichever gives known characters first. What is left is left out, with the blanks behind it if
    a blank or the start of a line is before it: see `Fitted`.

    Raises:
        UserError: if there is nothing to write.
    """
    known = {"\n", *(known.characters if isinstance(known, Alphabet) else known)}
    left_out: Counter[str] = Counter()
    text = nfc(_LINE_ENDS.sub("\n", text))
    if " " in known:  # 1½ is not 11/2
        text = _FRACTION.sub(lambda one: one[0] if one[0] in known else f" {one[0]}", text)
    changes: dict[str, tuple[str, int]] = {}
    written: dict[str, str | None] = {}
    while not known.issuperset(text):
        parts = list(_parts(text))
        counts = Counter(parts)
        for part, count in counts.items():
            if part not in written:
                written[part] = _written(part, known)
            other = written[part]
            if other is None:
                left_out[part] += count
            elif other != part:
                changes[part] = (other, count + changes.get(part, ("", 0))[1])
        # Neighbours may now combine to one character in NFC, which is checked again.
        text = nfc(_joined([written[part] for part in parts]))
    fitted = Fitted(text, changes, dict(left_out))
    if not text.strip():
        reason = explain(fitted) or "the text is empty"
        raise UserError(f"there is nothing to write: {reason}")
    return fitted


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
        characters = "".join(alphabet.characters)
        raise UserError(f"the network does not know {names}{hint}. It knows {characters!r}")
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
    seen = {one: change for one, change in fitted.changes.items() if change[0]}
    hidden = sum(count for other, count in fitted.changes.values() if not other)
    sentences = []
    if seen:
        listed = {}
        for one, (other, count) in seen.items():
            listed[f"{_plain(one)} as {_plain(other)}"] = count
        sentences.append(f"written as others: {_listed(listed)}")
    if fitted.left_out:
        listed = {describe(one): count for one, count in fitted.left_out.items()}
        sentences.append(f"left out: {_listed(listed)}")
    directions = set(map(unicodedata.bidirectional, "".join(fitted.left_out)))
    if directions & {"R", "AL"}:
        sentences.append("right-to-left script is not supported")
    if hidden:
        sentences.append(f"invisible characters removed: {hidden:,}")
    return "; ".join(sentences)


def _listed(counts: Mapping[str, int]) -> str:
    shown = []
    for one, count in islice(counts.items(), SHOWN):
        shown.append(f"{one} (once)" if count == 1 else f"{one} ({count:,} times)")
    more = f" and {len(counts) - SHOWN:,} more" if len(counts) > SHOWN else ""
    return ", ".join(shown) + more


def _plain(part: str) -> str:
    """Return a character as it is where that can be seen, and what replaces it."""
    if not part.strip(" "):
        return "a space" if part == " " else f"{len(part)} spaces"
    if len(part) > 1:
        return part
    visible = part.isprintable() and unicodedata.category(part)[0] not in "MZ"
    return part if visible else describe(part)


def _parts(text: str) -> Iterator[str]:
    """Yield what is seen as one character: a letter with its marks, an emoji of several parts."""
    part = ""
    for character in text:
        if part and not _continues(part, character):
            yield part
            part = ""
        part += character
    if part:
        yield part


def _continues(part: str, character: str) -> bool:
    """Return whether a character belongs to the part before it."""
    first, kind = unicodedata.category(part[0]), unicodedata.category(character)
    if kind[0] == "M":
        return first[0] not in "CZ"
    if first != "So":
        return False
    if _FLAG.match(character):  # two of these are a flag
        return bool(_FLAG.fullmatch(part))
    if part[-1] == _JOINER:
        return kind == "So"
    return bool(_EMOJI_SUFFIX.match(character))


def _joined(parts: Sequence[str | None]) -> str:
    """Return parts as one text; None, which was left out, leaves no blanks of its own."""
    text = "".join(_GAP if part is None else part for part in parts)
    text = re.sub(f" *{_GAP}[{_GAP} ]*$", "", text, flags=re.MULTILINE)
    text = re.sub(f"(^| ){_GAP}[{_GAP} ]*", r"\1", text, flags=re.MULTILINE)
    return text.replace(_GAP, "")


def _written(part: str, known: set[str], depth: int = DEPTH) -> str | None:
    """Return how a part is written with known characters, or None if it cannot be."""
    if known.issuperset(part):
        return part
    kind = unicodedata.category(part[0])
    if part == "\t" or kind == "Zs":
        other = TAB if part == "\t" else " "
        return other if " " in known else None
    if part in _INVISIBLE or kind in ("Cc", "Cf"):
        return ""
    letters = unicodedata.normalize("NFD", part)
    bare = "".join(one for one in letters if unicodedata.category(one)[0] != "M")
    for other in (SIMILAR.get(part), unicodedata.normalize("NFKC", part), bare):
        if not other or other == part or depth == 0:
            continue
        spelt = [_written(piece, known, depth - 1) for piece in _parts(other)]
        if None in spelt:
            continue
        whole = nfc("".join(spelt))
        if known.issuperset(whole) and (whole.strip() or other == " "):
            return whole
    return None
