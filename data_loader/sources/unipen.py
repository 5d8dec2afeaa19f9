"""UNIPEN, the classic exchange format: text in which keywords begin with a dot.

`.SEGMENT DIGIT 0-1 ? "8"` names a piece of writing: its level, its components (counted from 0;
`2:10-3:5` are points 10 of component 2 to 5 of component 3), its quality and its label. A component
is the pen's way after a `.PEN_DOWN` or, where the tablet saw it in the air, after a `.PEN_UP`:
lines of `x y`, at least one, y growing upwards. `.COORD X Y T P` names other columns, `.WRITER_ID`
the writer, and `.INCLUDE` a file below the folder `include` of a collection.
"""

import fnmatch
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np

from base import distributed
from base.base_dataset import changed
from data_loader.sources.files import MAX_BYTES, attempt, read_file, unpacked
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
from data_loader.sources.source import DividedDataset, Parsed, Splits
from data_loader.sources.unipen_collection import (
    WORDS,
    Collection,
    by_size,
    family,
    include_folder,
    read_included,
)
from utils.checks import ConfigFault, DataError, Range, printable
from utils.ink import from_strokes, row_starts, strokes

SUFFIXES = (".unp", ".unipen")
MAX_HEAD = 1 << 20
"""Bytes at the beginning of an archive in which a keyword has to stand; assumed."""
MAX_INCLUDED = 100
"""Limit on the files that one includes, also through others; assumed."""
_KNOWN = re.compile(
    rb"^[ \t]*\.(?:PEN_DOWN|SEGMENT|VERSION|INCLUDE|COORD|HIERARCHY|LEXICON|DATA_SOURCE)\b", re.M
)
_KEYWORD = re.compile(r"^[ \t]*\.([A-Z][A-Z0-9_]*)", re.MULTILINE)
_SEGMENT = re.compile(
    r'\s*(\S+)\s+([^\s"]+)?(?:\s+([^\s"]+))?\s*(?:"((?:[^"\\]|\\.)*)")?', re.DOTALL
)
_DECLARATION = 4096  # characters of a segment's declaration that are read; assumed
_RANGE = re.compile(r"(\d{1,9})(?::(\d{1,9}))?(?:-(\d{1,9})(?::(\d{1,9}))?)?")
_AFTER_OPENING = re.compile(r"((?:^| )[(\[]) ")
_BEFORE_CLOSING = re.compile(r" ([.,;:!?)\]](?: |$))")
_RESOLUTION = re.compile("([XY])_POINTS_PER_(INCH|MM)")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": " ", "t": " ", "@": ""}  # the last stands where letters join


class Components(NamedTuple):
    """Components of a file that follow each other, counted from 0 like their points."""

    first: int
    first_point: int
    last: int
    last_point: int | None
    """None for the last one of the component."""


@dataclass
class Segment:
    """A labelled piece of writing as a file declares it."""

    level: str
    named: str
    """The components that it names, such as `2:10-3:5,7`."""
    quality: str
    label: str
    line: int
    before: int
    """How many components precede it in the file."""
    writer: str
    part: str
    """Which of the files of a document it stands in."""
    comments: list[str] = field(default_factory=list)


