"""Ink from files of any supported format, outside of a dataset.

The format is detected from the content:

| format | what it begins with | samples |
|---|---|---|
| IAM-OnDB | XML, `<WhiteboardCaptureSession>` | one; text from `ascii` beside `lineStrokes` |
| InkML | XML, `<ink>` | one, or its groups where only they have transcriptions |
| stroke arrays | numpy's mark | all lines; texts from `sentences.txt` beside it |
| MNIST stroke sequences | rows of four whole numbers, or an archive of such files | the digits |
| UNIPEN | text with keywords such as `.PEN_DOWN` | the segments, or all pieces as one |
| your own | JSON | all lines, see `own_ink` |
"""

import logging
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from xml.parsers import expat

import numpy as np

from base import distributed
from data_loader.sources import inkml, mnist_strokes, own_ink, stroke_arrays, unipen
from data_loader.sources.cache import Rejected, Sample, left_out, refusal
from data_loader.sources.files import MEBIBYTE, files_below, read_file
from data_loader.sources.iam_ondb_parsing import is_text_file, parse_line, text_beside
from data_loader.sources.parsing import Fault, decode
from data_loader.transforms.shaping import ResampleTime
from utils.checks import DataError
from utils.files import open_file
from utils.ink import x_height

ACCEPTED = (
    "InkML, a line of IAM-OnDB (XML), stroke arrays (.npy), MNIST stroke sequences "
    "(...-inputdata.txt or sequences.tar.gz), UNIPEN, and JSON "
    '{"text": ..., "strokes": [[[x, y], ...], ...]}'
)
"""The formats, for messages."""

MAX_HAND_RATIO = 2.0
"""Factor by which a hand may differ from usual in size or speed: on IAM-OnDB 98 of 100 lines have
x-heights of 0.49 to 2.1 times the median, and steps of 0.58 to 1.8 (measured)."""

MAX_POINTS = 20_000
"""Limit on the points of a sample, as in the datasets."""
VALUES = 10
"""For each point at most, over all samples of a file (assumed: x, y, and what programs add)."""
MAX_BYTES = 64 * MEBIBYTE
"""Limit on the bytes of a file, but for stroke arrays and archives, which have those of their
datasets."""
MAX_FILES = 500_000
"""Limit on the files of a folder, as in the datasets."""

_HEAD = 1 << 16  # bytes by which a format is recognised; assumed
_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")  # byte order marks
_UNIPEN = re.compile(
    rb"^[ \t]*\.(?:PEN_DOWN|SEGMENT|VERSION|INCLUDE|COORD|HIERARCHY|LEXICON|DATA_SOURCE)\b", re.M
)
_DIGIT_ROW = re.compile(rb"\s*(?:[-+]?\d{1,6}[ \t]+){3}[-+]?\d{1,6}[ \t]*\r?(?:\n|$)")
_BESIDE = re.compile(r"(?:train|test)(?:img-\d+-(?:targetdata|points)|labels)\.txt|sentences\.txt")
"""Names of files without ink that belong to others."""
_UNKNOWN = "no ink in a known format"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InkSample:
    """A piece of writing from a file.

    Attributes:
        name: the file, with its path within a folder, and after a colon the sample's own name
            where a file may contain several: "strokes.npy:line-00003".
        ink: `(points, 3)` float32, (dx, dy, end_of_stroke) in the file's own units, the first
            offset (0, 0), y growing downwards.
        text: the transcription; None if unknown.
    """

    name: str
    ink: np.ndarray
    text: str | None


