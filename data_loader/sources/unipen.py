"""UNIPEN, the classic exchange format: text in which keywords begin with a dot.

`.SEGMENT DIGIT 0-1 ? "8"` names a piece of writing: its level, its pen-down pieces (counted from 0;
`2:10-3:5` are points 10 of piece 2 to 5 of piece 3), a quality and a label. `.PEN_DOWN` is followed
by lines of `x y` until `.PEN_UP`; y grows upwards. `.COORD X Y T` names other columns,
`.WRITER_ID` the writer. `.INCLUDE` names further files, which are never opened.
"""

import fnmatch
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from data_loader.sources.files import MAX_BYTES, attempt, read_file
from data_loader.sources.parsing import (
    MAX_POINTS,
    Fault,
    Sample,
    check_points,
    clean_text,
    decode,
    join_strokes,
    within,
)
from data_loader.sources.source import DividedDataset
from utils.checks import DataError, Range, printable

SUFFIXES = (".unp", ".unipen")
_KNOWN = re.compile(
    rb"^[ \t]*\.(?:PEN_DOWN|SEGMENT|VERSION|INCLUDE|COORD|HIERARCHY|LEXICON|DATA_SOURCE)\b", re.M
)
_KEYWORD = re.compile(r"^[ \t]*\.([A-Z][A-Z0-9_]*)", re.MULTILINE)
_SEGMENT = re.compile(
    r'\s*(\S+)\s+([^\s"]+)?(?:\s+([^\s"]+))?\s*(?:"((?:[^"\\]|\\.)*)")?', re.DOTALL
)
_PEN = ("PEN_DOWN", "PEN_UP", "SEGMENT")  # keywords that put it down or lift it
_DECLARATION = 4096  # characters of a segment's declaration that are read; assumed
_RANGE = re.compile(r"(\d{1,9})(?::(\d{1,9}))?(?:-(\d{1,9})(?::(\d{1,9}))?)?")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass
class Segment:
    """A labelled piece of writing as a file declares it."""

    level: str
    pieces: str
    label: str
    line: int
    before: int
    """How many pen-down pieces precede it in the file."""
    writer: str = ""
    comments: list[str] = field(default_factory=list)


