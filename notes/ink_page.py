"""Pages of ink, as note programs save them: what was written, in the order of writing."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from data_loader.sources.parsing import FARTHEST, Fault
from data_loader.sources.untrusted_files import MEBIBYTE
from utils.ink import from_strokes, x_height

MAX_BYTES = 64 * MEBIBYTE
"""Limit on a file, unpacked (assumed)."""
MAX_STROKES = 500_000
"""Limit on the strokes of a file (assumed: three hundred dense pages)."""
MAX_POINTS = 10_000_000
"""Limit on the points of a file (assumed: likewise)."""
GAP = 2.0
"""X-heights from one row down to the next where their places are unknown (assumed)."""
MARGIN = 0.05
"""Around the ink of a page whose size is unknown, in its longer sides (assumed)."""


@dataclass(frozen=True, eq=False)
class PageStroke:
    """A stroke of a page.

    Attributes:
        points: where the pen was, `(points, 2)` float64, in the page's units, y downwards.
        tool: "pen", "highlighter", "shape" (drawn with a tool for lines and figures), or "eraser"
            (which covers what is below).
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


def page_around(
    strokes: Iterable[PageStroke],
    typed: Iterable[TypedText] = (),
    sheet: Sequence[float] | None = None,
    **others: Any,
) -> InkPage:
    """Return a page that is large enough for what is on it, which is moved onto it.

    Args:
        strokes, typed: what is on it, anywhere.
        sheet: left, top, right and bottom of the least page; without one the ink gets a margin.
        others: what else an `InkPage` has.
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
        **others,
    )


def below_each_other(rows: Iterable[Sequence[np.ndarray]]) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the strokes of rows, each below the one before, all from the left."""
    bottom = 0.0
    for parts in rows:
        points = np.concatenate(parts)
        corner = points.min(axis=0) - (0.0, bottom)
        yield tuple(part - corner for part in parts)
        bottom += float(np.ptp(points[:, 1])) + GAP * x_height(from_strokes(parts))


def check_pages(pages: Sequence[InkPage]) -> None:
    """Raise a Fault if pages have too much ink, or none, or sizes or places that are none."""
    strokes = [stroke for page in pages for stroke in page.strokes]
    if not strokes and not any(page.typed for page in pages):
        names = sum((page.left_out for page in pages), Counter())
        raise Fault("no strokes", ", ".join(f"{count:,} {name}" for name, count in names.items()))
    if len(strokes) > MAX_STROKES:
        raise Fault(f"more than {MAX_STROKES:,} strokes", f"{len(strokes):,}")
    if (count := sum(len(stroke.points) for stroke in strokes)) > MAX_POINTS:
        raise Fault(f"more than {MAX_POINTS:,} points", f"{count:,}")
    texts = [number for page in pages for t in page.typed for number in (t.x, t.y, t.size)]
    for values in (*(stroke.points for stroke in strokes), np.array(texts)):
        if not np.all(np.abs(values) <= FARTHEST):
            raise Fault(f"a place that is no number, or beyond {FARTHEST:.6g}")
    if not all(0 < size <= FARTHEST for page in pages for size in (page.width, page.height)):
        raise Fault("a page without a width and a height")


def number(text: str) -> float:
    """Return a number of a file, or raise a Fault."""
    try:
        return float(text)
    except ValueError:
        raise Fault("a size or a place that is no number", text[:40]) from None


def hex_colour(text: str) -> str:
    """Return a colour of SVG or CSS as `#rrggbb`, without its opacity; black for what is none."""
    text = text.strip().lower()
    if text.startswith("rgb"):
        parts = re.findall(r"(\d{1,9}(?:\.\d{1,9})?)(%?)", text)[:3]
        shades = [float(part) * (2.55 if percent else 1) for part, percent in parts]
        text = "#" + "".join(f"{min(round(shade), 255):02x}" for shade in shades)
    if not re.fullmatch(r"#[0-9a-f]{6}([0-9a-f]{2})?", text):
        from matplotlib.colors import is_color_like, to_hex

        text = to_hex(text) if is_color_like(text) and text != "none" else "#000000"
    return text[:7]
