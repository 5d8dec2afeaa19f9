"""Defines sequences of samples, each of which is read or made when it is asked for, and the extras
of samples: arrays of fixed shape that networks take."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, overload

import numpy as np

from ink.normalisation import Moments, moments_of
from ink.sample import Sample
from utils.checks import DataError, first_line
from utils.files import atomic_write, check_regular


def mapped(path: Path) -> np.memmap:
    """Return the array in a `.npy` file; raise an OSError or ValueError if it is no whole one."""
    check_regular(path)
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # A header is Python source, which can fail in any way.
        raise ValueError(first_line(error)) from None


class Column(np.ndarray):
    """An array in a `.npy` file, mapped and read-only; a process that gets it gets its path."""

    path: Path | None = None  # None for a slice or a result of a column

    @classmethod
    def of(cls, path: Path) -> "Column":
        """Return the column in a file; raises an OSError or ValueError if it is not a whole one."""
        column = mapped(path).view(cls)
        column.path = path
        return column

    @staticmethod
    def write(path: Path, values: np.ndarray) -> None:
        """Write a column in one step, so that no half of it is ever read."""
        values = np.asarray(values, order="C")
        atomic_write(path, lambda file: np.save(file, values, allow_pickle=False))

    def __reduce__(self) -> str | tuple[Any, ...]:
        return super().__reduce__() if self.path is None else (Column.of, (self.path,))


class Store:
    """Samples by number, in memory. A subclass reads or makes a sample when it is asked for.

    A subclass that knows lengths, strings or moments without the samples overrides their methods.
    """

    key: str | None = None
    """A key of the samples, equal in all processes; None for samples that are only in memory."""
    folder: Path | None = None
    """The folder of the samples; folders of derived samples are next to it."""

    def __init__(self, samples: Sequence[Sample] = ()) -> None:
        self.samples = samples

    def sample(self, number: int) -> Sample:
        """Return a sample."""
        return self.samples[number]

    def lengths(self, numbers: np.ndarray) -> np.ndarray:
        """Return the number of points of samples, `(samples,)` int."""
        return np.array([len(self.sample(n).ink) for n in numbers.tolist()], np.int64)

    def strings(self, field: str, numbers: np.ndarray) -> Iterator[str]:
        """Yield the text, name, writer or group of samples."""
        return (getattr(self.sample(n), field) for n in numbers.tolist())

    def moments(self, numbers: np.ndarray) -> Iterator[Moments]:
        """Yield the moments of samples, for `Normalisation.merged`."""
        return (moments_of(self.sample(n).ink) for n in numbers.tolist())

    def shards(self, numbers: np.ndarray) -> np.ndarray:
        """Return the number of the shard of each sample, `(samples,)` int."""
        return np.zeros(len(numbers), np.int64)

    def cached(self, name: str, make: Callable[[], Any]) -> Any:
        """Return the result of `make`, an array or a value of JSON, which may be cached in a file.

        It depends on the name and `key` alone. An array from a file is a `Column`.
        """
        return make()

    def take(self, numbers: np.ndarray) -> "Samples":
        """Return the samples with these numbers, in the order of the numbers."""
        return Samples((SampleRange(self, numbers),))


@dataclass(frozen=True, eq=False)
class SampleRange:
    """Consecutive samples of `Samples` that are in one store, in memory or in files."""

    store: Store
    numbers: np.ndarray
    """The samples' numbers in the store, `(samples,)` int."""
    suffix: str = ""
    """The end of the names of the samples."""

    def __len__(self) -> int:
        return len(self.numbers)

    def is_like(self, other: "SampleRange") -> bool:
        """Return whether samples of equal numbers are the same samples."""
        return self.store is other.store and self.suffix == other.suffix

    def sample(self, place: int) -> Sample:
        sample = self.store.sample(int(self.numbers[place]))
        return sample.renamed(sample.name + self.suffix) if self.suffix else sample


