"""Samples of any source, parsed once into a folder of compact `.npy` files and memory-mapped after.

A cache is a folder that `numpy.load(mmap_mode="r", allow_pickle=False)` opens. Each field is one
long array, `FIELD.npy`, beside `FIELD_starts.npy` (`(samples + 1,)` int64): sample n has the
elements from `starts[n]` up to `starts[n + 1]`.

| field | element | of each sample |
|---|---|---|
| offsets | (2,) int16 | (dx, dy) of each point, source units (float32 if not all whole) |
| stroke_ends | int32 | the points that are the last of their stroke |
| gaps | (2,) int32 | a point, and how many (1 to 127) are missing before it |
| names, texts, writers, groups | uint8 | a string in UTF-8 |

`meta.json` says what the cache was made of and which samples were left out. Samples are sorted by
name, so that the cache does not depend on the order in which a source yields them.
"""

import errno
import hashlib
import json
import logging
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from base import distributed
from utils.checks import DataError, printable
from utils.files import sync_folder, user_cache, write_json

FORMAT = 1
STRINGS = ("names", "texts", "writers", "groups")
FIELDS = ("offsets", "stroke_ends", "gaps", *STRINGS)
_SHAPES = {"offsets": ((2,), np.int16), "stroke_ends": ((), np.int32), "gaps": ((2,), np.int32)}
_STALE = 3600  # seconds after which the half-made cache of another machine is taken for dead
_LIMIT = np.iinfo(np.int16).max
FARTHEST = 1e9
"""The longest offset of ink that is not of whole numbers: beyond it float32 has no fractions, and
squares grow large; assumed."""

logger = logging.getLogger(__name__)


class Sample(NamedTuple):
    """One sample as a source yields it."""

    name: str
    """Unique within the source."""
    ink: np.ndarray
    """`(points, 3)`: (dx, dy, end_of_stroke), source units."""
    text: str
    missing: np.ndarray | None = None
    """`(points,)`: how many points, up to 127, are missing before each; None if unknown."""
    writer: str = ""
    group: str = ""
    """What official splits name (a form, a file); empty if nothing."""


class Rejected(NamedTuple):
    """A sample that is left out. Reports count those of the same reason."""

    name: str
    reason: str
    detail: str = ""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return printable(f"{self.name}: {self.reason}{detail}")


def fingerprint(files: Iterable[Path], root: Path) -> dict[str, Any]:
    """Return a value that changes when one of `files` does: names below `root`, sizes, times."""
    digest, count, size = hashlib.sha256(), 0, 0
    for file in sorted(files):
        status = file.stat()
        name = os.path.relpath(file, root)
        line = f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n"
        digest.update(line.encode(errors="backslashreplace"))
        count, size = count + 1, size + status.st_size
    return {"files": count, "bytes": size, "sha256": digest.hexdigest()}


def places(root: Path, cache: str | None) -> list[Path]:
    """Return the folders in which a cache may be, the preferred one first.

    That is `cache` if given. Otherwise it is `cache` beside the data and, where that cannot be
    written, `utils.files.user_cache`.
    """
    if cache is not None:
        return [Path(cache).expanduser()]
    return [root / "cache", user_cache()]


def refusal(sample: Sample, whole: bool) -> Rejected | None:
    """Return why a sample cannot be used, with `whole` numbers for offsets; None if it can."""
    if not len(sample.ink):
        return Rejected(sample.name, "no points")
    offsets = np.asarray(sample.ink[:, :2], dtype=np.float64)
    if not np.isfinite(offsets).all():
        return Rejected(sample.name, "a non-number among the points")
    if whole and (offsets != np.round(offsets)).any():
        return Rejected(sample.name, "offsets that are not whole numbers")
    limit = _LIMIT if whole else FARTHEST
    if (largest := np.abs(offsets).max()) > limit:
        return Rejected(sample.name, f"an offset longer than {limit:.6g}", f"{largest:.6g}")
    return None


def _pack(sample: Sample, whole: bool) -> dict[str, np.ndarray] | Rejected:
    """Return the fields of a sample, or why it cannot be stored (as `whole` numbers)."""
    if refused := refusal(sample, whole):
        return refused
    offsets = np.asarray(sample.ink[:, :2], dtype=np.float64)
    missing = np.zeros(len(offsets)) if sample.missing is None else sample.missing
    at = np.flatnonzero(missing)
    strings = (sample.name, sample.text, sample.writer, sample.group)
    return {
        "offsets": offsets.astype(np.int16 if whole else np.float32),
        "stroke_ends": np.flatnonzero(sample.ink[:, 2]).astype(np.int32),
        "gaps": np.stack([at, np.clip(missing[at], 0, 127)], axis=1).astype(np.int32),
        **{
            field: np.frombuffer(string.encode(errors="backslashreplace"), np.uint8)
            for field, string in zip(STRINGS, strings, strict=True)
        },
    }


