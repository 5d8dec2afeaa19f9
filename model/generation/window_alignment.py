"""Alignment of recorded ink with its text, by the window of a network that writes.

Shapes: T steps, U characters of a text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from base.base_data_loader import padded
from model.generation.generators import GenerationNetwork
from utils.batches import by_length
from utils.monotonic import best_monotonic_path

FLOOR = 1e-3
"""Least fraction of the window at a character, so that no step forbids a character (assumed)."""


@torch.inference_mode()
def align(
    model: GenerationNetwork,
    inks: Sequence[np.ndarray],
    texts: Sequence[str],
    *,
    extras: Mapping[str, Any] = {},
    progress: bool = False,
) -> list[np.ndarray]:
    """Return how many points of each line belong to each character of its text, `(U,)` int64.

    The network sees the recorded points (teacher forcing). The alignment is the likeliest path
    through the window's phi (paper, eq. 46) from the first character to the last without skips.

    Args:
        model: a network with a window, in evaluation mode.
        inks: `(points, 3)` each, in the units of the network's training data, with more points than
            characters.
        texts: of the lines, in the network's alphabet.
        extras: numbers that the network is told, by name, a row for each line.
        progress: show a progress bar.
    """
    counts: list[np.ndarray] = [np.empty(0)] * len(inks)
    weight = model.output.weight
    told = model.told(len(inks), extras, range(len(inks)))
    for numbers in by_length([len(ink) for ink in inks], "aligning", progress=progress):
        points, _ = padded([model.normalisation.apply(inks[number][:-1]) for number in numbers])
        codes = [model.alphabet.encode(texts[number]) for number in numbers]
        state = model.initial_state(len(numbers), told[numbers])
        attention = model(points.to(weight), *padded(codes, weight.device), state).attention
        for number, line in zip(numbers, attention.cpu().double().numpy(), strict=True):
            steps, characters = len(inks[number]) - 1, len(texts[number])
            counts[number] = _points_of(line[:steps, : characters + 1])
    return counts


def _points_of(phi: np.ndarray) -> np.ndarray:
    """Return the number of points of each character, `(U,)`, from phi `(T, U + 1)`."""
    seen = phi[:, :-1].copy()
    seen[:, -1] += phi[:, -1]  # behind the text the last character is still being drawn
    seen /= np.maximum(seen.sum(1, keepdims=True), FLOOR)
    # The window at step t is for point t + 1; the first point belongs to the first character.
    path = best_monotonic_path(np.log(seen + FLOOR))
    return np.bincount(np.concatenate([[0], path]), minlength=seen.shape[1])
