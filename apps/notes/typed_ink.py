"""Replaces the ink of rows by typed text: a row has one size and one baseline."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest

import numpy as np

from apps.notes.neat import MAX_SIZE_RATIO, mark_moves
from apps.notes.page_text import HEADING_MARK, PageText, PageWord
from apps.notes.word_shapes import RowShape, row_shapes
from ink.geometry import turned_back
from ink.ink_page import InkPage, TypedText

FONT_SIZE = 1.25 / 0.547
"""Font size in x-heights of the ink; letters become a quarter larger than this takes (0.547 is the
x-height of the font), as ascenders of hands are longer (assumed, by eye)."""
# In font sizes:
ASCENT = 0.9  # from the top of a typed text to its baseline (as in PDFs)
MAX_TEXT_GAP = 2.5  # between words; behind a wider gap a word begins at its ink (assumed)
FITTING_ROWS = 0.8  # fraction of the rows that have room at the usual size (assumed)
DOUBT_COLOURS = ("#d9590b", "#0b6fd9")
"""Colours of unsure words: the first, unless the second differs more from the ink's."""
MIN_COLOUR_DISTANCE = 200
"""Sum of the differences of red, green and blue, of 255 each, from which on two colours are told
apart (assumed)."""
INK_LAYER = "ink"
"""Name of the layer of the ink that typed rows replace."""


def typed(
    page: InkPage, text: PageText, *, keep_ink: bool = False, has_doubts: bool = True
) -> tuple[InkPage, PageText]:
    """Return a page with typed rows in place of their ink, and its text, whose rows are typed.

    Ink of rows that lie at quarter turns stays, and ink that was corrected to be no word. Lines
    below words and highlighters move with the words.

    Args:
        page: a page.
        text: the text of the page.
        keep_ink: whether the ink stays, in a separate layer below all others.
        has_doubts: whether unsure words have another colour.
    """
    rows = list(text.rows)
    texts = list(page.typed)
    replaced = set[int]()
    lines = _lines(page, text)
    for number, line in lines.items():
        rows[number] = replace(line.shape.row, words=tuple(line.placed), strokes=(), ink="")
        texts += line.typed(page, has_doubts=has_doubts)
        replaced.update(*(word.strokes for word in line.words))
    strokes = list(page.strokes)
    for number, move in mark_moves(page, text, [*lines.values()]):
        strokes[number] = replace(strokes[number], points=strokes[number].points + move)
    remaining = (stroke for number, stroke in enumerate(strokes) if number not in replaced)
    new_page = replace(page, strokes=tuple(remaining), typed=tuple(texts))
    if keep_ink:
        new_page = _above(new_page, [page.strokes[number] for number in sorted(replaced)])
    return new_page, replace(text, rows=tuple(rows))


def _above(page: InkPage, ink: list) -> InkPage:
    """Return a page with a layer of ink below all others."""

    def raised(items: tuple) -> tuple:
        return tuple(replace(item, layer=item.layer + 1) for item in items)

    strokes = (*(replace(stroke, layer=0) for stroke in ink), *raised(page.strokes))
    typed = raised(page.typed)
    images = raised(page.images)
    layers = (INK_LAYER, *page.layers)
    return replace(page, strokes=strokes, typed=typed, images=images, layers=layers)


