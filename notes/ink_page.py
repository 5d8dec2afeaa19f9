"""Pages of ink, as note programs save them: strokes in the order of writing."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from data_loader.sources.parsing import MAX_OFFSET, Fault
from data_loader.sources.untrusted_files import MEBIBYTE
from utils.ink import from_strokes, x_height

MAX_BYTES = 64 * MEBIBYTE
"""Limit on a file, unpacked (assumed)."""
MAX_STROKES = 500_000
"""Limit on the strokes of a file (assumed: three hundred dense pages)."""
GAP = 2.0
"""X-heights from a row down to the next where the file has no places of rows (assumed)."""
MARGIN = 0.05
"""Margin of a page whose size is unknown, as a fraction of the longer side of its ink (assumed)."""


@dataclass(frozen=True, eq=False)
class PageStroke:
    """A stroke of a page.

    Attributes:
        points: positions of the pen, `(points, 2)` float64, in the page's units, y downwards.
        tool: "pen", "highlighter", "shape" (drawn with a tool for lines and figures), or "eraser"
            (a stroke that covers the ink below it).
        colour: as `#rrggbb`.
        width: line width in the page's units; None if the file does not say it.
    """

    points: np.ndarray
    tool: str = "pen"
    colour: str = "#000000"
    width: float | None = None


@dataclass(frozen=True)
class TypedText:
    """Text that was typed, not written, with its upper left corner and font size."""

    text: str
    x: float
    y: float
    size: float


@dataclass(frozen=True, eq=False)
class InkPage:
    """A page of ink.

    Attributes:
        width, height: size of the page, in its units.
        strokes: strokes of all layers, the lowest layer first, each in the order of writing.
        unit: points (1/72 inch) in a unit of the page; None if the file does not say it.
        typed: texts that were typed on the page.
        background: the PDF that the page annotates, if any.
        background_page: number of the PDF's page under the ink, from 0.
        left_out: number of items of the file that are not on the page, by the items' name.
    """

    width: float
    height: float
    strokes: tuple[PageStroke, ...]
    unit: float | None = None
    typed: tuple[TypedText, ...] = ()
    background: Path | None = None
    background_page: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def page_around(
    strokes: Iterable[PageStroke],
    typed: Iterable[TypedText] = (),
    sheet: Sequence[float] | None = None,
    **attributes: Any,
) -> InkPage:
    """Return a page that holds strokes and typed texts, which are moved onto the page.

    Args:
        strokes, typed: content of the page, at any place.
        sheet: left, top, right and bottom of the smallest page; None puts a margin around the ink.
        attributes: other attributes of the `InkPage`.
    """
    strokes, typed = tuple(strokes), tuple(typed)
    corners = np.zeros((0, 2)) if sheet is None else np.reshape(sheet, (2, 2))
    texts = np.reshape(
        [(text.x, text.y + down) for text in typed for down in (0, text.size)], (-1, 2)
    )
    points = np.concatenate([corners, texts, *(stroke.points for stroke in strokes)])
    points = points if len(points) else np.zeros((1, 2))
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    margin = (MARGIN * size.max() or 1.0) if sheet is None else 0.0
    left, top = low - margin
    return InkPage(
        *(size + 2 * margin).tolist(),
        tuple(replace(stroke, points=stroke.points - (left, top)) for stroke in strokes),
        typed=tuple(replace(text, x=text.x - left, y=text.y - top) for text in typed),
        **attributes,
    )


def below_each_other(rows: Iterable[Sequence[np.ndarray]]) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the strokes of each row, moved below the previous row, all rows from the left edge."""
    bottom = 0.0
    for strokes in rows:
        points = np.concatenate(strokes)
        corner = points.min(axis=0) - (0.0, bottom)
        yield tuple(stroke - corner for stroke in strokes)
        bottom += float(np.ptp(points[:, 1])) + GAP * x_height(from_strokes(strokes))


def check_pages(pages: Sequence[InkPage]) -> None:
    """Raise a Fault if pages have no ink, too much ink, or invalid sizes or places."""
    strokes = [stroke for page in pages for stroke in page.strokes]
    if not strokes and not any(page.typed for page in pages):
        names = sum((page.left_out for page in pages), Counter())
        raise Fault("no strokes", ", ".join(f"{count:,} {name}" for name, count in names.items()))
    if len(strokes) > MAX_STROKES:
        raise Fault(f"more than {MAX_STROKES:,} strokes", f"{len(strokes):,}")
    text_places = [number for page in pages for t in page.typed for number in (t.x, t.y, t.size)]
    for values in (*(stroke.points for stroke in strokes), np.array(text_places)):
        if not np.all(np.abs(values) <= MAX_OFFSET):
            raise Fault(f"a place that is no number, or beyond {MAX_OFFSET:.6g}")
    if not all(0 < size <= MAX_OFFSET for page in pages for size in (page.width, page.height)):
        raise Fault("a page without a width and a height")


def number(text: str) -> float:
    """Return the number that a file has as text; raise a Fault if the text is no number."""
    try:
        return float(text)
    except ValueError:
        raise Fault("a size or a place that is no number", text[:40]) from None


def hex_colour(text: str) -> str:
    """Return a colour of SVG or CSS as `#rrggbb` without its opacity; black for invalid text."""
    text = text.strip().lower()
    if text.startswith("rgb"):
        channels = re.findall(r"(\d{1,9}(?:\.\d{1,9})?)(%?)", text)[:3]
        shades = [float(value) * (2.55 if percent else 1) for value, percent in channels]
        text = "#" + "".join(f"{min(round(shade), 255):02x}" for shade in shades)
    if not re.fullmatch(r"#[0-9a-f]{6}([0-9a-f]{2})?", text):
        from matplotlib.colors import is_color_like, to_hex

        text = to_hex(text) if is_color_like(text) and text != "none" else "#000000"
    return text[:7]
