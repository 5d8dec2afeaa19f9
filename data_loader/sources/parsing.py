"""Shared by all formats: results of parsing, reasons for failures, XML, text, points, limits.

The module of a format has `sniff(head)`, which tells the format by the first bytes of a file, and
`parse(path, ...)`, which returns a `Parsed`. A sample is named by its place in the file, and has no
name where the file is the sample. A `Fault` of the whole file is raised.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from xml.etree import ElementTree

import numpy as np

from base.base_dataset import Sample
from utils.alphabet import nfc
from utils.checks import DataError, printable
from utils.ink import from_strokes

FARTHEST = 1e9
"""Longest offset of ink (assumed: float32 has no fractions beyond, and squares grow large)."""
MAX_POINTS = 20_000
"""Points of a sample at most (assumed)."""
MAX_CHARACTERS = 20_000
"""Characters of a text at most (assumed)."""
MAX_DETAIL = 200
"""Characters of a fault's detail (assumed)."""
MAX_ELEMENTS = 500_000
"""Limit on elements of XML, keywords of UNIPEN and stroke arrays (assumed). The limit on lists and
objects of JSON, and on steps of a pickle, is ten times as high."""
MAX_PARSED = 1_000_000_000
"""Limit on the bytes of an unpacked archive and its parsed samples (assumed: half of 2 GB)."""
SAMPLE_BYTES = 500
"""Bytes of a sample or a Fault besides its points and strings (measured)."""
POINT_BYTES = 13
"""Bytes of a point (measured)."""
GAP = 2.5
"""Periods between two points above which points count as missing between them (assumed). IAM-OnDB
gives its times to 10 ms, so that two of its periods may be mere rounding: steps of 0.03 s are
hardly longer than other steps; steps of 0.04 s and more are longer (measured)."""


class Fault(DataError):
    """Why the sample or file `name` is unusable: a reason, by which reports count, and a detail."""

    __slots__ = ("detail", "name", "reason")  # a file may have many

    def __init__(self, reason: str, detail: str = "", name: str = "") -> None:
        if len(detail) > MAX_DETAIL:  # It may quote the file.
            detail = f"{detail[: MAX_DETAIL - 3]}..."
        super().__init__(reason, detail, name)
        self.reason, self.detail, self.name = reason, detail, name

    def within(self, file: str, joint: str = ":") -> "Fault":
        """Return the fault with the name of a file before its own name."""
        return Fault(self.reason, self.detail, _joined(file, self.name, joint))

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        name = f"{self.name}: " if self.name else ""
        return printable(f"{name}{self.reason}{detail}")


def _joined(file: str, name: str, joint: str) -> str:
    return f"{file}{joint}{name}" if name else file


class Budget:
    """An amount that may still be parsed, in any unit, and the reason of the Fault at its end."""

    def __init__(self, left: float, reason: str) -> None:
        self._left, self._reason = left, reason

    def spend(self, amount: float) -> None:
        """Raise a Fault if less than `amount` is left."""
        self._left -= amount
        if self._left < 0:
            raise Fault(self._reason)


def memory(place: object = "it") -> Budget:
    """Return the budget, in bytes, of a file or an archive and everything parsed from it."""
    return Budget(MAX_PARSED, f"more than {MAX_PARSED:,} bytes when {place} is parsed; divide it")


@dataclass(frozen=True)
class Parsed:
    """The samples of one file, or of several."""

    samples: list[Sample] = field(default_factory=list)
    left_out: list[Fault] = field(default_factory=list)
    """Why pieces of writing, or files, cannot be used."""
    budget: Budget = field(default_factory=memory)  # bytes of samples and faults

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Leave out the piece or file `name` if it raises a Fault; spend the results' memory."""
        samples, faults = len(self.samples), len(self.left_out)
        try:
            yield
        except Fault as fault:
            self.left_out.append(fault.within(name))
        for sample in self.samples[samples:]:
            characters = len(sample.name) + len(sample.text) + len(sample.writer)
            self.budget.spend(SAMPLE_BYTES + 4 * characters + POINT_BYTES * len(sample.ink))
        for fault in self.left_out[faults:]:
            self.budget.spend(SAMPLE_BYTES + 4 * len(fault.name))

    def extend(self, other: "Parsed") -> None:
        """Add the samples and faults of another file."""
        self.samples.extend(other.samples)
        self.left_out.extend(other.left_out)

    def within(self, file: str, joint: str = ":", **changes: str) -> "Parsed":
        """Return samples, with `changes`, and faults, with a file's name before their names."""
        return Parsed(
            [replace(s, name=_joined(file, s.name, joint), **changes) for s in self.samples],
            [fault.within(file, joint) for fault in self.left_out],
        )

    def require_text(self, reason: str) -> "Parsed":
        """Return the samples that have a text; leave out the others for `reason`."""
        lacking = [Fault(reason, name=sample.name) for sample in self.samples if not sample.text]
        return Parsed([s for s in self.samples if s.text], self.left_out + lacking)


