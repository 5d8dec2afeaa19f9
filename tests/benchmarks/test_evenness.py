"""How much the lines of a page differ, on pages whose differences are planted."""

import math

import numpy as np
import pytest

from benchmarks.evenness import LEAST_LINES, of_line, of_page
from utils.ink import from_strokes

TEXT = "aaaaa bbbbb ccccc ddddd"


def line(height=10.0, slope=0.0, slant=0.0, gaps=(1.5, 1.5, 1.5), drift=(0, 0, 0, 0)):
    """Four words of five strokes down, `height` high and half of it apart; `slope` and `slant` in
    degrees, gaps and the words' distances below the line in x-heights."""
    strokes, x = [], 0.0
    for below, gap in zip(drift, (*gaps, 0.0), strict=True):
        word = [(x + 0.5 * (n // 2), below + n % 2 - 1.0) for n in range(10)]
        strokes.append(np.array(word))
        x += 2.0 + gap
    lean, angle = math.tan(math.radians(slant)), math.radians(slope)
    shear = np.array([[1.0, 0.0], [-lean, 1.0]])
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return from_strokes([height * stroke @ shear @ turn for stroke in strokes])


@pytest.mark.parametrize(
    ("name", "values", "found", "spread"),
    [
        ("height", [10, 11, 12, 13, 14], "x_height", 1 / 12),
        ("slope", [-2, -1, 0, 1, 2], "slope", 1),
        ("slant", [3, 4, 5, 6, 7], "slant", 1),
        ("gaps", [(gap,) * 3 for gap in (1.0, 1.25, 1.5, 1.75, 2.0)], "word_space", 1 / 4 / 1.5),
    ],
)
def test_each_spread_is_the_planted_one_and_the_others_are_none(name, values, found, spread):
    page = of_page([(line(**{name: value}), TEXT) for value in values])
    assert page.pop(found) == pytest.approx(math.sqrt(2.5) * spread, rel=1e-3)
    assert page == pytest.approx(dict.fromkeys(page, 0), abs=1e-3)


def test_the_spread_within_a_line_does_not_depend_on_its_slope():
    one = of_line(line(slope=3.0, gaps=(1.0, 1.5, 2.0), drift=(0, 0.1, 0.1, 0)), TEXT)
    assert one["gap_spread"] == pytest.approx(0.5 / 1.5, rel=1e-3)
    assert one["word_drift"] == pytest.approx(0.1 / math.sqrt(3), rel=1e-2)
    assert one["slope"] == pytest.approx(3.0, abs=1e-3)


def test_what_is_too_short_is_not_measured():
    assert all(map(math.isnan, of_page([(line(), TEXT)] * (LEAST_LINES - 1)).values()))
    three = of_line(line(gaps=(1.0, 2.0), drift=(0, 0, 0)), "aaaaa bbbbb ccccc")
    assert three["gap_spread"] == pytest.approx(math.sqrt(0.5) / 1.5, rel=1e-3)
    for text in ("aaaaabbbbb", "", "a b c d e f"):
        one = of_line(line(), text)
        assert all(math.isnan(one[name]) for name in ("word_space", "word_drift", "gap_spread"))
