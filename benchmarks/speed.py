"""Measures training, writing and reading against plain PyTorch, in points per second.

The ways to run our networks (`PATHS`) and `plain.py` in both precisions (`PLAIN`) take turns. A
training is that of a ready config, with its network, augmentation and batches; each turn takes the
same batches of all, and ours makes them while the clock runs. The lines of a config of IAM-OnDB are
synthetic and have the lengths of IAM-OnDB's. The share is that of the operations a second of the
fastest matrix product in the same run (`product_limit`); padding does not count.
"""

import copy
import os
import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Literal, NamedTuple
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.base_data_loader import Batch
from base.base_dataset import SPLITS, BaseDataset, Loaded
from base.base_loss import BaseLoss
from base.base_model import BaseModel
from base.step.device import resolve_device
from benchmarks import plain
from commands.shared import scripts as measures
from commands.shared.options import Parser
from data_loader import EmbeddedDataset
from data_loader.pipeline import Data
from ink.sample import Sample
from model import Sampling, sample
from model.layers.kernels import library
from model.layers.kernels.build import KERNELS_SWITCH
from parse_config import Plan, plan_from_file
from utils.checks import number

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
QUANTILES = (31, 155, 311, 403, 479, 532, 577, 620, 664, 714, 776, 872, 956, 1141, 1454, 1940)
"""Quantiles of the number of points of IAM-OnDB's 11,845 lines (measured; mean: 628)."""
FRACTIONS = (0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1)
"""For each of `QUANTILES`, the fraction of lines with at most so many points (measured)."""
SEED = 0
PATHS = ("float32-compiled", "bfloat16-compiled", "float32-uncompiled", "bfloat16-uncompiled")
"""Ways to run our networks: precision of matrix products, with or without compiled kernels."""
PLAIN = ("float32-plain", "bfloat16-plain")
"""Ways to run the networks of `plain.py`: their products, in bfloat16 by autocast."""
TRAINING = (
    "iam_unconditional",
    "iam_conditional",
    "iam_recognition_ctc",
    "iam_recognition",
    "unconditional",
    "conditional",
    "recognition_ctc",
    "recognition",
)
"""The configs whose training is measured."""
WRITING = {"writing_64": (64, 1), "writing_1": (1, 4)}
"""For each measure of writing, the number of lines of a call and the number of calls of a turn."""
READING = {"reading_64": (64, 1), "reading_1": (1, 8)}
"""For each measure of reading, the number of lines of a call and the number of calls of a turn."""
MEASURES = (*TRAINING, *WRITING, *READING)
LEARNING_RATE = 1e-3
MAX_NORM = 10.0
TEXT_LENGTH = 29
"""Number of characters of a line that is written: the mean of IAM-OnDB."""
PRODUCT = (1024, 1600, 1600)
"""Rows, depth and columns of the product that gives the limit: those of 1,024 points and the gates
of 400 cells."""


class Task(NamedTuple):
    """A task whose speed is measured: training, writing or reading.

    Attributes:
        speed: returns the points per second of a path in a turn.
        operations: of the products for a point: the multiplications and the additions.
    """

    speed: Callable[[str, int], float]
    operations: float


@dataclass
class Lines(BaseDataset):
    """Synthetic lines with the lengths of IAM-OnDB's lines times `scale`."""

    size: int
    scale: float = 1.0

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Return the lines, the same in each split."""
        source = EmbeddedDataset(
            seed=SEED, size=2 * self.size, min_characters=30, max_characters=60
        )
        samples = source.load(["train"]).used
        all_ink = np.concatenate([sample.ink for sample in samples])
        all_text = " ".join(sample.text for sample in samples)
        fractions = np.random.default_rng(SEED).random(self.size)
        ends = np.interp(fractions, FRACTIONS, QUANTILES).round().astype(int).cumsum()
        text_ends = np.append(0, ends * len(all_text) // len(all_ink)).tolist()
        texts = [all_text[start:end] for start, end in pairwise(text_ends)]
        lines = []
        for text, ink in zip(texts, np.split(all_ink, ends)[:-1], strict=True):
            ink = ink[: max(2, round(self.scale * len(ink)))].copy()
            ink[0, :2] = 0.0
            text = text[: max(1, round(self.scale * len(text)))].strip() or "a"
            lines.append(Sample(ink, text, f"line-{len(lines)}"))
        return Loaded(dict.fromkeys(splits, lines), "synthetic lines")


@contextmanager
def kernels_for(path: str) -> Iterator[None]:
    """Switch the compiled kernels off within a context, if the path says so."""
    if not path.endswith("uncompiled"):
        yield
        return
    no_kernels = mock.patch.object(library, "kernels", lambda bfloat16: None)
    with no_kernels, mock.patch.dict(os.environ, {KERNELS_SWITCH: "0"}):
        yield


def precision_of(path: str) -> Literal["float32", "bfloat16"]:
    """Return the precision of a path's matrix products."""
    return "bfloat16" if path.startswith("bfloat16") else "float32"