def left_out(faults: Iterable[Fault]) -> list[str]:
    """Return a line for each reason: the number of samples left out, and the first names."""
    by_reason: dict[str, list[str]] = {}
    for fault in faults:
        named = f"{fault.name} ({fault.detail})" if fault.detail else fault.name
        by_reason.setdefault(fault.reason, []).append(named)
    return [
        f"{len(named):,} left out: {reason}: {printable(first_of(named))}"
        for reason, named in sorted(by_reason.items(), key=lambda item: -len(item[1]))
    ]


def first_of(names: Sequence[str], count: int = 3) -> str:
    """Return the first names, separated by commas, and dots if there are more."""
    more = ", ..." if len(names) > count else ""
    return ", ".join(names[:count]) + more


_BROKEN = (ElementTree.ParseError, LookupError, ValueError)  # also from unknown encodings


class _PlainTree(ElementTree.TreeBuilder):
    def start(self, tag: str, attributes: dict[str, str]) -> ElementTree.Element:
        return super().start(_local_name(tag), attributes)

    def doctype(self, *_: object) -> None:
        raise Fault("a document type, which no ink needs (entities are never expanded)")


def xml_tree(content: bytes | str, tag: str) -> ElementTree.Element:
    """Return the outermost element of an XML document, called `tag`; names have no namespaces.

    Raises:
        Fault: if it is empty, broken, not called `tag` or too large, or declares a document type.
    """
    if not content.strip():
        raise Fault("an empty file")
    if content.count("<" if isinstance(content, str) else b"<") > 2 * MAX_ELEMENTS:
        raise Fault(f"more than {MAX_ELEMENTS:,} elements")
    parser = ElementTree.XMLParser(target=_PlainTree())
    try:
        parser.feed(content)
        root = parser.close()
    except _BROKEN as error:
        raise Fault("broken XML", str(error)) from None
    if root.tag != tag:
        detail = f"its outermost element is <{root.tag[:40]}>, not <{tag}>"
        raise Fault("another kind of XML", detail)
    return root


def root_tag(head: bytes) -> str:
    """Return the name of a document's outermost element from its beginning; "" if it is not XML."""
    parser = ElementTree.XMLPullParser(["start"])
    with suppress(*_BROKEN):
        parser.feed(head)
        return next((_local_name(element.tag) for _, element in parser.read_events()), "")
    return ""


def _local_name(tag: str) -> str:
    return tag.rpartition("}")[2]


def clean_text(text: str) -> str:
    """Return a transcription on one line in NFC, without spaces around it.

    Raises:
        Fault: if it contains control characters, or more than `MAX_CHARACTERS`.
    """
    if len(text) > MAX_CHARACTERS:
        raise Fault(f"a transcription of more than {MAX_CHARACTERS:,} characters", f"{len(text):,}")
    text = nfc(" ".join(text.split()))
    if bad := next((c for c in text if unicodedata.category(c) in ("Cc", "Cs")), None):
        raise Fault("control characters in the transcription", repr(bad))
    return text


def decode(content: bytes, encoding: str = "utf-8") -> str:
    """Return the text of a file, without a byte order mark.

    Raises:
        Fault: if the file is empty, or a line is not in that encoding.
    """
    if not content.strip():
        raise Fault("an empty file")
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise Fault(f"not {encoding.upper()} text", f"byte 0x{byte:02x} in line {line}") from None


def check_points(count: int) -> None:
    """Raise a Fault if a sample has more than `MAX_POINTS` points, or fewer than two."""
    if count > MAX_POINTS:
        raise Fault(f"more than {MAX_POINTS:,} points", f"{count:,}")
    if count < 2:
        raise Fault("a single point" if count else "no points")


def check_offsets(offsets: np.ndarray) -> None:
    """Raise a Fault if an offset is longer than `FARTHEST`."""
    if not (largest := float(np.abs(offsets).max())) <= FARTHEST:
        raise Fault(f"an offset longer than {FARTHEST:.6g}", f"{largest:.6g}")


def join_strokes(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the ink `(points, 3)` float32 of strokes, each the positions `(n, 2)` of the pen.

    Raises:
        Fault: if there are fewer than two points or more than `MAX_POINTS`, if points lie too far
            apart, or a point is not finite.
    """
    check_points(sum(map(len, strokes)))
    points = np.concatenate([np.reshape(stroke, (-1, 2)) for stroke in strokes])
    if not np.isfinite(points).all():
        raise Fault("a non-number among the points")
    with np.errstate(over="ignore"):
        check_offsets(np.diff(points, axis=0))
    return from_strokes(strokes)


def count_missing(times: np.ndarray, ends: np.ndarray, period: float) -> np.ndarray:
    """Return how many points are missing before each, `(points,)` uint8, up to 127.

    Args:
        times: the time of each point, `(points,)`.
        ends: whether each point is the last of its stroke, `(points,)`.
        period: usual time between two points.
    """
    periods = np.clip(np.diff(times) / period, 0, 128)
    periods[(ends[:-1] > 0) | (periods <= GAP)] = 1
    return np.concatenate([[0], np.round(periods) - 1]).astype(np.uint8)