@dataclass(frozen=True, eq=False)
class _Line:
    """A row that is typed.

    Attributes:
        shape: the row of ink.
        words: the words that are typed.
        size: font size.
        limit: x of the next row to the right, or of the page's edge.
    """

    shape: RowShape
    words: Sequence[PageWord]
    size: float
    limit: float

    @property
    def level(self) -> float:
        """The y of the baseline after the row is rotated to horizontal."""
        shape = self.shape
        baselines = []
        for index in range(len(shape.words)):
            y, _ = shape.baseline_at(index, shape.x_height)
            baselines.append(y)
        return float(np.median(baselines))

    @property
    def baseline(self) -> float:
        """The y of the typed baseline on the page, at the x of the row's middle."""
        middle = (self.shape.middles.min() + self.shape.middles.max()) / 2
        return float(turned_back(np.array([[middle, self.level]]), -self.shape.angle)[0, 1])

    @property
    def parts(self) -> list[list[PageWord]]:
        """The words, divided at wide gaps; each part begins at its ink."""
        parts = [[self.words[0]]]
        for before, word in pairwise(self.words):
            if word.box[0] - before.box[2] > MAX_TEXT_GAP * self.shape.x_height * FONT_SIZE:
                parts.append([])
            parts[-1].append(word)
        return parts

    @property
    def fitting_size(self) -> float:
        """The largest font size at which each part has room."""
        from ink.drawing.fonts import advance

        sizes = []
        for part, following in zip_longest(self.parts, self.parts[1:]):
            end = following[0].box[0] if following else self.limit
            blank = advance(" ") if following else 0.0
            width = advance(" ".join(word.text for word in part))
            sizes.append((end - part[0].box[0]) / (width + blank))
        # A part that ends left of its start, as words were written to and fro, has no size.
        return min((size for size in sizes if size > 0), default=self.size)

    @property
    def placed(self) -> Iterator[PageWord]:
        """The words as they are typed, each with its new box."""
        from ink.drawing.fonts import advance

        for part in self.parts:
            left = part[0].box[0]
            top = self.baseline - ASCENT * self.size
            for word in part:
                right = left + self.size * advance(word.text)
                yield PageWord(word.text, (left, top, right, top + self.size), word.confidence)
                left = right + self.size * advance(" ")

    def typed(self, page: InkPage, *, has_doubts: bool) -> Iterator[TypedText]:
        """Yield the typed texts; successive words of the same colour and layer share a text."""
        from ink.drawing.fonts import MATPLOTLIB_FONT

        starts = {id(part[0]) for part in self.parts}
        last: TypedText | None = None
        for word, place in zip(self.words, self.placed, strict=True):
            stroke = page.strokes[word.strokes[0]]
            is_sure = word.is_sure or not has_doubts
            colour = stroke.colour if is_sure else _doubt_colour(stroke.colour)
            if last:
                is_like_last = (last.colour, last.layer) == (colour, stroke.layer)
                if is_like_last and id(word) not in starts:
                    last = replace(last, text=f"{last.text} {word.text}")
                    continue
                yield last
            left, top, *_ = place.box
            last = TypedText(word.text, left, top, self.size, colour, stroke.layer, MATPLOTLIB_FONT)
        if last:
            yield last

    def moves(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return places on the row and their moves, see `RowPlaces.moves`; the places are the edges
        of the words."""
        before = np.reshape([word.box for word in self.words], (-1, 2))
        after = np.reshape([word.box for word in self.placed], (-1, 2))
        level = turned_back(before, self.shape.angle)
        level[:, 1] = self.level
        moves = np.column_stack([after[:, 0], np.full(len(after), self.baseline)])
        moves -= turned_back(level, -self.shape.angle)
        order = level[:, 0].argsort(kind="stable")
        return *level[order].T, moves[order]


def _lines(page: InkPage, text: PageText) -> dict[int, _Line]:
    """Return the rows that are typed, by their numbers from 0.

    Rows of the usual size get one font size, at which most of them have room. Rows without room are
    smaller.
    """
    lines = {}
    lefts, tops, _, bottoms = np.array([row.box for row in text.rows]).reshape(-1, 4).T
    for number, shape in enumerate(row_shapes(page, text.rows)):
        words = [word for word in shape.row.words if word.text and word.strokes]
        if words and not shape.row.turn:
            _, top, right, bottom = shape.row.box
            is_beside = (lefts >= right) & (tops < bottom) & (bottoms > top)
            limit = float(lefts[is_beside].min(initial=max(page.width, right)))
            lines[number] = _Line(shape, words, FONT_SIZE * shape.x_height, limit)
    if not lines:
        return {}
    sizes = np.array([line.size for line in lines.values()])
    fitting = np.array([line.fitting_size for line in lines.values()])
    ratios = sizes / np.median(sizes)
    is_usual = (ratios < MAX_SIZE_RATIO) & (ratios > 1 / MAX_SIZE_RATIO)
    is_usual &= [line.shape.row.mark != HEADING_MARK for line in lines.values()]
    if is_usual.any():
        # At this size the fraction `FITTING_ROWS` of the rows has room.
        fitting_size = np.quantile(fitting[is_usual], 1 - FITTING_ROWS)
        sizes[is_usual] = min(np.median(sizes[is_usual]), fitting_size)
    sizes = np.minimum(sizes, fitting).tolist()
    sized = {}
    for (number, line), size in zip(lines.items(), sizes, strict=True):
        sized[number] = replace(line, size=size)
    return sized


def _doubt_colour(colour: str) -> str:
    """Return the colour of unsure words among words of a colour, see `DOUBT_COLOURS`."""

    def distance(other: str) -> int:
        pairs = zip(bytes.fromhex(colour[1:]), bytes.fromhex(other[1:]), strict=True)
        return sum(abs(a - b) for a, b in pairs)

    first, second = DOUBT_COLOURS
    return second if distance(first) < min(distance(second), MIN_COLOUR_DISTANCE) else first