@dataclass(frozen=True, eq=False)
class Samples(Sequence[Sample]):
    """A sequence of samples of one or several stores; a sample is made when it is asked for.

    Lengths, strings and moments of all samples come from the stores, without making the samples.
    """

    ranges: tuple[SampleRange, ...] = ()

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> "Samples":
        """Return any samples as `Samples`."""
        return samples if isinstance(samples, Samples) else cls.by_split({"": samples})[""]

    @classmethod
    def by_split(cls, lists: Mapping[str, Iterable[Sample]]) -> "dict[str, Samples]":
        """Return any samples by split as `Samples`; samples of lists have one store together."""
        number_of: dict[Sample, int] = {}
        numbers = {
            split: [number_of.setdefault(sample, len(number_of)) for sample in samples]
            for split, samples in lists.items()
            if not isinstance(samples, Samples)
        }
        store = Store([*number_of])
        by_split = {
            split: store.take(np.array(of)) if of else cls() for split, of in numbers.items()
        }
        by_split |= {key: each for key, each in lists.items() if isinstance(each, Samples)}
        return {split: by_split[split] for split in lists}

    def __len__(self) -> int:
        return sum(map(len, self.ranges))

    @overload
    def __getitem__(self, place: int) -> Sample: ...

    @overload
    def __getitem__(self, place: slice) -> "Samples": ...

    def __getitem__(self, place: int | slice) -> "Sample | Samples":
        if isinstance(place, slice):
            return self.take(np.arange(len(self))[place])
        place = range(len(self))[place]  # may be counted from the end
        for sample_range in self.ranges:
            if place < len(sample_range):
                return sample_range.sample(place)
            place -= len(sample_range)
        raise AssertionError("a place within the length is in a range")

    def __iter__(self) -> Iterator[Sample]:
        for sample_range in self.ranges:
            yield from map(sample_range.sample, range(len(sample_range)))

    def __add__(self, other: Iterable[Sample]) -> "Samples":
        return Samples((*self.ranges, *Samples.of(other).ranges))

    def take(self, places: np.ndarray) -> "Samples":
        """Return the samples at these places, in the order of the places."""
        starts = np.cumsum([0, *map(len, self.ranges)])
        range_of = np.searchsorted(starts, places, side="right") - 1
        ranges = []
        for run in filter(len, np.split(places, np.flatnonzero(np.diff(range_of)) + 1)):
            number = int(np.searchsorted(starts, run[0], side="right")) - 1
            sample_range = self.ranges[number]
            ranges.append(replace(sample_range, numbers=sample_range.numbers[run - starts[number]]))
        return Samples(tuple(ranges))

    def chosen(self, name: str, places: Callable[[], np.ndarray]) -> "Samples":
        """Return the samples at places that depend on `name` alone, and are cached."""
        if len(self.ranges) != 1 or self.key is None:
            return self.take(places())
        numbers = self.cached(name, lambda: self.ranges[0].numbers[places()])
        return Samples((replace(self.ranges[0], numbers=numbers),))

    def with_suffix(self, suffix: str) -> "Samples":
        """Return the samples with a suffix at the end of their names."""
        return Samples(
            tuple(
                replace(sample_range, suffix=sample_range.suffix + suffix)
                for sample_range in self.ranges
            )
        )

    def strings(self, field: str) -> Iterator[str]:
        """Yield the text, name, writer or group of each sample."""
        for sample_range in self.ranges:
            suffix = sample_range.suffix if field == "name" else ""
            for value in sample_range.store.strings(field, sample_range.numbers):
                yield value + suffix if suffix else value

    @property
    def hands(self) -> Iterator[str]:
        """The hand of each sample, see `Sample.hand`."""
        pairs = zip(self.strings("writer"), self.strings("group"), strict=True)
        return (writer or group for writer, group in pairs)

    @property
    def lengths(self) -> np.ndarray:
        """The number of points of each sample, `(samples,)` int64."""
        lengths = [sample_range.store.lengths(sample_range.numbers) for sample_range in self.ranges]
        return np.concatenate([np.zeros(0, np.int64), *lengths])

    @property
    def shards(self) -> np.ndarray:
        """The number of the shard that has each sample, `(samples,)` int64."""
        shards = [np.zeros(0, np.int64)]
        for sample_range in self.ranges:
            shards.append(
                sample_range.store.shards(sample_range.numbers) + 1 + shards[-1].max(initial=-1)
            )
        return np.concatenate(shards)

    @property
    def moments(self) -> Iterator[Moments]:
        """The moments of each sample, for `Normalisation.merged`."""
        for sample_range in self.ranges:
            yield from sample_range.store.moments(sample_range.numbers)

    @property
    def stores(self) -> list[Store]:
        """The store of each range."""
        return [sample_range.store for sample_range in self.ranges]

    @property
    def by_store(self) -> "list[Samples]":
        """The samples of each range, as sequences of their own."""
        return [Samples((sample_range,)) for sample_range in self.ranges]

    @property
    def in_memory(self) -> "Samples":
        """The samples that are in memory."""
        return Samples(
            tuple(sample_range for sample_range in self.ranges if sample_range.store.key is None)
        )

    def without(self, others: "Samples") -> "Samples":
        """Return our samples that are not in `others`, deduplicated."""
        ranges: list[SampleRange] = []
        for sample_range in self.ranges:
            alike = filter(sample_range.is_like, (*others.ranges, *ranges))
            seen = [other.numbers for other in alike]
            first = np.sort(np.unique(sample_range.numbers, return_index=True)[1])
            is_new = ~np.isin(
                sample_range.numbers[first], np.concatenate(seen or [sample_range.numbers[:0]])
            )
            if is_new.sum() == len(sample_range):
                ranges.append(sample_range)
            elif is_new.any():
                ranges.append(replace(sample_range, numbers=sample_range.numbers[first[is_new]]))
        return Samples(tuple(ranges))

    def places_in(self, others: "Samples") -> np.ndarray:
        """Return the place of each sample in `others`, which has each sample once."""
        stops = np.cumsum([*map(len, others.ranges)]).tolist()
        places = [np.zeros(0, np.int64)]
        for sample_range in self.ranges:
            same = [
                (other.numbers, np.arange(stop - len(other), stop))
                for other, stop in zip(others.ranges, stops, strict=True)
                if sample_range.is_like(other)
            ]
            numbers, others_places = map(np.concatenate, zip(*same, strict=True))
            order = np.argsort(numbers)
            ranks = np.searchsorted(numbers, sample_range.numbers, sorter=order)
            places.append(others_places[order[ranks]])
        return np.concatenate(places)

    @cached_property
    def key(self) -> str | None:
        """A digest of the samples' identities; None if some samples are only in memory."""
        digest = hashlib.sha256()
        for sample_range in self.ranges:
            if sample_range.store.key is None:
                return None
            numbers = sample_range.numbers.astype("<i8")
            digest.update(
                f"{sample_range.store.key}\0{sample_range.suffix}\0{len(numbers)}\0".encode()
            )
            digest.update(numbers.tobytes())
        return digest.hexdigest()[:16]

    def cached(self, name: str, make: Callable[[], Any]) -> Any:
        """Return the result of `make` for these samples, see `Store.cached`."""
        if not self.ranges or self.key is None:
            return make()
        return self.ranges[0].store.cached(f"{name}-{self.key}", make)


