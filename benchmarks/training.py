"""Training, against plain PyTorch in the same run: real points per second, and peak memory.

Each rival runs in a process of its own; they take turns. A step is: making a batch of lines in
memory, forward, loss, backward, bounding the gradient's norm, and Adam.
"""

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.base_data_loader import Batch, BucketBatchSampler
from benchmarks import reference
from benchmarks.measure import (
    SEED,
    Data,
    Process,
    Row,
    Way,
    alternate,
    main,
    make_row,
    parser,
    peak_memory,
    product_speed,
    synchronise,
    ways,
)
from data_loader.data_loaders import collate
from model import NegativeLogLikelihood, PredictionNetwork, SynthesisNetwork

MEASURES = (
    "training_conditional",
    "training_unconditional",
    "peak_memory_training_conditional",
)
BATCH = 32
LEARNING_RATE = 1e-3
MAX_NORM = 10.0


def build(data: Data, conditional: bool, hidden: int) -> PredictionNetwork | SynthesisNetwork:
    """Return the project's network of the paper's size."""
    torch.manual_seed(SEED)
    if conditional:
        return SynthesisNetwork(data.normalisation, data.alphabet, hidden_size=hidden)
    return PredictionNetwork(data.normalisation, hidden_size=hidden)


def make_ours(
    data: Data, conditional: bool, hidden: int, device: torch.device, way: Way, batches: int
) -> Callable[[int], float]:
    """Return a function that trains some steps and returns real points per second; called with
    -2, it returns the peak of the memory that two steps over lines of mean length take."""
    model = build(data, conditional, hidden).to(device)
    loss, optimiser = NegativeLogLikelihood(), torch.optim.Adam(model.parameters(), LEARNING_RATE)
    lengths = np.array([len(ink) - 1 for ink in data.inks])
    sampler = BucketBatchSampler(SEED, BATCH, 100, True)
    sampler.fill(np.arange(len(lengths)), lengths)

    def make(indices: np.ndarray) -> Batch:
        lines = ((data.inks[i], data.texts[i], i) for i in indices.tolist())
        return collate([(ink[:-1], ink[1:], text, i) for ink, text, i in lines])

    def step(batch: Batch) -> int:
        points, batch = batch.points, batch.to(device)
        bfloat16 = way.precision == "bfloat16"
        with torch.autocast(device.type, torch.bfloat16) if bfloat16 else nullcontext():
            output = model(batch.inputs, batch.text, batch.text_lengths)
        (loss(output, batch).sum() / points).backward()
        nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
        optimiser.step()
        optimiser.zero_grad()
        return points

    def batches_of(number: int) -> Iterator[Batch]:
        return (make(indices) for indices in sampler.batches(number + 1)[:batches])

    def middle() -> Batch:
        return make(middle_lines(lengths))

    return timed(step, batches_of, middle, device)


def make_reference(
    data: Data, conditional: bool, hidden: int, device: torch.device, batches: int
) -> Callable[[int], float]:
    """Return the same of the reference, with the same weights."""
    own = build(data, conditional, hidden)
    letters = len(data.alphabet) if conditional else None
    model = reference.Network(letters, hidden, min_scale=tuple(own.min_scales.tolist()))
    reference.load(model, own.state_dict())
    del own
    model.to(device)
    optimiser = torch.optim.Adam(model.parameters(), LEARNING_RATE)

    def step(batch: tuple) -> int:
        points = int(batch[2].sum())
        inputs, targets, mask, text, lengths = (part.to(device) for part in batch)
        (model.loss(inputs, targets, mask, text, lengths).sum() / points).backward()
        nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
        optimiser.step()
        optimiser.zero_grad()
        return points

    def batches_of(number: int) -> Iterator[tuple]:
        made = reference.batches(data.inks, data.texts, BATCH, number + 1)
        return (batch for batch, _ in zip(made, range(batches), strict=False))

    def middle() -> tuple:
        chosen = middle_lines(np.array([len(ink) - 1 for ink in data.inks]))
        inks, texts = [data.inks[i] for i in chosen], [data.texts[i] for i in chosen]
        return next(reference.batches(inks, texts, BATCH, 0))

    return timed(step, batches_of, middle, device)


def middle_lines(lengths: np.ndarray) -> np.ndarray:
    """Return which lines have lengths nearest to the mean, a batch of them."""
    return np.argsort(np.abs(lengths - lengths.mean()), kind="stable")[:BATCH]


def timed(
    step: Callable, batches_of: Callable, middle: Callable, device: torch.device
) -> Callable[[int], float]:
    """Return what `make_ours` describes."""

    def run(number: int) -> float:
        if number == MEMORY:
            batch = middle()
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            before = memory_now(device)
            for _ in range(2):
                step(batch)
            return (peak_memory(device) - before) / 2**20
        start, points = time.perf_counter(), 0
        for batch in batches_of(number):
            points += step(batch)
        synchronise(device)
        return points / (time.perf_counter() - start)

    return run


MEMORY = -2


def memory_now(device: torch.device) -> int:
    """Return what is in use now, in bytes."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    status = Path("/proc/self/statm")
    if not status.exists():
        return peak_memory(device)
    import resource

    return int(status.read_text().split()[1]) * resource.getpagesize()


def run(arguments: Namespace) -> list[Row]:
    """Measure what was asked for."""
    device, threads = arguments.device, arguments.threads
    data = Data.load(arguments.root, arguments.cache, arguments.lines, arguments.scale)
    print(data.name)
    found = ways(arguments.paths, device, "bfloat16")
    limits = {way: product_speed(device, getattr(torch, way.precision)) for way in found}
    rows = []

    def rivals(conditional: bool) -> dict[str, Process]:
        shared = data, conditional, arguments.hidden, device
        made = {
            str(way): Process(
                make_ours, (*shared, way, 2 * arguments.batches), way.compiled, threads
            )
            for way in found
        }
        other = Process(make_reference, (*shared, arguments.batches), True, threads)
        return made | {"reference": other}

    for measure in arguments.only:
        if measure == "peak_memory_training_conditional":
            answers: dict[str, list[float]] = {}
            for _ in range(min(arguments.rounds, 3)):
                for name, rival in rivals(True).items():
                    answers.setdefault(name, []).append(rival(MEMORY))
                    rival.close()
        else:
            conditional = measure == "training_conditional"
            processes = rivals(conditional)
            answers = alternate(processes, arguments.rounds, measure)
            for rival in processes.values():
                rival.close()
            network = build(data, conditional, arguments.hidden)
            # Of each weight in a product: once forward, twice backward, two operations each time.
            work = 6 * sum(one.numel() for one in network.parameters() if one.dim() == 2)
        for way in found:
            share = None
            if measure != "peak_memory_training_conditional":
                limit = limits[way]
                share = lambda rate, limit=limit, work=work: rate * work / limit  # noqa: E731
            rows.append(
                make_row(
                    measure,
                    device,
                    str(way),
                    answers[str(way)],
                    answers["reference"],
                    "MiB" if share is None else "points/s",
                    data.name,
                    share,
                )
            )
    return rows


if __name__ == "__main__":
    options = parser(__doc__, MEASURES)
    options.add_argument("--batches", type=int, default=1, help="of the reference in a round")
    main(run, options.parse_args())
