"""Reads UNIPEN, a text format in which keywords begin with a dot.

`.SEGMENT DIGIT 0-1 ? "8"` declares a piece of writing: its level, its components, its quality and
its label. Components are counted from 0; `2:10-3:5` is point 10 of component 2 to point 5 of
component 3. A component is one or more lines of `x y`, y growing upwards, that follow `.PEN_DOWN`
or, where the tablet recorded the pen in the air, `.PEN_UP`. `.COORD X Y T P` names other columns,
`.WRITER_ID` the writer, `.POINTS_PER_SECOND` the rate of the tablet, and `.INCLUDE` a file below
the folder `include` of a collection.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ink.formats.checks import clean_text, join_strokes
from ink.formats.unipen.blocks import Block, blocks_of_file
from ink.geometry import at_equal_steps
from ink.sample import Fault, Parsed, Sample

_TYPICAL_KEYWORD = re.compile(
    rb"^[ \t]*\.(?:PEN_DOWN|SEGMENT|VERSION|INCLUDE|COORD|HIERARCHY|LEXICON|DATA_SOURCE)\b", re.M
)
_SEGMENT = re.compile(
    r'\s*(\S+)\s+([^\s"]+)?(?:\s+([^\s"]+))?\s*(?:"((?:[^"\\]|\\.)*)")?', re.DOTALL
)
_MAX_DECLARATION = 4096  # characters of a declaration that are read (assumed)
_RANGE = re.compile(r"(\d{1,9})(?::(\d{1,9}))?(?:-(\d{1,9})(?::(\d{1,9}))?)?")
_RESOLUTION = re.compile("([XY])_POINTS_PER_(INCH|MM)")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MIN_RATE = 40  # points a second of ink to resample (assumed: letters are still round at 33)
_MAX_RATE = 1000  # points a second (assumed: KAIST's files state the cable's baud rate, 9600)
_ESCAPES = {"n": " ", "t": " ", "@": ""}  # `@` stands where letters are joined.


class ComponentRange(NamedTuple):
    """From the point `first_point` of component `first` to `last_point` of component `last`."""

    first: int
    first_point: int
    last: int
    last_point: int | None  # None: the last point of the component


@dataclass
class Segment:
    """A labelled piece of writing as a file declares it."""

    level: str
    ranges: str  # the components that the segment names, such as `2:10-3:5,7`
    quality: str
    label: str
    line: int
    first_component: int  # number of the component that follows the segment in the file
    writer: str
    file: str  # the file that declares the segment
    comments: list[str] = field(default_factory=list)  # words of the comments after the segment

    @property
    def component_numbers(self) -> set[int]:
        """The numbers of the components that the segment names."""
        numbers = set[int]()
        for item in _parse_ranges(self.ranges):
            numbers.update(range(item.first, item.last + 1))
        return numbers


@dataclass
class Document:
    """The segments and components of UNIPEN files that describe the same ink."""

    segments: list[Segment]
    components: list[np.ndarray]
    """Points `(n, 3)` of each component: x, y downwards, and whether the pen was down."""
    faults: dict[int, Fault]  # of components that cannot be used, by number
    rates: list[float]  # points a second of each component; 0 if unknown
    points_per_second: float | None = None
    """Rate to which ink is resampled; None keeps the points as they are."""

    def ink(self, ranges: list[ComponentRange]) -> np.ndarray:
        """Return the ink `(points, 3)` of components.

        Raises:
            Fault: if a component is missing or unusable; if there are too few points or too many;
                if ink is to be resampled, and its rate is unknown, or not from `_MIN_RATE` to
                `_MAX_RATE`.
        """
        strokes: list[np.ndarray] = []
        for first, first_point, last, last_point in ranges:
            if first > last or last >= len(self.components):
                detail = f"{first}-{last} of {len(self.components)}"
                raise Fault("a segment that names components that are not there", detail)
            for index in range(first, last + 1):
                if index in self.faults:
                    raise self.faults[index].within("")
                # Components between the first and the last are whole.
                start = first_point if index == first else 0
                stop = last_point + 1 if index == last and last_point is not None else None
                points = self.components[index][start:stop]
                changes = np.flatnonzero(np.diff(points[:, 2])) + 1
                for run in np.split(points, changes):
                    if len(run) and run[0, 2] > 0:  # the pen is down
                        strokes.append(self._resampled(run[:, :2], self.rates[index]))
        return join_strokes(strokes)

    def _resampled(self, stroke: np.ndarray, rate: float) -> np.ndarray:
        """Return a stroke `(points, 2)` at the document's rate; the first and last points stay."""
        if self.points_per_second is None:
            return stroke
        if not _MIN_RATE <= rate <= _MAX_RATE:
            raise Fault(f"points per second unknown or not {_MIN_RATE} to {_MAX_RATE}", f"{rate:g}")
        steps = len(stroke) - 1
        count = max(1, round(steps * self.points_per_second / rate))
        return at_equal_steps(stroke, np.arange(steps + 1.0), count) if steps else stroke


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is UNIPEN."""
    return _TYPICAL_KEYWORD.search(head) is not None


def parse(path: Path) -> Parsed:
    """Return the segments of a file's `highest_level`; without segments, the file as a sample."""
    document = read_document(blocks_of_file(path))
    if document.segments:
        return parse_level(document, highest_level(document))
    if not document.components:
        raise Fault("no points")
    all_components = ComponentRange(0, 0, len(document.components) - 1, None)
    return Parsed([Sample(document.ink([all_components]))])


