"""Text as people have it: front matter, lines that say how the text behind them is written, and
lines that a network can write.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from handwriting.page_options import OF_LOOK, PageOptions, line_height
from handwriting.paragraphs import kind_of
from utils.alphabet import SHOWN, Alphabet, describe, nfc
from utils.checks import UserError, hint, listed, short

MAX_LINES = 5_000  # most lines of a text (assumed: so many empty ones are 170 pages of A4)
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ", "0123456789n", strict=True))
"""What is written small and raised, and as what."""
FENCE = "---"  # the line before and the line behind front matter
AS_TEXT = f"for {FENCE} as text, put an empty line behind it"
"""What an error advises."""
ALIASES = {"color": "colour"}
"""Other names of keys of front matter."""

Values = dict[str, object]
"""Values of front matter by key."""
Keys = Mapping[str, Callable[[str], object]]
"""The keys of front matter, and what takes the value of each, or raises a UserError."""

TAB = "    "  # A tab (assumed)
MAX_DEPTH = 4  # steps of replacements at most; assumed: ½ takes two

_FILE = Path(__file__).with_name("similar_characters.json")
_SIGNS = json.loads(_FILE.read_text("utf-8"))
SIMILAR = {other: sign for sign, others in _SIGNS.items() for other in others}
"""What is written instead of an unknown character, where its normal form KC does not tell."""

_LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_FRACTION = re.compile("(?<=[0-9])[¼-¾⅐-⅞]")
_GAP = "\0"  # in the place of what is left out; no alphabet holds it


class Fitted(NamedTuple):
    """A text that a network can write, and what was changed.

    Attributes:
        text: in NFC, of known characters and `\\n`.
        changes: what was written for each character; nothing for a mark or an invisible character.
            Line ends are not listed.
        left_out: what has no replacement.
    """

    text: str
    changes: dict[str, str]
    left_out: list[str]


def fit(text: str, accepted: Collection[str] | Alphabet) -> Fitted:
    """Return a text made of the characters that a network knows.

    Every line end becomes `\\n`. An accepted character stays. Of the others, tabs are written as
    four spaces and all kinds of space as a space; what is invisible (soft hyphens, zero-width and
    control characters, marks of direction) goes, as do accents that join no letter; the rest is
    written as `SIMILAR` says, else in its normal form KC (ligatures, full width, superscripts,
    fractions), else without its accents, whichever gives accepted characters first. What is left is
    left out, with the blanks behind it if a blank or the start of a line is before it.

    Raises:
        UserError: if there is nothing to write.
    """
    accepted = {"\n", *(accepted.characters if isinstance(accepted, Alphabet) else accepted)}
    text = nfc(_LINE_ENDS.sub("\n", text))
    if " " in accepted:  # 1½ is not 11/2
        text = _FRACTION.sub(lambda match: " " * (match[0] not in accepted) + match[0], text)
    written: dict[str, str | None] = {}
    while unknown := [sign for sign in text if sign not in accepted]:
        written |= {sign: _written(sign, accepted) for sign in dict.fromkeys(unknown)}
        # Neighbours may now combine to one character in NFC, which is checked again.
        text = nfc(_concatenated(sign if sign in accepted else written[sign] for sign in text))
    changes = {sign: other for sign, other in written.items() if other is not None}
    fitted = Fitted(text, changes, [sign for sign in written if written[sign] is None])
    if not text.strip():
        reason = explain(fitted) or "the text is empty"
        raise UserError(f"there is nothing to write: {reason}")
    return fitted


@cache
def replacements(accepted: frozenset[str]) -> dict[str, str]:
    """Return what `fit` writes for each visible character that a network does not know, where there
    is something to write: for the page in the browser, which has no table of its own."""
    visible = filter(str.isprintable, map(chr, range(0x110000)))
    written = {sign: _written(sign, accepted) for sign in visible if sign not in accepted}
    return {sign: other for sign, other in written.items() if other}


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
        advice = "" if skip is None else "; --skip-unknown leaves that out"
        raise UserError(f"the network does not know {names}{advice}")
    left = ["".join(c for c in text if c not in unknown) for text in texts]
    for text, fewer in zip(texts, left, strict=True):
        if not fewer.strip():
            raise UserError(f"there is nothing to write in {text!r}")
    return left, f"left out, because the network does not know it: {names}" if names else ""


def explain(fitted: Fitted) -> str:
    """Return what was changed and left out in a sentence, or an empty string if nothing was."""
    sentences = []
    if fitted.changes:
        pairs = [f"{_plain(sign)} as {_plain(other)}" for sign, other in fitted.changes.items()]
        sentences.append(f"written as others: {_listed(pairs)}")
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


def _concatenated(parts: Iterable[str | None]) -> str:
    """Return parts as one text; None, which was left out, leaves no blanks of its own."""
    text = "".join(_GAP if part is None else part for part in parts)
    text = re.sub(f" *{_GAP}[{_GAP} ]*$", "", text, flags=re.MULTILINE)
    text = re.sub(f"(^| ){_GAP}[{_GAP} ]*", r"\1", text, flags=re.MULTILINE)
    return text.replace(_GAP, "")


def _written(sign: str, accepted: set[str] | frozenset[str], depth: int = MAX_DEPTH) -> str | None:
    """Return how a character is written with accepted ones, or None if it cannot be."""
    if sign in accepted:
        return sign
    kind = unicodedata.category(sign)
    if sign == "\t" or kind == "Zs":
        other = TAB if sign == "\t" else " "
        return other if " " in accepted else None
    if kind in ("Cc", "Cf") or kind[0] == "M":
        return ""
    letters = unicodedata.normalize("NFD", sign)
    bare = "".join(part for part in letters if unicodedata.category(part)[0] != "M")
    for other in (SIMILAR.get(sign), unicodedata.normalize("NFKC", sign), bare):
        if not other or other == sign or depth == 0:
            continue
        spelt = [_written(part, accepted, depth - 1) for part in other]
        if None in spelt:
            continue
        whole = nfc("".join(spelt))
        if accepted.issuperset(whole) and (whole.strip() or other == " "):
            return whole
    return None


def read_text(text: str, source: str, options: PageOptions) -> list[tuple[Values, str]]:
    """Return the lines of a text, each with the values of the front matter before it.

    Raises:
        UserError: if they are too many, or the front matter has faults, or does not fit on the
            paper.
    """

    def check(values: Values) -> None:
        line_height(replace(options.look, **values), options.line_height, options.paper)

    lines = _LINE_ENDS.sub("\n", text).split("\n")
    if len(lines) > MAX_LINES:
        raise UserError(f"{source}: {len(lines):,} lines; at most {MAX_LINES:,} are accepted")
    return with_front_matter(lines, source, OF_LOOK, check)


def known_lines(
    lines: Sequence[str], alphabet: Alphabet, skip_unknown: bool
) -> tuple[list[str], list[str]]:
    """Return lines of characters that a network knows, none empty at the end, and a sentence on
    what was written as what, if there is one.

    Raises:
        UserError: if a character is not known, or nothing is left to write.
    """
    raw, in_table = "", False
    for line in lines:  # Tabs at its start are columns below a row of a table, else an indent.
        in_table = kind_of(line) == "table" and (in_table or "\t" in line.lstrip())
        raw += (line if in_table else line.expandtabs(4)) + "\n"
    raised = (sign for sign, plain in RAISED.items() if not alphabet.unknown(plain))
    fitted = fit(raw, {*alphabet.characters, "\t", *raised})
    if fitted.left_out and not skip_unknown:
        known_only(alphabet, [*fitted.left_out], skip=False)
    return fitted.text.rstrip().split("\n"), [*filter(None, [explain(fitted)])]


def with_front_matter(
    lines: list[str], source: str, keys: Keys, check: Callable[[Values], object]
) -> list[tuple[Values, str]]:
    """Return the lines of a text, each with the values of the front matter before it.

    Front matter is one or more lines `key: value`, or none, between two lines `---`. Its values
    stand for what follows up to the next. A line `---` before an empty line, or with an empty line
    before the next `---`, is text, unless a line with one of the keys follows.

    Args:
        lines: of the text.
        source: where the text is from, for errors.
        keys: that are accepted.
        check: raises a UserError of values that do not go together.

    Raises:
        UserError: naming all faults of front matter, with the numbers of their lines.
    """
    marked: list[tuple[Values, str]] = []
    faults: list[str] = []
    values: Values = {}
    numbered = iter(enumerate(lines, 1))
    for number, line in numbered:
        block = []
        if line.rstrip() == FENCE:
            block = [row.rstrip() for row in takewhile(str.strip, lines[number:])]
        if FENCE in block:
            block = block[: block.index(FENCE)]
            values, new_faults = _values(block, number, keys, check)
            faults += new_faults
            for _ in (*block, FENCE):
                next(numbered)
        else:
            if any(colon and name in keys for name, colon, _ in map(_parts, block)):
                faults.append(f"line {number}: no line {FENCE} ends this front matter; {AS_TEXT}")
            marked.append((values, line))
    if faults:
        raise UserError(listed(source, faults) if faults[1:] else f"{source}, {faults[0]}")
    return marked


def _parts(line: str) -> tuple[str, str, str]:
    """Return the key of a line, its colon, or nothing, and its value."""
    name, colon, value = map(str.strip, line.partition(":"))
    return ALIASES.get(name, name), colon, value


def _values(
    lines: list[str], fence: int, keys: Keys, check: Callable[[Values], object]
) -> tuple[Values, list[str]]:
    """Return the values of lines of front matter behind a line of that number, and their faults."""
    values: Values = {}
    faults = []
    for number, line in enumerate(lines, fence + 1):
        name, colon, value = _parts(line)
        try:
            if not colon:
                raise UserError(
                    f"{short(name)} is no front matter, where a line is `key: value`; {AS_TEXT}"
                )
            if name not in keys:
                raise UserError(f"front matter knows no {short(name)}{hint(name, keys)}")
            values[name] = keys[name](value)
        except UserError as error:
            key = f"{name}: " if name in keys else ""
            faults.append(f"line {number}: {key}{error}")
    try:
        check(values)
    except UserError as error:
        faults.insert(0, f"line {fence}: {error}")
    return values, faults
