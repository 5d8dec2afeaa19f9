"""Training, against plain PyTorch in the same run: real points per second, and peak memory.

Each rival runs in a process of its own; they take turns. A step is: making a batch of lines in
memory, forward, loss, backward, bounding the gradient's norm, and Adam.
"""

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.base_data_loader import Batch, BucketBatchSampler
from benchmarks import measures, reference
from benchmarks.measure import (
    SEED,
    Data,
    Rival,
    Variant,
    alternate,
    parser,
    peak_memory,
    prepare,
    report,
    row,
    synchronise,
)
from data_loader.data_loaders import collate
from model import NegativeLogLikelihood, PredictionNetwork, SynthesisNetwork

MEMORY = "peak_memory_training_conditional"
MEASURES = ("training_conditional", "training_unconditional", MEMORY)
BATCH = 32
LEARNING_RATE = 1e-3
MAX_NORM = 10.0

Run = Callable[[int | None], float]
"""Trains some steps and returns real points per second; called with None, the MiB that two steps
over lines of mean length take."""


def build(data: Data, conditional: bool, hidden: int) -> PredictionNetwork | SynthesisNetwork:
    """Return the project's network of the paper's size."""
    torch.manual_seed(SEED)
    if conditional:
        return SynthesisNetwork(data.normalisation, data.alphabet, hidden_size=hidden)
    return PredictionNetwork(data.normalisation, hidden_size=hidden)


def make_ours(
    data: Data,
    conditional: bool,
    hidden: int,
    device: torch.device,
    batches: int,
    variant: Variant,
) -> Run:
    """Return the turn of ours."""
    model, loss = build(data, conditional, hidden).to(device), NegativeLogLikelihood()
    lengths = np.array([len(ink) - 1 for ink in data.inks])
    sampler = BucketBatchSampler(SEED, BATCH, 100, True)
    sampler.fill(np.arange(len(lengths)), lengths)

    def make(indices: np.ndarray) -> Batch:
        lines = ((data.inks[i], data.texts[i], i) for i in indices.tolist())
        return collate([(ink[:-1], ink[1:], text, i) for ink, text, i in lines])

    def losses(batch: Batch) -> tuple[torch.Tensor, int]:
        points, batch = batch.points, batch.to(device)
        enabled = variant.precision == "bfloat16"
        with torch.autocast(device.type, torch.bfloat16, enabled=enabled):
            output = model(batch.inputs, batch.text, batch.text_lengths)
        return loss(output, batch), points

    def batches_of(turn: int) -> Iterable[Batch]:
        return map(make, sampler.batches(turn + 1)[: 2 * batches])

    return timed(model, losses, batches_of, make(middle_lines(data)), device)


def make_reference(
    data: Data, conditional: bool, hidden: int, device: torch.device, batches: int
) -> Run:
    """Return the same of the reference, with the same weights."""
    own = build(data, conditional, hidden)
    letters = len(data.alphabet) if conditional else None
    model = reference.Network(letters, hidden, min_scale=tuple(own.min_scales.tolist()))
    reference.load(model, own.state_dict())
    model.to(device)

    def losses(batch: tuple) -> tuple[torch.Tensor, int]:
        inputs, targets, mask, text, lengths = (part.to(device) for part in batch)
        return model.loss(inputs, targets, mask, text, lengths), int(batch[2].sum())

    def batches_of(turn: int) -> Iterable[tuple]:
        made = reference.batches(data.inks, data.texts, BATCH, turn + 1)
        return (batch for batch, _ in zip(made, range(batches), strict=False))

    chosen = middle_lines(data)
    inks, texts = [data.inks[i] for i in chosen], [data.texts[i] for i in chosen]
    middle = next(reference.batches(inks, texts, BATCH, 0))
    return timed(model, losses, batches_of, middle, device)


def middle_lines(data: Data) -> np.ndarray:
    """Return which lines have lengths nearest to the mean, a batch of them."""
    lengths = np.array([len(ink) for ink in data.inks])
    return np.argsort(np.abs(lengths - lengths.mean()), kind="stable")[:BATCH]


def timed(
    model: nn.Module,
    losses: Callable[[Any], tuple[torch.Tensor, int]],
    batches_of: Callable[[int], Iterable],
    middle: Any,
    device: torch.device,
) -> Run:
    """Return a turn.

    Args:
        model: that is trained.
        losses: of the lines of a batch, and their points.
        batches_of: a turn.
        middle: a batch of lines of mean length.
        device: of the model.
    """
    optimiser = torch.optim.Adam(model.parameters(), LEARNING_RATE)

    def step(batch: Any) -> int:
        of_lines, points = losses(batch)
        (of_lines.sum() / points).backward()
        nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
        optimiser.step()
        optimiser.zero_grad()
        return points

    def run(turn: int | None) -> float:
        if turn is None:
            before = peak_memory(device)
            step(middle)
            step(middle)
            return (peak_memory(device) - before) / 2**20
        start = time.perf_counter()
        points = sum(map(step, batches_of(turn)))
        synchronise(device)
        return points / (time.perf_counter() - start)

    return run


def run(arguments: Namespace) -> None:
    """Measure what was asked for."""
    device, limits = prepare(arguments)
    data, rows = Data.load(arguments.root, arguments.lines, arguments.scale), []
    print(data.name)
    for measure in arguments.only:
        conditional = measure != "training_unconditional"
        shared = data, conditional, arguments.hidden, device, arguments.batches

        def rivals(shared: tuple = shared) -> dict[str, Rival]:
            threads = arguments.threads
            ours = {str(v): Rival(make_ours, (*shared, v), v.compiled, threads) for v in limits}
            return ours | {"reference": Rival(make_reference, shared, True, threads)}

        if measure == MEMORY:
            answers: dict[str, list[float]] = {}
            for _ in range(min(arguments.rounds, 3)):
                for name, rival in rivals().items():
                    answers.setdefault(name, []).append(rival(None))
                    rival.close()
        else:
            answers = alternate(rivals(), arguments.rounds, measure)
        network = build(data, conditional, arguments.hidden)
        # Of each weight in a product: once forward, twice backward, two operations each time.
        work = 6 * sum(one.numel() for one in network.parameters() if one.dim() == 2)
        for variant, limit in limits.items():
            reached = ("MiB", None) if measure == MEMORY else ("points/s", limit / work)
            rows.append(row(measure, str(variant), answers, *reached))
    report(rows, arguments.json)


if __name__ == "__main__":
    options = parser(__doc__, MEASURES)
    options.add_argument("--batches", type=int, default=1, help="of the reference in a round")
    measures.main(run, options)
