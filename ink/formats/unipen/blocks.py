"""Splits the text of UNIPEN files, and of files that they include, into keywords and bodies."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ink.formats.checks import decode
from ink.formats.files import read_file
from ink.sample import Fault

INCLUDE = "include"
_KEYWORD = re.compile(r"^[ \t]*\.([A-Z][A-Z0-9_]*)", re.MULTILINE)


class Block(NamedTuple):
    """A keyword of a file, and the text between this keyword and the next."""

    file: str
    included_file: str
    """The included file that contains the block; "" if `file` itself contains the block."""
    line: int
    keyword: str
    body: str

    def describe_line(self, offset: int = 0) -> str:
        """Return, for messages, the number of the line that is `offset` lines below the keyword."""
        line = f"line {self.line + offset}"
        return f"{line} of {self.included_file}" if self.included_file else line


def blocks_of(files: Iterable[tuple[str, str]], include: Callable[[str], bytes]) -> Iterator[Block]:
    """Yield the blocks of files, with the blocks of an included file at its first `.INCLUDE`.

    Args:
        files: names and contents of the files.
        include: returns the content of a file that `.INCLUDE` names.

    Raises:
        Fault: if one of `files` has no keyword, or `include` raises a Fault.
    """
    opened: set[str] = set()
    for file, content in files:
        stack = [_blocks(file, "", content)]
        while stack:
            block = next(stack[-1], None)
            if block is None:
                stack.pop()
            elif block.keyword != "INCLUDE":
                yield block
            else:
                name = " ".join(block.body.split())
                included = b"" if name in opened else include(name)
                opened.add(name)
                if included:
                    stack.append(_blocks(file, name, decode_any(included)))


def _blocks(file: str, included_file: str, content: str) -> Iterator[Block]:
    match = _KEYWORD.search(content)
    line = 1
    previous = 0
    if not included_file and match is None:
        raise Fault("no UNIPEN keyword in it")
    while match is not None:
        following = _KEYWORD.search(content, match.end())
        line += content.count("\n", previous, match.start())
        previous = match.start()
        body = content[match.end() : None if following is None else following.start()]
        yield Block(file, included_file, line, match[1], body)
        match = following


def decode_any(content: bytes) -> str:
    """Return the text of a file in UTF-8 or, as in old files, Latin-1."""
    try:
        return decode(content)
    except Fault:
        return decode(content, "latin-1")


def blocks_of_file(file: Path) -> Iterator[Block]:
    """Yield the blocks of a file; included files are in `include`, in a folder above the file."""
    folders = (parent / INCLUDE for parent in file.absolute().parents)
    folder = next(filter(Path.is_dir, folders), None)
    files = [("", decode_any(read_file(file)))]
    yield from blocks_of(files, lambda name: read_included(folder, name) if folder else b"")


def read_included(folder: Path, name: str) -> bytes:
    """Return the content of the included file `name`.

    Raises:
        Fault: if the file is not in `folder` or below, or cannot be read.
    """
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise Fault("an .INCLUDE that leads out of the collection", name)
    return read_file(file)
