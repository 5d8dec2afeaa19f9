"""Checks pages of untrusted files, and their numbers and images."""

import re
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from itertools import chain

import numpy as np

from ink.formats.checks import MAX_JUMP
from ink.formats.files import MEBIBYTE
from ink.ink_page import InkPage, PageImage, PageStroke, TypedText, image_kind
from ink.sample import Fault

MAX_NOTE_BYTES = 64 * MEBIBYTE
"""Limit on the bytes of a file that is read whole (assumed)."""
MAX_PAGES = 2_000
"""Limit on the pages of a file, of which a page may be repeated (assumed)."""
MAX_PAGE_STROKES = 10_000
"""Limit on the strokes of a page (assumed: six times a dense page)."""
MAX_NOTE_POINTS = 1_000_000
"""Limit on the positions of a page with its ruling (assumed: as many as on twenty dense pages)."""
MAX_RULING = 10_000
"""Limit on the lines of a page's ruling (assumed: twice as many as the narrowest one has)."""
MAX_IMAGES = 1_000
"""Limit on the images of a page (assumed)."""
MAX_IMAGE_PIXELS = 200_000_000
"""Limit on the pixels of the images of a page, each image once (assumed: ten photographs)."""
IMAGE_FORMATS = ("JPEG", "PNG")
MAX_DASHES = 100
"""Limit on the lengths of a line's dashes (assumed)."""
MAX_LAYERS = 1_000
"""Limit on the layers of a page (assumed)."""
MAX_FAULT_KINDS = 50
"""Limit on the kinds of items of a file that are left out (assumed: a screen)."""
OTHER_KINDS = "item of another kind"
NO_TEXT = re.compile("[^\t\n\r -~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Control characters, which could change a terminal, and halves of surrogate pairs."""
MAX_TYPED = 50_000
"""Limit on the typed characters of a page; a text counts one more (assumed: twenty pages)."""


def checked(pages: Iterable[InkPage]) -> Iterator[InkPage]:
    """Yield the pages of a file.

    Raises:
        Fault: if a page has invalid sizes or positions, or more than the limits above allow; or, at
            the end, if no page has content.
    """
    left_out = Counter[str]()
    is_empty = True
    for number, page in enumerate(pages, 1):
        _check_limit(number, MAX_PAGES, "pages")
        _check_limit(len(page.strokes), MAX_PAGE_STROKES, "strokes on a page")
        _check_limit(len(page.layers), MAX_LAYERS, "layers of a page")
        _check_limit(len(page.ruling), MAX_RULING, "lines of a ruling")
        _check_limit(len(page.images), MAX_IMAGES, "images on a page")
        _check_limit(_num_pixels(page), MAX_IMAGE_PIXELS, "pixels in the images of a page")
        drawn = (*page.strokes, *page.ruling)
        num_points = sum(len(stroke.points) for stroke in drawn)
        _check_limit(num_points, MAX_NOTE_POINTS, "points on a page")
        _check_limit(sum(1 + len(t.text) for t in page.typed), MAX_TYPED, "typed characters")
        _check_content(page)
        is_empty = is_empty and not page.strokes and not page.typed
        left_out = few_kinds(left_out, page.left_out)
        yield _in_unicode(page)
    if is_empty:
        names = ", ".join(f"{count:,} {name}" for name, count in left_out.items())
        raise Fault("no strokes", names)


def _in_unicode(page: InkPage) -> InkPage:
    """Return a page whose texts have no characters of `NO_TEXT`, which JSON may have."""

    def cleaned(text: str) -> str:
        return NO_TEXT.sub("?", text)

    return replace(
        page,
        typed=tuple(replace(typed, text=cleaned(typed.text)) for typed in page.typed),
        layers=tuple(map(cleaned, page.layers)),
        left_out=few_kinds(*({cleaned(kind): n} for kind, n in page.left_out.items())),
    )


def few_kinds(*counts: Mapping[str, int]) -> Counter[str]:
    """Return the sums of counts by kind; kinds after the first `MAX_FAULT_KINDS` are counted
    together."""
    total = Counter[str]()
    for kind, count in chain.from_iterable(each.items() for each in counts):
        is_listed = kind in total or len(total) < MAX_FAULT_KINDS
        total[kind if is_listed else OTHER_KINDS] += count
    return total


def _check_limit(count: int, limit: int, unit: str) -> None:
    if count > limit:
        raise Fault(f"more than {limit:,} {unit}; divide the file", f"{count:,}")


def _num_pixels(page: InkPage) -> int:
    """Return the number of pixels of a page's images, each image once."""
    contents = {image.content for image in page.images}
    if not contents:
        return 0
    from PIL import Image  # slow to import

    sizes = (Image.open(BytesIO(content), formats=IMAGE_FORMATS).size for content in contents)
    return sum(width * height for width, height in sizes)


def _check_content(page: InkPage) -> None:
    """Raise a Fault if a page has invalid sizes, positions or widths of pens."""
    texts = [(text.x, text.y, text.size) for text in page.typed]
    boxes = [image.box for image in page.images]
    drawn = [stroke.points for stroke in (*page.strokes, *page.ruling)]
    for values in (*drawn, np.array(texts), np.array(boxes)):
        if not np.all(np.abs(values) <= MAX_JUMP):  # a NaN is refused, too
            raise Fault(f"a position that is not a number, or beyond {MAX_JUMP:.6g}")
    items: Iterable[PageImage | PageStroke | TypedText]
    items = chain(page.images, page.strokes, page.typed)
    if not all(0 <= item.layer < len(page.layers) for item in items):
        raise Fault("a layer whose number is too small or too large")
    for stroke in (*page.strokes, *page.ruling):
        _check_limit(len(stroke.dash), MAX_DASHES, "lengths of dashes")
        widths = () if stroke.widths is None else stroke.widths
        widths = np.hstack([stroke.width or 0.0, widths, stroke.dash])
        if not ((widths >= 0) & (widths <= MAX_JUMP)).all():
            raise Fault(f"a pen whose width is not a number from 0 to {MAX_JUMP:.6g}")
        if not (0 <= stroke.opacity <= 1 and 0 <= stroke.fill_opacity <= 1):
            raise Fault("an opacity that is not a number from 0 to 1")
        if stroke.pressures is not None and not np.isfinite(stroke.pressures).all():
            raise Fault("a pressure that is not a number")
    if not all(1 / MAX_JUMP <= size <= MAX_JUMP for size in (page.width, page.height)):
        raise Fault("a page without a width and a height")
    unit = 1.0 if page.unit is None else page.unit
    lengths = unit, unit * page.width, unit * page.height
    if not all(1 / MAX_JUMP <= length <= MAX_JUMP for length in lengths):
        raise Fault("a page whose unit of length is not a number, or too small or too large")


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
        Image.open(BytesIO(content), formats=IMAGE_FORMATS).verify()
        if image_kind(content):
            yield PageImage(content, tuple(box), layer)
            return
    left_out["image"] += 1
