"""A hand: what it looks like, and a writer that keeps to it.

A steady pen writes a little smaller at each step than the hand that it continues, and the steps add
up (`sampling.sample`); how much smaller depends on the hand. So some lines are written and
measured, and the stretch is corrected by the size that the lines lack. A network that is told the
hand needs no such stretch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from handwriting.page_options import PageOptions
from model.generation.line import Line
from model.generation.sampling_options import Primer, Sampling
from model.reader import Reader
from model.writer import Writer
from utils.hand_measures import baseline, high_marks, levelled, slant, word_gaps
from utils.ink import bounds, strokes, vertical_segments, x_height

TRY_SEED_STRIDE = 1_000_000_007
"""Difference between the seeds of two tries of a line: prime, and more than there are lines."""
LETTER_WIDTHS = dict.fromkeys(".,:;!'|1Iijl", 0.45) | dict.fromkeys("MWmw@%", 1.5)
"""Widths of letters over the width of a usual letter (measured, roughly: words in ten styles)."""
SPACE = 1.2  # x-heights between words if the primer has one word (measured: lines of IAM-OnDB)
LINES = 8  # lines that are written at once (measured on the 24 hands of `ROUNDS`)
ROUNDS = 2
"""How often lines are written (measured on 24 hands: widths are 20 % off in the median at first, 4
and 1.4 % after one and two corrections)."""
GAIN = 10.0
"""How many times more a line grows than its offsets, as a first guess (measured on the same
hands)."""
GAINS = (5.0, 30.0)  # bounds of a line's measured gain (measured on the same hands)
BOUNDS = (0.97, 1.03)
"""Bounds of both factors of the stretch (by eye and by a recogniser, in a hand unknown to
`writer`: with 1.05 widths of lines differ by 15 % and long lines run away; with 1.025 widths differ
by 9 %, and lines are read better)."""
MIN_LETTERS = 3
"""Letters, and ways of the pen up or down, of a primer that shows its hand's size (assumed)."""
RESTS = (0.5, 2.0)  # bounds of `Calibration.rest` (assumed)


@dataclass(frozen=True)
class HandShape:
    """Measures of a line, by which words are made to look like it.

    Attributes:
        letter: the x-height in the writer's units.
        baseline: y of the baseline of the line turned level, in the writer's units.
        angle: of the baseline before it was turned, in radians.
        lean: of downstrokes to the right, x over y.
        space: the usual gap between words in x-heights.
        blank: the mean width of a character in x-heights.
        letter_width: width of a usual letter in x-heights.
        dotted: whether most of the hand's `i` have dots.
    """

    letter: float
    baseline: float
    angle: float
    lean: float
    space: float
    blank: float
    letter_width: float
    dotted: bool = True

    @classmethod
    def of(cls, primer: Primer) -> "HandShape":
        """Measure a line of the hand."""
        ink, text = primer
        level, angle = levelled(ink)
        letter, gaps = x_height(ink), word_gaps(ink, text)
        left, _, right, _ = bounds(ink)
        width = (right - left) / letter
        base = baseline(level)
        above = [(stroke - (0.0, base)) / letter for stroke in strokes(level)]
        blanks = float(gaps.sum()) if len(gaps) else SPACE * (len(text.split()) - 1)
        return cls(
            letter,
            base,
            angle,
            float(np.nan_to_num(slant(level))),
            float(np.median(gaps)) if len(gaps) else SPACE,
            width / max(len(text), 1),
            letter_width(width - blanks, text),
            high_marks(above) >= sum(map(text.count, "ij")) / 2,
        )


def letter_width(width: float, text: str) -> float:
    """Return the width of a usual letter of a text `width` wide without blanks; above 0."""
    letters = sum(LETTER_WIDTHS.get(letter, 1.0) for letter in text if letter != " ")
    return max(width, 0.01) / max(letters, 1.0)


class Calibration(NamedTuple):
    """How a writer continues a hand.

    Attributes:
        stretch: factors of the offsets in x and y.
        rest: factors in x and y that make lines written with the stretch as wide and high as the
            hand.
        space: the gap between words that the writer leaves in this hand, in x-heights; None if
            unknown.
    """

    stretch: tuple[float, float]
    rest: tuple[float, float]
    space: float | None = None

    def scaled(self, line: Line) -> Line:
        """Return a line that was written with the stretch, scaled by the rest behind its primer."""
        ink = line.ink.copy()
        ink[line.primed :, :2] *= np.float32(self.rest)
        return replace(line, ink=ink)


