"""Measures how written lines look, for each bias, in comparison with recorded lines."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.base_dataset import Sample
from benchmarks import measures
from commands import network_options, options, writing_options
from data_loader.texts.corpus import held_out
from model.generation.hand_encoder import hand_extra
from model.generation.line import Sampling
from model.writer import Writer
from parse_config import data_of


def run(arguments: argparse.Namespace) -> None:
    """Write lines, measure written and recorded lines, and print the tables."""
    networks, samples = network_options.Networks.of(arguments), []
    writer = networks.writer(arguments.resume, of_texts=True)
    if arguments.recorded:
        data = data_of(writer, arguments.recorded, arguments.overrides)
        samples = [sample for sample in data.loaded.split(arguments.recorded) if sample.text]
    columns = [
        (f"bias {bias:g}", written_lines(writer, arguments, bias))
        for bias in sorted(set(arguments.biases))
    ]
    recorded = recorded_lines(samples, arguments)
    recorded_columns = [(f"{len(recorded)} recorded", recorded)] if recorded else []
    measures.print_table(measures.MEASURES, columns + recorded_columns)
    if recorded:
        print("variety: the spread over written lines, divided by the spread over recorded lines")
        varieties = [measures.variety(written, recorded) for _, written in columns]
        for name in (*measures.HAND_MEASURES, "mean"):
            print(f"  {name:<18}" + "".join(f"{variety[name]:<24.2f}" for variety in varieties))


def written_lines(writer: Writer, arguments: argparse.Namespace, bias: float) -> measures.Measures:
    """Return the measures of written sentences, in different hands if the writer takes hands."""
    count = arguments.num_samples
    texts = writing_options.without_unknown(writer.model.alphabet, held_out(count), skip=True)
    seeds = range(arguments.seed, arguments.seed + count)
    if writer.is_told:
        draw = writer.model.hand_encoder.draw
        lines = []
        for text, seed in zip(texts, seeds, strict=True):
            hand = Sampling(bias, extras={"hand": hand_extra(draw(seed))})
            lines += writer.write_lines([text], [seed], hand)
    else:
        lines = writer.write_lines(texts, seeds, Sampling(bias), progress=True)
    return [measures.measure(line.ink, text) for line, text in zip(lines, texts, strict=True)]


def recorded_lines(samples: Sequence[Sample], arguments: argparse.Namespace) -> measures.Measures:
    """Return the measures of random recorded lines, each of a different hand."""
    chosen: dict[str, Sample] = {}
    for number in np.random.default_rng(arguments.seed).permutation(len(samples)).tolist():
        sample = samples[number]
        chosen.setdefault(sample.hand or sample.name, sample)
    lines = list(chosen.values())[: arguments.num_samples]
    return [measures.measure(line.ink, line.text) for line in lines]


if __name__ == "__main__":
    parser = options.Parser(description=__doc__)
    network_options.add_network(parser, default="writer")
    options.add_overrides(parser)
    network_options.add_seed(parser, "seed of the first line; each further line adds 1")
    add = parser.add_argument
    add("--num-samples", type=int, default=100, help="lines of each column (default: 100)")
    add("--biases", type=float, nargs="+", default=[0.5], help="bias of each column (default: 0.5)")
    add("--recorded", metavar="SPLIT", help="also measure lines of this split of the config")
    measures.main(run, parser)
