"""Writes words with a single-line font from elsewhere, each letter a little different.

No network is loaded. A font draws each character in one way, which looks typeset; a person does
not. So all points of a line are displaced by smooth random waves, which change the place, the
slant, the size and the bends of letters. Points at the same place have the same displacement, so
strokes that touch still do, also those of joined letters.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np

from apps.pages.hand_shape import HandShape, letter_width
from apps.pages.letter_strokes import LetterStrokes
from apps.pages.marks import PLAIN
from apps.pages.page_options import Look, PageOptions
from apps.pages.proofreading import CheckedWord
from apps.pages.transliteration import is_right_to_left
from apps.pages.word_cutting import with_drawn
from apps.pages.written_word import WrittenWord, span
from ink import guard
from ink.alphabet import Alphabet
from ink.formats.svg import fonts
from ink.geometry import at_equal_steps, from_strokes, path_along, smooth_path
from ink.measures import median_lean
from ink.pen_font import PenFont
from ink.sample import Fault

POINT_STEP = 0.1  # x-heights from point to point, as of a network's ink (assumed)
MAX_TURN = math.radians(70)  # between two lines of a curve; more is a corner (by eye)
CURVE_STEPS = 8  # from point to point of a font's line, where it is smoothed (assumed)
MIN_STEPS = 4  # of a short stroke, such as a dot that is a ring (assumed)
MAX_STEP_OVER = 0.02  # x-heights between two strokes that are one (assumed)
MIN_GAP = 0.5  # x-heights between words (assumed)
NUM_WAVES = 32  # of a line (assumed)
WAVELENGTHS = (1.5, 10.0)  # x-heights, from a letter to a long word (by eye)
SWAY = 0.014  # x-heights by which a wave displaces points, for each x-height of its length (by eye)


@dataclass(frozen=True, eq=False)
class PenHand:
    """A hand that writes with a single-line font; see `proofreading.PageHand`.

    Attributes:
        font: the font.
        slant: degrees from upright to the right; None for the font's own.
    """

    font: PenFont
    slant: float | None = None
    reader: ClassVar[None] = None
    second_reader: ClassVar[None] = None
    tries: ClassVar[int] = 1

    @cached_property
    def shape(self) -> HandShape:
        """The measures of the font."""
        characters = self.font.characters
        letters = [text for text in characters if text.isalpha()] or characters
        glyphs = [self.font.glyphs[text] for text in letters]
        strokes = [*chain(*(glyph.strokes for glyph in glyphs))]
        # The lean is that of downstrokes, and some fonts draw stems upwards.
        ink = from_strokes([*strokes, *(stroke[::-1] for stroke in strokes)])
        width = sum(right - left for left, right in (span(glyph.strokes) for glyph in glyphs))
        advance = sum(glyph.advance for glyph in glyphs)
        blank = self.font.glyphs[" "].advance
        return HandShape(
            x_height=1.0,
            baseline=0.0,
            angle=0.0,
            lean=float(np.nan_to_num(median_lean(ink))),
            gap=max(blank + (advance - width) / len(glyphs), MIN_GAP),
            character_width=advance / len(glyphs),
            letter_width=letter_width(advance, "".join(letters)),
        )

    def write_words(self, texts: Sequence[str], seeds: Sequence[int]) -> list[list[CheckedWord]]:
        """Write each text as a line; return the words of each."""
        return [
            [CheckedWord((word,), word.text) for word in self._words(text, seed)]
            for text, seed in zip(texts, seeds, strict=True)
        ]

    def _words(self, text: str, seed: int) -> Iterator[WrittenWord]:
        """Yield the words of a line in x-heights, with gaps behind them."""
        lean = self.shape.lean_at(self.slant)
        letters = self._letters(text, lean - self.shape.lean)
        letters = replace(letters, strokes=swayed(letters.strokes, np.random.default_rng(seed)))
        written = {sign: self._written(sign) for sign in text}
        matches = [*re.finditer(r"\S+", text)]
        parts = [_part(letters, *match.span()) for match in matches]
        edges = [span(part.strokes) for part in parts]
        gaps = [max(left - right, MIN_GAP) for (_, right), (left, _) in pairwise(edges)]
        gaps.append(self.shape.gap)
        for part, (left, right), gap in zip(parts, edges, gaps, strict=True):
            strokes = tuple(stroke - (left, 0.0) for stroke in part.strokes)
            word = WrittenWord(strokes, right - left, gap, part.text, tuple(part.indices))
            yield with_drawn(word, written, self.shape, lean)

    def _written(self, sign: str) -> str:
        """Return the sign of the font that is written in the place of a sign."""
        return sign if sign in self.font.glyphs else PLAIN[sign]

    def _letters(self, text: str, lean: float) -> LetterStrokes:
        """Return the strokes of a text as the font has them, but with more `lean`, x over y."""
        glyphs = self.font.glyphs
        written = "".join(map(self._written, text))
        letters = LetterStrokes(text, [], [])
        first = 0
        for part, x in self.font.starts(self.font.parts(written)):
            for stroke in map(dense, glyphs[part].strokes):
                left, right = span(glyphs[part].strokes)
                # A ligature has its characters side by side.
                places = (stroke[:, 0] - left) / max(right - left, 1e-9) * len(part)
                index = first + np.minimum(places.astype(int), len(part) - 1)
                placed = stroke @ [[1.0, 0.0], [-lean, 1.0]] + (x, 0.0)
                is_in_word = letters.strokes and " " not in text[letters.indices[-1][-1] : first]
                if is_in_word and goes_on(letters.strokes[-1], placed):
                    letters.strokes[-1] = np.concatenate([letters.strokes[-1], placed[1:]])
                    letters.indices[-1] = np.concatenate([letters.indices[-1], index[1:]])
                else:
                    letters.strokes.append(placed)
                    letters.indices.append(index)
            first += len(part)
        return letters


class PenHands:
    """The hands of a page that is written with a single-line font: one for each slant.

    Args:
        options: the options of the page, with a `pen_font`.

    Attributes:
        name: the font, for messages.
        alphabet: the characters that the font has, but for those of right-to-left scripts, and
            those that are drawn on its letters.
        sources: a sentence on the font.

    Raises:
        DataError: if the font cannot be used.
    """

    def __init__(self, options: PageOptions) -> None:
        path = Path(options.pen_font).expanduser()
        try:
            font = guard.call(fonts.parse, path)
        except Fault as fault:
            raise fault.within(str(path)) from None
        self.name = f"the font {path.name}"
        written = (sign for sign in font.characters if not is_right_to_left(sign))
        drawn = (sign for sign, letter in PLAIN.items() if letter in font.glyphs)
        self.alphabet = Alphabet([*dict.fromkeys([" ", *written, *drawn])])
        self.sources = [f"{path}: {font.name}, {len(font.characters):,} characters"]
        self._hands = {None: PenHand(font)}

    def of(self, look: Look) -> PenHand:
        """Return the hand that writes lines with a look: that of its slant."""
        return self._hands.setdefault(look.slant, replace(self._hands[None], slant=look.slant))


def _part(letters: LetterStrokes, start: int, end: int) -> LetterStrokes:
    """Return the strokes of the characters from an index of the text up to another."""
    numbers = [k for k, indices in enumerate(letters.indices) if start <= indices[0] < end]
    part = letters.selected(numbers)
    return LetterStrokes(letters.text[start:end], part.strokes, [i - start for i in part.indices])


def goes_on(stroke: np.ndarray, other: np.ndarray) -> bool:
    """Return whether another stroke begins where a stroke ends."""
    return bool(np.hypot(*(other[0] - stroke[-1])) <= MAX_STEP_OVER)


def dense(stroke: np.ndarray) -> np.ndarray:
    """Return a stroke with points at equal steps on a smooth curve between its corners: a font may
    have polygons for curves."""
    path = path_along(stroke)
    stroke = stroke[np.append(True, np.diff(path) > 0)]
    steps = np.diff(stroke, axis=0)
    directions = np.arctan2(steps[:, 1], steps[:, 0])
    turns = np.abs((np.diff(directions) + np.pi) % (2 * np.pi) - np.pi)
    corners = [0, *(np.flatnonzero(turns > MAX_TURN) + 1).tolist(), len(stroke) - 1]
    curves = [stroke[:1]]
    for first, last in pairwise(corners):
        curves.append(smooth_path(stroke[first : last + 1], CURVE_STEPS)[1:])
    curve = np.concatenate(curves)
    path = path_along(curve)
    return at_equal_steps(curve, path, max(math.ceil(path[-1] / POINT_STEP), MIN_STEPS))


def swayed(strokes: Sequence[np.ndarray], generator: np.random.Generator) -> list[np.ndarray]:
    """Return strokes in x-heights whose points are displaced by the same smooth random waves.

    The waves have random directions; the longer a wave, the further it displaces points.
    """
    lengths = np.exp(generator.uniform(*np.log(WAVELENGTHS), NUM_WAVES))
    angles = generator.uniform(0, 2 * np.pi, NUM_WAVES)
    phases = generator.uniform(0, 2 * np.pi, NUM_WAVES)
    shifts = generator.normal(size=(NUM_WAVES, 2)) * (SWAY * lengths / NUM_WAVES**0.5)[:, None]
    numbers = 2 * np.pi * np.stack([np.cos(angles), np.sin(angles)]) / lengths  # (2, waves)
    return [stroke + np.sin(stroke @ numbers + phases) @ shifts for stroke in strokes]
