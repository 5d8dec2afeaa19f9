"""The division into training, validation and test samples, by the source's splits or a hash."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

import numpy as np

from base.base_dataset import SPLITS, Sample
from utils.checks import ConfigFault

FRACTIONS = {"train": 0.8, "valid": 0.1, "test": 0.1}
_OFFICIAL = re.compile(r"(?<![a-z])(train|valid|test)(?:ing|ation)?(?![a-z])", re.IGNORECASE)


def draw(key: str, seed: int = 0) -> float:
    """Return a number from 0 up to 1 (excluded) that depends on `key` and `seed` only."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def subset(samples: Sequence[Sample], count: int, seed: int = 0) -> list[Sample]:
    """Return the `count` samples that a seed chooses, in the order of `samples`.

    Samples whose names draw the lowest numbers are chosen: a smaller choice is part of a larger
    one, and does not depend on the order of the samples.
    """
    drawn = sorted(samples, key=lambda sample: draw(f"name:{sample.name}", seed))
    chosen = set(drawn[:count])
    return [sample for sample in samples if sample in chosen]


def official_split(path: str) -> str:
    """Return the split that a path names ("pendigits-train"), or "" unless it names exactly one."""
    named = {match[1].lower() for match in _OFFICIAL.finditer(path)}
    return named.pop() if len(named) == 1 else ""


def divide(
    samples: Sequence[Sample],
    fractions: Mapping[str, float],
    seed: int = 0,
    unit: Callable[[Sample], str] = attrgetter("name"),
) -> tuple[dict[str, list[Sample]], list[str]]:
    """Divide samples into the splits of their source if it has any, otherwise by a hash.

    The source has splits if the groups of its samples name `train` and a second split. A split that
    the source lacks is taken from its training samples, by the hash. It is the hash of the writer,
    or of the name where the writer is unknown or there are fewer writers than splits. So adding
    samples moves no other sample, and no writer is in two splits. The fractions hold on average
    over writers (or names).

    Args:
        samples: with unique names.
        fractions: the fraction of each split, not negative, together 1.
        seed: seed of the hash.
        unit: returns a key of a sample without a writer; samples of one key stay together.

    Returns:
        the samples of each split (empty only if samples are too few), and notes for a report.
    """
    notes = []
    fractions = {split: fraction for split, fraction in fractions.items() if fraction > 0}
    split_of = {sample: official_split(sample.group) for sample in samples}
    official = {"train", "valid", "test"}.intersection(split_of.values())
    official = official - {"train"} if "train" in official else set()
    for split in official:
        fractions["train"] += fractions.pop(split, 0.0)
    if official:
        note = f"the splits {', '.join(sorted(official | {'train'}))} are the source's"
        if rest := sorted(fractions.keys() - {"train"}):
            note += f"; {' and '.join(rest)} by hash from train"
        notes.append(note)
    undivided = [sample for sample in samples if split_of[sample] not in official]
    writers = {sample.writer for sample in undivided}
    by_writer = len(writers) >= len(fractions)
    if any(writers) and not by_writer:
        notes.append("fewer writers than splits: divided by the samples' names")
    # The prefixes of the keys let a sample that is named like a writer be drawn independently.
    units: dict[str, list[Sample]] = {}
    for sample in undivided:
        key = f"writer:{sample.writer}" if by_writer and sample.writer else f"name:{unit(sample)}"
        units.setdefault(key, []).append(sample)
    drawn, new_notes = _drawn_splits({name: len(units[name]) for name in units}, fractions, seed)
    for name, members in units.items():
        split_of |= dict.fromkeys(members, drawn[name])
    splits = [split for split in SPLITS if split in fractions or split in official]
    parts = {split: [s for s in samples if split_of[s] == split] for split in splits}
    return parts, notes + new_notes


def _drawn_splits(
    sizes: Mapping[str, int], fractions: Mapping[str, float], seed: int
) -> tuple[dict[str, str], list[str]]:
    """Return the split of each unit, and notes for a report; `sizes` counts the units' samples."""
    names, notes = list(fractions), []
    edges = np.cumsum(list(fractions.values()))[:-1] / sum(fractions.values())
    drawn = {unit: names[np.searchsorted(edges, draw(unit, seed), side="right")] for unit in sizes}
    for split in names:
        parts = {name: [unit for unit in sizes if drawn[unit] == name] for name in names}
        giver = max(names, key=lambda name: len(parts[name]))
        if not parts[split] and len(parts[giver]) > 1:  # few samples: let no split be empty
            moved = min(parts[giver], key=lambda unit: draw(unit.partition(":")[2], seed))
            drawn[moved] = split
            notes.append(f"{split} would be empty and got {sizes[moved]} of {giver}")
    return drawn, notes


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Raise a ConfigFault unless `fractions` of `SPLITS`, with train and valid, are together 1."""
    train, valid, test = (fractions.get(split, 0.0) for split in SPLITS)
    is_whole = abs(sum(fractions.values()) - 1) < 1e-6 and abs(train + valid + test - 1) < 1e-6
    if not is_whole or min(train, valid, test) < 0 or train == 0 or valid == 0:
        expected = f"shares of {', '.join(SPLITS)}, together 1, of train and valid more than 0"
        raise ConfigFault("fractions", dict(fractions), expected)
