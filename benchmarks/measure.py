"""Shared by the benchmarks of speed: lines, rivals in processes of their own, the table."""

import argparse
import os
import platform
import resource
import statistics
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.benchmark import Timer
from tqdm import tqdm

from base.device import resolve_device
from commands.options import Parser, number
from data_loader import EmbeddedDataset, IAMOnDBDataset
from model.layers.kernels.build import SWITCH
from model.layers.kernels.library import kernels
from utils.alphabet import Alphabet
from utils.checks import UserError
from utils.files import write_json
from utils.normalisation import Normalisation

SHARES = (0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1)
LENGTHS = (31, 155, 311, 403, 479, 532, 577, 620, 664, 714, 776, 872, 956, 1141, 1454, 1940)
"""Lengths of IAM-OnDB's lines: these shares of them have at most so many points (measured over
11,845 lines; their mean is 628)."""

SEED = 0


class Data(NamedTuple):
    """Lines to train on.

    Attributes:
        name: what they are.
        inks: `(N, 3)` float32, normalised.
        texts: indices of the characters of each, int64.
        alphabet, normalisation: of them.
    """

    name: str
    inks: list[np.ndarray]
    texts: list[np.ndarray]
    alphabet: Alphabet
    normalisation: Normalisation

    @classmethod
    def load(cls, root: str | None, lines: int, scale: float) -> "Data":
        """Return real lines if there is a `root`, else embedded ones of such lengths, cut to a
        share `scale` of these."""
        generator = np.random.default_rng(SEED)
        if root is not None:
            source = IAMOnDBDataset(root=root)
            source.prepare()
            chosen = generator.choice(len(source), min(lines, len(source)), replace=False).tolist()
            drawn = [(source.ink(index), source.text(index)) for index in chosen]
        else:
            drawn = embedded(lines)
        found = []
        for ink, text in drawn:
            length = max(2, round(len(ink) * scale))
            found.append((ink[:length], text[: max(1, round(len(text) * length / len(ink)))]))
        inks, texts = zip(*found, strict=True)
        mean = sum(map(len, inks)) / len(inks)
        alphabet, normalisation = Alphabet.from_texts(texts), Normalisation.fit(inks)
        kind = "embedded lines with IAM-OnDB's lengths" if root is None else "lines of IAM-OnDB"
        return cls(
            f"{len(inks)} {kind}: {mean:.0f} points on average, {len(alphabet)} characters",
            [normalisation.apply(ink) for ink in inks],
            [alphabet.encode(text) for text in texts],
            alphabet,
            normalisation,
        )


def embedded(lines: int) -> list[tuple[np.ndarray, str]]:
    """Return embedded lines, joined and cut to IAM-OnDB's lengths, and their texts."""
    source = EmbeddedDataset(seed=SEED, size=4 * lines, min_characters=30, max_characters=60)
    source.prepare()
    shares = np.random.default_rng(SEED).random(lines)
    found, indices = [], iter(range(len(source)))
    for length in np.interp(shares, SHARES, LENGTHS).round().astype(int):
        index = next(indices)
        ink, text = source.ink(index), source.text(index)
        while len(ink) < length:
            index = next(indices)
            more = source.ink(index).copy()
            more[0, 0] = 100.0  # one unit space
            ink, text = np.concatenate((ink, more)), text + " " + source.text(index)
        found.append((ink[:length], text[: max(1, round(len(text) * length / len(ink)))]))
    return found


class Variant(NamedTuple):
    """How ours runs: with matrix products in a precision, with the compiled kernels or not."""

    precision: str
    compiled: bool

    def __str__(self) -> str:
        return f"{self.precision}-{'compiled' if self.compiled else 'plain'}"


VARIANTS = [Variant(p, c) for c in (True, False) for p in ("float32", "bfloat16")]


class Rival:
    """An implementation in a process of its own, so that settings and memory are its own.

    Args:
        make: called there with `arguments`; returns a function, which each call calls with its
            values. Both must be importable.
        compiled: whether the compiled kernels may be used.
        threads: of torch.
    """

    def __init__(
        self, make: Callable[..., Callable], arguments: tuple, compiled: bool, threads: int
    ) -> None:
        start = make, arguments, compiled, threads
        self.pool = ProcessPoolExecutor(1, get_context("spawn"), _start, start)
        self.pool.submit(int).result()

    def __call__(self, *values: Any) -> Any:
        return self.pool.submit(_call, *values).result()

    def close(self) -> None:
        """End the process."""
        self.pool.shutdown()


_served: dict[str, Callable] = {}


def _start(make: Callable[..., Callable], arguments: tuple, compiled: bool, threads: int) -> None:
    if not compiled:
        os.environ[SWITCH] = "0"
    torch.set_num_threads(threads)
    _served["function"] = make(*arguments)


def _call(*values: Any) -> Any:
    return _served["function"](*values)


