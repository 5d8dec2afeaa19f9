"""Checks samples, their texts, and a user's dataset and transforms before a network learns."""

from collections import Counter
from collections.abc import Collection, Iterable
from functools import partial

import numpy as np

from base.base_data_loader import BaseDataLoader
from base.base_dataset import BaseDataset, Loaded
from base.config import user_modules
from base.data.samples import Samples
from ink.alphabet import Alphabet, describe, nfc
from ink.sample import Sample
from utils.checks import DataError, short


def check_samples(samples: Iterable[Sample]) -> None:
    """Raise a DataError if samples are not as `Sample` says, or have fewer than two points."""
    unusable: dict[str, list[str]] = {}
    for sample in samples:
        if problem := problem_of(sample):
            unusable.setdefault(problem, []).append(sample.name)
    for problem, names in unusable.items():
        raise DataError(f"{len(names)} samples have {problem}: {names[0]} is the first")


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


def load_checked(dataset: BaseDataset, splits: Collection[str]) -> Loaded:
    """Load a dataset; if it is a user's, check names and splits.

    Raises:
        DataError: if samples share a name, or a sample to train on is in another split, too.
    """
    loaded = dataset.load(splits)
    if not isinstance(loaded, Loaded):
        owner = type(dataset).__name__
        raise DataError(f"{owner}.load returns {short(loaded)}: a Loaded is needed")
    if not user_modules.is_any_from_user(dataset):
        return loaded
    owner, train = type(dataset).__name__, loaded.samples.get("train", Samples()).in_memory
    names = Counter(filter(None, loaded.used.in_memory.strings("name")))
    for name, count in names.most_common(1):
        if count > 1:
            expected = "each needs a name of its own"
            raise DataError(f"{owner}: {count} samples have the name {name!r}: {expected}")
    trained = {id(sample.ink): sample.name for sample in train}
    for split, samples in loaded.samples.items():
        others = samples.in_memory if split != "train" else ()
        shared = {id(sample.ink): sample.name for sample in others}
        # A split that has all of them is meant so, as to see whether a network can learn them.
        both = shared.keys() & trained.keys()
        if both and shared.keys() != trained.keys():
            sample = shared[min(both)] or "one of them"
            expected = f"{sample} is in the split 'train' as well"
            raise DataError(f"{owner}: {len(both)} samples of {split!r} are trained on: {expected}")
    return loaded


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
