"""A mixture of two datasets' lines, in which each dataset supplies what the other lacks."""

import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

import numpy as np

from base import distributed
from base.base_dataset import SPLITS, BaseDataset, Loaded, Sample
from data_loader.synthetic.extended import ExtendedDataset, joined, united_characters
from utils.checks import ConfigFault, DataError, Fraction, Range, Seed
from utils.ink import strokes, to_points, x_height

_bar = partial(distributed.bar, unit="line", leave=False, delay=1)

NEARBY = 4.0
"""Largest distance from the seam of points that tell a joined part's height, in x-heights."""
BLANK = (0.8, 1.8)
"""Bounds on the gap between two parts separated by a blank, in x-heights (assumed)."""
CLOSE = (0.1, 0.5)
"""Bounds on the gap between two parts without a blank, in x-heights (assumed)."""
CLEAR = 1.3
"""Least width of a gap between words, over the widest gap within words (measured: with `SLACK`,
68 % of the 5,355 lines of IAM-OnDB's `trainset` are cut; a recogniser read 250 pieces of
`testset_f`, and no piece had lost or gained a word)."""
SLACK = (1.0, 0.25)
"""Largest difference of a word's width from its typical width: a constant, and an amount for each
character, both in typical character widths (assumed: an `i` is narrow, an `m` wide). Refuses lines
whose widest gap is inside a word, as before a last dash."""


