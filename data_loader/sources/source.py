"""The base of datasets that read a format of ink: options, cache, splits and the report."""

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from base.base_dataset import BaseDataset
from data_loader.sources.cache import (
    Cache,
    Rejected,
    Sample,
    fingerprint,
    left_out,
    load_or_make,
    places,
)
from data_loader.sources.files import MEBIBYTE, read_file
from data_loader.sources.parsing import Fault, decode
from data_loader.sources.splits import FRACTIONS, check_fractions, divide, official_split
from data_loader.sources.splits import subset as choose
from utils.checks import ConfigFault, Range, printable

LISTS = Path(__file__).parent / "lists"
"""Folder of the lists that come with the project."""
MAX_LIST = 64 * MEBIBYTE
"""Limit on the bytes of the file `leave_out` (assumed: a million names)."""


class SourceDataset(BaseDataset):
    """Samples of a file, an archive or a folder of a known format.

    Where the source has splits of its own (its files' or folders' names hold `train` and `test`
    or `valid`), these are used, and a missing one is taken from its training samples. Otherwise
    samples are divided by a hash of their writer, or of their name where that is unknown, so that
    adding samples moves none.

    Args:
        root: the file, or the folder with the files.
        cache: folder for the parsed data; None is `cache` beside the data or, where that cannot
            be written, the user's folder for caches.
        fractions: how much of the samples each of `train`, `valid`, `test` gets, together 1.
        split_seed: seed of that division.
        subset: how many training samples to use; None uses all.
        subset_seed: which ones.
        leave_out: text file with the names of samples that are in no split, one a line; what
            follows a name after a blank, or a line's `#`, is a comment; or the name of a list that
            comes with the project. None leaves none out.
        strict: make a sample that is left out an error.
        max_points: limit on the points of one sample; one with more is left out.
        max_bytes: limit on the bytes of one file or archive member, refused beyond it.
        max_members: limit on files of a folder or members of an archive.

    Raises:
        ConfigFault: if `fractions` do not fit.
    """

    kind: ClassVar[str]
    """The beginning of the cache's name."""
    title: ClassVar[str]
    """The name of the source in reports."""
    unit: ClassVar[str] = "samples"
    """The name of its samples in reports."""
    whole: ClassVar[bool] = True
    """Whether all offsets must be whole numbers, see `load_or_make`. Where they need not but are,
    `prepare` sets `quantisation_step` to 1."""

    _cache: Cache | None = None

    def __init__(
        self,
        *,
        root: str,
        cache: str | None = None,
        fractions: dict[str, Annotated[float, Range(0, 1)]] = FRACTIONS,
        split_seed: Annotated[int, Range(0, 2**32 - 1)] = 0,
        subset: Annotated[int, Range(1)] | None = None,
        subset_seed: Annotated[int, Range(0)] = 0,
        leave_out: str | None = None,
        strict: bool = False,
        max_points: Annotated[int, Range(2, 10_000_000)] = 20_000,
        max_bytes: Annotated[int, Range(1, 1 << 40)] = 64 * MEBIBYTE,
        max_members: Annotated[int, Range(1, 100_000_000)] = 500_000,
    ) -> None:
        check_fractions(fractions)
        self.root, self.cache_folder = Path(root).expanduser(), cache
        self.fractions, self.split_seed = fractions, split_seed
        self.subset, self.subset_seed, self.strict = subset, subset_seed, strict
        self.leave_out = leave_out
        self.max_points, self.max_bytes, self.max_members = max_points, max_bytes, max_members
        self._indices: dict[str, np.ndarray] = {}
        self._notes: list[str] = []

    @abstractmethod
    def find(self) -> list[Path]:
        """Return the files to be read.

        Raises:
            DataError: if there are none, saying which are expected.
        """

    @abstractmethod
    def read(self, files: list[Path]) -> Iterable[Sample | Rejected]:
        """Yield the samples of the files, and those left out. The group is the file or split."""

    def options(self) -> dict[str, Any]:
        """Return what else the samples depend on, as JSON; subclasses add theirs."""
        return {
            "max_points": self.max_points,
            "max_bytes": self.max_bytes,
            "max_members": self.max_members,
        }

    def key(self, files: list[Path]) -> dict[str, Any]:
        """Return all that the samples depend on, as JSON; it identifies the cache."""
        return {"files": fingerprint(files, self.folder), "options": self.options()}

    @property
    def folder(self) -> Path:
        """The folder that holds the data."""
        return self.root if self.root.is_dir() else self.root.parent

    def places(self) -> list[Path]:
        """Return the folders in which the cache may be."""
        return places(self.folder, self.cache_folder)

    def prepare(self) -> None:
        """Open the cache, made of the files with a progress bar unless it is there.

        Raises:
            DataError: if files are missing, or nothing in them can be used; if `strict`, also for
                any broken sample.
            ConfigFault: if `subset` is larger than the training split, or the file `leave_out`
                cannot be read.
        """
        if self._cache is not None:
            return
        files = self.find()
        self._cache = load_or_make(
            self.kind,
            self.places(),
            self.key(files),
            lambda: self.read(files),
            self.strict,
            self.whole,
        )
        if not self.whole and self.quantisation_step is None:
            offsets = self._cache.all("offsets")
            self.quantisation_step = 1.0 if (offsets == np.rint(offsets)).all() else None
        try:
            self.divide()
            names = [self.cache.string("names", n) for n in range(len(self.cache))]
            if self.leave_out is not None:
                self._leave_out(names, self.leave_out)
            self.choose_subset(names)
        except BaseException:
            self._cache = None
            raise

    def divide(self) -> None:
        """Find the samples of each split."""
        everything = range(len(self.cache))
        names = [self.cache.string("names", n) for n in everything]
        writers = [self.cache.string("writers", n) for n in everything]
        official = [official_split(self.cache.string("groups", n)) for n in everything]
        indices, notes = divide(
            self.root, names, writers, official, self.fractions, self.split_seed
        )
        unlabelled = sum(not len(self.cache.values("texts", n)) for n in everything)
        if unlabelled:
            notes.append(f"{unlabelled:,} samples have no transcription")
        self._indices, self._notes = indices, notes

    def _leave_out(self, names: list[str], path: str) -> None:
        """Take the samples that a file names, of all those called `names`, out of the splits."""
        try:
            shipped = LISTS / f"{path}.txt"
            file = shipped if shipped.is_file() else Path(path).expanduser()
            listed = decode(read_file(file, MAX_LIST)).splitlines()
        except Fault as fault:
            reason = f"{fault.reason} ({fault.detail})" if fault.detail else fault.reason
            raise ConfigFault(
                "leave_out", path, f"a text file of names; this is {reason}"
            ) from None
        index = {name: n for n, name in enumerate(names)}
        out, unknown = [], []
        for line in filter(None, map(str.strip, listed)):
            word = line.split()[0]
            # Names may contain blanks and `#` themselves.
            name = next((name for name in (line, word, word.split("#")[0]) if name in index), None)
            if name is not None:
                out.append(index[name])
            elif not word.startswith("#"):
                unknown.append(word)
        used = np.unique(np.concatenate(list(self._indices.values())))
        for split, found in self._indices.items():
            self._indices[split] = found[~np.isin(found, out)]
            if not len(self._indices[split]):
                raise ConfigFault("leave_out", path, f"some {self.unit} must remain for {split}")
        self._notes.append(f"{np.isin(used, out).sum():,} {self.unit} are left out by {path}")
        if unknown:
            first = printable(", ".join(unknown[:3])) + (", ..." if len(unknown) > 3 else "")
            self._notes.append(f"{len(unknown):,} names in {path} do not occur: {first}")

    def choose_subset(self, names: list[str]) -> None:
        """Keep `subset` of the training samples, whose names are among `names`."""
        if self.subset is None:
            return
        train = self._indices["train"]
        if self.subset > len(train):
            raise ConfigFault(
                "subset", self.subset, f"at most the {len(train)} training {self.unit}"
            )
        chosen = choose([names[n] for n in train], self.subset, self.subset_seed)
        self._indices["train"] = train[chosen]
        outside = f"{len(train) - len(chosen):,} training {self.unit}"
        self._notes.append(f"{outside} are outside the subset")

    @property
    def cache(self) -> Cache:
        """The cache; available after `prepare`."""
        if self._cache is None:
            raise RuntimeError("call prepare() before using a dataset")
        return self._cache

    @property
    def lengths(self) -> np.ndarray:
        """Number of points of each sample, `(samples,)` int64."""
        return self.cache.lengths

    def split_indices(self) -> dict[str, np.ndarray]:
        return self._indices

    def ink(self, index: int) -> np.ndarray:
        return self.cache.ink(index)

    def missing(self, index: int) -> np.ndarray:
        return self.cache.missing(index)

    def text(self, index: int) -> str:
        return self.cache.string("texts", index)

    def name(self, index: int) -> str:
        return self.cache.string("names", index)

    def writer(self, index: int) -> str:
        """Return who wrote a sample, or an empty string where the source does not say."""
        return self.cache.string("writers", index)

    def group(self, index: int) -> str:
        """Return the unit of official splits: the form or file that a sample belongs to."""
        return self.cache.string("groups", index)

    def headline(self) -> str:
        """Return what the source is and where it lies, for reports."""
        return f"{self.title} in {self.root}: {len(self):,} {self.unit}"

    def report(self) -> str:
        used = np.unique(np.concatenate(list(self._indices.values()))).tolist()
        characters = set().union(*(self.text(n) for n in used))
        writers = {self.writer(n) for n in used} - {""}
        return "\n  ".join(
            [
                self.headline(),
                *(self.split_report(split) for split in self._indices),
                f"{len(characters)} different characters"
                + (f", {len(writers):,} writers" if writers else ""),
                *left_out(self.cache.rejected),
                *self._notes,
                f"cache: {self.cache.folder}",
            ]
        )
