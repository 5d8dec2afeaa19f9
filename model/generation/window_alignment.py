"""Aligns recorded ink with its text by the window of a network that writes.

Shapes: T steps, U characters of a text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from base.base_data_loader import padded
from model.batches import by_length
from model.generation.generators import GenerationNetwork, masked_output
from model.layers.monotonic import best_monotonic_path

MIN_WEIGHT = 1e-3  # weight added at each character, so that no step rules it out (assumed)


@torch.inference_mode()
def align(
    model: GenerationNetwork,
    inks: Sequence[np.ndarray],
    texts: Sequence[str],
    *,
    extras: Mapping[str, Any] = {},
    progress: bool = False,
) -> list[np.ndarray]:
    """Return for each line the number of points of each character, `(U,)` int64.

    The network sees the recorded points (teacher forcing). The alignment is the likeliest path
    through phi (the paper, eq. 46) from the first character to the last. It skips no character.

    Args:
        model: a network with a window, in evaluation mode.
        inks: `(points, 3)` each, in the units of the network's training data, with more points than
            characters.
        texts: texts of the lines, in the network's alphabet.
        extras: the extras on which the network is conditioned, by name, with a row for each line.
        progress: show a progress bar.
    """
    counts: list[np.ndarray] = [np.empty(0)] * len(inks)
    weight = model.output.weight
    conditions = model.make_conditions(len(inks), extras, range(len(inks)))
    for rows in by_length([len(ink) for ink in inks], "aligning", progress=progress):
        points, lengths = padded([model.normalisation.apply(inks[row][:-1]) for row in rows])
        mask = torch.arange(points.shape[1]) < lengths[:, None]
        codes = [model.alphabet.encode(texts[row]) for row in rows]
        text, text_lengths = padded(codes, weight.device)
        state = model.initial_state(len(rows), conditions[rows])
        inputs = points.to(weight), text, text_lengths, state
        attention = masked_output(model, mask.to(weight.device), *inputs).attention
        for row, phi in zip(rows, attention.cpu().double().numpy(), strict=True):
            num_steps = len(inks[row]) - 1
            num_characters = len(texts[row])
            counts[row] = _num_points(phi[:num_steps, : num_characters + 1])
    return counts


def _num_points(phi: np.ndarray) -> np.ndarray:
    """Return the number of points of each character, `(U,)`, from phi `(T, U + 1)`."""
    weights = phi[:, :-1].copy()
    weights[:, -1] += phi[:, -1]  # past the text, the pen still draws the last character
    weights /= np.maximum(weights.sum(1, keepdims=True), MIN_WEIGHT)
    # The window at step t is for point t + 1; the first point belongs to the first character.
    path = best_monotonic_path(np.log(weights + MIN_WEIGHT))
    return np.bincount(np.concatenate([[0], path]), minlength=weights.shape[1])
