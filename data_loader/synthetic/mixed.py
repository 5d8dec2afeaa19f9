"""Lines of one dataset mixed with those of another, so that each supplies what the other lacks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Annotated

import numpy as np

from base import distributed
from base.base_dataset import BaseDataset
from data_loader.lines import ExtendedDataset, Sample
from data_loader.synthetic.words import word_numbers
from utils.checks import ConfigFault, DataError, Range
from utils.ink import to_points, x_height

_bar = partial(distributed.bar, unit="line", leave=False, delay=1)

NEARBY = 4.0
"""X-heights from the seam of a joined line within which the vertical position is measured."""
BLANK, CLOSE = (0.8, 1.8), (0.1, 0.5)
"""Bounds on the gap between the parts of a joined line, in x-heights, with a blank between them or
without; assumed."""


@dataclass(kw_only=True, eq=False)
class MixedDataset(ExtendedDataset):
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
        ConfigFault: if `added` is not used.
    """

    added: BaseDataset
    alone: bool = True
    joined: Annotated[int, Range(0, 100_000)] = 0
    tight: Annotated[float, Range(0, 1)] = 0.0
    short: Annotated[float, Range(0, 1)] = 0.0
    pieces: Annotated[int, Range(0, 100_000)] = 0
    seed: Annotated[int, Range(0, 2**32 - 1)] = 0

    def __post_init__(self) -> None:
        if not self.alone and not self.joined:
            raise ConfigFault("joined", self.joined, "at least 1 where `alone` is false")

    @property
    def characters(self) -> str | None:
        """Those of both datasets, if both know them."""
        known = self.dataset.characters, self.added.characters
        return None if None in known else "".join(dict.fromkeys("".join(known)))

    def make(self) -> Iterator[Sample]:
        """Yield the lines: scaled, joined, and cut.

        Raises:
            DataError: if a dataset has no training lines, or from preparing `added`.
        """
        main, added = self.dataset, self.added
        added.prepare()
        for part in (main, added):
            if not len(part.indices("train")):
                raise DataError(f"{type(part).__name__}: the split 'train' is empty")
        typical = _typical_height(main)
        factor = typical / _typical_height(added)
        others = added.indices("train")
        alone = others.tolist() if self.alone else []
        for index in alone:
            yield self._scaled(index, factor)
        generator, cut = np.random.default_rng(self.seed), 0
        firsts = generator.choice(main.indices("train"), self.joined).tolist()
        seconds = generator.choice(others, self.joined).tolist()
        for number in _bar(range(self.joined), "joining lines"):
            line = _whole(main, firsts[number])
            # That of a dash or a dot cannot be measured.
            height = float(np.clip(x_height(line.ink), typical / 4, typical * 4))
            before = bool(generator.random() < 0.5)
            gap = generator.uniform(*BLANK)
            close = bool(self.tight and generator.random() < self.tight)
            if self.short and generator.random() < self.short:
                piece = _piece(line, generator)
                line, cut = piece or line, cut + (piece is not None)
            other = self._scaled(seconds[number], factor * height / typical)
            parts = (other, line) if before else (line, other)
            texts = [part.text for part in parts]
            # A digit beside a letter: a recogniser would learn that `0slo` is as likely as `Oslo`.
            seam = texts[0][-1:] + texts[1][:1]
            if any(map(str.isdigit, seam)) and any(map(str.isalpha, seam)):
                close = False
            if close:
                gap = generator.uniform(*CLOSE)
            yield Sample(
                self._rounded(join(*(part.ink for part in parts), height, height * gap)),
                ("" if close else " ").join(texts) if all(texts) else "",
                f"joined-{len(alone) + number}/{line.name}+{other.name}",
                ends=parts[-1].ends,
                missing=np.concatenate([part.missing for part in parts]),
            )
        pieces = islice(_pieces(main, generator), self.pieces)
        start = len(alone) + self.joined
        for number, piece in enumerate(_bar(pieces, "cutting lines", total=self.pieces), start):
            ink = self._rounded(piece.ink)
            yield replace(piece, ink=ink, name=f"piece-{number}/{piece.name}")
        self.summary = (
            f"{len(alone):,} lines of {type(added).__name__}, letters scaled by {factor:.4g}, "
            f"{self.joined:,} lines made of both, {cut:,} of them with a piece, and "
            f"{self.pieces:,} pieces"
        )

    def _scaled(self, index: int, factor: float) -> Sample:
        """Return a line of `added`, with offsets in units of `dataset`."""
        line = _whole(self.added, index)
        ink = line.ink.copy()
        ink[:, :2] *= np.float32(factor)
        return replace(line, ink=self._rounded(ink), name=f"added/{line.name}")

    def _rounded(self, ink: np.ndarray) -> np.ndarray:
        """Return ink whose points lie on the quantisation grid of `dataset`, if it has one."""
        if self.quantisation_step is not None:
            at = np.rint(to_points(ink) / self.quantisation_step)
            ink[:, :2] = np.diff(at, axis=0, prepend=at[:1]) * self.quantisation_step
        return ink


def _whole(dataset: BaseDataset, index: int) -> Sample:
    """Return a line of a dataset, whose writer is not told."""
    missing = dataset.missing(index).copy()
    missing[0] = 0  # the pen was lifted before it
    text, name = dataset.text(index), dataset.name(index)
    ends = dataset.ends(index)
    return Sample(dataset.ink(index), text, name, ends=ends, missing=missing)


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


def _piece(line: Sample, generator: np.random.Generator) -> Sample | None:
    """Return one to three words of a line at random, not all; None if they are too close.

    At least two letters or digits: the vertical position of a lone comma is unknown. The first
    point has no offset, and the pen is lifted after the last.
    """
    words = line.text.split()
    pieces = [
        range(start, start + count)
        for count in range(1, min(3, len(words) - 1) + 1)
        for start in range(len(words) - count + 1)
        if sum(map(str.isalnum, "".join(words[start : start + count]))) >= 2
    ]
    if not pieces or (numbers := word_numbers(line.ink, line.text)) is None:
        return None
    chosen = pieces[generator.integers(len(pieces))]
    rows = np.flatnonzero(np.isin(numbers, chosen))
    points = to_points(line.ink)[rows]
    ink, missing = line.ink[rows], line.missing[rows]
    ink[:, :2] = np.diff(points, axis=0, prepend=points[:1])
    missing[0] = 0
    if rows[-1] < len(line.ink) - 1:
        ink[-1, 2] = 1
    return Sample(
        ink,
        " ".join(words[chosen.start : chosen.stop]),
        f"{line.name}[{chosen.start}:{chosen.stop}]",
        ends=line.ends or chosen.stop < len(words),
        missing=missing,
    )


def _pieces(dataset: BaseDataset, generator: np.random.Generator) -> Iterator[Sample]:
    """Yield pieces of training lines at random, one of each line before any second one.

    Raises:
        DataError: if no line has clearly separated words.
    """
    found = True
    while found:
        found = False
        for index in generator.permutation(dataset.indices("train")).tolist():
            if piece := _piece(_whole(dataset, index), generator):
                found = True
                yield piece
    raise DataError(f"{type(dataset).__name__}: no line has clearly separated words, for `pieces`")


def _typical_height(dataset: BaseDataset) -> float:
    """Return the median x-height over 300 training lines of a dataset, spread evenly (assumed)."""
    if dataset.x_height is not None:
        return dataset.x_height
    indices = dataset.indices("train")
    count = min(len(indices), 300)
    chosen = indices[np.linspace(0, len(indices) - 1, count).astype(int)].tolist()
    return float(np.median([x_height(dataset.ink(index)) for index in chosen]))
