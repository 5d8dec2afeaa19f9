"""The text of pages, and the front matter in it that says how what follows is written."""

import argparse
import sys
from contextlib import nullcontext
from typing import Any

from commands.options import decoded
from commands.page_options import OF_PASSAGE
from utils.checks import UserError, nearest, short
from utils.files import open_file
from utils.plain_text import split

FENCE = "---"
"""The line before and the line behind front matter."""

MAX_BYTES, MAX_LINES = 500_000, 5_000
"""Bounds of a text (assumed: a long novel, whose pages take hours to write; so many empty lines are
170 pages of A4)."""

Paragraph = tuple[dict[str, Any], str]
"""Values of the front matter before a line of the text, by name, and the line."""


def text_of(arguments: argparse.Namespace) -> list[Paragraph]:
    """Return the text to write, line by line.

    Raises:
        UserError: if it cannot be read, is too long, is not UTF-8, or its front matter has a fault.
    """
    if arguments.file is None:
        return paragraphs("\n".join(arguments.text), "--text")
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
    return paragraphs(decoded(content, name), name)


def paragraphs(text: str, source: str) -> list[Paragraph]:
    """Return the lines of a text, each with the values of the front matter before it.

    Front matter is one or more lines `key: value`, or none, between two lines `---`. It stands for
    what follows up to the next; what it does not name is as the options say. A line `---` before an
    empty line, or with an empty line before the next `---`, is text.

    Args:
        text: with line ends of any kind.
        source: where it is from, for errors.

    Raises:
        UserError: if there are too many lines, or what stands between the lines `---` is not front
            matter, with the line's number.
    """
    lines = split(text)
    if len(lines) > MAX_LINES:
        raise UserError(f"{source}: {len(lines):,} lines; at most {MAX_LINES:,} are accepted")
    found: list[Paragraph] = []
    values: dict[str, Any] = {}
    number = 0
    while number < len(lines):
        stop = _end(lines, number, source)
        if stop is None:
            found.append((values, lines[number]))
        else:
            values = _values(lines[number + 1 : stop], number + 2, source)
            number = stop
        number += 1
    return found


def _end(lines: list[str], start: int, source: str) -> int | None:
    """Return the number of the last line of front matter, None if none begins at `start`."""
    if lines[start].rstrip() != FENCE:
        return None
    for number in range(start + 1, len(lines)):
        if lines[number].rstrip() == FENCE:
            return number
        if not lines[number].strip():
            break
    following = lines[start + 1] if start + 1 < len(lines) else ""
    name, colon, _ = following.partition(":")
    if colon and name.strip() in OF_PASSAGE:
        raise UserError(
            f"{source}, line {start + 1}: front matter begins and does not end: a line {FENCE} "
            "belongs behind its last line, before any empty one"
        )
    return None


def _values(lines: list[str], first: int, source: str) -> dict[str, Any]:
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
        if name not in OF_PASSAGE:
            near = nearest(name, OF_PASSAGE, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UserError(
                f"{place}: front matter knows no {short(name)}, but {', '.join(OF_PASSAGE)}{hint}"
            )
        if name in found:
            raise UserError(f"{place}: {name} is given twice in this front matter: give it once")
        try:
            found[name] = OF_PASSAGE[name](value)
        except argparse.ArgumentTypeError as error:
            raise UserError(f"{place}: {name}: {error}") from None
    return found
