"""Measures training and writing against plain PyTorch, in points per second.

The ways to run our networks (`PATHS`) and the reference take turns, with the paper's sizes.
A training step makes a batch of lines in memory, runs forward, loss and backward, clips the
gradient's norm, and runs Adam. The project's batches have lines of similar length, the reference's
batches have lines in random order. The networks that write are untrained, and their window moves so
slowly that no line ends before the limit; the time to prepare the weights counts.
"""

import os
import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.base_data_loader import Batch, padded
from base.step.device import resolve_device
from benchmarks import measures, reference
from commands.options import Parser, number
from data_loader import EmbeddedDataset
from data_loader.bucket_batch_sampler import BucketBatchSampler
from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from model import NegativeLogLikelihood, PredictionNetwork, Sampling, SynthesisNetwork, sample
from model.layers.kernels import library
from model.layers.kernels.build import SWITCH

QUANTILES = (31, 155, 311, 403, 479, 532, 577, 620, 664, 714, 776, 872, 956, 1141, 1454, 1940)
"""Quantiles of the number of points of IAM-OnDB's 11,845 lines (measured; mean: 628)."""
FRACTIONS = (0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1)
"""For each of `QUANTILES`, the fraction of lines with at most so many points (measured)."""
SEED = 0
PATHS = ("float32-compiled", "bfloat16-compiled", "float32-plain", "bfloat16-plain")
"""Ways to run our networks: precision of matrix products, with or without compiled kernels."""
REFERENCE = "reference"
TRAINING = ("training_conditional", "training_unconditional")
WRITING = {"sampling_64_conditional": (64, 1), "sampling_1_conditional": (1, 4)}
"""For each measure of writing, the number of lines of a call and the number of calls of a turn."""
BATCH_SIZE = 32
LEARNING_RATE = 1e-3
MAX_NORM = 10.0
ALPHABET = Alphabet([chr(ord(" ") + number) for number in range(83)])
"""The alphabet of the lines that are written, with one character more than IAM-OnDB has."""
TEXT_LENGTH = 29
"""Number of characters of a line that is written: the mean of IAM-OnDB."""
MeasureSpeed = Callable[[str, int], float]
"""Returns the points per second of a path, or of the reference, in a turn."""


