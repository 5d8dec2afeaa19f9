"""What all formats that people bring share: limits, splits by hash, faults, files and archives."""

import gzip
import os
import re
import tarfile
import unicodedata
import zlib
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar

import numpy as np

from base import distributed
from base.base_dataset import SPLITS
from data_loader.sources.cache import (
    FARTHEST,
    CachedDataset,
    Rejected,
    Sample,
    fingerprint,
    load_or_make,
    places,
)
from data_loader.sources.splits import by_hash, draw
from data_loader.sources.splits import subset as choose
from utils.alphabet import nfc
from utils.checks import ConfigFault, DataError, Range
from utils.files import open_file
from utils.ink import from_strokes

FRACTIONS = {"train": 0.8, "valid": 0.1, "test": 0.1}
MEBIBYTE = 1 << 20
MAX_DETAIL = 200
"""Characters of a fault's detail (assumed)."""
_OFFICIAL = re.compile(r"(?<![a-z])(train|valid|test)(?:ing|ation)?(?![a-z])", re.IGNORECASE)


class Fault(Exception):
    """Why a sample or a file cannot be used: a reason that reports count by, and a detail."""

    def __init__(self, reason: str, detail: str = "") -> None:
        if len(detail) > MAX_DETAIL:  # It may quote the file.
            detail = f"{detail[: MAX_DETAIL - 3]}..."
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail

    def of(self, name: str) -> Rejected:
        """Return it as the fault of the sample or file called `name`."""
        return Rejected(name, self.reason, self.detail)


def clean_text(text: str) -> str:
    """Return a transcription on one line in NFC, without spaces around it.

    Raises:
        Fault: if it holds control characters.
    """
    text = nfc(" ".join(text.split()))
    if bad := next((c for c in text if unicodedata.category(c) in ("Cc", "Cs")), None):
        raise Fault("control characters in the transcription", repr(bad))
    return text


def decode(content: bytes, encoding: str = "utf-8") -> str:
    """Return the text of a file, without a byte order mark.

    Raises:
        Fault: if it is empty, or not in that encoding, naming the line.
    """
    if not content.strip():
        raise Fault("an empty file")
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise Fault(f"not {encoding.upper()} text", f"byte 0x{byte:02x} in line {line}") from None


def check_points(count: int, most: int) -> None:
    """Raise a Fault if a sample has more than `most` points, or fewer than two."""
    if count > most:
        raise Fault(f"more than {most:,} points (the limit max_points)", f"{count:,}")
    if count < 2:
        raise Fault("a single point" if count else "no points")


def check_offsets(offsets: np.ndarray) -> None:
    """Raise a Fault if an offset is longer than any ink's."""
    if len(offsets) and not (largest := float(np.abs(offsets).max())) <= FARTHEST:
        raise Fault(f"an offset longer than {FARTHEST:.6g}", f"{largest:.6g}")


def join_strokes(strokes: Sequence[np.ndarray], most: int) -> np.ndarray:
    """Return the ink `(points, 3)` float32 of strokes given by finite positions `(n, 2)`.

    Raises:
        Fault: if there are fewer than two points or more than `most`, or they lie too far apart.
    """
    check_points(sum(map(len, strokes)), most)
    with np.errstate(over="ignore"):
        check_offsets(np.diff(np.concatenate([np.reshape(s, (-1, 2)) for s in strokes]), axis=0))
    return from_strokes(strokes)


def read_file(file: Path, most: int) -> bytes:
    """Return the content of a file.

    Raises:
        Fault: if it cannot be read, or has more than `most` bytes.
    """
    try:
        with open_file(file) as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise Fault("a file that cannot be read", error.strerror or str(error)) from None
    if len(content) > most:
        raise too_large(file.stat().st_size, most)
    return content


def too_large(size: int, most: int) -> Fault:
    """Return the fault of a file of `size` bytes, more than `most`."""
    return Fault(f"more than {most:,} bytes (the limit max_bytes)", f"{size:,}")


def check_root(root: Path) -> None:
    """Raise a DataError if a file or a folder is there, but cannot be read."""
    try:
        if root.is_dir():
            os.scandir(os.path.join(root, ".")).close()  # reads it, and goes through it
        elif root.exists():
            open_file(root).close()
    except OSError as error:
        raise DataError(f"{root}: cannot be read ({error.strerror})") from None