def alternate(rivals: Mapping[str, Rival], rounds: int, name: str) -> dict[str, list[float]]:
    """Return what each rival answered in each round, taking turns; a warm-up comes first.

    A rival is called with the number of the round, -1 for the warm-up, and ended after the last.
    """
    answers: dict[str, list[float]] = {rival: [] for rival in rivals}
    for turn in tqdm(range(-1, rounds), name, leave=False):
        for rival in list(rivals)[:: 1 if turn % 2 else -1]:
            answers[rival].append(rivals[rival](turn))
    for rival in rivals.values():
        rival.close()
    return {rival: values[1:] for rival, values in answers.items()}


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def product_speed(device: torch.device, precision: str) -> float:
    """Return the floating-point operations per second of large matrix products."""
    size = 8192 if device.type == "cuda" else 2048
    a = torch.randn(size, size, device=device).to(getattr(torch, precision))
    threads = torch.get_num_threads()
    timer = Timer("torch.mm(a, a)", globals={"torch": torch, "a": a}, num_threads=threads)
    return 2 * size**3 / timer.blocked_autorange(min_run_time=0.5).median


def peak_memory(device: torch.device) -> int:
    """Return the most memory in use so far, in bytes: on the GPU, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says may be of the process that started this one
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def row(
    measure: str, path: str, answers: Mapping[str, Sequence[float]], unit: str, limit: float | None
) -> dict[str, Any]:
    """Return one line of the table.

    Args:
        measure: what was measured.
        path: how ours ran, a key of `answers`.
        answers: of all rounds, by rival.
        unit: of them.
        limit: the most that the machine could reach; None for memory.

    Returns:
        medians over the rounds, their ratio, the lowest and highest ratio of a round, and the share
        of the limit that ours reaches.
    """
    ours, reference = (statistics.median(answers[name]) for name in (path, "reference"))
    ratios = [one / two for one, two in zip(answers[path], answers["reference"], strict=True)]
    return {
        "measure": measure,
        "path": path,
        "ours": ours,
        "reference": reference,
        "unit": unit,
        "ratio": ours / reference,
        "spread": (min(ratios), max(ratios)),
        "share": None if limit is None else ours / limit,
    }


def report(rows: Sequence[Mapping[str, Any]], file: str | None) -> None:
    """Print the rows as a table, and write them to `file`."""
    for one in rows:
        low, high = one["spread"]
        share = "" if one["share"] is None else f"  {one['share']:.0%} of limit"
        print(
            f"{one['measure']:<34}{one['path']:<18}{one['ours']:>10,.0f}, reference "
            f"{one['reference']:>8,.0f} {one['unit']:<9} ratio {one['ratio']:.2f} "
            f"({low:.2f} to {high:.2f}){share}"
        )
    if file is not None:
        write_json(file, rows)


def parser(description: str, measures: Sequence[str]) -> Parser:
    """Return the options that the benchmarks share."""
    made = Parser(description=description)
    add, positive = made.add_argument, number(int, 1)
    add("--device", default="cpu", help="cpu, cuda or cuda:N")
    add("--rounds", type=positive, default=5, help="rounds, after one warm-up round")
    add("--only", nargs="+", choices=measures, default=measures)
    add("--paths", nargs="+", choices=list(map(str, VARIANTS)), help="of ours (default: all)")
    add("--root", help="folder of IAM-OnDB (default: synthetic lines)")
    add("--threads", type=positive, default=torch.get_num_threads())
    add("--json", metavar="FILE", help="write the rows there")
    add("--lines", type=positive, default=640, help="lines to draw batches from")
    add("--hidden", type=positive, default=400, help="cells of a layer (default: 400)")
    add("--scale", type=number(float, 0.001, 1), default=1.0, help="cut all lines to this")
    return made


def prepare(arguments: argparse.Namespace) -> tuple[torch.device, dict[Variant, float]]:
    """Set torch up, and print and return the device and the speed of large matrix products for each
    wanted variant, in operations per second.

    Raises:
        UserError: if a variant is wanted that needs a compiler, and there is none.
    """
    device = resolve_device(arguments.device)
    torch.set_num_threads(arguments.threads)
    compiler = device.type != "cpu" or kernels(False) is not None
    wanted = arguments.paths or [str(one) for one in VARIANTS if compiler or not one.compiled]
    found = [one for one in VARIANTS if str(one) in wanted]
    if not compiler and any(one.compiled for one in found):
        raise UserError("--paths: no C compiler found for the compiled kernels")
    limits = {one: product_speed(device, one.precision) for one in found}
    speeds = {one.precision: f"{speed / 1e9:,.0f} GFLOP/s" for one, speed in limits.items()}
    print(
        f"PyTorch {torch.__version__} on {device}, {arguments.threads} threads, products: {speeds}"
    )
    return device, limits
