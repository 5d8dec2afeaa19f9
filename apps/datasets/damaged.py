"""Lists damaged training samples that can still be read. A network that learns to report damaged
characters does not train on these samples (option `leave_out` of its loader)."""

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from commands.shared import network_options, options
from commands.shared.scripts import main
from ink.alphabet import WRONG
from parse_config import plan_from_file
from utils.files import prepare_output, write_text

MAX_READING_DOUBT = 0.5
"""Largest doubt of a sure reading, in nats (assumed)."""


def run(arguments: argparse.Namespace) -> None:
    """List the damaged training samples that are read right, with little doubt.

    Any character counts as right in place of the damaged character.
    """
    reader = network_options.Networks.of(arguments).reader(arguments.resume)
    prepare_output(arguments.output, "--output")
    loader = plan_from_file(arguments.config, arguments.overrides).build("data_loader")
    samples = loader.dataset.load(["train"]).split("train")
    damaged = [sample for sample in samples if WRONG in sample.text]
    inks = [sample.ink for sample in damaged]
    readings = reader.proofread(inks, progress=True)
    names = []
    for sample, (text, doubt) in zip(damaged, readings, strict=True):
        pattern = re.escape(sample.text).replace(WRONG, ".")
        if doubt <= MAX_READING_DOUBT and re.fullmatch(pattern, text):
            names.append(sample.name)
    write_text(arguments.output, "".join(f"{name}\n" for name in names))
    print(f"{arguments.output}  ({len(names):,} of {len(damaged):,} damaged samples can be read)")


if __name__ == "__main__":
    parser = options.Parser(description=__doc__)
    parser.add_argument("config", type=Path, help="config whose training samples are read")
    network_options.add_network(parser, default="open_reader")
    options.add_overrides(parser)
    parser.add_argument("--output", type=Path, required=True, help="file for the samples' names")
    main(run, parser)
