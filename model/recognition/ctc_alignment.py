"""Alignment of recorded ink with its text, by a recogniser with CTC.

Shapes: S frames, U characters of a text, C characters of the alphabet.
"""

from collections.abc import Sequence

import numpy as np
import torch

from model.recognition.encoder import STRIDE, RecognitionNetwork
from model.recognition.ink_features import rows_of_features
from utils.batches import by_length
from utils.monotonic import best_monotonic_path


@torch.inference_mode()
def align(
    model: RecognitionNetwork,
    inks: Sequence[np.ndarray],
    texts: Sequence[str],
    *,
    progress: bool = False,
) -> list[np.ndarray]:
    """Return how many points of each line belong to each character of its text, `(U,)` int64.

    The likeliest path of labels gives each character some frames. The points between the frames of
    two characters are divided between these characters.

    Args:
        model: the recogniser, in evaluation mode.
        inks: `(points, 3)` each, in any unit, with at least as many points as characters.
        texts: of the lines, in the network's alphabet.
        progress: show a progress bar.
    """
    counts: list[np.ndarray] = [np.empty(0)] * len(inks)
    for numbers in by_length([len(ink) for ink in inks], "aligning", progress=progress):
        features = [model.features(inks[number], undelays=False) for number in numbers]
        output = model(*model.batched(features))
        log_probs, lengths = output.ctc_log_probs.cpu().double().numpy(), output.lengths.tolist()
        for number, line, frames in zip(numbers, log_probs, lengths, strict=True):
            rows = rows_of_frames(model, inks[number], frames)
            path = likeliest_path(line[:frames], model.alphabet.encode(texts[number]))
            counts[number] = points_of(path, len(texts[number]), rows, len(inks[number]))
    return counts


def rows_of_frames(model: RecognitionNetwork, ink: np.ndarray, frames: int) -> np.ndarray:
    """Return the row of the ink at the middle of each frame, which may be a fraction, `(S,)`."""
    rows, step = rows_of_features(ink, model.spacing), model.points_per_frame
    middles = np.arange(frames) * step + (step - STRIDE) // 2
    return rows[np.minimum(middles, len(rows) - 1)]


def likeliest_path(log_probs: np.ndarray, codes: np.ndarray) -> np.ndarray | None:
    """Return the state of each frame on the likeliest path, `(S,)`: 2 n + 1 for character n, 2 n
    for the blank before character n; None if there are too few frames for the text.

    Args:
        log_probs: `(S, C + 1)`, the blank last.
        codes: indices of the text's characters, `(U,)`.
    """
    states = np.full(2 * len(codes) + 1, log_probs.shape[1] - 1)
    states[1::2] = codes
    optional = np.arange(len(states)) % 2 == 0
    optional[2:-1:2] = codes[1:] != codes[:-1]  # equal neighbours need a blank in between
    if len(log_probs) < np.count_nonzero(~optional):
        return None
    return best_monotonic_path(log_probs[:, states], optional)


def points_of(
    path: np.ndarray | None, characters: int, rows: np.ndarray, points: int
) -> np.ndarray:
    """Return the number of points of each character, `(U,)`; equal numbers without a path.

    Args:
        path: see `likeliest_path`.
        characters: number of characters of the text.
        rows: see `rows_of_frames`, `(S,)`.
        points: number of points of the ink.
    """
    if path is None:
        return np.diff(np.linspace(0, points, characters + 1).round().astype(np.int64))
    states = range(1, 2 * characters + 1, 2)
    middles = np.array([rows[path == state].mean() for state in states])
    edges = np.rint((middles[1:] + middles[:-1]) / 2).astype(np.int64)
    # Each character gets a point at least.
    edges = np.maximum.accumulate(np.concatenate([[0], edges]) - np.arange(characters))
    edges = np.minimum(edges + np.arange(characters), points - np.arange(characters, 0, -1))
    return np.diff(edges, append=points)
