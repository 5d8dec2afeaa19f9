"""Signs that ink cannot be read; a recogniser returns a text for any ink."""

import numpy as np

from ink.geometry import bounds, x_height
from utils.program import typed

MAX_UNREADABLE_DOUBT = 0.28
"""Maximum doubt of a reading that may be right, in nats per character (measured, notebook: reader,
ink that cannot be read)."""
PRIOR_CHARACTERS = 3.0
"""Characters added to a reading's length in the limit on its doubt (measured, as above)."""
MIN_ROW_RETURN = 0.5
"""Distance that the pen goes back to a new row, in widths of the ink (measured, as above)."""
MIN_DESCENT = 1.0
"""Distance that the pen goes down to a new row, in x-heights (measured, as above)."""
MAX_BARS = 3
"""Maximum number of moves back and down within a character with bars, such as = or E (assumed)."""


def misgiving(ink: np.ndarray, text: str, doubt: float) -> str:
    """Return why a reading of ink is probably wrong; an empty string if the reading may be right.

    Args:
        ink: `(points, 3)`.
        text, doubt: the results of `Reader.proofread`.
    """
    max_breaks = 0 if len(text) > 1 else MAX_BARS
    if row_breaks(ink) > max_breaks:
        rows = "several rows, which are read as a single row?"
        return f"{rows} `{typed('notes')}` reads pages"
    if not text or doubt > MAX_UNREADABLE_DOUBT * (len(text) + PRIOR_CHARACTERS):
        return "a script that the network does not know, or ink that is turned or mirrored?"
    return ""


def row_breaks(ink: np.ndarray) -> int:
    """Return how often the lifted pen goes back and down, as from a row's end to the next row."""
    left, _, right, _ = bounds(ink)
    lifted = ink[1:][ink[:-1, 2] > 0.5]
    goes_back = lifted[:, 0] < -MIN_ROW_RETURN * (right - left)
    goes_down = lifted[:, 1] > MIN_DESCENT * x_height(ink)
    return int((goes_back & goes_down).sum())
