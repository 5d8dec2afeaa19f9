"""Lines of one dataset mixed with those of another, so that each supplies what the other lacks."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, NamedTuple, TypeVar

import numpy as np

from base import distributed
from base.base_dataset import BaseDataset
from base.base_transform import BaseTransform
from data_loader.synthetic.words import word_numbers
from utils.checks import ConfigFault, DataError, Range
from utils.ink import to_points, x_height

Item = TypeVar("Item")

MEASURED = 300
"""Lines of each dataset whose x-height is measured, spread evenly; assumed."""
NEARBY = 4.0
"""X-heights from the seam of a joined line within which the vertical position is measured."""
BLANK, CLOSE = (0.8, 1.8), (0.1, 0.5)
"""Smallest and largest gap between the parts of a joined line, in x-heights, with a blank between
them or without; assumed."""
PIECE = 3
"""Maximum number of words of a piece of a line."""
EXTREME = 4.0
"""Bound on how many times larger or smaller than typical a line's x-height is taken to be: that of
a dash or a dot cannot be measured."""


class _Part(NamedTuple):
    """A line of a dataset, or some words of one.

    Attributes:
        dataset: the line's.
        index: of the line.
        words: numbers of the words, None for the whole line.
        rows: the line's points that belong to them, None for all.
    """

    dataset: BaseDataset
    index: int
    words: range | None = None
    rows: np.ndarray | None = None

    @property
    def name(self) -> str:
        name = self.dataset.name(self.index)
        return name if self.words is None else f"{name}[{self.words.start}:{self.words.stop}]"

    @property
    def text(self) -> str:
        text = self.dataset.text(self.index)
        if self.words is None:
            return text
        return " ".join(text.split()[self.words.start : self.words.stop])

    @property
    def ink(self) -> np.ndarray:
        """Its points `(points, 3)`; of a piece, the first one has no offset."""
        ink = self.dataset.ink(self.index)
        if self.rows is None:
            return ink
        points = to_points(ink)[self.rows]
        piece = ink[self.rows]
        piece[:, :2] = np.diff(points, axis=0, prepend=points[:1])
        if self.rows[-1] < len(ink) - 1:
            piece[-1, 2] = 1
        return piece

    @property
    def missing(self) -> np.ndarray:
        missing = self.dataset.missing(self.index)
        return missing if self.rows is None else missing[self.rows]

    @property
    def ends(self) -> bool:
        """Whether a sequence ends with it."""
        text = self.dataset.text(self.index)
        if self.words is not None and self.words.stop < len(text.split()):
            return True  # the pen is lifted after a word
        return self.dataset.ends(self.index)


class _Origin(NamedTuple):
    """The parts of a line that is not one of `dataset`.

    Attributes:
        parts: from left to right.
        close: whether they stand without a blank between them.
    """

    parts: tuple[_Part, ...]
    close: bool = False


class MixedDataset(BaseDataset):
    """A dataset whose training split is joined by the training lines of another.

    Validation, test, units and preprocessing are those of `dataset`. The lines of `added` are
    scaled so that both have the same typical x-height, and rounded to the quantisation grid of
    `dataset` if it has one. Characters that are rare in a recorded set (such as `@`) can so be
    learned from synthetic lines; in joined lines also next to recorded hands.

    Args:
        dataset: the main dataset.
        added: supplies its training lines.
        alone: whether these are training lines of their own. If not, they occur in joined lines.
        joined: further training lines, each made of one of `dataset` and one of `added`, after or
            before it, with a word gap between them. If both are sentences, a network learns to
            change its hand within a line; short pieces avoid that.
        tight: share of the joined lines whose parts are as close as letters of a word, without a
            blank in the text, unless a digit would then stand next to a letter.
        short: share of the joined lines in which one to three words replace the line of `dataset`,
            if it can be cut.
        pieces: further training lines, each one to three words of a line of `dataset`, since short
            texts are often asked for and most sets have only full lines. `short` and `pieces` cut
            lines whose words are clearly separated (`word_numbers`).
        seed: of the choice of parts.

    Raises:
        ConfigFault: if `added` is a mixed dataset itself, whose lines have no common height, or
            is not used.
    """

    def __init__(
        self,
        *,
        dataset: BaseDataset,
        added: BaseDataset,
        alone: bool = True,
        joined: Annotated[int, Range(0, 1_000_000)] = 0,
        tight: Annotated[float, Range(0, 1)] = 0.0,
        short: Annotated[float, Range(0, 1)] = 0.0,
        pieces: Annotated[int, Range(0, 1_000_000)] = 0,
        seed: Annotated[int, Range(0, 2**32 - 1)] = 0,
    ) -> None:
        if isinstance(added, MixedDataset):
            raise ConfigFault("added", type(added).__name__, "a dataset that is not mixed itself")
        if not alone and not joined:
            raise ConfigFault("joined", joined, "at least 1 where `alone` is false")
        self.dataset, self.added, self.alone = dataset, added, alone
        self.joined, self.tight, self.short = joined, tight, short
        self.pieces, self.seed = pieces, seed
        self._inks: list[np.ndarray] = []

    @property
    def characters(self) -> str | None:
        """Those of both datasets, if both know them."""
        known = self.dataset.characters, self.added.characters
        return None if None in known else "".join(dict.fromkeys("".join(known)))

    def preprocessing(self) -> list[BaseTransform]:
        return self.dataset.preprocessing()

    def prepare(self) -> None:
        """Prepare both datasets; scale and join lines. Does nothing the second time.

        Raises:
            DataError: if one of them has no training lines, or from preparing them.
        """
        if self._inks:
            return
        main, added = self.dataset, self.added
        for part in (main, added):
            part.prepare()
            if not len(part.indices("train")):
                raise DataError(f"{type(part).__name__}: the split 'train' is empty")
        self.canonical, self.quantisation_step = main.canonical, main.quantisation_step
        typical = _typical_height(main)
        self._factor = typical / _typical_height(added)
        lent = added.indices("train")
        self._origins = [_Origin((_Part(added, index),)) for index in lent.tolist() if self.alone]
        inks = [self._scaled(origin.parts[0], self._factor) for origin in self._origins]
        generator = np.random.default_rng(self.seed)
        pairs = zip(
            generator.choice(main.indices("train"), self.joined).tolist(),
            generator.choice(lent, self.joined).tolist(),
            strict=True,
        )
        for first, second in _with_bar(pairs, "joining lines", self.joined):
            line, lent_line = _Part(main, first), _Part(added, second)
            height = float(np.clip(x_height(line.ink), typical / EXTREME, EXTREME * typical))
            before = bool(generator.random() < 0.5)
            gap = generator.uniform(*BLANK)
            close = bool(self.tight and generator.random() < self.tight)
            if self.short and generator.random() < self.short:
                line = _piece(line, generator) or line
            pair = [line.ink, self._scaled(lent_line, self._factor * height / typical)]
            parts = [line, lent_line]
            if before:
                pair.reverse()
                parts.reverse()
            close = close and not _digit_meets_letter(*(part.text for part in parts))
            if close:
                gap = generator.uniform(*CLOSE)
            inks.append(self._rounded(join(*pair, height, height * gap)))
            self._origins.append(_Origin(tuple(parts), close))
        pieces = islice(_pieces(main, generator), self.pieces)
        for piece in _with_bar(pieces, "cutting lines", self.pieces):
            inks.append(self._rounded(piece.ink))
            self._origins.append(_Origin((piece,)))
        self._size = len(main)
        self._ends = [origin.parts[-1].ends for origin in self._origins]
        self.lengths = np.concatenate(
            [main.lengths, np.array([len(ink) for ink in inks], dtype=np.int64)]
        )
        self._inks = inks

    def _scaled(self, lent: _Part, factor: float) -> np.ndarray:
        """Return the ink of a line of `added`, with offsets in units of `dataset`."""
        ink = lent.ink.copy()
        ink[:, :2] *= np.float32(factor)
        return self._rounded(ink)

    def _rounded(self, ink: np.ndarray) -> np.ndarray:
        """Return ink whose points lie on the quantisation grid of `dataset`, if it has one."""
        if self.quantisation_step is not None:
            at = np.rint(to_points(ink) / self.quantisation_step)
            ink[:, :2] = np.diff(at, axis=0, prepend=at[:1]) * self.quantisation_step
        return ink

    def split_indices(self) -> dict[str, np.ndarray]:
        splits = dict(self.dataset.split_indices())
        more = np.arange(self._size, len(self), dtype=np.int64)
        splits["train"] = np.concatenate([splits["train"], more])
        return splits

    def ink(self, index: int) -> np.ndarray:
        if index < self._size:
            return self.dataset.ink(index)
        return self._inks[index - self._size].copy()

    def missing(self, index: int) -> np.ndarray:
        if index < self._size:
            return self.dataset.missing(index)
        parts = [part.missing.copy() for part in self._origin(index).parts]
        for part in parts:
            part[0] = 0  # the pen was lifted before it
        return np.concatenate(parts)

    def ends(self, index: int) -> bool:
        """Return whether the part that stands last ends a sequence."""
        if index < self._size:
            return self.dataset.ends(index)
        return self._ends[index - self._size]

    def writer(self, index: int) -> str:
        """Return who wrote one sample of `dataset`; others may be by two writers."""
        return self.dataset.writer(index) if index < self._size else ""

    def group(self, index: int) -> str:
        return self.dataset.group(index) if index < self._size else ""

    def _origin(self, index: int) -> _Origin:
        return self._origins[index - self._size]

    def text(self, index: int) -> str:
        """Return the text of one sample, empty for a joined line if that of a part is unknown."""
        if index < self._size:
            return self.dataset.text(index)
        origin = self._origin(index)
        texts = [part.text for part in origin.parts]
        return ("" if origin.close else " ").join(texts) if all(texts) else ""

    def name(self, index: int) -> str:
        """Return the name of one sample, such as "added/train-000017"."""
        if index < self._size:
            return self.dataset.name(index)
        parts = self._origin(index).parts
        lent = "+".join(f"added/{part.name}" for part in parts if part.dataset is self.added)
        own = "+".join(part.name for part in parts if part.dataset is not self.added)
        if not own:
            return lent
        number = index - self._size
        return f"joined-{number}/{own}+{lent}" if lent else f"piece-{number}/{own}"

    def report(self) -> str:
        count = len(self._inks) - self.joined - self.pieces
        joined = (origin.parts for origin in self._origins if len(origin.parts) > 1)
        cut = sum(any(part.words is not None for part in parts) for parts in joined)
        points = int(self.lengths[self._size :].sum())
        return (
            f"{self.dataset.report()}\n"
            f"joins the training: {count:,} lines of {type(self.added).__name__}, letters scaled "
            f"by {self._factor:.4g}, {self.joined:,} lines made of both, {cut:,} of them with a "
            f"piece, and {self.pieces:,} pieces; {points:,} points"
        )


def join(left: np.ndarray, right: np.ndarray, height: float, gap: float) -> np.ndarray:
    """Return one line `(points, 3)` float32 of two, side by side at the same height.

    The vertical positions are matched at the seam: by the medians of the points within `NEARBY`
    x-heights of it.

    Args:
        left, right: `(points, 3)`, the same units.
        height: the x-height, in these units.
        gap: between the right edge of the one and the left edge of the other.
    """
    first, second = to_points(left), to_points(right)
    edge, start = first[:, 0].max(), second[:, 0].min()
    level = np.median(first[first[:, 0] >= edge - NEARBY * height, 1])
    second_level = np.median(second[second[:, 0] <= start + NEARBY * height, 1])
    joined = np.concatenate([left, right]).astype(np.float32)
    joined[len(left) - 1, 2] = 1
    shift = second[0] + (edge + gap - start, level - second_level)
    joined[len(left), :2] = shift - first[-1]
    return joined


def _digit_meets_letter(left: str, right: str) -> bool:
    """Return whether a digit and a letter would be side by side.

    From such words a recogniser learns that `0slo` is as likely as `Oslo`.
    """
    seam = left[-1:] + right[:1]
    return any(map(str.isdigit, seam)) and any(map(str.isalpha, seam))


def _piece(line: _Part, generator: np.random.Generator) -> _Part | None:
    """Return one to `PIECE` words of a line at random, not all; None if they are too close.

    At least two letters or digits: the vertical position of a lone comma is unknown.
    """
    words = line.text.split()
    pieces = [
        range(start, start + count)
        for count in range(1, min(PIECE, len(words) - 1) + 1)
        for start in range(len(words) - count + 1)
        if sum(map(str.isalnum, "".join(words[start : start + count]))) >= 2
    ]
    if not pieces or (numbers := word_numbers(line.ink, line.text)) is None:
        return None
    chosen = pieces[generator.integers(len(pieces))]
    return line._replace(words=chosen, rows=np.flatnonzero(np.isin(numbers, chosen)))


def _pieces(dataset: BaseDataset, generator: np.random.Generator) -> Iterator[_Part]:
    """Yield pieces of training lines at random, one of each line before any second one.

    Raises:
        DataError: if no line has clearly separated words.
    """
    found = True
    while found:
        found = False
        for index in generator.permutation(dataset.indices("train")).tolist():
            if piece := _piece(_Part(dataset, index), generator):
                found = True
                yield piece
    raise DataError(f"{type(dataset).__name__}: no line has clearly separated words, for `pieces`")


def _with_bar(items: Iterable[Item], what: str, count: int) -> Iterable[Item]:
    """Return items with a progress bar that appears after a second."""
    return distributed.bar(items, what, total=count, unit="line", leave=False, delay=1)


def _typical_height(dataset: BaseDataset) -> float:
    """Return the median x-height over training lines of a dataset."""
    if dataset.x_height is not None:
        return dataset.x_height
    indices = dataset.indices("train")
    chosen = indices[np.linspace(0, len(indices) - 1, min(len(indices), MEASURED)).astype(int)]
    return float(np.median([x_height(dataset.ink(int(i))) for i in chosen]))
