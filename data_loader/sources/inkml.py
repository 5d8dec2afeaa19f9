"""InkML (W3C Ink Markup Language, Recommendation of 2011), read; `utils.page.inkml` writes.

`<trace>` elements hold points separated by commas, the values of a point separated by spaces, in
the order of the channels that `<traceFormat>` declares (x and y first where it is missing), y
growing downwards. Values may be differences of the first (`'`) or second (`"`) order from the
point before. `<annotation type="truth">` holds a transcription.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from xml.parsers import expat

import numpy as np

from base import distributed
from data_loader.sources.cache import Rejected, Sample
from data_loader.sources.files import check_root, files_below, read_file
from data_loader.sources.parsing import Fault, check_offsets, check_points, clean_text, join_strokes
from data_loader.sources.source import SourceDataset
from utils.checks import ConfigFault, DataError

TRUTHS = ("truth", "label", "normalizedLabel", "transcription")
"""Types of annotations that hold a transcription, the preferred one first, in any case."""
WRITERS = ("writer", "writerID")
SUFFIXES = (".inkml", ".xml")
GAP = 2.5
"""Periods after which points count as missing if there is a channel of time (assumed)."""

MAX_DEPTH, MAX_ELEMENTS = 100, 500_000
"""Elements within elements, and of a file in all (assumed)."""

_PLAIN = re.compile(r"[-+.0-9eE\s]+", re.ASCII)
_VALUE = re.compile(
    r"\s*([!'\"]?)\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?|#[0-9A-Fa-f]{1,13}|[TF*])\s*"
)


@dataclass
class _Format:
    """The channels of a trace: their names in order, how many are mandatory, which are reversed."""

    names: list[str] = field(default_factory=list)
    regular: int = 0
    reversed: set[str] = field(default_factory=set)


@dataclass
class _Trace:
    """A trace as in the file."""

    content: str
    form: _Format
    continues: bool
    ends: bool
    line: int


@dataclass
class _Group:
    """A `<traceGroup>`, or the whole file: its traces and annotations."""

    traces: list[_Trace | str] = field(default_factory=list)
    """Traces, and the identities of those that stand elsewhere."""
    said: dict[str, str] = field(default_factory=dict)
    """Annotations by their type in lower case."""
    groups: list["_Group"] = field(default_factory=list)

    def annotated(self, kinds: Sequence[str]) -> str:
        """Return the annotation of the first of these types that there is, or an empty string."""
        return next((self.said[kind.lower()] for kind in kinds if kind.lower() in self.said), "")

    def text(self) -> str:
        """Return the transcription, or an empty string."""
        return self.annotated(TRUTHS)

    def all_traces(self) -> list[_Trace | str]:
        """Return the traces of this group and of those in it."""
        return [*self.traces, *(trace for group in self.groups for trace in group.all_traces())]

    def outermost(self) -> Iterator["_Group"]:
        """Yield the groups that have a transcription and stand in none that has one."""
        for group in self.groups:
            if group.text():
                yield group
            else:
                yield from group.outermost()


class _Reader:
    """Reads the elements of a file with expat, which expands no entity here."""

    def __init__(self, content: bytes, encoding: str | None) -> None:
        self.root, self.by_identity, self.traces = _Group(), {}, []
        self._open, self._elements, self._count = [self.root], [], 0
        self._form, self._in_format, self._optional = _Format(), False, False
        self._text: list[str] | None = None
        self._parser = parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._doctype
        parser.buffer_text = True
        if not content.strip():
            raise Fault("an empty file")
        try:
            # A text is used unchanged, whatever encoding the file declares.
            parser.Parse(content if encoding is None else content.decode(encoding), True)
        except UnicodeDecodeError as error:
            byte = f"byte 0x{content[error.start]:02x} at {error.start:,}"
            raise Fault(f"not {encoding} text", byte) from None
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise Fault("broken XML", str(error)) from None

    def _doctype(self, *_: object) -> None:
        raise Fault("a document type, which InkML does not need (entities are never expanded)")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if not self._elements and name != "ink":
            raise Fault("not InkML", f"its outermost element is <{name[:40]}>")
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise Fault(f"more than {MAX_ELEMENTS:,} elements")
        if len(self._elements) >= MAX_DEPTH:
            raise Fault(f"elements nested more than {MAX_DEPTH} deep")
        self._elements.append((name, attributes, self._parser.CurrentLineNumber))
        if name in ("trace", "annotation"):
            self._text = []
        elif name == "traceGroup":
            self._open_group()
        elif name == "traceView":
            if "from" in attributes or "to" in attributes:
                raise Fault("a part of a trace as a view, which is not read")
            target = attributes.get("traceDataRef", attributes.get("traceRef", ""))
            if target:
                self._open[-1].traces.append(target.removeprefix("#"))
            else:  # a view that holds others is a group
                self._open_group()
                self._elements[-1] = ("viewGroup", attributes, 0)
        elif name == "traceFormat":
            self._new, self._in_format, self._optional = _Format(), True, False
        elif name == "intermittentChannels":
            self._optional = True
        elif name == "channel" and self._in_format:
            channel = attributes.get("name", "").upper()
            self._new.names.append(channel)
            self._new.regular += not self._optional
            if attributes.get("orientation", "+ve") == "-ve":
                self._new.reversed.add(channel)

    def _open_group(self) -> None:
        group = _Group()
        self._open[-1].groups.append(group)
        self._open.append(group)

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, name: str) -> None:
        name, attributes, line = self._elements.pop()
        if name == "trace":
            self._add_trace(attributes, line)
        elif name == "annotation":
            text = "".join(self._text or [])
            if attributes.get("xml:space") != "preserve":
                text = " ".join(text.split())
            kind = attributes.get("type", "").lower()
            self._open[-1].said.setdefault(kind, text)
        elif name in ("traceGroup", "viewGroup"):
            self._open.pop()
        elif name == "traceFormat":
            self._in_format = False
            if not {"X", "Y"} <= set(self._new.names[: self._new.regular]):
                raise Fault("a traceFormat without the channels X and Y", f"line {line}")
            if self._form.names and self._form != self._new:
                raise Fault("several different traceFormats", f"line {line}")
            self._form = self._new
        if name in ("trace", "annotation"):
            self._text = None

    def _add_trace(self, attributes: dict[str, str], line: int) -> None:
        if attributes.get("type", "penDown").lower() == "penup":  # the pen moves in the air
            return
        identity = attributes.get("xml:id", attributes.get("id", ""))
        continuation = attributes.get("continuation", "")
        trace = _Trace(
            "".join(self._text or []),
            self._form,
            continuation in ("middle", "end"),
            continuation not in ("begin", "middle"),
            line,
        )
        self.by_identity[identity] = trace
        self.traces.append(trace)
        self._open[-1].traces.append(trace)


def _values(trace: _Trace) -> np.ndarray:
    """Return the values of a trace, `(points, channels)` float64.

    Raises:
        Fault: if a point has too many or too few values, or one that is not a number.
    """
    least = trace.form.regular or 2
    most = len(trace.form.names) or None
    orders: list[str] = []
    rows: list[list[float]] = []
    steps: list[list[float]] = []
    for number, point in enumerate(trace.content.split(","), 1):
        place = f"point {number} of the trace in line {trace.line}"
        if not point.strip():
            raise Fault("a point without values", place)
        row = None
        if _PLAIN.fullmatch(point) and not any(orders):
            with suppress(ValueError):  # such as 3-5, which are two values
                row = list(map(float, point.split()))
        if row is None:
            row = _explicit(point, orders, rows, steps, place)
        if len(row) < least or (most is not None and len(row) > most):
            raise Fault(f"a point without {least} values", f"{place} has {len(row)}")
        if rows and len(rows[-1]) > len(row):
            row += rows[-1][len(row) :] if most is not None else []
        steps.append([a - b for a, b in zip(row, rows[-1], strict=False)] if rows else [])
        rows.append(row)
    width = min(map(len, rows))
    values = np.array([row[:width] for row in rows], dtype=np.float64)
    if not np.isfinite(values).all():
        raise Fault("a non-number among the points", f"the trace in line {trace.line}")
    return values


def _explicit(
    point: str, orders: list[str], rows: list[list[float]], steps: list[list[float]], place: str
) -> list[float]:
    """Return the values of a point that has prefixes, or whose channels had some before.

    `orders` holds the present prefix of each channel and is changed. The values are absolute
    (`!`, or none yet), differences from the point before (`'`), or differences of differences
    (`"`); `*` repeats whichever it is, so that the pen rests, keeps its speed or its acceleration.
    """
    row: list[float] = []
    at = 0
    while at < len(point):
        match = _VALUE.match(point, at)
        if match is None:
            raise Fault(
                "a non-number among the points", f"{place}: {point[at : at + 20].strip()!r}"
            )
        at, channel = match.end(), len(row)
        prefix, word = match.groups()
        orders.extend([""] * (channel + 1 - len(orders)))
        if prefix:
            orders[channel] = "" if prefix == "!" else prefix
        if (orders[channel] or word == "*") and (not rows or len(rows[-1]) <= channel):
            raise Fault("a difference without a point before", place)
        last = [one[channel] if len(one) > channel else 0.0 for one in steps[-2:]]
        before, step = [0.0, 0.0, *last][-2:]
        if word == "*":
            value = {"": rows[-1][channel], "'": step, '"': step - before}[orders[channel]]
        elif word in "TF":
            value = float(word == "T")
        else:
            value = float(int(word[1:], 16) if word.startswith("#") else word)
        if orders[channel]:
            value += rows[-1][channel] + (step if orders[channel] == '"' else 0.0)
        row.append(value)
    return row


def _ink(traces: list[_Trace], most: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the ink `(points, 3)` of traces, and the missing points if there are times.

    Raises:
        Fault: if there are more than `most` points, or too few, or a trace is broken.
    """
    traces = [trace for trace in traces if trace.content.strip()]
    check_points(sum(trace.content.count(",") + 1 for trace in traces), most)
    points, times, ends, offsets = [], [], [], []
    for trace in traces:
        values = _values(trace)
        names = trace.form.names or ["X", "Y"]
        columns = []
        for channel in ("X", "Y"):
            column = values[:, names.index(channel)]
            columns.append(-column if channel in trace.form.reversed else column)
        points.append(np.stack(columns, axis=1))
        if {"DX", "DY"} <= set(names[: values.shape[1]]):
            offsets.append(values[:, [names.index("DX"), names.index("DY")]])
        if "T" in names[: values.shape[1]]:
            times.append(values[:, names.index("T")])
        if trace.continues and ends:
            ends[-1] = False
        ends.append(trace.ends)
    ink = join_strokes(points, most)
    last = np.cumsum([len(piece) for piece in points]) - 1
    ink[last, 2] = ends
    if len(offsets) == len(points):  # as `to_inkml` writes them
        check_offsets(np.concatenate(offsets))
        ink[1:, :2] = np.concatenate(offsets)[1:]
    if len(times) < len(points):
        return ink, None
    return ink, _missing(times)


