"""Divides samples into training, validation and test splits, by the source's splits or a hash."""

import hashlib
import re
from collections.abc import Callable, Mapping

import numpy as np

from base.base_dataset import SPLITS
from base.data.samples import Samples
from utils.checks import ConfigFault

FRACTIONS = {"train": 0.8, "valid": 0.1, "test": 0.1}
_SPLIT_NAME = re.compile(r"(?<![a-z])(train|valid|test)(?:ing|ation)?(?![a-z])", re.IGNORECASE)


def hash_fraction(key: str, seed: int = 0) -> float:
    """Return a hash of `key` and `seed` as a number that is at least 0 and less than 1."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def choose_subset(samples: Samples, count: int, seed: int = 0) -> np.ndarray:
    """Return the places, ascending, of the `count` samples whose names have the lowest hashes.

    So a smaller subset is part of a larger one, and the choice does not depend on the order.
    """
    hashes = [hash_fraction(f"name:{name}", seed) for name in samples.strings("name")]
    return np.sort(np.argsort(hashes, kind="stable")[:count])


def named_split(path: str) -> str:
    """Return the split that a path names ("pendigits-train"); "" unless there is exactly one."""
    named = {match[1].lower() for match in _SPLIT_NAME.finditer(path)}
    return named.pop() if len(named) == 1 else ""


def divide(
    samples: Samples,
    fractions: Mapping[str, float],
    seed: int = 0,
    key_of: Callable[[str], str] = str,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Divide samples into the splits of their source if it has any, otherwise by a hash.

    The source has splits if the groups of its samples name `train` and a second split. A split that
    the source lacks is taken from its training samples by the hash. The hash is that of the writer
    or, if the writer is unknown or there are fewer writers than splits, that of the sample's key.
    So a new sample does not move the other samples, and all samples of a hashed writer are in one
    split. The fractions hold on average over writers (or keys).

    Args:
        samples: with unique names.
        fractions: the fraction of each split, not negative, together 1.
        seed: seed of the hash.
        key_of: returns the key of a sample by its name; samples with the same key stay together.

    Returns:
        the places of the samples of each split, ascending (none only if samples are too few), and
        notes for a report.
    """
    notes = []
    fractions = {split: fraction for split, fraction in fractions.items() if fraction > 0}
    groups = [*samples.strings("group")]
    named_by = {group: named_split(group) for group in dict.fromkeys(groups)}
    split_of, named = [named_by[group] for group in groups], {*named_by.values()}
    official = named & {"valid", "test"} if "train" in named else set()
    for split in official:
        fractions["train"] += fractions.pop(split, 0.0)
    if official:
        note = f"the splits {', '.join(sorted(official | {'train'}))} are the source's"
        if lacking := sorted(fractions.keys() - {"train"}):
            note += f"; {' and '.join(lacking)} by hash from train"
        notes.append(note)
    strings = zip(samples.strings("name"), samples.strings("writer"), strict=True)
    to_divide = [
        (place, *both) for place, both in enumerate(strings) if split_of[place] not in official
    ]
    writers = {writer for _, _, writer in to_divide}
    by_writer = len(writers) >= len(fractions)
    if any(writers) and not by_writer:
        notes.append("fewer writers than splits: divided by the samples' names")
    # The prefixes give a writer and a sample of the same name different hashes.
    members_of: dict[str, list[int]] = {}
    for place, name, writer in to_divide:
        key = f"writer:{writer}" if by_writer and writer else f"name:{key_of(name)}"
        members_of.setdefault(key, []).append(place)
    sizes = {key: len(members) for key, members in members_of.items()}
    split_of_key, new_notes = _assign_splits(sizes, fractions, seed)
    for key, members in members_of.items():
        for place in members:
            split_of[place] = split_of_key[key]
    splits = [split for split in SPLITS if split in fractions or split in official]
    assigned = np.array(split_of, dtype="U5")
    return {split: np.flatnonzero(assigned == split) for split in splits}, notes + new_notes


def _assign_splits(
    sizes: Mapping[str, int], fractions: Mapping[str, float], seed: int
) -> tuple[dict[str, str], list[str]]:
    """Return the split of each key, and notes for a report; `sizes` has each key's sample count."""
    splits, notes = list(fractions), []
    edges = np.cumsum(list(fractions.values()))[:-1] / sum(fractions.values())
    indices = np.searchsorted(edges, [hash_fraction(key, seed) for key in sizes], side="right")
    split_of = {key: splits[index] for key, index in zip(sizes, indices, strict=True)}
    for split in splits:
        keys = {name: [key for key in sizes if split_of[key] == name] for name in splits}
        largest = max(splits, key=lambda name: len(keys[name]))
        if not keys[split] and len(keys[largest]) > 1:  # With few samples, fill an empty split.
            moved = min(keys[largest], key=lambda key: hash_fraction(key.partition(":")[2], seed))
            split_of[moved] = split
            notes.append(f"{split} would be empty and got {sizes[moved]} of {largest}")
    return split_of, notes


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Raise a ConfigFault unless `fractions` has valid fractions of `SPLITS`, together 1."""
    train, valid, test = (fractions.get(split, 0.0) for split in SPLITS)
    is_whole = abs(sum(fractions.values()) - 1) < 1e-6 and abs(train + valid + test - 1) < 1e-6
    if not is_whole or min(train, valid, test) < 0 or train == 0:
        expected = f"fractions of {', '.join(SPLITS)}, together 1, train more than 0"
        raise ConfigFault("fractions", dict(fractions), expected)
