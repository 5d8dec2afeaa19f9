"""Shared by all formats: results of parsing, faults, XML, texts, points and limits.

The module of a format has two functions. `sniff(head)` returns whether a file that begins with the
bytes `head` has the format. `parse(path, ...)` returns a `Parsed`, or raises a `Fault` if the whole
file is unusable. A sample is named by its position in the file; a file's only sample has no name.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree import ElementTree

import numpy as np

from ink.alphabet import nfc
from ink.geometry import from_strokes
from ink.sample import Sample
from utils.checks import MAX_QUOTED, DataError, printable

MAX_OFFSET = 1e9  # of a point from the previous point (assumed: float32 has no fractions above)
MAX_POINTS = 20_000  # of a sample (assumed)
MAX_CHARACTERS = 20_000  # of a text (assumed)
MAX_ELEMENTS = 500_000  # XML elements, UNIPEN keywords or stroke arrays of a file (assumed)
MAX_VALUES = 4 * MAX_ELEMENTS  # lists and objects of JSON, opcodes of a pickle (assumed)
MAX_PARSED = 1_000_000_000  # bytes of an unpacked archive and its samples (assumed: half of 2 GB)
SAMPLE_BYTES = 500  # of a sample or a Fault besides points and strings (measured)
POINT_BYTES = 13  # of a point (measured)
MAX_PERIODS = 2.5
"""Maximum time, in periods, between two points with no missing point between them (assumed).
IAM-OnDB has a period of 0.015 s, but times rounded to 0.01 s. So 0.03 s may be a single period: in
space, steps of 0.03 s are hardly longer than other steps, steps of 0.04 s are (measured)."""


class Fault(DataError):
    """Says why the sample or file `name` is unusable. Reports count faults of the same `reason`."""

    __slots__ = ("detail", "name", "reason")  # saves memory, as a file may have many faults

    def __init__(self, reason: str, detail: str = "", name: str = "") -> None:
        detail = printable(detail)  # It may quote the file.
        super().__init__(reason, detail, name)
        self.reason, self.detail, self.name = reason, detail, name

    def within(self, file: str, separator: str = ":") -> "Fault":
        """Return the fault with the name of a file before its own name."""
        return Fault(self.reason, self.detail, _joined(file, self.name, separator))

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        name = f"{printable(self.name)}: " if self.name else ""
        return f"{name}{printable(self.reason)}{detail}"


def _joined(file: str, name: str, separator: str) -> str:
    return f"{file}{separator}{name}" if name else file


class Budget:
    """An amount, in any unit, that parsing may use; to spend more is a Fault for `reason`."""

    def __init__(self, amount: float, reason: str) -> None:
        self._left, self._reason = amount, reason

    def spend(self, amount: float) -> None:
        """Take `amount` from the budget; raise a Fault if less is left."""
        self._left -= amount
        if self._left < 0:
            raise Fault(self._reason)


def memory_budget(source: object = "it", max_bytes: int | None = None) -> Budget:
    """Return a budget for parsing a file or an archive, of `MAX_PARSED` bytes or those that an
    option allows; messages call it `source`."""
    remedy = "divide it" if max_bytes is None else "divide it, or raise max_gb"
    count = max_bytes or MAX_PARSED
    return Budget(count, f"more than {count:,} bytes when {source} is parsed; {remedy}")


@dataclass(frozen=True)
class Parsed:
    """What parsing files yields: samples, and faults of samples and files left out."""

    samples: list[Sample] = field(default_factory=list)
    left_out: list[Fault] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)  # values of JSON, about samples that are made
    budget: Budget = field(default_factory=memory_budget)  # bytes that samples and faults may take

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Leave out the sample or file `name` if the block raises a Fault.

        The memory of samples and faults that the block adds is spent from the budget.
        """
        num_samples, num_faults = len(self.samples), len(self.left_out)
        try:
            yield
        except Fault as fault:
            self.left_out.append(fault.within(name))
        for sample in self.samples[num_samples:]:
            characters = len(sample.name) + len(sample.text) + len(sample.writer)
            self.budget.spend(SAMPLE_BYTES + 4 * characters + POINT_BYTES * len(sample.ink))
        for fault in self.left_out[num_faults:]:
            self.budget.spend(SAMPLE_BYTES + 4 * len(fault.name))

    def extend(self, other: "Parsed") -> None:
        """Add the samples and faults of another file."""
        self.samples.extend(other.samples)
        self.left_out.extend(other.left_out)

    def within(self, file: str, separator: str = ":", **fields: str) -> "Parsed":
        """Return a copy with a file's name before all names, and `fields` set in all samples."""
        return Parsed(
            [replace(s, name=_joined(file, s.name, separator), **fields) for s in self.samples],
            [fault.within(file, separator) for fault in self.left_out],
        )

    def require_text(self, reason: str) -> "Parsed":
        """Return a copy in which samples without text are left out for `reason`."""
        faults = [Fault(reason, name=sample.name) for sample in self.samples if not sample.text]
        return Parsed([s for s in self.samples if s.text], self.left_out + faults)


