"""How well a space of hands assigns lines to persons; with --output a new space.

In `saved/pretrained/hands.npz` persons of testset_v are enrolled with some lines, and the lines of
their other forms are assigned to persons. The new space is a linear discriminant analysis of the
`hand_features` of IAM-OnDB's trainset, with the forms as hands.
"""

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import hand_likeness
from benchmarks.hand_likeness import BLOCKS, HandSpace, hand_features, likelihoods
from benchmarks.measures import main
from benchmarks.own_hand import divided, recorded
from commands.options import Parser
from data_loader import IAMOnDBDataset
from utils.files import atomic_write

KNOWN_BY = (1, 2, 4, 10, 30)
"""Numbers of lines with which a person is enrolled."""
COMPONENTS = 200
"""Principal components of the features that are kept (measured by cross-validation over hands of
IAM-OnDB's trainset: from 150 to 500 the errors differ by at most 1 % of the lines)."""
AXES = 96
"""Most axes of a space (measured as `COMPONENTS`: with 64 axes 1 % more of the lines are mistaken,
with 32 axes 4 %)."""
SHRINKAGE = 0.1
"""Fraction of the covariance within hands that its mean variance replaces (measured as
`COMPONENTS`: with 0.01 and 0.3 half a per cent more of the lines are mistaken)."""


def fit(hands: Sequence[Sequence[np.ndarray]]) -> HandSpace:
    """Return the space that separates hands best.

    Args:
        hands: lines `(points, 3)` of each hand, such as a form of IAM-OnDB; at least two hands of
            two lines. Several hands of a person do no harm (measured: one line in 300).
    """
    features = np.array([hand_features(line) for hand in hands for line in hand])
    owners = np.repeat(np.arange(len(hands)), [len(hand) for hand in hands])
    # Divided so that the total variance of every block becomes 1.
    edges = np.cumsum([0, *BLOCKS.values()])[:-1]
    totals = np.sqrt(np.add.reduceat(features.var(axis=0), edges))
    scales = np.repeat(np.where(totals > 0, totals, 1.0), list(BLOCKS.values()))
    return discriminant(features, owners, scales, AXES)


def discriminant(
    features: np.ndarray, owners: np.ndarray, scales: np.ndarray, axes: int
) -> HandSpace:
    """Return the linear discriminants of features: axes with variance 1 within owners, in the order
    of the variance between owners.

    Args:
        features: `(lines, features)`.
        owners: the hand of each line, numbered from 0 without gaps, `(lines,)`.
        scales: divisors of the features before their principal components are taken.
        axes: most axes of the space.
    """
    mean = features.mean(axis=0)
    centred = (features - mean) / scales
    _, vectors = np.linalg.eigh(centred.T @ centred)
    components = vectors[:, ::-1][:, : min(COMPONENTS, len(features) - 1)]
    embeddings = centred @ components
    counts = np.bincount(owners)
    means = np.stack([np.bincount(owners, axis) for axis in embeddings.T], axis=1) / counts[:, None]
    deviations = embeddings - means[owners]
    within = deviations.T @ deviations / (len(owners) - len(counts))
    mean_variance = np.trace(within) / len(within)
    within = (1 - SHRINKAGE) * within + SHRINKAGE * mean_variance * np.eye(len(within))
    variances, vectors = np.linalg.eigh(within)
    white = vectors / np.sqrt(variances)
    spread = means @ white * np.sqrt(counts / len(owners))[:, None]
    between, vectors = np.linalg.eigh(spread.T @ spread)
    kept = min(axes, len(counts) - 1, len(between))
    projection = components @ white @ vectors[:, ::-1][:, :kept] / scales[:, None]
    # Means of few lines differ by chance too: by a line's variance over the number of lines.
    between = between[::-1][:kept] - len(counts) / len(owners)
    parts = mean, projection, np.maximum(between, 0.0)
    return HandSpace(*(part.astype(np.float32) for part in parts))


def save(space: HandSpace, path: str | os.PathLike[str]) -> None:
    """Write a space as `.npz`, the projection in float16, relative to its largest value."""
    largest = np.abs(space.projection).max()
    half = (space.projection / largest).astype(np.float16)
    parts = {"mean": space.mean, "projection": half, "largest": largest, "between": space.between}
    atomic_write(path, lambda file: np.savez_compressed(file, **parts))


def learned(root: str) -> HandSpace:
    """Return the space of the forms of the trainset."""
    splits = {"train": ["trainset"], "valid": ["testset_v"], "test": ["testset_t"]}
    source = IAMOnDBDataset(root=root, subset=None, strict=False, splits=splits)
    forms = defaultdict(list)
    for sample in source.load(["train"]).split("train"):
        forms[sample.group].append(sample.ink)
    print(f"{len(forms):,} forms, {sum(map(len, forms.values())):,} lines")
    return fit(list(forms.values()))


def run(arguments: argparse.Namespace) -> None:
    """Print the fraction of lines assigned to the right person, and the nats of the truth."""
    space = learned(arguments.data) if arguments.output else hand_likeness.load()
    persons = recorded(arguments.data).values()
    between = space.between.astype(np.float64)
    print(f"{len(persons)} persons; known by    told right    nats of the truth")
    for count in KNOWN_BY:
        right, nats = [], []
        parts = [divided(person, count) for person in persons]
        enrolled = [space.embed([ink for ink, _ in lines]) for lines, _ in parts]
        for number, (_, rest) in enumerate(parts):
            lines = space.embed([ink for ink, _ in rest])
            likely = likelihoods(lines, enrolled, between)
            right.append((likely.argmax(axis=1) == number).mean())
            nats.append((np.logaddexp.reduce(likely, axis=1) - likely[:, number]).mean())
        print(f"{count:>19} lines {np.mean(right):>12.1%} {np.mean(nats):>20.2f}")
    if arguments.output:
        save(space, arguments.output)
        print(arguments.output)


if __name__ == "__main__":
    parser = Parser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--data", default="data/iam_ondb", help="folder of IAM-OnDB")
    parser.add_argument("--output", type=Path, help="file to save a newly learned space to")
    main(run, parser)
