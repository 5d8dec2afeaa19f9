"""The options of writing a line."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from utils.checks import UserError

BIAS = 0.75
"""Default bias (measured on 400 texts of eight kinds: docs/results.md has error rates at several
biases). A higher bias makes hands more alike."""
PEN_SHARPNESS = 3.0
"""Default of `Sampling.pen_sharpness` (measured, lab notebook: stopping and the pen)."""
Primer = tuple[np.ndarray, str]
"""Ink whose hand is continued, `(points, 3)` in units of the training data, and the ink's text."""


@dataclass(frozen=True)
class Sampling:
    """Options of drawing points, which a command passes as a whole down to the stepper.

    Attributes:
        bias: sharpening of the mixture, at least 0 (the paper, section 5.4): 0 writes as varied as
            the training data, 1 and more very legibly.
        pen_sharpness: how much the bias also sharpens the ends of strokes, at least 0 (the paper:
            0), see `mixture.sharpen_ends`.
        stretch: factors above 0 on the expected offsets in x and y, because a bias makes writing
            smaller; the paper: (1, 1). None: the network's factors, or for a `handwriting.Hand` the
            factors that make lines as large as its primer.
        max_steps: limit on the steps of a line; None: enough for the line's text.
        extras: the extras that the network is told, by name: the same numbers for all lines, or a
            row for each line. An extra that is not named is zeros.
        latent_seed: seed of the numbers drawn once for a whole line; None: the line's seed.

    Raises:
        UserError: if a value is out of range.
    """

    bias: float = BIAS
    pen_sharpness: float = PEN_SHARPNESS
    stretch: tuple[float, float] | None = None
    max_steps: int | None = None
    extras: Mapping[str, Any] = field(default_factory=dict, hash=False)
    latent_seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("bias", "pen_sharpness"):
            if not 0.0 <= (value := getattr(self, name)) < math.inf:
                raise UserError(f"{name} {value} does not fit: a number of at least 0")
        stretch = self.stretch or (1.0, 1.0)
        if len(stretch) != 2 or not all(0.0 < factor < math.inf for factor in stretch):
            raise UserError(f"stretch {stretch} does not fit: two finite factors above 0")
        if self.max_steps is not None and self.max_steps < 1:
            raise UserError(f"max_steps {self.max_steps} does not fit: at least 1")

    def __str__(self) -> str:
        pen = f" · pen sharpness {self.pen_sharpness:g}"
        return f"bias {self.bias:g}" + ("" if self.pen_sharpness == PEN_SHARPNESS else pen)