class Data(NamedTuple):
    """Lines to train on.

    Attributes:
        inks: normalised ink of each line, `(points, 3)` float32.
        texts: indices of each line's characters, `(characters,)` int64.
        alphabet, normalisation: the alphabet and the normalisation of the lines.
    """

    inks: list[np.ndarray]
    texts: list[np.ndarray]
    alphabet: Alphabet
    normalisation: Normalisation

    def batch(self, numbers: np.ndarray) -> Batch:
        """Return some lines as a batch."""
        inputs, lengths = padded([self.inks[number][:-1] for number in numbers])
        targets, _ = padded([self.inks[number][1:] for number in numbers])
        text, text_lengths = padded([self.texts[number] for number in numbers])
        return Batch(inputs, targets, lengths, text, text_lengths, torch.from_numpy(numbers))

    @classmethod
    def make(cls, num_lines: int, scale: float) -> "Data":
        """Return synthetic lines with the lengths of IAM-OnDB's lines times `scale`."""
        size = 2 * num_lines
        source = EmbeddedDataset(seed=SEED, size=size, min_characters=30, max_characters=60)
        samples = source.load().used
        all_ink = np.concatenate([sample.ink for sample in samples])
        all_text = " ".join(sample.text for sample in samples)
        fractions = np.random.default_rng(SEED).random(num_lines)
        ends = np.interp(fractions, FRACTIONS, QUANTILES).round().astype(int).cumsum()
        text_ends = np.append(0, ends * len(all_text) // len(all_ink)).tolist()
        texts = [all_text[start:end] for start, end in pairwise(text_ends)]
        inks = [ink[: max(2, round(scale * len(ink)))] for ink in np.split(all_ink, ends)[:-1]]
        texts = [text[: max(1, round(scale * len(text)))] for text in texts]
        alphabet, normalisation = Alphabet.from_texts(texts), Normalisation.fit(inks)
        return cls(
            [normalisation.apply(ink) for ink in inks],
            [alphabet.encode(text) for text in texts],
            alphabet,
            normalisation,
        )


@contextmanager
def kernels_for(path: str) -> Iterator[None]:
    """A context in which the compiled kernels are off if the path is plain."""
    if not path.endswith("plain"):
        yield
        return
    no_kernels = mock.patch.object(library, "kernels", lambda bfloat16: None)
    with no_kernels, mock.patch.dict(os.environ, {SWITCH: "0"}):
        yield


def precision_of(path: str) -> Literal["float32", "bfloat16"]:
    """Return the precision of a path's matrix products."""
    return "bfloat16" if path.startswith("bfloat16") else "float32"


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Trainee:
    """A network in training: the project's on a path, or the reference with the same weights.

    Args:
        data: the lines.
        conditional: whether the network takes the texts.
        hidden: number of cells of a layer.
        device: the device of the training.
        path: one of `PATHS`, or `REFERENCE`.
    """

    def __init__(
        self, data: Data, conditional: bool, hidden: int, device: torch.device, path: str
    ) -> None:
        torch.manual_seed(SEED)
        if conditional:
            network = SynthesisNetwork(data.normalisation, data.alphabet, hidden_size=hidden)
        else:
            network = PredictionNetwork(data.normalisation, hidden_size=hidden)
        self.data, self.path, self.device = data, path, device
        self.model = (reference.reference_of(network) if path == REFERENCE else network).to(device)
        self.optimiser = torch.optim.Adam(self.model.parameters(), LEARNING_RATE)
        self.lengths = np.array([len(ink) - 1 for ink in data.inks])
        self.sampler = BucketBatchSampler(SEED, self.lengths, BATCH_SIZE, 100, True)

    def batches(self, turn: int, count: int) -> Iterable[np.ndarray]:
        """Return the indices of the lines of each batch of a turn: `count` batches for the
        reference, twice as many for the project's network."""
        if self.path != REFERENCE:
            return self.sampler.batches(turn + 1)[: 2 * count]
        order = np.random.default_rng(turn + 1).permutation(len(self.lengths))
        return np.split(order, range(BATCH_SIZE, len(order), BATCH_SIZE))[:count]

    def losses(self, batch: Batch) -> Tensor:
        """Return the loss of each line in nats."""
        if self.path == REFERENCE:
            points = batch.inputs[..., :3], batch.targets[..., :3], batch.mask
            return self.model.loss(*points, batch.text, batch.text_lengths)
        is_bfloat16 = precision_of(self.path) == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, is_bfloat16):
            output = self.model(batch.inputs, batch.text, batch.text_lengths)
        return NegativeLogLikelihood()(output, batch)

    def train(self, batches: Iterable[np.ndarray]) -> int:
        """Take a step for each batch; return the number of points of all batches."""
        total = 0
        for indices in batches:
            batch = self.data.batch(indices)
            points = batch.points
            (self.losses(batch.to(self.device)).sum() / points).backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), MAX_NORM)
            self.optimiser.step()
            self.optimiser.zero_grad()
            total += points
        synchronise(self.device)
        return total


def training(
    data: Data, conditional: bool, device: torch.device, arguments: Namespace
) -> MeasureSpeed:
    """Return a function that measures the speed of training."""
    trainees = {
        path: Trainee(data, conditional, arguments.hidden, device, path)
        for path in (*arguments.paths, REFERENCE)
    }

    def speed(path: str, turn: int) -> float:
        start = time.perf_counter()
        batches = trainees[path].batches(turn, arguments.batches)
        points = trainees[path].train(batches)
        return points / (time.perf_counter() - start)

    return speed


