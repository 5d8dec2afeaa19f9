"""UNIPEN, the classic exchange format: text in which keywords begin with a dot.

`.SEGMENT DIGIT 0-1 ? "8"` names a piece of writing: its level, its components (counted from 0;
`2:10-3:5` is point 10 of component 2 to point 5 of component 3), its quality and its label. A
component is the pen's way after a `.PEN_DOWN` or, where the tablet recorded the pen in the air,
after a `.PEN_UP`: one or more lines of `x y`, y growing upwards. `.COORD X Y T P` names other
columns, `.WRITER_ID` the writer, `.POINTS_PER_SECOND` the rate of the tablet, and `.INCLUDE` a file
below the folder `include` of a collection.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_loader.sources.parsing import (
    MAX_ELEMENTS,
    MAX_POINTS,
    Budget,
    Fault,
    Parsed,
    Sample,
    check_points,
    clean_text,
    join_strokes,
)
from data_loader.sources.unipen_blocks import Block, blocks_of_file
from utils.ink import at_equal_steps

_KNOWN = re.compile(
    rb"^[ \t]*\.(?:PEN_DOWN|SEGMENT|VERSION|INCLUDE|COORD|HIERARCHY|LEXICON|DATA_SOURCE)\b", re.M
)
_SEGMENT = re.compile(
    r'\s*(\S+)\s+([^\s"]+)?(?:\s+([^\s"]+))?\s*(?:"((?:[^"\\]|\\.)*)")?', re.DOTALL
)
_DECLARATION = 4096  # characters of a declaration that are read; assumed
_REPEATED = "segments that repeat the same components too often"
_RANGE = re.compile(r"(\d{1,9})(?::(\d{1,9}))?(?:-(\d{1,9})(?::(\d{1,9}))?)?")
_RESOLUTION = re.compile("([XY])_POINTS_PER_(INCH|MM)")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_RATES = 40, 1000
"""Lowest and highest rate, in points a second, of ink that is resampled (assumed). Letters are
still round at 33, at which the network `writer` learned; KAIST's files state 9600, the cable's."""
_ESCAPES = {"n": " ", "t": " ", "@": ""}  # `@` stands where letters join.


class Components(NamedTuple):
    """Components of a file that follow each other, counted from 0 like their points."""

    first: int
    first_point: int
    last: int
    last_point: int | None
    """None for the component's last point."""


@dataclass
class Segment:
    """A labelled piece of writing as a file declares it."""

    level: str
    named: str
    """The components that the segment names, such as `2:10-3:5,7`."""
    quality: str
    label: str
    line: int
    first_component: int
    """Number of the component that follows the segment in the file."""
    writer: str
    part: str
    """The file of the document that declares the segment."""
    comments: list[str] = field(default_factory=list)

    @property
    def numbers(self) -> set[int]:
        """The numbers of the components that the segment names."""
        return {n for part in _ranges(self.named) for n in range(part.first, part.last + 1)}


@dataclass
class Document:
    """The segments and components of UNIPEN files that describe the same ink."""

    segments: list[Segment]
    components: list[np.ndarray]
    """Points `(n, 3)` of each component: x, y downwards, and whether the pen was down."""
    broken: dict[int, Fault]
    """Why a component cannot be used."""
    rates: list[float]
    """Points a second of each component; 0 if unknown."""
    points_per_second: float | None = None
    """Rate to which ink is resampled; None keeps the points as they are."""

    def __post_init__(self) -> None:
        self._repeats = Budget(10 * sum(len(points) + 1 for points in self.components), _REPEATED)

    def ink(self, ranges: list[Components]) -> np.ndarray:
        """Return the ink `(points, 3)` of components.

        Raises:
            Fault: if a component is missing or broken; if there are too few points or too many;
                if all calls together repeat components too often for the memory; if ink is to be
                resampled, and its rate is unknown or outside `_RATES`.
        """
        strokes: list[np.ndarray] = []
        for first, first_point, last, last_point in ranges:
            if first > last or last >= len(self.components):
                detail = f"{first}-{last} of {len(self.components)}"
                raise Fault("a segment that names components that are not there", detail)
            for index in range(first, last + 1):
                self._repeats.spend(1 + len(self.components[index]))
                if index in self.broken:
                    raise self.broken[index].within("")
                start = first_point if index == first else 0
                stop = last_point + 1 if index == last and last_point is not None else None
                points = self.components[index][start:stop]
                changes = np.flatnonzero(np.diff(points[:, 2])) + 1
                runs = [r[:, :2] for r in np.split(points, changes) if len(r) and r[0, 2] > 0]
                strokes += [self._resampled(run, self.rates[index]) for run in runs]
        return join_strokes(strokes)

    def _resampled(self, stroke: np.ndarray, rate: float) -> np.ndarray:
        """Return a stroke `(points, 2)` at the rate of the document; its ends stay."""
        if self.points_per_second is None:
            return stroke
        low, high = _RATES
        if not low <= rate <= high:
            raise Fault(f"points per second unknown, or not {low} to {high}", f"{rate:g}")
        steps = len(stroke) - 1
        count = max(1, round(steps * self.points_per_second / rate))
        return at_equal_steps(stroke, np.arange(steps + 1.0), count) if steps else stroke


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is UNIPEN."""
    return _KNOWN.search(head) is not None


def parse(path: Path) -> Parsed:
    """Return the segments of a file's `highest_level`; a file without segments is one sample."""
    document = read_document(blocks_of_file(path))
    if document.segments:
        return parse_level(document, highest_level(document))
    if not document.components:
        raise Fault("no points")
    every = Components(0, 0, len(document.components) - 1, None)
    return Parsed([Sample(document.ink([every]))])