def parse_file(
    path: Path, points_per_second: float | None, level: str | None, writer_comment: int | None
) -> Parsed:
    """Return the segments of a level of a file; for the arguments see `UnipenDataset`."""
    document = read_document(blocks_of_file(path), points_per_second)
    level = highest_level(document) if level is None else level.upper()
    parsed = parse_level(document, level, writer_comment)
    if not parsed.samples and not parsed.left_out:
        raise Fault(f"no segments of the level {level}")
    return parsed


def highest_level(document: Document) -> str:
    """Return the level LINE if a segment has it, or else the level with the fewest segments."""
    levels = Counter(segment.level for segment in document.segments)
    return "LINE" if "LINE" in levels else min(levels, key=levels.__getitem__, default="")


def parse_level(document: Document, level: str, writer_comment: int | None = None) -> Parsed:
    """Return the segments of a level as samples; the number of a segment is the sample's name."""
    segments = [segment for segment in document.segments if segment.level == level]
    read = segment_reader(document, segments, writer_comment)
    parsed = Parsed()
    for number in range(len(segments)):
        name = f"{number:05}"
        with parsed.attempt(name):
            parsed.samples.append(read(number).renamed(name))
    return parsed


def read_document(blocks: Iterable[Block], points_per_second: float | None = None) -> Document:
    """Return the segments and components of files that describe the same ink.

    Args:
        blocks: the blocks of the files.
        points_per_second: see `Document`.

    Raises:
        Fault: if `.COORD` lacks X or Y, or `blocks` raises a Fault.
    """
    segments: list[Segment] = []
    components: list[np.ndarray] = []
    faults: dict[int, Fault] = {}
    rates: list[float] = []
    columns = ["X", "Y"]
    writer = ""
    down = False
    has_lifts = False
    rate = 0.0
    per_inch: dict[str, float] = {}
    for block in blocks:
        keyword = block.keyword
        body = block.body
        # A line of a description may begin with a keyword, too; no points follow there.
        has_points = keyword in ("PEN_DOWN", "PEN_UP") and _number(body) is not None
        has_lifts = has_lifts or keyword == "PEN_UP"
        if keyword in ("PEN_DOWN", "PEN_UP", "SEGMENT"):
            down = keyword == "PEN_DOWN" and has_points
        if has_points:
            try:
                points = _points(block, columns)
            except Fault as fault:
                points = np.empty((0, 3))
                faults[len(components)] = fault.within("")
            ratio = per_inch.get("Y", 1.0) / per_inch.get("X", 1.0)
            with np.errstate(over="ignore", invalid="ignore"):  # `join_strokes` refuses the point.
                components.append(points * (ratio, 1, 1 if down else 0))  # no ink after PEN_UP
            rates.append(rate)
        elif keyword == "SEGMENT":
            match = _SEGMENT.match(body[:_MAX_DECLARATION])
            level, ranges, quality, label = match.groups("") if match else [""] * 4
            segments.append(
                Segment(
                    level.upper(),
                    ranges,
                    quality,
                    label,
                    line=block.line,
                    first_component=len(components),
                    writer=writer,
                    file=block.file,
                )
            )
        elif keyword == "COMMENT" and segments:
            segments[-1].comments.extend(body[:_MAX_DECLARATION].split())
        elif keyword == "WRITER_ID":
            writer = " ".join(body[:_MAX_DECLARATION].split())
        elif keyword == "POINTS_PER_SECOND":
            rate = _number(body) or 0.0
        elif keyword == "COORD":
            columns = _columns(block)
        else:
            per_inch |= _points_per_inch(keyword, body)
    if down and has_lifts:  # Without any .PEN_UP, a file need not end with it.
        cut_short = Fault("a component cut short: the file ends without .PEN_UP")
        faults[len(components) - 1] = cut_short
    return Document(segments, components, faults, rates, points_per_second)


def _columns(block: Block) -> list[str]:
    """Return the names of the columns of points; raise a Fault if X or Y is missing."""
    columns = block.body[:_MAX_DECLARATION].upper().split()
    if not {"X", "Y"} <= set(columns):
        raise Fault("columns without X or Y", f".COORD in {block.describe_line()}")
    return columns


