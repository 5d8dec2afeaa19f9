"""Reads the words of lines, with each word's ink, probability and other readings.

S: frames of a line, C: characters of the alphabet.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from model.recognition.ctc_alignment import likeliest_path, points_of, rows_of_frames
from model.recognition.decoding import GREEDY, Search, ctc_beam
from model.recognition.encoder import RecognitionNetwork, log_softmax
from model.recognition.transcribing import batches, decoded

ALTERNATIVES = Search(width=6)
"""The search for other readings of a word (width assumed)."""
CERTAIN = 0.999
"""Least probability of a word that has no other readings (assumed)."""
SHARED = 0.25
"""Fraction of a stroke's points beyond which a word has part in that stroke (assumed)."""


@dataclass(frozen=True, eq=False)
class InkWord:
    """A word that is read.

    Attributes:
        text: of it.
        points: the word's points in the line's ink, rising, `(n,)` int64, n >= 1.
        probability: product of the highest probabilities of its characters and adjacent blanks.
        alternatives: other readings of the word's ink, the likeliest first.
    """

    text: str
    points: np.ndarray
    probability: float
    alternatives: tuple[str, ...]


@torch.inference_mode()
def read_words(
    model: RecognitionNetwork,
    inks: Sequence[np.ndarray],
    search: Search = GREEDY,
    *,
    progress: bool = False,
) -> list[list[InkWord]]:
    """Return the words of lines of ink; see `transcribing.read_each_way`."""
    lines: list[list[InkWord]] = [[] for _ in inks]
    for numbers, *batch in batches(model, inks, progress):
        encoded, lengths = model.encode(*batch)
        texts = decoded(model, encoded, lengths, search)
        log_probs = log_softmax(model.labels(encoded)).cpu().double().numpy()
        for number, text, line, frames in zip(numbers, texts, log_probs, lengths, strict=True):
            if text.strip():
                lines[number] = [*_words(model, inks[number], text, line[:frames])]
    return lines


def _words(
    model: RecognitionNetwork, ink: np.ndarray, text: str, log_probs: np.ndarray
) -> Iterator[InkWord]:
    """Yield the words of a line, by the log-probabilities of its frames, `(S, C + 1)`."""
    codes = model.alphabet.encode(text)
    path = likeliest_path(log_probs, codes)
    counts = points_of(path, len(text), rows_of_frames(model, ink, len(log_probs)), len(ink))
    places = [match.span() for match in re.finditer(r"\S+", text)]
    aligned = np.repeat(_word_of_character(text), counts)
    word_of_point = _whole_strokes(ink, aligned, len(places))
    if path is not None:
        peaks = [log_probs[path == 2 * n + 1, code].max() for n, code in enumerate(codes)]
    for number, (start, stop) in enumerate(places):
        probability, others = 0.0, ()
        if path is not None:
            probability = float(np.exp(sum(peaks[max(start - 1, 0) : stop + 1])))
        if path is not None and probability < CERTAIN:
            # With the empty frames around it, up to the blanks between words.
            inside = (path >= 2 * start) & (path <= 2 * stop)
            others = _readings(model, log_probs[inside], text[start:stop])
        points = np.flatnonzero(word_of_point == number)
        points = points if len(points) else np.flatnonzero(aligned == number)
        yield InkWord(text[start:stop], points, probability, others)


def _readings(model: RecognitionNetwork, log_probs: np.ndarray, text: str) -> tuple[str, ...]:
    """Return other readings of the frames of a word."""
    readings = {}
    for hypothesis in ctc_beam(log_probs, ALTERNATIVES):
        reading = " ".join(model.alphabet.decode(hypothesis.indices).split())
        if reading and reading != text:
            readings[reading] = None
    return tuple(readings)


def _word_of_character(text: str) -> np.ndarray:
    """Return the number of the word of each character; -1 for blanks."""
    is_blank = np.array([character.isspace() for character in text], bool)
    starts = ~is_blank & np.append(True, is_blank[:-1])
    return np.where(is_blank, -1, np.cumsum(starts) - 1)


def _whole_strokes(ink: np.ndarray, words: np.ndarray, count: int) -> np.ndarray:
    """Return the word of each point so that a stroke is of a single word, unless it runs through
    several words.

    Args:
        ink: `(points, 3)`.
        words: of each point, `(points,)`; -1 between words.
        count: how many words there are.
    """
    ends = np.flatnonzero(ink[:-1, 2] > 0.5) + 1
    last, pieces = 0, []
    for piece in np.split(words, ends):
        points = np.bincount(piece[piece >= 0], minlength=count)
        inside = np.flatnonzero(points > SHARED * len(piece))
        if len(inside) > 1:  # the points between two words are of the first
            piece = np.where(np.isin(piece, inside), piece, -1)
            piece = np.maximum(np.maximum.accumulate(piece), inside[0])
        else:
            piece = np.full(len(piece), points.argmax() if points.any() else last)
        last = piece[-1]
        pieces.append(piece)
    return np.concatenate(pieces)