def highest_level(document: Document) -> str:
    """Return the level LINE if a segment has it, or else the level with the fewest segments."""
    levels = Counter(segment.level for segment in document.segments)
    return "LINE" if "LINE" in levels else min(levels, key=levels.__getitem__, default="")


def parse_level(document: Document, level: str, writer_comment: int | None = None) -> Parsed:
    """Return the segments of a level, named by their number."""
    chosen = [segment for segment in document.segments if segment.level == level]
    read = segment_reader(document, chosen, writer_comment)
    parsed = Parsed()
    for number in range(len(chosen)):
        with parsed.attempt(name := f"{number:05}"):
            parsed.samples.append(read(number).of(name))
    return parsed


def read_document(blocks: Iterable[Block], points_per_second: float | None = None) -> Document:
    """Return the segments and components of files that describe the same ink.

    Args:
        blocks: the blocks of the files; iteration may raise a Fault.
        points_per_second: see `Document`.

    Raises:
        Fault: if `.COORD` lacks X or Y, or there are too many keywords.
    """
    segments: list[Segment] = []
    components: list[np.ndarray] = []
    broken: dict[int, Fault] = {}
    rates: list[float] = []
    columns, writer, down, has_lifts, rate = ["X", "Y"], "", False, False, 0.0
    per_inch: dict[str, float] = {}
    keywords = Budget(MAX_ELEMENTS, f"more than {MAX_ELEMENTS:,} keywords")
    for block in blocks:
        keywords.spend(1)
        keyword, body = block.keyword, block.body
        # Descriptions mention keywords, too, at the beginning of a line.
        has_points = keyword in ("PEN_DOWN", "PEN_UP") and _number(body) is not None
        has_lifts = has_lifts or keyword == "PEN_UP"
        if keyword in ("PEN_DOWN", "PEN_UP", "SEGMENT"):
            down = keyword == "PEN_DOWN" and has_points
        if has_points:
            try:
                points = _points(block, columns)
            except Fault as fault:
                points, broken[len(components)] = np.empty((0, 3)), fault.within("")
            ratio = per_inch.get("Y", 1.0) / per_inch.get("X", 1.0)
            components.append(points * (ratio, 1, 1 if down else 0))  # no ink after PEN_UP
            rates.append(rate)
        elif keyword == "SEGMENT":
            declared = _SEGMENT.match(body[:_DECLARATION])
            level, named, quality, label = declared.groups("") if declared else [""] * 4
            origin = block.line, len(components), writer, block.part
            segments.append(Segment(level.upper(), named, quality, label, *origin))
        elif keyword == "COMMENT" and segments:
            segments[-1].comments.extend(body[:_DECLARATION].split())
        elif keyword == "WRITER_ID":
            writer = " ".join(body[:_DECLARATION].split())
        elif keyword == "POINTS_PER_SECOND":
            rate = _number(body) or 0.0
        elif keyword == "COORD":
            columns = body[:_DECLARATION].upper().split()
            if not {"X", "Y"} <= set(columns):
                raise Fault("columns without X or Y", f".COORD in {block.place()}")
        elif (axis := _RESOLUTION.fullmatch(keyword)) and (value := _number(body) or 0.0) > 0:
            per_inch[axis[1]] = value * (25.4 if axis[2] == "MM" else 1.0)
    if down and has_lifts:  # Some tablets mark no lifts.
        fault = Fault("a component cut short: the file ends without .PEN_UP")
        broken[len(components) - 1] = fault
    return Document(segments, components, broken, rates, points_per_second)


