"""Whether a recogniser can read ink at all: it gives a text to whatever it sees."""

import numpy as np

from utils.ink import bounds, x_height

DOUBT, PRIOR = 0.28, 3.0
"""Nats of doubt for each character that is read, and characters more, beyond which it is no reading
(measured, lab notebook: ink that cannot be read)."""
BACK, DOWN = 0.5, 1.0
"""Share of the width that the lifted pen goes back, and x-heights that it goes down meanwhile,
where another row begins (measured, as above)."""
BARS = 3
"""How often it does so within a character, such as = or E, at most (assumed)."""


def misgiving(ink: np.ndarray, text: str, doubt: float) -> str:
    """Return why ink is hardly what was read of it; an empty string where it may be.

    Args:
        ink: `(points, 3)`.
        text, doubt: as `Reader.proofread` returned them.
    """
    if row_breaks(ink) > (0 if len(text) > 1 else BARS):
        return "it seems to have several rows, and one is read; `experiments.py notes` reads pages"
    if not text or doubt > DOUBT * (len(text) + PRIOR):
        return "a script that the network does not know, or ink that is turned or mirrored?"
    return ""


def row_breaks(ink: np.ndarray) -> int:
    """Return how often the lifted pen goes back and down as from the end of a row to the next."""
    left, _, right, _ = bounds(ink)
    lifted = ink[1:][ink[:-1, 2] > 0.5]
    back = lifted[:, 0] < -BACK * (right - left)
    return int((back & (lifted[:, 1] > DOWN * x_height(ink))).sum())
