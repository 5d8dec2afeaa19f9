"""Characters damaged beyond recognition, so that a recogniser learns to report such ink.

CTC reads ink that is no character as the likeliest character. So a recogniser learns an additional
label, `WRONG`, on characters with a stroke dropped or shifted, or a part cut off.
"""

from collections.abc import Sequence

import numpy as np

from data_loader.synthetic.paths import from_strokes, to_strokes
from utils.alphabet import WRONG
from utils.ink import at_equal_steps, path_along

FRACTIONS = (0.15, 0.7)
"""Bounds on the length of a dropped or shifted stroke, as a fraction of its character's length
(assumed: a shorter stroke is a dot, without which an `i` is still read)."""
CUT = (0.25, 0.5)
"""Bounds on the fraction of the longest stroke that is cut off (assumed)."""
PIECES = 40
"""Number of steps into which the longest stroke is divided (assumed)."""
SHIFT = (0.35, 0.7)
"""Bounds on the shift of a stroke, over the larger extent of its character (assumed)."""
TURNS = 1.5
"""Least length of a character's path, over its larger extent, to be damaged (assumed: a shorter
character is a bare stroke, such as an `l`, and has nothing to lose)."""


def with_damage(
    text: str, paths: Sequence[np.ndarray], generator: np.random.Generator
) -> tuple[str, list[np.ndarray]]:
    """Return a text and the paths of its characters, with one character damaged, and `WRONG` in the
    text; both are unchanged if no letter or digit can be damaged."""
    paths = list(paths)
    for place in generator.permutation(len(text)).tolist():
        if text[place].isalnum() and (path := damaged(paths[place], generator)) is not None:
            paths[place] = path
            return text[:place] + WRONG + text[place + 1 :], paths
    return text, paths


def damaged(path: np.ndarray, generator: np.random.Generator) -> np.ndarray | None:
    """Return the path of a character, damaged in a random possible way; None for a bare stroke."""
    strokes = to_strokes(path)
    lengths = np.array([path_along(stroke)[-1] for stroke in strokes])
    size = float(np.ptp(path[:, :2], axis=0).max())
    if lengths.sum() <= TURNS * size:  # Such as a dot.
        return None
    fractions = lengths / lengths.sum()
    eligible = np.flatnonzero((fractions >= FRACTIONS[0]) & (fractions <= FRACTIONS[1]))
    way = generator.choice(["cut", "drop", "shift"]) if len(eligible) else "cut"
    number = int(lengths.argmax() if way == "cut" else generator.choice(eligible))
    strokes_before, stroke, strokes_after = strokes[:number], strokes[number], strokes[number + 1 :]
    kept = []
    if way == "cut":  # The stroke loses its beginning, middle or end, so that a loop opens.
        fine = at_equal_steps(stroke, path_along(stroke), PIECES)
        count = round(PIECES * generator.uniform(*CUT))
        start = int(generator.choice([0, (PIECES - count) // 2, PIECES - count]))
        kept = [part for part in (fine[: start + 1], fine[start + count :]) if len(part) > 1]
    elif way == "shift":
        angle, distance = generator.uniform(0, 2 * np.pi), size * generator.uniform(*SHIFT)
        kept = [stroke + distance * np.array([np.cos(angle), np.sin(angle)])]
    return from_strokes([*strokes_before, *kept, *strokes_after])
