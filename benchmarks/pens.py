"""Measures how recognisers read people and devices that are not in IAM-OnDB: error rates on
IAM-OnDB's lines, recorded and changed to resemble other devices, and on a UNIPEN collection."""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from commands.shared import network_options, search_options
from commands.shared.options import Parser
from commands.shared.scripts import main
from data_loader import IAMOnDBDataset, UnipenDataset
from data_loader.pen_paths import at_speed, to_ink, to_path
from ink.formats.iam_ondb import IAM_PERIOD
from ink.geometry import from_strokes, strokes, x_height
from ink.sample import Sample
from model.loading import Reader
from model.recognition.encoder import Search
from model.recognition.error_rates import rates

HELD_OUT = ("art", "atu", "imp", "kai", "pcl")
"""Contributors of UNIPEN from whose samples no network has learned."""
NUM_CHANGED = 300
"""Number of lines of `testset_f` to which each of `CHANGES` is applied."""
Change = Callable[[np.ndarray], np.ndarray]


def run(arguments: argparse.Namespace) -> None:
    """Print the error rates of each group of samples, a column for each recogniser."""
    chosen = search_options.options_of(arguments)
    networks = network_options.Networks.of(arguments)
    readers = [networks.reader(checkpoint) for checkpoint in arguments.resume]
    searches = [chosen.search(reader) for reader in readers]
    names = "".join(f"{Path(reader.path).stem:>12}" for reader in readers)
    print(f"{'':<40}{'samples':>8}{'characters':>12}{names}")
    for name, group in samples(arguments).items():
        characters = sum(len(sample.text) for sample in group)
        print(f"{name:<40}{len(group):>8,}{characters:>12,}", end="", flush=True)
        for reader, search in zip(readers, searches, strict=True):
            print(f"{error_rate(reader, group, search):>10.2f} %", end="", flush=True)
        print()


def error_rate(reader: Reader, group: list[Sample], search: Search) -> float:
    """Return the character error rate of a reader on samples, in per cent."""
    hypotheses = reader.read_lines([sample.ink for sample in group], search)
    texts = [sample.text for sample in group]
    return 100 * rates(zip(texts, hypotheses, strict=True))["cer"]


def samples(arguments: argparse.Namespace) -> dict[str, list[Sample]]:
    """Return the groups of samples by name."""
    splits = {"train": ["trainset"], "valid": ["testset_v"], "test": ["testset_f"]}
    iam = IAMOnDBDataset(root=arguments.data, splits=splits)
    people = {"held_out": list(HELD_OUT), "leave_out": "unipen_misfits"}
    unipen = UnipenDataset(root=arguments.unipen, **people)
    training_words = set()
    tests = []  # of IAM-OnDB, then of UNIPEN; single characters do not count
    for dataset in (iam, unipen):
        loaded = dataset.load(("train", "test"))
        for sample in loaded.split("train"):
            training_words.update(sample.text.split())
        tests.append([sample for sample in loaded.split("test") if len(sample.text) > 1])
    iam_lines, unipen_samples = tests
    held_out = [sample for sample in unipen_samples if sample.group in HELD_OUT]
    others = [sample for sample in unipen_samples if sample.group not in HELD_OUT]
    groups = {"testset_f": iam_lines}
    groups["other writers, texts"], groups["other writers, words"] = texts_and_words(others)
    groups["other writers, all"] = others
    for group in HELD_OUT:
        divided = texts_and_words(sample for sample in held_out if sample.group == group)
        for kind, kind_samples in zip(("texts", "words"), divided, strict=True):
            if kind_samples:
                groups[f"held out, {group}, {kind}"] = kind_samples
    groups["held out, all texts"], groups["held out, all words"] = texts_and_words(held_out)
    groups["held out, all"] = held_out
    groups["held out, words not in the training"] = [
        sample for sample in held_out if training_words.isdisjoint(sample.text.split())
    ]
    chosen = iam_lines[:: len(iam_lines) // NUM_CHANGED][:NUM_CHANGED]
    for name, change in CHANGES.items():
        groups[f"testset_f, {name}"] = [
            Sample(change(sample.ink), sample.text) for sample in chosen
        ]
    return groups


def texts_and_words(samples: Iterable[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Return the samples of several words, and the samples of a single word."""
    texts, words = [], []
    for sample in samples:
        (texts if " " in sample.text else words).append(sample)
    return texts, words


def recorded_at(rate: float) -> Change:
    """Return the change that resamples ink at `rate` points a second."""
    return lambda ink: to_ink(at_speed(to_path(ink), 1 / (IAM_PERIOD * rate)))


def on_grid(step: float) -> Change:
    """Return the change that rounds points to a grid with a spacing of `step` x-heights."""

    def change(ink: np.ndarray) -> np.ndarray:
        grid = step * x_height(ink)
        return from_strokes([np.rint(stroke / grid) * grid for stroke in strokes(ink)])

    return change


def noisy(std: float) -> Change:
    """Return the change that adds normal noise to each point; `std` is in x-heights."""

    def change(ink: np.ndarray) -> np.ndarray:
        generator = np.random.default_rng(len(ink))
        height = x_height(ink)
        noise = std * height
        return from_strokes([s + noise * generator.standard_normal(s.shape) for s in strokes(ink)])

    return change


def linear(matrix: list[list[float]]) -> Change:
    """Return the change that multiplies all offsets by a matrix."""
    return lambda ink: np.column_stack([ink[:, :2] @ np.array(matrix).T, ink[:, 2]])


def turned(degrees: float) -> Change:
    """Return the change that turns ink clockwise by an angle in degrees."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return linear([[cosine, -sine], [sine, cosine]])


def slanted(degrees: float) -> Change:
    """Return the change that slants ink to the right by an angle in degrees."""
    return linear([[1, -np.tan(np.radians(degrees))], [0, 1]])


CHANGES: dict[str, Change] = {
    "as they are": lambda ink: ink,
    "20 points a second": recorded_at(20),
    "10 points a second": recorded_at(10),
    # A tablet of 84 points an inch has ten points per x-height of 3 mm.
    "grid of 84 an inch under 3 mm": on_grid(0.1),
    "noise of 0.03 x-heights": noisy(0.03),
    "turned 10 degrees": turned(10),
    "turned 15 degrees back": turned(-15),
    "slanted 40 degrees": slanted(40),
    "slanted 30 degrees back": slanted(-30),
    "a hundred times as large": linear([[100, 0], [0, 100]]),
}

if __name__ == "__main__":
    parser = Parser(description=" ".join(__doc__.split()))
    network_options.add_network(parser, nargs="+")
    search_options.add_options(parser)
    parser.add_argument("--data", default="data/iam_ondb", help="folder of IAM-OnDB")
    parser.add_argument("--unipen", default="data/unipen", help="folder or archive of UNIPEN")
    main(run, parser)
