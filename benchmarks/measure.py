"""Shared by the benchmarks: lines to work on, rivals in processes of their own, tables."""

import argparse
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from base.device import resolve_device
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

PRECISIONS = ("float32", "bfloat16")


@dataclass
class Data:
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
    def load(cls, root: str | None, cache: str | None, lines: int, scale: float) -> "Data":
        """Return `lines` real lines if there is a `root`, else embedded ones of such lengths."""
        if root is not None:
            source = IAMOnDBDataset(root=root, cache=cache)
            source.prepare()
            generator = np.random.default_rng(SEED)
            chosen = generator.choice(len(source), min(lines, len(source)), replace=False).tolist()
            inks = [source.ink(index) for index in chosen]
            texts = [source.text(index) for index in chosen]
            name = f"{len(inks)} lines of IAM-OnDB"
        else:
            inks, texts = embedded(lines)
            name = f"{lines} embedded lines with IAM-OnDB's lengths"
        if scale != 1.0:
            lengths = [max(2, round(len(ink) * scale)) for ink in inks]
            texts = [
                text[: max(1, round(len(text) * length / len(ink)))]
                for ink, text, length in zip(inks, texts, lengths, strict=True)
            ]
            inks = [ink[:length] for ink, length in zip(inks, lengths, strict=True)]
            name += f", cut to {scale:g} of these"
        mean = sum(map(len, inks)) / len(inks)
        alphabet, normalisation = Alphabet.from_texts(texts), Normalisation.fit(inks)
        return cls(
            f"{name}: {mean:.0f} points on average, {len(alphabet)} characters",
            [normalisation.apply(ink) for ink in inks],
            [alphabet.encode(text) for text in texts],
            alphabet,
            normalisation,
        )


def embedded(lines: int) -> tuple[list[np.ndarray], list[str]]:
    """Return embedded lines, joined and cut to IAM-OnDB's lengths, and their texts."""
    source = EmbeddedDataset(seed=SEED, size=4 * lines, min_characters=30, max_characters=60)
    source.prepare()
    generator = np.random.default_rng(SEED)
    lengths = np.interp(generator.random(lines), SHARES, LENGTHS).round().astype(int)
    inks, texts, index = [], [], 0
    for length in lengths:
        ink, text = source.ink(index), source.text(index)
        index += 1
        while len(ink) < length:
            more = source.ink(index).copy()
            more[0, 0] = 100.0  # one unit space
            ink, text = np.concatenate((ink, more)), text + " " + source.text(index)
            index += 1
        texts.append(text[: max(1, round(len(text) * length / len(ink)))])
        inks.append(ink[:length])
    return inks, texts


# Rivals --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """A way to run ours: with matrix products in a precision, with the compiled kernels or not."""

    precision: str
    compiled: bool

    def __str__(self) -> str:
        return f"{self.precision}-{'compiled' if self.compiled else 'plain'}"


WAYS = {str(way): way for way in (Way(p, c) for c in (True, False) for p in PRECISIONS)}


def ways(names: list[str] | None, device: torch.device, first: str) -> list[Way]:
    """Return the wanted ways, or all available ones, those of precision `first` leading.

    Raises:
        UserError: if a wanted way needs a compiler and there is none.
    """
    compiled = device.type != "cpu" or kernels(False) is not None
    if names is None:
        there = [way for way in WAYS.values() if compiled or not way.compiled]
        return sorted(there, key=lambda way: (not way.compiled, way.precision != first))
    found = [WAYS[name] for name in names]
    if not compiled and any(way.compiled for way in found):
        raise UserError("--paths: no C compiler found for the compiled kernels")
    return found


