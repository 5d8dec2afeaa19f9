"""Samples, and sequences of samples that are made when they are asked for."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from utils.normalisation import Moments, moments_of


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


class Column:
    """An array in a `.npy` file, mapped at its first use; a process that gets it gets its path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def values(self) -> np.ndarray:
        """The array, read-only; raises an OSError or ValueError if the file is not a whole one."""
        return np.load(self.path, mmap_mode="r", allow_pickle=False).view(np.ndarray)

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        return Column, (self.path,)


def values_of(array: np.ndarray | Column) -> np.ndarray:
    """Return the array that an array or a column is."""
    return array.values if isinstance(array, Column) else array


class Store(ABC):
    """Samples by number; each can be made without the others."""

    key: str | None = None
    """What is the same for the same samples in all processes; None if nothing is known to be."""

    @abstractmethod
    def sample(self, number: int) -> Sample:
        """Return a sample."""

    @abstractmethod
    def lengths(self, numbers: np.ndarray) -> np.ndarray:
        """Return the number of points of samples, `(samples,)` int."""

    @abstractmethod
    def strings(self, field: str, numbers: np.ndarray) -> Iterator[str]:
        """Yield the text, name, writer or group of samples."""

    @abstractmethod
    def moments(self, numbers: np.ndarray) -> Iterator[Moments]:
        """Yield what `Normalisation.merged` takes of samples."""

    def shards(self, numbers: np.ndarray) -> np.ndarray:
        """Return the number of the shard of each sample, `(samples,)` int."""
        return np.zeros(len(numbers), np.int64)

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        """Return the array, or the value that JSON has, that `make` made once and a file keeps; an
        array comes as a `Column` where it is kept. It depends on the name and `key` alone."""
        return make()