def calibrated(
    writer: Writer, primer: Primer, sampling: Sampling, progress: bool = False
) -> Calibration:
    """Return how a writer continues a hand as wide and as high as the hand is.

    The lines that are measured have the primer's own text, so that widths compare. The second
    correction is a step of the secant method. A primer of a letter or two, or of flat ink, shows no
    size, and gets the usual stretch.

    Args:
        writer: takes a text.
        primer: a line of the hand.
        sampling: as for the lines to come; its stretch and `max_steps` are not used.
        progress: show a progress bar of each round.
    """
    ink, text = primer
    usual = writer.model.stretch_at(sampling.bias)
    if min(sum(map(str.isalnum, text)), len(vertical_segments(ink))) < MIN_LETTERS:
        return Calibration(usual, (1.0, 1.0))
    wanted = _size(ink)
    stretch = np.log(usual)
    gain, last, excess = np.full(2, GAIN), None, np.zeros(2)
    for _ in range(ROUNDS):
        trial = replace(sampling, stretch=tuple(np.exp(stretch).tolist()), max_steps=None)
        lines = writer.write_lines(
            [text] * LINES, range(LINES), trial, primer=primer, progress=progress
        )
        excess = np.log(_ratios(lines, wanted))
        if last is not None:
            moved = stretch - last[0]
            grown = np.divide(excess - last[1], moved, out=gain.copy(), where=moved != 0)
            gain = np.clip(grown, *GAINS)
        last = stretch, excess
        stretch = np.clip(stretch - excess / gain, *np.log(BOUNDS))
        excess = excess + gain * (stretch - last[0])
    level = [levelled(ink)[0] for ink in _ended(lines)]
    spaces = np.concatenate([np.empty(0), *(word_gaps(ink, text) for ink in level)])
    space = float(np.median(spaces)) if len(spaces) else None
    rest = np.exp(np.clip(-excess, *np.log(RESTS)))
    return Calibration(tuple(np.exp(stretch).tolist()), tuple(rest.tolist()), space)


def _ended(lines: Sequence[Line]) -> list[np.ndarray]:
    """Return the ink of lines that have an end, and a size."""
    return [line.written for line in lines if line.ended and len(line.written) > 1]


def _size(ink: np.ndarray) -> tuple[float, float]:
    left, _, right, _ = bounds(ink)
    return right - left, x_height(ink)


def _ratios(lines: Sequence[Line], wanted: tuple[float, float]) -> tuple[float, ...]:
    """Return the median width and x-height of lines over the wanted ones; 1 if unknown."""
    sizes = [*map(_size, _ended(lines))]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.divide(np.reshape(sizes, (-1, 2)), wanted)
    usual = []
    for column in ratios.T:
        measured = column[np.isfinite(column) & (column > 0)]
        usual.append(float(np.median(measured)) if len(measured) else 1.0)
    return tuple(usual)


@dataclass(eq=False)
class Hand:
    """A writer that keeps to one hand: the writer is told the hand, or goes on from the primer.

    Attributes:
        writer: takes a text.
        primer: a line of the hand, by which words are shaped. Lines go on from the primer unless
            `sampling` tells the hand.
        reader: proofreads; None for no proofreading.
        sampling: how points are drawn, with one `latent_seed` for all tries, by default 0.
        tries: most times a word is written.
        slant: degrees from upright to the right; None for the hand's own.
        progress: show a progress bar of the lines that are written together.
        second_reader: reads all words once more; None for no second reader.
        calibration: how lines become as large as the primer, and how far apart words are. By
            default measured if the primer has a text, and the sampling a bias and no stretch.
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
        self.primer = ink, text.rstrip()  # the space comes with what follows
        self.sampling = replace(self.sampling, latent_seed=self.sampling.latent_seed or 0)
        can_measure = self.writer.model.needs_text and self.primer[1] and self.sampling.bias > 0
        is_free = self.calibration is None and self.sampling.stretch is None
        if self._continues and can_measure and is_free:
            self.calibration = calibrated(self.writer, self.primer, self.sampling, self.progress)

    @property
    def _continues(self) -> bool:
        """Whether lines go on from the primer."""
        return "hand" not in self.sampling.extras

    @cached_property
    def shape(self) -> HandShape:
        """The measures to which the hand's words are fitted."""
        shape = HandShape.of(self.primer)
        space = self.calibration and self.calibration.space
        return replace(shape, space=space) if space else shape

    def write_lines(self, texts: Sequence[str] | None, seeds: Sequence[int]) -> list[Line]:
        """Write lines as large as the primer; see `Writer.write_lines`."""
        sampling, calibration = self.sampling, self.calibration
        if calibration is not None:
            sampling = replace(sampling, stretch=calibration.stretch)
        primer = self.primer if self._continues else None
        lines = self.writer.write_lines(
            texts, seeds, sampling, primer=primer, progress=self.progress
        )
        return lines if calibration is None else [*map(calibration.scaled, lines)]


def write_lines(
    writer: Writer,
    texts: Sequence[str] | None,
    seeds: Sequence[int],
    sampling: Sampling = Sampling(),
    *,
    primer: Primer | None = None,
    progress: bool = False,
) -> list[Line]:
    """Write lines in the hand of the primer; without a primer each line in a hand of its own."""
    if primer is None:
        return writer.write_lines(texts, seeds, sampling, progress=progress)
    return Hand(writer, primer, sampling=sampling, progress=progress).write_lines(texts, seeds)
