"""Your own ink: inherit from `OwnInk`, and yield your lines.

    class MyInk(OwnInk):
        def lines(self):
            yield "hello", [[(0, 0), (4, 12), (9, 3)], [(15, 2), (15, 9)]]

docs/data.md shows how to train on such ink. Lines may also be in a JSON file: an object for a line,
or a list of such objects. y grows downwards, and "text" and "writer" are optional:

    {"text": "hello", "strokes": [[[0, 0], [4, 12], [9, 3]], [[15, 2], [15, 9]]], "writer": "ann"}

`json_lines` reads such a file; call it in `lines`.
"""

import hashlib
import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from base import distributed
from base.data.preparation import Preparing
from base.data.samples import Samples
from data_loader.sources.parsing import (
    MAX_VALUES,
    Budget,
    Fault,
    Parsed,
    clean_text,
    decode,
    join_strokes,
    summarise,
)
from data_loader.sources.preparing import Making, code_of, fingerprint, prepared
from data_loader.sources.shards import Shards
from data_loader.sources.source import DividedDataset
from data_loader.sources.untrusted_files import MEBIBYTE, read_file
from ink.sample import Sample
from utils import strict_json
from utils.checks import ConfigFault, DataError, short
from utils.files import user_cache

MAX_JSON = 48 * MEBIBYTE  # of a file (assumed)
MAX_NUMBERS = 2 * MAX_VALUES  # of a file, or other values (assumed: two for each point)

Stroke = Sequence[tuple[float, float]]
Line = tuple[str, Sequence[Stroke], str]
"""A line's text, strokes and writer; an unknown text or writer is an empty string."""
Extras = Mapping[str, Any]
"""Numbers, or lists of numbers, by name; all lines have the same names and sizes."""


