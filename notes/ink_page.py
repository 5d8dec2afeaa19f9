"""Pages of ink, as note programs save them: what was written, in the order of writing."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True, eq=False)
class PageStroke:
    """A stroke of a page.

    Attributes:
        points: where the pen was, `(points, 2)` float64, in the page's units, y downwards.
        tool: "pen", "highlighter", "shape" (drawn with a tool for lines and figures), or "eraser".
        colour: as `#rrggbb`.
        width: of the line, in the page's units, if the file says it.
    """

    points: np.ndarray
    tool: str = "pen"
    colour: str = "#000000"
    width: float | None = None


@dataclass(frozen=True)
class TypedText:
    """Text that was typed, not written: where its upper left corner is, and its font's size."""

    text: str
    x: float
    y: float
    size: float


@dataclass(frozen=True, eq=False)
class InkPage:
    """A page of ink.

    Attributes:
        width, height: of the page, in its units.
        strokes: of all layers, the lowest first, each in the order of writing.
        unit: points (1/72 inch) in a unit, if the file says it.
        typed: the texts that were typed on it.
        background: the PDF that it annotates, if any.
        background_page: which page of that is under the ink, from 0.
        left_out: how much there is of what is not on the page, by name.
    """

    width: float
    height: float
    strokes: tuple[PageStroke, ...]
    unit: float | None = None
    typed: tuple[TypedText, ...] = ()
    background: Path | None = None
    background_page: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
