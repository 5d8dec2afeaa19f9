"""Defines the interface of datasets, and the samples that a dataset loads, and checks these."""

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from base.base_transform import BaseTransform
from base.data.samples import ExtraShapes, Samples, shapes_of
from ink.alphabet import Alphabet, nfc, table
from ink.normalisation import Normalisation
from ink.sample import Sample
from utils.checks import DataError, UserError
from utils.strict_json import Json, children

SPLITS = ("train", "valid", "test")
INK_TOLERANCE = 1e-5
"""Maximum difference between sums of the same ink (measured, notebook: data, a resumed run): what
another machine rounds otherwise changes them by less, one point of 10,000 lines by more."""


@dataclass(frozen=True)
class Loaded:
    """The loaded samples of a dataset."""

    samples: Mapping[str, Samples]
    """The samples by split, given as any sequences; splits may share samples. As a sample may be
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
        return self.samples[name]

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
