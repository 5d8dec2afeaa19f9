"""Writes the sure words of pages of notes anew, in the hand of each page.

`notes` and `handwriting` do not know each other: here the one's rows show the other the hand, and
the other's words stand where the one's stood.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, chain

import numpy as np

from data_loader.sources.ink_files import match_device
from handwriting.hands import Hand
from handwriting.page_options import SECOND
from handwriting.primers import extras_of_lines
from handwriting.proofreading import CheckedWord, write_words
from handwriting.text_lines import MAX_LINE_CHARACTERS
from handwriting.written_word import WrittenWord
from model.generation.writing import wrapped
from model.loading import load_reader, load_writer
from model.writer import Writer, default_proofreader, sampling_of
from notes.ink_page import InkPage, PageStroke
from notes.neat import points_of
from notes.page_text import PageText, box_of
from notes.word_shapes import RowShape, row_shapes
from utils.ink import from_strokes, turned_back, x_height

MIN_CONFIDENCE = 0.98  # of a word that is written anew (measured, lab notebook: neater ink)
WIDTHS = (0.8, 1.25)  # bounds of the factor by which a new word gets the width of the old (assumed)
MIN_LETTERS = 8  # letters and digits of a row that shows a hand (assumed)


@dataclass(frozen=True)
class _Place:
    """A word that is written anew: its numbers on the page from 0, and its row and unit there."""

    row: int
    word: int
    shape: RowShape
    unit: int

    @property
    def text(self) -> str:
        return self.shape.row.words[self.word].text

    @property
    def old_strokes(self) -> list[int]:
        """Numbers of the strokes that the word has on the page."""
        return self.shape.numbers[self.unit]

    def strokes(self, word: WrittenWord, scale: float, like: PageStroke) -> list[PageStroke]:
        """Return the strokes of a word where the old one stood; `scale` is its unit in x-heights of
        the row."""
        x, height = np.concatenate(self.shape.strokes[self.unit])[:, 0], scale * self.shape.x_height
        baseline, _ = self.shape.line(self.unit, self.shape.x_height)
        stretch = height * np.clip(np.ptp(x) / max(height * word.width, 1e-9), *WIDTHS)
        corner = (x.min() + x.max() - stretch * word.width) / 2, baseline
        moved = (stroke * (stretch, height) + corner for stroke in word.strokes)
        points = (turned_back(stroke, -self.shape.angle) for stroke in moved)
        return [replace(like, points=stroke, widths=None) for stroke in points]


class FairCopies:
    """Writes words of pages anew; the networks are loaded for the first page."""

    def __init__(self, device: str) -> None:
        self._device = device

    @cached_property
    def _writer(self) -> Writer:
        return load_writer("writer", self._device)

    @cached_property
    def _readers(self) -> list:
        names = default_proofreader(self._writer), SECOND
        return [load_reader(name, self._device) for name in names]

    def rewritten(
        self, page: InkPage, text: PageText
    ) -> tuple[InkPage, PageText, list[tuple[int, int, str]]]:
        """Return a page whose sure words are written anew, its text, and the numbers of row and
        word and the text of each such word. A word that the readers doubt stays as it was."""
        shapes = row_shapes(page, text.rows)
        hand, scale = self._hand(shapes)
        places = [*self._places(shapes)] if hand else []
        lines = wrapped([place.text for place in places], MAX_LINE_CHARACTERS)
        written = chain(*write_words(hand, lines, range(len(lines)))) if places else ()
        new = {}
        for place, word in _accepted(places, written):
            like = page.strokes[place.old_strokes[0]]
            new[place] = place.strokes(word, scale, like)
        listed = [(place.row + 1, place.word + 1, place.text) for place in new]
        return *_replaced(page, text, new), listed

    def _places(self, shapes: Sequence[RowShape]) -> Iterator[_Place]:
        """Yield the places of words that are sure and can be written."""
        alphabet = self._writer.model.alphabet
        for number, shape in enumerate(shapes):
            for index, (first, *others) in enumerate(() if shape.row.turn else shape.words):
                word = shape.row.words[first]
                is_sure = word.confidence >= MIN_CONFIDENCE and any(map(str.isalnum, word.text))
                if is_sure and not others and not alphabet.unknown(word.text):
                    yield _Place(number, first, shape, index)

    def _hand(self, shapes: Sequence[RowShape]) -> tuple[Hand | None, float]:
        """Return the hand of rows, None if no row shows it, and the unit of its words in x-heights
        of a row."""

        def told(shape: RowShape) -> tuple[bool, int]:
            """Whether all words can be written and are sure, and the number of letters."""
            words = shape.row.words
            is_sure = all(word.confidence >= MIN_CONFIDENCE for word in words)
            return is_sure, sum(map(str.isalnum, shape.row.text))

        alphabet = self._writer.model.alphabet
        rows = [shape for shape in shapes if shape.words and told(shape)[1] >= MIN_LETTERS]
        writable = [shape for shape in rows if not alphabet.unknown(shape.row.text)]
        if not writable:
            return None, 1.0
        best = max(writable, key=told)
        inks = [from_strokes([*chain(*shape.strokes)]) for shape in (best, *rows)]
        sampling = replace(sampling_of(self._writer), extras=extras_of_lines(inks[1:]))
        primer = match_device(inks[0], self._writer.reference_lines(sampling)), best.row.text
        first, second = self._readers
        hand = Hand(self._writer, primer, first, sampling, second_reader=second)
        return hand, x_height(inks[0]) / best.x_height


def _accepted(
    places: Sequence[_Place], words: Iterable[CheckedWord]
) -> Iterator[tuple[_Place, WrittenWord]]:
    """Yield the places whose words the readers accept, with the written words. Words that a stroke
    joins are left out."""
    number = 0
    for word in words:
        count = len(word.text.split())
        if word.accepted and count == len(word.words) == 1:
            yield places[number], word.words[0]
        number += count


def _replaced(
    page: InkPage, text: PageText, new: Mapping[_Place, list[PageStroke]]
) -> tuple[InkPage, PageText]:
    """Return a page with new strokes in place of those of words, and its text."""
    parts: list[list[PageStroke]] = [[stroke] for stroke in page.strokes]
    for place, strokes in new.items():
        first, *others = sorted(place.old_strokes)
        parts[first] = strokes
        for number in others:
            parts[number] = []
    starts = [0, *accumulate(map(len, parts))]
    new_page = replace(page, strokes=tuple(chain(*parts)))

    def renumbered(numbers: Iterable[int]) -> tuple[int, ...]:
        return tuple(chain(*(range(*starts[number : number + 2]) for number in numbers)))

    rows = list(text.rows)
    for number, row in enumerate(rows):
        words = [replace(word, strokes=renumbered(word.strokes)) for word in row.words]
        for place in new:
            if place.row == number:
                word = words[place.word]
                words[place.word] = replace(word, box=box_of(points_of(new_page, word.strokes)))
        rows[number] = replace(row, words=tuple(words), strokes=renumbered(row.strokes))
    return new_page, replace(text, rows=tuple(rows))
