"""A line that a network wrote."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from base.base_model import Given
from utils.checks import UserError
from utils.files import write_text
from utils.ink import DOT_INK, to_points
from utils.page.inkml import write_inkml
from utils.page.page import page_of_line


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
        given: the extras and seed that the network was told for the line.
    """

    ink: np.ndarray
    primed: int
    peaks: np.ndarray | None
    text: str | None
    ended: bool
    bias: np.ndarray
    written_text: str = ""
    description: str = ""
    given: Given | None = None

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
        """Return the line as a notebook shows it."""
        return page_of_line(self.written).to_svg(self.written_text, description=self.description)

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
            from utils.plots import lines_figure, write_png  # slow to import

            write_png(path, lines_figure([self.written], [self.description]))
        else:
            raise UserError(f"{path}: a line is saved as .svg, .png or .inkml")
