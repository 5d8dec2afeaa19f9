"""Makes new lines from recorded lines: pieces of them, and lines of two datasets side by side."""

import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

import numpy as np

from base import distributed
from base.base_dataset import SPLITS, BaseDataset, Loaded
from base.data.samples import Samples
from data_loader.recipe import ExtendedDataset, united_characters
from data_loader.scaling import anonymous, on_grid, scaled, typical_height
from ink.geometry import strokes, to_points, x_height
from ink.sample import Parsed, Sample
from utils.checks import ConfigFault, DataError, Fraction, Range, Seed

_bar = partial(distributed.bar, unit="line", leave=False, delay=1)

LEVEL_DISTANCE = 4.0
"""X-heights from the seam within which `inks_side_by_side` measures vertical positions."""
WORD_GAPS = (0.8, 1.8)
"""Bounds on the gap between two parts separated by a blank, in x-heights (assumed)."""
LETTER_GAPS = (0.1, 0.5)
"""Bounds on the gap between two parts without a blank, in x-heights (assumed)."""
MIN_HAND_GAP_RATIO = 1.3
"""Minimum gap between words, as a multiple of the widest gap within words (measured: with
`MAX_WIDTH_ERROR`, 68 % of the 5,355 lines of IAM-OnDB's `trainset` can be cut; none of 250 pieces
of `testset_f` that a recogniser read had lost or gained a word)."""
MAX_WIDTH_ERROR = (1.0, 0.25)
"""Largest difference between a word's width and its typical width: a constant plus an amount for
each character, in typical character widths (assumed: an `i` is narrow, an `m` is wide). The bound
rejects lines whose widest gap is inside a word, for example before a dash."""