@dataclass(kw_only=True, eq=False)
class MixedDataset(ExtendedDataset):
    """A dataset with the training lines of a second dataset added to its training split.

    `dataset` supplies validation, test, units and preprocessing. The lines of `added` are
    scaled so that both have the same typical x-height, and rounded to the quantisation grid of
    `dataset` if it has a grid. So a network learns characters that are rare in a recorded set, such
    as `@`, from synthetic lines; in joined lines also next to recorded hands.

    Args:
        dataset: the main dataset.
        added: the second dataset, which supplies its training lines.
        alone: whether the lines of `added` are training lines; if not, they only occur in joined
            lines.
        joined: number of joined training lines: a line of `dataset` and a line of `added` side by
            side in either order, with a word gap between. If both are sentences, a network learns
            to change its hand within a line; short pieces avoid this.
        tight: fraction of the joined lines whose parts are as close as letters of a word, without a
            blank in the text, unless a digit would then stand next to a letter.
        short: fraction of the joined lines in which one to three words replace the line of
            `dataset`, if the line can be cut.
        pieces: number of training lines that are one to three words of a line of `dataset`, since
            short texts are often asked for and most sets have only full lines. `short` and `pieces`
            cut lines whose words are clearly separated (`word_numbers`).
        seed: seed of the choice of parts.

    Raises:
        ConfigFault: if `added` is not used.
    """

    added: BaseDataset
    alone: bool = True
    joined: Annotated[int, Range(0, 100_000)] = 0
    tight: Fraction = 0.0
    short: Fraction = 0.0
    pieces: Annotated[int, Range(0, 100_000)] = 0
    seed: Seed = 0

    def __post_init__(self) -> None:
        if not self.alone and not self.joined:
            raise ConfigFault("joined", self.joined, "at least 1 where `alone` is false")

    @property
    def characters(self) -> str | None:
        """The characters of both datasets; None if a dataset does not know its characters."""
        return united_characters(self.dataset, self.added)

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Load both datasets, and make the scaled, joined, and cut lines.

        Raises:
            DataError: if a dataset cannot be loaded.
        """
        main = self.dataset.load(splits)
        if "train" not in splits:
            return main
        recorded, grid = main.split("train"), main.quantisation_step
        added = self.added.load(["train"]).split("train")
        typical = _typical_height(self.dataset, recorded)
        factor = typical / _typical_height(self.added, added)
        lines = [_scaled(line, factor, grid) for line in added] if self.alone else []
        num_alone, generator = len(lines), np.random.default_rng(self.seed)
        pairs = self._pairs(recorded, added, typical, factor, grid, generator)
        lines += [pair.of(f"joined-{n}/{pair.name}") for n, pair in enumerate(pairs, num_alone)]
        pieces = _bar(self._pieces(recorded, generator), "cutting lines", total=self.pieces)
        for number, piece in enumerate(pieces, len(lines)):
            ink = _rounded(piece.ink, grid)
            lines.append(replace(piece, ink=ink, name=f"piece-{number}/{piece.name}"))
        summary = (
            f"{num_alone:,} lines of {type(self.added).__name__}, letters scaled by {factor:.4g}, "
            f"{self.joined:,} lines made of both, and {self.pieces:,} pieces"
        )
        return joined(main, lines, summary)

    def _pairs(
        self,
        recorded: Sequence[Sample],
        added: Sequence[Sample],
        typical: float,
        factor: float,
        grid: float | None,
        generator: np.random.Generator,
    ) -> Iterator[Sample]:
        """Yield joined lines.

        Args:
            typical: the typical x-height of `recorded`.
            factor: factor on the size of `added`.
        """
        recorded_numbers = generator.choice(len(recorded), self.joined).tolist()
        added_numbers = generator.choice(len(added), self.joined).tolist()
        numbers = list(zip(recorded_numbers, added_numbers, strict=True))
        for recorded_number, added_number in _bar(numbers, "joining lines"):
            line = _anonymous(recorded[recorded_number])
            # The x-height of a dash or a dot cannot be measured.
            height = float(np.clip(x_height(line.ink), typical / 4, typical * 4))
            added_first = bool(generator.random() < 0.5)
            gap = generator.uniform(*BLANK)
            close = bool(self.tight and generator.random() < self.tight)
            if self.short and generator.random() < self.short:
                line = _piece(line, generator) or line
            other = _scaled(added[added_number], factor * height / typical, grid)
            parts = (other, line) if added_first else (line, other)
            texts = [part.text for part in parts]
            # No digit beside a letter: a recogniser would learn to read `0slo` as often as `Oslo`.
            seam = texts[0][-1:] + texts[1][:1]
            if any(map(str.isdigit, seam)) and any(map(str.isalpha, seam)):
                close = False
            if close:
                gap = generator.uniform(*CLOSE)
            yield Sample(
                _rounded(join(*(part.ink for part in parts), height, height * gap), grid),
                ("" if close else " ").join(texts) if all(texts) else "",
                f"{line.name}+{other.name}",
                ends=parts[-1].ends,
                missing=np.concatenate([part.gaps for part in parts]),
            )

    def _pieces(
        self, recorded: Sequence[Sample], generator: np.random.Generator
    ) -> Iterator[Sample]:
        """Yield `pieces` random pieces of lines; each line gives a piece before any gives a second.

        Raises:
            DataError: if no line has clearly separated words.
        """
        remaining = self.pieces
        while remaining:
            remaining_before = remaining
            for number in generator.permutation(len(recorded)).tolist():
                if remaining and (piece := _piece(_anonymous(recorded[number]), generator)):
                    remaining -= 1
                    yield piece
            if remaining == remaining_before:
                name = type(self.dataset).__name__
                raise DataError(f"{name}: no line has clearly separated words, for `pieces`")


def _anonymous(line: Sample) -> Sample:
    """Return a line without its writer."""
    missing = line.gaps.copy()
    missing[0] = 0  # The pen was lifted before the first point.
    return replace(line, writer="", group="", missing=missing)


def _scaled(line: Sample, factor: float, grid: float | None) -> Sample:
    """Return an added line in the units of the recorded lines."""
    line, ink = _anonymous(line), line.ink.copy()
    ink[:, :2] *= np.float32(factor)
    return replace(line, ink=_rounded(ink, grid), name=f"added/{line.name}")


def _rounded(ink: np.ndarray, grid: float | None) -> np.ndarray:
    """Return ink with its points moved to a grid with the spacing `grid`; None leaves the ink."""
    if grid is None:
        return ink
    nodes, ink = np.rint(to_points(ink) / grid), ink.copy()
    ink[:, :2] = np.diff(nodes, axis=0, prepend=nodes[:1]) * grid
    return ink


def join(left: np.ndarray, right: np.ndarray, height: float, gap: float) -> np.ndarray:
    """Return two lines side by side as one line, `(points, 3)` float32.

    The vertical positions are matched at the seam, by the medians of y within `NEARBY` x-heights.

    Args:
        left, right: ink of the lines, `(points, 3)`, in the same units.
        height: the x-height, in these units.
        gap: distance from the right edge of `left` to the left edge of `right`.
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
    """Return one to three random words of a line, not all; None if the line cannot be cut.

    A piece has at least two letters or digits: the vertical position of a lone comma is unknown.
    The first point has no offset, and the pen is lifted after the last point.
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
    ink, missing = line.ink[rows], line.gaps[rows]
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


def _typical_height(dataset: BaseDataset, lines: Sequence[Sample]) -> float:
    """Return the x-height that a dataset states, or the median over 300 evenly spread training
    lines (the number is assumed)."""
    if dataset.x_height is not None:
        return dataset.x_height
    chosen = np.linspace(0, len(lines) - 1, min(len(lines), 300)).astype(int).tolist()
    return float(np.median([x_height(lines[number].ink) for number in chosen]))


def word_numbers(ink: np.ndarray, text: str) -> np.ndarray | None:
    """Return the number of the word to which each point of a line belongs, `(points,)` from 0.

    A line of n words is cut at the n - 1 widest horizontal gaps of its ink, so that a dot or a bar
    set later belongs to the word above or below which it stands.

    Args:
        ink: a line from left to right, `(points, 3)`, in any unit.
        text: the line's words, with blanks between them.

    Returns:
        the numbers; None if the script runs from right to left, or the words are not clearly
        separated: a gap between words is less than `CLEAR` times the widest gap within a word, or a
        word is much wider or narrower than its characters (`SLACK`).
    """
    parts = strokes(ink)
    lefts = np.array([part[:, 0].min() for part in parts])
    rights = np.array([part[:, 0].max() for part in parts])
    lengths = np.array([len(word) for word in text.split()])
    if not 0 < len(lengths) <= len(parts):
        return None
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in text):
        return None
    order = np.argsort(lefts)
    gaps = lefts[order][1:] - np.maximum.accumulate(rights[order])[:-1]
    widest = np.argsort(-gaps)
    between, within = np.split(widest, [len(lengths) - 1])
    if (gaps[between] <= CLEAR * gaps[within].max(initial=0)).any():
        return None
    starts = np.sort(lefts[order][between + 1])
    word = np.searchsorted(starts, lefts, side="right")
    widths = np.array(
        [rights[word == n].max() - lefts[word == n].min() for n in range(len(lengths))]
    )
    typical = widths.sum() / lengths.sum()
    if (np.abs(widths - lengths * typical) > (SLACK[0] + SLACK[1] * lengths) * typical).any():
        return None
    return np.repeat(word, [len(part) for part in parts])
