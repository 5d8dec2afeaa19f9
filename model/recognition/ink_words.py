"""Reads the words of lines, with each word's ink, probability and other readings.

Shapes: S frames, C characters of the alphabet.
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
from utils.delayed_strokes import undelayed_order
from utils.ink import from_strokes, strokes, x_height

ALTERNATIVES = Search(width=6)
"""The search for other readings of a word (width assumed)."""
CERTAIN = 0.999
"""Probability of a word from which on no other readings are searched for (assumed)."""
SHARED = 0.25
"""Fraction of a stroke's points above which a part of the stroke belongs to a word (assumed)."""


@dataclass(frozen=True, eq=False)
class InkWord:
    """A word that is read.

    Attributes:
        text: the word as it is read.
        points: the word's points in the line's ink, rising, `(n,)` int64, n >= 1.
        probability: product of the highest probabilities of its characters and adjacent spaces.
        alternatives: other readings of the word's ink, the likeliest first.
        log_probs: log-probabilities at the frames up to the next word, `(S, C + 1)`, CTC's blank
            last.
    """

    text: str
    points: np.ndarray
    probability: float
    alternatives: tuple[str, ...]
    log_probs: np.ndarray


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
    ink, numbers = _as_seen(ink)
    counts = points_of(path, len(text), rows_of_frames(model, ink, len(log_probs)), len(ink))
    spans = [match.span() for match in re.finditer(r"\S+", text)]
    word_of_character = np.full(len(text), -1)  # -1 for blanks
    for number, span in enumerate(spans):
        word_of_character[slice(*span)] = number
    aligned = np.repeat(word_of_character, counts)
    word_of_point = _whole_strokes(ink, aligned, len(spans))
    next_starts = [*(start for start, _ in spans[1:]), len(text) + 1]
    for number, (span, next_start) in enumerate(zip(spans, next_starts, strict=True)):
        points = np.flatnonzero(word_of_point == number)
        points = points if len(points) else np.flatnonzero(aligned == number)
        reading = 0.0, (), log_probs[:0]
        if path is not None:
            reading = _reading(model, log_probs, path, text, span, next_start)
        yield InkWord(text[slice(*span)], np.sort(numbers[points]), *reading)


def _reading(
    model: RecognitionNetwork,
    log_probs: np.ndarray,
    path: np.ndarray,
    text: str,
    span: tuple[int, int],
    next_start: int,
) -> tuple[float, tuple[str, ...], np.ndarray]:
    """Return the probability, the alternatives and the log-probabilities of a word of a text.

    Args:
        model, log_probs: see `_words`.
        path: the text's `likeliest_path`.
        text: the text of the line.
        span: indices of the word's begin and end in the text.
        next_start: index of the next word's begin.
    """
    (start, stop), codes = span, model.alphabet.encode(text)
    around = range(max(start - 1, 0), min(stop + 1, len(text)))
    peaks = [log_probs[path == 2 * n + 1, codes[n]].max() for n in around]
    probability = float(np.exp(sum(peaks)))
    # The word's frames, with CTC's blanks around, up to the spaces between words.
    inside = (path >= 2 * start) & (path <= 2 * stop)
    is_sure = probability >= CERTAIN
    others = () if is_sure else _readings(model, log_probs[inside], text[start:stop])
    return probability, others, log_probs[(path >= 2 * start) & (path < 2 * next_start)]


def _as_seen(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a line with late marks next to their letters, as recognisers see the line, and each
    point's number in the ink as written."""
    parts, order = strokes(ink), undelayed_order(ink, x_height(ink))
    numbers = np.split(np.arange(len(ink)), np.cumsum([len(part) for part in parts[:-1]]))
    return from_strokes([parts[n] for n in order]), np.concatenate([numbers[n] for n in order])


def _readings(model: RecognitionNetwork, log_probs: np.ndarray, text: str) -> tuple[str, ...]:
    """Return other readings of the frames of a word."""
    readings = {}
    for hypothesis in ctc_beam(log_probs, ALTERNATIVES):
        reading = " ".join(model.alphabet.decode(hypothesis.indices).split())
        if reading and reading != text:
            readings[reading] = None
    return tuple(readings)


def _whole_strokes(ink: np.ndarray, words: np.ndarray, count: int) -> np.ndarray:
    """Return each point's word so that all points of a stroke belong to one word, unless the stroke
    runs through several words.

    Args:
        ink: `(points, 3)`.
        words: each point's word, `(points,)`; -1 between words.
        count: number of words.
    """
    ends = np.flatnonzero(ink[:-1, 2] > 0.5) + 1
    last_word, pieces = 0, []
    for piece in np.split(words, ends):
        points = np.bincount(piece[piece >= 0], minlength=count)
        inside = np.flatnonzero(points > SHARED * len(piece))
        if len(inside) > 1:  # the points between two words belong to the first
            piece = np.where(np.isin(piece, inside), piece, -1)
            piece = np.maximum(np.maximum.accumulate(piece), inside[0])
        else:
            piece = np.full(len(piece), points.argmax() if points.any() else last_word)
        last_word = piece[-1]
        pieces.append(piece)
    return np.concatenate(pieces)
