"""Makes pages of ink from the content of files, and checks them."""

import re
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np

from data_loader.sources.parsing import MAX_OFFSET, Fault
from data_loader.sources.untrusted_files import MEBIBYTE
from ink.geometry import from_strokes, x_height
from ink.ink_page import InkPage, PageImage, PageStroke, TypedText, image_kind

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
MAX_STROKE_CHARACTERS = 4_000_000
"""Limit on the characters of the text of a stroke (assumed: some 200,000 positions)."""
MIN_PEN_OPACITY = 0.75
"""Opacity of a pen's stroke; a highlighter's stroke has less (assumed; 0.47 in Xournal++)."""
MAX_TYPED = 50_000
"""Limit on the typed characters of a page; a text counts one more (assumed: twenty pages)."""
ROW_GAP = 2.0
"""Gap between rows that are placed below each other, in x-heights (assumed)."""
PAGE_MARGIN = 0.05
"""Margin of a page of unknown size, as a fraction of the longer side of its content (assumed)."""


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
    strokes, typed, images = tuple(strokes), tuple(typed), tuple(images)
    boxes = [() if sheet is None else sheet, *(image.box for image in images)]
    boxes += [(text.x, text.y, text.x, text.y + text.size) for text in typed]
    corners = np.concatenate(boxes).reshape(-1, 2)
    points = np.concatenate([corners, *(stroke.points for stroke in strokes)])
    points = points if len(points) else np.zeros((1, 2))
    corner, size = points.min(axis=0), np.ptp(points, axis=0)
    margin = (PAGE_MARGIN * size.max() or 1.0) if sheet is None else 0.0
    left, top = corner - margin

    def shifted(strokes: Iterable[PageStroke]) -> tuple[PageStroke, ...]:
        return tuple(replace(stroke, points=stroke.points - (left, top)) for stroke in strokes)

    return InkPage(
        *(size + 2 * margin).tolist(),
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
    """Return the tool and the points of all strokes of a page, by which texts of it are kept."""
    return b"".join(
        f"{stroke.tool} {len(stroke.points)}".encode() + stroke.points.tobytes()
        for stroke in page.strokes
    )


def checked(pages: Iterable[InkPage]) -> Iterator[InkPage]:
    """Yield the pages of a file.

    Raises:
        Fault: if a page has invalid sizes or positions, or more than the limits above allow; or, at
            the end, if no page has content.
    """
    left_out, is_empty = Counter[str](), True
    for number, page in enumerate(pages, 1):
        _check_limit(number, MAX_PAGES, "pages")
        _check_limit(len(page.strokes), MAX_PAGE_STROKES, "strokes on a page")
        _check_limit(sum(len(stroke.points) for stroke in page.strokes), MAX_POINTS, "points")
        _check_limit(sum(1 + len(t.text) for t in page.typed), MAX_TYPED, "typed characters")
        _check_content(page)
        is_empty = is_empty and not page.strokes and not page.typed
        left_out += page.left_out
        yield page
    if is_empty:
        names = ", ".join(f"{count:,} {name}" for name, count in left_out.items())
        raise Fault("no strokes", names)


def _check_limit(count: int, limit: int, unit: str) -> None:
    if count > limit:
        raise Fault(f"more than {limit:,} {unit}; divide the file", f"{count:,}")


def stroke_text(text: str | None) -> str:
    """Return the text of a stroke; raise a Fault if it is too long to be divided into numbers."""
    text = text or ""
    _check_limit(len(text), MAX_STROKE_CHARACTERS, "characters in a stroke")
    return text


def _check_content(page: InkPage) -> None:
    """Raise a Fault if a page has invalid sizes, positions or widths of pens."""
    texts = [(text.x, text.y, text.size) for text in page.typed]
    boxes = [image.box for image in page.images]
    drawn = [stroke.points for stroke in (*page.strokes, *page.ruling)]
    for values in (*drawn, np.array(texts), np.array(boxes)):
        if not np.all(np.abs(values) <= MAX_OFFSET):
            raise Fault(f"a position that is not a number, or beyond {MAX_OFFSET:.6g}")
    for stroke in page.strokes:
        widths = () if stroke.widths is None else stroke.widths
        widths = np.hstack([stroke.width or 0.0, widths, stroke.dash])
        if not ((widths >= 0) & (widths <= MAX_OFFSET)).all():
            raise Fault(f"a pen whose width is not a number from 0 to {MAX_OFFSET:.6g}")
    if not all(1 / MAX_OFFSET <= size <= MAX_OFFSET for size in (page.width, page.height)):
        raise Fault("a page without a width and a height")


def to_float(text: str) -> float:
    """Return the number that a text says; raise a Fault if the text is not a number."""
    try:
        return float(text)
    except ValueError:
        raise Fault("a size or a position that is not a number", text[:40]) from None


def image_in(
    text: str, box: Iterable[float], layer: int, left_out: Counter[str]
) -> Iterator[PageImage]:
    """Yield the image of a base64 text, which may be a data URL, in a box (left, top, right,
    bottom); if it is neither a JPEG nor a PNG, or broken, count it in `left_out` instead."""
    from PIL import Image  # slow to import

    with suppress(Exception):  # The library raises many types on broken images.
        content = b64decode(text.rpartition(",")[2])
        Image.open(BytesIO(content)).verify()
        if image_kind(content):
            yield PageImage(content, tuple(box), layer)
            return
    left_out["image"] += 1


def alpha(text: str) -> float:
    """Return the opacity, from 0 to 1, of a colour `#rrggbbaa`; 1 if it states none."""
    match = re.fullmatch(r"#[0-9a-f]{6}([0-9a-f]{2})", text.strip().lower())
    return int(match[1], 16) / 255 if match else 1.0


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