def products_of(path: str, device: torch.device) -> torch.autocast:
    """Return a context in which matrix products have a path's precision."""
    return torch.autocast(device.type, torch.bfloat16, precision_of(path) == "bfloat16")


def plain_paths(device: torch.device) -> list[str]:
    """Return the paths of `PLAIN` that the device can run.

    On a processor without AVX-512 oneDNN has no `nn.LSTM` in bfloat16.
    """
    layer = nn.LSTM(1, 1).to(device)
    inputs = torch.zeros(1, 1, 1, device=device)
    paths = []
    for path in PLAIN:
        with suppress(RuntimeError), products_of(path, device):
            layer(inputs)
            paths.append(path)
    return paths


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def operations_of(compute: Callable[[], object]) -> int:
    """Return the multiplications and additions of the matrix products of `compute`."""
    # Without oneDNN torch computes an `nn.LSTM` by products, which can be counted.
    counter = FlopCounterMode(display=False)
    no_onednn = torch.backends.mkldnn.flags(enabled=False)
    with no_onednn, torch.no_grad(), counter:
        compute()
    return counter.get_total_flops()


class Trainee:
    """A network in training: the project's, or that of `plain.py` with the same weights.

    Args:
        network: the project's network.
        loss: the project's loss.
        device: the device of the training.
        path: one of `PATHS` or of `PLAIN`.
    """

    def __init__(self, network: BaseModel, loss: BaseLoss, device: torch.device, path: str) -> None:
        self.path = path
        self.device = device
        self.loss = loss
        network = plain.network_of(network) if path in PLAIN else copy.deepcopy(network)
        self.model = network.to(device).train()
        self.optimiser = torch.optim.Adam(self.model.parameters(), LEARNING_RATE)

    def losses(self, batch: Batch) -> Tensor:
        """Return the loss of each line in nats."""
        texts = (batch.text, batch.text_lengths)
        generates = batch.targets is not None
        with products_of(self.path, self.device):
            if self.path in PLAIN and generates:
                points = batch.inputs[..., :3], batch.targets[..., :3], batch.mask
                return self.model.loss(*points, *texts)
            if self.path in PLAIN:
                return self.model.loss(batch.inputs, batch.lengths, *texts)
            lengths = () if generates else (batch.lengths,)
            output = self.model(batch.inputs, *lengths, *texts)
        return self.loss(output, batch)

    def train(self, batches: Iterable[Batch]) -> None:
        """Take a step for each batch."""
        for batch in batches:
            batch = batch.to(self.device)
            (self.losses(batch).sum() / len(batch)).backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), MAX_NORM)
            self.optimiser.step()
            self.optimiser.zero_grad()
        synchronise(self.device)


def prepared(name: str, arguments: Namespace) -> tuple[Plan, Data]:
    """Return a ready config, and its data; `Lines` stand for the lines of IAM-OnDB."""
    plan = plan_from_file(CONFIGS / f"{name}.json")
    loader = plan.build("data_loader", origin=None)
    if loader.sources is None:
        dataset = replace(loader.dataset, size=arguments.lines, valid_size=1, test_size=1)
    else:
        dataset = Lines(arguments.lines, arguments.scale)
    without = dict(sources=None, train=(), valid=(), test=())
    return plan, replace(loader, dataset=dataset, **without).load(seed=SEED)


def network_of(plan: Plan, data: Data) -> BaseModel:
    """Return the new network of a config for its data."""
    torch.manual_seed(SEED)
    return plan.build("arch", normalisation=data.normalisation, alphabet=data.alphabet)


