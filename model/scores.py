"""Scores a network on the recorded ink of a split, or reads that ink with it.

Log-loss depends on the unit of the offsets, see `Normalisation.nats_in`.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from base.base_data_loader import BaseDataLoader, Batch
from base.base_dataset import Sample
from model.generation.generators import GenerationNetwork
from model.generation.metrics import SSE
from model.generation.mixture import Mixture, cross_entropy
from model.generation.regression import PointEstimate
from model.recognition.encoder import GREEDY, Recogniser, Search
from model.recognition.transcribing import Transcription, read_each_way
from utils.checks import UserError

UNITS = {
    "log_loss": "nats per sequence",
    "log_loss_per_point": "nats per point",
    "log_loss_dequantised": "nats per sequence",
    "bits_per_point": "bits, dequantised, in units of the points' quantisation step",
    "squared_error": "per sequence, half squared distances and the pen's nats",
    "squared_error_per_point": "the same, per point",
    "pen_cross_entropy": "nats per point",
    "end_cross_entropy": "nats per sequence, of the end of the sequence",
    "sse": "per point",
    "sse_strokes": "per point within a stroke",
    "sse_jumps": "a point after a pen lift",
}
"""Units of the scores that `evaluate` returns, by name."""


@torch.inference_mode()
def evaluate(
    model: GenerationNetwork,
    loader: BaseDataLoader,
    *,
    canonical: tuple[float, float] | None = None,
    quantisation_step: float | None = None,
    seed: int = 0,
) -> dict[str, float | int | None]:
    """Score a network on all points of a split, in float32 with sums in float64.

    If the network predicts the end of the sequence, log-losses and bits include that Bernoulli: a
    network without the end compares with `log_loss` less `end_cross_entropy`.

    Args:
        model: the network, in evaluation mode.
        loader: loader of the split, normalised as the network expects.
        canonical: the unit (dx, dy) of log-loss and SSE in the data's units, as
            `Loaded.canonical`; None leaves both in normalised units.
        quantisation_step: spacing of the recorded points in the data's units; None if the points
            are not quantised.
        seed: seed of the dequantisation noise, which also depends on a sequence's index.

    Returns:
        by name: `sequences`; `points`, the number of scored offsets; and the scores of `UNITS` that
        the network has. `log_loss` is the paper's eq. 26, the pen included. The dequantised scores
        have uniform noise of one step on each target offset (not on the inputs), and are None
        without a step. A regression head has no density: instead of log-losses it has
        `squared_error`, the loss of that name at `pen_weight` 1, always in normalised units.
        Values that are not finite, or without points, are None.

    Raises:
        UserError: if there is no sequence.
    """
    device = next(model.parameters()).device
    std = np.array(model.normalisation.std)
    unit = std if canonical is None else np.array(canonical)
    scale = torch.tensor(std / unit, dtype=torch.float32, device=device)
    step = None if quantisation_step is None else torch.tensor(quantisation_step / std)
    sse, sums, sequences, points = SSE(), Counter(), 0, 0
    for batch in tqdm(loader, "evaluating", leave=False, unit="batch", disable=None):
        batch = batch.to(device)
        output = model(batch.inputs, batch.text, batch.text_lengths, model.begin(batch))
        sse.update(output, batch, scale)
        sequences += len(batch.lengths)
        points += batch.points
        noise = None if step is None else (_noise(batch, seed) * step).float().to(device)
        values = _point_scores(output.prediction, batch.targets, noise)
        if model.end_of_sequence:
            ends = output.prediction.sequence_logits
            values |= {"end": cross_entropy(ends, batch.targets[..., 3])}
        for name, nats in values.items():
            sums[name] += nats.masked_fill(~batch.mask, 0.0).cpu().double().sum().item()
    if not points:
        raise UserError("nothing to evaluate: the split is empty")
    scores: dict[str, float | int | None] = {"sequences": sequences, "points": points}
    shift = points * model.normalisation.nats_in(tuple(unit))
    cell = None if step is None else float(np.log(unit / quantisation_step).sum())
    if model.has_density:
        scores |= _log_losses(sums, sequences, points, shift, cell)
    else:
        scores["squared_error"] = sums["squared_error"] / sequences
        scores["squared_error_per_point"] = sums["squared_error"] / points
        scores["pen_cross_entropy"] = sums["pen"] / points
    scores |= sse.compute()
    if model.end_of_sequence:
        scores["end_cross_entropy"] = sums["end"] / sequences
    return {
        name: None if value is None or not math.isfinite(value) else value
        for name, value in scores.items()
    }


def read_split(
    model: Recogniser, samples: Iterable[Sample], split: str, search: Search = GREEDY
) -> dict[str, list[Transcription]]:
    """Read the labelled samples of a split.

    Args:
        model: the recogniser, in evaluation mode.
        samples: the samples of the split.
        split: the split's name, for messages.
        search: how to search for the texts.

    Returns:
        the readings by `greedy` decoding; by the `beam` alone, if the search has a beam; and by the
        beam with the `language_model`, if the search has a language model.

    Raises:
        UserError: if no line of the split has a text.
    """
    samples = [sample for sample in samples if sample.text.strip()]
    if not samples:
        raise UserError(f"no line of the split {split!r} has a text to compare with")
    searches = {"greedy": GREEDY}
    if search.width > 1:
        searches["beam"] = replace(search, language_model=None, language_weight=0.0)
    if search.language_model is not None:
        searches["language_model"] = search
    inks = [sample.ink for sample in samples]
    texts_by_search = read_each_way(model, inks, searches, progress=True)
    return {
        name: [
            Transcription(sample.name, sample.ink, sample.text, text)
            for sample, text in zip(samples, texts, strict=True)
        ]
        for name, texts in texts_by_search.items()
    }


def _point_scores(
    prediction: Mixture | PointEstimate, points: Tensor, noise: Tensor | None
) -> dict[str, Tensor]:
    """Return the nats and the like of points `(batch, time, 3 or 4)` by name, `(batch, time)` each;
    `noise` on the offsets, `(batch, time, 2)`, dequantises them."""
    if not prediction.has_density:
        pen = cross_entropy(prediction.end_logits, points[..., 2])
        squares = prediction.half_squares(points) + prediction.end_nats(points)
        return {"squared_error": squares, "pen": pen}
    nats = {"nats": -prediction.log_prob(points)}
    if noise is not None:
        moved = torch.cat((points[..., :2] + noise, points[..., 2:]), -1)
        nats["dequantised"] = -prediction.log_prob(moved)
    return nats


def _log_losses(
    sums: Mapping[str, float], sequences: int, points: int, shift: float, cell: float | None
) -> dict[str, float | None]:
    """Return the log-losses of a split by name.

    Args:
        sums: sums of `_point_scores` over all points.
        sequences, points: numbers of sequences and of points.
        shift: nats that all points together gain from normalised units to the scores' unit.
        cell: nats that a point gains from the scores' unit to units of the quantisation step; None
            without a step.
    """
    nats, dequantised, bits = sums["nats"] + shift, None, None
    if cell is not None:
        dequantised = (sums["dequantised"] + shift) / sequences
        bits = (cell + (sums["dequantised"] + shift) / points) / math.log(2)
    return {
        "log_loss": nats / sequences,
        "log_loss_per_point": nats / points,
        "log_loss_dequantised": dequantised,
        "bits_per_point": bits,
    }


def _noise(batch: Batch, seed: int) -> Tensor:
    """Return noise uniform on (-1/2, 1/2) for each target offset, `(batch, time, 2)` float64."""
    noise = torch.zeros(*batch.targets.shape[:2], 2, dtype=torch.float64)
    for row, index in enumerate(batch.index.tolist()):
        generator, steps = np.random.default_rng([seed, index]), int(batch.lengths[row])
        noise[row, :steps] = torch.from_numpy(generator.random((steps, 2)) - 0.5)
    return noise
