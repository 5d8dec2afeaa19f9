"""Aligns the points of recorded lines with characters, in a table for `ComposedDataset`.

A network that writes aligns by its window, a recogniser by CTC. A second recogniser determines
which characters can be read within their lines, and which can be read when cut out.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from apps.datasets.inner_datasets import dataset_within
from base.data.samples import stacked
from commands.shared import network_options, options
from commands.shared.scripts import main
from data_loader import ComposedDataset
from data_loader.synthetic.composed.alignment import AlignedLine, Alignment
from data_loader.synthetic.composed.cutting import measured_lines
from data_loader.synthetic.composed.recorded_hands import check_hands, recorded_hands, verify_pieces
from ink.alphabet import nfc
from model.generation import window_alignment as by_window
from model.loading import Reader, TrainedNetwork, Writer
from model.recognition import ctc_alignment as by_ctc
from model.recognition.error_rates import error_counts, read_in_place
from parse_config import plan_from_file
from utils.checks import UserError
from utils.files import prepare_output


def alignment_function(network: TrainedNetwork) -> Callable[..., list[np.ndarray]]:
    """Return the function that aligns with a network; raise a UserError if it cannot align."""
    if isinstance(network, Writer) and network.model.needs_text:
        return by_window.align
    if isinstance(network, Reader) and network.model.head == "ctc":
        return by_ctc.align
    raise UserError(
        f"{network.path} contains a {type(network.model).__name__}: only a network that writes "
        "texts, or a recogniser with CTC, can align"
    )


def run(arguments: argparse.Namespace) -> None:
    """Align the lines of all splits of a config, and save the table."""
    networks = network_options.Networks.of(arguments)
    aligner = networks.load(arguments.resume)
    reader = networks.reader(arguments.reader)
    align = alignment_function(aligner)
    prepare_output(arguments.output, "--output")
    alphabet = aligner.model.alphabet
    dataset = plan_from_file(arguments.config, arguments.overrides).build("data_loader").dataset
    # A dataset of composed lines needs this table: its recorded lines are aligned.
    composed = dataset_within(dataset, ComposedDataset)
    dataset = composed.dataset if composed else dataset
    samples = []
    texts = []
    for sample in dataset.load().used:
        text = nfc(sample.text)
        if text and not alphabet.unknown(text) and len(sample.ink) > len(text):
            samples.append(sample)
            texts.append(text)
    if not samples:
        raise UserError(
            f"{arguments.config}: no line has a text in the characters of {aligner.path} and more "
            "points than characters"
        )
    check_hands(dataset, samples)
    inks = [sample.ink for sample in samples]
    extras = {name: stacked(samples)[name] for name in aligner.model.extras}
    options = {"extras": extras} if extras else {}  # Alignment by CTC takes no extras.
    counts = align(aligner.model, inks, texts, progress=True, **options)
    hypotheses = reader.read_lines(inks, progress=True)
    lines = {}
    for sample, text, points, hypothesis in zip(samples, texts, counts, hypotheses, strict=True):
        is_text = [character not in arguments.not_text for character in text]
        is_read = read_in_place(text, hypothesis) & is_text
        errors = error_counts(text, hypothesis).character_errors
        # `verify_pieces` below sets which characters fit.
        lines[sample.name] = AlignedLine(points, is_read, np.zeros_like(is_read), errors)
    table = Alignment(lines)
    table_hands = recorded_hands(measured_lines(samples, table)).values()
    num_tried, num_fit = verify_pieces(table_hands, partial(reader.read_lines, progress=True))
    table.save(arguments.output)
    all_read = np.concatenate([line.read for line in lines.values()])
    print(
        f"{arguments.output}  ({len(lines):,} lines; {all_read.mean():.4f} of {len(all_read):,} "
        f"characters read in their lines, {num_fit / max(num_tried, 1):.4f} of {num_tried:,} "
        "characters read when cut out)"
    )


if __name__ == "__main__":
    parser = options.Parser(description=__doc__.partition("\n\n")[0])
    add = parser.add_argument
    add("config", type=Path, help="config; the recorded lines of all its splits are aligned")
    network_options.add_network(parser, default="conditional")
    options.add_overrides(parser)
    reader_help = "recogniser that checks the characters (default: recognition)"
    add("--reader", default="recognition", help=reader_help)
    add("--not-text", default="", help="characters that stand for ink without a text, such as #")
    output_help = "file of the table (default: alignment.npz)"
    add("--output", type=Path, default=Path("alignment.npz"), help=output_help)
    main(run, parser)
