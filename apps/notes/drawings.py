"""Finds the drawings of a page, for pictures of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from apps.notes.page_text import Box, PageRow, PageText
from apps.notes.reading import UNREAD
from apps.notes.rows import DRAWING
from apps.notes.structure import LABEL
from ink.ink_page import InkPage

MAX_PICTURE_GAP = 4.0  # millimetres between strokes of a drawing (assumed)
DRAWING_MARGIN = 2.0  # millimetres around a drawing (assumed)
# millimetres of a drawing; what is smaller is a mark (assumed)
MIN_WIDTH = 8.0
MIN_HEIGHT = 5.0
MAX_LABEL_WORDS = 3  # of a label (assumed)
MAX_FRAME_STROKES = 4  # of a frame around prose, which is no drawing (assumed)
PICTURE_KINDS = ("shape", DRAWING, LABEL, UNREAD)
"""Kinds of the strokes of drawings; a picture also shows what may be text and was not read."""


@dataclass(frozen=True)
class Drawing:
    """A drawing: a title, its box with a margin, the numbers of its strokes, and the rows that
    label it."""

    title: str
    box: Box
    strokes: Sequence[int]
    labels: Sequence[PageRow]

    def on_page_alone(self, page: InkPage) -> InkPage:
        """Return a page with the drawing's strokes and labels alone."""
        numbers = {*self.strokes, *(number for row in self.labels for number in row.strokes)}
        strokes = tuple(page.strokes[number] for number in sorted(numbers))
        return replace(page, strokes=strokes, ruling=())


def drawings_of(page: InkPage, text: PageText) -> list[Drawing]:
    """Return the drawings of a page, from the top."""
    numbers = [n for n, kind in sorted(text.kinds.items()) if kind in PICTURE_KINDS]
    boxes = [
        np.array([page.strokes[n].points.min(axis=0), page.strokes[n].points.max(axis=0)])
        for n in numbers
    ]
    drawings = []
    unit = 1 / page.millimetres
    for group in _groups(boxes, MAX_PICTURE_GAP * unit):
        strokes = [numbers[index] for index in group]
        box = _union([boxes[index] for index in group])
        if (np.ptp(box, axis=0) < (MIN_WIDTH * unit, MIN_HEIGHT * unit)).any():
            continue
        points = np.concatenate([page.strokes[number].points for number in strokes])
        labels = [row for row in text.rows if _is_label(row, points)]
        # Few strokes around rows are a frame of these, such as a box around a sentence.
        is_frame = any(row not in labels and _is_in(row, box) for row in text.rows)
        if is_frame and len(strokes) <= MAX_FRAME_STROKES:
            continue
        size = np.array([page.width, page.height])
        low = np.maximum(box[0] - DRAWING_MARGIN * unit, 0)
        high = np.minimum(box[1] + DRAWING_MARGIN * unit, size)
        is_unread = all(text.kinds[number] == UNREAD for number in strokes)
        title = "Not read" if is_unread else "Drawing"
        drawings.append(Drawing(title, (*low.tolist(), *high.tolist()), strokes, labels))
    return sorted(drawings, key=lambda drawing: drawing.box[1])


def _groups(boxes: Sequence[np.ndarray], gap: float) -> list[list[int]]:
    """Return the indices of boxes `(2, 2)` in groups, between which there is a gap."""
    groups: list[tuple[np.ndarray, list[int]]] = []
    for index, box in enumerate(boxes):
        group = [index]
        is_growing = True
        while is_growing:  # A box that grew may be near further groups.
            near = []
            apart = []
            for other_box, others in groups:
                if _are_near(other_box, box, gap):
                    near.append((other_box, others))
                else:
                    apart.append((other_box, others))
            box = _union([box, *(other_box for other_box, _ in near)])
            group += [number for _, others in near for number in others]
            groups = apart
            is_growing = bool(near)
        groups.append((box, group))
    return [sorted(group) for _, group in groups]


def _are_near(first: np.ndarray, second: np.ndarray, gap: float) -> bool:
    return bool((np.maximum(first[0] - second[1], second[0] - first[1]) <= gap).all())


def _union(boxes: Sequence[np.ndarray]) -> np.ndarray:
    lows, highs = zip(*boxes, strict=True)
    return np.array([np.min(lows, axis=0), np.max(highs, axis=0)])


def _is_in(row: PageRow, box: np.ndarray) -> bool:
    middle = np.reshape(row.box, (2, 2)).mean(axis=0)
    return bool((box[0] < middle).all() and (middle < box[1]).all())


def _is_label(row: PageRow, points: np.ndarray) -> bool:
    """Return whether a row is short prose with ink of a drawing on each of its sides."""
    if row.mark or len(row.words) > MAX_LABEL_WORDS or not row.strokes:
        return False
    left, top, right, bottom = row.box
    x, y = points.T
    is_at_height = (top < y) & (y < bottom)
    is_at_width = (left < x) & (x < right)
    x_beside = x[is_at_height]
    y_over = y[is_at_width]
    has_left_and_right = (x_beside <= left).any() and (x_beside >= right).any()
    has_above_and_below = (y_over <= top).any() and (y_over >= bottom).any()
    return bool(has_left_and_right and has_above_and_below)
