"""Draws a page and its text as JSON values, from which a browser makes SVG."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from apps.notes.corrections import Corrections, longest, word_inks
from apps.notes.page_text import Box, PageText
from ink.alphabet import with_few_marks
from ink.formats.pdf.paths import UNITS, stroke_paths
from ink.formats.svg.drawing import joined_paths
from ink.ink_page import InkPage

CLIP_MARGIN = 0.6
"""Margin of a clipping, as a fraction of its height (assumed: the feet of the row above)."""


def page_values(
    page: InkPage, text: PageText, corrections: Corrections, clip: Box | None = None
) -> dict[str, Any]:
    """Return a page and its text; with `clip`, a box on the page, only the ink in it and near it.

    Lengths are in units of which a millimetre has `UNITS`. `ink` identifies the ink of a word for a
    correction; a typed word has none.
    """
    scale = UNITS * page.millimetres
    strokes = [*page.ruling, *sorted(page.strokes, key=lambda s: s.tool != "highlighter")]
    if clip:
        margin = CLIP_MARGIN * (clip[3] - clip[1])
        near = clip[0] - 4 * margin, clip[1] - margin, clip[2] + 4 * margin, clip[3] + margin
        strokes = [stroke for stroke in strokes if _touches(stroke.points, near)]
    drawn = (path for stroke in strokes for path in stroke_paths(stroke, scale))
    rows = []
    for row in text.rows:
        inks = word_inks(page, row) if row.strokes else [{}] * len(row.words)
        words = zip(row.words, inks, corrections.of_row(page, row), strict=True)
        values = [
            {
                "text": word.text,
                "box": _scaled(word.box, scale),
                "confidence": word.confidence,
                "isSure": word.is_sure,
                "others": word.alternatives,
                "read": None if correction is None else correction.read,
                "ink": longest(ink),
            }
            for word, ink, correction in words
        ]
        rows.append({"words": values, "mark": row.mark, "turn": row.turn})
    typed = [asdict(t) | {"x": scale * t.x, "y": scale * t.y, "size": scale * t.size}
             | {"text": with_few_marks(t.text)} for t in page.typed]  # fmt: skip
    images = [(_scaled(image.box, scale), image.data_url) for image in page.images]
    return {
        "size": [round(scale * page.width), round(scale * page.height)],
        "paper": page.paper,
        "paths": [look._asdict() | {"data": data} for look, data in joined_paths(drawn)],
        "typed": typed,
        "images": images,
        "rows": rows,
        "unread": [_scaled(box, scale) for box in text.left_places],
        "clip": clip and _scaled(clip, scale),
        "background": page.background and page.background.name,
    }


def _touches(points: np.ndarray, box: Box) -> bool:
    left, top, right, bottom = (*points.min(axis=0), *points.max(axis=0))
    return left <= box[2] and right >= box[0] and top <= box[3] and bottom >= box[1]


def _scaled(box: Sequence[float], scale: float) -> list[int]:
    return [round(scale * edge) for edge in box]
