"""Puts typed text in the place of the ink of words, at its height and in its colour."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from notes.ink_page import InkPage, TypedText
from notes.page_text import PageText, PageWord
from notes.word_shapes import RowShape, row_shapes
from utils.hand_measures import usual_letters
from utils.ink import turned_back

# In font sizes:
FONT_X_HEIGHT = 0.54  # x-height of sans-serif letters (DejaVu Sans: 0.547, Arial: 0.519)
ASCENT = 0.9  # from the top of a typed text to its baseline (as in PDFs)
LETTER_WIDTH = 0.6  # width of a usual letter (DejaVu Sans)
BLANK_WIDTH = 0.32  # (DejaVu Sans)
MIN_GAP = 0.25  # to the next word (assumed)
INK_LAYER = "ink"
"""Name of the layer of the ink that typed words replace."""


def typed(
    page: InkPage, text: PageText, *, keep_ink: bool = False, has_doubts: bool = True
) -> tuple[InkPage, PageText]:
    """Return a page with typed words in place of their ink, and its text, whose rows are typed.

    Ink of rows that lie at quarter turns stays, and ink that was corrected to be no word.

    Args:
        page: a page.
        text: the text of the page.
        keep_ink: whether the ink stays, in a layer of its own below all others.
        has_doubts: whether `(?)` stands behind each word that is unsure.
    """
    words, rows, replaced = list(page.typed), list(text.rows), set[int]()
    for number, shape in enumerate(row_shapes(page, text.rows)):
        new: list[PageWord] = []
        for index, content, size in _fitted(page, shape, has_doubts):
            words.append(place := _typed(page, shape, index, content, size))
            right = place.x + size * _width(content)
            sureness = min(shape.row.words[k].confidence for k in shape.words[index])
            box = place.x, place.y, right, place.y + size
            new.append(PageWord(shape.texts[index], box, sureness))
            replaced.update(shape.numbers[index])
        if new:
            rows[number] = replace(shape.row, words=tuple(new), strokes=(), ink="")
    strokes = [stroke for n, stroke in enumerate(page.strokes) if n not in replaced]
    new_page = replace(page, strokes=tuple(strokes), typed=tuple(words))
    if keep_ink:
        new_page = _above(new_page, [page.strokes[number] for number in sorted(replaced)])
    return new_page, replace(text, rows=tuple(rows))


def _above(page: InkPage, ink: list) -> InkPage:
    """Return a page with a layer of ink below all others."""

    def raised(items: tuple) -> tuple:
        return tuple(replace(item, layer=item.layer + 1) for item in items)

    strokes = (*(replace(stroke, layer=0) for stroke in ink), *raised(page.strokes))
    typed, images = raised(page.typed), raised(page.images)
    layers = (INK_LAYER, *page.layers)
    return replace(page, strokes=strokes, typed=typed, images=images, layers=layers)


def _fitted(page: InkPage, shape: RowShape, has_doubts: bool) -> Iterator[tuple[int, str, float]]:
    """Yield the index of each unit of a row that is typed, what it says, and its font size."""
    if not shape.words or shape.row.turn:
        return
    lefts = np.array([min(part[:, 0].min() for part in parts) for parts in shape.strokes])
    rooms = np.append(lefts[1:], page.width) - lefts
    rooms = np.where(rooms > 0, rooms, np.inf)  # the words overlap
    usual, contents, sizes = shape.x_height / FONT_X_HEIGHT, [], []
    for unit, room in zip(shape.words, rooms, strict=True):
        read = [shape.row.words[index] for index in unit]
        contents.append(" ".join(w.marked if has_doubts else w.text for w in read if w.text))
        sizes.append(room / (_width(contents[-1]) + MIN_GAP))
    size = min(usual, float(np.median(sizes)))  # of most words; those without room are smaller
    for index, (content, fitting) in enumerate(zip(contents, sizes, strict=True)):
        if content:
            yield index, content, min(size, fitting)


def _width(content: str) -> float:
    """Return the width of a typed text in font sizes."""
    return LETTER_WIDTH * usual_letters(content) + BLANK_WIDTH * content.count(" ")


def _typed(page: InkPage, shape: RowShape, index: int, content: str, size: float) -> TypedText:
    """Return a unit as typed text on the baseline of its row."""
    lines = [shape.line(number, shape.x_height)[0] for number in range(len(shape.words))]
    left, baseline = min(part[:, 0].min() for part in shape.strokes[index]), np.median(lines)
    x, y = turned_back(np.array([[left, baseline]]), -shape.angle)[0].tolist()
    stroke = page.strokes[shape.numbers[index][0]]
    return TypedText(content, x, y - ASCENT * size, size, stroke.colour, stroke.layer)
