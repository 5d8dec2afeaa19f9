"""Characters that nobody in a bank wrote, in the proportions, slant and speed of a hand.

Digits come from recorded digits, if a dataset of digits is given. All other characters come from
stroke fonts, written by an invented writer who is adapted to the hand.
"""

from collections import defaultdict
from dataclasses import replace

import numpy as np

from base.base_dataset import BaseDataset
from data_loader.synthetic.bank import BankHand
from data_loader.synthetic.cutting import Piece
from data_loader.synthetic.embedded import FontWriter, deform, digitise, letters
from data_loader.synthetic.paths import at_speed, from_left, leaning, mean_step, to_path
from data_loader.synthetic.stroke_fonts import CHARACTERS, X_HEIGHT

FONTS = ["print", "joined"]
"""Fonts in which capitals and signs stand by themselves."""
FONT_TALL = 1.5
"""Height of capitals in these fonts, in x-heights."""
FONT_WIDTH = 0.8
"""Width of a small letter in these fonts, in x-heights."""
DIGIT_HEIGHT = (0.8, 1.0)
"""Bounds on the height of a digit over the height of the hand's capitals (assumed)."""


class Drawer:
    """Draws characters.

    Args:
        digits: a dataset whose training split has samples of one digit each, or None.
    """

    def __init__(self, digits: BaseDataset | None = None) -> None:
        self._digits = defaultdict(lambda: defaultdict(list))
        for sample in digits.load(["train"]).split("train") if digits else ():
            if len(sample.text) == 1 and sample.text.isdigit():
                self._digits[sample.text][sample.writer].append(sample.ink)

    def __call__(
        self, character: str, hand: BankHand, style_seed: int, generator: np.random.Generator
    ) -> Piece | None:
        """Return a character in a hand; None if it is not printable ASCII.

        `style_seed` decides the shape, which stays the same; the generator decides the variation.
        """
        if character not in CHARACTERS:
            return None
        choice = np.random.default_rng([style_seed, ord(character)])
        if character in self._digits and choice.random() < 0.7:
            path = self._digit(character, hand, choice, generator)
        else:
            path = _font_path(character, hand, choice, generator)
        return Piece(character, at_speed(from_left(path), hand.speed / mean_step(path)))

    def _digit(
        self,
        character: str,
        hand: BankHand,
        choice: np.random.Generator,
        generator: np.random.Generator,
    ) -> np.ndarray:
        writers = self._digits[character]
        inks = writers[sorted(writers)[int(choice.integers(len(writers)))]]
        path = to_path(inks[int(generator.integers(len(inks)))])
        points = path[:, :2]
        points -= points.min(0)
        high = hand.tall * choice.uniform(*DIGIT_HEIGHT)
        points *= high / max(points[:, 1].max(), 0.3 * points[:, 0].max(), 1e-9)
        points[:, 1] -= points[:, 1].max()
        return leaning(path, 0.7 * hand.slant)


def _font_path(
    character: str, hand: BankHand, choice: np.random.Generator, generator: np.random.Generator
) -> np.ndarray:
    writer = replace(
        FontWriter.invent(choice, FONTS, shapes=0.4),
        slant=float(np.clip(hand.slant, -0.6, 0.9)),
        aspect=float(np.clip(hand.width / FONT_WIDTH, 0.8, 1.5)),
        ascender=float(np.clip((hand.tall - 1) / (FONT_TALL - 1), 0.7, 2.2)),
        drift=0.0,
        wave=0.0,
    )
    path = deform(letters(character, writer, generator), writer, generator)
    # The speed law gives the mean step only roughly; `at_speed` thins the dense points later.
    return digitise(path, writer.speed, rate=300.0) / (X_HEIGHT, X_HEIGHT, 1)