@dataclass
class Document:
    """What a UNIPEN file holds."""

    segments: list[Segment]
    pieces: list[np.ndarray | Fault]
    """Points `(n, 2)` of each pen-down piece, y downwards, or why it cannot be used."""


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is UNIPEN."""
    return _KNOWN.search(head) is not None


def parse(path: Path) -> Iterator[Sample | Fault]:
    """Yield the lines of a file, or else its segments of the level that has the fewest.

    A file without segments is one sample.
    """
    document = read_document(decode(read_file(path, MAX_BYTES)), MAX_POINTS)
    levels = Counter(segment.level for segment in document.segments).most_common()
    if levels:
        level = "LINE" if "LINE" in dict(levels) else levels[-1][0]
        yield from samples(document, level, MAX_POINTS)
        return
    if not document.pieces:
        raise Fault("no points")
    if broken := next((piece for piece in document.pieces if isinstance(piece, Fault)), None):
        raise broken
    yield Sample(join_strokes(document.pieces, MAX_POINTS), "")


def read_document(content: str, max_points: int) -> Document:
    """Return the segments and the pen-down pieces of a UNIPEN file.

    Raises:
        Fault: if there is no keyword in it, or the columns named lack x or y.
    """
    marks = list(_KEYWORD.finditer(content))
    if not marks:
        raise Fault("no UNIPEN keyword in it")
    segments, pieces = [], []
    columns, writer, pen_down, line, place = ["X", "Y"], "", False, 1, 0
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        line += content.count("\n", place, mark.start())
        place, keyword = mark.start(), mark[1]
        body = content[mark.end() : len(content) if after is None else after.start()]
        if keyword in ("PEN_DOWN", "SEGMENT") and pen_down:
            pieces[-1] = Fault("a piece without .PEN_UP", f"before line {line}")
        pen_down = keyword == "PEN_DOWN" if keyword in _PEN else pen_down
        if keyword == "PEN_DOWN":
            pieces.append(attempt(_points, columns, line, max_points, body))
        elif keyword == "SEGMENT":
            declared = _SEGMENT.match(body[:_DECLARATION])
            level, named, _, label = declared.groups("") if declared else [""] * 4
            segments.append(Segment(level.upper(), named, label, line, len(pieces), writer))
        elif keyword == "COMMENT" and segments:
            segments[-1].comments += body.split()
        elif keyword == "WRITER_ID":
            writer = " ".join(body.split())
        elif keyword == "COORD":
            columns = body.upper().split()
            if not {"X", "Y"} <= set(columns):
                raise Fault("columns without X or Y", f".COORD in line {line}")
    if pen_down:
        pieces[-1] = Fault("a piece cut short: the file ends without .PEN_UP")
    return Document(segments, pieces)


def _points(columns: list[str], line: int, max_points: int, body: str) -> np.ndarray:
    """Return the points `(n, 2)` after a .PEN_DOWN in a line, y downwards."""
    rows = [(n, row) for n, row in enumerate(body.split("\n"), line) if row.strip()]
    if len(rows) > max_points:
        check_points(len(rows), max_points)
    values = []
    for number, row in rows:
        words = row.split()
        if len(words) != len(columns):
            detail = f"line {number} has {len(words)}"
            raise Fault(f"a point without {len(columns)} values", detail)
        try:
            if "_" in row:  # which Python takes for part of a number
                raise ValueError
            values.append(list(map(float, words)))
        except ValueError:
            raise Fault("a non-number among the points", f"line {number}: {row[:40]!r}") from None
    table = np.reshape(values, (-1, len(columns)))
    return table[:, [columns.index("X"), columns.index("Y")]] * (1, -1)


def _ranges(pieces: str) -> list[tuple[int, int, int, int | None]] | None:
    """Return what a segment names, as `(piece, point, last piece, last point)`; None if nothing,
    and None as the last point if that is the piece's."""
    found = []
    for part in pieces.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            return None
        first, point, last, last_point = (None if g is None else int(g) for g in match.groups())
        single = last is None
        found.append(
            (first, point or 0, first if single else last, point if single else last_point)
        )
    return found


def samples(
    document: Document, level: str, max_points: int, writer_comment: int | None = None
) -> Iterator[Sample | Fault]:
    """Yield the segments of a level, named by their number, or why they cannot be used.

    Segments are declared right before the pieces they name, or all ahead of them. In the first
    case what follows a segment belongs to it, and must be as many pieces as it names: the numbers
    themselves are useless where segments were taken out of a file. In the second the numbers count.
    It ends where segments repeat the pieces so often that they would fill the memory.
    """
    segments = [segment for segment in document.segments if segment.level == level]
    total = len(document.pieces)
    left = 10 * sum(1 if isinstance(piece, Fault) else 1 + len(piece) for piece in document.pieces)
    ends = [*(segment.before for segment in segments), total][1:]
    named = [_ranges(segment.pieces) for segment in segments]
    sizes = [None if r is None else sum(last - first + 1 for first, _, last, _ in r) for r in named]
    follow = [end - segment.before for segment, end in zip(segments, ends, strict=True)]
    fit = [n > 0 and size in (None, n) for size, n in zip(sizes, follow, strict=True)]
    in_place = 2 * sum(fit) >= len(segments)
    for number, segment in enumerate(segments):
        ranges, size, count = named[number], sizes[number], follow[number]
        try:
            if in_place and size not in (None, count):
                raise Fault("a segment with other pieces than it names", f"{count} for {size}")
            if not in_place and ranges is None:
                raise Fault("a segment that does not say which pieces are its", segment.pieces)
            if ranges is None:
                ranges = [(segment.before, 0, segment.before + count - 1, None)]
            elif in_place:
                moved = segment.before - min(first for first, _, _, _ in ranges)
                ranges = [(f + moved, point, last + moved, end) for f, point, last, end in ranges]
            strokes = []
            for first, point, last, last_point in ranges:
                if first > last or last >= total:
                    there = f"{first}-{last} of {total}"
                    raise Fault("a segment that names pieces that are not there", there)
                for index in range(first, last + 1):
                    piece = document.pieces[index]
                    if isinstance(piece, Fault):
                        raise piece
                    stop = last_point + 1 if index == last and last_point is not None else None
                    strokes.append(piece[point if index == first else 0 : stop])
                    left -= 1 + len(strokes[-1])
                    if left < 0:
                        raise Fault("segments that repeat the same pieces too often")
            text = clean_text(_ESCAPED.sub(_unescaped, segment.label))
            ink = join_strokes(strokes, max_points)
            writer = segment.writer
            if writer_comment is not None:
                if writer_comment >= len(segment.comments):
                    raise Fault("no writer in the comment after the segment")
                writer = segment.comments[writer_comment]
            yield Sample(ink, text, f"{number:05}", writer)
        except Fault as fault:
            detail = f"{fault.detail}, " * bool(fault.detail) + f".SEGMENT in line {segment.line}"
            yield Fault(fault.reason, detail, f"{number:05}")
        if left < 0:
            return


