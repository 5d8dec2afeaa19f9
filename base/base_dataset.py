"""Defines the interface of datasets, and the samples that a dataset loads, and checks these."""

import hashlib
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from base.base_transform import BaseTransform
from base.config import user_modules
from base.data.samples import ExtraShapes, Samples, shapes_of
from ink.alphabet import Alphabet, nfc, table
from ink.normalisation import Normalisation
from ink.sample import Sample
from utils.checks import DataError, UserError, short
from utils.strict_json import Json, children

SPLITS = ("train", "valid", "test")
INK_TOLERANCE = 1e-5
"""Maximum difference between sums of the same ink (measured, notebook: data, a resumed run): what
another machine rounds otherwise changes them by less, one point of 10,000 lines by more."""


@dataclass(frozen=True)
class Loaded:
    """The loaded samples of a dataset."""

    samples: Mapping[str, Sequence[Sample]]
    """The samples by split, which become `Samples`; splits may share samples. As a sample may be
    made when it is asked for, it is known by its place, not by its identity."""
    report: str
    """The counts of each split, and of samples that are left out, as lines of text."""
    quantisation_step: float | None = None
    """Spacing, in source units, of the grid on which all points lie; None without a grid."""
    canonical: tuple[float, float] | None = None
    """The units of (dx, dy) in the canonical log-loss, in source units; None without this loss."""
    fitted: Mapping[str, float] = field(default_factory=dict)
    """Arguments of the dataset that it has fitted to a trained network, for the stored config."""
    doubts: tuple[str, ...] = ()
    """What may be wrong with the samples, in sentences; a new run warns of it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", Samples.by_split(self.samples))

    def split(self, name: str) -> Samples:
        """Return the samples of a split.

        Raises:
            UserError: if there is no such split, naming the existing ones.
        """
        if name not in self.samples:
            existing = self.samples or [split for split in SPLITS if split != name]
            raise UserError(f"no split {name!r}: there are {', '.join(existing)}")
        return Samples.of(self.samples[name])

    def only(self, splits: Iterable[str]) -> "Loaded":
        """Return these splits alone, in this order, as far as there are such."""
        samples = {split: self.samples[split] for split in splits if split in self.samples}
        return replace(self, samples=samples)

    @cached_property
    def used(self) -> Samples:
        """The unique samples of all splits: a sample that several splits share is here once."""
        used = Samples()
        for split in self.samples:
            used += self.split(split).without(used)
        return used

    def derived(self, samples: Samples, counts: Sequence[int]) -> dict[str, Samples]:
        """Return the samples that are derived from `used`, by split.

        Args:
            samples: the derived samples, in the order of `used`.
            counts: for each sample of `used`, the number of samples derived from it.
        """
        sizes = np.array(counts, np.int64)
        starts = np.cumsum(sizes) - sizes
        by_split = {}
        for split in self.samples:
            places = self.split(split).places_in(self.used)
            firsts, lengths = starts[places], sizes[places]
            # The numbers of derived samples go up by one from the first of each sample.
            steps = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            by_split[split] = samples.take(np.repeat(firsts, lengths) + steps)
        return by_split

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """By split, a hash of the names, texts, lengths and extras of the samples, in order; see
        `ink_sums` for the ink."""
        return self._cached("fingerprint", _fingerprint)

    @cached_property
    def ink_sums(self) -> dict[str, list[float]]:
        """By split, six numbers that depend on each point of the ink; see `is_same_ink`."""
        return self._cached("ink-sums", _ink_sums)

    def _cached(self, name: str, make: Callable[[Samples], Any]) -> dict[str, Any]:
        """Return the results of `make` for the samples of each split, cached with the samples."""
        parts = {split: self.split(split) for split in self.samples}
        return {split: part.cached(name, partial(make, part)) for split, part in parts.items()}

    @property
    def record(self) -> dict[str, Any]:
        """The record of the data in a checkpoint; see `changed_splits`."""
        names = ("canonical", "quantisation_step", "fingerprints", "ink_sums")
        return {name: getattr(self, name) for name in names}

    def changed_splits(self, record: Json) -> list[str]:
        """Return the splits that differ from those of a checkpoint with this `record`, which may be
        damaged."""
        prints, inks = (children(children(record).get(key)) for key in ("fingerprints", "ink_sums"))
        return [
            split
            for split in dict.fromkeys((*prints, *self.samples))
            if split not in self.samples
            or prints.get(split) != self.fingerprints[split]
            or not is_same_ink(inks.get(split), self.ink_sums[split])
        ]

    @cached_property
    def extras(self) -> ExtraShapes:
        """The shapes of the samples' extras, by name; raises a DataError if they differ."""
        shapes = self.used.cached("extras", lambda: shapes_of(self.used))
        return ExtraShapes({name: tuple(shape) for name, shape in shapes.items()})

    def check_extras(self, needed: Mapping[str, tuple[int, ...]]) -> None:
        """Raise a DataError if the samples lack extras that a network takes, by name and shape."""
        if not needed.items() <= self.extras.items():
            raise DataError(f"the network takes {needed}; the samples have {self.extras}")

    @property
    def hands(self) -> dict[str, int]:
        """The number of each hand with a name, in the order of the names."""
        names = {*self.used.hands} - {""}
        return {name: number for number, name in enumerate(sorted(names))}

    def character_counts(self) -> dict[str, int]:
        """Return the count of each character in the texts of all splits, rare characters first.

        Characters of equal counts are in the order of code points. Texts are counted in NFC.
        """
        return self.used.cached("characters", lambda: _character_counts(self.used.strings("text")))

    def character_report(self, new: Iterable[str] = ()) -> str:
        """Return `character_counts` as lines of text.

        Args:
            new: characters to mark, because a checkpoint does not know them.
        """
        counts = self.character_counts()
        new = counts.keys() & new
        title = f"{len(counts)} different characters, the rare ones first"
        title += f"; * marks {len(new)} that the checkpoint does not know" if new else ""
        return "\n".join(filter(None, [title, table(counts, new)]))


