"""Characters damaged beyond recognition, so that a recogniser learns to report such ink.

CTC reads ink that is no character as the likeliest character. So a recogniser learns an additional
label, `WRONG`, on characters that lack a stroke or a part of a stroke, or whose stroke is shifted.
"""

from collections.abc import Sequence

import numpy as np

from data_loader.pen_paths import from_strokes, to_strokes
from ink.alphabet import WRONG
from ink.geometry import at_equal_steps, path_along

STROKE_FRACTIONS = (0.15, 0.7)
"""Bounds on the length of a dropped or shifted stroke, as a fraction of its character's length
(assumed: a shorter stroke is a dot, and an `i` without its dot can still be read)."""
CUT_FRACTIONS = (0.25, 0.5)
"""Bounds on the part that is cut off, as a fraction of the longest stroke (assumed)."""
NUM_STEPS = 40
"""Number of steps into which the longest stroke is divided (assumed)."""
SHIFT_FRACTIONS = (0.35, 0.7)
"""Bounds on the shift of a stroke, as a fraction of its character's size (assumed). The size of a
character is the larger of its width and height."""
MIN_LENGTH_RATIO = 1.5
"""Ratio of a path's length to the character's size above which the character can be damaged
(assumed: a shorter path is a bare stroke, such as an `l`, which damage hardly changes)."""


def with_damage(
    text: str, paths: Sequence[np.ndarray], generator: np.random.Generator
) -> tuple[str, list[np.ndarray]]:
    """Damage a random letter or digit, if one can be damaged.

    Return the text with `WRONG` in its place, and the paths of all characters.
    """
    paths = list(paths)
    for k in generator.permutation(len(text)).tolist():
        if not text[k].isalnum():
            continue
        path = damaged(paths[k], generator)
        if path is not None:
            paths[k] = path
            return text[:k] + WRONG + text[k + 1 :], paths
    return text, paths


def damaged(path: np.ndarray, generator: np.random.Generator) -> np.ndarray | None:
    """Return the path of a character, damaged in a random way; None for a bare stroke or a dot."""
    strokes = to_strokes(path)
    lengths = np.array([path_along(stroke)[-1] for stroke in strokes])
    size = float(np.ptp(path[:, :2], axis=0).max())
    if lengths.sum() <= MIN_LENGTH_RATIO * size:
        return None
    fractions = lengths / lengths.sum()
    low, high = STROKE_FRACTIONS
    eligible = np.flatnonzero((fractions >= low) & (fractions <= high))
    damage = generator.choice(["cut", "drop", "shift"]) if len(eligible) else "cut"
    # A cut opens the longest stroke.
    number = int(lengths.argmax() if damage == "cut" else generator.choice(eligible))
    stroke = strokes[number]
    replacement = []
    if damage == "cut":  # The stroke loses its beginning, middle or end, so that a loop opens.
        points = at_equal_steps(stroke, path_along(stroke), NUM_STEPS)
        count = round(NUM_STEPS * generator.uniform(*CUT_FRACTIONS))
        last_start = NUM_STEPS - count
        start = int(generator.choice([0, last_start // 2, last_start]))
        ends = (points[: start + 1], points[start + count :])
        replacement = [end for end in ends if len(end) > 1]
    elif damage == "shift":
        angle = generator.uniform(0, 2 * np.pi)
        distance = size * generator.uniform(*SHIFT_FRACTIONS)
        replacement = [stroke + distance * np.array([np.cos(angle), np.sin(angle)])]
    return from_strokes([*strokes[:number], *replacement, *strokes[number + 1 :]])
