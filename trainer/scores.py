"""What a network says of recorded ink: its scores over a split, what it reads of it.

Log-loss depends on the unit of the offsets: `Normalisation.nats_in` says by how much.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from base.base_dataset import BaseDataset
from base.base_model import BaseModel
from model.generation.loss import SquaredError
from model.generation.metrics import SSE
from model.generation.mixture import cross_entropy
from model.recognition.encoder import GREEDY, RecognitionNetwork, Search
from model.recognition.transcribing import Transcription, read_each_way
from utils.checks import UserError
from utils.normalisation import Normalisation

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
"""Of the scores that `evaluate` returns, by name."""


@torch.inference_mode()
def evaluate(
    model: BaseModel,
    loader: Any,
    *,
    normalisation: Normalisation,
    canonical: tuple[float, float] | None = None,
    quantisation_step: float | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> dict[str, float | int | None]:
    """Score a network on all points of a split, in float32 with sums in float64.

    A network that predicts the end of the sequence has that Bernoulli, of each point, in its
    log-losses and bits too. Less `end_cross_entropy`, `log_loss` and `log_loss_dequantised` are
    those of the points alone, to be compared with a network without it.

    Args:
        model: on `device`, in evaluation mode.
        loader: yields batches with `inputs` and `targets` `(batch, time, 3)`, or `(batch, time,
            4)` if the network predicts the end of the sequence, `mask`, `text`, `text_lengths`,
            `index` and `lengths`, and has a length.
        normalisation: of the batches.
        canonical: the unit (dx, dy) of log-loss and SSE in the data's own units, as
            `BaseDataset.canonical`; None leaves both in normalised units.
        quantisation_step: spacing of the recorded points in the data's own units; None if they are
            not quantised.
        seed: of the dequantisation noise, which otherwise depends only on a sequence's index.
        device: where the model is.
        progress: show a bar.

    Returns:
        by name: `sequences`; `points`, the offsets scored, one less than the points; `log_loss`,
        the nats of a sequence (paper, eq. 26), the pen included; `log_loss_per_point`;
        `log_loss_dequantised`, the same with uniform noise of one step on each target
        offset (not on the inputs); `bits_per_point`, its bits per point in units of that step;
        `sse`, `sse_strokes` and `sse_jumps`. Without it `log_loss_dequantised` and
        `bits_per_point` are None, as is any value that has no points or is not finite. With an end
        of the sequence `end_cross_entropy`, its nats per sequence.

        Of a network with a regression head, which has no density, instead of the log-losses:
        `squared_error` and `squared_error_per_point`, the loss of that name (at `pen_weight` 1) of
        a sequence and of a point, always in normalised units; `pen_cross_entropy`, nats per point.
        `quantisation_step` and `seed` have no effect.

    Raises:
        UserError: if there is no sequence.
    """
    std, has_density = np.array(normalisation.std), model.head != "regression"
    unit = std if canonical is None else np.array(canonical)
    scale = torch.tensor(std / unit, dtype=torch.float32, device=device)
    sse, squared_error = SSE(), SquaredError()
    sequences = points = 0
    nats = dequantised = squares = pen = ends = 0.0
    for batch in tqdm(
        loader, desc="evaluating", unit="batch", disable=None if progress else True, leave=False
    ):
        batch = batch.to(device)
        output = model(batch.inputs, batch.text, batch.text_lengths)
        prediction, targets = output.prediction, batch.targets
        sse.update(output, batch, scale)
        sequences += len(batch.lengths)
        points += int(batch.mask.sum())
        if model.end_of_sequence:
            ends += _total(cross_entropy(prediction.sequence_logits, targets[..., 3]), batch.mask)
        if not has_density:
            squares += squared_error(output, batch).cpu().double().sum().item()
            pen += _total(cross_entropy(prediction.end_logits, targets[..., 2]), batch.mask)
            continue
        nats -= _total(prediction.log_prob(targets), batch.mask)
        if quantisation_step is not None:
            noise = (_noise(batch, seed) * torch.tensor(quantisation_step / std)).float()
            targets = targets.clone()
            targets[..., :2] += noise.to(device)
            dequantised -= _total(prediction.log_prob(targets), batch.mask)
    if not points:
        raise UserError("nothing to evaluate: the split is empty")
    scores: dict[str, float | int | None] = {"sequences": sequences, "points": points}
    if has_density:
        shift = 0.0 if canonical is None else points * normalisation.nats_in(canonical)
        scores |= {
            "log_loss": (nats + shift) / sequences,
            "log_loss_per_point": (nats + shift) / points,
            "log_loss_dequantised": None,
            "bits_per_point": None,
        }
        if quantisation_step is not None:
            in_steps = float(np.log(unit / quantisation_step).sum())
            in_steps += (dequantised + shift) / points
            scores["log_loss_dequantised"] = (dequantised + shift) / sequences
            scores["bits_per_point"] = in_steps / math.log(2)
    else:
        scores["squared_error"] = squares / sequences
        scores["squared_error_per_point"] = squares / points
        scores["pen_cross_entropy"] = pen / points
    scores |= sse.compute()
    if model.end_of_sequence:
        scores["end_cross_entropy"] = ends / sequences
    return {
        name: None if value is None or not math.isfinite(value) else value
        for name, value in scores.items()
    }


def read_split(
    model: RecognitionNetwork,
    source: BaseDataset,
    split: str,
    search: Search = GREEDY,
    *,
    progress: bool = False,
) -> dict[str, list[Transcription]]:
    """Read the labelled lines of a split.

    Args:
        model: in evaluation mode.
        source: the dataset, prepared.
        split: its name.
        search: how to search for the texts.
        progress: show a bar.

    Returns:
        by name, as far as they differ: what the search finds if it is `greedy`, what its `beam`
        finds alone, and what that finds with its `language_model`.

    Raises:
        UserError: if no line of the split has a text.
    """
    indices = [index for index in source.indices(split).tolist() if source.text(index).strip()]
    if not indices:
        raise UserError(f"no line of the split {split!r} has a text to compare with")
    searches = {"greedy": GREEDY}
    if search.width > 1:
        searches["beam"] = replace(search, language_model=None, language_weight=0.0)
    if search.language_model is not None:
        searches["language_model"] = search
    inks = [source.ink(index) for index in indices]
    found = read_each_way(model, inks, searches, progress=progress)
    return {
        name: [
            Transcription(source.name(index), ink, source.text(index), text)
            for index, ink, text in zip(indices, inks, texts, strict=True)
        ]
        for name, texts in found.items()
    }


def _total(nats: Tensor, mask: Tensor) -> float:
    return nats.masked_fill(~mask, 0.0).cpu().double().sum().item()


def _noise(batch: Any, seed: int) -> Tensor:
    """Return noise uniform on (-1/2, 1/2) for each target offset, `(batch, time, 2)` float64."""
    noise = torch.zeros(*batch.targets.shape[:2], 2, dtype=torch.float64)
    for row, (index, steps) in enumerate(
        zip(batch.index.tolist(), batch.lengths.tolist(), strict=True)
    ):
        generator = np.random.default_rng([seed, index])
        noise[row, :steps] = torch.from_numpy(generator.random((steps, 2)) - 0.5)
    return noise
