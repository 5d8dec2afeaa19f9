"""A page that is written and what it says, without a network."""

import numpy as np

from apps.notes.page_text import Note, PageRow, PageText, PageWord
from ink.ink_page import InkPage, PageStroke, TypedText


def written_page(shift=0.0, **others):
    """A page with two words, a highlighter over the first and a typed heading."""
    wave = np.column_stack([np.linspace(0, 40, 30), 8 * np.sin(np.arange(30))])
    strokes = (
        PageStroke(wave + np.array([50 + shift, 100.0]), colour="#aa0000", width=1.5),
        PageStroke((1, 0.9) * wave + np.array([120 + shift, 100.0]), width=2.0),
        PageStroke(np.array([[50.0, 100], [90, 100]]), "highlighter", "#ffff00", 16.0),
    )
    typed = (TypedText("Łódź 7", 50, 20, 12),)
    return InkPage(595.28, 841.89, strokes, 1.0, typed, **others)


def text_of(page, words=("Kennedy", "said"), confidences=(0.5, 0.99)):
    """What the page says, as `read_page` would return it."""
    boxes = [
        (*stroke.points.min(axis=0).tolist(), *stroke.points.max(axis=0).tolist())
        for stroke in page.strokes[:2]
    ]
    alternatives = (("Renuedy",), ())
    read = tuple(map(PageWord, words, boxes, confidences, alternatives, ((), ()), ((0,), (1,))))
    typed = PageWord("Łódź", (50, 20, 74, 32)), PageWord("7", (80, 20, 86, 32))
    return PageText((PageRow(typed), PageRow(read, (0, 1), "ab12")), {"highlighter": 1})


def note(**others):
    page = written_page(**others)
    return Note("diary", [(page, text_of(page))])