class ExtraShapes(dict[str, tuple[int, ...]]):
    """The shapes of extras by name; an extra is an array of fixed shape that a network takes."""

    def __init__(self, shapes: Mapping[str, Sequence[int]]) -> None:
        super().__init__({name: tuple(shape) for name, shape in shapes.items()})

    def __missing__(self, name: str) -> NoReturn:
        where = "the samples, or its attribute `extras`,"
        raise DataError(f"the network takes the extra {name!r}; {where} have {self}")

    def __str__(self) -> str:
        return ", ".join(f"{name} of shape {shape}" for name, shape in self.items()) or "no extras"


def shapes_of(samples: Iterable[Sample]) -> ExtraShapes:
    """Return the shapes of the extras of samples, by name.

    Raises:
        DataError: if the names or shapes of a sample's extras differ from the first sample's.
    """
    first, expected = "", ExtraShapes({})
    for number, sample in enumerate(samples):
        shapes = ExtraShapes({name: values.shape for name, values in sample.extras.items()})
        if not number:
            first, expected = sample.name, shapes
        elif shapes != expected:
            raise DataError(f"{sample.name} has {shapes}, but {first}, the first, has {expected}")
    return expected


def stacked(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Return the extras of samples by name, each `(samples, ...)` float32; see `shapes_of`."""
    return {
        name: np.stack([sample.extras[name] for sample in samples])
        for name in sorted(shapes_of(samples))
    }
