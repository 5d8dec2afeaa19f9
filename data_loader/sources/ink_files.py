"""Reads ink from files and folders in any format of `ink.formats`."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from base import distributed
from data_loader.transforms.shaping import ResampleTime
from ink import guard
from ink.formats import ACCEPTED_LINES, UNKNOWN, parse_lines, usable
from ink.formats.faults import Fault, summarise
from ink.formats.files import files_below
from ink.formats.iam_ondb import TEXT_FILE
from ink.formats.parsed import Parsed
from ink.formats.unipen.collection import is_collection
from ink.geometry import x_height
from ink.measures import levelled
from ink.sample import Sample
from utils.checks import DataError

# Names of files that have no ink, but belong to files of ink.
_NO_INK = re.compile(r"(?:train|test)(?:img-\d+-(?:targetdata|points)|labels)\.txt|sentences\.txt")


def read_ink(path: str | os.PathLike[str]) -> list[Sample]:
    """Return the samples in a file, or in all files of a folder and of the folders in it.

    Files and samples that cannot be used are left out, and a warning names them.

    Args:
        path: the file or the folder.

    Returns:
        at least one sample, in the order of the files' names. The name of a sample begins with the
        name of its file or, in a folder, the path below the folder; where a file may contain
        several samples, the sample's name in the file follows: "strokes.npy:line-00003". Ink is in
        the file's units, y growing downwards; its first offset is (0, 0). An unknown text is empty.

    Raises:
        DataError: if there is no such file, or no sample can be used; the message says why.
    """
    path = Path(path).expanduser()
    files = {path.name: path}
    try:
        if path.is_dir() and not is_collection(path):
            every_file = files_below(path, re.compile(".*"))
            ink_files = (file for file in every_file if _may_have_ink(file))
            files = {file.relative_to(path).as_posix(): file for file in ink_files}
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from None
    parsed = Parsed()
    results = guard.each(parse_lines, files.values(), guard.LOOPS, bar=distributed.bar)
    for name in distributed.bar(files, "reading ink", unit=" files", delay=1):
        with parsed.attempt(name):
            if isinstance(result := next(results), Fault):
                raise result
            parsed.extend(result.within(name))
    if not parsed.samples:
        raise DataError(_describe_failure(path, parsed.left_out))
    return usable(path, parsed)


def _describe_failure(path: Path, faults: list[Fault]) -> str:
    if path.is_dir():
        parts = [f"{path}: no ink there", "; ".join(summarise(faults))]
        return f"{': '.join(filter(None, parts))}; supported formats: {ACCEPTED_LINES}"
    others = f", and {len(faults) - 1:,} more" if len(faults) > 1 else ""
    accepted = f"; supported formats: {ACCEPTED_LINES}" if faults[0].reason == UNKNOWN else ""
    return f"{path}{str(faults[0]).removeprefix(path.name)}{others}{accepted}"


def _may_have_ink(file: Path) -> bool:
    is_text = TEXT_FILE.fullmatch(file.name) and "ascii" in str(file.parent)
    return not is_text and not _NO_INK.fullmatch(file.name)


def match_device(ink: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """Return ink as if the device of `others` had recorded it.

    The ink is turned level and scaled to the x-height of `others`. Then it is resampled in time, so
    that its steps within strokes are as long as the steps of `others`.

    Args:
        ink: `(points, 3)`, of any unit, sampling rate and slope.
        others: ink of another device, each of at least two points.
    """
    result = levelled(ink)[0]
    result[:, :2] *= np.median([x_height(other) for other in others]) / x_height(result)
    steps = [step for other in others if (step := mean_step(other)) > 0]
    if steps and (step := mean_step(result)) > 0:
        resample = ResampleTime(period=min(max(float(np.median(steps)) / step, 0.01), 100.0))
        missing = np.zeros(len(result), dtype=np.uint8)
        result, _ = resample(result, missing, np.random.default_rng(0))
    return result.astype(np.float32)


def mean_step(ink: np.ndarray) -> float:
    """Return the mean length of the steps within strokes, or 0 if there is no such step."""
    steps = ink[1:, :2][ink[:-1, 2] < 0.5]
    return float(np.hypot(steps[:, 0], steps[:, 1]).mean()) if len(steps) else 0.0
