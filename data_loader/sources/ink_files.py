"""Ink from files of any supported format, outside of a dataset; the content tells the format."""

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
from data_loader.sources.parsing import Fault, Parsed, Sample, left_out, memory
from data_loader.sources.unipen_collection import is_collection
from data_loader.sources.untrusted_files import files_below, unpacked
from data_loader.transforms.shaping import ResampleTime
from utils.checks import DataError
from utils.files import open_file
from utils.ink import x_height

FORMATS = (
    stroke_arrays, inkml, iam_ondb, svg, own_ink, unipen_collection, unipen, mnist_strokes,
)  # fmt: skip
ACCEPTED = (
    "InkML, a line of IAM-OnDB (XML), stroke arrays (.npy), MNIST stroke sequences "
    "(...-inputdata.txt or sequences.tar.gz), UNIPEN, and JSON "
    '{"text": ..., "strokes": [[[x, y], ...], ...]}; and SVG that write and page drew'
)
"""The formats, for messages."""

MAX_HAND_RATIO = 2.0
"""Factor by which a hand may differ from usual in size or speed: on IAM-OnDB 98 of 100 lines have
x-heights of 0.49 to 2.1 times the median, and steps of 0.58 to 1.8 (measured)."""

UNKNOWN = "no ink in a known format"
_HEAD = 1 << 16  # bytes by which a format is recognised; assumed
_NOTES = re.compile(
    rb"(?P<xournalpp><xournal\b)|(?P<remarkable>\AreMarkable \.lines file)|"
    rb'(?P<excalidraw>"type"\s*:\s*"excalidraw|^excalidraw-plugin:)',
    re.MULTILINE,
)
_BESIDE = re.compile(r"(?:train|test)(?:img-\d+-(?:targetdata|points)|labels)\.txt|sentences\.txt")
"""Names of files without ink that belong to files of ink."""

logger = logging.getLogger(__name__)


def read_ink(path: str | os.PathLike[str]) -> list[Sample]:
    """Return the samples in a file, or in all files of a folder and of the folders in it.

    Files and samples that cannot be used are left out, and a warning names them.

    Args:
        path: the file or the folder.

    Returns:
        at least one sample, in the order of the files' names. A sample is named by its file (in a
        folder: the path below the folder) and, where a file may contain several samples, by its
        name in the file: "strokes.npy:line-00003". Ink is in the file's units, y growing downwards,
        and its first offset is (0, 0); an unknown text is empty.

    Raises:
        DataError: if there is no such file, or no sample can be used; the message says why.
    """
    path = Path(path).expanduser()
    files = {path.name: path}
    try:
        if path.is_dir() and not is_collection(path):
            every_file = files_below(path, re.compile(".*"))
            inks = (file for file in every_file if not _is_beside(file))
            files = {file.relative_to(path).as_posix(): file for file in inks}
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from None
    parsed = Parsed(budget=memory(path))
    for name, file in distributed.bar(files.items(), "reading ink", unit=" files", delay=1):
        with parsed.attempt(name):
            parsed.extend(parse(file).within(name))
    if not parsed.samples:
        raise DataError(_why_nothing(path, parsed.left_out))
    for line in left_out(parsed.left_out):
        logger.warning("%s: %s", path, line)
    for sample in parsed.samples:
        sample.ink[0, :2] = 0
    return parsed.samples


def _why_nothing(path: Path, faults: list[Fault]) -> str:
    if path.is_dir():
        parts = [f"{path}: no ink there", "; ".join(left_out(faults))]
        return f"{': '.join(filter(None, parts))}; what is read: {ACCEPTED}"
    others = f", and {len(faults) - 1:,} more" if len(faults) > 1 else ""
    accepted = f"; what is read: {ACCEPTED}" if faults[0].reason == UNKNOWN else ""
    return f"{path}{str(faults[0]).removeprefix(path.name)}{others}{accepted}"


def parse(path: Path) -> Parsed:
    """Return the samples of a file of any format, or of a collection.

    Raises:
        Fault: if nothing in the file can be used, or its format is not known.
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
        return module.parse(path)
    except Fault:
        raise
    except DataError as error:  # from a broken archive; it names the file
        raise Fault(str(error).removeprefix(f"{path}: ")) from None


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, which tell its format."""
    try:
        with open_file(path) as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        raise Fault("a file that cannot be read", error.strerror or str(error)) from None
    if not head.strip():
        raise Fault("an empty file")
    return head


def note_program(head: bytes) -> str:
    """Return the program, named in `_NOTES`, of the notes that begin with `head`; "" if none."""
    match = _NOTES.search(unpacked(head, _HEAD))
    return match.lastgroup or "" if match else ""


def _is_beside(file: Path) -> bool:
    """Return whether a file has no ink itself, but belongs to the ink of another file."""
    is_text = iam_ondb.TEXT_FILE.fullmatch(file.name) and "ascii" in str(file.parent)
    return bool(is_text or _BESIDE.fullmatch(file.name))


def matched(ink: np.ndarray, examples: Sequence[np.ndarray]) -> tuple[np.ndarray, float, float]:
    """Return ink of one device as if the device of `examples` had recorded it.

    The ink is scaled to the examples' x-height, and then resampled in time so that its steps within
    strokes are as long as the examples'. Each change is made only if they differ by more than the
    factor `MAX_HAND_RATIO`: a smaller difference may come from the hand.

    Args:
        ink: `(points, 3)`.
        examples: ink of the other device, each of at least two points.

    Returns:
        the ink, the factor by which it was scaled, and the recorded periods between new points.
    """
    height = float(np.median([x_height(example) for example in examples]))
    scale = _beyond_hands(height / x_height(ink))
    result = np.array(ink, dtype=np.float32)
    result[:, :2] *= scale
    steps = [step for example in examples if (step := mean_step(example)) > 0]
    period = 1.0
    if steps and (step := mean_step(result)) > 0:
        period = _beyond_hands(min(max(float(np.median(steps)) / step, 0.01), 100.0))
    if period != 1.0:
        missing = np.zeros(len(result), dtype=np.uint8)
        resample = ResampleTime(period=period)
        result, _ = resample(result, missing, np.random.default_rng(0))
    return result, scale, period


def _beyond_hands(ratio: float) -> float:
    return ratio if not 1 / MAX_HAND_RATIO <= ratio <= MAX_HAND_RATIO else 1.0


def mean_step(ink: np.ndarray) -> float:
    """Return the mean length of the steps within strokes, or 0 if there is no such step."""
    within = ink[1:, :2][ink[:-1, 2] < 0.5]
    return float(np.hypot(within[:, 0], within[:, 1]).mean()) if len(within) else 0.0
