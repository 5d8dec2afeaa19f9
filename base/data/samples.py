"""Samples that are read when they are asked for, the columns that hold them, in memory or in files
(`base.data.prepared`), and the extras of samples: arrays of fixed shape that networks take.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, overload

import numpy as np

from ink.normalisation import Moments, moments_of
from ink.sample import Fault, Sample
from utils.checks import DataError

PART = 1 << 40  # more than all samples of columns: an id is that many for each part before


class Columns:
    """Samples by number, in memory. A subclass reads or makes a sample when it is asked for.

    A subclass that knows lengths, strings or moments without the samples overrides their methods.
    """

    key: str | None = None
    """A key of the samples, equal in all processes; None for samples that are only in memory."""
    folder: Path | None = None
    """The folder of the samples; folders of derived samples are next to it."""

    def __init__(
        self,
        samples: Sequence[Sample] = (),
        faults: Sequence[Fault] = (),
        notes: Sequence[Any] = (),
    ) -> None:
        self.samples, self._faults, self._notes = samples, faults, notes

    @property
    def all(self) -> "Samples":
        """All samples, in order."""
        return self.take(np.arange(len(self.samples)))

    @property
    def faults(self) -> Sequence[Fault]:
        """The faults of files and samples that were left out."""
        return self._faults

    @property
    def notes(self) -> Sequence[Any]:
        """Values of JSON about samples that were made of others."""
        return self._notes

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

    def cached(self, names: Sequence[str], make: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        """Return the results of `make`, one a name, which may be cached; see `Samples.cached`."""
        return make()

    def take(self, numbers: np.ndarray) -> "Samples":
        """Return the samples with these numbers, in the order of the numbers."""
        return Samples(((self, ""),), numbers)


@dataclass(frozen=True, eq=False)
class Samples(Sequence[Sample]):
    """A sequence of samples in one or several columns; a sample is read when it is asked for.

    Lengths, strings and moments of all samples come from the columns, without reading the samples.
    """

    parts: tuple[tuple[Columns, str], ...] = ()
    """The columns, each with a suffix of the names of its samples."""
    ids: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """`(samples,)` int: `PART` times the number of the part, plus the number in its columns."""

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> "Samples":
        """Return any samples as `Samples`."""
        return samples if isinstance(samples, Samples) else cls.by_split({"": samples})[""]

    @classmethod
    def by_split(cls, lists: Mapping[str, Iterable[Sample]]) -> "dict[str, Samples]":
        """Return any samples by split as `Samples`; samples of lists are in the same columns."""
        number_of: dict[Sample, int] = {}
        numbers = {
            split: [number_of.setdefault(sample, len(number_of)) for sample in samples]
            for split, samples in lists.items()
            if not isinstance(samples, Samples)
        }
        columns = Columns([*number_of])
        return {
            split: samples
            if isinstance(samples, Samples)
            else columns.take(np.array(numbers[split], np.int64))
            for split, samples in lists.items()
        }

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> Sample: ...

    @overload
    def __getitem__(self, place: slice) -> "Samples": ...

    def __getitem__(self, place: int | slice) -> "Sample | Samples":
        if isinstance(place, slice):
            return self.take(np.arange(len(self))[place])
        part, number = divmod(int(self.ids[place]), PART)
        columns, suffix = self.parts[part]
        sample = columns.sample(number)
        return sample.renamed(sample.name + suffix) if suffix else sample

    def __iter__(self) -> Iterator[Sample]:
        return map(self.__getitem__, range(len(self)))

    def __add__(self, other: Iterable[Sample]) -> "Samples":
        other = Samples.of(other)
        if not len(self) or not len(other):
            return self if len(self) else other
        parts, *ids = self._aligned(other)
        return Samples(parts, np.concatenate(ids))

    def _aligned(
        self, other: "Samples"
    ) -> tuple[tuple[tuple[Columns, str], ...], np.ndarray, np.ndarray]:
        """Return the parts of both sequences, and the ids that their samples have in these."""
        parts = {(id(part[0]), part[1]): part for part in (*self.parts, *other.parts)}
        place_of = {key: place for place, key in enumerate(parts)}
        aligned = []
        for samples in (self, other):
            places = [place_of[id(columns), suffix] for columns, suffix in samples.parts]
            part, number = samples._divided_ids()
            aligned.append(np.array(places, np.int64)[part] * PART + number)
        return (*parts.values(),), *aligned

    def _divided_ids(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the part of each sample, and its number in the columns, `(samples,)` each."""
        return np.divmod(self.ids.astype(np.int64), PART)

    def _in_columns(self) -> Iterator[tuple[Columns, str, np.ndarray]]:
        """Yield the columns, the suffix and the numbers of consecutive samples of a part."""
        if len(self.parts) == 1 and len(self):
            yield *self.parts[0], self.ids
            return
        part, numbers = self._divided_ids()
        starts = np.flatnonzero(np.diff(part)) + 1
        for places in filter(len, np.split(np.arange(len(self)), starts)):
            yield *self.parts[part[places[0]]], numbers[places]

    def take(self, places: np.ndarray) -> "Samples":
        """Return the samples at these places, in the order of the places."""
        return replace(self, ids=np.asarray(self.ids[places]))

    def with_suffix(self, suffix: str) -> "Samples":
        """Return the samples with a suffix at the end of their names."""
        parts = ((columns, previous + suffix) for columns, previous in self.parts)
        return replace(self, parts=(*parts,))

    def strings(self, field: str) -> Iterator[str]:
        """Yield the text, name, writer or group of each sample."""
        for columns, suffix, numbers in self._in_columns():
            end = suffix if field == "name" else ""
            for value in columns.strings(field, numbers):
                yield value + end if end else value

    @property
    def hands(self) -> Iterator[str]:
        """The hand of each sample, see `Sample.hand`."""
        pairs = zip(self.strings("writer"), self.strings("group"), strict=True)
        return (writer or group for writer, group in pairs)

    @property
    def lengths(self) -> np.ndarray:
        """The number of points of each sample, `(samples,)` int64."""
        lengths = [columns.lengths(numbers) for columns, _, numbers in self._in_columns()]
        return np.concatenate([np.zeros(0, np.int64), *lengths])

    @property
    def shards(self) -> np.ndarray:
        """The number of the shard that has each sample, `(samples,)` int64."""
        shards = [np.zeros(0, np.int64)]
        for columns, _, numbers in self._in_columns():
            shards.append(columns.shards(numbers) + 1 + shards[-1].max(initial=-1))
        return np.concatenate(shards)

    @property
    def moments(self) -> Iterator[Moments]:
        """The moments of each sample, for `Normalisation.merged`."""
        for columns, _, numbers in self._in_columns():
            yield from columns.moments(numbers)

    @property
    def columns(self) -> list[Columns]:
        """The columns of the samples, in the order of the samples."""
        return [columns for columns, _, _ in self._in_columns()]

    @property
    def by_columns(self) -> "list[Samples]":
        """The samples in sequences that are each in the same columns, in order."""
        return [
            Samples(((columns, suffix),), numbers)
            for columns, suffix, numbers in self._in_columns()
        ]

    @property
    def in_memory(self) -> "Samples":
        """The samples that are in memory."""
        is_held = np.array([columns.key is None for columns, _ in self.parts], bool)
        return self.take(np.flatnonzero(is_held[self._divided_ids()[0]]))

    def without(self, others: "Samples") -> "Samples":
        """Return our samples that are not in `others`, deduplicated."""
        _, ids, seen = self._aligned(others)
        first = np.sort(np.unique(ids, return_index=True)[1])
        new = first[~np.isin(ids[first], seen)]
        return self if len(new) == len(self) else self.take(new)

    def places_in(self, others: "Samples") -> np.ndarray:
        """Return the place of each sample in `others`, which has each sample once."""
        _, ids, listed = self._aligned(others)
        order = np.argsort(listed)
        return order[np.searchsorted(listed, ids, sorter=order)]

    @cached_property
    def key(self) -> str | None:
        """A digest of the samples' identities; None if some samples are only in memory."""
        digest = hashlib.sha256()
        for columns, suffix, numbers in self._in_columns():
            if columns.key is None:
                return None
            digest.update(f"{columns.key}\0{suffix}\0{len(numbers)}\0".encode())
            digest.update(numbers.astype("<i8").tobytes())
        return digest.hexdigest()[:16]

    def cached(self, key: str, make: Callable[[], Any]) -> Any:
        """Return the result of `make`, an array or a value of JSON, for these samples.

        It depends on the samples and `key` alone, and is cached in a file if the samples are in
        files; an array is then a `base.data.prepared.Column`.
        """
        return self.all_cached([key], lambda: [make()])[0]

    def all_cached(self, keys: Sequence[str], make: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        """Return the results of `make`, one a key; it is called if one of them is not `cached`."""
        if not len(self) or self.key is None:
            return make()
        return self.columns[0].cached([f"{key}-{self.key}" for key in keys], make)


# Extras.


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
