"""UNIPEN, the classic exchange format: text in which keywords begin with a dot.

`.SEGMENT DIGIT 0-1 ? "8"` names a piece of writing: its level, its pen-down pieces (counted from 0;
`2:10-3:5` are points 10 of piece 2 to 5 of piece 3), a quality and a label. `.PEN_DOWN` is followed
by lines of `x y` until `.PEN_UP`; y grows upwards. `.COORD X Y T` names other columns,
`.WRITER_ID` the writer. `.INCLUDE` names further files, which are never opened.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from base import distributed
from data_loader.sources.cache import Rejected, Sample, printable
from data_loader.sources.files import check_root, files_below, read_file
from data_loader.sources.parsing import Fault, clean_text, decode, join_strokes
from data_loader.sources.source import SourceDataset
from utils.checks import DataError, Range

_KEYWORD = re.compile(r"^[ \t]*\.([A-Z][A-Z0-9_]*)", re.MULTILINE)
_SEGMENT = re.compile(
    r'\s*(\S+)\s+([^\s"]+)?(?:\s+([^\s"]+))?\s*(?:"((?:[^"\\]|\\.)*)")?', re.DOTALL
)
_DECLARATION = 4096  # characters of a segment's declaration that are read; assumed
_RANGE = re.compile(r"(\d{1,9})(?::(\d{1,9}))?(?:-(\d{1,9})(?::(\d{1,9}))?)?")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass
class Segment:
    """A labelled piece of writing as a file declares it."""

    level: str
    pieces: str
    label: str | None
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


def parse(content: str) -> Document:
    """Return the segments and the pen-down pieces of a UNIPEN file.

    Raises:
        Fault: if there is no keyword in it, or the columns named lack x or y.
    """
    marks = list(_KEYWORD.finditer(content))
    if not marks:
        raise Fault("no UNIPEN keyword in it")
    document, columns, writer, open_piece, line, place = (
        Document([], []),
        ("X", "Y"),
        "",
        False,
        1,
        0,
    )
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        line += content.count("\n", place, mark.start())
        place, keyword = mark.start(), mark[1]
        body = content[mark.end() : len(content) if after is None else after.start()]
        if keyword in ("PEN_DOWN", "SEGMENT") and open_piece:
            document.pieces[-1] = Fault("a piece without .PEN_UP", f"before line {line}")
        if keyword == "PEN_DOWN":
            open_piece = True
            document.pieces.append(_points(body, columns, line))
        elif keyword == "PEN_UP":
            open_piece = False
        elif keyword == "SEGMENT":
            open_piece = False
            declared = _SEGMENT.match(body[:_DECLARATION])
            level, pieces, _, label = declared.groups() if declared else [None] * 4
            document.segments.append(
                Segment(level or "", pieces or "", label, line, len(document.pieces), writer)
            )
        elif keyword == "COMMENT" and document.segments:
            document.segments[-1].comments.append(body)
        elif keyword == "WRITER_ID":
            writer = " ".join(body.split())
        elif keyword == "COORD":
            columns = tuple(body.upper().split())
            if "X" not in columns or "Y" not in columns:
                raise Fault("columns without X or Y", f".COORD in line {line}")
    if open_piece:
        document.pieces[-1] = Fault("a piece cut short: the file ends without .PEN_UP")
    return document


def _points(body: str, columns: tuple[str, ...], line: int) -> np.ndarray | Fault:
    """Return the points `(n, 2)` after a .PEN_DOWN in a line, y downwards, or what is wrong."""
    words = body.split()
    rows = [row for row in body.split("\n") if row.strip()]
    if len(words) != len(columns) * len(rows):
        for number, row in enumerate(body.split("\n"), line):
            if row.strip() and (count := len(row.split())) != len(columns):
                return Fault(f"a point without {len(columns)} values", f"line {number} has {count}")
    try:
        if "_" in body:  # which Python takes for part of a number
            raise ValueError
        values = np.array(words, dtype=np.float64).reshape(-1, len(columns))
    except ValueError:
        for number, row in enumerate(body.split("\n"), line):
            for word in row.split():
                try:
                    float(word.replace("_", "x"))
                except ValueError:
                    return Fault("a non-number among the points", f"line {number}: {word[:40]!r}")
        raise
    points = values[:, [columns.index("X"), columns.index("Y")]] * (1, -1)
    if not np.isfinite(points).all():
        return Fault("a non-number among the points", f"after line {line}")
    return points


def _ranges(pieces: str) -> list[tuple[int, int | None, int, int | None]] | None:
    """Return what a segment names, as `(piece, point, last piece, last point)`; None if nothing."""
    found = []
    for part in pieces.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            return None
        first, point, last, last_point = (None if g is None else int(g) for g in match.groups())
        if last is None:
            found.append((first, point, first, point))
        else:
            found.append((first, point, last, last_point))
    return found


def assemble(document: Document, level: str) -> Iterator[tuple[Segment, list[np.ndarray] | Fault]]:
    """Yield the segments of a level with their strokes, or why they have none.

    Segments are declared right before the pieces they name, or all ahead of them. In the first
    case what follows a segment belongs to it, and must be as many pieces as it names: the numbers
    themselves are useless where segments were taken out of a file. In the second the numbers count.
    A Fault is raised if the segments name the pieces too often, as `samples` raises one.
    """
    segments = [segment for segment in document.segments if segment.level.upper() == level.upper()]
    if not segments:
        return
    total, visited = len(document.pieces), 0
    most = 10 * sum(1 if isinstance(p, Fault) else 1 + len(p) for p in document.pieces)
    ends = [*(segment.before for segment in segments[1:]), total]
    named = [_ranges(segment.pieces) for segment in segments]
    sizes = [None if r is None else sum(last - first + 1 for first, _, last, _ in r) for r in named]
    follow = [end - segment.before for segment, end in zip(segments, ends, strict=True)]
    in_place = 2 * sum(
        count > 0 and size in (None, count) for size, count in zip(sizes, follow, strict=True)
    ) >= len(segments)
    for segment, ranges, size, count in zip(segments, named, sizes, follow, strict=True):
        if in_place and size is not None and size != count:
            yield segment, Fault("a segment with other pieces than it names", f"{count} for {size}")
            continue
        if not in_place and ranges is None:
            yield segment, Fault("a segment that does not say which pieces are its", segment.pieces)
            continue
        if ranges is None:
            ranges = [(segment.before, None, segment.before + count - 1, None)]
        elif in_place:
            moved = segment.before - min(first for first, _, _, _ in ranges)
            ranges = [(f + moved, point, last + moved, end) for f, point, last, end in ranges]
        visited += sum(last - first + 1 for first, _, last, _ in ranges if first <= last < total)
        if visited > most:
            raise Fault("segments that repeat the same pieces too often")
        yield segment, _strokes(document, ranges)


def _strokes(
    document: Document, ranges: list[tuple[int, int | None, int, int | None]]
) -> list[np.ndarray] | Fault:
    """Return the strokes that the ranges name."""
    found = []
    for first, point, last, last_point in ranges:
        if first > last or last >= len(document.pieces):
            there = f"{first}-{last} of {len(document.pieces)}"
            return Fault("a segment that names pieces that are not there", there)
        for number in range(first, last + 1):
            piece = document.pieces[number]
            if isinstance(piece, Fault):
                return piece
            stop = last_point + 1 if number == last and last_point is not None else len(piece)
            start = point if number == first and point is not None else 0
            found.append(piece[start:stop])
    return found


def samples(
    document: Document, level: str, max_points: int
) -> Iterator[tuple[Segment, np.ndarray | Fault, str]]:
    """Yield the segments of a level with their ink `(points, 3)`, or why they have none.

    The third is the label, or an empty string.

    Raises:
        Fault: if the segments repeat the pieces so often that they would fill the memory.
    """
    points, most = 0, sum(len(p) for p in document.pieces if not isinstance(p, Fault))
    for segment, lines in assemble(document, level):
        points += 0 if isinstance(lines, Fault) else sum(map(len, lines))
        if points > 10 * most:
            raise Fault("segments that repeat the same pieces too often")
        try:
            if isinstance(lines, Fault):
                raise lines
            ink: np.ndarray | Fault = join_strokes(lines, max_points)
            text = clean_text(_ESCAPED.sub(_unescaped, segment.label or ""))
        except Fault as fault:
            ink, text = fault, ""
        yield segment, ink, text


def located(fault: Fault, segment: Segment) -> Fault:
    """Return a fault that says which segment it is of."""
    detail = f"{fault.detail}, " if fault.detail else ""
    return Fault(fault.reason, f"{detail}.SEGMENT in line {segment.line}")


class UnipenDataset(SourceDataset):
    """Labelled segments of UNIPEN files.

    Args:
        root: a file, or a folder with files (also in folders below).
        pattern: the names of the files in the folder, such as "*.dat"; matching files that are not
            UNIPEN are left out, and named.
        level: the level of the segments that become samples, such as "DIGIT", "WORD" or "LINE";
            None takes the only one there is.
        writer_comment: which word of the comment after a segment names its writer, counted from
            0 (1 in the UCI pen digits); None takes `.WRITER_ID`.
        options: see `SourceDataset`.
    """

    kind = "unipen"
    title = "UNIPEN"
    whole = False

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

    def options(self) -> dict[str, Any]:
        own = {"level": self.level, "writer_comment": self.writer_comment}
        return {**super().options(), **own}

    def find(self) -> list[Path]:
        check_root(self.root)
        files = [self.root] if self.root.is_file() else []
        if self.root.is_dir():
            files = files_below(self.root, self.pattern, self.max_members)
        if not files:
            raise DataError(f"{self.root}: no UNIPEN file there (pattern {self.pattern!r})")
        return files

    def read(self, files: list[Path]) -> Iterator[Sample | Rejected]:
        documents: dict[str, Document] = {}
        for file in distributed.bar(files, "parsing UNIPEN", unit=" files"):
            name = file.relative_to(self.folder).as_posix()
            try:
                documents[name] = parse(decode(read_file(file, self.max_bytes)))
            except Fault as fault:
                yield fault.of(name)
        level = self._level(documents)
        for name, document in documents.items():
            yield from self._samples(name, document, level)

    def _samples(self, name: str, document: Document, level: str) -> Iterator[Sample | Rejected]:
        """Yield the samples of the file called `name`, and those left out."""
        number = -1
        try:
            for number, found in enumerate(samples(document, level, self.max_points)):
                segment, ink, text = found
                own = f"{name}:{number:05}"
                try:
                    if isinstance(ink, Fault):
                        raise ink
                    if not text:
                        raise Fault("a segment without a label")
                    writer = self._writer(name, segment)
                    yield Sample(own, ink, text, writer=writer, group=name)
                except Fault as fault:
                    yield located(fault, segment).of(own)
        except Fault as fault:
            yield fault.of(name)
            return
        if number < 0:
            yield Rejected(name, f"no segments of the level {level}")

    def _level(self, documents: dict[str, Document]) -> str:
        """Return the level to use, that of the config or the only one there is."""
        levels = Counter(s.level.upper() for d in documents.values() for s in d.segments)
        there = ", ".join(
            f"{printable(level[:40])} ({count:,} segments)" for level, count in levels.items()
        )
        if self.level is not None:
            if documents and self.level.upper() not in levels:
                raise DataError(f"{self.root}: no level {self.level}; there are {there or 'none'}")
            return self.level
        if len(levels) > 1:
            raise DataError(f'{self.root}: several levels, name one as "level": {there}')
        return next(iter(levels), "")

    def _writer(self, file: str, segment: Segment) -> str:
        """Return who wrote a segment, or an empty string."""
        if self.writer_comment is None:
            return segment.writer
        words = " ".join(segment.comments).split()
        if self.writer_comment >= len(words):
            raise Fault("no writer in the comment after the segment")
        return f"{file}:{words[self.writer_comment]}"  # each file numbers its own writers


def _unescaped(match: re.Match[str]) -> str:
    return {"n": " ", "t": " "}.get(match[1], match[1])
