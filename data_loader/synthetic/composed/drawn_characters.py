"""Draws characters that no hand of a bank wrote, in a hand's proportions, slant and speed.

Most digits are recorded digits, if there is a dataset of digits. All other characters are written
by an invented writer (`FontWriter`) who is adapted to the hand.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from data_loader.pen_paths import at_left_edge, at_speed, mean_step, slanted, to_path
from data_loader.synthetic.composed.cutting import Piece
from data_loader.synthetic.composed.recorded_hands import RecordedHand
from data_loader.synthetic.invented.font_writers import FontWriter, deform, digitise, text_path
from data_loader.synthetic.invented.stroke_fonts import FONT_CHARACTERS, FONT_X_HEIGHT
from ink.sample import Sample

UPRIGHT_FONTS = ["print", "joined"]
"""Fonts with upright, plain capitals and signs."""
FONT_TALL_HEIGHT = 1.5
"""Height of capitals in `UPRIGHT_FONTS`, in x-heights."""
FONT_WIDTH = 0.8
"""Width of a small letter in `UPRIGHT_FONTS`, in x-heights."""
RECORDED_FRACTION = 0.7
"""Fraction of the digits that are recorded digits, if there are any (assumed)."""
DIGIT_HEIGHTS = (0.8, 1.0)
"""Bounds on the height of a digit, as multiples of the height of the hand's capitals (assumed)."""


class Drawer:
    """Draws characters.

    Args:
        digits: samples, of which those of single digits are used.
    """

    def __init__(self, digits: Iterable[Sample] = ()) -> None:
        self._digits: dict[str, dict[str, list[np.ndarray]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for sample in digits:
            if len(sample.text) == 1 and sample.text.isdigit():
                self._digits[sample.text][sample.writer].append(sample.ink)

    def __call__(
        self, character: str, hand: RecordedHand, habit_seed: int, generator: np.random.Generator
    ) -> Piece | None:
        """Return a character in a hand; None if the character is not printable ASCII.

        `habit_seed` determines the style of all copies, `generator` the variation between copies.
        """
        if character not in FONT_CHARACTERS:
            return None
        habit_generator = np.random.default_rng([habit_seed, ord(character)])
        if character in self._digits and habit_generator.random() < RECORDED_FRACTION:
            path = self._digit(character, hand, habit_generator, generator)
        else:
            path = _font_path(character, hand, habit_generator, generator)
        speed_factor = hand.mean_step / mean_step(path)
        return Piece(character, at_speed(at_left_edge(path), speed_factor))

    def _digit(
        self,
        character: str,
        hand: RecordedHand,
        habit_generator: np.random.Generator,
        generator: np.random.Generator,
    ) -> np.ndarray:
        """Return the path of a recorded digit in the height and slant of a hand."""
        inks_of_writers = self._digits[character]
        writers = sorted(inks_of_writers)
        inks = inks_of_writers[writers[int(habit_generator.integers(len(writers)))]]
        path = to_path(inks[int(generator.integers(len(inks)))])
        points = path[:, :2]  # a view
        points -= points.min(0)
        height = hand.tall_height * habit_generator.uniform(*DIGIT_HEIGHTS)
        # A digit that lies flat does not become as high as the others.
        points *= height / max(points[:, 1].max(), 0.3 * points[:, 0].max(), 1e-9)
        points[:, 1] -= points[:, 1].max()
        return slanted(path, 0.7 * hand.slant)  # Recorded digits have some slant (assumed).


def _font_path(
    character: str,
    hand: RecordedHand,
    habit_generator: np.random.Generator,
    generator: np.random.Generator,
) -> np.ndarray:
    """Return the path of a character by an invented writer who is adapted to a hand."""
    # All numbers are assumed.
    writer = replace(
        FontWriter.invent(habit_generator, UPRIGHT_FONTS, shapes=0.4),
        slant=float(np.clip(hand.slant, -0.6, 0.9)),
        aspect=float(np.clip(hand.width / FONT_WIDTH, 0.8, 1.5)),
        ascender=float(np.clip((hand.tall_height - 1) / (FONT_TALL_HEIGHT - 1), 0.7, 2.2)),
        drift=0.0,
        wave=0.0,
    )
    path = deform(text_path(character, writer, generator), writer, generator)
    # The speed law sets the mean step only roughly; `at_speed` thins the dense points later.
    return digitise(path, writer.speed, rate=300.0) / (FONT_X_HEIGHT, FONT_X_HEIGHT, 1)
