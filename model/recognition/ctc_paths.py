"""The likeliest path of CTC's labels through the frames of a row, without PyTorch.

Shapes: S frames, U characters of a text, C characters of the alphabet.
"""

from typing import Protocol

import numpy as np

from ink.alphabet import Alphabet
from model.layers.monotonic import best_monotonic_path
from model.recognition.ink_features import STRIDE, rows_of_features

MAX_CELLS = 20_000_000
"""Pairs of a frame and a state of a line that is aligned (assumed: a line of 1,000 characters; a
pair takes 16 bytes)."""


class Framed(Protocol):
    """Describes the frames of a reader, a network or the engine.

    Attributes:
        alphabet: the characters that it reads.
        spacing: the distance between the points of its features, in x-heights.
        points_per_frame: the number of these points for each frame.
    """

    @property
    def alphabet(self) -> Alphabet: ...

    @property
    def spacing(self) -> float: ...

    @property
    def points_per_frame(self) -> int: ...


def rows_of_frames(reader: Framed, ink: np.ndarray, frames: int) -> np.ndarray:
    """Return the row of `ink` at the middle of each frame, `(S,)`; see `rows_of_features`."""
    rows = rows_of_features(ink, reader.spacing)
    step = reader.points_per_frame
    # A frame of the convolution is centred at the first of its `STRIDE` points. Later layers merge
    # such frames: the middle lies between the centres of the first and the last of them.
    middles = np.arange(frames) * step + (step - STRIDE) // 2
    return rows[np.minimum(middles, len(rows) - 1)]


def likeliest_path(log_probs: np.ndarray, codes: np.ndarray) -> np.ndarray | None:
    """Return the state of each frame on the likeliest path, `(S,)`; None if there are too few
    frames for the text, or more than `MAX_CELLS` pairs of a frame and a state. State 2 n + 1 is
    character n, state 2 n the blank before character n.

    Args:
        log_probs: `(S, C + 1)`, the blank last.
        codes: indices of the text's characters, `(U,)`.
    """
    classes = np.full(2 * len(codes) + 1, log_probs.shape[1] - 1)
    classes[1::2] = codes
    is_optional = np.arange(len(classes)) % 2 == 0
    is_optional[2:-1:2] = codes[1:] != codes[:-1]  # equal neighbours need a blank in between
    too_many = len(log_probs) * len(classes) > MAX_CELLS
    if too_many or len(log_probs) < np.count_nonzero(~is_optional):
        return None
    return best_monotonic_path(log_probs[:, classes], is_optional)


def ctc_nats(log_probs: np.ndarray, codes: np.ndarray) -> float:
    """Return the negative logarithm of the probability of a text, by the forward variables of CTC
    (Graves et al. 2006, eq. 6 and 7); for the arguments see `likeliest_path`."""
    classes = np.full(2 * len(codes) + 1, log_probs.shape[1] - 1)
    classes[1::2] = codes
    # A character may follow another one without a blank in between.
    may_skip = np.zeros(len(classes), bool)
    may_skip[3::2] = codes[1:] != codes[:-1]
    forward = np.full(len(classes), -np.inf)
    forward[0] = 0.0  # before the first frame all paths are in the first blank
    forward = _after(forward, may_skip) + log_probs[0, classes]
    for frame in log_probs[1:]:
        forward = _after(forward, may_skip) + frame[classes]
    return -float(np.logaddexp.reduce(forward[-2:]))  # paths end in the last character or blank


def _after(forward: np.ndarray, may_skip: np.ndarray) -> np.ndarray:
    """Return the log-probabilities of the states at the next frame, without that of its label."""
    previous = np.concatenate([[-np.inf], forward[:-1]])
    second_previous = np.concatenate([[-np.inf] * 2, forward[:-2]])[: len(forward)]
    skipped = np.where(may_skip, second_previous, -np.inf)
    return np.logaddexp(np.logaddexp(forward, previous), skipped)


def count_points(
    path: np.ndarray | None, characters: int, rows: np.ndarray, points: int
) -> np.ndarray:
    """Return the number of points of each character, `(U,)`.

    Args:
        path: see `likeliest_path`; None: all characters get about the same number of points.
        characters: number of characters of the text.
        rows: see `rows_of_frames`, `(S,)`.
        points: number of points of the ink.
    """
    if path is None:
        return np.diff(np.linspace(0, points, characters + 1).round().astype(np.int64))
    states = range(1, 2 * characters + 1, 2)  # of the characters, between the blanks'
    middles = np.array([rows[path == state].mean() for state in states])
    edges = np.rint((middles[1:] + middles[:-1]) / 2).astype(np.int64)
    starts = np.concatenate([[0], edges])
    # Each character gets at least one point: the starts ascend by at least 1, and leave a point for
    # each character from there on.
    numbers = np.arange(characters)
    starts = np.maximum.accumulate(starts - numbers) + numbers
    starts = np.minimum(starts, points - (characters - numbers))
    return np.diff(starts, append=points)