def _unescaped(match: re.Match[str]) -> str:
    return {"n": " ", "t": " "}.get(match[1], match[1])


class UnipenDataset(DividedDataset):
    """Labelled segments of UNIPEN files.

    Args:
        root: a file, or a folder with files (also in folders below).
        pattern: the names of the files in the folder, such as "*.dat"; matching files that are not
            UNIPEN are left out, and named.
        level: the level of the segments that become samples, such as "DIGIT", "WORD" or "LINE";
            None takes the only one there is.
        writer_comment: which word of the comment after a segment names its writer, counted from
            0 (1 in the UCI pen digits); None takes `.WRITER_ID`.
        options: see `DividedDataset`.
    """

    kind = "unipen"
    title = "UNIPEN"
    parsed_by = (*DividedDataset.parsed_by, "level", "writer_comment")

    def __init__(
        self,
        *,
        root: str = "data/unipen",
        pattern: str = "*",
        level: str | None = None,
        writer_comment: Annotated[int, Range(0, 100)] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(root=root, **options)
        self.pattern, self.level, self.writer_comment = pattern, level, writer_comment

    def find(self) -> list[Path]:
        if files := self._files(re.compile(fnmatch.translate(self.pattern))):
            return files
        raise DataError(f"{self.root}: no UNIPEN file there (pattern {self.pattern!r})")

    def read(self, files: list[Path]) -> Iterator[Sample | Fault]:
        self._levels: Counter[str] = Counter()
        yield from super().read(files)
        there = [f"{printable(one[:40])} ({n:,} segments)" for one, n in self._levels.items()]
        if self.level is None and len(there) > 1:
            levels = ", ".join(there)
            raise DataError(f'{self.root}: several levels, name one as "level": {levels}')
        if self.level is not None and self.level.upper() not in self._levels:
            levels = ", ".join(there) or "none"
            raise DataError(f"{self.root}: no level {self.level}; there are {levels}")

    def _parse(self, file: Path, name: str) -> Iterator[Sample | Fault]:
        document = read_document(decode(read_file(file, self.max_bytes)), self.max_points)
        own = Counter(segment.level for segment in document.segments)
        self._levels += own
        level = next(iter(own), "") if self.level is None else self.level.upper()
        if not own[level]:
            raise Fault(f"no segments of the level {level}")
        for one in samples(document, level, self.max_points, self.writer_comment):
            yield within(name, self._labelled(name, one))

    def _labelled(self, file: str, one: Sample | Fault) -> Sample | Fault:
        if isinstance(one, Fault):
            return one
        if not one.text:
            return Fault("a segment without a label", name=one.name)
        # Each file numbers its own writers.
        writer = one.writer if self.writer_comment is None else f"{file}:{one.writer}"
        return replace(one, writer=writer, group=file)
