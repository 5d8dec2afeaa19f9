"""Reads a published collection of UNIPEN files, such as the training set train_r01_v07.

`data/CATEGORY/CONTRIBUTOR/...` has the segments of each category: texts (8), words (7), characters
in context (3), and single digits, capitals, small letters and signs (1a to 1d). `include/` has the
included files: the ink, and descriptions of writers and devices.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from ink.formats.archives import (
    MAX_UNPACKED,
    NoBar,
    attempted,
    is_archive,
    members,
    unpacked,
)
from ink.formats.files import files_below, read_file, read_head
from ink.formats.unipen import segments
from ink.formats.unipen.blocks import (
    INCLUDE,
    Block,
    blocks_of,
    decode_any,
    read_included,
)
from ink.formats.unipen.segments import Document, read_document, segment_reader
from ink.geometry import from_strokes, row_starts, strokes
from ink.sample import Fault, Parsed, Sample
from utils.checks import DataError

DATA = "data"  # folder of the categories
WORDS = "7"  # category of words
MAX_HEAD = 1 << 20  # beginning of an unpacked archive that must contain a keyword (assumed)
ANY_NAME = re.compile(".*", re.DOTALL)
READING = "reading UNIPEN"  # text of the progress bar
_CACHED_FILES = 64  # included files kept in memory (assumed)
_AFTER_OPENING = re.compile(r"((?:^| )[(\[]) ")
_BEFORE_CLOSING = re.compile(r" ([.,;:!?)\]](?: |$))")
_FAMILIES = ("ap", "at", "bb", "ce", "hp", "im")
"""First two letters of the codes of related contributors, which give a person the same name."""


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is an archive of UNIPEN files."""
    return is_archive(head) and segments.sniff(unpacked(head, MAX_HEAD))


def parse(path: Path, bar: Callable[..., Any] = NoBar) -> Parsed:
    """Return the samples of a collection."""
    return parse_collection(path, None, bar=bar)


Opened = tuple[str, list[str], list[Block] | Fault]
"""A document's path, its files in order, and their blocks, or the fault of a file."""


class Collection(NamedTuple):
    """The files of a collection: a folder with `data` and `include`, or its archive."""

    names: list[str]
    read: Callable[[str], bytes]  # returns the content of a file, or raises a Fault
    include: Callable[[str], bytes]  # returns the content of an included file, or raises a Fault

    def documents(self) -> list[tuple[str, dict[str, str]]]:
        """Return path and files of each document; the files are a dictionary by category.

        The files of a document have the same path below their categories, such as `abm/ca0.dat`,
        and describe the same ink.
        """
        documents: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for name in self.names:
            top, category, *path = name.split("/", 2)  # none in a file of the top folder
            if top == DATA and path:
                documents[path[0]][category] = name
        return sorted(documents.items())

    def opened(self, categories: Sequence[str] | None, bar: Callable[..., Any]) -> Iterator[Opened]:
        """Yield each document, read, with the files of `categories`; see `parse_collection`."""
        documents = bar(self.documents(), "parsing UNIPEN", unit=" files", delay=1)
        for path, files in documents:
            yield _opened(self, path, files, categories)


def is_collection(path: Path) -> bool:
    """Return whether `path` is a readable archive, or a folder that holds a collection."""
    with suppress(OSError, Fault):
        if path.is_file():
            return is_archive(read_head(path))
        return (path / DATA).is_dir() and (path / INCLUDE).is_dir()
    return False


def open_collection(
    path: Path, max_bytes: int = MAX_UNPACKED, bar: Callable[..., Any] = NoBar
) -> Collection:
    """Return the collection in a folder, or in an archive (.tar, .tar.gz, .tgz, .tar.xz).

    The archive is not extracted, but read into memory, unless it has more than `max_bytes`.

    Raises:
        DataError: if the archive is broken or too large, or holds no collection.
    """
    if not path.is_dir():
        return packed_collection(path, members(path, ANY_NAME, READING, max_bytes, bar))
    files = files_below(path / DATA, ANY_NAME)
    return Collection(
        [file.relative_to(path).as_posix() for file in files],
        lambda name: read_file(path / name),
        lru_cache(_CACHED_FILES)(lambda name: read_included(path / INCLUDE, name)),
    )


def packed_collection(path: Path, packed: Iterable[tuple[str, bytes | Fault]]) -> Collection:
    """Return the collection of the `members` of an archive; raise a DataError if there is none."""
    contents = {}
    for member, content in packed:
        name = _in_collection(member)
        if name:
            contents[name] = content
    if not any(name.startswith(f"{DATA}/") for name in contents):
        raise DataError(f"{path}: no folder {DATA}/ of a UNIPEN collection in it")

    def read(name: str) -> bytes:
        content = contents.get(name, Fault("a file that is not in the archive", name))
        if isinstance(content, Fault):
            raise content
        return content

    return Collection([*contents], read, lambda name: read(f"{INCLUDE}/{PurePosixPath(name)}"))