def summarise(faults: Iterable[Fault]) -> list[str]:
    """Return a line for each reason: the number of faults, and the first names."""
    by_reason: dict[str, list[str]] = {}
    for fault in faults:
        name = f"{fault.name} ({fault.detail})" if fault.detail else fault.name
        by_reason.setdefault(fault.reason, []).append(name)
    return [
        f"{len(names):,} left out: {printable(reason)}: {first_of(names, 10)}"
        for reason, names in sorted(by_reason.items(), key=lambda item: -len(item[1]))
    ]


def first_of(names: Sequence[str], count: int = 3) -> str:
    """Return the first `count` names for a message, and dots if there are more names."""
    more = ", ..." if len(names) > count else ""
    return ", ".join(map(printable, names[:count])) + more


_BROKEN = "broken XML"
_XML_ERRORS = (ElementTree.ParseError, LookupError, ValueError)  # the last two: unknown encodings


class _TreeBuilder(ElementTree.TreeBuilder):
    """Builds elements whose tags have no namespaces, and refuses document types."""

    def start(self, tag: str, attributes: dict[str, str]) -> ElementTree.Element:
        return super().start(_local_name(tag) if tag.startswith("{") else tag, attributes)

    def start_ns(self, prefix: str, uri: str) -> None:
        if len(uri) > MAX_QUOTED:  # It is put before the name of each element in it.
            raise Fault(f"a namespace of more than {MAX_QUOTED} characters")

    def doctype(self, *_: object) -> None:
        raise Fault("a document type, which no ink needs (entities are never expanded)")


class _ChildBuilder(_TreeBuilder):
    """Hands over each child of the outermost element where it ends, and keeps none."""

    def __init__(self) -> None:
        super().__init__()
        self.root: ElementTree.Element | None = None
        self.depth = 0
        self.ended: list[ElementTree.Element] = []

    def start(self, tag: str, attributes: dict[str, str]) -> ElementTree.Element:
        element = super().start(tag, attributes)
        self.depth += 1
        if self.root is None:
            self.root = element
        return element

    def end(self, tag: str) -> ElementTree.Element:
        element = super().end(tag)
        self.depth -= 1
        if self.depth == 1:
            self.root.clear()
            self.ended.append(element)
        return element

    def taken(self) -> list[ElementTree.Element]:
        """Return the children that have ended since the last call."""
        taken, self.ended = self.ended, []
        return taken


def xml_children(
    blocks: Iterable[bytes], tag: str, max_bytes: int
) -> Iterator[ElementTree.Element]:
    """Yield the children of the outermost element of an XML document, which comes in blocks; each
    child is freed when it is no longer used.

    Raises:
        Fault: see `xml_tree`; a child may have `max_bytes` and `MAX_ELEMENTS`.
    """
    builder = _ChildBuilder()
    parser = ElementTree.XMLParser(target=builder)
    size = brackets = 0
    try:
        for block in blocks:
            size, brackets = size + len(block), brackets + block.count(b"<")
            if size > max_bytes:
                raise Fault(f"more than {max_bytes:,} bytes in a page or another part")
            if brackets > 2 * MAX_ELEMENTS:
                raise Fault(f"more than {MAX_ELEMENTS:,} elements in a page or another part")
            parser.feed(block)
            _check_root(tag if builder.root is None else builder.root.tag, tag)
            if children := builder.taken():
                size = brackets = 0
                yield from children
        parser.close()
    except _XML_ERRORS as error:
        raise Fault(_BROKEN, str(error)) from None


