"""Characters damaged until they are none, for a recogniser that says so.

CTC chooses among characters: of ink that is none of them it says the likeliest. So one more label,
`WRONG`, is learned on characters of which a stroke was dropped or shifted, or a part cut off.
"""

from collections.abc import Callable, Sequence

import numpy as np

from data_loader.synthetic.paths import from_strokes, to_strokes
from utils.alphabet import WRONG
from utils.ink import at_equal_steps, path_along

LEAST, MOST = 0.15, 0.7
"""Share of the path of a character that a stroke has which is dropped or shifted (assumed: less is
a dot, without which an `i` is read)."""
CUT = (0.25, 0.5)
"""Share of the longest stroke that is cut off (assumed)."""
SHIFT = (0.35, 0.7)
"""How far a stroke is shifted, in the larger of the character's width and height (assumed)."""
TURNS = 1.5
"""The least length of a character's path over its larger extent: a bare stroke, as of an `l`, has
nothing to lose (assumed)."""
PIECES = 40
"""Steps into which a stroke is divided to be cut."""

Strokes = list[np.ndarray]


def with_damage(
    text: str, paths: Sequence[np.ndarray], generator: np.random.Generator
) -> tuple[str, list[np.ndarray]]:
    """Return a text with `WRONG` for one of its characters, and the paths with that one damaged.

    Both are as they were if no letter or digit among them can be damaged.

    Args:
        text: the characters.
        paths: of each.
        generator: of the choice.
    """
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
    shares = lengths / lengths.sum()
    some = np.flatnonzero((shares >= LEAST) & (shares <= MOST)).tolist()
    ways: list[Callable[[], Strokes]] = [lambda: _cut(strokes, int(lengths.argmax()), generator)]
    if some:
        chosen = int(generator.choice(some))
        ways.append(lambda: strokes[:chosen] + strokes[chosen + 1 :])
        ways.append(lambda: _shifted(strokes, chosen, size, generator))
    return from_strokes(ways[int(generator.integers(len(ways)))]())


def _cut(strokes: Strokes, number: int, generator: np.random.Generator) -> Strokes:
    """Return strokes of which one lacks its beginning, end or middle, so that loops open."""
    stroke = strokes[number]
    fine = at_equal_steps(stroke, path_along(stroke), PIECES)
    count = round(PIECES * generator.uniform(*CUT))
    first = int(generator.choice([0, (PIECES - count) // 2, PIECES - count]))
    # A part has two points or more, or there is nothing left of it.
    kept = [part for part in (fine[: first + 1], fine[first + count :]) if len(part) > 1]
    return [*strokes[:number], *kept, *strokes[number + 1 :]]


def _shifted(strokes: Strokes, number: int, size: float, generator: np.random.Generator) -> Strokes:
    """Return strokes of which one was shifted to any side."""
    angle, far = generator.uniform(0, 2 * np.pi), size * generator.uniform(*SHIFT)
    move = far * np.array([np.cos(angle), np.sin(angle)])
    return [stroke + move * (k == number) for k, stroke in enumerate(strokes)]
