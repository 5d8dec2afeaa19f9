"""Alignment of recorded ink with its text, by a recogniser with CTC.

Shapes: U characters of a text.
"""

from collections.abc import Sequence

import numpy as np
import torch

from base.base_data_loader import features_of
from model.batches import by_length
from model.recognition.ctc_paths import count_points, likeliest_path, rows_of_frames
from model.recognition.encoder import RecognitionNetwork


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
        log_probs = output.ctc_log_probs.cpu().double().numpy()
        lengths = output.lengths.tolist()
        for number, line, frames in zip(numbers, log_probs, lengths, strict=True):
            rows = rows_of_frames(model, inks[number], frames)
            path = likeliest_path(line[:frames], model.alphabet.encode(texts[number]))
            counts[number] = count_points(path, len(texts[number]), rows, len(inks[number]))
    return counts