def _missing(times: list[np.ndarray]) -> np.ndarray | None:
    """Return how many points are missing before each, judged by the usual time between two."""
    steps = np.concatenate([np.diff(time) for time in times])
    usual = float(np.median(steps)) if len(steps) else 0.0
    if usual <= 0:
        return None
    missing = []
    for time in times:
        periods = np.concatenate([[0.0], np.diff(time) / usual])
        count = np.where(periods > GAP, np.round(np.clip(periods, 0, 128)) - 1, 0)
        missing.append(np.clip(count, 0, 127))
    return np.concatenate(missing).astype(np.int64)


def parse(
    content: bytes,
    level: Literal["file", "group", "annotated"] = "file",
    encoding: str | None = None,
    max_points: int = 20_000,
) -> Iterator[tuple[np.ndarray, str, str, np.ndarray | None] | Fault]:
    """Yield `(ink, text, writer, missing)` of the samples in a file, or why one cannot be used.

    Args:
        content: of the file.
        level: see `InkMLDataset`; "annotated" is "group" if only groups have transcriptions, and
            several do.
        encoding: of the file; None takes the declared one.
        max_points: limit on the points of a sample.

    Raises:
        Fault: if the file cannot be used at all.
    """
    reader = _Reader(content, encoding)
    root = reader.root
    if level == "annotated":
        several = not root.text() and len(list(root.outermost())) > 1
        level = "group" if several else "file"
    groups = [root] if level == "file" else list(root.outermost())
    if not groups:
        raise Fault("no traceGroup with a transcription")
    points = 0
    for group in groups:
        try:
            if level == "file":  # views repeat what stands in the file anyway
                traces = reader.traces
            else:
                traces = [_resolved(trace, reader) for trace in group.all_traces()]
            text = group.text()
            if level == "file" and not text and len(root.groups) == 1:
                text = root.groups[0].text()
            ink, missing = _ink(traces, max_points)
            points += len(ink)
            if points > len(content):
                raise Fault("views that repeat the same traces too often")
            yield ink, _checked(text), group.annotated(WRITERS) or root.annotated(WRITERS), missing
        except Fault as fault:
            yield fault
            if points > len(content):
                return


