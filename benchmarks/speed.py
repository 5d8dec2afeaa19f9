"""Training and writing, against plain PyTorch in the same run: points per second.

The project's paths and the reference take turns, with networks of the paper's size. A step of a
training is: making a batch of lines in memory, forward, loss, backward, bounding the gradient's
norm, and Adam. The project's batches have lines of like length, the reference's batches lines in
random order. The networks that write are fresh, and their window moves so slowly that no line ends
before the limit; the time to prepare the weights counts.
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

from base.base_data_loader import Batch, BucketBatchSampler
from base.device import resolve_device
from benchmarks import measures, reference
from commands.options import Parser, number
from data_loader import EmbeddedDataset
from data_loader.data_loaders import collate
from model import NegativeLogLikelihood, PredictionNetwork, Sampling, SynthesisNetwork, sample
from model.layers.kernels import library
from model.layers.kernels.build import SWITCH
from utils.alphabet import Alphabet
from utils.normalisation import Normalisation

LENGTHS = (31, 155, 311, 403, 479, 532, 577, 620, 664, 714, 776, 872, 956, 1141, 1454, 1940)
"""Points of IAM-OnDB's lines (measured over 11,845 lines; their mean is 628)."""
FRACTIONS = (0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1)
"""Fractions of the lines that have at most `LENGTHS` points (measured, as above)."""
SEED = 0
PATHS = ("float32-compiled", "bfloat16-compiled", "float32-plain", "bfloat16-plain")
"""Paths of the project: precisions of the matrix products, with or without compiled kernels."""
REFERENCE = "reference"
TRAINING = ("training_conditional", "training_unconditional")
SAMPLING = {"sampling_64_conditional": (64, 1), "sampling_1_conditional": (1, 4)}
"""Measures of writing by name: lines of a call, and calls of a turn."""
BATCH = 32
LEARNING_RATE = 1e-3
MAX_NORM = 10.0
ALPHABET = Alphabet([chr(ord(" ") + number) for number in range(83)])
"""The alphabet of the lines that are written, with a character more than IAM-OnDB's."""
TEXT = 29
"""Characters of a line that is written: the mean of IAM-OnDB."""
Speed = Callable[[str, int], float]
"""Returns the points per second of a path in a round."""