def read_ink(path: str | os.PathLike[str], *, encoding: str | None = None) -> list[InkSample]:
    """Return the samples in a file, or in all files of a folder and the folders in it, by name.

    Of several files or samples, what cannot be used is left out, and a warning names it.

    Args:
        path: the file or the folder.
        encoding: of InkML files; None takes what they say.

    Returns:
        the samples, at least one, in the order of the files' names.

    Raises:
        DataError: if there is no such file, or nothing in it can be used: which file, and why.
    """
    path = Path(path).expanduser()
    try:
        if folder := path.is_dir():
            files = [file for file in files_below(path, "*", MAX_FILES) if not _is_beside(file)]
        else:
            files = [path]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    samples: list[InkSample] = []
    refused: list[Rejected] = []
    for file in distributed.bar(files, "reading ink", unit=" files", delay=1):
        name = file.relative_to(path).as_posix() if folder else file.name
        for found in _samples(file, name, encoding):
            if isinstance(found, Rejected):
                refused.append(found)
            else:
                samples.append(_finished(found))
    if not samples and not folder and refused:
        others = f", and {len(refused) - 1:,} more" if len(refused) > 1 else ""
        if refused[0].reason == _UNKNOWN:
            others = f"; what is read: {ACCEPTED}"
        named = refused[0].name.removeprefix(path.name)
        raise DataError(f"{path}{refused[0]._replace(name=named)}{others}")
    if not samples:
        why = f": {'; '.join(left_out(refused))}" if refused else ""
        raise DataError(f"{path}: no ink there{why}; what is read: {ACCEPTED}")
    for line in left_out(refused):
        logger.warning("%s: %s", path, line)
    return samples


def _is_beside(file: Path) -> bool:
    """Return whether a file belongs to the ink in another one."""
    if _BESIDE.fullmatch(file.name):
        return True
    return is_text_file(file) and any("ascii" in part for part in file.parent.parts)


def _finished(sample: Sample) -> InkSample:
    ink = np.array(sample.ink, dtype=np.float32)
    ink[0, :2] = 0
    return InkSample(sample.name, ink, sample.text or None)


def _samples(file: Path, name: str, encoding: str | None) -> Iterator[Sample | Rejected]:
    """Yield the samples of a file that is called `name`, and what cannot be used."""
    try:
        with open_file(file) as stream:
            head = stream.read(_HEAD)
        reader = _reader(file, head)
        options = {"encoding": encoding} if reader is _inkml else {}
        for found in reader(file, **options):
            own = f"{name}:{found.name}" if found.name else name
            found = found._replace(name=own)
            yield found if isinstance(found, Rejected) else refusal(found, False) or found
    except Fault as fault:
        yield fault.of(name)
    except OSError as error:
        yield Rejected(name, "a file that cannot be read", error.strerror or str(error))
    except DataError as error:  # it names the file
        yield Rejected(name, str(error).removeprefix(f"{file}: "))


_Reader = Callable[..., Iterator[Sample | Rejected]]


def _reader(file: Path, head: bytes) -> _Reader:
    """Return the reader of a file that begins with `head`.

    If the content is ambiguous the name decides, so that a broken file of a format is reported as
    one.

    Raises:
        Fault: if the format is not known.
    """
    text = unpacked = head
    for mark in _MARKS:
        text = text.removeprefix(mark)
    text = text.lstrip(b" \t\r\n\0")
    by_name = {
        ".npy": _arrays,
        ".inkml": _inkml,
        ".json": _json,
        ".gz": _archive,
        ".tgz": _archive,
        ".tar": _archive,
    }
    if head.startswith(b"\x93NUMPY"):
        return _arrays
    if head.startswith(b"\x1f\x8b"):
        with suppress(zlib.error):
            unpacked = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, 512)
    if unpacked[257:262] == b"ustar":
        return _archive
    if text.startswith(b"<"):
        return _xml(head)
    if text.startswith((b"{", b"[")):
        return _json
    if _UNIPEN.search(head):
        return _unipen
    if _DIGIT_ROW.match(text) or file.name.endswith("-inputdata.txt"):
        return _digit
    if reader := by_name.get(file.suffix.lower()):
        return reader
    if not text:
        raise Fault("an empty file")
    raise Fault(_UNKNOWN)


