"""Caches the parsed samples of a source in a compact file.

The file is called `KIND-DIGEST.npz`; the digest covers everything on which the samples depend.
`numpy.load(allow_pickle=False)` opens the file. Samples are sorted by name, so that the file does
not depend on the order in which a source yields the samples.
"""

import hashlib
import json
import logging
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from filelock import FileLock

from base.base_dataset import stacked
from data_loader.sources.parsing import Fault, Parsed, Sample
from utils.checks import DataError
from utils.files import atomic_write, check_writable

FORMAT_VERSION = 2
STRING_FIELDS = ("text", "name", "writer", "group")
PREFIX = "extra."  # begins the names of arrays of extras

logger = logging.getLogger(__name__)


def sorted_by_name(parsed: Parsed) -> Parsed:
    """Return samples and faults sorted by name; samples with a name that is taken become faults.

    Raises:
        DataError: if no sample is left.
    """
    samples: dict[str, Sample] = {}
    faults = list(parsed.left_out)
    for sample in parsed.samples:
        if samples.setdefault(sample.name, sample) is not sample:
            faults.append(Fault("a name that another sample has", name=sample.name))
    faults.sort(key=lambda fault: fault.name)
    if not samples:
        listed = ", ".join(map(str, faults[:3]))
        if len(faults) == 1:
            raise DataError(listed)
        raise DataError(f"no sample can be used; {len(faults):,} are left out: {listed}")
    return Parsed([samples[name] for name in sorted(samples)], faults)


def pack(parsed: Parsed) -> dict[str, np.ndarray]:
    """Return the samples and faults as a few arrays; offsets are int16 if that loses nothing."""
    samples = parsed.samples
    offsets = [sample.ink[:, :2] for sample in samples]
    fits_int16 = all((np.abs(o) < 2**15).all() and (o == np.rint(o)).all() for o in offsets)
    # The name of a file may have bytes that are not valid text: they are escaped.
    strings = [
        [getattr(s, key).encode(errors="backslashreplace").decode() for s in samples]
        for key in STRING_FIELDS
    ]
    notes = json.dumps([strings, [fault.args for fault in parsed.left_out]])
    return {
        "offsets": np.concatenate(offsets, dtype="i2" if fits_int16 else "f4", casting="unsafe"),
        "ends": np.concatenate([sample.ink[:, 2] > 0 for sample in samples]),
        "missing": np.concatenate([sample.missing_counts for sample in samples]).astype(np.uint8),
        "lengths": np.array([len(sample.ink) for sample in samples]),
        "notes": np.frombuffer(notes.encode(), np.uint8),
        **{f"{PREFIX}{name}": values for name, values in stacked(samples).items()},
    }


def unpack(arrays: Mapping[str, np.ndarray]) -> Parsed:
    """Return the samples and faults that `pack` turned into `arrays`."""
    strings, faults = json.loads(arrays["notes"].tobytes())
    points = np.concatenate([arrays["offsets"], arrays["ends"][:, None]], axis=1, dtype="f4")
    stops = np.cumsum(arrays["lengths"])[:-1]
    inks, gaps = np.split(points, stops), np.split(arrays["missing"], stops)
    extras = {name.removeprefix(PREFIX): arrays[name] for name in arrays if name.startswith(PREFIX)}
    samples = []
    for n, (ink, missing, *fields) in enumerate(zip(inks, gaps, *strings, strict=True)):
        sample_extras = {name: extras[name][n] for name in extras}
        samples.append(Sample(ink, *fields, missing=missing, extras=sample_extras))
    return Parsed(samples, [Fault(*arguments) for arguments in faults])


def fingerprint(files: Iterable[Path], root: Path) -> str:
    """Return a digest of the files' paths relative to `root`, sizes and times of change."""
    digest = hashlib.sha256()
    for file in sorted(files):
        status = file.stat()
        line = f"{os.path.relpath(file, root)}\0{status.st_size}\0{status.st_mtime_ns}\n"
        digest.update(line.encode(errors="backslashreplace"))
    return digest.hexdigest()


def load_or_make(
    kind: str, folders: list[Path], key: Mapping[str, object], read: Callable[[], Parsed]
) -> tuple[Parsed, Path]:
    """Return the samples for `key`, and their cache file, which is made if it does not exist.

    If several processes need a new file, the first process makes it and the others wait.

    Args:
        kind: the name of the source's class, with which the file's name begins.
        folders: the folders that may hold the file, the preferred folder first.
        key: values, for JSON, that identify the samples: a fingerprint and options.
        read: parses the source.

    Raises:
        DataError: if no folder can be written, or `read` raises a DataError.
    """
    identity = json.dumps({"format": FORMAT_VERSION, "kind": kind, **key}, sort_keys=True)
    name = f"{kind}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    for folder in folders:
        if parsed := _load(folder / f"{name}.npz"):
            return parsed, folder / f"{name}.npz"
    folder = _writable(folders)
    file = folder / f"{name}.npz"
    with FileLock(folder / f"{name}.lock"):
        if parsed := _load(file):  # another process was faster
            return parsed, file
        for leftover in folder.glob(f".{name}.*.tmp"):  # temporary files of killed processes
            leftover.unlink(missing_ok=True)
        arrays = pack(sorted_by_name(read()))
        try:
            atomic_write(file, lambda stream: np.savez(stream, **arrays))
        except OSError as error:
            raise DataError(
                f"cannot write the cache {file}: {error.strerror or error}; make room there, or "
                'name another folder as "cache" of the dataset'
            ) from error
    return unpack(arrays), file


def _load(file: Path) -> Parsed | None:
    """Return the samples in a cache file, or None if the file cannot be used."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return unpack(arrays)
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile):
        logger.warning("the cache %s is damaged and will be rebuilt", file)
        return None


def _writable(folders: list[Path]) -> Path:
    """Return the first folder that can be written, or raise a DataError."""
    errors = []
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            check_writable(folder)
            return folder
        except OSError as error:
            errors.append(f"{folder} ({error.strerror})")
    raise DataError(
        f"no folder for the cache of the dataset: cannot write {' nor '.join(errors)}; name "
        'a writable folder as "cache" of the dataset'
    )
