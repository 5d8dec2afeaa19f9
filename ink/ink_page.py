"""Defines a page of ink with its images and typed texts, as note programs store it."""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ink.geometry import from_strokes, x_height

PT_PER_MM = 72 / 25.4  # points (1/72 inch) per millimetre
POINTS_PER_PIXEL = 72 / 96
"""Points (1/72 inch) in a pixel (CSS), the unit of SVG and of Excalidraw."""
SHEET_WIDTH = 210.0
"""Width of a page whose unit is unknown, in millimetres (assumed: A4)."""
DEFAULT_PEN_WIDTH = 0.4
"""Width in millimetres of the line of a pen whose width is unknown (assumed: an ordinary pen)."""

DEFAULT_FONT = "Sans"
"""Font of a typed text whose font is unknown."""
LINE_PITCH = 1.17
"""Distance of the lines of a typed text, as a multiple of the font size (as in Xournal++)."""
ROW_GAP = 2.0
"""Gap between rows that are placed below each other, in x-heights (assumed)."""
PAGE_MARGIN = 0.05
"""Margin of a page of unknown size, as a fraction of the longer side of its content (assumed)."""


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
        cap: shape of the ends of the line: "round", "butt" or "square".
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
    name of its font, which only Xournal++ stores.

    The `repr` is the key under which the text's reading is cached; attributes that are not in the
    `repr` do not change the reading.
    """

    text: str
    x: float
    y: float
    size: float
    colour: str = field(default="#000000", repr=False)
    layer: int = field(default=0, repr=False)
    font: str = field(default=DEFAULT_FONT, repr=False)


@dataclass(frozen=True)
class PageImage:
    """An image of a page: the content of a JPEG or PNG file, and the box (left, top, right, bottom)
    that it fills. Within its layer it is below the ink."""

    content: bytes = field(repr=False)
    box: tuple[float, float, float, float]
    layer: int = 0

    @property
    def media_type(self) -> str:
        """Type of the content, such as "image/png"."""
        return f"image/{image_kind(self.content)}"

    @property
    def data_url(self) -> str:
        """Address that has the content."""
        return f"data:{self.media_type};base64,{b64encode(self.content).decode()}"


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
        return self.unit / PT_PER_MM if self.unit else SHEET_WIDTH / self.width

    def by_layer(self) -> list["PageLayer"]:
        """Return the layers with their content, from the lowest."""
        layers = [PageLayer(name, [], [], []) for name in self.layers]
        for image in self.images:
            layers[image.layer].images.append(image)
        for stroke in self.strokes:
            layers[stroke.layer].strokes.append(stroke)
        for text in self.typed:
            layers[text.layer].typed.append(text)
        return layers


class PageLayer(NamedTuple):
    """The name and the content of a layer of a page."""

    name: str
    images: list[PageImage]
    strokes: list[PageStroke]
    typed: list[TypedText]


def image_kind(content: bytes) -> str:
    """Return "jpeg" or "png" for the content of such a file; "" for any other content."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    return "jpeg" if content.startswith(b"\xff\xd8\xff") else ""


def page_around(
    strokes: Iterable[PageStroke],
    typed: Iterable[TypedText] = (),
    sheet: Sequence[float] | None = None,
    images: Iterable[PageImage] = (),
    ruling: Iterable[PageStroke] = (),
    layers: Iterable[str] = (),
    **attributes: Any,
) -> InkPage:
    """Return a page that holds strokes, typed texts and images, shifted so that the page begins at
    (0, 0); its strokes are ordered by their layers.

    Args:
        strokes, typed, images, ruling: content of the page, at any position.
        sheet: left, top, right and bottom of an area that the page includes; None for a margin
            around the content.
        layers: name of each layer, from the lowest; none for one layer without a name.
        attributes: other attributes of the `InkPage`.
    """
    strokes = tuple(strokes)
    typed = tuple(typed)
    images = tuple(images)
    boxes = [() if sheet is None else sheet, *(image.box for image in images)]
    boxes += [(text.x, text.y, text.x, text.y + text.size) for text in typed]
    corners = np.concatenate(boxes).reshape(-1, 2)
    points = np.concatenate([corners, *(stroke.points for stroke in strokes)])
    points = points if len(points) else np.zeros((1, 2))
    corner = points.min(axis=0)
    size = np.ptp(points, axis=0)
    margin = 0.0
    if sheet is None:
        margin = PAGE_MARGIN * size.max() or 1.0  # a page has a size, also around a single dot
    left, top = corner - margin

    def shifted(strokes: Iterable[PageStroke]) -> tuple[PageStroke, ...]:
        return tuple(replace(stroke, points=stroke.points - (left, top)) for stroke in strokes)

    width, height = (size + 2 * margin).tolist()
    return InkPage(
        width,
        height,
        shifted(sorted(strokes, key=lambda stroke: stroke.layer)),
        typed=tuple(replace(text, x=text.x - left, y=text.y - top) for text in typed),
        images=tuple(
            replace(image, box=tuple(np.subtract(image.box, (left, top, left, top)).tolist()))
            for image in images
        ),
        ruling=shifted(ruling),
        layers=tuple(layers) or ("",),
        **attributes,
    )


def below_each_other(rows: Iterable[Sequence[np.ndarray]]) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the strokes of each row, shifted to begin at x = 0, below the previous row."""
    bottom = 0.0
    for strokes in rows:
        points = np.concatenate(strokes)
        corner = points.min(axis=0) - (0.0, bottom)
        yield tuple(stroke - corner for stroke in strokes)
        bottom += float(np.ptp(points[:, 1])) + ROW_GAP * x_height(from_strokes(strokes))


def ink_bytes(page: InkPage) -> bytes:
    """Return the tool and the points of all strokes of a page: the key of its text in the cache."""
    return b"".join(
        f"{stroke.tool} {len(stroke.points)}".encode() + stroke.points.tobytes()
        for stroke in page.strokes
    )
