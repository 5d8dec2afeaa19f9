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
from typing import Annotated, NamedTuple

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
_DECLARATION = 4096  # characters of a segment's declaration that are read; assumed
_RANGE = re.compile(r"(\d{1,9})(?::(\d{1,9}))?(?:-(\d{1,9})(?::(\d{1,9}))?)?")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Pieces(NamedTuple):
    """Pen-down pieces of a file that follow each other, counted from 0 like their points."""

    first: int
    first_point: int
    last: int
    last_point: int | None
    """None for the last one of the piece."""


@dataclass
class Segment:
    """A labelled piece of writing as a file declares it."""

    level: str
    named: str
    """The pen-down pieces that it names, such as `2:10-3:5,7`."""
    label: str
    line: int
    before: int
    """How many pen-down pieces precede it in the file."""
    writer: str
    comments: list[str] = field(default_factory=list)


@dataclass
class Document:
    """What a UNIPEN file holds."""

    segments: list[Segment]
    pieces: list[np.ndarray | Fault]
    """Points `(n, 2)` of each pen-down piece, y downwards, or why it cannot be used."""

    def __post_init__(self) -> None:
        points = sum(len(piece) for piece in self.pieces if not isinstance(piece, Fault))
        self._left = 10 * (points + len(self.pieces))

    def ink(self, ranges: list[Pieces], max_points: int) -> np.ndarray:
        """Return the ink `(points, 3)` of pieces.

        Raises:
            Fault: if one is not there or broken, there are too few points or too many, or pieces
                were named so often, all together, that their ink would fill the memory.
        """
        strokes: list[np.ndarray] = []
        for first, first_point, last, last_point in ranges:
            if first > last or last >= len(self.pieces):
                there = f"{first}-{last} of {len(self.pieces)}"
                raise Fault("a segment that names pieces that are not there", there)
            for index in range(first, last + 1):
                piece = self.pieces[index]
                if isinstance(piece, Fault):
                    raise piece
                start = first_point if index == first else 0
                stop = last_point + 1 if index == last and last_point is not None else None
                strokes.append(piece[start:stop])
                self._left -= 1 + len(strokes[-1])
                if self._left < 0:
                    raise Fault("segments that repeat the same pieces too often")
        return join_strokes(strokes, max_points)


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
    elif document.pieces:
        every = Pieces(0, 0, len(document.pieces) - 1, None)
        yield Sample(document.ink([every], MAX_POINTS), "")
    else:
        raise Fault("no points")


def read_document(content: str, max_points: int) -> Document:
    """Return the segments and the pen-down pieces of a UNIPEN file.

    Raises:
        Fault: if there is no keyword in it, or the columns named lack x or y.
    """
    segments: list[Segment] = []
    pieces: list[np.ndarray | Fault] = []
    columns, writer, pen_down = ["X", "Y"], "", False
    for keyword, line, body in _blocks(content):
        if keyword in ("PEN_DOWN", "SEGMENT") and pen_down:
            pieces[-1] = Fault("a piece without .PEN_UP", f"before line {line}")
        if keyword in ("PEN_DOWN", "PEN_UP", "SEGMENT"):
            pen_down = keyword == "PEN_DOWN"
        if keyword == "PEN_DOWN":
            pieces.append(attempt(_points, body, columns, line, max_points))
        elif keyword == "SEGMENT":
            declared = _SEGMENT.match(body[:_DECLARATION])
            level, named, _, label = declared.groups("") if declared else [""] * 4
            segments.append(Segment(level.upper(), named, label, line, len(pieces), writer))
        elif keyword == "COMMENT" and segments:
            segments[-1].comments += body.split()
        elif keyword == "WRITER_ID":
            writer = " ".join(body.split())
        elif keyword == "COORD":
            columns = _columns(body, line)
    if pen_down:
        pieces[-1] = Fault("a piece cut short: the file ends without .PEN_UP")
    return Document(segments, pieces)


def _blocks(content: str) -> Iterator[tuple[str, int, str]]:
    """Yield the keywords of a file, each with its line and what stands before the next one."""
    marks = list(_KEYWORD.finditer(content))
    if not marks:
        raise Fault("no UNIPEN keyword in it")
    line, place = 1, 0
    ends = [*(mark.start() for mark in marks[1:]), len(content)]
    for mark, end in zip(marks, ends, strict=True):
        line += content.count("\n", place, mark.start())
        place = mark.start()
        yield mark[1], line, content[mark.end() : end]


def _columns(body: str, line: int) -> list[str]:
    columns = body.upper().split()
    if not {"X", "Y"} <= set(columns):
        raise Fault("columns without X or Y", f".COORD in line {line}")
    return columns


