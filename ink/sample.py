"""Defines a sample: ink, its text, its names, and further inputs of a network."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np


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
