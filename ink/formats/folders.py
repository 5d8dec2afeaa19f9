"""Finds the files of notes in a folder, and tells when they have changed."""

import re
from collections.abc import Callable
from pathlib import Path

from ink.formats import remarkable
from ink.formats.files import files_below

_NOTES = re.compile(
    r".*\.(xopp|xoj|rm|content|excalidraw|excalidraw\.md|svgz?|inkml)",
    re.IGNORECASE | re.DOTALL,
)


def note_files(
    folder: Path, title: Callable[[Path], str | None] = remarkable.title
) -> dict[str, Path]:
    """Return the files of notes in a folder and its subfolders, by name. The name of a tablet's
    document is its title; the name of any other file is its path in the folder.

    Raises:
        OSError: if a folder cannot be read.
    """
    files: dict[str, Path] = {}
    for file in files_below(folder, _NOTES):
        if file.suffix == ".rm" and file.parent.with_suffix(".content").is_file():
            continue  # The file is a page of a document.
        name: str | None = file.relative_to(folder).as_posix()
        if file.suffix == ".content":
            name = title(file)
        if name in files:
            name = f"{name} ({file.stem})"
        if name is not None:
            files[name] = file
    return files


def file_state(path: Path) -> str:
    """Return a text that changes with the sizes and times of a file and of the other files of a
    document; "" if there is no such file."""
    parts = [path]
    if path.suffix == ".content":
        parts += [path.with_suffix(".pdf"), *sorted(path.with_suffix("").glob("*.rm"))]
    states = (part.stat() for part in parts if part.is_file())
    return " ".join(f"{state.st_size}-{state.st_mtime_ns}" for state in states)