def _points(body: str, columns: list[str], line: int, max_points: int) -> np.ndarray:
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


def samples(
    document: Document, level: str, max_points: int, writer_comment: int | None = None
) -> Iterator[Sample | Fault]:
    """Yield the segments of a level, named by their number, or why they cannot be used.

    Segments are declared right before the pieces they name, or all ahead of them. In the first
    case what follows a segment belongs to it, and must be as many pieces as it names: the numbers
    themselves are useless where segments were taken out of a file. In the second the numbers count.
    """
    segments = [segment for segment in document.segments if segment.level == level]
    ends = [*(segment.before for segment in segments[1:]), len(document.pieces)]
    named = [_ranges(segment.named) for segment in segments]
    follow = [end - segment.before for segment, end in zip(segments, ends, strict=True)]
    sizes = map(_size, named)
    fit = [n > 0 and size in (0, n) for size, n in zip(sizes, follow, strict=True)]
    in_place = 2 * sum(fit) >= len(segments)

    def sample(number: int) -> Sample:
        segment, ranges = segments[number], named[number]
        if in_place:
            ranges = _following(ranges, segment.before, follow[number])
        if not ranges:
            raise Fault("a segment that does not say which pieces are its")
        text = _ESCAPED.sub(lambda match: " " if match[1] in "nt" else match[1], segment.label)
        writer = segment.writer
        if writer_comment is not None:
            if writer_comment >= len(segment.comments):
                raise Fault("no writer in the comment after the segment")
            writer = segment.comments[writer_comment]
        return Sample(document.ink(ranges, max_points), clean_text(text), writer=writer)

    for number, segment in enumerate(segments):
        found = attempt(sample, number)
        if isinstance(found, Fault):
            place = f".SEGMENT in line {segment.line}"
            found = Fault(found.reason, ", ".join(filter(None, [found.detail, place])))
        yield found.of(f"{number:05}")


def _ranges(named: str) -> list[Pieces]:
    """Return the pieces that a segment names, none if that is something else."""
    found = []
    for part in named.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            return []
        numbers = [None if group is None else int(group) for group in match.groups()]
        first, point, last, last_point = numbers
        if last is None:
            last, last_point = first, point
        found.append(Pieces(first, point or 0, last, last_point))
    return found


def _size(ranges: list[Pieces]) -> int:
    return sum(one.last - one.first + 1 for one in ranges)


def _following(ranges: list[Pieces], before: int, count: int) -> list[Pieces]:
    """Return the `count` pieces that follow a segment, in the order in which it names them."""
    if not ranges:
        return [Pieces(before, 0, before + count - 1, None)]
    if _size(ranges) != count:
        raise Fault("a segment with other pieces than it names", f"{count} for {_size(ranges)}")
    moved = before - min(one.first for one in ranges)
    return [one._replace(first=one.first + moved, last=one.last + moved) for one in ranges]


@dataclass(kw_only=True, eq=False)
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
    """

    kind = "unipen"
    title = "UNIPEN"
    parsed_by = (*DividedDataset.parsed_by, "level", "writer_comment")

    root: str = "data/unipen"
    pattern: str = "*"
    level: str | None = None
    writer_comment: Annotated[int, Range(0, 100)] | None = None

    @property
    def file_names(self) -> re.Pattern[str]:
        return re.compile(fnmatch.translate(self.pattern))

    def read(self, files: list[Path]) -> Iterator[Sample | Fault]:
        self._levels: Counter[str] = Counter()
        yield from super().read(files)
        counts = self._levels.items()
        levels = [f"{printable(level[:40])} ({count:,} segments)" for level, count in counts]
        there = ", ".join(levels) or "none"
        if self.level is None and len(levels) > 1:
            raise DataError(f'{self.path}: several levels, name one as "level": {there}')
        if self.level is not None and self.level.upper() not in self._levels:
            raise DataError(f"{self.path}: no level {self.level}; there are {there}")

    def _parse(self, file: Path, name: str) -> Iterator[Sample | Fault]:
        document = read_document(decode(read_file(file, self.max_bytes)), self.max_points)
        own = Counter(segment.level for segment in document.segments)
        self._levels += own
        level = next(iter(own), "") if self.level is None else self.level.upper()
        if not own[level]:
            raise Fault(f"no segments of the level {level}")
        for one in samples(document, level, self.max_points, self.writer_comment):
            if isinstance(one, Sample) and not one.text:
                one = Fault("a segment without a label", name=one.name)
            if isinstance(one, Sample):
                writer = one.writer
                if self.writer_comment is not None:  # each file numbers its own writers
                    writer = f"{name}:{one.writer}"
                one = replace(one, writer=writer, group=name)
            yield within(name, one)