def _save(file: Path, array: np.ndarray) -> None:
    with open(file, "wb") as stream:
        np.save(stream, array, allow_pickle=False)
        stream.flush()
        os.fsync(stream.fileno())


class Cache:
    """A cache, memory-mapped. Pickles as its path, so that worker processes map it again.

    Raises:
        OSError, ValueError, KeyError: if the folder is not a complete cache of this format.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.meta = json.loads((self.folder / "meta.json").read_text(encoding="utf-8"))
        if self.meta["format"] != FORMAT:
            raise ValueError(f"format {self.meta['format']}, not {FORMAT}")
        self.rejected = [Rejected(*entry) for entry in self.meta["rejected"]]
        self._values, self._starts = {}, {}
        for field in FIELDS:
            values = np.load(self.folder / f"{field}.npy", mmap_mode="r", allow_pickle=False)
            starts = np.load(self.folder / f"{field}_starts.npy", mmap_mode="r", allow_pickle=False)
            shape, dtype = _SHAPES.get(field, ((), np.uint8))
            if field == "offsets":
                dtype = self.meta.get("offsets", dtype)
            if values.shape[1:] != shape or values.dtype != dtype:
                raise ValueError(f"{field}.npy: {values.dtype} of shape {values.shape}")
            if starts.shape != (self.meta["samples"] + 1,) or starts[-1] != len(values):
                raise ValueError(f"{field}_starts.npy does not fit {field}.npy")
            self._values[field], self._starts[field] = values, starts
        self.lengths = np.diff(self._starts["offsets"])

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        return Cache, (self.folder,)

    def __len__(self) -> int:
        return len(self.lengths)

    def all(self, field: str) -> np.ndarray:
        """Return a field of all samples, one after the other, as a view into the file."""
        return self._values[field]

    def values(self, field: str, index: int) -> np.ndarray:
        """Return a field of one sample as a view into the file."""
        starts = self._starts[field]
        return self._values[field][starts[index] : starts[index + 1]]

    def string(self, field: str, index: int) -> str:
        """Return one of `names`, `texts`, `writers`, `groups` of one sample."""
        return self.values(field, index).tobytes().decode()

    def ink(self, index: int) -> np.ndarray:
        """Return `(points, 3)` float32, (dx, dy, end_of_stroke)."""
        offsets = self.values("offsets", index)
        ink = np.zeros((len(offsets), 3), dtype=np.float32)
        ink[:, :2] = offsets
        ink[self.values("stroke_ends", index), 2] = 1
        return ink

    def missing(self, index: int) -> np.ndarray:
        """Return how many points are missing before each point, `(points,)` uint8."""
        missing = np.zeros(self.lengths[index], dtype=np.uint8)
        gaps = self.values("gaps", index)
        missing[gaps[:, 0]] = gaps[:, 1]
        return missing


def _write(
    folder: Path,
    meta: dict[str, Any],
    samples: Iterable[Sample | Rejected],
    strict: bool,
    whole: bool,
) -> None:
    """Write the files of a cache into an empty folder.

    Raises:
        DataError: if a sample is left out although `strict`, or none is left.
    """
    rejected: list[Rejected] = []
    packed: dict[str, dict[str, np.ndarray]] = {}
    for sample in samples:
        fields = sample if isinstance(sample, Rejected) else _pack(sample, whole)
        if not isinstance(fields, Rejected) and sample.name in packed:
            fields = Rejected(sample.name, "a name that another sample has")
        if isinstance(fields, Rejected):
            if strict:
                raise _strict_error(fields)
            rejected.append(fields)
        else:
            packed[sample.name] = fields
    if not packed:
        raise DataError(
            f"no sample can be used; {len(rejected)} are left out: "
            + ", ".join(str(entry) for entry in rejected[:3])
        )
    ordered = [packed[name] for name in sorted(packed)]
    for field in FIELDS:
        arrays = [sample[field] for sample in ordered]
        lengths = np.array([len(array) for array in arrays], dtype=np.int64)
        _save(folder / f"{field}.npy", np.concatenate(arrays))
        _save(folder / f"{field}_starts.npy", np.concatenate([[0], np.cumsum(lengths)]))
    meta = {
        **meta,
        "samples": len(ordered),
        "points": sum(len(sample["offsets"]) for sample in ordered),
        "rejected": sorted(rejected),
    }
    write_json(folder / "meta.json", meta, indent=1)


def _strict_error(rejected: Rejected, count: int = 1) -> DataError:
    others = f", and {count - 1} more" if count > 1 else ""
    return DataError(f'{rejected}{others}; without "strict": true it would be left out')


def _open(folder: Path) -> Cache | None:
    """Return the cache in a folder, or None if there is no complete one."""
    try:
        return Cache(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _alive(process: int) -> bool:
    """Return whether another process of this machine with that id is running."""
    if process == os.getpid() or os.name != "posix":
        return False  # a process makes one cache at a time; on other machines age decides
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove_leftovers(place: Path) -> None:
    """Remove the half-made caches that a killed process has left in `place`."""
    for folder in place.glob(".*.partial"):
        match = re.fullmatch(r"\.(.*)\.(\d+)\.partial", folder.name)
        try:
            age = time.time() - folder.stat().st_mtime
        except OSError:
            continue  # its maker has just finished
        here = match is not None and match[1] == socket.gethostname() and os.name == "posix"
        dead = not _alive(int(match[2])) if here else age > _STALE
        if dead:
            shutil.rmtree(folder, ignore_errors=True)


def _temporary(candidates: list[Path]) -> Path:
    """Create a folder for a half-made cache in the first candidate that can be written.

    Raises:
        DataError: if none can.
    """
    faults = []
    for place in candidates:
        folder = place / f".{socket.gethostname()}.{os.getpid()}.partial"
        try:
            place.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(place)
            folder.mkdir()
            return folder
        except OSError as error:
            faults.append(f"{place} ({error.strerror})")
    raise DataError(
        f"no folder for the cache of the dataset: cannot write {' nor '.join(faults)}; name "
        'a writable folder as "cache" of the dataset'
    )


@distributed.first_on_machine()
def load_or_make(
    kind: str,
    candidates: list[Path],
    key: Mapping[str, Any],
    read: Callable[[], Iterable[Sample | Rejected]],
    strict: bool = False,
    whole: bool = True,
) -> Cache:
    """Return the cache for `key`, made of what `read` yields unless there is one.

    It is made in a temporary folder and renamed when complete, so that an interrupted parse leaves
    nothing. Of several processes on a machine one makes it, the others open it.

    Args:
        kind: the source, as the beginning of the folder's name.
        candidates: where the cache may be (see `places`).
        key: everything that the samples depend on, as JSON: a fingerprint and options.
        read: yields samples, and those to be left out.
        strict: make the first sample to be left out an error.
        whole: all offsets are whole numbers up to 32,767 (others are left out), stored as int16;
            otherwise they are stored as float32.

    Raises:
        DataError: if no candidate can be written, if `strict` is violated, or from `read`.
    """
    key = {"format": FORMAT, "kind": kind, **key}
    if not whole:
        key["offsets"] = "float32"
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    name = f"{kind}-{digest[:16]}"
    for place in candidates:
        if cache := _open(place / name):
            if strict and cache.rejected:
                raise _strict_error(cache.rejected[0], len(cache.rejected))
            return cache
        if os.path.exists(place / name):
            logger.warning("the cache %s is damaged and will be rebuilt", place / name)
    temporary = _temporary(candidates)
    folder = temporary.parent / name
    try:
        _write(temporary, key, read(), strict, whole)
        if folder.exists() and not _open(folder):
            shutil.rmtree(folder)
        try:
            os.rename(temporary, folder)
        except OSError as error:
            # Another process was faster: its cache is as good.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not _open(folder):
                raise
        sync_folder(temporary.parent)
    except OSError as error:
        raise DataError(
            f"cannot write the cache {folder}: {error.strerror or error}; make room there, or name "
            'another folder as "cache" of the dataset'
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Cache(folder)


def left_out(rejected: list[Rejected], names: int = 3) -> list[str]:
    """Return the number of samples left out for each reason, with the first few names."""
    by_reason: dict[str, list[Rejected]] = {}
    for entry in rejected:
        by_reason.setdefault(entry.reason, []).append(entry)
    return [
        f"{len(entries):,} left out: {reason}: "
        + printable(
            ", ".join(e.name + (f" ({e.detail})" if e.detail else "") for e in entries[:names])
        )
        + (", ..." if len(entries) > names else "")
        for reason, entries in sorted(by_reason.items(), key=lambda item: -len(item[1]))
    ]
