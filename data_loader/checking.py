"""Checks of samples, and of a user's dataset, before anything learns from them."""

from collections import Counter
from collections.abc import Collection, Iterable

import numpy as np

from base.base_dataset import BaseDataset, Loaded
from base.config import user_modules
from base.data.samples import Samples
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
    """Return what is wrong with a sample; "" if nothing."""
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
    if not user_modules.is_any_defined(dataset):
        return loaded
    owner, train = type(dataset).__name__, loaded.samples.get("train", Samples()).held
    names = Counter(filter(None, loaded.used.held.strings("name")))
    for name, count in names.most_common(1):
        if count > 1:
            expected = "each needs a name of its own"
            raise DataError(f"{owner}: {count} samples have the name {name!r}: {expected}")
    trained = {id(sample.ink): sample.name for sample in train}
    for split, samples in loaded.samples.items():
        shared = (
            {id(sample.ink): sample.name for sample in samples.held} if split != "train" else {}
        )
        # A split that has all of them is meant so, as to see whether a network can learn them.
        both = shared.keys() & trained.keys()
        if both and shared.keys() != trained.keys():
            named = shared[min(both)] or "one of them"
            expected = f"{named} is in the split 'train' as well"
            raise DataError(f"{owner}: {len(both)} samples of {split!r} are trained on: {expected}")
    return loaded