def _xml(head: bytes) -> _Reader:
    """Return the reader of an XML file, by its outermost element.

    Raises:
        Fault: if it has another one, or cannot have any.
    """
    found: list[str] = []
    parser = expat.ParserCreate()

    def doctype(*_: object) -> None:
        raise Fault("a document type, which no ink needs (entities are never expanded)")

    parser.StartElementHandler = lambda name, _: found.append(name.rpartition(":")[2])
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(head, False)
    except (expat.ExpatError, LookupError, ValueError) as error:
        if not found:
            raise Fault("broken XML", str(error)) from None
    if not found:
        raise Fault("broken XML", "it has no element")
    if found[0] == "ink":
        return _inkml
    if found[0] == "WhiteboardCaptureSession":
        return _line
    raise Fault(_UNKNOWN, f"XML whose outermost element is <{found[0][:40]}>")


def _content(file: Path) -> bytes:
    """Return the content of a file, see `read_file`."""
    return read_file(file, MAX_BYTES)


def _ink_content(file: Path, value: bytes, sample: bytes | None = None) -> bytes:
    """Return the content of a file, see `read_file`.

    Raises:
        Fault: if `value`, which stands at each value or point, is in it more often than samples can
            have it, before they fill the memory. Each contains `sample`; None if there is one.
    """
    content = _content(file)
    samples = max(content.count(sample), 1) if sample else 1
    if (values := content.count(value)) > VALUES * MAX_POINTS * samples:
        raise Fault(f"more than {MAX_POINTS:,} points (the limit max_points)", f"{values:,} values")
    return content


def _line(file: Path) -> Iterator[Sample]:
    """Yield the line of an XML file of IAM-OnDB."""
    ink, missing = parse_line(_ink_content(file, b"<Point"), max_points=MAX_POINTS)
    yield Sample("", ink, text_beside(file, _content), missing)


def _inkml(file: Path, encoding: str | None) -> Iterator[Sample | Rejected]:
    """Yield the samples of an InkML file."""
    content = _ink_content(file, b",", b"annotation")
    found = list(inkml.parse(content, "annotated", encoding, MAX_POINTS))
    for number, sample in enumerate(found):
        own = f"{number:04}" if len(found) > 1 else ""
        yield sample.of(own) if isinstance(sample, Fault) else Sample(own, *sample[:2])


def _arrays(file: Path) -> Iterator[Sample | Rejected]:
    """Yield the lines of stroke arrays."""
    texts = "sentences.txt" if (file.parent / "sentences.txt").is_file() else None
    dataset = stroke_arrays.StrokeArraysDataset(root=str(file), texts=texts)
    yield from dataset.read(dataset.find())


def _archive(file: Path) -> Iterator[Sample | Rejected]:
    """Yield the digits in an archive of MNIST stroke sequences."""
    dataset = mnist_strokes.MNISTStrokesDataset(root=str(file))
    found: list[Sample | Rejected] = []
    broken: DataError | None = None
    try:
        found.extend(dataset.digits([file]))
    except DataError as error:  # an earlier refusal may be the cause
        broken = error
    yield from sorted(found, key=lambda one: (one.name[:5], len(one.name), one.name))
    if broken is not None:
        raise broken


def _digit(file: Path) -> Iterator[Sample]:
    """Yield the digit in a file of its own; its class is beside it, or unknown."""
    ink, rows = mnist_strokes.parse_digit(_ink_content(file, b"\n"), MAX_POINTS)
    target, listed = None, None
    beside = file.with_name(file.name.replace("inputdata", "targetdata"))
    if beside != file and beside.is_file():
        target = mnist_strokes.parse_class(_content(beside), MAX_POINTS)
    elif match := re.fullmatch(r"(train|test)img-(\d{1,8})-inputdata\.txt", file.name):
        labels = file.with_name(f"{match[1]}labels.txt")
        if labels.is_file():
            lines = _labels(labels, labels.stat().st_mtime_ns)
            listed = lines[int(match[2])] if int(match[2]) < len(lines) else b""
            if not re.fullmatch(rb"\s*[0-9]\s*", listed):
                raise Fault(f"no digit from 0 to 9 in {labels.name}", f"line {int(match[2]) + 1}")
    digit = mnist_strokes.joint_class(None if listed is None else int(listed), target, rows)
    yield Sample("", ink, "" if digit is None else str(digit))


