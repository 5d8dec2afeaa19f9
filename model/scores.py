"""Scores generation networks on the recorded ink of a split, and reads a split with recognisers.

Log-loss depends on the unit of the offsets, see `Normalisation.log_loss_offset`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from base.base_data_loader import BaseDataLoader, Batch
from ink.sample import Sample
from model.generation.generators import GenerationNetwork, Output, masked_output
from model.generation.metrics import SSE
from model.generation.mixture import Mixture, cross_entropy
from model.generation.regression import PointEstimate
from model.recognition.encoder import GREEDY, Recogniser, Search
from model.recognition.transcribing import Transcription, read_each_way
from utils.checks import UserError

SCORE_UNITS = {
    "log_loss": "nats per sequence",
    "log_loss_per_point": "nats per point",
    "log_loss_dequantised": "nats per sequence",
    "bits_per_point": "bits per point, dequantised, in units of the points' quantisation step",
    "squared_error": "half squared distances and the pen's nats, per sequence",
    "squared_error_per_point": "half squared distances and the pen's nats, per point",
    "pen_cross_entropy": "nats per point",
    "end_cross_entropy": "nats of the end of the sequence, per sequence",
    "sse": "per point",
    "sse_strokes": "per point within a stroke",
    "sse_jumps": "per point after a pen lift",
}
"""Units of the scores that `evaluate` returns, by name."""
SUMMANDS = ("nats", "dequantised", "squared_error", "pen", "end")
"""The names of what is summed over all points; a network has some of these."""


class PointScores(SSE):
    """The scores that `evaluate` returns; see there for the arguments."""

    sums: ClassVar[tuple[str, ...]] = (*SSE.sums, "_summands", "num_sequences", "num_points")

    def __init__(
        self,
        model: GenerationNetwork,
        canonical: tuple[float, float] | None = None,
        quantisation_step: float | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.quantisation_step = quantisation_step
        self.seed = seed
        std = np.array(model.normalisation.std)
        self.unit = std if canonical is None else np.array(canonical)
        self.scale = torch.tensor(std / self.unit, dtype=torch.float32)
        self._step = None
        if quantisation_step is not None:
            self._step = torch.tensor(quantisation_step / std)

    def reset(self) -> None:
        """Forget everything added so far."""
        super().reset()
        self._summands = torch.zeros(len(SUMMANDS), dtype=torch.float64)
        self.num_sequences = 0
        self.num_points = 0

    @torch.no_grad()
    def update(self, output: Output, batch: Batch) -> None:
        """Add one batch."""
        super().update(output, batch)
        self.num_sequences += len(batch)
        self.num_points += batch.points
        noise = None
        if self._step is not None:
            noise = (_noise(batch, self.seed) * self._step).float().to(batch.inputs.device)
        values = _point_scores(output.prediction, batch.targets, noise)
        if self.model.end_of_sequence:
            logits = output.prediction.sequence_logits
            values["end"] = cross_entropy(logits, batch.targets[..., 3])
        for name, nats in values.items():
            total = nats.masked_fill(~batch.mask, 0.0).cpu().double().sum()
            self._summands[SUMMANDS.index(name)] += total

    def compute(self) -> dict[str, float]:
        """Return the scores that the network has, by name; nan for one that the data have not."""
        sums = dict(zip(SUMMANDS, self._summands.tolist(), strict=True))
        num_sequences = self.num_sequences
        num_points = self.num_points
        scores: dict[str, float] = {"sequences": num_sequences, "points": num_points}
        if self.model.has_density:
            scores |= self._log_losses(sums)
        else:
            scores["squared_error"] = sums["squared_error"] / num_sequences
            scores["squared_error_per_point"] = sums["squared_error"] / num_points
            scores["pen_cross_entropy"] = sums["pen"] / num_points
        scores |= super().compute()
        if self.model.end_of_sequence:
            scores["end_cross_entropy"] = sums["end"] / num_sequences
        return scores

    def _log_losses(self, sums: Mapping[str, float]) -> dict[str, float]:
        """Return the log-losses by name, of the sums of `_point_scores` over all points."""
        num_sequences = self.num_sequences
        num_points = self.num_points
        # The nats by which the scores' unit differs from normalised units.
        unit_nats = num_points * self.model.normalisation.log_loss_offset(tuple(self.unit))
        nats = sums["nats"] + unit_nats
        dequantised = math.nan
        bits = math.nan
        if self.quantisation_step is not None:
            dequantised_nats = sums["dequantised"] + unit_nats
            dequantised = dequantised_nats / num_sequences
            step_nats = float(np.log(self.unit / self.quantisation_step).sum())  # of a point
            bits = (step_nats + dequantised_nats / num_points) / math.log(2)
        return {
            "log_loss": nats / num_sequences,
            "log_loss_per_point": nats / num_points,
            "log_loss_dequantised": dequantised,
            "bits_per_point": bits,
        }


@torch.no_grad()
def evaluate(
    model: GenerationNetwork,
    loader: BaseDataLoader,
    *,
    canonical: tuple[float, float] | None = None,
    quantisation_step: float | None = None,
    seed: int = 0,
) -> dict[str, float | int | None]:
    """Score a network on all points of a split, in float32 with sums in float64.

    If the network predicts the end of the sequence, log-losses and bits include the nats of that
    end. To compare with a network without that end, subtract `end_cross_entropy` from `log_loss`.

    Args:
        model: the network, in evaluation mode.
        loader: loader of the split, normalised as the network expects.
        canonical: the unit (dx, dy) of log-loss and SSE in the data's units, see
            `Loaded.canonical`; None leaves both in normalised units.
        quantisation_step: spacing of the recorded points in the data's units; None if the points
            are not quantised.
        seed: seed of the dequantisation noise; the noise also depends on a sequence's index.

    Returns:
        by name: `sequences`; `points`, the number of scored offsets; and the scores of
        `SCORE_UNITS` that the network has. `log_loss` is the paper's eq. 26. For the dequantised
        scores, uniform noise of one step is added to each target offset, not to the inputs; without
        a step both are None. A regression head has no density, and so `squared_error` in the place
        of log-losses: the loss `SquaredError` at `pen_weight` 1, always in normalised units. A
        score that is not finite, or that no point has, is None.

    Raises:
        UserError: if there is no sequence.
    """
    device = next(model.parameters()).device
    scores = PointScores(model, canonical, quantisation_step, seed)

    for batch in tqdm(loader, "evaluating", leave=False, unit="batch", disable=None):
        batch = batch.to(device)
        inputs = batch.inputs, batch.text, batch.text_lengths, model.begin(batch)
        scores.update(masked_output(model, batch.mask, *inputs), batch)
    if not scores.num_points:
        raise UserError("nothing to evaluate: the split is empty")
    values = scores.compute()
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


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
        the readings by the name of the search: `greedy`; `beam`, without a language model, if
        `search` has a beam; `language_model` if `search` has a language model.

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
    readings = {}
    for name, texts in texts_by_search.items():
        readings[name] = [
            Transcription(sample.name, sample.ink, sample.text, text)
            for sample, text in zip(samples, texts, strict=True)
        ]
    return readings


def _point_scores(
    prediction: Mixture | PointEstimate, points: Tensor, noise: Tensor | None
) -> dict[str, Tensor]:
    """Return the summands of scores by name, `(batch, time)` each, for `points`
    `(batch, time, 3 or 4)`. `noise`, `(batch, time, 2)`, dequantises the offsets."""
    if not prediction.has_density:
        pen = cross_entropy(prediction.end_logits, points[..., 2])
        squared_error = prediction.half_squares(points) + prediction.end_nats(points)
        return {"squared_error": squared_error, "pen": pen}
    nats = {"nats": -prediction.log_prob(points)}
    if noise is not None:
        noisy_points = torch.cat((points[..., :2] + noise, points[..., 2:]), -1)
        nats["dequantised"] = -prediction.log_prob(noisy_points)
    return nats


def _noise(batch: Batch, seed: int) -> Tensor:
    """Return noise uniform on (-1/2, 1/2) for each target offset, `(batch, time, 2)` float64."""
    noise = torch.zeros(*batch.targets.shape[:2], 2, dtype=torch.float64)
    for row, index in enumerate(batch.index.tolist()):
        generator = np.random.default_rng([seed, index])
        length = int(batch.lengths[row])
        noise[row, :length] = torch.from_numpy(generator.random((length, 2)) - 0.5)
    return noise
