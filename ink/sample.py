"""Defines a sample: ink, its text, its names, and further inputs of a network; and the result of
parsing: samples, and the faults of samples and files that are left out."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from utils.checks import DataError, first_of, printable


@dataclass(frozen=True, eq=False)
class Sample:
    """A piece of writing. Its arrays are never changed in place."""

    ink: np.ndarray
    """`(points, 3)` float32 of `(dx, dy, end_of_stroke)` in the source's units, x to the right and
    y downwards. The first row is the first point, with the offset (0, 0)."""
    text: str = ""
    """The transcription; empty if unknown."""
    name: str = ""
    """Unique within a dataset."""
    writer: str = ""
    """The person who wrote the ink; empty if unknown."""
    group: str = ""
    """The form or file that the sample belongs to; empty if there is none."""
    ends: bool = True
    """Whether the writing ends with the last point; False if it was cut there."""
    missing: np.ndarray | None = None
    """How many points are missing before each point, `(points,)` uint8; None if none is missing."""
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Further inputs of a network: float32 arrays by name. All samples of a dataset have the same
    names and shapes."""

    def renamed(self, name: str) -> "Sample":
        """Return the sample with a new name."""
        return replace(self, name=name)

    @property
    def hand(self) -> str:
        """The name of the hand: the writer or, if the writer is unknown, the group."""
        return self.writer or self.group

    @property
    def missing_counts(self) -> np.ndarray:
        """`missing`; zeros if no point is missing."""
        return np.zeros(len(self.ink), np.uint8) if self.missing is None else self.missing


class Fault(DataError):
    """Says why the sample or file `name` is unusable. Reports count faults of the same `reason`.

    A reason names what is wrong with the content: "an empty file", "a path that is not valid". If
    the content itself is unknown, as its parser was ended, the reason says what the file does:
    "takes more than 20 s of processor time to parse". The detail is what differs from fault to
    fault.
    """

    __slots__ = ("detail", "name", "reason")  # saves memory, as a file may have many faults

    def __init__(self, reason: str, detail: str = "", name: str = "") -> None:
        detail = printable(detail)  # The detail may quote the file.
        super().__init__(reason, detail, name)
        self.reason = reason
        self.detail = detail
        self.name = name

    def within(self, file: str, separator: str = ":") -> "Fault":
        """Return the fault with the name of a file before its own name."""
        return Fault(self.reason, self.detail, with_file(file, self.name, separator))

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        name = f"{printable(self.name)}: " if self.name else ""
        return f"{name}{printable(self.reason)}{detail}"


class NoLines(Fault):
    """Says that a file has no lines: it has pages, or an unknown format."""

    __slots__ = ()


def with_file(file: str, name: str, separator: str) -> str:
    """Return a sample's name after the name of its file; the file's name if it has none."""
    return f"{file}{separator}{name}" if name else file


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


@dataclass(frozen=True)
class Parsed:
    """The result of parsing: samples, and the faults of omitted samples and files."""

    samples: list[Sample] = field(default_factory=list)
    left_out: list[Fault] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)  # values of JSON, about samples that are made

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Leave out the sample or file `name` if the block raises a Fault."""
        try:
            yield
        except Fault as fault:
            self.left_out.append(fault.within(name))

    def extend(self, other: "Parsed") -> None:
        """Add the samples, faults and notes of another file or block."""
        self.samples.extend(other.samples)
        self.left_out.extend(other.left_out)
        self.notes.extend(other.notes)

    def within(self, file: str, separator: str = ":", **fields: str) -> "Parsed":
        """Return a copy with a file's name before all names, and `fields` set in all samples."""
        return Parsed(
            [replace(s, name=with_file(file, s.name, separator), **fields) for s in self.samples],
            [fault.within(file, separator) for fault in self.left_out],
        )

    def require_text(self, reason: str) -> "Parsed":
        """Return a copy in which samples without text are left out for `reason`."""
        faults = [Fault(reason, name=sample.name) for sample in self.samples if not sample.text]
        return Parsed([s for s in self.samples if s.text], self.left_out + faults)