@lru_cache(maxsize=4)
def _labels(file: Path, changed: int) -> list[bytes]:
    """Return the lines of a label file, which stands beside many digits."""
    return _content(file).strip().split(b"\n")


def _unipen(file: Path) -> Iterator[Sample | Rejected]:
    """Yield the segments of a UNIPEN file: its lines, or else the level of the fewest.

    A file without segments is one sample.
    """
    document = unipen.parse(decode(_ink_content(file, b"\n", b".SEGMENT")))
    levels = [segment.level.upper() for segment in document.segments]
    if not document.pieces:
        raise Fault("no points")
    if not levels:
        document.segments.append(unipen.Segment("", "", None, 1, 0))
    rare = Counter(levels).most_common()
    level = "LINE" if "LINE" in levels else rare[-1][0] if rare else ""
    for number, (segment, ink, text) in enumerate(unipen.samples(document, level, MAX_POINTS)):
        own = f"{number:05}" if levels else ""
        if isinstance(ink, Fault):
            yield (unipen.located(ink, segment) if levels else ink).of(own)
        else:
            yield Sample(own, ink, text)


def _json(file: Path) -> Iterator[Sample | Rejected]:
    """Yield the lines in a JSON file, see `own_ink`."""
    lines = own_ink.parse_json(_ink_content(file, b",", b'"strokes"'))
    if not lines:
        raise Fault("no lines")
    for number, (text, strokes, _) in enumerate(lines):
        own = f"{number:05}" if len(lines) > 1 else ""
        try:
            yield Sample(own, own_ink.ink_of(strokes, MAX_POINTS), own_ink.clean_text(text))
        except Fault as fault:
            yield fault.of(own)


def matched(ink: np.ndarray, like: Sequence[np.ndarray]) -> tuple[np.ndarray, float, float]:
    """Return ink of one device as if recorded by that of `like`.

    It is scaled to their x-height, and then resampled in time so that the points within strokes
    are as far apart as theirs. Either is done only if they differ by more than a factor of
    `MAX_HAND_RATIO`: a smaller difference may be the hand's own.

    Args:
        ink: `(points, 3)`.
        like: examples of the other device, each of at least two points.

    Returns:
        the ink, its scale, and how many of its points made one.
    """
    height = float(np.median([x_height(one) for one in like]))
    scale = _beyond_hands(height / x_height(ink))
    result = np.array(ink, dtype=np.float32)
    result[:, :2] *= scale
    steps = [step for one in like if (step := mean_step(one)) > 0]
    period = 1.0
    if steps and (own := mean_step(result)) > 0:
        period = _beyond_hands(min(max(float(np.median(steps)) / own, 0.01), 100.0))
    if period != 1.0:
        missing = np.zeros(len(result), dtype=np.uint8)
        resample = ResampleTime(period=period)
        result, _ = resample(result, missing, np.random.default_rng(0))
    return result, scale, period


def _beyond_hands(ratio: float) -> float:
    return ratio if not 1 / MAX_HAND_RATIO <= ratio <= MAX_HAND_RATIO else 1.0


def mean_step(ink: np.ndarray) -> float:
    """Return the mean length of the steps within strokes, 0 without any."""
    within = ink[1:, :2][ink[:-1, 2] < 0.5]
    return float(np.hypot(within[:, 0], within[:, 1]).mean()) if len(within) else 0.0
