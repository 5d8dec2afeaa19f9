"""Your own ink: inherit from `OwnInk`, and say where your lines are.

    class MyInk(OwnInk):
        def lines(self):
            yield "hello", [[(0, 0), (4, 12), (9, 3)], [(15, 2), (15, 9)]]

docs/data.md shows the few lines that train on it.
"""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

import numpy as np
from tqdm import tqdm

from base.base_dataset import BaseDataset
from data_loader.source import (
    FRACTIONS,
    Fault,
    check_fractions,
    check_points,
    clean_text,
    divide,
)
from utils.checks import DataError, Range
from utils.ink import from_strokes

Stroke = Sequence[tuple[float, float]]


class OwnInk(BaseDataset):
    """Lines of writing that a subclass yields as plain lists; kept in memory.

    Args:
        fractions: how much of the lines each of `train`, `valid`, `test` gets, together 1: by a
            hash of the writer, or of the line's number where the writer is unknown.
        split_seed: another one divides otherwise.
        max_points: limit on the points of a line; more are an error.
    """

    y_grows_down: ClassVar[bool] = True
    """Whether y grows downwards, as on screens; a subclass whose y grows upwards says False."""

    def __init__(
        self,
        *,
        fractions: dict[str, Annotated[float, Range(0, 1)]] = FRACTIONS,
        split_seed: Annotated[int, Range(0, 2**32 - 1)] = 0,
        max_points: Annotated[int, Range(2, 10_000_000)] = 20_000,
    ) -> None:
        check_fractions(fractions)
        self.fractions, self.split_seed, self.max_points = fractions, split_seed, max_points
        self._inks: list[np.ndarray] = []

    @abstractmethod
    def lines(self) -> Iterable[tuple[str, Sequence[Stroke]] | tuple[str, Sequence[Stroke], str]]:
        """Yield the text of each line and its strokes, lists of (x, y); as a third who wrote it.

        The text is empty where nobody knows it. It is called once, by `prepare`.
        """

    def prepare(self) -> None:
        """Take all lines. Does nothing the second time.

        Raises:
            DataError: if there is none, or a line is not what `lines` promises, by its number.
        """
        if self._inks:
            return
        inks, texts, writers = [], [], []
        for number, line in enumerate(tqdm(self.lines(), "reading lines", delay=1, leave=False)):
            try:
                ink, text, writer = self._checked(line)
            except Fault as fault:
                raise DataError(
                    f"{type(self).__name__}: {fault.of(f'line {number} (from 0)')}"
                ) from None
            inks.append(ink)
            texts.append(text)
            writers.append(writer)
        if not inks:
            raise DataError(f"{type(self).__name__}: lines() yields nothing")
        self._inks, self._texts, self._writers = inks, texts, writers
        self.lengths = np.array([len(ink) for ink in inks], dtype=np.int64)
        names = [self.name(n) for n in range(len(inks))]
        self._indices, self._notes = divide(
            names, writers, [""] * len(inks), self.fractions, self.split_seed
        )
        for split, found in self._indices.items():
            if not len(found):
                raise DataError(
                    f"{type(self).__name__}: {len(inks)} lines are too few: none for {split!r}"
                )

    def _checked(self, line: object) -> tuple[np.ndarray, str, str]:
        """Return ink, text and writer of what `lines` yields.

        Raises:
            Fault: if it is something else.
        """
        if not isinstance(line, tuple | list) or len(line) not in (2, 3):
            raise Fault("not (text, strokes) or (text, strokes, writer)", repr(line)[:60])
        text, strokes, writer = (*line, "")[:3]
        if not isinstance(text, str) or not isinstance(writer, str):
            raise Fault("a text or a writer that is no string", repr(line)[:60])
        positions = []
        for number, stroke in enumerate(strokes):
            try:
                points = np.asarray(stroke, dtype=np.float64)
            except (TypeError, ValueError) as error:
                raise Fault(f"stroke {number} is no list of (x, y)", str(error)) from None
            if points.size and (points.ndim != 2 or points.shape[1] != 2):
                raise Fault(f"stroke {number} is no list of (x, y)", f"shape {points.shape}")
            if not np.isfinite(points).all():
                raise Fault("a non-number among the points", f"stroke {number}")
            positions.append(points.reshape(-1, 2) * (1, 1 if self.y_grows_down else -1))
        check_points(sum(map(len, positions)), self.max_points)
        return from_strokes(positions), clean_text(text), writer

    def split_indices(self) -> dict[str, np.ndarray]:
        return self._indices

    def ink(self, index: int) -> np.ndarray:
        return self._inks[index].copy()

    def text(self, index: int) -> str:
        return self._texts[index]

    def name(self, index: int) -> str:
        return f"line-{index:06}"

    def writer(self, index: int) -> str:
        """Return who wrote a line, or an empty string."""
        return self._writers[index]

    def report(self) -> str:
        lines = [f"{type(self).__name__}: {len(self):,} lines"]
        for split, indices in self._indices.items():
            lines.append(
                f"{split:<6}{len(indices):>8,} lines{self.lengths[indices].sum():>12,} readings"
            )
        return "\n  ".join([*lines, *self._notes])