class Held(Store):
    """Samples in memory."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples

    def sample(self, number: int) -> Sample:
        return self.samples[number]

    def lengths(self, numbers: np.ndarray) -> np.ndarray:
        return np.array([len(self.samples[n].ink) for n in numbers.tolist()], np.int64)

    def strings(self, field: str, numbers: np.ndarray) -> Iterator[str]:
        return (getattr(self.samples[n], field) for n in numbers.tolist())

    def moments(self, numbers: np.ndarray) -> Iterator[Moments]:
        return (moments_of(self.samples[n].ink) for n in numbers.tolist())


@dataclass(frozen=True, eq=False)
class Part:
    """Samples of one store."""

    store: Store
    kept_numbers: np.ndarray | Column
    suffix: str = ""
    """Ends the names of the samples."""

    @property
    def numbers(self) -> np.ndarray:
        """The samples' numbers in the store, `(samples,)` int."""
        return values_of(self.kept_numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def sample(self, place: int) -> Sample:
        sample = self.store.sample(int(self.numbers[place]))
        return sample.of(sample.name + self.suffix) if self.suffix else sample


@dataclass(frozen=True, eq=False)
class Samples(Sequence[Sample]):
    """A sequence of samples of one or several stores; each is made when it is asked for.

    What the samples have in common is told by their columns, without making them.
    """

    parts: tuple[Part, ...] = ()

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> "Samples":
        """Return any samples as `Samples`."""
        if isinstance(samples, Samples):
            return samples
        held = samples if isinstance(samples, list) else list(samples)
        return cls((Part(Held(held), np.arange(len(held))),)) if held else cls()

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __getitem__(self, place: int | slice) -> "Sample | Samples":
        if isinstance(place, slice):
            return self.take(np.arange(len(self))[place])
        place = range(len(self))[place]  # may be counted from the end
        for part in self.parts:
            if place < len(part):
                return part.sample(place)
            place -= len(part)
        raise AssertionError("a place within the length is in a part")

    def __iter__(self) -> Iterator[Sample]:
        for part in self.parts:
            yield from map(part.sample, range(len(part)))

    def __add__(self, other: Iterable[Sample]) -> "Samples":
        return Samples((*self.parts, *Samples.of(other).parts))

    def take(self, places: np.ndarray) -> "Samples":
        """Return the samples at some places, given in ascending order, or at places of one part."""
        parts, start = [], 0
        for part in self.parts:
            within = places[(places >= start) & (places < start + len(part))] - start
            if len(within):
                parts.append(replace(part, kept_numbers=part.numbers[within]))
            start += len(part)
        return Samples(tuple(parts))

    def chosen(self, name: str, places: Callable[[], np.ndarray]) -> "Samples":
        """Return what `take` returns for some places, which depend on `name` alone and are kept."""
        if len(self.parts) != 1 or self.key is None:
            return self.take(places())
        numbers = self.kept(name, lambda: self.parts[0].numbers[places()])
        return Samples((replace(self.parts[0], kept_numbers=numbers),))

    def named(self, suffix: str) -> "Samples":
        """Return the samples with a suffix to their names."""
        return Samples(tuple(replace(part, suffix=part.suffix + suffix) for part in self.parts))

    def strings(self, field: str) -> Iterator[str]:
        """Yield the text, name, writer or group of each sample."""
        for part in self.parts:
            suffix = part.suffix if field == "name" else ""
            for value in part.store.strings(field, part.numbers):
                yield value + suffix if suffix else value

    @property
    def hands(self) -> Iterator[str]:
        """The hand of each sample, see `Sample.hand`."""
        pairs = zip(self.strings("writer"), self.strings("group"), strict=True)
        return (writer or group for writer, group in pairs)

    @property
    def lengths(self) -> np.ndarray:
        """The number of points of each sample, `(samples,)` int64."""
        lengths = [part.store.lengths(part.numbers) for part in self.parts]
        return np.concatenate([np.zeros(0, np.int64), *lengths])

    @property
    def shards(self) -> np.ndarray:
        """The number of the shard that has each sample, `(samples,)` int64."""
        shards = [np.zeros(0, np.int64)]
        for part in self.parts:
            shards.append(part.store.shards(part.numbers) + 1 + shards[-1].max(initial=-1))
        return np.concatenate(shards)

    @property
    def moments(self) -> Iterator[Moments]:
        """What `Normalisation.merged` takes of each sample."""
        for part in self.parts:
            yield from part.store.moments(part.numbers)

    @property
    def held(self) -> "Samples":
        """The samples that are in memory."""
        return Samples(tuple(part for part in self.parts if part.store.key is None))

    @property
    def identities(self) -> Iterator[object]:
        """What tells each sample from others: itself if it is in memory, else store and number."""
        for part in self.parts:
            if part.store.key is None:
                yield from map(part.sample, range(len(part)))
            else:
                where = (part.store, part.suffix)
                yield from ((*where, number) for number in part.numbers.tolist())

    @cached_property
    def key(self) -> str | None:
        """A digest of which samples these are; None if some are only in memory."""
        digest = hashlib.sha256()
        for part in self.parts:
            if part.store.key is None:
                return None
            numbers = part.numbers.astype("<i8")
            digest.update(f"{part.store.key}\0{part.suffix}\0{len(numbers)}\0".encode())
            digest.update(numbers.tobytes())
        return digest.hexdigest()[:16]

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what `make` makes of these samples, see `Store.kept`."""
        if not self.parts or self.key is None:
            return make()
        return self.parts[0].store.kept(f"{name}-{self.key}", make)


class Seen:
    """Which samples were seen: those in memory by themselves, others by store and number."""

    def __init__(self) -> None:
        self._held: set[Sample] = set()
        self._numbers: dict[tuple[Store, str], np.ndarray] = {}

    def new(self, samples: Iterable[Sample]) -> Samples:
        """Return those of `samples` that were not seen before, each once."""
        parts = []
        for part in Samples.of(samples).parts:
            if part.store.key is None:
                held = [part.sample(place) for place in range(len(part))]
                held = [sample for sample in dict.fromkeys(held) if sample not in self._held]
                self._held.update(held)
                parts += Samples.of(held).parts
                continue
            which, empty = (part.store, part.suffix), np.zeros(0, np.int64)
            seen, numbers = self._numbers.get(which, empty), part.numbers
            numbers = numbers[~np.isin(numbers, seen)]
            self._numbers[which] = np.concatenate([seen, numbers])
            if len(numbers) == len(part):
                parts.append(part)
            elif len(numbers):
                parts.append(replace(part, kept_numbers=numbers))
        return Samples(tuple(parts))