@dataclass
class Document:
    """What UNIPEN files say of the same ink."""

    segments: list[Segment]
    components: list[np.ndarray | Fault]
    """Points `(n, 3)` of each, y downwards, and whether the pen was down; or why it cannot be
    used."""

    def __post_init__(self) -> None:
        points = sum(len(one) for one in self.components if not isinstance(one, Fault))
        self._left = 10 * (points + len(self.components))

    def ink(self, ranges: list[Components], max_points: int) -> np.ndarray:
        """Return the ink `(points, 3)` of components.

        Raises:
            Fault: if one is not there or broken, there are too few points or too many, or
                components were named so often, all together, that their ink would fill the memory.
        """
        strokes: list[np.ndarray] = []
        for first, first_point, last, last_point in ranges:
            if first > last or last >= len(self.components):
                there = f"{first}-{last} of {len(self.components)}"
                raise Fault("a segment that names components that are not there", there)
            for index in range(first, last + 1):
                points = self.components[index]
                if isinstance(points, Fault):
                    raise points
                start = first_point if index == first else 0
                stop = last_point + 1 if index == last and last_point is not None else None
                points = points[start:stop]
                lifts = np.flatnonzero(np.diff(points[:, 2])) + 1
                strokes += [run[:, :2] for run in np.split(points, lifts) if run[:1, 2].any()]
                self._left -= 1 + len(points)
                if self._left < 0:
                    raise Fault("segments that repeat the same components too often")
        return join_strokes(strokes, max_points)


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is UNIPEN, or an archive of such files."""
    return _KNOWN.search(unpacked(head, MAX_HEAD)) is not None


def parse(path: Path) -> Iterator[Sample | Fault]:
    """Yield the lines of a file, or else its segments of the level that has the fewest.

    A file without segments is one sample. Of an archive of a collection everything is read.
    """
    if Collection.at(path):
        yield from collected(Collection(path, MAX_BYTES), None, MAX_POINTS)
        return
    document = read_alone(path, MAX_BYTES, MAX_POINTS)
    levels = Counter(segment.level for segment in document.segments).most_common()
    if levels:
        level = "LINE" if "LINE" in dict(levels) else levels[-1][0]
        chosen = [segment for segment in document.segments if segment.level == level]
        yield from samples(document, chosen, MAX_POINTS)
    elif document.components:
        every = Components(0, 0, len(document.components) - 1, None)
        yield Sample(document.ink([every], MAX_POINTS), "")
    else:
        raise Fault("no points")


def decode_any(content: bytes) -> str:
    """Return the text of a file in UTF-8 or, as old ones are, Latin-1."""
    try:
        return decode(content)
    except Fault:
        return decode(content, "latin-1")


def read_alone(file: Path, max_bytes: int, max_points: int) -> Document:
    """Return what a file and those that it includes say; raises what `read_document` raises."""
    folder = include_folder(file)
    content = decode_any(read_file(file, max_bytes))
    return read_document(
        {"": content}, max_points, lambda name: read_included(folder, name, max_bytes)
    )


def read_document(
    parts: Mapping[str, str], max_points: int, include: Callable[[str], bytes]
) -> Document:
    """Return the segments and components of files that speak of the same ink.

    Args:
        parts: contents of the files by name.
        max_points: limit on those of a component.
        include: returns the content of a file that `.INCLUDE` names; each is opened once.

    Raises:
        Fault: if there is no keyword in a file, the columns named lack x or y, or from `include`.
    """
    segments: list[Segment] = []
    components: list[np.ndarray | Fault] = []
    columns, writer, down, lifts = ["X", "Y"], "", False, 0
    per_inch: dict[str, float] = {}
    for block in _opened(parts, include):
        keyword, body = block.keyword, block.body
        # Descriptions mention keywords, too, at the beginning of a line.
        has_points = keyword in ("PEN_DOWN", "PEN_UP") and _number(body) is not None
        lifts += keyword == "PEN_UP"
        if keyword in ("PEN_DOWN", "PEN_UP", "SEGMENT"):
            down = keyword == "PEN_DOWN" and has_points
        if has_points:
            points = attempt(_points, block, columns, max_points)
            if not isinstance(points, Fault):
                points[:, 0] *= per_inch.get("Y", 1.0) / per_inch.get("X", 1.0)
                points[:, 2] *= keyword == "PEN_DOWN"
            components.append(points)
        elif keyword == "SEGMENT":
            declared = _SEGMENT.match(body[:_DECLARATION])
            level, named, quality, label = declared.groups("") if declared else [""] * 4
            place = block.line, len(components), writer, block.part
            segments.append(Segment(level.upper(), named, quality, label, *place))
        elif keyword == "COMMENT" and segments:
            segments[-1].comments += body.split()
        elif keyword == "WRITER_ID":
            writer = " ".join(body.split())
        elif keyword == "COORD":
            columns = _columns(block)
        elif (unit := _RESOLUTION.fullmatch(keyword)) and (value := _number(body) or 0.0) > 0:
            per_inch[unit[1]] = value * (25.4 if unit[2] == "MM" else 1.0)
    if down and lifts:  # Some tablets mark none.
        components[-1] = Fault("a component cut short: the file ends without .PEN_UP")
    return Document(segments, components)


class Block(NamedTuple):
    """A keyword of a file, and what stands before the next one."""

    part: str
    included: str
    """The file that it stands in, if that is an included one."""
    line: int
    keyword: str
    body: str

    def place(self, after: int = 0) -> str:
        """Return where it is, or a line so many lines after it."""
        return f"line {self.line + after}" + f" of {self.included}" * bool(self.included)


def _opened(parts: Mapping[str, str], include: Callable[[str], bytes]) -> Iterator[Block]:
    """Yield the blocks of files, and of those that they include in their place, each once."""
    opened: set[str] = set()
    for part, content in parts.items():
        levels = [_blocks(part, "", content)]
        while levels:
            block = next(levels[-1], None)
            if block is None:
                levels.pop()
            elif block.keyword != "INCLUDE":
                yield block
            elif (name := " ".join(block.body.split())) not in opened:
                opened.add(name)
                if len(opened) > MAX_INCLUDED:
                    raise Fault(f"more than {MAX_INCLUDED} included files", block.place())
                if content := include(name):
                    levels.append(_blocks(part, name, decode_any(content)))


def _blocks(part: str, included: str, content: str) -> Iterator[Block]:
    marks = list(_KEYWORD.finditer(content))
    if not marks and not included:
        raise Fault("no UNIPEN keyword in it")
    line, place = 1, 0
    ends = [*(mark.start() for mark in marks[1:]), len(content)]
    for mark, end in zip(marks, ends, strict=bool(marks)):
        line += content.count("\n", place, mark.start())
        place = mark.start()
        yield Block(part, included, line, mark[1], content[mark.end() : end])


def _columns(block: Block) -> list[str]:
    columns = block.body.upper().split()
    if not {"X", "Y"} <= set(columns):
        raise Fault("columns without X or Y", f".COORD in {block.place()}")
    return columns


def _number(body: str) -> float | None:
    """Return the number that a body begins with, None if it begins with something else."""
    try:
        return float(body.split(maxsplit=1)[0])
    except (IndexError, ValueError):
        return None


def _points(block: Block, columns: list[str], max_points: int) -> np.ndarray:
    """Return the points `(n, 3)` of a component: x, y downwards, and whether the pen presses."""
    rows = [(n, row) for n, row in enumerate(block.body.split("\n")) if row.strip()]
    if len(rows) > max_points:
        check_points(len(rows), max_points)
    values = []
    for number, row in rows:
        words = row.split()
        if len(words) != len(columns):
            detail = f"{block.place(number)} has {len(words)}"
            raise Fault(f"a point without {len(columns)} values", detail)
        try:
            if "_" in row:  # which Python takes for part of a number
                raise ValueError
            values.append(list(map(float, words)))
        except ValueError:
            detail = f"{block.place(number)}: {row[:40]!r}"
            raise Fault("a non-number among the points", detail) from None
    table = np.reshape(values, (-1, len(columns)))
    # What stands in the column P is the pressure: a pen without any hovers.
    pressed = table[:, columns.index("P")] > 0 if "P" in columns else np.ones(len(table))
    x, y = table[:, columns.index("X")], table[:, columns.index("Y")]
    return np.column_stack([x, -y, pressed])


def samples(
    document: Document,
    segments: list[Segment],
    max_points: int,
    writer_comment: int | None = None,
) -> Iterator[Sample | Fault]:
    """Yield segments, named by their number, or why they cannot be used.

    Segments are declared right before the components they name, or all ahead of them or after
    them. In the first case what follows a segment belongs to it, and must be as many components as
    it names: the numbers themselves are useless where segments were taken out of a file. In the
    others the numbers count.
    """
    ends = [segment.before for segment in segments[1:]] + [len(document.components)] * bool(
        segments
    )
    named = [_ranges(segment.named) for segment in segments]
    follow = [end - segment.before for segment, end in zip(segments, ends, strict=True)]
    sizes = map(_size, named)
    fit = [n > 0 and size in (0, n) for size, n in zip(sizes, follow, strict=True)]
    in_place = 2 * sum(fit) >= len(segments)

    def sample(number: int) -> Sample:
        segment, ranges = segments[number], named[number]
        if segment.quality.upper() == "BAD":
            raise Fault("a segment that is marked as bad")
        if in_place:
            ranges = _following(ranges, segment.before, follow[number])
        if not ranges:
            raise Fault("a segment that does not say which components are its")
        text = _ESCAPED.sub(lambda match: _ESCAPES.get(match[1], match[1]), segment.label)
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


def _ranges(named: str) -> list[Components]:
    """Return the components that a segment names, none if that is something else."""
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


def _numbers(segment: Segment) -> set[int]:
    """Return the numbers of the components that a segment names."""
    return {n for part in _ranges(segment.named) for n in range(part.first, part.last + 1)}


def _following(ranges: list[Components], before: int, count: int) -> list[Components]:
    """Return the `count` components that follow a segment, in the order in which it names them."""
    if not ranges:
        return [Components(before, 0, before + count - 1, None)]
    if _size(ranges) != count:
        raise Fault("a segment with other components than it names", f"{count} for {_size(ranges)}")
    moved = before - min(part.first for part in ranges)
    return [part._replace(first=part.first + moved, last=part.last + moved) for part in ranges]


def collected(
    collection: Collection, categories: Sequence[str] | None, max_points: int
) -> Iterator[Sample | Fault]:
    """Yield the samples of a collection, named like "8/abm/ca0.dat:00003".

    Ink that stands in several categories is a sample of the first of them alone.

    Args:
        categories: None for all: texts, then words, then characters.
    """
    documents = list(collection.documents())
    for path, files in distributed.bar(documents, "parsing UNIPEN", unit=" files", delay=1):
        order = categories or sorted(files, key=by_size)
        names = [files[category] for category in order if category in files]
        contributor = path.partition("/")[0]
        try:
            parts = {name: decode_any(collection.read(name)) for name in names}
            document = read_document(parts, max_points, collection.include)
        except Fault as fault:
            yield fault.of(path)
            continue
        for found in _longest(document, names, max_points):
            if isinstance(found, Sample):
                writer = f"{family(contributor)}:{found.writer or path}"
                text = untokenised(found.text)
                found = replace(found, text=text, writer=writer, group=contributor)
            yield found


def _longest(document: Document, names: Sequence[str], max_points: int) -> Iterator[Sample | Fault]:
    """Yield the segments of files of the same ink, those of the first file before others."""
    taken: set[int] = set()
    for name in names:
        own = [segment for segment in document.segments if segment.part == name]
        touched: set[int] = set()
        for segment, found in zip(own, samples(document, own, max_points), strict=True):
            found = found.of(f"{name.removeprefix('data/')}:{found.name}")
            rows: list[Sample | Fault] = [found]
            if isinstance(found, Sample) and _numbers(segment) <= taken:
                rows = [Fault("ink that a longer sample has", name=found.name)]
            elif isinstance(found, Sample) and segment.level == "TEXT":
                rows = _rows(found)
                if rows[0] is not found and any(f"/{WORDS}/" in other for other in names):
                    rows = [Fault("several rows, whose words stand by themselves", "", found.name)]
            touched |= _numbers(segment) if isinstance(rows[0], Sample) else set()
            yield from rows
        taken |= touched


def untokenised(text: str) -> str:
    """Return a label without the blanks that stand in some for the ends of tokens.

    "What a trick !" and "( 4 5 6 ) 7 8 9" were written without these.
    """
    tokens = text.split()
    if all(len(token) == 1 for token in tokens) and any(map(str.isdigit, tokens)):
        return "".join(tokens)
    return _BEFORE_CLOSING.sub(r"\1", _AFTER_OPENING.sub(r"\1", text))


def _rows(sample: Sample) -> list[Sample | Fault]:
    """Return a text, or its rows if it has several, one for each word, as lists have."""
    words, starts = sample.text.split(), row_starts(sample.ink)
    if len(starts) == 1 or (len(words) == 1 and len(starts) == 2):  # a word may be underlined
        return [sample]
    if len(words) != len(starts):
        return [Fault("several rows, and nothing that says where a word stands", name=sample.name)]
    parts = strokes(sample.ink)
    return [
        replace(sample, ink=from_strokes(parts[start:stop]), text=word, name=f"{sample.name}[{n}]")
        for n, (word, start, stop) in enumerate(
            zip(words, starts, [*starts[1:], len(parts)], strict=True)
        )
    ]


def _labelled(found: Sample | Fault) -> Sample | Fault:
    """Return a sample that has a text, or why it cannot be used."""
    if isinstance(found, Sample) and not found.text:
        return Fault("a segment without a label", name=found.name)
    return found


@dataclass(kw_only=True, eq=False)
class UnipenDataset(DividedDataset):
    """Labelled segments of UNIPEN files.

    Of a collection as it is published (`data` and `include`) everything is read, and each piece of
    ink once: in the longest text that it stands in. Its writers are told apart by their names
    within a family of contributors.

    Args:
        root: a file, a folder with files (also in folders below), the folder of a collection, or an
            archive of one.
        pattern: the names of the files in the folder, such as "*.dat"; matching files that are not
            UNIPEN are left out, and named.
        level: the level of the segments that become samples, such as "DIGIT", "WORD" or "LINE";
            None takes the only one there is.
        writer_comment: which word of the comment after a segment names its writer, counted from
            0 (1 in the UCI pen digits); None takes `.WRITER_ID`.
        categories: those of a collection that are used, such as ["8", "7"], in the order in which
            ink is looked for; None uses all.
        contributors: of a collection, such as ["app", "ced"]; None uses all.
        held_out: contributors whose samples are all in `test`; None for none.

    Raises:
        ConfigFault: from `load`, if there is no such contributor.
    """

    kind = "unipen"
    title = "UNIPEN"
    parsed_by = (*DividedDataset.parsed_by, "level", "writer_comment", "categories")

    root: str = "data/unipen"
    pattern: str = "*"
    level: str | None = None
    writer_comment: Annotated[int, Range(0, 100)] | None = None
    categories: list[str] | None = None
    contributors: list[str] | None = None
    held_out: list[str] | None = None

    @property
    def file_names(self) -> re.Pattern[str]:
        return re.compile(fnmatch.translate(self.pattern))

    def read(self, files: list[Path]) -> Iterator[Sample | Fault]:
        if Collection.at(self.path):
            collection = Collection(self.path, self.max_bytes)
            yield from map(_labelled, collected(collection, self.categories, self.max_points))
            return
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
        document = read_alone(file, self.max_bytes, self.max_points)
        own = Counter(segment.level for segment in document.segments)
        self._levels += own
        level = next(iter(own), "") if self.level is None else self.level.upper()
        if not own[level]:
            raise Fault(f"no segments of the level {level}")
        chosen = [segment for segment in document.segments if segment.level == level]
        for one in samples(document, chosen, self.max_points, self.writer_comment):
            if isinstance(one, Sample):
                writer = one.writer
                if self.writer_comment is not None:  # each file numbers its own writers
                    writer = f"{name}:{one.writer}"
                one = replace(one, writer=writer, group=name)
            yield within(name, _labelled(one))

    def _divide(self, parsed: Parsed) -> tuple[Splits, list[str]]:
        counts = Counter(sample.group for sample in parsed.samples)
        for key in ("contributors", "held_out"):
            if unknown := {*(getattr(self, key) or ())} - counts.keys():
                raise ConfigFault(key, min(unknown), f"one of {', '.join(sorted(counts))}")
        held_out = {*(self.held_out or ())}
        used = counts.keys() & set(self.contributors or counts)
        others = [sample for sample in parsed.samples if sample.group not in held_out]
        parts, notes = super()._divide(parsed._replace(samples=others))
        if held_out:
            outside = [sample for sample in parsed.samples if sample.group in held_out]
            parts["test"] = parts.get("test", []) + outside
        if Collection.at(self.path):
            kept = (f"{name} {count:,}" for name, count in sorted(counts.items()))
            notes.append(f"by contributor: {', '.join(kept)}")
        return changed(parts, lambda one: [one] if one.group in used else []), notes