@dataclass(frozen=True)
class Facts:
    """The facts of a run's data, which its network, trainer and checkpoints are given."""

    normalisation: Normalisation
    alphabet: Alphabet
    extras: Mapping[str, tuple[int, ...]]
    """The shapes, by name, of the extras that the network takes."""
    loaded: Loaded
    """What the dataset loaded."""


class InitialNetwork(NamedTuple):
    """The trained network with which a training begins; datasets may adapt their samples to it."""

    path: Path
    """The file of its checkpoint."""
    device: torch.device
    """The device to compute on."""
    is_resumed: bool
    """Whether the run of the checkpoint goes on; otherwise a new run begins."""


@dataclass(frozen=True)
class Preparing:
    """How data are prepared before a training: the number of processes and the part of the
    data that they prepare."""

    workers: int = 1
    """The number of processes that parse side by side."""
    part: int = 1
    """The number of the part, from 1 to `parts`."""
    parts: int = 1
    is_examined: bool = False
    """Whether files that exist are compared with their digests; else only their sizes are."""


class BaseDataset(ABC):
    """A source of samples of ink with their text, divided into `train`, `valid` and `test`.

    The constructor only takes options; `load` reads, parses or makes the samples. If it has a
    parameter `origin` before `*`, it gets the `InitialNetwork` of the training, or None.
    """

    x_height: ClassVar[float | None] = None
    """For sources whose lines are not running text: the x-height in source units, as
    `ink.geometry.x_height` measures it in running text. None to measure it in the lines."""
    licence: ClassVar[str | None] = None
    """The licence of the data, see `utils.licences`; None if it is unknown."""
    version: ClassVar[int] = 1
    """Version of the samples that the class makes of the same input: raised when they change, so
    that nobody goes on with cached ones."""

    def __str__(self) -> str:
        """Return the name of the class, for messages."""
        return type(self).__name__

    @property
    def characters(self) -> str | None:
        """Characters that texts of this source may contain; None for any characters.

        If given, the alphabet of a source is the same for any number of samples and any seed.
        """
        return None

    def licences(self) -> set[str | None]:
        """Return the licences of the datasets that this dataset combines, or its own licence."""
        parts = [part for part in vars(self).values() if isinstance(part, BaseDataset)]
        return set().union(*(part.licences() for part in parts)) if parts else {self.licence}

    def preprocessing(self) -> list[BaseTransform]:
        """Return the default preprocessing for training on this source."""
        return []

    def prepare(self, preparing: Preparing) -> None:
        """Prepare the files of the dataset and of its inner datasets, or a part of these files."""
        for part in vars(self).values():
            if isinstance(part, BaseDataset):
                part.prepare(preparing)

    @abstractmethod
    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Return the samples of `splits`, without splits that the source lacks.

        Files that only other splits need are not read, and need not exist.

        Raises:
            DataError: if the source is missing or broken.
        """


def mapped(
    samples: Mapping[str, Iterable[Sample]], function: Callable[[Sample], Iterable[Sample]]
) -> dict[str, list[Sample]]:
    """Return by split the results of a function, which may be none or several for a sample."""
    return {split: [*chain.from_iterable(map(function, items))] for split, items in samples.items()}


def _character_counts(texts: Iterable[str]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(nfc(text))
    return dict(sorted(counts.items(), key=lambda item: (item[1], item[0])))


def _fingerprint(samples: Samples) -> str:
    digest, separator = hashlib.sha256(b"["), b""
    strings = zip(samples.strings("name"), samples.strings("text"), strict=True)
    for (name, text), length in zip(strings, samples.lengths.tolist(), strict=True):
        digest.update(separator + repr((name, text, length)).encode())
        separator = b", "
    digest.update(b"]")
    for name in sorted(shapes_of(samples)):
        digest.update(name.encode())
        for sample in samples:
            digest.update(sample.extras[name].tobytes())
    return digest.hexdigest()[:16]


def _ink_sums(samples: Samples) -> list[float]:
    """Return three weighted sums over all points, of dx, dy and ends of strokes, and the logarithms
    of their norms; a sum is divided by its norm, and a weight is random, but fixed by the place."""
    longest = int(samples.lengths.max(initial=0))
    # `RandomState` draws the same numbers in all versions of NumPy. No weight is near 0, so that
    # each point counts.
    generator, count = np.random.RandomState(0), longest + len(samples)
    weights = generator.uniform(0.5, 1.5, count) * generator.choice([-1.0, 1.0], count)
    sums, products = np.zeros(3), np.full((3, 3), 1e-300)
    for sample, weight in zip(samples, weights[longest:], strict=True):
        ink = sample.ink.astype(np.float64)
        sums += weight * (weights[: len(ink)] @ ink)
        products += ink.T @ ink
    norms = np.sqrt(products.diagonal())
    return [*(sums / norms).tolist(), *np.log(norms).tolist()]


def is_same_ink(previous: Any, present: list[float]) -> bool:
    """Return whether a split's `Loaded.ink_sums` are those of a checkpoint, which may be damaged.

    They need not be equal bit for bit: another machine may round what a source computes otherwise.
    """
    try:
        return np.allclose(previous, present, rtol=0, atol=INK_TOLERANCE, equal_nan=True)
    except (TypeError, ValueError):
        return False


def _sizes(samples: Samples) -> list[int]:
    """Return the number of points, and of characters."""
    return [int(samples.lengths.sum()), sum(map(len, samples.strings("text")))]


def counts_of(samples: Mapping[str, Sequence[Sample]]) -> list[str]:
    """Return the lines of a report that give the counts of each split."""
    lines = []
    for split, items in samples.items():
        part = Samples.of(items)
        points, characters = part.cached("counts", partial(_sizes, part))
        lines.append(
            f"{split:<6}{len(part):>8,} lines{points:>12,} points{characters:>10,} characters"
        )
    return lines


# Checks, before a network learns.


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


def load_checked(dataset: BaseDataset, splits: Collection[str]) -> Loaded:
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
