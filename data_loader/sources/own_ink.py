"""Your own ink: inherit from `OwnInk`, and yield your lines.

    class MyInk(OwnInk):
        def lines(self):
            yield "hello", [[(0, 0), (4, 12), (9, 3)], [(15, 2), (15, 9)]]

docs/data.md shows how to train on such ink. Lines may also be in a JSON file: an object for a line,
a list of such objects, or one on each line of the file. y grows downwards, and "text" and "writer"
are optional:

    {"text": "hello", "strokes": [[[0, 0], [4, 12], [9, 3]], [[15, 2], [15, 9]]], "writer": "ann"}

`ink.formats.json_strokes.json_lines` reads such a file; call it in `lines`.
"""

import hashlib
import logging
import os
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, final

from base import distributed
from base.base_dataset import Preparing
from base.data.samples import Columns
from data_loader.sources.cache import CacheKey, columns_of, fingerprint, version_of
from data_loader.sources.source import DividedDataset
from ink.formats.json_strokes import Extras, Line, Stroke, sample_of
from ink.sample import Parsed, Sample, summarise
from utils.checks import DataError
from utils.files import user_cache

log = logging.getLogger(__name__)

REPORT_SECONDS = 30.0
"""Time of reading after which the number of lines is logged, and again after twice as long each
time (assumed: most data are read in less)."""


@dataclass(kw_only=True, eq=False)
class OwnInk(DividedDataset):
    """Lines of writing that a subclass yields as plain lists.

    Lines are in memory; if `files` names the files that they come from, they are cached. Lines are
    divided by a hash of the writer or, if the writer is unknown, of the line's name.

    A line's name is a hash of its content, so that reordered lines stay in their splits and equal
    lines are in the same split.
    """

    unit = "lines"
    measures_step = False
    may_be_prepared = False
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

        If there are any, the lines are cached, and `lines` is called again only when a file, an
        attribute of the dataset or its code has changed.
        """
        return ()

    @final
    def read(self, files: object = None) -> Iterator[Parsed]:
        """Yield each line that can be used, or its fault."""
        counts = Counter[str]()
        for number, line in enumerate(self._reported()):
            parsed = Parsed()
            with parsed.attempt(f"line {number} (from 0)"):
                sample = sample_of(line, self.y_grows_down)
                name = f"line-{_digest(sample)}"
                counts[name] += 1
                if counts[name] > 1:  # an equal line
                    name += f".{counts[name]}"
                parsed.samples.append(sample.renamed(name))
            yield parsed

    def _reported(self) -> Iterator[object]:
        """Yield the result of `lines`, which may have no end; report how many lines there are."""
        started = time.monotonic()
        due = REPORT_SECONDS
        yielded = self.lines() or ()  # None from a method that yields nothing
        lines = distributed.bar(yielded, "reading", unit=" lines", delay=1, leave=False)
        for count, line in enumerate(lines, 1):
            yield line
            if time.monotonic() - started >= due:
                due *= 2
                said = "%s: %s lines are read so far; lines() has to end, as all are read at first"
                log.info(said, type(self).__name__, f"{count:,}")

    @final
    def prepare(self, preparing: Preparing) -> None:
        if [*self.files()]:  # Otherwise nothing of the lines stays.
            self.make(preparing)

    @final
    def make(self, preparing: Preparing = Preparing()) -> Columns:
        """Return the columns of all lines that can be used, with the faults of the others.

        Raises:
            DataError: if there is no line that can be used, or one of `files` is missing.
        """
        lines = columns_of(self._key(), [self.read()], iter, preparing)
        if preparing.parts == 1 and not lines.all:
            listed = "; ".join(summarise(lines.faults)) or "lines() yields nothing"
            raise DataError(f"{type(self).__name__}: {listed}")
        return lines

    def _key(self) -> CacheKey:
        """Return the key of the lines, which are in memory if there are no `files`."""
        kind = type(self).__name__
        files = [Path(file).expanduser().absolute() for file in self.files()]
        if not files:
            return CacheKey(kind, {}, ())
        attributes = sorted((name, repr(value)) for name, value in vars(self).items())
        try:
            digest = fingerprint(files, Path("/"))
            values = {"files": digest, "own": attributes, "made by": version_of(type(self))}
        except OSError as error:
            raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from None
        return CacheKey(kind, values, [files[0].parent / "cache", user_cache()])

    def _split_key(self, name: str) -> str:
        return name.partition(".")[0]  # without the number that distinguishes equal lines

    def _headline(self, count: int) -> str:
        return f"{type(self).__name__}: {count:,} lines"


def _digest(sample: Sample) -> str:
    """Return a hash of a line's text, writer and ink."""
    content = repr((sample.text, sample.writer)).encode() + sample.ink.tobytes()
    return hashlib.sha256(content).hexdigest()[:12]
