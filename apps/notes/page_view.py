"""Draws a page and its text as JSON values, from which a browser makes SVG."""

from collections.abc import Sequence
from dataclasses import asdict
from operator import itemgetter
from typing import Any

import numpy as np

from apps.notes.corrections import Corrections, Ink, longest, word_inks
from apps.notes.page_text import Box, PageText
from ink.alphabet import with_few_marks
from ink.formats.pdf.paths import UNITS_PER_MM, stroke_paths
from ink.formats.svg.drawing import joined_paths
from ink.ink_page import InkPage

THUMBNAIL_WIDTH = 300  # units of a thumbnail (assumed: more than its pixels)
THUMBNAIL_PEN = 1.2  # width of its lines (assumed)
THUMBNAIL_HIGHLIGHTER = 6 * THUMBNAIL_PEN  # width of its highlighters (assumed)
CLIP_MARGIN = 0.6
"""Margin above and below a clipping, as a fraction of its height (assumed: the feet of the row
above)."""
CLIP_ASPECT = 4
"""Ratio of the margins beside a clipping to those above and below (assumed)."""


def page_values(
    page: InkPage, text: PageText, corrections: Corrections, clip: Box | None = None
) -> dict[str, Any]:
    """Return a page and its text; with `clip`, a box on the page, only the ink in it and near it.

    Lengths are in units of which a millimetre has `UNITS_PER_MM`. `ink` identifies the ink of a
    word for a correction; a typed word has none.
    """
    scale = UNITS_PER_MM * page.millimetres
    # The ruling and highlighters lie below other ink.
    strokes = [*page.ruling, *sorted(page.strokes, key=lambda s: s.tool != "highlighter")]
    if clip:
        left, top, right, bottom = clip
        margin = CLIP_MARGIN * (bottom - top)
        side_margin = CLIP_ASPECT * margin
        near = left - side_margin, top - margin, right + side_margin, bottom + margin
        strokes = [stroke for stroke in strokes if _touches(stroke.points, near)]
    drawn = (path for stroke in strokes for path in stroke_paths(stroke, scale))
    rows = []
    for row in text.rows:
        inks = word_inks(page, row) if row.strokes else [Ink({}, {})] * len(row.words)
        words = zip(row.words, inks, corrections.of_row(page, row), strict=True)
        values = [
            {
                "text": word.text,
                "box": _scaled(word.box, scale),
                "confidence": word.confidence,
                "isSure": word.is_sure,
                "others": word.alternatives,
                "read": None if correction is None else correction.read,
                "ink": longest(ink.strokes),
            }
            for word, ink, correction in words
        ]
        rows.append({"words": values, "mark": row.mark, "turn": row.turn})
    return {
        "size": [round(scale * page.width), round(scale * page.height)],
        "paper": page.paper,
        "paths": [look._asdict() | {"data": data} for look, data in joined_paths(drawn)],
        "rows": rows,
        "unread": [_scaled(box, scale) for box in text.missed_boxes],
        "clip": _scaled(clip, scale) if clip else None,
        "background": page.background.name if page.background else None,
    } | _placed(page, scale)


def thumbnail_values(page: InkPage) -> dict[str, Any]:
    """Return a page in few bytes, without its text; see `page_values` for the values."""
    scale = THUMBNAIL_WIDTH / max(page.width, 1e-9)
    lines: dict[tuple[str, str], list[str]] = {}
    for stroke in page.strokes:
        points = np.round(scale * stroke.points).astype(int)
        has_moved = np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))
        (x, y), *others = points[has_moved].tolist()
        line = "".join(f"L{x} {y}" for x, y in others) or "h0"  # A line of no length is a dot.
        look = stroke.colour, "Multiply" if stroke.tool == "highlighter" else "Normal"
        lines.setdefault(look, []).append(f"M{x} {y}{line}")
    paths = []
    # "Multiply" comes before "Normal": highlighters lie below other ink.
    for look in sorted(lines, key=itemgetter(1)):
        colour, blend = look
        data = "".join(lines[look])
        path = {"data": data, "colour": colour, "blend": blend, "opacity": 1.0, "dash": ()}
        path["width"] = THUMBNAIL_PEN if blend == "Normal" else THUMBNAIL_HIGHLIGHTER
        paths.append(path)
    size = [THUMBNAIL_WIDTH, round(scale * page.height)]
    return {"size": size, "paper": page.paper, "paths": paths} | _placed(page, scale)


def _placed(page: InkPage, scale: float) -> dict[str, Any]:
    """Return the typed texts and the images of a page."""
    typed = []
    for text in page.typed:
        values = asdict(text) | {"text": with_few_marks(text.text)}
        typed.append(values | {name: scale * values[name] for name in ("x", "y", "size")})
    images = [(_scaled(image.box, scale), image.data_url) for image in page.images]
    return {"typed": typed, "images": images}


def _touches(points: np.ndarray, box: Box) -> bool:
    low = points.min(axis=0)
    high = points.max(axis=0)
    return bool((low <= box[2:]).all() and (high >= box[:2]).all())


def _scaled(box: Sequence[float], scale: float) -> list[int]:
    return [round(scale * edge) for edge in box]