class Data(NamedTuple):
    """Lines to train on.

    Attributes:
        inks: `(N, 3)` float32, normalised.
        texts: indices of each line's characters, int64.
        alphabet, normalisation: of the lines.
    """

    inks: list[np.ndarray]
    texts: list[np.ndarray]
    alphabet: Alphabet
    normalisation: Normalisation

    @classmethod
    def make(cls, lines: int, scale: float) -> "Data":
        """Return embedded lines, concatenated and cut to IAM-OnDB's lengths, and to a fraction
        `scale` of these."""
        source = EmbeddedDataset(seed=SEED, size=2 * lines, min_characters=30, max_characters=60)
        samples = source.load().used
        ink = np.concatenate([sample.ink for sample in samples])
        text = " ".join(sample.text for sample in samples)
        fractions = np.random.default_rng(SEED).random(lines)
        ends = np.interp(fractions, FRACTIONS, LENGTHS).round().astype(int).cumsum()
        starts = np.append(0, ends * len(text) // len(ink))
        texts = [text[start:end] for start, end in pairwise(starts.tolist())]
        inks = [part[: max(2, round(scale * len(part)))] for part in np.split(ink, ends)[:-1]]
        texts = [part[: max(1, round(scale * len(part)))] for part in texts]
        alphabet, normalisation = Alphabet.from_texts(texts), Normalisation.fit(inks)
        return cls(
            [normalisation.apply(ink) for ink in inks],
            [alphabet.encode(text) for text in texts],
            alphabet,
            normalisation,
        )


@contextmanager
def kernels_of(path: str) -> Iterator[None]:
    """A context in which the compiled kernels are turned off for a plain path."""
    if not path.endswith("plain"):
        yield
        return
    without = mock.patch.object(library, "kernels", lambda bfloat16: None)
    with without, mock.patch.dict(os.environ, {SWITCH: "0"}):
        yield


def precision_of(path: str) -> Literal["float32", "bfloat16"]:
    """Return the precision of a path's matrix products."""
    return "bfloat16" if path.startswith("bfloat16") else "float32"


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Rival:
    """A network that is trained: the project's on a path, or the reference with the same weights.

    Args:
        data: the lines.
        conditional: whether the network is told the texts.
        hidden: cells of a layer.
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


def training(data: Data, conditional: bool, device: torch.device, arguments: Namespace) -> Speed:
    """Return the speed of training."""
    rivals = {
        path: Rival(data, conditional, arguments.hidden, device, path)
        for path in (*arguments.paths, REFERENCE)
    }

    def speed(path: str, turn: int) -> float:
        start = time.perf_counter()
        points = rivals[path].train(rivals[path].batches(turn, arguments.batches))
        return points / (time.perf_counter() - start)

    return speed


def writing(lines: int, calls: int, device: torch.device, arguments: Namespace) -> Speed:
    """Return the speed of writing `lines` lines in each of `calls` calls."""
    steps = max(1, round(arguments.steps * arguments.scale))
    torch.manual_seed(SEED)
    normalisation, hidden = Normalisation((8.0, 0.1), (42.0, 37.0)), arguments.hidden
    ours = SynthesisNetwork(normalisation, ALPHABET, hidden_size=hidden, window_advance=0.01)
    ours, plain = ours.eval().to(device), reference.copied(ours).to(device)
    codes = torch.randint(0, len(ALPHABET), (lines, TEXT))
    texts = list(map(ALPHABET.decode, codes.tolist()))

    def lengths(path: str, seed: int) -> list[int]:
        """Return the number of points of each line that a call writes; the reference writes one
        line after the other."""
        if path != REFERENCE:
            sampling, seeds = Sampling(bias=0.0, max_steps=steps), range(seed, seed + lines)
            written = sample(ours, seeds, texts, sampling, precision=precision_of(path))
            return [len(line.ink) - 1 for line in written]
        start = torch.zeros(3, device=device)
        return [len(plain.sample(steps, start, text)) for text in codes.to(device)]

    def speed(path: str, turn: int) -> float:
        start = time.perf_counter()
        for call in range(calls):
            if set(lengths(path, 1000 * (turn + 1) + call)) != {steps}:
                raise RuntimeError("a line ended early: the rivals did not do the same")
        synchronise(device)
        return calls * lines * steps / (time.perf_counter() - start)

    return speed


def alternate(
    speed: Speed, paths: Sequence[str], rounds: int, measure: str
) -> dict[str, list[float]]:
    """Return the speeds of each path in all rounds, after a warm-up, which is round -1. The paths
    take turns in changing order."""
    answers: dict[str, list[float]] = {path: [] for path in paths}
    for turn in tqdm(range(-1, rounds), measure, leave=False):
        for path in paths[:: 1 if turn % 2 else -1]:
            with kernels_of(path):
                answers[path].append(speed(path, turn))
    return {path: values[1:] for path, values in answers.items()}


def row(measure: str, path: str, values: Sequence[float], rivals: Sequence[float]) -> str:
    """Return a row of the table, from the speeds of a path and of the reference in all rounds:
    their medians, the ratio of these, and the lowest and the highest ratio of a round."""
    ratios = [ours / plain for ours, plain in zip(values, rivals, strict=True)]
    ours, plain = statistics.median(values), statistics.median(rivals)
    return (
        f"{measure:<25}{path:<18}{ours:>10,.0f}, reference {plain:>8,.0f} points/s  "
        f"ratio {ours / plain:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )


def run(arguments: Namespace) -> None:
    """Take the measures of --only, and print the table."""
    device = resolve_device(arguments.device)
    torch.set_num_threads(arguments.threads)
    print(f"PyTorch {torch.__version__} on {device}, {arguments.threads} threads")
    if device.type == "cpu" and library.kernels(False) is None:
        print("no C compiler was found: compiled paths run as plain ones")
    if not {*arguments.only}.isdisjoint(TRAINING):
        data = Data.make(arguments.lines, arguments.scale)
    for measure in arguments.only:
        if measure in TRAINING:
            speed = training(data, measure == "training_conditional", device, arguments)
        else:
            speed = writing(*SAMPLING[measure], device, arguments)
        answers = alternate(speed, (*arguments.paths, REFERENCE), arguments.rounds, measure)
        rivals = answers.pop(REFERENCE)
        for path, values in answers.items():
            print(row(measure, path, values, rivals))


if __name__ == "__main__":
    parser = Parser(description=__doc__)
    add, positive, names = parser.add_argument, number(int, 1), (*TRAINING, *SAMPLING)
    add("--device", default="cpu", help="cpu, cuda or cuda:N")
    add("--rounds", type=positive, default=5, help="rounds, after one warm-up round")
    add("--only", nargs="+", choices=names, default=names)
    add("--paths", nargs="+", default=PATHS, choices=PATHS, help="of ours (default: all)")
    add("--threads", type=positive, default=torch.get_num_threads())
    add("--lines", type=positive, default=640, help="lines to draw batches from")
    add("--batches", type=positive, default=1, help="of the reference in a round of training")
    add("--steps", type=positive, default=256, help="of a line that is written")
    add("--hidden", type=positive, default=400, help="cells of a layer (default: 400)")
    add("--scale", type=number(float, 0.001, 1), default=1.0, help="cut all lines to this")
    measures.main(run, parser)
