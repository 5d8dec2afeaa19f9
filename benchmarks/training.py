"""Training, against plain PyTorch in the same run: real points per second, and peak memory.

The project's paths and the reference take turns; memory is measured in a new process. A step is:
making a batch of lines in memory, forward, loss, backward, bounding the gradient's norm, and Adam.
The project's batches have lines of like length, the reference's batches lines in random order.
"""

import sys
import time
from argparse import Namespace
from collections.abc import Iterable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.base_data_loader import Batch, BucketBatchSampler
from benchmarks import measures, reference
from benchmarks.speed import (
    REFERENCE,
    SEED,
    Data,
    alternate,
    kernels_of,
    parser,
    peak_memory,
    precision_of,
    prepare,
    report,
    rows_of,
    synchronise,
)
from data_loader.data_loaders import collate
from model import NegativeLogLikelihood, PredictionNetwork, SynthesisNetwork

MEMORY = "peak_memory_training_conditional"
MEASURES = ("training_conditional", "training_unconditional", MEMORY)
BATCH = 32
LEARNING_RATE = 1e-3
MAX_NORM = 10.0


def build(data: Data, conditional: bool, hidden: int) -> PredictionNetwork | SynthesisNetwork:
    """Return the project's network of the paper's size."""
    torch.manual_seed(SEED)
    if conditional:
        return SynthesisNetwork(data.normalisation, data.alphabet, hidden_size=hidden)
    return PredictionNetwork(data.normalisation, hidden_size=hidden)


class Rival:
    """A network that is trained: the project's on a path, or the reference with the same weights.

    Args:
        data: the lines.
        network: the project's network.
        device: the device of the training.
        path: one of `PATHS`, or `REFERENCE`.
    """

    def __init__(self, data: Data, network: nn.Module, device: torch.device, path: str) -> None:
        self.data, self.path, self.device = data, path, device
        self.model = (reference.copied(network) if path == REFERENCE else network).to(device)
        self.optimiser = torch.optim.Adam(self.model.parameters(), LEARNING_RATE)
        self.lengths = np.array([len(ink) - 1 for ink in data.inks])
        self.sampler = BucketBatchSampler(SEED, self.lengths, BATCH, 100, True)

    def batches(self, turn: int, count: int) -> Iterable[np.ndarray]:
        """Return the lines of each batch of a turn: `count` batches for the reference, twice as
        many for the project's network."""
        if self.path != REFERENCE:
            return self.sampler.batches(turn + 1)[: 2 * count]
        order = np.random.default_rng(turn + 1).permutation(len(self.lengths))
        return np.split(order, range(BATCH, len(order), BATCH))[:count]

    def losses(self, batch: Batch) -> Tensor:
        """Return the nats of each line."""
        if self.path == REFERENCE:
            points = batch.inputs[..., :3], batch.targets[..., :3], batch.mask
            return self.model.loss(*points, batch.text, batch.text_lengths)
        reduced = precision_of(self.path) == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, reduced):
            output = self.model(batch.inputs, batch.text, batch.text_lengths)
        return NegativeLogLikelihood()(output, batch)

    def train(self, batches: Iterable[np.ndarray]) -> int:
        """Take a step over each batch of lines; return their points."""
        total = 0
        for numbers in batches:
            lines = ((self.data.inks[i], self.data.texts[i], i) for i in numbers.tolist())
            batch = collate([(ink[:-1], ink[1:], text, i, -1, {}) for ink, text, i in lines])
            points = batch.points
            (self.losses(batch.to(self.device)).sum() / points).backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), MAX_NORM)
            self.optimiser.step()
            self.optimiser.zero_grad()
            total += points
        synchronise(self.device)
        return total


def memory_of(data: Data, hidden: int, device: torch.device, path: str, threads: int) -> float:
    """Return the MiB that two steps over lines of about mean length take; call in a new process."""
    torch.set_num_threads(threads)
    rival = Rival(data, build(data, True, hidden), device, path)
    deviations = np.abs(rival.lengths - rival.lengths.mean())
    with kernels_of(path):
        initial = peak_memory(device)
        rival.train([np.argsort(deviations, kind="stable")[:BATCH]] * 2)
    return (peak_memory(device) - initial) / 2**20


def run(arguments: Namespace) -> None:
    """Take the measures of --only, and report them."""
    device, rows = prepare(arguments), []
    data, hidden = Data.load(arguments.root, arguments.lines, arguments.scale), arguments.hidden
    print(data.name)
    for measure in arguments.only:
        paths = (*arguments.paths, REFERENCE)
        if measure == MEMORY:
            answers = {}
            for path in paths:
                with get_context("spawn").Pool(1) as pool:
                    task = data, hidden, device, path, arguments.threads
                    answers[path] = [pool.apply(memory_of, task)]
            rows += rows_of(measure, "MiB", answers)
            continue
        conditional = measure == "training_conditional"
        networks = {path: build(data, conditional, hidden) for path in paths}
        rivals = {path: Rival(data, network, device, path) for path, network in networks.items()}

        def speed(path: str, turn: int, rivals: dict[str, Rival] = rivals) -> float:
            start = time.perf_counter()
            points = rivals[path].train(rivals[path].batches(turn, arguments.batches))
            return points / (time.perf_counter() - start)

        rows += rows_of(measure, "points/s", alternate(speed, paths, arguments.rounds, measure))
    report(rows, arguments.json)


if __name__ == "__main__":
    options = parser(__doc__, MEASURES)
    options.add_argument("--batches", type=int, default=1, help="of the reference in a round")
    measures.main(run, options)