def _number(body: str) -> float | None:
    """Return the number at the beginning of a body, or None if its first word is no number."""
    try:
        return float(body.split(maxsplit=1)[0])
    except (IndexError, ValueError):
        return None


def _points(block: Block, columns: list[str]) -> np.ndarray:
    """Return the points `(n, 3)` of a component: x, y downwards, and whether the pen presses."""
    if (lines := block.body.count("\n")) > MAX_POINTS + 1:
        check_points(lines - 1)
    rows = [(n, row) for n, row in enumerate(block.body.split("\n")) if row.strip()]
    values = []
    for number, row in rows:
        words = row.split()
        if len(words) != len(columns):
            detail = f"{block.place(number)} has {len(words)}"
            raise Fault(f"a point without {len(columns)} values", detail)
        try:
            if "_" in row:  # `float` accepts 1_000
                raise ValueError
            values.append(list(map(float, words)))
        except ValueError:
            detail = f"{block.place(number)}: {row[:40]!r}"
            raise Fault("a non-number among the points", detail) from None
    table = np.reshape(values, (-1, len(columns)))
    # The column P is the pressure: where it is 0, the pen hovers.
    pressed = table[:, columns.index("P")] > 0 if "P" in columns else np.ones(len(table))
    x, y = table[:, columns.index("X")], table[:, columns.index("Y")]
    return np.column_stack([x, -y, pressed])


def segment_reader(
    document: Document, segments: list[Segment], writer_comment: int | None = None
) -> Callable[[int], Sample]:
    """Return a function that reads the sample of a segment's number, or raises a Fault.

    A file declares each segment right before its components, or all segments before or after all
    components. In the first case a segment has the components behind it, and must name as many as
    there are, or none; of the named numbers only the order counts, since the numbers are wrong
    where segments were removed from a file. In the second case the named numbers decide.
    """
    named = [_ranges(segment.named) for segment in segments]
    starts = [*(segment.first_component for segment in segments), len(document.components)]
    counts = [end - start for start, end in pairwise(starts)]
    fits = [n > 0 and _size(ranges) in (0, n) for ranges, n in zip(named, counts, strict=True)]
    in_place = 2 * sum(fits) >= len(segments)

    def sample(number: int) -> Sample:
        segment, ranges = segments[number], named[number]
        if segment.quality.upper() == "BAD":
            raise Fault("a segment that is marked as bad")
        if in_place:
            ranges = _following(ranges, segment.first_component, counts[number])
        if not ranges:
            raise Fault("a segment that does not say which components are its")
        text = _ESCAPED.sub(lambda match: _ESCAPES.get(match[1], match[1]), segment.label)
        writer = segment.writer
        if writer_comment is not None:
            if writer_comment >= len(segment.comments):
                raise Fault("no writer in the comment after the segment")
            writer = segment.comments[writer_comment]
        return Sample(document.ink(ranges), clean_text(text), writer=writer)

    def located(number: int) -> Sample:
        try:
            return sample(number)
        except Fault as fault:
            place = f".SEGMENT in line {segments[number].line}"
            detail = ", ".join(filter(None, [fault.detail, place]))
            raise Fault(fault.reason, detail) from None

    return located


def _ranges(named: str) -> list[Components]:
    """Return the components that a text such as `2:10-3:5,7` names, or [] if it is not valid."""
    ranges = []
    for part in named.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            return []
        numbers = [None if group is None else int(group) for group in match.groups()]
        first, point, last, last_point = numbers
        if last is None:
            last, last_point = first, point
        ranges.append(Components(first, point or 0, last, last_point))
    return ranges


def _size(ranges: list[Components]) -> int:
    return sum(part.last - part.first + 1 for part in ranges)


def _following(ranges: list[Components], start: int, count: int) -> list[Components]:
    """Return the `count` components from `start` on, in the order in which `ranges` names them."""
    if not ranges:
        return [Components(start, 0, start + count - 1, None)]
    if _size(ranges) != count:
        raise Fault("a segment with other components than it names", f"{count} for {_size(ranges)}")
    shift = start - min(part.first for part in ranges)
    return [part._replace(first=part.first + shift, last=part.last + shift) for part in ranges]
