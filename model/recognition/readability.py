"""Whether ink can be read at all: a recogniser returns a text for any ink."""

import numpy as np

from utils.ink import bounds, x_height

MAX_DOUBT = 0.28
"""Most nats of doubt of a reading for each character (measured, lab notebook: ink that cannot be
read)."""
PRIOR_CHARACTERS = 3.0
"""Characters added to a reading's length before its doubt is judged (measured, as above)."""
MIN_RETURN = 0.5
"""Fraction of the width by which the pen goes back to begin a new row (measured, as above)."""
MIN_DESCENT = 1.0
"""X-heights by which the pen goes down to begin a new row (measured, as above)."""
MAX_BARS = 3
"""Most bars of a character, such as = or E, that look like breaks between rows (assumed)."""


def misgiving(ink: np.ndarray, text: str, doubt: float) -> str:
    """Return why a reading of ink is hardly right; an empty string if the reading may be right.

    Args:
        ink: `(points, 3)`.
        text, doubt: the results of `Reader.proofread`.
    """
    max_breaks = 0 if len(text) > 1 else MAX_BARS
    if row_breaks(ink) > max_breaks:
        return "it seems to have several rows, and one is read; `experiments.py notes` reads pages"
    if not text or doubt > MAX_DOUBT * (len(text) + PRIOR_CHARACTERS):
        return "a script that the network does not know, or ink that is turned or mirrored?"
    return ""


def row_breaks(ink: np.ndarray) -> int:
    """Return how often the lifted pen goes back and down, like from a row's end to the next row."""
    left, _, right, _ = bounds(ink)
    lifted = ink[1:][ink[:-1, 2] > 0.5]
    back = lifted[:, 0] < -MIN_RETURN * (right - left)
    return int((back & (lifted[:, 1] > MIN_DESCENT * x_height(ink))).sum())