def writing(num_lines: int, calls: int, device: torch.device, arguments: Namespace) -> MeasureSpeed:
    """Return a function that measures the speed of `calls` calls that write `num_lines` each."""
    steps = max(1, round(arguments.steps * arguments.scale))
    torch.manual_seed(SEED)
    normalisation, hidden = Normalisation((8.0, 0.1), (42.0, 37.0)), arguments.hidden
    network = SynthesisNetwork(normalisation, ALPHABET, hidden_size=hidden, window_advance=0.01)
    network = network.eval().to(device)
    reference_network = reference.reference_of(network).to(device)
    codes = torch.randint(0, len(ALPHABET), (num_lines, TEXT_LENGTH))
    texts = list(map(ALPHABET.decode, codes.tolist()))

    def lengths(path: str, seed: int) -> list[int]:
        """Write the lines of a call; return the number of points of each line."""
        if path != REFERENCE:
            sampling, seeds = Sampling(bias=0.0, max_steps=steps), range(seed, seed + num_lines)
            lines = sample(network, seeds, texts, sampling, precision=precision_of(path))
            return [len(line.ink) - 1 for line in lines]
        start = torch.zeros(3, device=device)
        return [len(reference_network.sample(steps, start, text)) for text in codes.to(device)]

    def speed(path: str, turn: int) -> float:
        start = time.perf_counter()
        for call in range(calls):
            if set(lengths(path, 1000 * (turn + 1) + call)) != {steps}:
                raise RuntimeError(f"a line ended before step {steps}: speeds cannot be compared")
        synchronise(device)
        return calls * num_lines * steps / (time.perf_counter() - start)

    return speed


def measure_in_turn(
    speed: MeasureSpeed, paths: Sequence[str], rounds: int, measure: str
) -> dict[str, list[float]]:
    """Return the speeds of each path in all rounds. Round -1, a warm-up, is left out; the order of
    the paths is reversed in every second round."""
    speeds: dict[str, list[float]] = {path: [] for path in paths}
    for turn in tqdm(range(-1, rounds), measure, leave=False):
        for path in paths if turn % 2 else reversed(paths):
            with kernels_for(path):
                speeds[path].append(speed(path, turn))
    return {path: values[1:] for path, values in speeds.items()}


def row(measure: str, path: str, speeds: Sequence[float], references: Sequence[float]) -> str:
    """Return a row of the table: the medians of a path's and of the reference's speeds in all
    rounds, the ratio of the medians, and the lowest and the highest ratio of a round."""
    ratios = [ours / theirs for ours, theirs in zip(speeds, references, strict=True)]
    speed, reference_speed = statistics.median(speeds), statistics.median(references)
    return (
        f"{measure:<25}{path:<18}{speed:>10,.0f}, reference {reference_speed:>8,.0f} points/s  "
        f"ratio {speed / reference_speed:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )


def run(arguments: Namespace) -> None:
    """Take the measures that --only names, and print the table."""
    device = resolve_device(arguments.device)
    torch.set_num_threads(arguments.threads)
    print(f"PyTorch {torch.__version__} on {device}, {arguments.threads} threads")
    if device.type == "cpu" and library.kernels(False) is None:
        print("no C compiler found: compiled paths run without compiled kernels")
    if not {*arguments.only}.isdisjoint(TRAINING):
        data = Data.make(arguments.lines, arguments.scale)
    for measure in arguments.only:
        if measure in TRAINING:
            speed = training(data, measure == "training_conditional", device, arguments)
        else:
            speed = writing(*WRITING[measure], device, arguments)
        speeds = measure_in_turn(speed, (*arguments.paths, REFERENCE), arguments.rounds, measure)
        references = speeds.pop(REFERENCE)
        for path, path_speeds in speeds.items():
            print(row(measure, path, path_speeds, references))


if __name__ == "__main__":
    parser = Parser(description=__doc__)
    add, positive, names = parser.add_argument, number(int, 1), (*TRAINING, *WRITING)
    add("--device", default="cpu", help="cpu, cuda or cuda:N")
    add("--rounds", type=positive, default=5, help="rounds after the warm-up (default: 5)")
    add("--only", nargs="+", choices=names, default=names, help="measures (default: all)")
    add("--paths", nargs="+", default=PATHS, choices=PATHS, help="paths to measure (default: all)")
    add("--threads", type=positive, default=torch.get_num_threads())
    add("--lines", type=positive, default=640, help="lines to train on (default: 640)")
    add(
        "--batches",
        type=positive,
        default=1,
        help="batches in each turn of the reference (default: 1)",
    )
    add("--steps", type=positive, default=256, help="points of a written line (default: 256)")
    add("--hidden", type=positive, default=400, help="cells of a layer (default: 400)")
    add("--scale", type=number(float, 0.001, 1), default=1.0, help="factor on lengths of lines")
    measures.main(run, parser)