def files_below(root: Path, pattern: str, most: int) -> list[Path]:
    """Return the files of a folder and the folders in it whose names fit `pattern`, sorted.

    Hidden ones, and folders called `cache`, are passed over; links to folders are not followed.

    Raises:
        DataError: if there are more than `most`, or one of the folders cannot be read.
    """
    found: list[Path] = []
    try:
        for folder, folders, names in os.walk(root, onerror=_refuse):
            folders[:] = sorted(f for f in folders if f != "cache" and not f.startswith("."))
            for name in names:
                file = Path(folder, name)
                fits = not name.startswith(".") and PurePosixPath(name).match(pattern)
                if fits and file.is_file():
                    found.append(file)
            if len(found) > most:
                raise DataError(f"{root}: more than {most:,} files (the limit max_members)")
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from None
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise error


def progress(files: Iterable[Path], description: str) -> Iterable[Path]:
    """Return `files` with a bar that shows how many are done."""
    return distributed.bar(files, description, unit=" files")


class _Header(tarfile.TarInfo):
    """A header of an archive that does not let long names and the like fill the memory."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> "_Header":
        header = super().frombuf(buf, encoding, errors)
        extra = header.type not in (*tarfile.SUPPORTED_TYPES, tarfile.AREGTYPE) or header.type in (
            *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
            *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
        )
        if extra and header.size > MEBIBYTE:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header


class _Bounded:
    """The stream of an unpacked archive, which ends in an error after a number of bytes."""

    def __init__(self, stream: Any, most: int, archive: Path) -> None:
        self.stream, self.left, self.most, self.archive = stream, most, most, archive

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise self.too_much()
        return data

    def too_much(self) -> DataError:
        """Return what is wrong with an archive that holds, or says to hold, more than that."""
        return DataError(
            f"{self.archive}: more than {self.most:,} bytes unpacked (the limit max_archive_bytes)"
        )


def members(
    archive: Path,
    wanted: re.Pattern[str],
    max_bytes: int,
    max_members: int,
    max_archive_bytes: int,
    description: str,
    advice: str = "",
) -> Iterator[tuple[str, bytes | Rejected]]:
    """Yield names (without folders) and contents of an archive's files whose names fit `wanted`.

    Nothing is extracted: members are read one by one, in memory. Those that are too large come
    with what is wrong with them; so do links, and those that point out of the archive, all under
    an empty name.

    Args:
        archive: a tar file, zipped by gzip or not.
        wanted: names, without folders, to be read.
        max_bytes: of one member.
        max_members: of the archive.
        max_archive_bytes: unpacked.
        description: of the progress bar.
        advice: what to do if the archive is broken, the end of the message.

    Raises:
        DataError: if the archive is broken or beyond a limit.
    """
    count = 0
    size = archive.stat().st_size
    bar = distributed.bar(what=description, total=size, unit="B", unit_scale=True)
    try:
        with bar, open(archive, "rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            if not zipped:
                raw.seek(max(0, archive.stat().st_size - 1024))
                if raw.read().strip(b"\0"):
                    raise tarfile.ReadError("it does not end as tar archives do")
            raw.seek(0)
            unpacked = gzip.GzipFile(fileobj=raw) if zipped else raw
            stream = _Bounded(unpacked, max_archive_bytes, archive)
            with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header) as tar:
                for member in tar:
                    tar.members = []  # else it keeps them all
                    count += 1
                    if count > max_members:
                        raise DataError(
                            f"{archive}: more than {max_members:,} members (the limit max_members)"
                        )
                    if member.size > stream.left:  # else tarfile looks for its end without one
                        raise stream.too_much()
                    bar.update(raw.tell() - bar.n)
                    path = PurePosixPath(member.name.replace("\\", "/"))
                    if path.is_absolute() or ".." in path.parts or ":" in path.parts[:1]:
                        yield "", Rejected(member.name, "a member outside of the archive")
                    elif member.issym() or member.islnk():
                        yield "", Rejected(member.name, "a member that is a link")
                    elif member.isreg() and wanted.fullmatch(path.name):
                        if member.size > max_bytes:
                            yield path.name, too_large(member.size, max_bytes).of(path.name)
                        else:
                            yield path.name, tar.extractfile(member).read()
            while stream.read(MEBIBYTE):  # to the end, where the checksum stands
                pass
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise DataError(f"{archive}: a broken archive ({error}){advice}") from None


def official_split(path: str) -> str:
    """Return the split that the path of a file names ("pendigits-train"), "" if none or several."""
    named = {match[1].lower() for match in _OFFICIAL.finditer(path)}
    return named.pop() if len(named) == 1 else ""


def divide(
    names: list[str],
    writers: list[str],
    official: list[str],
    fractions: Mapping[str, float],
    seed: int = 0,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Divide samples into splits: as their source does where it does, else by a hash.

    A source does if it has training samples and others. A split that it lacks is taken from its
    training samples, by hash of the writer, or of the name where the writer is unknown or there
    are fewer writers than splits.

    Args:
        names: of the samples.
        writers: of the samples; empty strings where unknown.
        official: the split that the source names for each sample, or an empty string.
        fractions: of the splits, together 1.
        seed: another one divides otherwise.

    Returns:
        the indices of each split, int64, and notes for a report.
    """
    notes, shares = [], {split: share for split, share in fractions.items() if share > 0}
    given = np.array(official)
    others = {"valid", "test"}.intersection(official)
    if "train" not in official or not others:
        given, others = np.full(len(names), ""), set()
    for split in sorted(others):
        shares["train"] += shares.pop(split, 0.0)
    if others:
        rest = shares.keys() - {"train"}
        taken = f"; {' and '.join(sorted(rest))} by hash from train" if rest else ""
        notes.append(f"the splits {', '.join(sorted({'train'} | others))} are the source's{taken}")
    free = np.flatnonzero(~np.isin(given, sorted(others)))
    people = [writers[n] for n in free]
    if any(people) and len(set(people)) < len(shares):
        notes.append("fewer writers than splits: divided by the samples' names")
        people = [""] * len(free)
    total = sum(shares.values())
    shares = {split: share / total for split, share in shares.items()}
    parts = by_hash([names[n] for n in free], people, shares, seed)
    units = np.array([person or names[n] for person, n in zip(people, free, strict=True)])
    for split in parts:
        largest = max(parts, key=lambda other: len(set(units[parts[other]].tolist())))
        candidates = sorted(set(units[parts[largest]].tolist()), key=lambda u: draw(u, seed))
        if not len(parts[split]) and len(candidates) > 1:  # few samples: let no split be empty
            moved = parts[largest][units[parts[largest]] == candidates[0]]
            parts[split] = moved
            parts[largest] = np.setdiff1d(parts[largest], moved)
            notes.append(f"{split} would be empty and got {len(moved)} of {largest}")
    indices = {split: free[part].astype(np.int64) for split, part in parts.items()}
    for split in others:
        indices[split] = np.flatnonzero(given == split).astype(np.int64)
    return {split: indices[split] for split in SPLITS if split in indices}, notes


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Raise a ConfigFault if `fractions` are not those of splits, together 1."""
    if unknown := next((split for split in fractions if split not in SPLITS), None):
        raise ConfigFault("fractions", unknown, f"one of {', '.join(SPLITS)}")
    if not (fractions.get("train", 0) > 0 and fractions.get("valid", 0) > 0):
        raise ConfigFault("fractions", dict(fractions), "more than 0 for train and for valid")
    if abs(sum(fractions.values()) - 1) > 1e-6:
        raise ConfigFault("fractions", dict(fractions), "together 1")


class SourceDataset(CachedDataset):
    """Samples of a file, an archive or a folder of a known format.

    Where the source has splits of its own (its files' or folders' names hold `train` and `test`
    or `valid`), these are used, and what it lacks is taken from its training samples. Else
    samples are divided by a hash of their writer, or of their name where that is unknown, so that
    more samples move none.

    Args:
        root: the file, or the folder with the files.
        cache: folder for what was parsed; None is `cache` beside the data, and where that cannot
            be written, the user's folder for caches.
        fractions: how much of the samples each of `train`, `valid`, `test` gets, together 1.
        split_seed: another one divides otherwise.
        subset: how many training samples to use; None uses all.
        subset_seed: which ones.
        strict: let a sample that is left out be an error.
        max_points: limit on the points of one sample; one with more is left out.
        max_bytes: limit on the bytes of one file or archive member, refused beyond it.
        max_members: limit on files of a folder or members of an archive.

    Raises:
        ConfigFault: if `fractions` do not fit.
    """

    kind: ClassVar[str]
    """The beginning of the cache's name."""
    title: ClassVar[str]
    """What reports call the source."""
    whole: ClassVar[bool] = True
    """Whether all offsets must be whole numbers, see `load_or_make`. Where they need not but are,
    `prepare` sets `quantisation_step` to 1."""

    def __init__(
        self,
        *,
        root: str,
        cache: str | None = None,
        fractions: dict[str, Annotated[float, Range(0, 1)]] = FRACTIONS,
        split_seed: Annotated[int, Range(0, 2**32 - 1)] = 0,
        subset: Annotated[int, Range(1, None)] | None = None,
        subset_seed: Annotated[int, Range(0, None)] = 0,
        strict: bool = False,
        max_points: Annotated[int, Range(2, 10_000_000)] = 20_000,
        max_bytes: Annotated[int, Range(1, 1 << 40)] = 64 * MEBIBYTE,
        max_members: Annotated[int, Range(1, 100_000_000)] = 500_000,
    ) -> None:
        check_fractions(fractions)
        self.root, self.cache_folder = Path(root).expanduser(), cache
        self.fractions, self.split_seed = fractions, split_seed
        self.subset, self.subset_seed, self.strict = subset, subset_seed, strict
        self.max_points, self.max_bytes, self.max_members = max_points, max_bytes, max_members
        self._indices: dict[str, np.ndarray] = {}
        self._notes: list[str] = []

    @abstractmethod
    def find(self) -> list[Path]:
        """Return the files to be read.

        Raises:
            DataError: if there are none, saying what belongs there.
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

    @property
    def folder(self) -> Path:
        """The folder that holds the data."""
        return self.root if self.root.is_dir() else self.root.parent

    def places(self) -> list[Path]:
        """Return where the cache may lie."""
        return places(self.folder, self.cache_folder)

    def official(self, index: int) -> str:
        """Return the split that the source names for a sample, or an empty string."""
        return official_split(self.group(index))

    def prepare(self) -> None:
        """Open the cache, made of the files with a progress bar unless it is there.

        Raises:
            DataError: if files are missing, or nothing in them is whole; if `strict`, also for
                every broken sample.
            ConfigFault: if `subset` is larger than the training split.
        """
        if self._cache is not None:
            return
        files = self.find()
        key = {"files": fingerprint(files, self.folder), "options": self.options()}
        self._cache = load_or_make(
            self.kind, self.places(), key, lambda: self.read(files), self.strict, self.whole
        )
        if not self.whole and self.quantisation_step is None:
            offsets = self._cache.all("offsets")
            self.quantisation_step = 1.0 if (offsets == np.rint(offsets)).all() else None
        try:
            self.divide()
        except BaseException:
            self._cache = None
            raise

    def divide(self) -> None:
        """Find the samples of each split."""
        everything = range(len(self.cache))
        names = [self.cache.string("names", n) for n in everything]
        writers = [self.cache.string("writers", n) for n in everything]
        official = [self.official(n) for n in everything]
        indices, notes = divide(names, writers, official, self.fractions, self.split_seed)
        for split, found in indices.items():
            if not len(found):
                raise DataError(
                    f"{self.root}: {len(names)} samples are too few, there are none for the split "
                    f"{split!r}"
                )
        silent = sum(not len(self.cache.values("texts", n)) for n in everything)
        if silent:
            notes.append(f"{silent:,} samples have no transcription")
        self._indices, self._notes = indices, notes
        self.choose_subset(names)

    def choose_subset(self, names: list[str]) -> None:
        """Keep `subset` of the training samples, whose names are among `names`."""
        if self.subset is None:
            return
        train = self._indices["train"]
        if self.subset > len(train):
            raise ConfigFault("subset", self.subset, f"at most the {len(train)} training samples")
        chosen = choose([names[n] for n in train], self.subset, self.subset_seed)
        self._indices["train"] = train[chosen]
        self._notes.append(f"{len(train) - len(chosen):,} training samples are outside the subset")

    def split_indices(self) -> dict[str, np.ndarray]:
        return self._indices

    def headline(self) -> str:
        """Return what the source is and where it lies, for reports."""
        return f"{self.title} in {self.root}"

    def report(self) -> str:
        used = np.unique(np.concatenate(list(self._indices.values()))).tolist()
        characters = set().union(*(self.text(n) for n in used))
        writers = {self.writer(n) for n in used} - {""}
        return "\n  ".join(
            [
                f"{self.headline()}: {len(self):,} samples",
                *(self.count(split) for split in self._indices),
                f"{len(characters)} different characters"
                + (f", {len(writers):,} writers" if writers else ""),
                *self.left_out(),
                *self._notes,
                f"cache: {self.cache.folder}",
            ]
        )
