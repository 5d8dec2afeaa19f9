"""Pages of ink: strokes in the order of writing, typed texts, and the background."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from data_loader.sources.parsing import MAX_OFFSET, Budget, Fault
from data_loader.sources.untrusted_files import MEBIBYTE
from utils.ink import from_strokes, x_height

MAX_BYTES = 64 * MEBIBYTE
"""Limit on the bytes of a page, or of a file that is read whole, after unpacking (assumed)."""
MAX_FILE_BYTES = 1024 * MEBIBYTE
"""Limit on the bytes of a file that is read page by page, after unpacking (assumed: 1,700 dense
pages)."""
MAX_PAGES = 2_000
"""Limit on the pages of a file, of which a page may be repeated (assumed)."""
MAX_PAGE_STROKES = 10_000
"""Limit on the strokes of a page (assumed: six times a dense page)."""
MAX_POINTS = 5_000_000
"""Limit on the positions of a page (assumed: those of a hundred dense pages)."""
MAX_STROKE_POINTS = 200_000
"""Limit on the positions of a stroke (assumed)."""
MAX_TYPED = 50_000
"""Limit on the typed characters of a page; a text counts one more (assumed: twenty pages)."""
ROW_GAP = 2.0
"""Gap between rows that are placed below each other, in x-heights (assumed)."""
PAGE_MARGIN = 0.05
"""Margin of a page of unknown size, as a fraction of the longer side of its content (assumed)."""


@dataclass(frozen=True, eq=False)
class PageStroke:
    """A stroke of a page.

    Attributes:
        points: positions of the pen, `(points, 2)` float64, in the page's units, y downwards.
        tool: "pen", "highlighter", "shape" (drawn with a tool for lines and figures), or "eraser"
            (a stroke that covers the ink below it).
        colour: as `#rrggbb`.
        width: line width in the page's units; None if unknown.
    """

    points: np.ndarray
    tool: str = "pen"
    colour: str = "#000000"
    width: float | None = None


@dataclass(frozen=True)
class TypedText:
    """A typed text; `x` and `y` are its upper left corner, `size` is the font size."""

    text: str
    x: float
    y: float
    size: float


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
    """Return a page that holds strokes and typed texts, shifted so that the page begins at (0, 0).

    Args:
        strokes, typed: content of the page, at any position.
        sheet: left, top, right and bottom of an area that the page includes; None for a margin
            around the content.
        attributes: other attributes of the `InkPage`.
    """
    strokes, typed = tuple(strokes), tuple(typed)
    corners: list[Any] = [] if sheet is None else [*np.reshape(sheet, (2, 2))]
    for text in typed:
        corners += [(text.x, text.y), (text.x, text.y + text.size)]
    points = np.concatenate([np.reshape(corners, (-1, 2)), *(stroke.points for stroke in strokes)])
    points = points if len(points) else np.zeros((1, 2))
    corner, size = points.min(axis=0), np.ptp(points, axis=0)
    margin = (PAGE_MARGIN * size.max() or 1.0) if sheet is None else 0.0
    left, top = corner - margin
    return InkPage(
        *(size + 2 * margin).tolist(),
        tuple(replace(stroke, points=stroke.points - (left, top)) for stroke in strokes),
        typed=tuple(replace(text, x=text.x - left, y=text.y - top) for text in typed),
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


def checked(pages: Iterable[InkPage]) -> Iterator[InkPage]:
    """Yield the pages of a file.

    Raises:
        Fault: if a page has invalid sizes or positions, or more than the limits above allow; or, at
            the end, if no page has content.
    """
    num_pages, left_out, is_empty = _budget(MAX_PAGES, "pages"), Counter[str](), True
    for page in pages:
        num_pages.spend(1)
        check_page_strokes(len(page.strokes))
        point_budget().spend(sum(len(stroke.points) for stroke in page.strokes))
        num_typed = sum(1 + len(text.text) for text in page.typed)
        _budget(MAX_TYPED, "typed characters").spend(num_typed)
        _check_content(page)
        is_empty = is_empty and not page.strokes and not page.typed
        left_out += page.left_out
        yield page
    if is_empty:
        names = ", ".join(f"{count:,} {name}" for name, count in left_out.items())
        raise Fault("no strokes", names)


def _budget(amount: int, unit: str) -> Budget:
    return Budget(amount, f"more than {amount:,} {unit}; divide the file")


def point_budget() -> Budget:
    """Return a budget for the positions of a page."""
    return _budget(MAX_POINTS, "points")


def check_page_strokes(count: int) -> None:
    """Raise a Fault if a page has more strokes than `MAX_PAGE_STROKES`."""
    if count > MAX_PAGE_STROKES:
        raise Fault(f"more than {MAX_PAGE_STROKES:,} strokes on a page", f"{count:,}")


def check_stroke(text: str, separators: str) -> None:
    """Raise a Fault if the text of a stroke has more values or points than `MAX_STROKE_POINTS`
    allows, each two of which have one of the separators between them."""
    if sum(map(text.count, separators)) > 2 * MAX_STROKE_POINTS:
        raise Fault(f"a stroke of more than {MAX_STROKE_POINTS:,} points")


def _check_content(page: InkPage) -> None:
    """Raise a Fault if a page has invalid sizes, positions or widths of pens."""
    texts = [(text.x, text.y, text.size) for text in page.typed]
    for values in (*(stroke.points for stroke in page.strokes), np.array(texts)):
        if not np.all(np.abs(values) <= MAX_OFFSET):
            raise Fault(f"a position that is not a number, or beyond {MAX_OFFSET:.6g}")
    widths = [stroke.width for stroke in page.strokes if stroke.width is not None]
    if not all(0 <= width <= MAX_OFFSET for width in widths):
        raise Fault(f"a pen whose width is not a number from 0 to {MAX_OFFSET:.6g}")
    if not all(1 / MAX_OFFSET <= size <= MAX_OFFSET for size in (page.width, page.height)):
        raise Fault("a page without a width and a height")


def to_float(text: str) -> float:
    """Return the number that a text says; raise a Fault if the text is not a number."""
    try:
        return float(text)
    except ValueError:
        raise Fault("a size or a position that is not a number", text[:40]) from None


def hex_colour(text: str) -> str:
    """Return a colour of SVG or CSS as `#rrggbb` without its opacity; black if it is invalid."""
    text = text.strip().lower()
    if text.startswith("rgb"):
        channels = re.findall(r"(\d{1,9}(?:\.\d{1,9})?)(%?)", text)[:3]
        shades = [float(value) * (2.55 if percent else 1) for value, percent in channels]
        text = "#" + "".join(f"{min(round(shade), 255):02x}" for shade in shades)
    if not re.fullmatch(r"#[0-9a-f]{6}([0-9a-f]{2})?", text):
        from matplotlib.colors import is_color_like, to_hex

        text = to_hex(text) if is_color_like(text) and text != "none" else "#000000"
    return text[:7]