class Process:
    """A rival in a process of its own, so that settings and memory are its own.

    Args:
        make: called there with `arguments`; returns a function that is called once for each
            `start` with what that was given. Both must be importable.
        compiled: whether the compiled kernels may be used.
    """

    def __init__(
        self, make: Callable[..., Callable], arguments: tuple, compiled: bool, threads: int
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        before = os.environ.get(SWITCH)
        if not compiled:
            os.environ[SWITCH] = "0"
        try:
            self.process = context.Process(
                target=_serve, args=(other, make, arguments, threads), daemon=True
            )
            self.process.start()
        finally:
            os.environ.pop(SWITCH, None)
            if before is not None:
                os.environ[SWITCH] = before
        other.close()
        self._receive()

    def __call__(self, *values: Any) -> Any:
        self.pipe.send(values)
        return self._receive()

    def _receive(self) -> Any:
        try:
            result = self.pipe.recv()
        except EOFError:
            raise UserError("a process of the benchmark ended early: see above") from None
        return result

    def close(self) -> None:
        """End the process."""
        self.pipe.close()
        self.process.join()


def _serve(pipe: Any, make: Callable[..., Callable], arguments: tuple, threads: int) -> None:
    torch.set_num_threads(threads)
    function = make(*arguments)
    pipe.send(None)
    while True:
        try:
            values = pipe.recv()
        except EOFError:
            return
        pipe.send(function(*values))


def alternate(rivals: dict[str, Process], rounds: int, name: str) -> dict[str, list[float]]:
    """Return what each rival answered in each round, taking turns; a warm-up comes first.

    A rival is called with the number of the round, -1 for the warm-up.
    """
    answers: dict[str, list[float]] = {rival: [] for rival in rivals}
    with tqdm(total=(rounds + 1) * len(rivals), desc=name, leave=False) as bar:
        for number in range(-1, rounds):
            order = list(rivals) if number % 2 else list(reversed(rivals))
            for rival in order:
                answer = rivals[rival](number)
                if number >= 0:
                    answers[rival].append(answer)
                bar.update()
    return answers


# The machine ---------------------------------------------------------------------------------


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def product_speed(device: torch.device, dtype: torch.dtype) -> float:
    """Return the floating-point operations per second of large matrix products.

    Of up to 2,048 rows on a CPU and 8,192 on CUDA; of fewer where such a product would take longer
    than half a second, as in bfloat16 on processors without instructions for it.
    """
    size, largest = 256, 8192 if device.type == "cuda" else 2048
    seconds = _product_seconds(size, device, dtype)
    while size < largest and 8 * seconds < 0.5:
        size *= 2
        seconds = _product_seconds(size, device, dtype)
    return 2 * size**3 / seconds


def _product_seconds(size: int, device: torch.device, dtype: torch.dtype) -> float:
    """Return how long a product of square matrices takes."""
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    times = []
    for _ in range(11):  # the best counts: others may be using the machine
        synchronise(device)
        start = time.perf_counter()
        torch.mm(left, right)
        synchronise(device)
        times.append(time.perf_counter() - start)
    return min(times[1:])


def peak_memory(device: torch.device) -> int:
    """Return the most memory in use so far, in bytes: on the GPU, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says may be of the process that started this one
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def describe(device: torch.device) -> str:
    """Return a description of the machine."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{torch.get_num_threads()} cores of {model}"


# Results -------------------------------------------------------------------------------------


@dataclass
class Row:
    """One line of the table.

    Attributes:
        measure: what was measured.
        device: on what.
        path: how ours ran.
        ours, reference: medians over the rounds.
        ratio: of the two: of the medians of rates how many times ours is faster; of memory, what
            share of the reference's ours needs.
        unit: of `ours` and `reference`.
        spread: the lowest and highest of the rounds' own ratios.
        share: of the speed of large matrix products on this machine in the same precision, which
            ours reaches; None for memory.
        data: what it ran over.
    """

    measure: str
    device: str
    path: str
    ours: float
    reference: float
    ratio: float
    unit: str
    spread: tuple[float, float]
    share: float | None
    data: str


def make_row(
    measure: str,
    device: torch.device,
    path: str,
    ours: list[float],
    reference: list[float],
    unit: str,
    data: str,
    share_of: Callable[[float], float] | None = None,
) -> Row:
    """Return a row made of the answers of all rounds."""
    own, other = statistics.median(ours), statistics.median(reference)
    ratios = [one / two for one, two in zip(ours, reference, strict=True)]
    return Row(
        measure,
        str(device),
        path,
        own,
        other,
        own / other,
        unit,
        (min(ratios), max(ratios)),
        None if share_of is None else share_of(own),
        data,
    )


def report(rows: list[Row], file: str | None) -> None:
    """Print the rows as a table, and write them to `file`."""
    head = ("measure", "ours", "path of ours", "reference", "unit", "ratio", "rounds", "of limit")
    cells = [head]
    for row in rows:
        cells.append(
            (
                row.measure,
                f"{row.ours:,.0f}",
                row.path,
                f"{row.reference:,.0f}",
                row.unit,
                f"{row.ratio:.2f}",
                f"{row.spread[0]:.2f} to {row.spread[1]:.2f}",
                "" if row.share is None else f"{row.share:.0%}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())
    if file is not None:
        write_json(file, [asdict(row) for row in rows])
        print(file)


def parser(description: str, measures: tuple[str, ...]) -> argparse.ArgumentParser:
    """Return the options that the benchmarks share."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    made.add_argument("--rounds", type=int, default=5, help="rounds, after one warm-up round")
    made.add_argument("--only", nargs="+", choices=measures, default=list(measures))
    made.add_argument(
        "--paths", nargs="+", choices=list(WAYS), help="paths of ours (default: all available)"
    )
    made.add_argument("--root", help="folder of IAM-OnDB (default: synthetic lines)")
    made.add_argument("--cache", help="folder for its cache")
    made.add_argument("--threads", type=int, default=torch.get_num_threads())
    made.add_argument("--json", metavar="FILE", help="write the rows there")
    made.add_argument("--lines", type=int, default=640, help="lines to draw batches from")
    made.add_argument("--hidden", type=int, default=400, help="cells of a layer (default: 400)")
    made.add_argument("--scale", type=float, default=1.0, help="cut all lines to this fraction")
    return made


def main(run: Callable[[argparse.Namespace], list[Row]], arguments: argparse.Namespace) -> None:
    """Run a benchmark and report it; a fault of the user ends it with status 2."""
    try:
        if min(arguments.rounds, arguments.threads, arguments.lines, arguments.hidden) < 1:
            raise UserError("--rounds, --threads, --lines and --hidden must be at least 1")
        if not 0.0 < arguments.scale <= 1.0:
            raise UserError(f"--scale {arguments.scale:g} does not fit: above 0, at most 1")
        arguments.device = resolve_device(arguments.device)
        torch.set_num_threads(arguments.threads)
        print(f"PyTorch {torch.__version__}, {describe(arguments.device)}")
        for dtype in (torch.float32, torch.bfloat16):
            speed = product_speed(arguments.device, dtype) / 1e9
            print(f"matrix products in {str(dtype).partition('.')[2]}: {speed:,.0f} GFLOP/s")
        report(run(arguments), arguments.json)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
