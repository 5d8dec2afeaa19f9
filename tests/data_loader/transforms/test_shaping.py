import math

import numpy as np
import pytest

from data_loader.synthetic.invented.font_writers import write
from data_loader.transforms.shaping import (
    LevelBaseline,
    ResampleDistance,
    ResampleTime,
)
from ink.geometry import from_strokes, to_points
from tests.data_loader.synthetic.invented.hands import hand, turned
from tests.data_loader.transforms.applied import applied
from utils.checks import DataError


def line(seed=0, text="several words on a line", **changes):
    """Return a line of a writer who writes level and upright unless told otherwise."""
    writer = hand(rounding=1.0, **dict(wobble=0.2, variation=0.3) | changes)
    return write(text, writer, np.random.default_rng(seed), 75.0)


def shaped(transform, ink, missing=None):
    result, _ = applied(transform, ink, missing)
    assert (result[0, :2] == ink[0, :2]).all()
    return result


@pytest.mark.parametrize("degrees", [-20, -5, 0, 8, 25])
def test_level_baseline_undoes_a_known_turn(degrees):
    for seed in range(3):
        ink = line(seed)
        sine = LevelBaseline().matrix(turned(ink, degrees), None)[0, 1]
        assert math.degrees(math.asin(sine)) == pytest.approx(degrees, abs=1.5)
        level = shaped(LevelBaseline(), turned(ink, degrees))
        atol = 0.03 * np.ptp(level[:, 0]) + 40
        np.testing.assert_allclose(to_points(level), to_points(ink), atol=atol)


def test_level_baseline_leaves_ink_without_a_baseline_or_turned_too_far():
    for ink in (*(turned(line(text=text), 10) for text in "7a."), turned(line(), 50)):
        assert (shaped(LevelBaseline(), ink) == ink).all()


SQUARE = from_strokes(
    [np.array([[0, 0], [4, 0], [4, 2]]), np.array([[9, 9]]), np.array([[3, 3], [3, 7]])]
)


def test_resampling_by_distance_gives_equal_steps_and_keeps_the_ends_of_strokes():
    ink = shaped(ResampleDistance(spacing=2), SQUARE)
    first, last = [[0, 0], [2, 0], [4, 0], [4, 2]], [[3, 3], [3, 5], [3, 7]]
    assert to_points(ink).tolist() == [*first, [9, 9], *last]
    assert ink[:, 2].tolist() == [0, 0, 0, 1, 1, 0, 0, 1]
    open_end = SQUARE.copy()
    open_end[-1, 2] = 0  # the pen is still down
    assert shaped(ResampleDistance(spacing=2), open_end)[-1, 2] == 0
    assert len(shaped(ResampleDistance(spacing=100), SQUARE)) == 5  # both ends of each stroke
    still = from_strokes([np.zeros((5, 2))])
    assert len(shaped(ResampleDistance(spacing=1), still)) == 2


def test_resampling_by_time_counts_missing_points_as_time():
    ink = from_strokes([np.array([[0, 0], [2, 0], [8, 0], [9, 0]])])
    missing = np.array([0, 0, 2, 0], dtype=np.uint8)  # three periods from x = 2 to x = 8
    result = shaped(ResampleTime(period=1), ink, missing)
    assert to_points(result)[:, 0].tolist() == [0, 2, 4, 6, 8, 9]
    ends = [[0, 0], [4, 2], [9, 9], [3, 3], [3, 7]]
    assert to_points(shaped(ResampleTime(period=2), SQUARE)).tolist() == ends
    half = to_points(shaped(ResampleTime(period=0.5), ink))[:, 0]
    assert half.tolist() == [0, 1, 2, 5, 8, 8.5, 9]


def test_resampling_to_more_than_a_million_points_is_refused():
    many = from_strokes([np.array([[0, 0], [4e5, 0]])] * 3)
    with pytest.raises(DataError, match="more than 1,000,000 points of one sample"):
        shaped(ResampleDistance(spacing=1), many)
