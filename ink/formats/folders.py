"""Finds the files of notes in a folder, and tells when they have changed."""

import re
from collections.abc import Callable, Iterable, Sequence
from os.path import isfile  # unlike Path.is_file, it takes paths that are too long
from pathlib import Path
from typing import TypeAlias

from ink.formats import remarkable
from ink.formats.files import files_below

_NOTES = re.compile(
    r".*\.(xopp|xoj|rm|content|excalidraw|excalidraw\.md|svgz?|inkml)",
    re.IGNORECASE | re.DOTALL,
)


Titles: TypeAlias = Callable[[Sequence[Path]], Iterable[str | None]]


def note_files(folder: Path, titles: Titles = remarkable.titles) -> dict[str, Path]:
    """Return the files of notes in a folder and its subfolders, by name, sorted by folders and
    names. The name of a tablet's document is its title; the name of any other file is its path in
    the folder. A subfolder that cannot be read counts as a file that cannot be read.

    Raises:
        OSError: if the folder cannot be read.
    """
    found, files = files_below(folder, _NOTES, has_unreadable=True), dict[str, Path]()
    documents = [file for file in found if file.suffix == ".content"]
    title_of = dict(zip(documents, titles(documents), strict=True))
    for file in found:
        if file.suffix == ".rm" and isfile(file.parent.with_suffix(".content")):
            continue  # The file is a page of a document.
        name = title_of[file] if file in title_of else file.relative_to(folder).as_posix()
        if name in files:
            name = f"{name} ({file.stem})"
        if name is not None:
            files[name] = file
    return dict(sorted(files.items(), key=lambda item: item[0].split("/")))


def file_state(path: Path) -> str:
    """Return a text that changes with the sizes and times of a file and of the other files of a
    document; "" if there is no such file."""
    parts = [path]
    if path.suffix == ".content":
        parts += [path.with_suffix(".pdf"), *sorted(path.with_suffix("").glob("*.rm"))]
    states = (part.stat() for part in parts if isfile(part))
    return " ".join(f"{state.st_size}-{state.st_mtime_ns}" for state in states)
