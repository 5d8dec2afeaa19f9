"""The text of pages, and the front matter in it that says how what follows is written."""

import argparse
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from itertools import takewhile
from typing import Any

from commands.options import decoded
from utils.checks import UserError, nearest, short
from utils.files import open_file
from utils.plain_text import split

FENCE = "---"
"""The line before and the line behind front matter."""

MAX_BYTES, MAX_LINES = 500_000, 5_000
"""Bounds of a text (assumed: a long novel, whose pages take hours to write; so many empty lines are
170 pages of A4)."""

Keys = Mapping[str, Callable[[str], Any]]
"""The keys of front matter, and what takes the value of each."""
Paragraph = tuple[dict[str, Any], str]
"""Values of the front matter before a line of the text, by key, and the line."""


def text_of(arguments: argparse.Namespace, keys: Keys) -> list[Paragraph]:
    """Return the text to write, line by line.

    Raises:
        UserError: if it cannot be read, is too long, is not UTF-8, or its front matter has a fault.
    """
    if arguments.file is None:
        return paragraphs("\n".join(arguments.text), "--text", keys)
    typed = arguments.file == "-"
    name = "standard input" if typed else arguments.file
    if typed and sys.stdin is None:
        raise UserError("-: there is no standard input")
    try:
        with nullcontext(sys.stdin.buffer) if typed else open_file(name) as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror})") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"{name}: longer than {MAX_BYTES:,} bytes; divide it")
    return paragraphs(decoded(content, name), name, keys)


def paragraphs(text: str, source: str, keys: Keys) -> list[Paragraph]:
    """Return the lines of a text, each with the values of the front matter before it.

    Front matter is one or more lines `key: value`, or none, between two lines `---`. It stands for
    what follows up to the next; what it does not name is as the options say. A line `---` before an
    empty line, or with an empty line before the next `---`, is text.

    Args:
        text: with line ends of any kind.
        source: where it is from, for errors.
        keys: that are accepted.

    Raises:
        UserError: if there are too many lines, or what stands between the lines `---` is not front
            matter, with the line's number.
    """
    lines = split(text)
    if len(lines) > MAX_LINES:
        raise UserError(f"{source}: {len(lines):,} lines; at most {MAX_LINES:,} are accepted")
    found: list[Paragraph] = []
    values: dict[str, Any] = {}
    numbered = iter(enumerate(lines, 1))
    for number, line in numbered:
        block = []
        if line.rstrip() == FENCE:
            block = [one.rstrip() for one in takewhile(str.strip, lines[number:])]
        if FENCE in block:
            block = block[: block.index(FENCE)]
            values = _values(block, number + 1, source, keys)
            for _ in (*block, FENCE):
                next(numbered)
        elif ":" in "".join(block[:1]) and block[0].partition(":")[0].strip() in keys:
            raise UserError(
                f"{source}, line {number}: front matter begins and does not end: a line {FENCE} "
                "belongs behind its last line, before any empty one"
            )
        else:
            found.append((values, line))
    return found


def _values(lines: list[str], first: int, source: str, keys: Keys) -> dict[str, Any]:
    """Return the values of lines of front matter, the number of the first of which is `first`."""
    found: dict[str, Any] = {}
    for number, line in enumerate(lines, first):
        place = f"{source}, line {number}"
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon:
            raise UserError(
                f"{place}: {short(line.strip())} is no front matter, where a line is `key: value`; "
                f"for {FENCE} as text, put an empty line behind it"
            )
        if name not in keys:
            near = nearest(name, keys, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UserError(
                f"{place}: front matter knows no {short(name)}, but {', '.join(keys)}{hint}"
            )
        if name in found:
            raise UserError(f"{place}: {name} is given twice in this front matter: give it once")
        try:
            found[name] = keys[name](value)
        except argparse.ArgumentTypeError as error:
            raise UserError(f"{place}: {name}: {error}") from None
    return found