def _resolved(trace: _Trace | str, reader: _Reader) -> _Trace:
    """Return a trace, or the one that a view names."""
    if isinstance(trace, _Trace):
        return trace
    if trace not in reader.by_identity:
        raise Fault("a view of a trace that is not there", repr(trace[:40]))
    return reader.by_identity[trace]


def _checked(text: str) -> str:
    """Return a transcription without control characters, its spaces as they are."""
    clean_text(text)
    return text


class InkMLDataset(SourceDataset):
    """Samples in InkML files, with transcriptions where annotated.

    Args:
        root: a file, or a folder with files called `.inkml` or `.xml` (also in folders below).
        level: what is a sample: a whole file, or each outermost `<traceGroup>` that has a
            transcription.
        encoding: of the files, such as "cp1256"; None takes the one each file declares.
        require_text: leave out samples without transcription.
        options: see `SourceDataset`.

    Raises:
        ConfigFault: if there is no such encoding.
    """

    kind = "inkml"
    title = "InkML"
    whole = False

    def __init__(
        self,
        *,
        root: str = "data/inkml",
        level: Literal["file", "group"] = "file",
        encoding: str | None = None,
        require_text: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(root=root, **options)
        if encoding is not None:
            try:
                b" ".decode(encoding, "ignore")
            except (LookupError, ValueError):
                expected = 'the name of an encoding, such as "cp1256", or null'
                raise ConfigFault("encoding", encoding, expected) from None
        self.level, self.encoding, self.require_text = level, encoding, require_text

    def options(self) -> dict[str, Any]:
        own = {"level": self.level, "encoding": self.encoding, "require_text": self.require_text}
        return {**super().options(), **own}

    def find(self) -> list[Path]:
        check_root(self.root)
        if self.root.is_file():
            return [self.root]
        files = []
        if self.root.is_dir():
            files = files_below(self.root, "*", self.max_members)
            files = [file for file in files if file.suffix.lower() in SUFFIXES]
        if not files:
            raise DataError(f"{self.root}: no file called .inkml or .xml there")
        return files

    def read(self, files: list[Path]) -> Iterator[Sample | Rejected]:
        for file in distributed.bar(files, "parsing InkML", unit=" files"):
            path = file.relative_to(self.folder).as_posix()
            name = path.removesuffix(file.suffix)
            try:
                content = read_file(file, self.max_bytes)
                found = parse(content, self.level, self.encoding, self.max_points)
                for number, sample in enumerate(found):
                    own = name if self.level == "file" else f"{name}#{number:04}"
                    yield self._sample(own, path, sample)
            except Fault as fault:
                yield fault.of(path)

    def _sample(
        self, name: str, path: str, found: tuple[np.ndarray, str, str, np.ndarray | None] | Fault
    ) -> Sample | Rejected:
        if isinstance(found, Fault):
            return found.of(name)
        ink, text, writer, missing = found
        if self.require_text and not text:
            return Rejected(name, "no transcription")
        return Sample(name, ink, text, missing, writer, path)
