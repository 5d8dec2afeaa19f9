"""Reads the lists of words, phrases and templates in the text files beside this module."""

import re
from pathlib import Path

HEADING = re.compile(r"^\[([\w-]+)\]\n", re.MULTILINE)


def read_lists(file: str) -> dict[str, list[str]]:
    """Return the lists of a file by their names, in the order of the file.

    A line such as `[things]` names the list below it: words with blanks between them, or phrases
    in lines or with bars `¦` between them. A list of phrases has at least one bar.
    """
    _, *parts = HEADING.split(_read(file))
    return dict(zip(parts[::2], map(_entries, parts[1::2]), strict=True))


def read_pairs(file: str) -> list[tuple[str, str]]:
    """Return what stands before and after the tab in each line of a file."""
    return [tuple(line.split("\t")) for line in _read(file).splitlines()]


def _read(file: str) -> str:
    return Path(__file__).with_name(file).read_text(encoding="utf-8")


def _entries(text: str) -> list[str]:
    if "¦" not in text:
        return text.split()
    return [entry.strip() for entry in re.split("[¦\n]", text) if entry.strip()]
