"""Describes the hand of each recorded line of a config's dataset, for `ToldHandsDataset`.

With --fit a new descriptor is made first, from the lowest layers of a reader and the axes on which
the hands of the training differ most (linear discriminant analysis).
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.base_dataset import Sample
from benchmarks.hand_space import discriminant
from benchmarks.measures import main
from commands import options
from data_loader import ToldHandsDataset
from data_loader.synthetic.composed import COMPOSED, PIECE
from model.generation.hand_encoder import DESCRIPTOR
from model.loading import load_reader
from model.recognition.hand_descriptor import FILE, HandDescriptor, weights_of
from parse_config import ConfigParser
from utils.checks import UserError
from utils.files import atomic_write, make_room

WEIGHT = 1.0
"""Least total weight of a group: lines of a hand that are described together in the fit (assumed: a
line of 20 characters)."""
MAX_GROUPS = 40
"""Most groups of a hand (assumed)."""
MIN_GROUPS = 3
"""Least groups of a hand (assumed)."""


def groups(samples: Iterable[Sample], weights: np.ndarray) -> Iterator[tuple[str, list[int]]]:
    """Yield each group: a hand, and the indices of samples of the hand that weigh enough."""
    open_groups, counts = defaultdict(list), defaultdict(int)
    for index, sample in enumerate(samples):
        group = open_groups[sample.hand]
        group.append(index)
        if weights[group].sum() >= WEIGHT and counts[sample.hand] < MAX_GROUPS:
            counts[sample.hand] += 1
            yield sample.hand, open_groups.pop(sample.hand)


def fitted(reader: str, samples: Sequence[Sample]) -> HandDescriptor:
    """Return a descriptor from the lowest layers of a reader and the axes on which the samples'
    hands differ most."""
    network = load_reader(reader, "cpu").model
    sizes = network.convolution.out_channels, network.layers[0].hidden_size
    descriptor = HandDescriptor(*sizes, DESCRIPTOR).eval()
    descriptor.load_state_dict(weights_of(network), strict=False)
    moments, weights = descriptor.moments([sample.ink for sample in samples], progress=True)
    lines = defaultdict(list)
    for hand, group in groups(samples, weights):
        lines[hand].append(np.average(moments[group], axis=0, weights=weights[group]))
    hands = [hand for hand in lines.values() if len(hand) >= MIN_GROUPS]
    features = np.concatenate(hands)
    owners = np.repeat(np.arange(len(hands)), [len(hand) for hand in hands])
    space = discriminant(features, owners, features.std(axis=0) + 1e-6, DESCRIPTOR)
    projection = space.projection / np.sqrt(space.between + 1.0)
    missing_axes = DESCRIPTOR - projection.shape[1]  # above 0 with few hands
    projection = np.pad(projection, ((0, 0), (0, missing_axes)))
    axes = {"mean": torch.from_numpy(space.mean), "projection": torch.from_numpy(projection)}
    descriptor.load_state_dict(descriptor.state_dict() | axes)
    print(f"{len(hands)} hands, {len(features):,} groups of lines")
    return descriptor


def run(arguments: argparse.Namespace) -> None:
    """Make a new descriptor with --fit, describe the lines, and save the table."""
    loader = ConfigParser.from_file(arguments.config, arguments.overrides).build("data_loader")
    dataset, output = loader.dataset, arguments.output
    if isinstance(dataset, ToldHandsDataset):
        dataset, output = dataset.dataset, output or Path(dataset.descriptors)
    elif output is None:
        raise UserError(f"{arguments.config} tells no hands: say with --output where to save")
    make_room(output, "--output")
    loaded = dataset.load()
    recorded = [sample for sample in loaded.used if not sample.name.startswith((COMPOSED, PIECE))]
    if arguments.fit:
        training = set(loaded.split("train"))
        learned = [sample for sample in recorded if sample in training]
        descriptor = fitted(arguments.fit, learned)
        descriptor.save(FILE)
    else:
        descriptor = HandDescriptor.load()
    values = descriptor.describe([sample.ink for sample in recorded], progress=True)
    names = np.array([sample.name for sample in recorded])
    atomic_write(output, lambda file: np.savez_compressed(file, names=names, values=values))
    print(f"{output}  ({len(recorded):,} lines)")


if __name__ == "__main__":
    parser = options.Parser(description=__doc__)
    parser.add_argument("config", type=Path, help="config whose recorded lines are described")
    parser.add_argument("--fit", metavar="READER", help="make the descriptor anew, of this reader")
    options.add_overrides(parser)
    where = "file of the descriptors (default: the one that the config names)"
    parser.add_argument("--output", type=Path, help=where)
    main(run, parser)
