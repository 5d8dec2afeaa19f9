"""Progress and sums of a run, beside the states of its parts: all of it is saved."""

import math
from dataclasses import dataclass, field


@dataclass
class Progress:
    """How far a run has come."""

    epoch: int = 0
    """Epochs that are complete."""
    step: int = 0
    """Optimiser steps made."""
    epoch_steps: int = 0
    """Those of the current epoch."""
    epoch_pass: int = 0
    """The pass over the data in which the current epoch began."""
    skipped_in_row: int = 0
    """Steps skipped in a row up to now, because they were not finite."""
    first_loss: float | None = None
    """Loss per point of the first step that was made."""


@dataclass
class Sums:
    """Numerators and denominators of the current epoch, divided once at its end.

    Summed over all processes, and the same in each.
    """

    loss: float = 0.0
    sequences: float = 0.0
    points: int = 0
    gradient_norm: float = 0.0
    steps: int = 0
    skipped: int = 0
    seconds: float = 0.0
    learning_rate: float = 0.0
    """Learning rate of the last step."""

    def add(self, loss: float, sequences: float, points: int) -> None:
        """Add the summed loss of so many sequences and points."""
        self.loss += loss
        self.sequences += sequences
        self.points += points

    @property
    def loss_per_point(self) -> float:
        """NaN where nothing was counted."""
        return ratio(self.loss, self.points)

    def losses(self, name: str) -> dict[str, float]:
        """Return the loss of that name, per sequence and per point."""
        per_sequence = ratio(self.loss, self.sequences)
        return {name: per_sequence, f"{name}_per_point": self.loss_per_point}

    def rates(self) -> dict[str, float]:
        """Return rates that describe the training, by name."""
        return {
            "learning_rate": self.learning_rate,
            "gradient_norm": ratio(self.gradient_norm, self.steps),
            "points_per_second": ratio(self.points, self.seconds),
        }


@dataclass
class TrainingState:
    """Counters and sums of a run."""

    progress: Progress = field(default_factory=Progress)
    sums: Sums = field(default_factory=Sums)
    values: dict[str, float] = field(default_factory=dict)
    """Metrics of the last complete epoch by name."""


def ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan
