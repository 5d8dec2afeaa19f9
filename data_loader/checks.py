"""Checks before a network learns: of a dataset's samples, and of what a transform makes of one."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from base.base_data_loader import BaseDataLoader
from base.base_dataset import BaseDataset, Loaded
from base.config import user_modules
from base.data.samples import Samples
from ink.alphabet import Alphabet, describe, nfc
from ink.sample import Sample
from utils.checks import DataError, short


class Content(NamedTuple):
    """What a sample is compared by."""

    name: str
    person: str
    """The known name of who wrote it, or ""."""
    ink: bytes
    """A digest of the ink."""
    whole: bytes
    """A digest of the ink, text and name."""
    start: tuple[float, float]
    """The first offset."""


def checked(dataset: BaseDataset, splits: Collection[str]) -> Loaded:
    """Load a dataset, and check its samples in memory, each of which is read once.

    Of a user's dataset, names and splits are compared. A sample of another split that has the ink,
    the text and the name of one to train on is an error; one that has its ink is only a doubt, as
    dots and strokes of a font are often equal. So is one by a person of the training samples, and
    ink that does not begin with the offset (0, 0), as absolute positions.

    Prepared samples were checked when they were prepared, and are not compared: their source
    divides them by a hash, or as its files are divided.

    Raises:
        DataError: if samples are not as `Sample` says, have fewer than two points, or share a name;
            or if a sample to train on is in another split, too.
    """
    loaded = dataset.load(splits)
    owner = type(dataset).__name__
    if not isinstance(loaded, Loaded):
        raise DataError(f"{owner}.load returns {short(loaded)}: a Loaded is needed")
    used = loaded.used.in_memory
    contents = _contents_of(used)
    if user_modules.is_any_from_user(dataset):
        by_split = {
            split: [contents[place] for place in loaded.split(split).in_memory.places_in(used)]
            for split in loaded.samples
        }
        trained = by_split.pop("train", [])
        doubts = [
            doubt
            for split, in_split in by_split.items()
            for doubt in _check_split(f"{owner}: %d samples of {split!r}", in_split, trained)
        ]
        names = Counter(content.name for content in contents if content.name)
        for name, count in names.most_common(1):
            if count > 1:
                expected = "each needs a name of its own"
                raise DataError(f"{owner}: {count} samples have the name {name!r}: {expected}")
        doubts += _doubts_of_positions(owner, contents)
        return replace(loaded, doubts=tuple(doubts)) if doubts else loaded
    return loaded


def _contents_of(samples: Samples) -> list[Content]:
    """Return the contents of samples; raise a DataError if some cannot be used."""
    contents, unusable = [], defaultdict[str, list[str]](list)
    for place, sample in enumerate(samples):
        if problem := problem_of(sample):
            unusable[problem].append(sample.name)
        else:
            ink = hashlib.sha256(sample.ink.tobytes())
            whole = ink.copy()
            # A sample without a name equals none but itself, which two splits may have.
            whole.update(repr((sample.text, sample.name or place)).encode())
            x, y, _ = sample.ink[0].tolist()
            digests = ink.digest(), whole.digest()
            contents.append(Content(sample.name, sample.writer, *digests, (x, y)))
    for problem, names in unusable.items():
        raise DataError(f"{len(names)} samples have {problem}: {names[0]} is the first")
    return contents


def _check_split(
    title: str, samples: Sequence[Content], trained: Sequence[Content]
) -> Iterator[str]:
    """Raise a DataError if samples of a split are trained on; yield in words how many have ink, or
    are by persons, that are.

    A split that has all training samples is meant so, as to see whether a network can learn them.
    """
    inks, wholes = ({getattr(each, key) for each in trained} for key in ("ink", "whole"))
    if {each.whole for each in samples} == wholes:
        return
    if same := [each.name or "one of them" for each in samples if each.whole in wholes]:
        expected = f"{same[0]} is in the split 'train' as well; leave each in one split"
        raise DataError(f"{title % len(same)} are trained on: {expected}")
    if alike := [each.name or "one of them" for each in samples if each.ink in inks]:
        problem = f"have the ink of training samples, with another text or name: {alike[0]} first"
        yield f"{title % len(alike)} {problem}"
    persons = {each.person for each in trained} - {""}
    if shared := [each for each in samples if each.person in persons]:
        yield f"{title % len(shared)} are by persons of training samples: {shared[0].person} first"


def _doubts_of_positions(owner: str, contents: Sequence[Content]) -> Iterator[str]:
    """Yield in words how many samples do not begin with the offset (0, 0), if any."""
    if moved := [content for content in contents if any(content.start)]:
        first, (x, y) = moved[0].name or "one of them", moved[0].start
        problem = "do not begin with the offset (0, 0), as if their points were positions"
        count = f"{len(moved)} of {len(contents)} samples"
        yield f"{owner}: {count} {problem}: {first} begins with ({x:g}, {y:g})"


def problem_of(sample: Sample) -> str:
    """Return the fault of a sample; "" if it has none."""
    count, *width = np.shape(sample.ink)
    if count < 2 or width != [3]:
        return "fewer than two points, or points of other than three numbers"
    numbers = {"ink": sample.ink, **sample.extras}
    types = [(name, part, np.float32) for name, part in numbers.items()]
    for name, part, dtype in [*types, ("missing", sample.missing_counts, np.uint8)]:
        kind = getattr(part, "dtype", type(part).__name__)
        if kind != dtype:
            return f"{name} of the type {kind}, not {np.dtype(dtype)}"
    if len(sample.missing_counts) != count:
        return "another number of points than of counts of missing points"
    if not all(np.isfinite(part).all() for part in numbers.values()):
        return "points or extras that are not finite"
    if not is_pen(sample.ink[:, 2]):
        return "an end of stroke, the third number, that is neither 0 nor 1"
    for name in ("text", "name", "writer", "group"):
        if not isinstance(getattr(sample, name), str):
            return f"a {name} that is not a string"
    return ""


def is_pen(column: np.ndarray) -> bool:
    """Return whether all values are 0 or 1, as ends of strokes are."""
    return bool(((column == 0) | (column == 1)).all())


def fault_of(ink: np.ndarray, missing: np.ndarray, stage: str) -> str:
    """Return the fault of the result of a transform that acts on `stage`; "" if it has none."""
    is_ink = stage == "ink"
    if len(ink) != len(missing) or len(ink) < (2 if is_ink else 1):
        return f"returns {len(ink)} points and {len(missing)} counts of missing points"
    if ink.dtype != np.float32 or missing.dtype != np.uint8:
        return f"returns the types {ink.dtype} and {missing.dtype}, not float32 and uint8"
    if is_ink and not is_pen(ink[:, 2]):
        return "leaves an end of stroke, the third number, that is neither 0 nor 1"
    return "" if np.isfinite(ink).all() else "makes points that are not finite"


def check_alphabet(loaded: Loaded, alphabet: Alphabet, remedy: str) -> None:
    """Raise a DataError if `alphabet` lacks characters of the samples' texts.

    The message lists each character with its code point, its count and the first sample that
    contains it, and ends with `remedy`.
    """
    counts, lacking = loaded.character_counts(), []
    for character in reversed(alphabet.unknown("".join(counts))):
        pairs = zip(loaded.used.strings("name"), loaded.used.strings("text"), strict=True)
        first = next(name for name, text in pairs if character in nfc(text))
        lacking.append(f"{describe(character)} {counts[character]} times, first in {first}")
    if lacking:
        raise DataError(
            f"the alphabet lacks characters of the dataset's texts: {', '.join(lacking)}; leave "
            f"these samples out, or {remedy}"
        )


def check_texts(train: BaseDataLoader, valid: BaseDataLoader | None, network: str) -> None:
    """Raise a DataError if a sample has no text; `network` names the network in the message."""
    for split, loader in (("train", train), ("valid", valid)):
        samples = loader.dataset.samples if loader else Samples()
        count, first = samples.cached("unlabelled", partial(_unlabelled, samples))
        if count:
            raise DataError(
                f"{count:,} of {len(samples):,} samples of the split {split!r} have "
                f"no text, {first} first: {network} cannot learn from "
                "them; leave them out of the dataset"
            )


def _unlabelled(samples: Samples) -> tuple[int, str]:
    """Return the number of samples without a text, and the first one's name."""
    pairs = zip(samples.strings("name"), samples.strings("text"), strict=True)
    names = [name for name, text in pairs if not text.strip()]
    return len(names), names[0] if names else ""