@dataclass(kw_only=True, eq=False)
class MixedDataset(ExtendedDataset):
    """A dataset with pieces of its training lines, and joined lines, added to its training split.

    `dataset` supplies validation, test, units and preprocessing. The lines of `added` are scaled to
    the typical x-height of `dataset`, and rounded to the quantisation grid of `dataset`, if there
    is a grid. From synthetic lines, a network learns characters that are rare in a recorded
    dataset, such as `@`; in joined lines, such characters are next to recorded handwriting.

    Args:
        dataset: the main dataset.
        added: a second dataset, whose training lines are joined; None if there is none.
        alone: whether the lines of `added` are training lines by themselves; if not, they only
            occur in joined lines.
        joined: number of joined training lines. A joined line is a line of `dataset` and a line of
            `added` side by side, in either order, with a word gap between them. If both lines are
            sentences, a network learns to change its hand within a line; short lines avoid this.
        tight: fraction of the joined lines whose parts are as close as letters of a word, without a
            blank in the text; a digit and a letter are never that close.
        short: fraction of the joined lines that have one to three words of the line of `dataset`
            instead of the whole line, if the line can be cut.
        pieces: number of further training lines that are one to three words of a line of `dataset`:
            users often ask for short texts, and most datasets have only full lines. `short` and
            `pieces` cut only lines whose words are clearly separated (`word_numbers`).
        seed: seed of the choice of lines and pieces.

    Raises:
        ConfigFault: if `alone` is false and `joined` is 0, or nothing is there to be joined.
    """

    added: BaseDataset | None = None
    alone: bool = True
    joined: Annotated[int, Range(0, 100_000)] = 0
    tight: Fraction = 0.0
    short: Fraction = 0.0
    pieces: Annotated[int, Range(0, 100_000)] = 0
    seed: Seed = 0

    def __post_init__(self) -> None:
        if not self.alone and not self.joined:
            raise ConfigFault("joined", self.joined, "at least 1 where `alone` is false")
        if self.joined and not self.added:
            raise ConfigFault("joined", self.joined, "0 without `added`")

    @property
    def characters(self) -> str | None:
        return united_characters(*filter(None, (self.dataset, self.added)))

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Load the datasets, and make the scaled lines, the joined lines and the pieces.

        Raises:
            DataError: if a dataset cannot be loaded, or has no line for `pieces`.
        """
        main = self.dataset.load(splits)
        if "train" not in splits:
            return main
        added = self.added.load(["train"]).split("train") if self.added else Samples()
        added_height = self.added.x_height if self.added else None
        heights = [self.dataset.x_height, added_height]
        lines = self._read(main.split("train"), added, main.quantisation_step)
        return self._extended(main, lines, [added], [*heights, main.quantisation_step])

    def _read(self, recorded: Samples, added: Samples, grid: float | None) -> Iterator[Parsed]:
        """Yield the new lines, and a summary of them."""
        count = 0
        summary = ""
        generator = np.random.default_rng(self.seed)
        if self.added:
            typical = typical_height(self.dataset, recorded)
            factor = typical / typical_height(self.added, added)
            lines_alone = added if self.alone else ()
            count = len(lines_alone)
            for line in lines_alone:
                yield Parsed([scaled(line, factor, grid)])
            summary = f"{count:,} lines of {self.added} scaled by {factor:.4g}, "
            joined_lines = self._joined_lines(recorded, added, typical, factor, grid, generator)
            for number, line in enumerate(joined_lines, count):
                yield Parsed([line.renamed(f"joined-{number}/{line.name}")])
        pieces = _bar(self._pieces(recorded, generator), "cutting lines", total=self.pieces)
        for number, piece in enumerate(pieces, count + self.joined):
            ink = on_grid(piece.ink, grid)
            yield Parsed([replace(piece, ink=ink, name=f"piece-{number}/{piece.name}")])
        summary += f"{self.joined:,} joined lines, and {self.pieces:,} pieces"
        yield Parsed(notes=[summary])

    def _joined_lines(
        self,
        recorded: Sequence[Sample],
        added: Sequence[Sample],
        typical: float,
        factor: float,
        grid: float | None,
        generator: np.random.Generator,
    ) -> Iterator[Sample]:
        """Yield joined lines, each of a random line of `recorded` and of `added`.

        Args:
            typical: the typical x-height of `recorded`.
            factor: factor that scales `added` to this x-height.
            grid: spacing of the quantisation grid, or None.
        """
        recorded_numbers = generator.choice(len(recorded), self.joined).tolist()
        added_numbers = generator.choice(len(added), self.joined).tolist()
        numbers = list(zip(recorded_numbers, added_numbers, strict=True))
        for recorded_number, added_number in _bar(numbers, "joining lines"):
            line = anonymous(recorded[recorded_number])
            # The measured x-height of a dash or a dot is far too small or large.
            height = float(np.clip(x_height(line.ink), typical / 4, typical * 4))
            added_first = bool(generator.random() < 0.5)
            gap = generator.uniform(*WORD_GAPS)
            blank = " "
            # All lines draw the same numbers, whether or not they use them.
            is_tight = bool(self.tight and generator.random() < self.tight)
            if self.short and generator.random() < self.short:
                piece = _piece(line, generator)
                line = line if piece is None else piece
            other = scaled(added[added_number], factor * height / typical, grid)
            left, right = (other, line) if added_first else (line, other)
            if is_tight and _may_touch(left.text, right.text):
                gap = generator.uniform(*LETTER_GAPS)
                blank = ""
            ink = on_grid(inks_side_by_side(left.ink, right.ink, height, height * gap), grid)
            text = f"{left.text}{blank}{right.text}" if left.text and right.text else ""
            missing = np.concatenate([left.missing_counts, right.missing_counts])
            name = f"{line.name}+{other.name}"
            yield Sample(ink, text, name, ends=right.ends, missing=missing)

    def _pieces(
        self, recorded: Sequence[Sample], generator: np.random.Generator
    ) -> Iterator[Sample]:
        """Yield `pieces` random pieces of lines, one of each line that can be cut, then a second
        one of each line, and so on; raise a DataError if no line can be cut."""
        remaining = self.pieces
        while remaining:
            remaining_before = remaining
            for number in generator.permutation(len(recorded)).tolist():
                if not remaining:
                    return
                piece = _piece(anonymous(recorded[number]), generator)
                if piece is not None:
                    remaining -= 1
                    yield piece
            if remaining == remaining_before:
                raise DataError(f"pieces: no line of {self.dataset} has clearly separated words")


def _may_touch(left: str, right: str) -> bool:
    """Return whether two texts may stand side by side without a blank: unless a digit and a letter
    would touch, as a recogniser would then read `0slo` as often as `Oslo`."""
    seam = left[-1:] + right[:1]
    return not (any(map(str.isdigit, seam)) and any(map(str.isalpha, seam)))


def inks_side_by_side(left: np.ndarray, right: np.ndarray, height: float, gap: float) -> np.ndarray:
    """Return two lines side by side as one line, `(points, 3)` float32.

    The right line is moved vertically so that, within `LEVEL_DISTANCE` x-heights of the seam, both
    lines have the same median y.

    Args:
        left, right: ink of the lines, `(points, 3)`, in the same unit.
        height: the x-height, in this unit.
        gap: distance from the right edge of `left` to the left edge of `right`, in this unit.
    """
    left_points = to_points(left)
    right_points = to_points(right)
    right_edge = left_points[:, 0].max()
    left_edge = right_points[:, 0].min()
    distance = LEVEL_DISTANCE * height
    left_level = np.median(left_points[left_points[:, 0] >= right_edge - distance, 1])
    right_level = np.median(right_points[right_points[:, 0] <= left_edge + distance, 1])
    both = np.concatenate([left, right]).astype(np.float32)
    both[len(left) - 1, 2] = 1
    start = right_points[0] + (right_edge + gap - left_edge, left_level - right_level)
    both[len(left), :2] = start - left_points[-1]
    return both


def _piece(line: Sample, generator: np.random.Generator) -> Sample | None:
    """Return one to three successive words of a line, but never all words, chosen at random; None
    if the line cannot be cut.

    A piece has at least two letters or digits, because the vertical position of a lone comma is
    unknown. The first offset is (0, 0), and the pen is lifted after the last point.
    """
    words = line.text.split()
    choices = []
    for count in range(1, min(3, len(words) - 1) + 1):
        for start in range(len(words) - count + 1):
            text = "".join(words[start : start + count])
            if sum(map(str.isalnum, text)) >= 2:
                choices.append(range(start, start + count))
    numbers = word_numbers(line.ink, line.text) if choices else None
    if numbers is None:
        return None
    chosen = choices[generator.integers(len(choices))]
    rows = np.flatnonzero(np.isin(numbers, chosen))
    points = to_points(line.ink)[rows]
    ink, missing = line.ink[rows], line.missing_counts[rows]
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


def word_numbers(ink: np.ndarray, text: str) -> np.ndarray | None:
    """Return the index of the word to which each point of a line belongs, `(points,)`.

    A line of n words is cut at the n - 1 widest horizontal gaps of its ink. So a delayed dot or bar
    belongs to the word over which it stands.

    Args:
        ink: a line from left to right, `(points, 3)`, in any unit.
        text: the line's words, with blanks between them.

    Returns:
        the indices; None if the script runs from right to left, or the words are not clearly
        separated: a gap between words is at most `MIN_HAND_GAP_RATIO` times the widest gap within a
        word, or a word is too wide or narrow for its characters (`MAX_WIDTH_ERROR`).
    """
    line_strokes = strokes(ink)
    lefts = np.array([stroke[:, 0].min() for stroke in line_strokes])
    rights = np.array([stroke[:, 0].max() for stroke in line_strokes])
    lengths = np.array([len(word) for word in text.split()])
    if not 0 < len(lengths) <= len(line_strokes):
        return None
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in text):
        return None
    order = np.argsort(lefts)
    # From the rightmost ink so far to each next stroke.
    gaps = lefts[order][1:] - np.maximum.accumulate(rights[order])[:-1]
    widest = np.argsort(-gaps)
    between_words, within_words = np.split(widest, [len(lengths) - 1])
    if (gaps[between_words] <= MIN_HAND_GAP_RATIO * gaps[within_words].max(initial=0)).any():
        return None
    starts = np.sort(lefts[order][between_words + 1])
    word_of_stroke = np.searchsorted(starts, lefts, side="right")
    words = [word_of_stroke == n for n in range(len(lengths))]
    widths = np.array([rights[word].max() - lefts[word].min() for word in words])
    typical = widths.sum() / lengths.sum()  # width of a character
    max_errors = (MAX_WIDTH_ERROR[0] + MAX_WIDTH_ERROR[1] * lengths) * typical
    if (np.abs(widths - lengths * typical) > max_errors).any():
        return None
    return np.repeat(word_of_stroke, [len(stroke) for stroke in line_strokes])