def xml_tree(content: bytes | str, tag: str) -> ElementTree.Element:
    """Return the outermost element of an XML document; its tags have no namespaces.

    Raises:
        Fault: if the document is empty, broken or too large, declares a document type, or has an
            outermost element that is not called `tag`.
    """
    if not content.strip():
        raise Fault("an empty file")
    if content.count("<" if isinstance(content, str) else b"<") > 2 * MAX_ELEMENTS:
        raise Fault(f"more than {MAX_ELEMENTS:,} elements")
    parser = ElementTree.XMLParser(target=_TreeBuilder())
    try:
        parser.feed(content)
        root = parser.close()
    except _XML_ERRORS as error:
        raise Fault(_BROKEN, str(error)) from None
    _check_root(root.tag, tag)
    return root


def cut_tree(
    content: bytes | str, tag: str
) -> tuple[ElementTree.Element, Sequence[ElementTree.Element], Fault | None]:
    """Return what `xml_tree` returns, of a document that may end too early.

    Returns:
        the outermost element, the elements that have no end, and the fault of such a document.
    """
    try:
        return xml_tree(content, tag), (), None
    except Fault as fault:
        if fault.reason != _BROKEN:
            raise
        parser, unended = ElementTree.XMLPullParser(["start", "end"]), []
        with suppress(*_XML_ERRORS):
            parser.feed(content)
            for event, element in parser.read_events():
                if event == "start":
                    element.tag = _local_name(element.tag)
                    unended.append(element)
                else:
                    unended.pop()
        if not unended:
            raise
        _check_root(unended[0].tag, tag)
        return unended[0], unended, fault


def _check_root(root: str, tag: str) -> None:
    if root != tag:
        detail = f"its outermost element is <{root[:40]}>, not <{tag}>"
        raise Fault("another kind of XML", detail)


def root_tag(head: bytes) -> str:
    """Return the tag of the outermost element of a document that begins with `head`; "" if none."""
    parser = ElementTree.XMLPullParser(["start"])
    with suppress(*_XML_ERRORS):
        parser.feed(head)
        return next((_local_name(element.tag) for _, element in parser.read_events()), "")
    return ""


def _local_name(tag: str) -> str:
    return tag.rpartition("}")[2]


def clean_text(text: str) -> str:
    """Return a transcription on one line in NFC, without spaces around it; see `check_text`."""
    check_text(text)
    return nfc(" ".join(text.split()))


def check_text(text: str) -> None:
    """Raise a Fault if a transcription has control characters, other than blanks and line breaks,
    or more than `MAX_CHARACTERS`."""
    if len(text) > MAX_CHARACTERS:
        raise Fault(f"a transcription of more than {MAX_CHARACTERS:,} characters", f"{len(text):,}")
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and not character.isspace():
            raise Fault("control characters in the transcription", repr(character))


def decode(content: bytes, encoding: str = "utf-8") -> str:
    """Return the text of a file, without a byte order mark.

    Raises:
        Fault: if the file is empty, or not in `encoding`.
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
    """Raise a Fault if an offset is longer than `MAX_OFFSET`."""
    if not (largest := float(np.abs(offsets).max())) <= MAX_OFFSET:
        raise Fault(f"an offset longer than {MAX_OFFSET:.6g}", f"{largest:.6g}")


def join_strokes(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the ink `(points, 3)` float32 of strokes, each the positions `(n, 2)` of the pen.

    Raises:
        Fault: if there are fewer than two points or more than `MAX_POINTS`, if an offset is longer
            than `MAX_OFFSET`, or if a point is not finite.
    """
    check_points(sum(map(len, strokes)))
    points = np.concatenate([np.reshape(stroke, (-1, 2)) for stroke in strokes])
    if not np.isfinite(points).all():
        raise Fault("a non-number among the points")
    with np.errstate(over="ignore"):
        check_offsets(np.diff(points, axis=0))
    return from_strokes(strokes)


def count_missing(times: np.ndarray, ends: np.ndarray, period: float) -> np.ndarray:
    """Return how many points are missing before each point, `(points,)` uint8, at most 127.

    Args:
        times: the time of each point, `(points,)`.
        ends: whether each point is the last of its stroke, `(points,)`.
        period: usual time between neighbouring points.
    """
    with np.errstate(over="ignore"):  # An infinite time is cut to 128 periods.
        periods = np.clip(np.diff(times) / period, 0, 128)
    periods[(ends[:-1] > 0) | (periods <= MAX_PERIODS)] = 1
    return np.concatenate([[0], np.round(periods) - 1]).astype(np.uint8)