def training(name: str, device: torch.device, arguments: Namespace) -> Task:
    """Return the task of training a ready config."""
    plan, data = prepared(name, arguments)
    network = network_of(plan, data)
    loss = plan.build("loss")
    loader = data.training_loader(network.features)
    paths = (*arguments.paths, *plain_paths(device))
    trainees = {path: Trainee(network, loss, device, path) for path in paths}

    def batches(turn: int) -> Iterator[Batch]:
        return islice(loader.batches(turn + 1), arguments.batches)

    def speed(path: str, turn: int) -> float:
        prepared_batches = list(batches(turn))
        points = sum(batch.points for batch in prepared_batches)
        start = arguments.clock()
        # Ours makes its batches while the clock runs.
        trainees[path].train(prepared_batches if path in PLAIN else batches(turn))
        return points / (arguments.clock() - start)

    # The backward pass has twice the products of the forward pass.
    counted = Trainee(network, loss, torch.device("cpu"), PLAIN[0])
    line = next(iter(loader)).map(lambda values: values[:1])
    operations = 3 * operations_of(lambda: counted.losses(line))
    return Task(speed, operations / line.inputs.shape[1])


def writing(num_lines: int, calls: int, device: torch.device, arguments: Namespace) -> Task:
    """Return the task of `calls` calls that write `num_lines` each."""
    steps = max(1, round(arguments.steps * arguments.scale))
    plan, data = prepared("iam_conditional", arguments)
    # So slow a window that no line ends before the limit.
    network = network_of(plan.with_values({"arch.args.window_advance": 0.01}), data).eval()
    plain_network = plain.network_of(network).to(device)
    network.to(device)
    alphabet = data.alphabet
    codes = torch.randint(0, len(alphabet), (num_lines, TEXT_LENGTH), device=device)
    lengths = torch.full((num_lines,), TEXT_LENGTH, device=device)
    texts = list(map(alphabet.decode, codes.tolist()))

    def has_ended(path: str, seed: int) -> bool:
        """Write the lines of a call; return whether a line ended before the limit."""
        if path in PLAIN:
            with products_of(path, device):
                start = torch.zeros(3, device=device)
                _, are_ended = plain_network.write(steps, start, codes, lengths)
            return bool(are_ended.any())
        sampling = Sampling(bias=0.0, max_steps=steps)
        seeds = range(seed, seed + num_lines)
        lines = sample(network, seeds, texts, sampling, precision=precision_of(path))
        return {len(line.ink) - 1 for line in lines} != {steps}

    def speed(path: str, turn: int) -> float:
        start = arguments.clock()
        for call in range(calls):
            if has_ended(path, 1000 * (turn + 1) + call):
                raise RuntimeError(f"a line ended before step {steps}: speeds cannot be compared")
        synchronise(device)
        return calls * num_lines * steps / (arguments.clock() - start)

    start = torch.zeros(3, device=device)
    operations = operations_of(lambda: plain_network.write(2, start, codes, lengths))
    return Task(speed, operations / (2 * num_lines))


