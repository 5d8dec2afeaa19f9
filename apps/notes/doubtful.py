"""Sorts unsure words by the number of errors that a person's answer is expected to correct."""

from array import array
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from apps.notes.page_text import MIN_SURE_CONFIDENCE, normalised_word

WordAddress: TypeAlias = tuple[int, int, int]
"""Numbers of page, row and word in a note, from 1."""


class UnsureWord(NamedTuple):
    """An unsure word of a note: the note's name, the word's address, and what was read."""

    name: str
    address: WordAddress
    text: str
    confidence: float


class Kind(NamedTuple):
    """Unsure words that were read as the same word: their text, rows and numbers from 1 in their
    rows, confidences and texts, in the order of the notes."""

    text: str
    rows: list[int]
    numbers: list[int]
    confidences: list[float]
    texts: list[str]


class UnsureWords:
    """The unsure words of the rows of an index, in few bytes."""

    def __init__(self) -> None:
        self.last_row = 0
        self._kinds: dict[str, int] = {}  # normalised texts, by their numbers
        self._texts: dict[str, int] = {}
        self._words = array("q")  # row, number in it, kind and text of each word
        self._confidences = array("f")

    def add(self, row: int, words: Sequence[tuple[str, float]]) -> None:
        """Add the unsure words of a row that has these words."""
        self.last_row = row
        for number, (text, confidence) in enumerate(words, 1):
            if text and confidence < MIN_SURE_CONFIDENCE:
                kind = self._kinds.setdefault(normalised_word(text), len(self._kinds))
                spelling = self._texts.setdefault(text, len(self._texts))
                self._words.extend((row, number, kind, spelling))
                self._confidences.append(confidence)

    @property
    def texts(self) -> list[str]:
        """The normalised texts of all kinds."""
        return [*self._kinds]

    def kinds(self, ranks: np.ndarray, absent: int, wanted: Collection[str] = ()) -> Iterator[Kind]:
        """Yield the kinds by the number of words that are expected to be wrong, the most first.

        Args:
            ranks: the rank of each row's place, by the row's number.
            absent: the rank of rows that are left out.
            wanted: texts of the only kinds that are yielded; empty for all.
        """
        words = np.frombuffer(self._words, np.int64).reshape(-1, 4)
        confidences = np.frombuffer(self._confidences, np.float32)
        chosen = ranks[words[:, 0]] != absent
        if wanted:
            chosen &= np.isin(words[:, 2], [self._kinds.get(text, -1) for text in wanted])
        words = words[chosen]
        confidences = confidences[chosen]
        num_wrong = np.bincount(words[:, 2], 1 - confidences, len(self._kinds))  # as expected
        row_of, number_of, kind_of, _ = words.T
        # By kind, then by place: lexsort begins with the last key.
        order = np.lexsort((number_of, row_of, ranks[row_of], kind_of))
        words = words[order]
        confidences = confidences[order]
        starts = np.searchsorted(words[:, 2], np.arange(len(num_wrong) + 1))
        names = [*self._kinds]
        texts = [*self._texts]
        for kind in np.argsort(-num_wrong, kind="stable").tolist():
            part = slice(starts[kind], starts[kind + 1])
            rows, numbers, _, read = words[part].T.tolist()
            if rows:
                sure = confidences[part].tolist()
                yield Kind(names[kind], rows, numbers, sure, [texts[n] for n in read])
