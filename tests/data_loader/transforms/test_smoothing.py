import numpy as np
import pytest

from data_loader.transforms.smoothing import Smooth
from tests.data_loader.transforms.applied import applied
from utils.checks import ConfigFault
from utils.ink import from_strokes, strokes, to_points

GENERATOR = np.random.default_rng(0)


def walk(length):
    return np.cumsum(GENERATOR.normal(0, 5, (length, 2)), axis=0)


def smoothed(ink, **options):
    missing = np.arange(len(ink), dtype=np.uint8)
    result, gaps = applied(Smooth(**options), ink, missing)
    assert (gaps == missing).all()
    assert (result[:, 2] == ink[:, 2]).all() and (result[0] == ink[0]).all()
    return result


def fitted(points, window, order):
    """Return each point from numpy's fit to the window around it, or the nearest whole one."""
    half = window // 2
    rows = []
    for n in range(len(points)):
        first = min(max(n - half, 0), len(points) - window)
        places = np.arange(first, first + window)
        fits = [np.polyfit(places, points[places, axis], order) for axis in (0, 1)]
        rows.append([np.polyval(fit, n) for fit in fits])
    return np.array(rows)


@pytest.mark.parametrize(
    ("length", "window", "order", "fitted_window"),
    [
        *((21, 3, 1, 3), (22, 5, 2, 5), (60, 7, 3, 7), (60, 9, 2, 9), (21, 21, 5, 21)),
        # Short strokes have the largest window that they fill.
        *((4, 9, 1, 3), (5, 9, 1, 5), (6, 9, 1, 5), (7, 9, 1, 7), (8, 9, 1, 7), (9, 9, 1, 9)),
    ],
)
def test_it_is_the_polynomial_fitted_to_each_window(length, window, order, fitted_window):
    points = walk(length)
    result = to_points(smoothed(from_strokes([points]), window=window, order=order))
    expected = fitted(points, fitted_window, order)
    np.testing.assert_allclose(result, expected - expected[0], atol=1e-3)


def test_strokes_are_smoothed_apart_and_stay_where_they_are():
    pieces = [walk(30), walk(1) + 100, walk(2), walk(3), walk(40) - 300]
    ink = from_strokes(pieces)
    result = strokes(smoothed(ink, window=7, order=2))
    first = fitted(pieces[0], 7, 2)[0]  # ink begins at its first point
    for before, after in zip(pieces, result, strict=True):
        same = len(before) <= 3
        expected = before if same else fitted(before, 7, 2)
        np.testing.assert_allclose(after, expected - first, atol=2e-3)


def test_windows_that_do_not_fit_are_refused():
    with pytest.raises(ConfigFault, match="window = 6: an odd number"):
        Smooth(window=6)
    with pytest.raises(ConfigFault, match="order = 5: less than window, which is 5"):
        Smooth(window=5, order=5)
