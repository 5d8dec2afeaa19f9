"""How written lines look, in numbers, by bias, beside recorded lines."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.base_dataset import Sample
from benchmarks import measures
from commands import options
from data_loader.synthetic.corpus import held_out
from model.generation.hand_encoder import told
from model.generation.sampling_options import Sampling
from model.writer import Writer
from parse_config import data_of


def run(arguments: argparse.Namespace) -> None:
    """Write lines, measure written and recorded lines, and print the tables."""
    networks, samples = options.from_arguments(options.Networks, arguments), []
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
        print("variety, the spread over lines divided by that over the recorded ones")
        varieties = [measures.variety(written, recorded) for _, written in columns]
        for name in (*measures.VARIED, "mean"):
            print(f"  {name:<18}" + "".join(f"{column[name]:<24.2f}" for column in varieties))


def written_lines(writer: Writer, arguments: argparse.Namespace, bias: float) -> measures.Measured:
    """Return the measures of sentences, each with a different seed, and in a different hand if the
    writer is told hands."""
    count = arguments.num_samples
    texts = options.without_unknown(writer.model.alphabet, held_out(count), skip=True)
    seeds = range(arguments.seed, arguments.seed + count)
    if writer.is_told:
        draw = writer.model.hand_encoder.draw
        lines = []
        for text, seed in zip(texts, seeds, strict=True):
            hand = Sampling(bias, extras={"hand": told(draw(seed))})
            lines += writer.write_lines([text], [seed], hand)
    else:
        lines = writer.write_lines(texts, seeds, Sampling(bias), progress=True)
    return [measures.measure(line.ink, text) for line, text in zip(lines, texts, strict=True)]


def recorded_lines(samples: Sequence[Sample], arguments: argparse.Namespace) -> measures.Measured:
    """Return the measures of recorded lines, each of a different hand."""
    chosen: dict[str, Sample] = {}
    for number in np.random.default_rng(arguments.seed).permutation(len(samples)).tolist():
        sample = samples[number]
        chosen.setdefault(sample.hand or sample.name, sample)
    lines = list(chosen.values())[: arguments.num_samples]
    return [measures.measure(line.ink, line.text) for line in lines]


if __name__ == "__main__":
    parser = options.Parser(description=__doc__)
    options.add_network(parser, default="writer")
    options.add_overrides(parser)
    options.add_seed(parser, "seed of the first line, incremented for each further one")
    add = parser.add_argument
    add("--num-samples", type=int, default=100, help="lines (default: 100)")
    add("--biases", type=float, nargs="+", default=[0.5], help="of lines (default: 0.5)")
    add("--recorded", metavar="SPLIT", help="of the config's dataset: measure its lines as well")
    measures.main(run, parser)
