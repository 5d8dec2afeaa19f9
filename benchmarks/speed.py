"""Shared by the benchmarks of speed: lines, taking turns, the table."""

import os
import platform
import resource
import statistics
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple
from unittest import mock

import numpy as np
import torch
from tqdm import tqdm

from base.device import resolve_device
from commands.options import Parser, number
from data_loader import EmbeddedDataset, IAMOnDBDataset
from model.layers.kernels import library
from model.layers.kernels.build import SWITCH
from utils.alphabet import Alphabet
from utils.files import write_json
from utils.normalisation import Normalisation

LENGTHS = (31, 155, 311, 403, 479, 532, 577, 620, 664, 714, 776, 872, 956, 1141, 1454, 1940)
"""Points of IAM-OnDB's lines (measured over 11,845 lines; their mean is 628)."""
FRACTIONS = (0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1)
"""Fractions of the lines that have at most `LENGTHS` points (measured, as above)."""
SEED = 0

PATHS = ("float32-compiled", "bfloat16-compiled", "float32-plain", "bfloat16-plain")
"""Paths of the project: precisions of the matrix products, with or without compiled kernels."""
REFERENCE = "reference"


class Data(NamedTuple):
    """Lines to train on.

    Attributes:
        name: description of the lines.
        inks: `(N, 3)` float32, normalised.
        texts: indices of each line's characters, int64.
        alphabet, normalisation: of the lines.
    """

    name: str
    inks: list[np.ndarray]
    texts: list[np.ndarray]
    alphabet: Alphabet
    normalisation: Normalisation

    @classmethod
    def load(cls, root: str | None, lines: int, scale: float) -> "Data":
        """Return real lines if there is a `root`, else embedded lines of the same lengths, cut to a
        fraction `scale`."""
        if root is None:
            kind, drawn = "embedded lines with IAM-OnDB's lengths", embedded(lines)
        else:
            kind, samples = "lines of IAM-OnDB", IAMOnDBDataset(root=root).load().used
            chosen = np.random.default_rng(SEED).permutation(len(samples))[:lines].tolist()
            drawn = [(samples[number].ink, samples[number].text) for number in chosen]
        inks = [ink[: max(2, round(scale * len(ink)))] for ink, _ in drawn]
        texts = [text[: max(1, round(scale * len(text)))] for _, text in drawn]
        mean = sum(map(len, inks)) / len(inks)
        alphabet, normalisation = Alphabet.from_texts(texts), Normalisation.fit(inks)
        return cls(
            f"{len(inks)} {kind}: {mean:.0f} points on average, {len(alphabet)} characters",
            [normalisation.apply(ink) for ink in inks],
            [alphabet.encode(text) for text in texts],
            alphabet,
            normalisation,
        )


def embedded(lines: int) -> list[tuple[np.ndarray, str]]:
    """Return embedded lines, concatenated and cut to IAM-OnDB's lengths, and their texts."""
    source = EmbeddedDataset(seed=SEED, size=2 * lines, min_characters=30, max_characters=60)
    samples = source.load().used
    ink = np.concatenate([sample.ink for sample in samples])
    text = " ".join(sample.text for sample in samples)
    fractions = np.random.default_rng(SEED).random(lines)
    ends = np.interp(fractions, FRACTIONS, LENGTHS).round().astype(int).cumsum()
    starts = np.append(0, ends * len(text) // len(ink))
    texts = [text[start:end] for start, end in pairwise(starts.tolist())]
    return list(zip(np.split(ink, ends)[:-1], texts, strict=True))


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


def alternate(
    speed: Callable[[str, int], float], paths: Sequence[str], rounds: int, name: str
) -> dict[str, list[float]]:
    """Return the speeds of each path in all rounds, after a warm-up. The paths take turns in
    changing order.

    Args:
        speed: returns a path's speed in a round; the warm-up is round -1.
        paths, rounds: names of the paths, and the number of rounds.
        name: name of the measure, for the progress bar.
    """
    answers: dict[str, list[float]] = {path: [] for path in paths}
    for turn in tqdm(range(-1, rounds), name, leave=False):
        for path in paths[:: 1 if turn % 2 else -1]:
            with kernels_of(path):
                answers[path].append(speed(path, turn))
    return {path: values[1:] for path, values in answers.items()}


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_memory(device: torch.device) -> int:
    """Return the most memory in use so far, in bytes: on the GPU, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.exists():  # as getrusage may return the peak of the parent process
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


class Row(NamedTuple):
    """A row of the table: a measure of a path, in a unit.

    Attributes:
        ours, reference: medians over the rounds.
        ratio: ratio of the medians.
        spread: the lowest and the highest ratio of a round.
    """

    measure: str
    path: str
    unit: str
    ours: float
    reference: float
    ratio: float
    spread: tuple[float, float]


def rows_of(measure: str, unit: str, answers: Mapping[str, Sequence[float]]) -> list[Row]:
    """Return a row for each path, from the answers of all rounds by path, with `REFERENCE`."""
    rows, reference_values = [], answers[REFERENCE]
    reference = statistics.median(reference_values)
    for path, values in answers.items():
        if path != REFERENCE:
            ratios = [a / b for a, b in zip(values, reference_values, strict=True)]
            ours, spread = statistics.median(values), (min(ratios), max(ratios))
            rows.append(Row(measure, path, unit, ours, reference, ours / reference, spread))
    return rows


def report(rows: Sequence[Row], file: str | None) -> None:
    """Print the rows as a table, and write them to `file`."""
    for row in rows:
        low, high = row.spread
        print(
            f"{row.measure:<34}{row.path:<18}{row.ours:>10,.0f}, reference {row.reference:>8,.0f} "
            f"{row.unit:<9} ratio {row.ratio:.2f} ({low:.2f} to {high:.2f})"
        )
    if file is not None:
        write_json(file, [row._asdict() for row in rows])


def parser(description: str, measures: Sequence[str]) -> Parser:
    """Return the options that the benchmarks share."""
    options = Parser(description=description)
    add, positive = options.add_argument, number(int, 1)
    add("--device", default="cpu", help="cpu, cuda or cuda:N")
    add("--rounds", type=positive, default=5, help="rounds, after one warm-up round")
    add("--only", nargs="+", choices=measures, default=measures)
    add("--paths", nargs="+", default=PATHS, choices=PATHS, help="of ours (default: all)")
    add("--root", help="folder of IAM-OnDB (default: synthetic lines)")
    add("--threads", type=positive, default=torch.get_num_threads())
    add("--json", metavar="FILE", help="write the rows there")
    add("--lines", type=positive, default=640, help="lines to draw batches from")
    add("--hidden", type=positive, default=400, help="cells of a layer (default: 400)")
    add("--scale", type=number(float, 0.001, 1), default=1.0, help="cut all lines to this")
    return options


def prepare(arguments: Namespace) -> torch.device:
    """Set torch up, and return the device."""
    device = resolve_device(arguments.device)
    torch.set_num_threads(arguments.threads)
    print(f"PyTorch {torch.__version__} on {device}, {arguments.threads} threads")
    if device.type == "cpu" and library.kernels(False) is None:
        print("no C compiler was found: compiled paths run as plain ones")
    return device
