"""Pages of ink with all that is drawn on them, as note programs keep them and writers save them."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

POINT = 72 / 25.4  # points (1/72 inch) per millimetre
POINTS_PER_PIXEL = 72 / 96
"""Points (1/72 inch) in a pixel (CSS), the unit of SVG and of Excalidraw."""
SHEET_WIDTH = 210.0
"""Width of a page whose unit is unknown, in millimetres (assumed: A4)."""
PEN_WIDTH = 0.4
"""Width in millimetres of the line of a pen whose width is unknown (assumed: an ordinary pen)."""

FONT = "Sans"
"""Font of a typed text whose font is unknown."""
LINE_PITCH = 1.17
"""Distance of the lines of a typed text, as a multiple of the font size (as in Xournal++)."""


@dataclass(frozen=True, eq=False)
class PageStroke:
    """A stroke of a page. Lengths are in the page's units.

    Attributes:
        points: positions of the pen, `(points, 2)` float64, y downwards.
        tool: "pen", "highlighter", "shape" (drawn with a tool for lines and figures), or "eraser"
            (a stroke that covers the ink below it).
        colour: as `#rrggbb`.
        width: line width; None if unknown, 0 for a filled area without an outline.
        widths: line width at each point, `(points,)`, if the pressure of the pen changes it.
        fill: colour of the area that the stroke encloses, as `#rrggbb`; None if it is not filled.
        fill_opacity: opacity of the fill, from 0 to 1.
        dash: lengths of the dashes and of the gaps after them, in turn; empty for a solid line.
        opacity: opacity of the line, from 0 to 1.
        layer: number of the stroke's layer, from 0.
        cap: what the ends of the line look like: "round", "butt" or "square".
        pressures: pressure of the pen at each point, from 0 to 1, `(points,)`; None if unknown.
    """

    points: np.ndarray
    tool: str = "pen"
    colour: str = "#000000"
    width: float | None = None
    widths: np.ndarray | None = None
    fill: str | None = None
    fill_opacity: float = 1.0
    dash: tuple[float, ...] = ()
    opacity: float = 1.0
    layer: int = 0
    cap: str = "round"
    pressures: np.ndarray | None = None


@dataclass(frozen=True)
class TypedText:
    """A typed text; `x` and `y` are its upper left corner, `size` is the font size, and `font` the
    name of its font, which only Xournal++ keeps.

    What is not in the `repr` does not change the text's reading, which is kept by the `repr`.
    """

    text: str
    x: float
    y: float
    size: float
    colour: str = field(default="#000000", repr=False)
    layer: int = field(default=0, repr=False)
    font: str = field(default=FONT, repr=False)


@dataclass(frozen=True)
class PageImage:
    """An image of a page: the content of a JPEG or PNG file, and the box (left, top, right, bottom)
    that it fills. Within its layer it is below the ink."""

    content: bytes = field(repr=False)
    box: tuple[float, float, float, float]
    layer: int = 0


@dataclass(frozen=True, eq=False)
class InkPage:
    """A page of ink.

    Attributes:
        width, height: size of the page, in its units.
        strokes: strokes of all layers, from the lowest layer; a layer is in the order of writing.
        unit: length of the page's unit in points (1/72 inch); None if unknown.
        typed: texts that were typed on the page.
        background: the PDF that the page annotates, if any.
        background_page: number of the PDF's page under the ink, from 0.
        left_out: number of the file's items that are left out of the page, by kind of item.
        layers: name of each layer, from the lowest; an empty name if it has none.
        images: images of all layers.
        paper: colour of the paper, as `#rrggbb`.
        ruling: printed lines of the paper; a stroke of one point is a dot.
        style: name of the ruling and its settings in Xournal++, such as "graph r1=20"; empty if
            Xournal++ has no such ruling.
    """

    width: float
    height: float
    strokes: tuple[PageStroke, ...]
    unit: float | None = None
    typed: tuple[TypedText, ...] = ()
    background: Path | None = None
    background_page: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    layers: tuple[str, ...] = ("",)
    images: tuple[PageImage, ...] = ()
    paper: str = "#ffffff"
    ruling: tuple[PageStroke, ...] = ()
    style: str = ""

    @property
    def millimetres(self) -> float:
        """Length of the page's unit in millimetres; if unknown, the page is `SHEET_WIDTH` wide."""
        return self.unit / POINT if self.unit else SHEET_WIDTH / self.width


def image_kind(content: bytes) -> str:
    """Return "jpeg" or "png" for the content of such a file; "" for any other content."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    return "jpeg" if content.startswith(b"\xff\xd8\xff") else ""
