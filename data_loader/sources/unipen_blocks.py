"""The text of UNIPEN files: keywords with the text behind each, and included files."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from data_loader.sources.parsing import Budget, Fault, decode
from data_loader.sources.untrusted_files import MAX_BYTES, read_file

INCLUDE = "include"
MAX_INCLUDED = 100
"""Limit on the included files of a document (assumed)."""
_KEYWORD = re.compile(r"^[ \t]*\.([A-Z][A-Z0-9_]*)", re.MULTILINE)


class Block(NamedTuple):
    """A keyword of a file, and the text before the next keyword."""

    part: str
    included: str
    """The name of the included file that holds the block; empty if `part` holds it."""
    line: int
    keyword: str
    body: str

    def place(self, after: int = 0) -> str:
        """Return, for messages, the place of the line that is `after` lines below the keyword."""
        line = f"line {self.line + after}"
        return f"{line} of {self.included}" if self.included else line


def blocks_of(parts: Iterable[tuple[str, str]], include: Callable[[str], bytes]) -> Iterator[Block]:
    """Yield the blocks of files; an included file stands in place of its first `.INCLUDE`.

    Args:
        parts: names and contents of the files.
        include: returns the content of a file that `.INCLUDE` names.

    Raises:
        Fault: if a file of `parts` has no keyword, or too much is included; from `include`.
    """
    opened: set[str] = set()
    budget = Budget(4 * MAX_BYTES, f"more than {4 * MAX_BYTES:,} bytes included")
    for part, content in parts:
        levels = [_blocks(part, "", content)]
        while levels:
            block = next(levels[-1], None)
            if block is None:
                levels.pop()
            elif block.keyword != "INCLUDE":
                yield block
            elif (name := " ".join(block.body.split())) not in opened:
                opened.add(name)
                if len(opened) > MAX_INCLUDED:
                    raise Fault(f"more than {MAX_INCLUDED} included files", block.place())
                if content := include(name):
                    budget.spend(len(content))
                    levels.append(_blocks(part, name, decode_any(content)))


def _blocks(part: str, included: str, content: str) -> Iterator[Block]:
    if not included and not _KEYWORD.search(content):
        raise Fault("no UNIPEN keyword in it")
    marks = _KEYWORD.finditer(content)
    mark, line, counted = next(marks, None), 1, 0
    while mark:
        line += content.count("\n", counted, mark.start())
        counted = mark.start()
        following = next(marks, None)
        end = following.start() if following else len(content)
        yield Block(part, included, line, mark[1], content[mark.end() : end])
        mark = following


def decode_any(content: bytes) -> str:
    """Return the text of a file in UTF-8 or, like old files, Latin-1."""
    try:
        return decode(content)
    except Fault:
        return decode(content, "latin-1")


def blocks_of_file(file: Path) -> Iterator[Block]:
    """Yield the blocks of a file and of its included files, from `include` in a folder above."""
    folders = (parent / INCLUDE for parent in file.absolute().parents)
    folder = next(filter(Path.is_dir, folders), None)
    parts = [("", decode_any(read_file(file)))]
    yield from blocks_of(parts, lambda name: read_included(folder, name) if folder else b"")


def read_included(folder: Path, name: str) -> bytes:
    """Return the content of the included file `name`.

    Raises:
        Fault: if the file is outside of the folder, or cannot be read.
    """
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise Fault("an .INCLUDE that leads out of the collection", name)
    return read_file(file)
