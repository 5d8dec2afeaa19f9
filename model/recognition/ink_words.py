"""The words of a line that was read, with the ink, probability and alternatives of each word.

Shapes: S frames, C characters of the alphabet.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ink.alphabet import Alphabet
from ink.delayed_strokes import undelayed_order
from ink.geometry import from_strokes, strokes, x_height
from model.recognition.beam import Search, ctc_beam
from model.recognition.ctc_paths import Framed, count_points, likeliest_path, rows_of_frames

ALTERNATIVES = Search(width=6)
"""The search for alternatives of a word (width assumed)."""
MAX_DOUBTED_PROBABILITY = 0.999
"""Probability below which alternatives of a word are searched for (assumed)."""
MIN_STROKE_FRACTION = 0.25
"""Words that each have more than this fraction of a stroke's points share the stroke (assumed)."""


@dataclass(frozen=True, eq=False)
class InkWord:
    """A word that was read.

    Attributes:
        text: the characters of the word.
        points: indices of the word's points in the line's ink, ascending, `(n,)` int64, n >= 1.
        probability: product of the highest probability of each character and each adjacent space.
        alternatives: other readings of the word's ink, the likeliest first.
        log_probs: log-probabilities at the frames from this word to the next, `(S, C + 1)`, CTC's
            blank last.
    """

    text: str
    points: np.ndarray
    probability: float
    alternatives: tuple[str, ...]
    log_probs: np.ndarray


class WordReader(Protocol):
    """A network that reads words: a `Reader`, or one of the engine."""

    @property
    def alphabet(self) -> Alphabet: ...

    def read_words(
        self, inks: Sequence[np.ndarray], search: Search
    ) -> Sequence[Sequence[InkWord]]: ...


def words_of(
    reader: Framed, ink: np.ndarray, text: str, log_probs: np.ndarray
) -> Iterator[InkWord]:
    """Yield the words of a line that was read as `text`; `log_probs` are `(S, C + 1)`."""
    codes = reader.alphabet.encode(text)
    path = likeliest_path(log_probs, codes)
    ink, indices = _undelayed(ink)
    counts = count_points(path, len(text), rows_of_frames(reader, ink, len(log_probs)), len(ink))
    spans = [match.span() for match in re.finditer(r"\S+", text)]
    word_of_character = np.full(len(text), -1)  # -1 for spaces
    for number, span in enumerate(spans):
        word_of_character[slice(*span)] = number
    aligned = np.repeat(word_of_character, counts)
    word_of_point = _whole_strokes(ink, aligned, len(spans))
    # The last word has the frames up to the end, whose blank is the state 2 `len(text)`.
    next_starts = [*(start for start, _ in spans[1:]), len(text) + 1]
    for number, (span, next_start) in enumerate(zip(spans, next_starts, strict=True)):
        points = np.flatnonzero(word_of_point == number)
        if not len(points):  # other words have all its strokes
            points = np.flatnonzero(aligned == number)
        evidence = 0.0, (), log_probs[:0]  # there are too few frames for the text
        if path is not None:
            evidence = _evidence(reader, log_probs, path, text, span, next_start)
        yield InkWord(text[slice(*span)], np.sort(indices[points]), *evidence)


def _evidence(
    reader: Framed,
    log_probs: np.ndarray,
    path: np.ndarray,
    text: str,
    span: tuple[int, int],
    next_start: int,
) -> tuple[float, tuple[str, ...], np.ndarray]:
    """Return probability, alternatives and log-probabilities of the word `text[slice(*span)]`. The
    next word begins at the index `next_start`; `path` is the `likeliest_path` of `text`."""
    start, stop = span
    codes = reader.alphabet.encode(text)
    # The word's characters, and the spaces beside it. Character n has the state 2 n + 1.
    with_spaces = range(max(start - 1, 0), min(stop + 1, len(text)))
    peaks = [log_probs[path == 2 * n + 1, codes[n]].max() for n in with_spaces]
    probability = float(np.exp(sum(peaks)))
    alternatives = ()
    if probability < MAX_DOUBTED_PROBABILITY:
        # The frames of the word, and of CTC's blanks before and after the word.
        inside = (path >= 2 * start) & (path <= 2 * stop)
        alternatives = _alternatives(reader, log_probs[inside], text[start:stop])
    to_next_word = (path >= 2 * start) & (path < 2 * next_start)
    return probability, alternatives, log_probs[to_next_word]


def _undelayed(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ink with delayed strokes next to their letters, as recognisers see ink, and the index
    of each point in `ink`."""
    written = strokes(ink)
    order = undelayed_order(ink, x_height(ink))
    ends = np.cumsum([len(stroke) for stroke in written[:-1]])
    indices = np.split(np.arange(len(ink)), ends)
    return from_strokes([written[n] for n in order]), np.concatenate([indices[n] for n in order])


def _alternatives(reader: Framed, log_probs: np.ndarray, text: str) -> tuple[str, ...]:
    """Return the readings of a word's frames that differ from `text`, the likeliest first."""
    readings = {}  # a set that keeps the order
    for hypothesis in ctc_beam(log_probs, ALTERNATIVES):
        reading = " ".join(reader.alphabet.decode(hypothesis.indices).split())
        if reading and reading != text:
            readings[reading] = None
    return tuple(readings)


def _whole_strokes(ink: np.ndarray, words: np.ndarray, num_words: int) -> np.ndarray:
    """Return the word of each point, `(points,)`. All points of a stroke belong to one word, unless
    the stroke runs through several words. `words` `(points,)` is the word that each point is
    aligned with, -1 between words."""
    ends = np.flatnonzero(ink[:-1, 2] > 0.5) + 1
    last_word = 0
    assigned = []
    for stroke_words in np.split(words, ends):
        counts = np.bincount(stroke_words[stroke_words >= 0], minlength=num_words)
        frequent = np.flatnonzero(counts > MIN_STROKE_FRACTION * len(stroke_words))
        if len(frequent) > 1:  # points between two words belong to the earlier word
            stroke_words = np.where(np.isin(stroke_words, frequent), stroke_words, -1)
            # Points before the first word belong to it.
            stroke_words = np.maximum(np.maximum.accumulate(stroke_words), frequent[0])
        else:
            word = counts.argmax() if counts.any() else last_word
            stroke_words = np.full(len(stroke_words), word)
        last_word = stroke_words[-1]
        assigned.append(stroke_words)
    return np.concatenate(assigned)
