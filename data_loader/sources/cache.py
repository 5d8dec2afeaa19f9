"""Samples of any source, parsed once into a compact file and then loaded from this file.

The file is called `KIND-DIGEST.npz`; the digest covers everything on which the samples depend.
`numpy.load(allow_pickle=False)` opens it. Samples are sorted by name, so that the file does not
depend on the order in which a source yields them.
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

FORMAT = 2
STRINGS = ("text", "name", "writer", "group")
EXTRA = "extra."  # prefix of the names of arrays of extras

logger = logging.getLogger(__name__)


def in_order(parsed: Parsed) -> Parsed:
    """Return samples of unique names, and the faults of samples left out, both sorted by name.

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
    """Return samples as a few concatenated arrays; offsets are int16 if all fit into int16."""
    samples = parsed.samples
    offsets = [sample.ink[:, :2] for sample in samples]
    small = all((np.abs(o) < 2**15).all() and (o == np.rint(o)).all() for o in offsets)
    # Names of files may hold undecodable bytes.
    strings = [
        [getattr(s, key).encode(errors="backslashreplace").decode() for s in samples]
        for key in STRINGS
    ]
    notes = json.dumps([strings, [fault.args for fault in parsed.left_out]])
    return {
        "offsets": np.concatenate(offsets, dtype="i2" if small else "f4", casting="unsafe"),
        "ends": np.concatenate([sample.ink[:, 2] > 0 for sample in samples]),
        "missing": np.concatenate([sample.gaps for sample in samples]).astype(np.uint8),
        "lengths": np.array([len(sample.ink) for sample in samples]),
        "notes": np.frombuffer(notes.encode(), np.uint8),
        **{f"{EXTRA}{name}": values for name, values in stacked(samples).items()},
    }


def unpack(arrays: Mapping[str, np.ndarray]) -> Parsed:
    """Return the samples and faults in arrays that `pack` made."""
    strings, faults = json.loads(arrays["notes"].tobytes())
    points = np.concatenate([arrays["offsets"], arrays["ends"][:, None]], axis=1, dtype="f4")
    stops = np.cumsum(arrays["lengths"])[:-1]
    inks, gaps = np.split(points, stops), np.split(arrays["missing"], stops)
    extras = {name.removeprefix(EXTRA): arrays[name] for name in arrays if name.startswith(EXTRA)}
    samples = []
    for n, (ink, missing, *texts) in enumerate(zip(inks, gaps, *strings, strict=True)):
        sample_extras = {name: extras[name][n] for name in extras}
        samples.append(Sample(ink, *texts, missing=missing, extras=sample_extras))
    return Parsed(samples, [Fault(*arguments) for arguments in faults])


def fingerprint(files: Iterable[Path], root: Path) -> str:
    """Return a digest of the files' names below `root`, sizes and times of change."""
    digest = hashlib.sha256()
    for file in sorted(files):
        status = file.stat()
        line = f"{os.path.relpath(file, root)}\0{status.st_size}\0{status.st_mtime_ns}\n"
        digest.update(line.encode(errors="backslashreplace"))
    return digest.hexdigest()


def load_or_make(
    kind: str, folders: list[Path], key: Mapping[str, object], read: Callable[[], Parsed]
) -> tuple[Parsed, Path]:
    """Return the samples for `key` and their cache file; `read` parses them if no file exists.

    Of several processes only the first parses; the others wait.

    Args:
        kind: the class of the source, as the beginning of the file's name.
        folders: where the cache may be, the preferred one first.
        key: everything that the samples depend on, as JSON: a fingerprint and options.
        read: parses the source.

    Raises:
        DataError: if no folder can be written; from `read`.
    """
    described = json.dumps({"format": FORMAT, "kind": kind, **key}, sort_keys=True)
    name = f"{kind}-{hashlib.sha256(described.encode()).hexdigest()[:16]}"
    for folder in folders:
        if parsed := _load(folder / f"{name}.npz"):
            return parsed, folder / f"{name}.npz"
    folder = _writable(folders)
    file = folder / f"{name}.npz"
    with FileLock(folder / f"{name}.lock"):
        if parsed := _load(file):  # another process was faster
            return parsed, file
        for stale in folder.glob(f".{name}.*.tmp"):  # temporary files of killed processes
            stale.unlink(missing_ok=True)
        arrays = pack(in_order(read()))
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
    """Return the first folder that can be written; raise a DataError if there is no such folder."""
    refused = []
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            check_writable(folder)
            return folder
        except OSError as error:
            refused.append(f"{folder} ({error.strerror})")
    raise DataError(
        f"no folder for the cache of the dataset: cannot write {' nor '.join(refused)}; name "
        'a writable folder as "cache" of the dataset'
    )
