"""Describes the hand of each recorded line of a config's dataset, for `ToldHandsDataset`."""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from apps.datasets.inner_datasets import dataset_within
from commands.shared import options
from commands.shared.scripts import main
from data_loader import ToldHandsDataset
from data_loader.synthetic.composed.dataset import COMPOSED_PREFIX, PIECE_PREFIX
from model.recognition.hand_descriptor import HandDescriptor
from parse_config import plan_from_file
from utils.checks import UserError
from utils.files import atomic_write, prepare_output


def run(arguments: argparse.Namespace) -> None:
    """Describe the lines, and save the table."""
    loader = plan_from_file(arguments.config, arguments.overrides).build("data_loader")
    dataset = loader.dataset
    output = arguments.output
    conditioned = dataset_within(dataset, ToldHandsDataset)
    if conditioned:
        dataset = conditioned.dataset
        output = output or Path(conditioned.descriptors)
    elif output is None:
        raise UserError(f"{arguments.config} names no file of descriptors: use --output FILE")
    prepare_output(output, "--output")
    used = dataset.load().used
    recorded = [
        sample for sample in used if not sample.name.startswith((COMPOSED_PREFIX, PIECE_PREFIX))
    ]
    inks = [sample.ink for sample in recorded]
    values = HandDescriptor.load().describe(inks, progress=True)
    names = np.array([sample.name for sample in recorded])
    atomic_write(output, lambda file: np.savez_compressed(file, names=names, values=values))
    print(f"{output}  ({len(recorded):,} lines)")


if __name__ == "__main__":
    parser = options.Parser(description=__doc__)
    parser.add_argument("config", type=Path, help="config whose recorded lines are described")
    options.add_overrides(parser)
    output_help = "file of the descriptors (default: the file that the config names)"
    parser.add_argument("--output", type=Path, help=output_help)
    main(run, parser)