def _in_collection(path: str) -> str:
    """Return the part of a path that begins with `data` or `include`, or ""."""
    parts = PurePosixPath(path).parts
    start = next((n for n, part in enumerate(parts) if part in (DATA, INCLUDE)), len(parts))
    return "/".join(parts[start:])


def length_order(category: str) -> tuple[int, str]:
    """Return a key that sorts categories: texts, then words, then characters."""
    (digits,) = re.findall(r"^\d*", category)
    return -int(digits or "0"), category


def parse_collection(
    path: Path,
    categories: Sequence[str] | None,
    points_per_second: float | None = None,
    max_bytes: int = MAX_UNPACKED,
    bar: Callable[..., Any] = NoBar,
) -> Parsed:
    """Return the samples of a collection, named like "8/abm/ca0.dat:00003".

    Ink that is in several categories becomes a sample of the first of them only.

    Args:
        path: see `open_collection`.
        categories: the categories to use, in this order; None takes all, by `length_order`.
        points_per_second: see `Document`.
        max_bytes: largest size of the unpacked archive.
        bar: makes a progress bar, see `contents_of` of `ink.formats.archives`.
    """
    documents = open_collection(path, max_bytes, bar).opened(categories, bar)
    return joined(parse_document(points_per_second, opened) for opened in documents)


def joined(documents: Iterable[tuple[str, Parsed | Fault]]) -> Parsed:
    """Return the samples of all documents, each by its path or with its fault."""
    parsed = Parsed()
    for path, result in documents:
        with parsed.attempt(path):
            if isinstance(result, Fault):
                raise result
            parsed.extend(result)
    return parsed


def _opened(
    collection: Collection, path: str, files: Mapping[str, str], categories: Sequence[str] | None
) -> Opened:
    order = categories or sorted(files, key=length_order)
    names = [files[category] for category in order if category in files]
    texts = ((name, decode_any(collection.read(name))) for name in names)
    return path, names, attempted(lambda: [*blocks_of(texts, collection.include)])


def parse_document(points_per_second: float | None, opened: Opened) -> tuple[str, Parsed | Fault]:
    """Return a document's path, and its samples or its fault."""
    path, names, blocks = opened
    if isinstance(blocks, Fault):
        return path, blocks
    document = partial(read_document, blocks, points_per_second)
    return path, attempted(lambda: _samples(document(), names, path))


def _samples(document: Document, files: Sequence[str], path: str) -> Parsed:
    """Return the samples of a document; ink that is in several files comes from the first file."""
    contributor = path.partition("/")[0]
    family = contributor[:2] if contributor[:2] in _FAMILIES else contributor
    has_words = any(f"/{WORDS}/" in file for file in files)
    used_before: set[int] = set()  # numbers of components that earlier files use
    parsed = Parsed()
    for file in files:
        segments = [segment for segment in document.segments if segment.file == file]
        read = segment_reader(document, segments)
        used: set[int] = set()
        for number, segment in enumerate(segments):
            name = f"{file.removeprefix('data/')}:{number:05}"
            with parsed.attempt(name):
                sample = read(number)
                has_new_ink = bool(segment.component_numbers - used_before)
                if not has_new_ink:
                    raise Fault("ink that a longer sample has")
                writer = f"{family}:{sample.writer or path}"
                sample = replace(sample, name=name, writer=writer, group=contributor)
                rows = _rows(sample, has_words) if segment.level == "TEXT" else [sample]
                parsed.samples.extend(replace(row, text=untokenised(row.text)) for row in rows)
                used |= segment.component_numbers
        used_before |= used
    return parsed


def untokenised(text: str) -> str:
    """Return a label without blanks that only separate tokens and were not written.

    Examples of such labels are "What a trick !" and "( 4 5 6 ) 7 8 9".
    """
    tokens = text.split()
    if all(len(token) == 1 for token in tokens) and any(map(str.isdigit, tokens)):
        return "".join(tokens)
    return _BEFORE_CLOSING.sub(r"\1", _AFTER_OPENING.sub(r"\1", text))


def _rows(sample: Sample, has_words: bool) -> list[Sample]:
    """Return the sample of each row of a text; a text of several rows must have one word a row.

    If `has_words`, the document also has the words as samples of their own.
    """
    words = sample.text.split()
    starts = row_starts(sample.ink)
    if len(starts) == 1 or (len(words) == 1 and len(starts) == 2):  # A word may be underlined.
        return [sample]
    if has_words:
        raise Fault("several rows, whose words are samples of their own")
    if len(words) != len(starts):
        raise Fault("several rows that are not of one word each")
    parts = strokes(sample.ink)
    rows = zip(words, starts, [*starts[1:], len(parts)], strict=True)
    return [
        replace(sample, ink=from_strokes(parts[start:stop]), text=word, name=f"{sample.name}[{n}]")
        for n, (word, start, stop) in enumerate(rows)
    ]
