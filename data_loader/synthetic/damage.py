"""Characters damaged until they are none, for a recogniser that says so.

CTC reads ink that is no character as the likeliest character. So one more label, `WRONG`, is
learned on characters of which a stroke was dropped or shifted, or a part cut off.
"""

from collections.abc import Sequence

import numpy as np

from data_loader.synthetic.paths import from_strokes, to_strokes
from utils.alphabet import WRONG
from utils.ink import at_equal_steps, path_along

FRACTIONS = (0.15, 0.7)
"""Bounds on the length of a stroke that is dropped or shifted, as a fraction of its character's
(assumed: less is a dot, without which an `i` is read)."""
CUT = (0.25, 0.5)
"""Bounds on the fraction of the longest stroke that is cut off (assumed)."""
PIECES = 40
"""Steps that the longest stroke is divided into (assumed)."""
SHIFT = (0.35, 0.7)
"""Bounds on the shift of a stroke, over the larger extent of its character (assumed)."""
TURNS = 1.5
"""Least length of the path of a character that is damaged, over its larger extent (assumed): a bare
stroke, as of an `l`, has nothing to lose."""


def with_damage(
    text: str, paths: Sequence[np.ndarray], generator: np.random.Generator
) -> tuple[str, list[np.ndarray]]:
    """Return a text and the paths of its characters, one of them damaged and `WRONG` in the text;
    both as they were if no letter or digit can be damaged."""
    paths = list(paths)
    for place in generator.permutation(len(text)).tolist():
        if text[place].isalnum() and (path := damaged(paths[place], generator)) is not None:
            paths[place] = path
            return text[:place] + WRONG + text[place + 1 :], paths
    return text, paths


def damaged(path: np.ndarray, generator: np.random.Generator) -> np.ndarray | None:
    """Return the path of a character, damaged in one of the ways that it allows; None if it is a
    bare stroke."""
    strokes = to_strokes(path)
    lengths = np.array([path_along(stroke)[-1] for stroke in strokes])
    size = float(np.ptp(path[:, :2], axis=0).max())
    if lengths.sum() <= TURNS * size:  # as of a dot
        return None
    fractions = lengths / lengths.sum()
    some = np.flatnonzero((fractions >= FRACTIONS[0]) & (fractions <= FRACTIONS[1]))
    way = generator.choice(["cut", "drop", "shift"]) if len(some) else "cut"
    number = int(lengths.argmax() if way == "cut" else generator.choice(some))
    before, stroke, after = strokes[:number], strokes[number], strokes[number + 1 :]
    kept = []
    if way == "cut":  # its beginning, middle or end, so that a loop opens
        fine = at_equal_steps(stroke, path_along(stroke), PIECES)
        count = round(PIECES * generator.uniform(*CUT))
        first = int(generator.choice([0, (PIECES - count) // 2, PIECES - count]))
        kept = [part for part in (fine[: first + 1], fine[first + count :]) if len(part) > 1]
    elif way == "shift":
        angle, far = generator.uniform(0, 2 * np.pi), size * generator.uniform(*SHIFT)
        kept = [stroke + far * np.array([np.cos(angle), np.sin(angle)])]
    return from_strokes([*before, *kept, *after])
