"""Reads the front matter of a text, which sets how the lines behind it are written."""

from collections.abc import Callable
from itertools import takewhile
from typing import NamedTuple

from apps.pages.formulas import Formula
from apps.pages.page_options import Keys, Values, key_of, parse_value
from utils.checks import UserError, listed, short

FENCE = "---"  # the line before and the line behind front matter
FENCE_ADVICE = f"for {FENCE} as text, put an empty line behind it"


class SourceLine(NamedTuple):
    """A line of a user's text.

    Attributes:
        values: the values of the front matter before it.
        text: the line.
        number: its number in the text, from 1; lines of front matter count.
        formulas: its formulas, for which the text has placeholders.
    """

    values: Values
    text: str
    number: int
    formulas: tuple[Formula, ...] = ()


def with_front_matter(
    lines: list[str], source: str, keys: Keys, check: Callable[[Values], object]
) -> list[SourceLine]:
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
    marked_lines: list[SourceLine] = []
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
            marked_lines.append(SourceLine(values, line, number))
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
