"""How well lines tell whose hand they are in, and the space in which they do.

`utils.hand_likeness.fit` learns a space from the forms of IAM-OnDB's trainset. Persons of
testset_v, by some lines of theirs, are then told from each other by all lines of their other forms.
With --output the space is saved; `saved/pretrained/hands.npz` is measured without.
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from base.pretrained import HAND_SPACE
from benchmarks.own_hand import divided, recorded
from data_loader import IAMOnDBDataset
from utils import hand_likeness
from utils.hand_likeness import HandSpace, likelihoods

KNOWN_BY = (1, 2, 4, 10, 30)
"""Lines by which a person is known."""


def learned(root: str) -> HandSpace:
    """Return the space of the forms of the trainset."""
    splits = {"train": ["trainset"], "valid": ["testset_v"], "test": ["testset_t"]}
    source = IAMOnDBDataset(root=root, subset=None, strict=False, splits=splits)
    source.prepare()
    forms = defaultdict(list)
    for index in source.indices("train").tolist():
        forms[source.group(index)].append(source.ink(index))
    print(f"{len(forms):,} forms, {sum(map(len, forms.values())):,} lines")
    return hand_likeness.fit(list(forms.values()))


def main(arguments: argparse.Namespace) -> None:
    """Print how many lines are told right, and what the truth costs."""
    space = hand_likeness.load(HAND_SPACE) if arguments.output is None else learned(arguments.data)
    persons = recorded(arguments.data).values()
    between = space.between.astype(np.float64)
    print(f"{len(persons)} persons; known by    told right    nats of the truth")
    for count in KNOWN_BY:
        right, nats = [], []
        parts = [divided(person, count) for person in persons]
        known, others = (
            [space.embed([ink for ink, _ in lines]) for lines in side]
            for side in zip(*parts, strict=True)
        )
        for number, lines in enumerate(others):
            likely = likelihoods(lines, known, between)
            right.append((likely.argmax(axis=1) == number).mean())
            nats.append((np.logaddexp.reduce(likely, axis=1) - likely[:, number]).mean())
        print(f"{count:>19} lines {np.mean(right):>12.1%} {np.mean(nats):>20.2f}")
    if arguments.output is not None:
        hand_likeness.save(space, arguments.output)
        print(arguments.output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--data", default="data/iam_ondb", help="folder of IAM-OnDB")
    parser.add_argument("--output", type=Path, help="file to save a newly learned space to")
    main(parser.parse_args())
