"""Reads the text of a page of ink."""

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np

from model.reader import Reader
from model.recognition.decoding import GREEDY, Search
from model.recognition.ink_words import InkWord
from notes.confidence import confidences
from notes.ink_page import InkPage, TypedText
from notes.page_text import PageRow, PageText, PageWord
from notes.rows import find_rows
from notes.searching import kept_frames
from utils.ink import from_strokes
from utils.page.ink_page import LINE_PITCH

TYPED_WIDTH = 0.5
"""Width of a typed character as a fraction of the font size (assumed)."""


def read_page(page: InkPage, reader: Reader, search: Search = GREEDY) -> PageText:
    """Return the text of a page's ink and typed texts; all rows are read in one batch.

    Raises:
        UserError: see `Reader.read_words`.
    """
    pen_numbers = [number for number, stroke in enumerate(page.strokes) if stroke.tool == "pen"]
    found_rows, kinds = find_rows([page.strokes[number].points for number in pen_numbers])
    left_out = Counter(kinds.values())
    left_out += Counter(stroke.tool for stroke in page.strokes if stroke.tool != "pen")
    row_numbers = [tuple(pen_numbers[index] for index in row) for row in found_rows]
    row_strokes = [[page.strokes[number].points for number in row] for row in row_numbers]
    inks = [from_strokes(strokes) for strokes in row_strokes]
    characters, rows = reader.model.alphabet.characters, []
    read = reader.read_words(inks, search)
    sureness = iter(confidences([(word.text, word.probability) for row in read for word in row]))
    for index, words in enumerate(read):
        if words:
            positions = np.concatenate(row_strokes[index])
            digest = hashlib.sha256(inks[index].tobytes()).hexdigest()[:24]
            words = tuple(_page_word(positions, characters, w, next(sureness)) for w in words)
            rows.append(PageRow(words, row_numbers[index], digest))
        else:
            left_out["unread row"] += 1
    return PageText(tuple(_with_typed(rows, page.typed)), dict(left_out))


def _page_word(
    positions: np.ndarray, characters: Sequence[str], word: InkWord, confidence: float
) -> PageWord:
    """Return a word that was read in a row as a word of the page.

    Args:
        positions: positions of the row's points on the page, `(points, 2)`.
        characters: the network's alphabet.
        word: the word, with the range of its points in the row.
        confidence: the probability that it was read right.
    """
    points = positions[word.points]
    box = (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
    frames = kept_frames(word.log_probs, characters)
    return PageWord(word.text, box, confidence, word.alternatives, frames)


def _with_typed(rows: list[PageRow], typed: Sequence[TypedText]) -> list[PageRow]:
    """Insert each line of typed texts as a row before the first row below; return all rows."""
    lowest = [*accumulate(map(_middle, rows), max)]  # of the middles of each row and those before
    for text in typed:
        for line_number, line in enumerate(text.text.splitlines()):
            if line.strip():
                typed_row = PageRow((*_typed_words(text, line_number, line),))
                place = bisect_right(lowest, _middle(typed_row))
                rows.insert(place, typed_row)
                lowest.insert(place, _middle(typed_row))
    return rows


def _middle(row: PageRow) -> float:
    return (row.box[1] + row.box[3]) / 2


def _typed_words(text: TypedText, line_number: int, line: str) -> Iterator[PageWord]:
    """Yield the words of a line of a typed text."""
    top, column = text.y + LINE_PITCH * line_number * text.size, 0
    for word in line.split():
        column = line.index(word, column)
        left = text.x + TYPED_WIDTH * text.size * column
        column += len(word)
        right = text.x + TYPED_WIDTH * text.size * column
        yield PageWord(word, (left, top, right, top + text.size))
