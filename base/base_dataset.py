"""The interface of all sources of handwriting: each loads lists of samples by split."""

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from base.base_model import ExtraShapes
from base.base_transform import BaseTransform
from utils.alphabet import nfc, table
from utils.checks import DataError, UserError
from utils.strict_json import Json, children

SPLITS = ("train", "valid", "test")
INK_TOLERANCE = 1e-5
"""Maximum difference between sums of the same ink (measured, lab notebook: data of a resumed run):
what another machine rounds otherwise changes them by less, one point of 10,000 lines by more."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A piece of writing. Its arrays are never changed in place."""

    ink: np.ndarray
    """`(points, 3)` float32 of `(dx, dy, end_of_stroke)` in the source's units, x to the right and
    y downwards. The first row is the first point, with the offset (0, 0)."""
    text: str = ""
    """The transcription; empty if unknown."""
    name: str = ""
    """Unique within a dataset."""
    writer: str = ""
    """The person who wrote the ink; empty if unknown."""
    group: str = ""
    """The form or file that the sample belongs to; empty if there is none."""
    ends: bool = True
    """Whether the writing ends with the last point; False if it was cut there."""
    missing: np.ndarray | None = None
    """How many points are missing before each point, `(points,)` uint8; None if none is missing."""
    extras: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Further inputs of a network: float32 arrays by name. All samples of a dataset have the same
    names and shapes."""

    def of(self, name: str) -> "Sample":
        """Return the sample under a new name."""
        return replace(self, name=name)

    @property
    def hand(self) -> str:
        """The name of the hand: the writer or, if the writer is unknown, the group."""
        return self.writer or self.group

    @property
    def missing_counts(self) -> np.ndarray:
        """`missing`; zeros if no point is missing."""
        return np.zeros(len(self.ink), np.uint8) if self.missing is None else self.missing


@dataclass(frozen=True)
class Loaded:
    """The loaded samples of a dataset."""

    samples: Mapping[str, list[Sample]]
    """The samples by split; splits may share samples."""
    report: str
    """The counts of each split, and of samples that are left out, as lines of text."""
    quantisation_step: float | None = None
    """Spacing, in source units, of the grid on which all points lie; None without a grid."""
    canonical: tuple[float, float] | None = None
    """The units of (dx, dy) in the canonical log-loss, in source units; None without this loss."""
    fitted: Mapping[str, float] = field(default_factory=dict)
    """Arguments of the dataset that it has fitted to a trained network, for the stored config."""

    def split(self, name: str) -> list[Sample]:
        """Return the samples of a split.

        Raises:
            UserError: if there is no such split, naming the existing ones.
        """
        if name not in self.samples:
            existing = self.samples or [split for split in SPLITS if split != name]
            raise UserError(f"no split {name!r}: there are {', '.join(existing)}")
        return self.samples[name]

    @property
    def used(self) -> list[Sample]:
        """The samples of all splits, each once."""
        return list(dict.fromkeys(chain.from_iterable(self.samples.values())))

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """By split, a hash of the names, texts, lengths and extras of the samples, in order; it is
        that of all former versions, and of the ink there is `ink_sums`."""
        hashes = {}
        for split, samples in self.samples.items():
            content = repr([(sample.name, sample.text, len(sample.ink)) for sample in samples])
            digest = hashlib.sha256(content.encode())
            for name, values in stacked(samples).items():
                digest.update(name.encode() + values.tobytes())
            hashes[split] = digest.hexdigest()[:16]
        return hashes

    @cached_property
    def ink_sums(self) -> dict[str, list[float]]:
        """By split, six numbers that other ink changes, in any point; see `is_same_ink`."""
        return {split: _ink_sums(samples) for split, samples in self.samples.items()}

    @property
    def facts(self) -> dict[str, Any]:
        """What a checkpoint says of the data."""
        names = ("canonical", "quantisation_step", "fingerprints", "ink_sums")
        return {name: getattr(self, name) for name in names}

    def changed_splits(self, facts: Json) -> list[str]:
        """Return the splits that differ from those of a checkpoint with these `facts`, which may be
        damaged; checkpoints of former versions have no fingerprints, or no sums of the ink."""
        prints, inks = (children(children(facts).get(key)) for key in ("fingerprints", "ink_sums"))
        return [
            split
            for split in prints
            if prints[split] != self.fingerprints.get(split)
            or (split in inks and not is_same_ink(inks[split], self.ink_sums[split]))
        ]

    @cached_property
    def extras(self) -> ExtraShapes:
        """The shapes of the samples' extras, by name; raises a DataError if they differ."""
        return ExtraShapes({name: rows.shape[1:] for name, rows in stacked(self.used).items()})

    def check_extras(self, needed: Mapping[str, tuple[int, ...]]) -> None:
        """Raise a DataError if the samples lack extras that a network takes, by name and shape."""
        if not needed.items() <= self.extras.items():
            raise DataError(f"the network takes {needed}; the samples have {self.extras}")

    @cached_property
    def hands(self) -> dict[str, int]:
        """The number of each hand with a name, in the order of the names."""
        names = {sample.hand for sample in self.used} - {""}
        return {name: number for number, name in enumerate(sorted(names))}

    def character_counts(self) -> dict[str, int]:
        """Return the count of each character in the texts of all splits, rare characters first.

        Characters of equal counts are in the order of code points. Texts are counted in NFC.
        """
        counts = Counter("".join(nfc(sample.text) for sample in self.used))
        return dict(sorted(counts.items(), key=lambda item: (item[1], item[0])))

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


