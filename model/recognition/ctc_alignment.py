"""Alignment of recorded ink with its text, by a recogniser with CTC.

Shapes: S frames, U characters of a text, C characters of the alphabet.
"""

from collections.abc import Sequence

import numpy as np
import torch

from base.base_data_loader import features_of
from model.batches import by_length
from model.layers.monotonic import best_monotonic_path
from model.recognition.encoder import STRIDE, RecognitionNetwork
from model.recognition.ink_features import rows_of_features

MAX_CELLS = 20_000_000
"""Pairs of a frame and a state of a line that is aligned (assumed: a line of 1,000 characters; a
pair takes 16 bytes)."""


@torch.inference_mode()
def align(
    model: RecognitionNetwork,
    inks: Sequence[np.ndarray],
    texts: Sequence[str],
    *,
    progress: bool = False,
) -> list[np.ndarray]:
    """Return for each line the number of points of each character of its text, `(U,)` int64.

    The likeliest path of labels assigns frames to each character. Two neighbouring characters are
    separated halfway between the mean positions of their frames.

    Args:
        model: the recogniser, in evaluation mode.
        inks: `(points, 3)` each, in any unit, with at least as many points as characters.
        texts: the texts of the lines, in the network's alphabet.
        progress: whether to show a progress bar.
    """
    counts: list[np.ndarray] = [np.empty(0)] * len(inks)
    for numbers in by_length([len(ink) for ink in inks], "aligning", progress=progress):
        features = features_of(model.features, [inks[k] for k in numbers], undelays=False)
        output = model(*model.batched(features))
        log_probs, lengths = output.ctc_log_probs.cpu().double().numpy(), output.lengths.tolist()
        for number, line, frames in zip(numbers, log_probs, lengths, strict=True):
            rows = rows_of_frames(model, inks[number], frames)
            path = likeliest_path(line[:frames], model.alphabet.encode(texts[number]))
            counts[number] = count_points(path, len(texts[number]), rows, len(inks[number]))
    return counts


def rows_of_frames(model: RecognitionNetwork, ink: np.ndarray, frames: int) -> np.ndarray:
    """Return the row of `ink` at the middle of each frame, `(S,)`; see `rows_of_features`."""
    rows, step = rows_of_features(ink, model.spacing), model.points_per_frame
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
    states = range(1, 2 * characters + 1, 2)
    middles = np.array([rows[path == state].mean() for state in states])
    edges = np.rint((middles[1:] + middles[:-1]) / 2).astype(np.int64)
    # Each character gets at least one point.
    edges = np.maximum.accumulate(np.concatenate([[0], edges]) - np.arange(characters))
    edges = np.minimum(edges + np.arange(characters), points - np.arange(characters, 0, -1))
    return np.diff(edges, append=points)
