"""Lists damaged training samples that can still be read: a network that learns to tell damaged
characters from others leaves them out (`left_out` of its loader)."""

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measures import main
from commands import options
from parse_config import ConfigParser
from utils.alphabet import WRONG
from utils.files import make_room, write_text

DOUBT = 0.5
"""Most nats of doubt of a sure reading (assumed)."""


def run(arguments: argparse.Namespace) -> None:
    """Read the damaged training samples of a config, and list the samples that are read for sure,
    with any character in place of the damaged character."""
    reader = options.from_arguments(options.Networks, arguments).reader(arguments.resume)
    make_room(arguments.output, "--output")
    loader = ConfigParser.from_file(arguments.config, arguments.overrides).build("data_loader")
    samples = loader.dataset.load(["train"]).split("train")
    damaged = [sample for sample in samples if WRONG in sample.text]
    inks = [sample.ink for sample in damaged]
    readings = reader.proofread(inks, progress=True)
    names = [
        sample.name
        for sample, (text, doubt) in zip(damaged, readings, strict=True)
        if doubt <= DOUBT and re.fullmatch(re.escape(sample.text).replace(WRONG, "."), text)
    ]
    write_text(arguments.output, "".join(f"{name}\n" for name in names))
    print(f"{arguments.output}  ({len(names):,} of {len(damaged):,} damaged samples are read)")


if __name__ == "__main__":
    parser = options.Parser(description=__doc__)
    parser.add_argument("config", type=Path, help="config whose training samples are read")
    options.add_network(parser, default="open_reader")
    options.add_overrides(parser)
    parser.add_argument("--output", type=Path, required=True, help="file of their names")
    main(run, parser)
