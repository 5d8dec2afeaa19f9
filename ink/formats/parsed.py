"""Result of parsing: samples, and the faults of samples and files that are left out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ink.formats.faults import Fault, with_file
from ink.sample import Sample


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
        """Add the samples and faults of another file."""
        self.samples.extend(other.samples)
        self.left_out.extend(other.left_out)

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
