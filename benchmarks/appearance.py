"""How written lines or pages look, in numbers, by bias or length, beside recorded ones.

Of lines `benchmarks/measures.py`, of pages the spreads of `benchmarks/evenness.py`.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.base_dataset import Sample
from benchmarks.evenness import LEAST_LINES, SPREADS, of_page
from benchmarks.measures import (
    MEASURES,
    VARIED,
    Measured,
    main,
    measure,
    print_table,
    shown,
    variety,
)
from commands import options
from data_loader.synthetic.corpus import held_out
from handwriting.hand import Hand, own_hand
from handwriting.layout import Paragraph, pages, scaled
from handwriting.legibility import read_back
from handwriting.options import HEIGHT
from handwriting.paper import Paper
from handwriting.passages import Passage
from handwriting.setting import LINE_HEIGHT
from model.generation.options import Sampling
from model.writer import Writer
from parse_config import data_of
from utils.checks import UserError
from utils.ink import from_strokes

NEAR = 5
"""Characters by which a text may be shorter or longer than --lengths asks for."""
ROWS, CHARACTERS = 8, 40
"""Rows of a page, and about how many characters stand in one, as in IAM-OnDB's forms."""
SENTENCES = 14
"""Those of the text of a page, some 30 characters each: enough for its rows."""
SHEETS = 100
"""Recorded ones that are measured at most."""


def run(arguments: argparse.Namespace) -> None:
    """Write lines or pages, measure them and recorded ones, and print the tables."""
    networks, samples = options.taken(options.Networks, arguments), []
    writer = networks.writer(arguments.resume, of_texts=True)
    if arguments.recorded:
        data = data_of(writer, arguments.recorded, arguments.overrides)
        samples = [sample for sample in data.loaded.split(arguments.recorded) if sample.text]
    if arguments.pages:
        columns = [("written", list(written_pages(writer, arguments)))]
        if arguments.recorded:
            recorded = recorded_pages(samples, arguments)
            columns.append((f"{len(recorded)} recorded", recorded))
        print("spreads from row to row, and of the last two within a row")
        print_table(SPREADS, columns)
        return
    columns = [
        (f"bias {bias:g}", written_lines(writer, arguments, bias))
        for bias in sorted(set(arguments.biases))
    ]
    recorded = recorded_lines(samples, arguments)
    print_table(MEASURES, [*columns, *([(f"{len(recorded)} recorded", recorded)] * bool(recorded))])
    if recorded:
        print("variety, the spread over lines divided by that over the recorded ones")
        varieties = [variety(written, recorded) for _, written in columns]
        for name in (*VARIED, "mean"):
            print(f"  {name:<18}" + "".join(f"{one[name]:<24.2f}" for one in varieties))
    print_lengths(writer, networks, arguments)


def written_lines(writer: Writer, arguments: argparse.Namespace, bias: float) -> Measured:
    """Return the measures of sentences, each with a seed of its own."""
    count = arguments.num_samples
    texts = options.without_unknown(writer.model.alphabet, held_out(count), skip=True)
    seeds = range(arguments.seed, arguments.seed + count)
    lines = writer.write_lines(texts, seeds, Sampling(bias), progress=True)
    return [measure(line.ink, text) for line, text in zip(lines, texts, strict=True)]


def recorded_lines(samples: Sequence[Sample], arguments: argparse.Namespace) -> Measured:
    """Return the measures of recorded lines, each of another hand."""
    chosen: dict[str, Sample] = {}
    for number in np.random.default_rng(arguments.seed).permutation(len(samples)).tolist():
        sample = samples[number]
        chosen.setdefault(sample.hand or sample.name, sample)
    lines = list(chosen.values())[: arguments.num_samples]
    return [measure(line.ink, line.text) for line in lines]


def print_lengths(
    writer: Writer, networks: options.Networks, arguments: argparse.Namespace
) -> None:
    """Print how texts of each of --lengths are read and look, at each bias."""
    for length in arguments.lengths:
        reader = networks.reader(arguments.reader)
        texts = held_out(arguments.num_samples, length - NEAR, length + NEAR)
        texts = options.without_unknown(writer.model.alphabet, texts, skip=True)
        seeds = range(arguments.seed, arguments.seed + len(texts))
        for bias in arguments.biases:
            one = read_back(writer, reader, texts, seeds, Sampling(bias))
            measured = [measure(line.ink, line.reference) for line in one.transcriptions]
            print(
                f"{length:>4} characters, bias {bias:<5g} cer {one.rates['cer']:.4f}  ended "
                f"{one.ended:.4f}  slope {shown(measured, 'slope')}  x_height_ratio "
                f"{shown(measured, 'x_height_ratio')}"
            )


def written_pages(writer: Writer, arguments: argparse.Namespace) -> Iterator[dict[str, float]]:
    """Yield the measures of pages as `page` lays them out.

    Page n has the seed `--seed` + n, and the hand that the network chooses by it.
    """
    texts = options.without_unknown(
        writer.model.alphabet, held_out(arguments.pages * SENTENCES), skip=True
    )
    sampling, step = Sampling(), LINE_HEIGHT * HEIGHT
    for number in tqdm(range(arguments.pages), "pages", leave=False, disable=None):
        seed = arguments.seed + number
        hand = Hand(writer, own_hand(writer, None, seed, sampling), None, sampling)
        text = " ".join(texts[number * SENTENCES : (number + 1) * SENTENCES])
        parts = Passage(hand, text).lines
        lines = hand.write_words(parts, range(seed, seed + len(parts)))
        paper = Paper(CHARACTERS * hand.shape.blank * HEIGHT, (ROWS + 0.5) * step, (0.0,) * 4)
        words = [scaled(word, HEIGHT) for line in lines for one in line for word in one.words]
        page = next(pages([Paragraph(words, step)], paper))
        yield of_page([(from_strokes(row.strokes), row.text) for row in page.rows])


def recorded_pages(samples: Sequence[Sample], arguments: argparse.Namespace) -> Measured:
    """Return the measures of recorded sheets, of `SHEETS` chosen at random if there are more.

    Raises:
        UserError: if the dataset has none of enough lines.
    """
    sheets: dict[str, list[Sample]] = {}
    for sample in samples:
        sheets.setdefault(sample.group, []).append(sample)
    whole = [lines for name, lines in sorted(sheets.items()) if name and len(lines) >= LEAST_LINES]
    if not whole:
        raise UserError(
            f"the split {arguments.recorded!r} has no sheet: {LEAST_LINES} lines of a form, with "
            "texts, are needed"
        )
    order = np.random.default_rng(arguments.seed).permutation(len(whole))[:SHEETS]
    return [of_page([(line.ink, line.text) for line in whole[n]]) for n in order.tolist()]


if __name__ == "__main__":
    parser = options.Parser(description=__doc__.partition("\n\n")[0])
    options.add_network(parser, default="writer")
    options.add_overrides(parser)
    options.add_seed(parser, "seed of the first line or page, incremented for each further one")
    add = parser.add_argument
    add("--num-samples", type=int, default=100, help="lines (default: 100)")
    add("--biases", type=float, nargs="+", default=[0.5], help="of lines (default: 0.5)")
    add("--recorded", metavar="SPLIT", help="of the config's dataset: measure its lines as well")
    add("--lengths", type=int, nargs="+", default=[], help="of texts that are read as well")
    add("--reader", default="reader", help="that reads these (default: reader)")
    add("--pages", type=int, help="measure so many pages instead")
    main(run, parser)
