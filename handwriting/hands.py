"""A hand: its measures, and a writer that keeps to the hand.

A bias makes the pen write a little smaller at each step than the hand that it continues, and the
steps add up (`sampling.sample`). How much smaller depends on the hand. So some lines are written
and measured, and the stretch is corrected by the ratio of their size to the hand's. A network that
is told the hand needs no such stretch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from handwriting.page_options import PageOptions
from model.generation.line import Line, Primer, Sampling
from model.reader import Reader
from model.writer import Writer
from utils.hand_measures import (
    baseline,
    high_marks,
    levelled,
    median_lean,
    usual_letters,
    word_gaps,
)
from utils.ink import bounds, strokes, vertical_segments, x_height

TRY_SEED_STRIDE = 1_000_000_007
"""Difference between the seeds of two tries of a line: a prime above the number of lines."""
DEFAULT_GAP = 1.2  # x-heights between words, for a primer of one word (measured: IAM-OnDB)
NUM_LINES = 8  # lines that are written to be measured (measured on 24 hands)
GAIN = 30.0
"""The per cent by which a line is taken to grow if its stretch grows by 1 %. Lines grow by 10 to
20, but with too large a stretch they run away, and what is left is scaled (measured, lab notebook:
open styles)."""
STRETCH_BOUNDS = (0.97, 1.03)
"""Bounds of both factors of the stretch (by eye and by a recogniser, in a hand unknown to
`writer`: with 1.05 widths of lines differ by 15 % and long lines run away; with 1.025 widths differ
by 9 %, and lines are read better)."""
MIN_LETTERS = 3  # least letters, and vertical segments, of a primer that shows a size (assumed)
RESIDUAL_BOUNDS = (0.5, 2.0)  # bounds of `Calibration.residual` (assumed)


@dataclass(frozen=True)
class HandShape:
    """Measures of a hand's line, which words in the hand are given.

    Attributes:
        x_height: in the writer's units.
        baseline: y of the baseline in the writer's units, after the line is turned level.
        angle: of the baseline in radians, before the line is turned level.
        lean: how far downstrokes lean to the right, x over y.
        gap: the usual gap between words in x-heights.
        character_width: the mean width of a character, blanks included, in x-heights.
        letter_width: the width of a usual letter in x-heights.
        dotted: whether most of the hand's `i` have dots.
    """

    x_height: float
    baseline: float
    angle: float
    lean: float
    gap: float
    character_width: float
    letter_width: float
    dotted: bool = True

    @classmethod
    def of(cls, primer: Primer) -> "HandShape":
        """Return the measures of a primer."""
        ink, text = primer
        level, angle = levelled(ink)
        height, gaps = x_height(ink), word_gaps(ink, text)
        left, _, right, _ = bounds(ink)
        width = (right - left) / height
        base = baseline(level)
        from_baseline = [(stroke - (0.0, base)) / height for stroke in strokes(level)]
        blanks = float(gaps.sum()) if len(gaps) else DEFAULT_GAP * (len(text.split()) - 1)
        return cls(
            height,
            base,
            angle,
            float(np.nan_to_num(median_lean(level))),
            float(np.median(gaps)) if len(gaps) else DEFAULT_GAP,
            width / max(len(text), 1),
            letter_width(width - blanks, text),
            high_marks(from_baseline) >= sum(map(text.count, "ij")) / 2,
        )


def letter_width(width: float, text: str) -> float:
    """Return the width of a usual letter, above 0, in a text whose letters are `width` wide in
    all, without blanks."""
    return max(width, 0.01) / max(usual_letters(text), 1.0)


class Calibration(NamedTuple):
    """Corrections for a writer that continues a hand.

    Attributes:
        stretch: factors of the offsets in x and y, as in `Sampling`.
        residual: factors in x and y, by which lines written with the stretch are scaled to the
            size of the hand.
        gap: the gap between words that the writer leaves in this hand, in x-heights; None if
            unknown.
    """

    stretch: tuple[float, float]
    residual: tuple[float, float]
    gap: float | None = None

    def scaled(self, line: Line) -> Line:
        """Return a line with the ink behind its primer multiplied by `residual`."""
        ink = line.ink.copy()
        ink[line.primed :, :2] *= np.float32(self.residual)
        return replace(line, ink=ink)


def calibrated(
    writer: Writer, primer: Primer, sampling: Sampling, progress: bool = False
) -> Calibration:
    """Return the calibration with which a writer's lines are as wide and as high as a primer.

    The lines that are measured have the primer's text, so that their widths can be compared with
    the primer's: once to correct the stretch, and once with that stretch, since what is still
    wrong is scaled. A primer of a letter or two, or of flat ink, does not show a size; the writer
    then keeps the network's stretch.

    Args:
        writer: takes a text.
        primer: a line of the hand.
        sampling: options of the lines to be written; its stretch and `max_steps` are not used.
        progress: show a progress bar of each round.
    """
    ink, text = primer
    usual = writer.model.stretch_at(sampling.bias)
    if min(sum(map(str.isalnum, text)), len(vertical_segments(ink))) < MIN_LETTERS:
        return Calibration(usual, (1.0, 1.0))
    size = _size(ink)

    def lines_with(stretch: tuple[float, float]) -> list[Line]:
        trial = replace(sampling, stretch=stretch, max_steps=None)
        return writer.write_lines(
            [text] * NUM_LINES, range(NUM_LINES), trial, primer=primer, progress=progress
        )

    correction = np.power(_ratios(lines_with(usual), size), -1 / GAIN)
    stretch = tuple(np.clip(usual * correction, *STRETCH_BOUNDS).tolist())
    lines = lines_with(stretch)
    wide, high = np.clip(np.reciprocal(_ratios(lines, size)), *RESIDUAL_BOUNDS).tolist()
    level = [levelled(ink)[0] for ink in _ended(lines)]
    gaps = np.concatenate([np.empty(0), *(word_gaps(ink, text) for ink in level)])
    gap = float(np.median(gaps)) * wide / high if len(gaps) else None
    return Calibration(stretch, (wide, high), gap)


def _ended(lines: Sequence[Line]) -> list[np.ndarray]:
    """Return the ink of lines that ended and have more than one point."""
    return [line.written for line in lines if line.ended and len(line.written) > 1]


def _size(ink: np.ndarray) -> tuple[float, float]:
    """Return the width and the x-height of ink."""
    left, _, right, _ = bounds(ink)
    return right - left, x_height(ink)


def _ratios(lines: Sequence[Line], size: tuple[float, float]) -> tuple[float, ...]:
    """Return the median ratios of the widths and x-heights of lines to a size; 1 if unknown."""
    sizes = [*map(_size, _ended(lines))]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.divide(np.reshape(sizes, (-1, 2)), size)
    medians = []
    for column in ratios.T:
        measured = column[np.isfinite(column) & (column > 0)]
        medians.append(float(np.median(measured)) if len(measured) else 1.0)
    return tuple(medians)


@dataclass(eq=False)
class Hand:
    """A writer that keeps to a hand: the writer is told the hand, or continues the primer.

    Attributes:
        writer: takes a text.
        primer: a line of the hand; words are given its measures. The writer continues the
            primer unless the extras of `sampling` have a hand's descriptor.
        reader: proofreads words; None for no proofreading.
        sampling: how points are drawn, with one `latent_seed` for all tries, by default 0.
        tries: largest number of times that a word is written.
        slant: degrees from upright to the right; None for the hand's own.
        progress: show a progress bar of the lines that are written together.
        second_reader: proofreads all words after the reader; None for no second reader.
        calibration: makes lines as large as the primer. By default it is measured if the writer
            continues a primer with a text, and the sampling has a bias and no stretch.
    """

    writer: Writer
    primer: Primer
    reader: Reader | None = None
    sampling: Sampling = Sampling()
    tries: int = PageOptions.tries
    slant: float | None = None
    progress: bool = False
    second_reader: Reader | None = None
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        ink, text = self.primer
        self.primer = ink, text.rstrip()  # The writer adds a blank behind the primer's text.
        self.sampling = replace(self.sampling, latent_seed=self.sampling.latent_seed or 0)
        can_measure = self.writer.model.needs_text and self.primer[1] and self.sampling.bias > 0
        is_unset = self.calibration is None and self.sampling.stretch is None
        if self._continues_primer and can_measure and is_unset:
            self.calibration = calibrated(self.writer, self.primer, self.sampling, self.progress)

    @property
    def _continues_primer(self) -> bool:
        return "hand" not in self.sampling.extras

    @cached_property
    def shape(self) -> HandShape:
        """The measures that the hand's words are given."""
        shape = HandShape.of(self.primer)
        gap = self.calibration and self.calibration.gap
        return replace(shape, gap=gap) if gap else shape

    def write_texts(self, texts: Sequence[str] | None, seeds: Sequence[int]) -> list[Line]:
        """Write each text as a line as large as the primer; see `Writer.write_lines`."""
        sampling, calibration = self.sampling, self.calibration
        if calibration is not None:
            sampling = replace(sampling, stretch=calibration.stretch)
        primer = self.primer if self._continues_primer else None
        lines = self.writer.write_lines(
            texts, seeds, sampling, primer=primer, progress=self.progress
        )
        return lines if calibration is None else [*map(calibration.scaled, lines)]


def write_in_hand(
    writer: Writer,
    texts: Sequence[str] | None,
    seeds: Sequence[int],
    sampling: Sampling = Sampling(),
    *,
    primer: Primer | None = None,
    progress: bool = False,
) -> list[Line]:
    """Write lines in the hand of a primer, or, without a primer, each line in another hand.

    A writer that is told the hand in `sampling.extras` does not continue the primer, see `Hand`.
    """
    if primer is None:
        return writer.write_lines(texts, seeds, sampling, progress=progress)
    return Hand(writer, primer, sampling=sampling, progress=progress).write_texts(texts, seeds)
