"""Reads pages of ink."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from model.reader import Reader
from model.recognition.decoding import GREEDY, Search
from model.recognition.ink_words import InkWord
from notes.confidence import confidence
from notes.ink_page import InkPage, TypedText
from notes.page_text import PageRow, PageText, PageWord
from notes.rows import find_rows
from notes.searching import kept_frames
from utils.ink import from_strokes

TYPED_WIDTH = 0.5
"""Width of a typed character as a fraction of the font's size (assumed)."""


def read_page(page: InkPage, reader: Reader, search: Search = GREEDY) -> PageText:
    """Return the text of a page's ink and typed texts; all rows are read in one batch.

    Raises:
        UserError: see `Reader.read_words`.
    """
    pens = [number for number, stroke in enumerate(page.strokes) if stroke.tool == "pen"]
    rows, kinds = find_rows([page.strokes[number].points for number in pens])
    left_out = Counter(kinds.values())
    left_out += Counter(stroke.tool for stroke in page.strokes if stroke.tool != "pen")
    numbers = [tuple(pens[stroke] for stroke in row) for row in rows]
    strokes = [[page.strokes[number].points for number in row] for row in numbers]
    inks = [from_strokes(row) for row in strokes]
    characters, read = reader.model.alphabet.characters, []
    for number, words in enumerate(reader.read_words(inks, search)):
        if words:
            places = np.concatenate(strokes[number])
            digest = hashlib.sha256(inks[number].tobytes()).hexdigest()[:24]
            words = tuple(_page_word(places, characters, word) for word in words)
            read.append(PageRow(words, numbers[number], digest))
        else:
            left_out["unread row"] += 1
    return PageText(tuple(_with_typed(read, page.typed)), dict(left_out))


def _page_word(places: np.ndarray, characters: Sequence[str], word: InkWord) -> PageWord:
    """Return a word of a row.

    Args:
        places: positions of the row's points, `(points, 2)`.
        characters: the network's alphabet.
        word: the word, with the range of its points in the row.
    """
    points = places[word.points]
    box = (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
    sure = confidence(word.text, word.probability)
    frames = kept_frames(word.log_probs, characters)
    return PageWord(word.text, box, sure, word.alternatives, frames)


def _with_typed(rows: list[PageRow], typed: Sequence[TypedText]) -> list[PageRow]:
    """Return rows with typed rows added, each before the first row below it."""
    for text in typed:
        for number, line in enumerate(text.text.splitlines()):
            if line.strip():
                row = PageRow((*_typed_words(text, number, line),))
                middle = (row.box[1] + row.box[3]) / 2
                below = (n for n, r in enumerate(rows) if (r.box[1] + r.box[3]) / 2 > middle)
                rows.insert(next(below, len(rows)), row)
    return rows


def _typed_words(text: TypedText, number: int, line: str) -> Iterator[PageWord]:
    """Yield the words of a line of a typed text."""
    top, start = text.y + number * text.size, 0
    for word in line.split():
        start = line.index(word, start)
        left = text.x + TYPED_WIDTH * text.size * start
        start += len(word)
        right = text.x + TYPED_WIDTH * text.size * start
        yield PageWord(word, (left, top, right, top + text.size))