class Origin(NamedTuple):
    """The trained network that a training begins with; a dataset may adapt its samples to it."""

    path: Path
    """The file of its checkpoint."""
    device: torch.device
    """The device to compute on."""
    is_resumed: bool
    """Whether the run of the checkpoint goes on; otherwise a new run begins."""


class BaseDataset(ABC):
    """A source of samples of ink with their text, divided into `train`, `valid` and `test`.

    The constructor only takes options; `load` reads, parses or makes the samples. If it has a
    parameter `origin` before `*`, it gets the `Origin` of the training, or None.
    """

    x_height: ClassVar[float | None] = None
    """For sources whose lines are not running text: the x-height in source units, as
    `utils.ink.x_height` measures it in running text. None to measure it in the lines."""
    licence: ClassVar[str | None] = None
    """The licence of the data, see `utils.licences`; None if it is unknown."""

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

    @abstractmethod
    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Return the samples of `splits`, without splits that the source lacks.

        Files that only other splits need are not read, and need not exist.

        Raises:
            DataError: if the source is missing or broken.
        """


def changed(
    samples: Mapping[str, Iterable[Sample]], change: Callable[[Sample], Iterable[Sample]]
) -> dict[str, list[Sample]]:
    """Return, by split, all results of `change`, which may be none or several for a sample."""
    return {split: [*chain.from_iterable(map(change, items))] for split, items in samples.items()}


def _ink_sums(samples: Sequence[Sample]) -> list[float]:
    """Return of dx, dy and ends of strokes the sum over all points, each value times a random
    weight of its place, divided by the norm; and then the logarithm of each norm."""
    longest = max((len(sample.ink) for sample in samples), default=0)
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


def is_same_ink(former: object, present: list[float]) -> bool:
    """Return whether a split's `Loaded.ink_sums` are those of a checkpoint, which may be damaged.

    They need not be equal bit for bit: another machine may round what a source computes otherwise.
    """
    try:
        return np.allclose(former, present, rtol=0, atol=INK_TOLERANCE, equal_nan=True)
    except (TypeError, ValueError):
        return False


def stacked(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Return the extras of samples by name, each `(samples, ...)` float32.

    Raises:
        DataError: if the names or shapes of a sample's extras differ from the first sample's.
    """
    expected = ExtraShapes({})
    for number, sample in enumerate(samples):
        shapes = ExtraShapes({name: values.shape for name, values in sample.extras.items()})
        expected = expected if number else shapes
        if shapes != expected:
            raise DataError(
                f"{sample.name} has {shapes}, but {samples[0].name}, the first, has {expected}"
            )
    names = sorted(expected)
    return {name: np.stack([sample.extras[name] for sample in samples]) for name in names}


def counts_of(samples: Mapping[str, Sequence[Sample]]) -> list[str]:
    """Return the lines of a report that give the counts of each split."""
    lines = []
    for split, items in samples.items():
        points = sum(len(sample.ink) for sample in items)
        characters = sum(len(sample.text) for sample in items)
        lines.append(
            f"{split:<6}{len(items):>8,} lines{points:>12,} points{characters:>10,} characters"
        )
    return lines
