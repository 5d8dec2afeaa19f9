"""Defines a line: its limits, the options with which a network writes it, and the result.

This module does not import torch, as commands show the default options in their help.
"""

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ink.drawing.layers import pen_layer, row_of_line
from ink.formats.inkml.lines import write_inkml
from ink.formats.svg.rows import to_svg
from ink.geometry import DOT_INK, to_points
from utils.checks import UserError, short
from utils.files import write_text

BIAS = 0.75
"""Default bias (measured on 400 texts of eight kinds: docs/results.md has error rates at several
biases). A higher bias makes hands more alike."""
PEN_SHARPNESS = 3.0
"""Default of `Sampling.pen_sharpness` (measured, notebook: writer, stopping and the pen)."""
Primer = tuple[np.ndarray, str]
"""Ink whose hand is continued, `(points, 3)` in units of the training data, and the ink's text."""
MAX_TEXT_CHARACTERS = 1_000
"""Most characters of a line (measured: `writer` takes half a minute for a word as long as that;
assumed: nobody needs a longer one)."""
MAX_PRIMER_CHARACTERS = 200
"""Most characters of a primer (measured: 64 lines after a primer of 200 characters and 5,000 points
take 5 GB; a line of IAM-OnDB has some 30 characters)."""
MAX_PRIMER_POINTS = 3_000  # most points of a primer (measured: as above; IAM-OnDB: 628 a line)
SEEDS = 2**32
"""The number of seeds: a seed that is computed from another is taken modulo `SEEDS`."""


@dataclass(frozen=True)
class Sampling:
    """Options of drawing points, which a command passes as a whole down to the stepper.

    Attributes:
        bias: sharpening of the mixture, at least 0 (the paper, section 5.4): 0 writes as varied as
            the training data, 1 and more very legibly.
        pen_sharpness: how much the bias also sharpens the ends of strokes, at least 0 (the paper:
            0), see `mixture.sharpen_ends`.
        stretch: factors above 0 on the expected offsets in x and y, because a bias makes writing
            smaller; the paper: (1, 1). None: the network's factors, or those of the hand in
            which a page is written, which make lines as large as its primer.
        max_steps: limit on the steps of a line; None: enough for the line's text.
        extras: the extras on which the network is conditioned, by name: the same numbers for all
            lines, or a row for each line. An extra that is not named is zeros.
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
            value = getattr(self, name)
            if not 0.0 <= value < math.inf:
                raise UserError(f"{name} {value} does not fit: a number of at least 0")
        stretch = self.stretch or (1.0, 1.0)
        if len(stretch) != 2 or not all(0.0 < factor < math.inf for factor in stretch):
            raise UserError(f"stretch {stretch} does not fit: two finite factors above 0")
        if self.max_steps is not None and self.max_steps < 1:
            raise UserError(f"max_steps {self.max_steps} does not fit: at least 1")

    def __str__(self) -> str:
        text = f"bias {self.bias:g}"
        if self.pen_sharpness != PEN_SHARPNESS:
            text += f" · pen sharpness {self.pen_sharpness:g}"
        return text


@dataclass
class Line:
    """A line that a network wrote.

    Attributes:
        ink: `(points, 3)` float32 in the units of the data, the primer's points first.
        primed: number of the primer's points at the start of `ink`, 0 without a primer.
        peaks: index in `text` of the character at the window's peak at each step,
            `(points - 1,)` int32; the length of `text` where the window is past the text. None
            without a text.
        text: the primer's text and the line's text; None for a network without a text.
        ended: whether a stopping rule or the network ended the line, not the limit on steps.
        bias: sharpening of the mixture at every step, `(points - 1,)` float32.
        written_text: the text as saved in files, without the primer's text.
        description: how the line was made, for example its bias and seed.
        extras: the extras on which the network was conditioned, by name.
        latent_seed: seed of the numbers drawn once for the line; None if nothing was drawn.
    """

    ink: np.ndarray
    primed: int
    peaks: np.ndarray | None
    text: str | None
    ended: bool
    bias: np.ndarray
    written_text: str = ""
    description: str = ""
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)
    latent_seed: int | None = None

    @property
    def written(self) -> np.ndarray:
        """The ink without the primer's points; its first offset is zero."""
        if not self.primed:
            return self.ink
        ink = self.ink[self.primed :].copy()
        ink[:1, :2] = 0.0
        return ink

    @property
    def visible(self) -> np.ndarray:
        """The ink to draw: `written`, or a dot if `written` is empty, as when the primer already
        completes the text."""
        return self.written if len(self.written) else DOT_INK

    def __repr__(self) -> str:
        shown = "no text" if self.text is None else repr(self.written_text or self.text)
        ending = "ended" if self.ended else "not ended, cut"
        x, y = to_points(self.visible)[-1]
        return f"Line({shown}, {len(self.written)} points, {ending} at ({x:.0f}, {y:.0f}))"

    def _repr_svg_(self) -> str:
        """Return the line as a notebook shows it: as SVG, with the text as the title."""
        row, size = row_of_line(self.written)
        layers = [pen_layer(1, [row])]
        return to_svg(size, layers, self.written_text, description=self.description)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the line, without its primer, as .svg, .png or .inkml.

        Raises:
            UserError: if the name has another suffix.
            OSError: if the file cannot be written.
        """
        suffix = Path(path).suffix.lower()
        if suffix == ".svg":
            write_text(path, self._repr_svg_())
        elif suffix == ".inkml":
            write_inkml(path, self.written, self.written_text)
        elif suffix == ".png":
            from model.drawing.plots import lines_figure, write_png  # slow to import

            write_png(path, lines_figure([self.written], [self.description]))
        else:
            raise UserError(f"{path}: a line is saved as .svg, .png or .inkml")


def check_lengths(
    texts: Iterable[str], primer: Primer | None = None, name: object = "the primer"
) -> None:
    """Refuse texts or a primer that would take too much time or memory.

    Raises:
        UserError: if a text or the primer is too long; the message calls the primer `name`.
    """
    for text in texts:
        if len(text) > MAX_TEXT_CHARACTERS:
            raise UserError(
                f"{short(text)}: {len(text):,} characters; a line has at most "
                f"{MAX_TEXT_CHARACTERS:,}"
            )
    points, characters = map(len, primer) if primer else (0, 0)
    if points > MAX_PRIMER_POINTS or characters > MAX_PRIMER_CHARACTERS:
        raise UserError(
            f"{name} has {points:,} points and a text of {characters:,} characters: at most "
            f"{MAX_PRIMER_POINTS:,} points and {MAX_PRIMER_CHARACTERS} characters can be continued"
        )
