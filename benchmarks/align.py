"""Aligns the points of recorded lines with characters: the table by which new lines are composed.

A network that writes aligns by its window, a recogniser by CTC. A second recogniser tells which
characters can be read within their lines, and which can be read when cut out.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.base_dataset import BaseDataset, stacked
from benchmarks.measures import main
from commands import options
from data_loader import ComposedDataset
from data_loader.synthetic.alignment import AlignedLine, Alignment
from data_loader.synthetic.bank import check_forms, hands, verify_pieces
from data_loader.synthetic.cutting import measured_lines
from model.generation import window_alignment as by_window
from model.reader import Reader
from model.recognition import ctc_alignment as by_ctc
from model.recognition.error_rates import error_counts, read_in_place
from model.trained_network import TrainedNetwork
from model.writer import Writer
from parse_config import ConfigParser
from utils.alphabet import nfc
from utils.checks import UserError
from utils.files import make_room


def method_of(network: TrainedNetwork) -> Callable[..., list[np.ndarray]]:
    """Return the function that aligns lines by a network; raise a UserError if there is none."""
    if isinstance(network, Writer) and network.model.needs_text:
        return by_window.align
    if isinstance(network, Reader) and network.model.head == "ctc":
        return by_ctc.align
    raise UserError(
        f"{network.path} contains a {type(network.model).__name__}: a network that writes "
        "texts, or a recogniser with CTC, can align"
    )


def run(arguments: argparse.Namespace) -> None:
    """Align the lines of all splits of a config, and save the table."""
    networks = options.from_arguments(options.Networks, arguments)
    aligner, reader = networks.load(arguments.resume), networks.reader(arguments.reader)
    align = method_of(aligner)
    make_room(arguments.output, "--output")
    alphabet = aligner.model.alphabet
    config = ConfigParser.from_file(arguments.config, arguments.overrides)
    dataset = recorded(config.build("data_loader").dataset)
    samples, texts = [], []
    for sample in dataset.load().used:
        text = nfc(sample.text)
        if text and not alphabet.unknown(text) and len(sample.ink) > len(text):
            samples.append(sample)
            texts.append(text)
    if not samples:
        raise UserError(
            f"{arguments.config}: no line has a text in the characters of {aligner.path}, and more "
            "points than characters"
        )
    check_forms(dataset, samples)
    inks = [sample.ink for sample in samples]
    extras = {name: stacked(samples)[name] for name in aligner.model.extras}
    options_of_extras = {"extras": extras} if extras else {}
    counts = align(aligner.model, inks, texts, progress=True, **options_of_extras)
    read = reader.read_lines(inks, progress=True)
    lines = {}
    for sample, text, points, hypothesis in zip(samples, texts, counts, read, strict=True):
        is_text = [character not in arguments.not_text for character in text]
        flags = read_in_place(text, hypothesis) & is_text
        errors = error_counts(text, hypothesis).character_errors
        lines[sample.name] = AlignedLine(points, flags, np.zeros_like(flags), errors)
    table = Alignment(lines)
    pieces = hands(measured_lines(samples, table)).values()
    tried, passed = verify_pieces(pieces, partial(reader.read_lines, progress=True))
    table.save(arguments.output)
    read = np.concatenate([line.read for line in lines.values()])
    print(
        f"{arguments.output}  ({len(lines):,} lines, {len(read):,} characters, {read.mean():.4f} "
        f"of them read; of {tried:,} cut out, {passed / max(tried, 1):.4f})"
    )


def recorded(dataset: BaseDataset) -> BaseDataset:
    """Return the dataset whose lines a `ComposedDataset` within `dataset` composes; without a
    `ComposedDataset`, `dataset` itself."""
    inner = dataset
    while inner is not None and not isinstance(inner, ComposedDataset):
        inner = getattr(inner, "dataset", None)
    return inner.dataset if inner else dataset


if __name__ == "__main__":
    parser = options.Parser(description=__doc__.partition("\n\n")[0])
    add = parser.add_argument
    add("config", type=Path, help="config whose recorded lines are aligned, of all its splits")
    options.add_network(parser, default="conditional")
    options.add_overrides(parser)
    add("--reader", default="recognition", help="the recogniser (default: recognition)")
    add("--not-text", default="", help="characters that nobody wrote, as # for crossed-out words")
    add("--output", type=Path, default=Path("alignment.npz"), help="(default: alignment.npz)")
    main(run, parser)