def reading(num_lines: int, calls: int, device: torch.device, arguments: Namespace) -> Task:
    """Return the task of `calls` calls that read `num_lines` each, of about equal lengths."""
    plan, data = prepared("iam_recognition_ctc", arguments)
    network = network_of(plan, data).eval()
    plain_network = plain.network_of(network).to(device).eval()
    network.to(device)
    inks = sorted((line.ink for line in data.training), key=len)
    middle = max(0, (len(inks) - num_lines * calls) // 2)
    inks = inks[middle : middle + num_lines * calls]
    parts = [inks[n : n + num_lines] for n in range(0, len(inks), num_lines)]
    batches = [network.batched(list(map(network.features, part))) for part in parts]

    def speed(path: str, _: int) -> float:
        start = arguments.clock()
        with products_of(path, device):
            for part, batch in zip(parts, batches, strict=True):
                plain_network.read(*batch) if path in PLAIN else network.read(part)
        synchronise(device)
        return points / (arguments.clock() - start)

    points = sum(int(lengths.sum()) for _, lengths in batches)
    features, lengths = (values[:1] for values in batches[0])
    operations = operations_of(lambda: plain_network.read(features, lengths))
    return Task(speed, operations / features.shape[1])


def product_limit(device: torch.device, clock: Callable[[], float]) -> float:
    """Return the operations a second of a matrix product (`PRODUCT`), in the faster precision."""
    rows, depth, columns = PRODUCT
    best = 0.0
    for dtype in (torch.float32, torch.bfloat16):
        left = torch.randn(rows, depth, device=device, dtype=dtype)
        right = torch.randn(columns, depth, device=device, dtype=dtype).t()
        for _ in range(5):
            synchronise(device)
            start = clock()
            left @ right
            synchronise(device)
            best = max(best, 2 * rows * depth * columns / (clock() - start))
    return best


def measure_in_turn(
    speed: Callable[[str, int], float], paths: Sequence[str], rounds: int, measure: str
) -> dict[str, list[float]]:
    """Return the speeds of each path in all rounds. Round -1, a warm-up, is left out; the order of
    the paths is reversed in every second round."""
    speeds: dict[str, list[float]] = {path: [] for path in paths}
    for turn in tqdm(range(-1, rounds), measure, leave=False):
        for path in paths if turn % 2 else reversed(paths):
            with kernels_for(path):
                speeds[path].append(speed(path, turn))
    return {path: values[1:] for path, values in speeds.items()}


def row(
    measure: str,
    path: str,
    speeds: Sequence[float],
    plains: Sequence[Sequence[float]],
    limit_fraction: float,
) -> str:
    """Return a row of the table.

    The row has the medians of a path's speeds and of the plain ones in all rounds, the ratio to the
    plain path that is faster, the lowest and the highest ratio of a round, and the fraction of the
    limit. A plain path that the device cannot run has no speeds, and its column is "none".

    Args:
        limit_fraction: the fraction of the limit at a speed of one point a second.
    """
    medians = [statistics.median(values) if values else 0.0 for values in plains]
    faster = plains[medians.index(max(medians))]
    ratios = [ours / theirs for ours, theirs in zip(speeds, faster, strict=True)]
    speed = statistics.median(speeds)
    shown = (f"{value:,.0f}" if value else "none" for value in (speed, *medians))
    cells = [f"`{measure}`", path, *shown]
    cells.append(f"{speed / max(medians):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    return f"| {' | '.join([*cells, f'{limit_fraction * speed:.0%}'])} |"


def run(arguments: Namespace) -> None:
    """Take the measures that --only names, and print the table."""
    device = resolve_device(arguments.device)
    torch.set_num_threads(arguments.threads)
    print(f"PyTorch {torch.__version__} on {device}, {arguments.threads} threads")
    if device.type == "cpu" and library.kernels(False) is None:
        print("no C compiler found: compiled paths run without compiled kernels")
    rows = []
    limit = product_limit(device, arguments.clock)
    for measure in arguments.only:
        if measure in WRITING:
            task = writing(*WRITING[measure], device, arguments)
        elif measure in READING:
            task = reading(*READING[measure], device, arguments)
        else:
            task = training(measure, device, arguments)
        paths = (*arguments.paths, *plain_paths(device))
        speeds = measure_in_turn(task.speed, paths, arguments.rounds, measure)
        limit = max(limit, product_limit(device, arguments.clock))
        plains = [speeds.get(path, []) for path in PLAIN]
        rows += [(measure, path, speeds[path], plains, task.operations) for path in arguments.paths]
    print(f"the product of {' x '.join(map(str, PRODUCT))}: {limit:.3g} operations a second")
    print(
        "| measure | path | points/s | plain float32 | plain bfloat16 | ratio to faster | share |"
    )
    print("|---|---|--:|--:|--:|---|--:|")
    for *values, operations in rows:
        print(row(*values, operations / limit))


if __name__ == "__main__":
    parser = Parser(description=__doc__)
    add = parser.add_argument
    positive = number(int, 1)
    add("--device", default="cpu", help="cpu, cuda or cuda:N")
    add("--rounds", type=positive, default=5, help="rounds after the warm-up (default: 5)")
    add("--only", nargs="+", choices=MEASURES, default=MEASURES, help="measures (default: all)")
    add(
        "--paths",
        nargs="+",
        default=PATHS[:2],
        choices=PATHS,
        help=f"paths to measure (default: {' '.join(PATHS[:2])})",
    )
    add(
        "--processor-time",
        dest="clock",
        action="store_const",
        const=time.process_time,
        default=time.perf_counter,
        help="take the time of the processor, with --threads 1 beside other work on a CPU",
    )
    add("--threads", type=positive, default=torch.get_num_threads())
    add("--lines", type=positive, default=640, help="lines to train on (default: 640)")
    add("--batches", type=positive, default=1, help="batches of a turn (default: 1)")
    add("--steps", type=positive, default=256, help="points of a written line (default: 256)")
    scale = number(float, 0.001, 1)
    add("--scale", type=scale, default=1.0, help="factor on lengths of lines of IAM-OnDB")
    measures.main(run, parser)