def _points_per_inch(keyword: str, body: str) -> dict[str, float]:
    """Return the resolution that a block declares, by the axis; {} for other blocks."""
    match = _RESOLUTION.fullmatch(keyword)
    if match is None:
        return {}
    resolution = _number(body) or 0.0
    if resolution <= 0:
        return {}
    axis, unit = match.groups()
    return {axis: resolution * (25.4 if unit == "MM" else 1.0)}


def _number(body: str) -> float | None:
    """Return the first word of a body as a number, or None if this word is not a number."""
    try:
        return float(body.split(maxsplit=1)[0])
    except (IndexError, ValueError):
        return None


def _points(block: Block, columns: list[str]) -> np.ndarray:
    """Return the points `(n, 3)` of a component: x, y downwards, and whether the pen presses."""
    rows = [(n, row) for n, row in enumerate(block.body.split("\n")) if row.strip()]
    values = []
    for number, row in rows:
        words = row.split()
        if len(words) != len(columns):
            detail = f"{block.describe_line(number)} has {len(words)}"
            raise Fault(f"a point with other than {len(columns)} values", detail)
        try:
            if "_" in row:  # `float` would accept 1_000.
                raise ValueError
            values.append(list(map(float, words)))
        except ValueError:
            detail = f"{block.describe_line(number)}: {row[:40]!r}"
            raise Fault("a non-number among the points", detail) from None
    table = np.reshape(values, (-1, len(columns)))
    # The column P is the pressure; without pressure the pen hovers.
    pressed = table[:, columns.index("P")] > 0 if "P" in columns else np.ones(len(table))
    x = table[:, columns.index("X")]
    y = table[:, columns.index("Y")]
    return np.column_stack([x, -y, pressed])


def segment_reader(
    document: Document, segments: list[Segment], writer_comment: int | None = None
) -> Callable[[int], Sample]:
    """Return a function that returns the sample of `segments[number]`, or raises a Fault.

    A file declares each segment right before its components, or all segments before or after all
    components. In the first case a segment has the components that follow it. The segment must name
    as many components, or none; only the order of the named numbers is used, since the numbers are
    wrong where segments were removed from a file. In the second case the named numbers are used.
    For `writer_comment` see `UnipenDataset`.
    """
    named = [_parse_ranges(segment.ranges) for segment in segments]
    starts = [*(segment.first_component for segment in segments), len(document.components)]
    counts = [end - start for start, end in pairwise(starts)]
    pairs = zip(map(_num_components, named), counts, strict=True)
    fits = [count > 0 and num_named in (0, count) for num_named, count in pairs]
    components_follow = 2 * fits.count(True) >= len(segments)  # half of the segments or more

    def read(number: int) -> Sample:
        segment = segments[number]
        ranges = named[number]
        if segment.quality.upper() == "BAD":
            raise Fault("a segment that is marked as bad")
        if components_follow:
            ranges = _consecutive(ranges, segment.first_component, counts[number])
        if not ranges:
            raise Fault("a segment that does not name its components")
        text = _ESCAPED.sub(lambda match: _ESCAPES.get(match[1], match[1]), segment.label)
        writer = segment.writer
        if writer_comment is not None:
            if writer_comment >= len(segment.comments):
                raise Fault("no writer in the comment after the segment")
            writer = segment.comments[writer_comment]
        return Sample(document.ink(ranges), clean_text(text), writer=writer)

    def read_with_line(number: int) -> Sample:
        try:
            return read(number)
        except Fault as fault:
            line = f".SEGMENT in line {segments[number].line}"
            detail = ", ".join(filter(None, [fault.detail, line]))
            raise Fault(fault.reason, detail) from None

    return read_with_line


def _parse_ranges(text: str) -> list[ComponentRange]:
    """Return the ranges of components in a text such as `2:10-3:5,7`; [] if it is not valid."""
    ranges = []
    for item in text.split(","):
        match = _RANGE.fullmatch(item)
        if match is None:
            return []
        numbers = [None if group is None else int(group) for group in match.groups()]
        first, point, last, last_point = numbers
        if last is None:
            last = first
            last_point = point
        ranges.append(ComponentRange(first, point or 0, last, last_point))
    return ranges


def _num_components(ranges: list[ComponentRange]) -> int:
    return sum(item.last - item.first + 1 for item in ranges)


def _consecutive(ranges: list[ComponentRange], start: int, count: int) -> list[ComponentRange]:
    """Return the `count` components from `start` on, in the order of the numbers in `ranges`."""
    if not ranges:
        return [ComponentRange(start, 0, start + count - 1, None)]
    num_named = _num_components(ranges)
    if num_named != count:
        raise Fault("a segment that names another number of components", f"{count} for {num_named}")
    shift = start - min(item.first for item in ranges)
    return [item._replace(first=item.first + shift, last=item.last + shift) for item in ranges]
