"""Reads ink from files of any supported format, which it detects by their content."""

import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from base import distributed
from data_loader.sources import (
    iam_ondb,
    inkml,
    mnist_strokes,
    own_ink,
    stroke_arrays,
    svg,
    unipen,
    unipen_collection,
)
from data_loader.sources.parsing import Fault, Parsed, memory_budget, summarise
from data_loader.sources.unipen_collection import is_collection
from data_loader.sources.untrusted_files import files_below, unpacked
from data_loader.transforms.shaping import ResampleTime
from ink.geometry import x_height
from ink.measures import levelled
from ink.sample import Sample
from utils.checks import DataError
from utils.files import open_file

FORMATS = (
    stroke_arrays, inkml, iam_ondb, svg, own_ink, unipen_collection, unipen, mnist_strokes,
)  # fmt: skip
ACCEPTED = (
    "InkML, a line of IAM-OnDB (XML), stroke arrays (.npy), MNIST stroke sequences "
    "(...-inputdata.txt or sequences.tar.gz), UNIPEN, and JSON "
    '{"text": ..., "strokes": [[[x, y], ...], ...]}; and SVG made by experiments.py write and page'
)
"""The formats, for messages."""

UNKNOWN = "no ink in a known format"
_HEAD_BYTES = 1 << 16  # beginning of a file, by which its format is detected (assumed)
# Beginnings of files of notes; each group is called like the program that made the notes.
_NOTES = re.compile(
    rb"(?P<xournalpp><xournal\b)|(?P<remarkable>\AreMarkable \.lines file)|"
    rb'(?P<excalidraw>"type"\s*:\s*"excalidraw|^excalidraw-plugin:)',
    re.MULTILINE,
)
# Names of files that have no ink, but belong to files of ink.
_NO_INK = re.compile(r"(?:train|test)(?:img-\d+-(?:targetdata|points)|labels)\.txt|sentences\.txt")

logger = logging.getLogger(__name__)


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
    parsed = Parsed(budget=memory_budget(path))
    for name, file in distributed.bar(files.items(), "reading ink", unit=" files", delay=1):
        with parsed.attempt(name):
            parsed.extend(parse(file).within(name))
    if not parsed.samples:
        raise DataError(_describe_failure(path, parsed.left_out))
    for line in summarise(parsed.left_out):
        logger.warning("%s: %s", path, line)
    for sample in parsed.samples:
        sample.ink[0, :2] = 0
    return parsed.samples


def _describe_failure(path: Path, faults: list[Fault]) -> str:
    if path.is_dir():
        parts = [f"{path}: no ink there", "; ".join(summarise(faults))]
        return f"{': '.join(filter(None, parts))}; supported formats: {ACCEPTED}"
    others = f", and {len(faults) - 1:,} more" if len(faults) > 1 else ""
    accepted = f"; supported formats: {ACCEPTED}" if faults[0].reason == UNKNOWN else ""
    return f"{path}{str(faults[0]).removeprefix(path.name)}{others}{accepted}"


def parse(path: Path) -> Parsed:
    """Return the samples of a file of any format, or of a collection.

    Raises:
        Fault: if no sample of the file can be used, or its format is unknown.
    """
    if path.is_dir():
        return unipen_collection.parse(path)
    head = read_head(path)
    if note_program(head):
        raise Fault("pages of notes, which `experiments.py notes` reads")
    module = next((module for module in FORMATS if module.sniff(head)), None)
    if module is None:
        raise Fault(UNKNOWN)
    try:
        parsed = module.parse(path)
        if not (parsed.samples or parsed.left_out):
            raise Fault("no line of ink")
        return parsed
    except Fault:
        raise
    except DataError as error:  # The error of a broken archive begins with the file's path.
        raise Fault(str(error).removeprefix(f"{path}: ")) from None


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, by which its format is detected."""
    try:
        with open_file(path) as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise Fault("a file that cannot be read", error.strerror or str(error)) from None
    if not head.strip():
        raise Fault("an empty file")
    return head


def note_program(head: bytes) -> str:
    """Return the program, as `_NOTES` names it, whose notes begin like `head`; "" if none do."""
    match = _NOTES.search(unpacked(head, _HEAD_BYTES))
    return match.lastgroup or "" if match else ""


def _may_have_ink(file: Path) -> bool:
    is_text = iam_ondb.TEXT_FILE.fullmatch(file.name) and "ascii" in str(file.parent)
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
