"""What a hand looks like, and how much a pen is stretched so that lines in it are as large.

A steady pen writes smaller than the hand that it continues, a little at each step, and goes on
from what it wrote (`sampling.sample`); how much smaller depends on the hand. So some lines are
written and measured, and the stretch is corrected by what they lack. A network that is told the
hand needs no such stretch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from model.generation.line import Line
from model.generation.sampling_options import Primer, Sampling
from model.writer import Writer
from utils.hand_measures import baseline, high_marks, levelled, slant, word_gaps
from utils.ink import bounds, strokes, vertical_segments, x_height

LETTER_WIDTHS = dict.fromkeys(".,:;!'|1Iijl", 0.45) | dict.fromkeys("MWmw@%", 1.5)
"""Widths of letters in widths of all others (measured, roughly: words in ten styles)."""
SPACE = 1.2  # x-heights between words where the primer shows none (measured: lines of IAM-OnDB)
LINES = 8  # that are written at once (measured on 24 hands, as `ROUNDS`)
ROUNDS = 2
"""How often lines are written (measured on 24 hands: widths are 20 % off in the median at first, 4
and 1.4 % after one and two corrections)."""
GAIN = 10.0
"""How many times more a line grows than the offsets of which it consists: the first guess (measured
on the same hands)."""
GAINS = (5.0, 30.0)  # bounds of this growth where it is measured (measured on the same hands)
BOUNDS = (0.97, 1.03)
"""Of both factors of the stretch (by eye and by a recogniser, in the hand of a person unknown to
`writer`: with 1.05 lines differ by 15 % in width and long ones run away, with 1.025 by 9 %, and are
read better)."""
MIN_LETTERS = 3
"""Letters and ways of the pen up or down from which a primer says how large a hand is (assumed)."""
RESTS = (0.5, 2.0)  # bounds of `Calibration.rest` (assumed)


@dataclass(frozen=True)
class HandShape:
    """What a line of a hand says of the words that are to look like it.

    Attributes:
        letter: the x-height in the writer's units.
        baseline: y of the baseline of the line turned level, in the writer's units.
        angle: of the baseline before that, in radians.
        lean: of downstrokes to the right, x over y.
        space: the usual gap between words in x-heights.
        blank: the mean width of a character in x-heights.
        letter_width: of a usual letter in x-heights.
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
    """Return the width of a usual letter of words that are so wide; always positive."""
    letters = sum(LETTER_WIDTHS.get(letter, 1.0) for letter in text if letter != " ")
    return max(width, 0.01) / max(letters, 1.0)


class Calibration(NamedTuple):
    """How a writer continues a hand.

    Attributes:
        stretch: of the offsets in x and y.
        rest: by how much, in x and y, lines that are written with the stretch have still to be
            scaled, to be as wide and high as the hand.
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
    """Return how a writer continues a hand as wide and as high as it is.

    The lines that are written have the primer's own text, so that widths compare. The second
    correction is a secant's. A primer of a letter or two, or of flat ink, says nothing of sizes.

    Args:
        writer: takes a text.
        primer: a line of the hand.
        sampling: of the lines to come; its stretch and limit are not used.
        progress: show a progress bar of each round.
    """
    ink, text = primer
    usual = writer.model.stretch_at(sampling.bias)
    if min(sum(map(str.isalnum, text)), len(vertical_segments(ink))) < MIN_LETTERS:
        return Calibration(usual, (1.0, 1.0))
    wanted = _size(ink)
    stretch = np.log(usual)
    gain, before, excess = np.full(2, GAIN), None, np.zeros(2)
    for _ in range(ROUNDS):
        trial = replace(sampling, stretch=tuple(np.exp(stretch).tolist()), max_steps=None)
        lines = writer.write_lines(
            [text] * LINES, range(LINES), trial, primer=primer, progress=progress
        )
        excess = np.log(_ratios(lines, wanted))
        if before is not None:
            moved = stretch - before[0]
            grown = np.divide(excess - before[1], moved, out=gain.copy(), where=moved != 0)
            gain = np.clip(grown, *GAINS)
        before = stretch, excess
        stretch = np.clip(stretch - excess / gain, *np.log(BOUNDS))
        excess = excess + gain * (stretch - before[0])
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
    """Return the usual width and x-height of lines, over those that are wanted; 1 if unknown."""
    sizes = [*map(_size, _ended(lines))]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.divide(np.reshape(sizes, (-1, 2)), wanted)
    usual = []
    for of_side in ratios.T:
        measured = of_side[np.isfinite(of_side) & (of_side > 0)]
        usual.append(float(np.median(measured)) if len(measured) else 1.0)
    return tuple(usual)