def sniff(head: bytes) -> bool:
    """Return whether a file that begins with `head` is JSON."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"["))


def parse(path: Path) -> Parsed:
    """Return the lines in a JSON file."""
    lines = parse_json(read_file(path, MAX_JSON))
    if not lines:
        raise Fault("no lines")
    parsed = Parsed()
    for number, line in enumerate(lines):
        with parsed.attempt(name := f"{number:05}" if len(lines) > 1 else ""):
            parsed.samples.append(sample_of(line).of(name))
    return parsed


def sample_of(line: object, y_grows_down: bool = True) -> Sample:
    """Return the sample of a line that `OwnInk.lines` yields.

    Raises:
        Fault: if `line` or a value in it is not valid, or has too few points or too many.
    """
    if not isinstance(line, tuple | list) or len(line) not in (2, 3, 4):
        raise Fault("not (text, strokes), with or without writer and extras", short(line))
    text, strokes = line[:2]
    writer = line[2] if len(line) > 2 else ""
    extras = line[3] if len(line) > 3 else {}
    if not isinstance(text, str) or not isinstance(writer, str):
        raise Fault("a text or a writer that is not a string", short((text, writer)))
    if isinstance(strokes, str | bytes | dict) or not isinstance(strokes, Iterable):
        raise Fault("strokes that are not a list", short(strokes))
    positions = []
    for number, stroke in enumerate(strokes):
        reason = f"stroke {number} is not a list of (x, y)"
        try:
            # Without the dtype, an array of strings might fill the memory.
            points = np.asarray(stroke, dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise Fault(reason, str(error)) from None
        if points.size and (points.ndim != 2 or points.shape[1] != 2):
            raise Fault(reason, f"shape {points.shape}")
        positions.append(points.reshape(-1, 2) * (1.0, 1.0 if y_grows_down else -1.0))
    try:
        arrays = {name: np.asarray_chkfinite(extras[name], np.float32) for name in extras}
    except (TypeError, ValueError):
        reason = "extras that are not lists of finite numbers by name"
        raise Fault(reason, short(extras)) from None
    return Sample(join_strokes(positions), clean_text(text), writer=writer, extras=arrays)


def parse_json(content: bytes) -> list[Line]:
    """Return the lines in a JSON file; the strokes are not checked.

    For a page of `ink.drawing.page.Page.to_json`, return its rows as lines.

    Raises:
        Fault: if the content is not JSON, or a line is not an object with "strokes".
    """
    values = json_values(content)
    if isinstance(values, dict) and isinstance(values.get("rows"), list):
        values = values["rows"]
    lines = []
    for number, line in enumerate(values if isinstance(values, list) else [values]):
        if not isinstance(line, dict) or "strokes" not in line:
            detail = f"line {number} (from 0): {short(line)}"
            raise Fault('a line that is not an object with "strokes"', detail)
        lines.append((line.get("text") or "", line["strokes"], line.get("writer") or ""))
    return lines


def json_values(content: bytes) -> strict_json.Json:
    """Return the value in a JSON file; raise a Fault if the file is not JSON, or too large."""
    if content.count(b"[") + content.count(b"{") > MAX_VALUES:
        raise Fault(f"more than {MAX_VALUES:,} lists and objects")
    try:
        return strict_json.loads(decode(content), len(content), MAX_NUMBERS)
    except ConfigFault as fault:
        parts = filter(None, (fault.key, fault.expected))
        raise Fault("broken JSON", ": ".join(parts)) from None


def json_lines(path: str | os.PathLike[str]) -> list[Line]:
    """Return the lines in a JSON file, for `OwnInk.lines`; `load` checks the strokes later.

    Raises:
        DataError: if the file is not valid; the message names the file and the fault.
    """
    try:
        return parse_json(read_file(Path(path), MAX_JSON))
    except Fault as fault:
        raise fault.within(str(Path(path).absolute())) from None


@dataclass(kw_only=True, eq=False)
class OwnInk(DividedDataset):
    """Lines of writing that a subclass yields as plain lists.

    They are in memory, or cached where `files` tells when they have changed. Lines are
    divided by a hash of the writer or, where the writer is unknown, of the line's name.

    A line's name is a hash of its content, so that reordered lines stay in their splits and equal
    lines are in the same split.
    """

    unit = "lines"
    measures_step = False
    y_grows_down: ClassVar[bool] = True
    """Whether y grows downwards, as on screens; a subclass whose y grows upwards sets False."""

    root: str = field(init=False)
    cache: None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.root = type(self).__name__
        super().__post_init__()

    @abstractmethod
    def lines(self) -> Iterable[tuple[str, Sequence[Stroke]] | Line | tuple[*Line, Extras]]:
        """Yield each line: its text, its strokes, and optionally its writer and then its extras.

        A stroke is a list of (x, y). Extras are further inputs of a network: lists of numbers by
        name. An unknown text or writer is an empty string. `load` calls this method once.
        """

    def files(self) -> Iterable[str | os.PathLike[str]]:
        """Return the files that `lines` reads.

        If there are any, the lines are cached, and `lines` is called again only when one
        of these files, an attribute of the dataset or its code has changed.
        """
        return ()

    def read(self, files: object = None) -> Iterator[Parsed]:
        """Yield each line that can be used, or its fault."""
        counts = Counter[str]()
        lines = distributed.bar(self.lines() or (), "reading lines", delay=1, leave=False)
        for number, line in enumerate(lines):
            parsed = Parsed(budget=Budget(float("inf"), ""))
            with parsed.attempt(f"line {number} (from 0)"):
                sample = sample_of(line, self.y_grows_down)
                name = f"line-{_digest(sample)}"
                counts[name] += 1
                name += f".{counts[name]}" if counts[name] > 1 else ""
                parsed.samples.append(sample.of(name))
            yield parsed

    def make(self) -> tuple[Samples, list[Fault]]:
        """Return all lines that can be used, and the faults of the others.

        Raises:
            DataError: if there is no line that can be used, or one of `files` is missing.
        """
        if (shards := self.prepare(Preparing())) is not None:
            samples, faults = shards.all, shards.faults
        else:
            all_lines = Parsed()
            for parsed in self.read():
                all_lines.extend(parsed)
            samples, faults = Samples.of(all_lines.samples), all_lines.left_out
        if not samples:
            listed = "; ".join(summarise(faults)) or "lines() yields nothing"
            raise DataError(f"{type(self).__name__}: {listed}")
        return samples, faults

    def prepare(self, how: Preparing) -> Shards | None:
        """Return the lines that are cached; None if there are no `files`."""
        if not (files := [Path(file).expanduser().absolute() for file in self.files()]):
            return None
        own = sorted((name, repr(value)) for name, value in vars(self).items())
        try:
            key = {"files": fingerprint(files, Path("/")), "own": own, "code": code_of(type(self))}
        except OSError as error:
            raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from None
        making = Making(type(self).__name__, key, [files], self.read, is_sorted=False)
        return prepared(making, [files[0].parent / "cache", user_cache()], how)

    def _open_root(self, *, is_examined: bool = False) -> None:
        """Return None: no `root` of a user's class is a prepared folder."""

    def _split_key(self, name: str) -> str:
        return name.partition(".")[0]  # without the number that tells equal lines apart

    def _headline(self, count: int) -> str:
        return f"{type(self).__name__}: {count:,} lines"


def _digest(sample: Sample) -> str:
    """Return a hash of a line's text, writer and ink."""
    content = repr((sample.text, sample.writer)).encode() + sample.ink.tobytes()
    return hashlib.sha256(content).hexdigest()[:12]
