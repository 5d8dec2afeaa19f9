import numpy as np
import pytest

from data_loader.transforms.smoothing import Smooth
from utils.checks import ConfigFault
from utils.ink import from_strokes, strokes, to_points

GENERATOR = np.random.default_rng(0)


def walk(length):
    return np.cumsum(GENERATOR.normal(0, 5, (length, 2)), axis=0)


def smoothed(ink, missing=None, **options):
    before = ink.copy()
    missing = np.arange(len(ink), dtype=np.uint8) if missing is None else missing
    result, gaps = Smooth(**options)(ink, missing, np.random.default_rng(0))
    assert (ink == before).all() and (gaps == missing).all()
    assert result.dtype == np.float32 and result.shape == ink.shape
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


@pytest.mark.parametrize(("window", "order"), [(3, 1), (5, 2), (7, 3), (9, 2), (21, 5)])
@pytest.mark.parametrize("length", [21, 22, 60])
def test_it_is_the_polynomial_fitted_to_each_window(window, order, length):
    points = walk(length)
    ink = from_strokes([points])
    result = to_points(smoothed(ink, window=window, order=order))
    expected = fitted(points, window, order)
    np.testing.assert_allclose(result, expected - expected[0], atol=1e-3)


@pytest.mark.parametrize(("length", "window"), [(4, 3), (5, 5), (6, 5), (7, 7), (8, 7), (9, 9)])
def test_short_strokes_have_the_largest_window_that_they_fill(length, window):
    points = walk(length)
    result = to_points(smoothed(from_strokes([points]), window=9, order=1))
    expected = fitted(points, window, 1)
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


def test_polynomials_stay_and_noise_goes():
    time = np.linspace(0, 1, 2000)
    curve = np.stack([200 * time, 300 * time**3 - 200 * time**2], axis=1)
    kept = smoothed(from_strokes([curve]), window=9, order=3)
    np.testing.assert_allclose(to_points(kept), curve, atol=1e-2)
    noisy = curve + np.random.default_rng(1).normal(0, 1, curve.shape)
    left = to_points(smoothed(from_strokes([noisy]), window=9, order=3)) - curve
    # Of the variance 59/231 remains, the weight in the middle (Savitzky and Golay 1964, table I);
    # the tolerance is 5 standard deviations of the estimate, whose points are correlated.
    assert left.var(axis=0).mean() == pytest.approx(59 / 231, rel=0.25)


def test_windows_that_do_not_fit_are_refused():
    with pytest.raises(ConfigFault, match="window = 6: an odd number"):
        Smooth(window=6)
    with pytest.raises(ConfigFault, match="order = 5: less than window, which is 5"):
        Smooth(window=5, order=5)
