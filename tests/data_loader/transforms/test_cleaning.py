import numpy as np
import pytest

from data_loader import FillMissing, RemoveSlips, Smooth
from data_loader.synthetic.invented.font_writers import FontWriter, write
from data_loader.synthetic.invented.stroke_fonts import FONTS
from ink.geometry import from_strokes, strokes, to_points, x_height
from tests.data_loader.transforms.applied import applied
from utils.checks import ConfigFault

GENERATOR = np.random.default_rng(0)


def line(text="a quick word", font="print", seed=0, **hand):
    writer = FontWriter.invent(np.random.default_rng([seed, 1]), [font])
    return write(text, FontWriter(**vars(writer) | hand), np.random.default_rng(seed), 75.0)


def cleaned(ink, missing=None, **options):
    return applied(RemoveSlips(**options), ink, missing)


def with_glitch(pieces, place, count, jump):
    """Return the strokes, the longest of which is elsewhere for `count` points from `place`."""
    changed = [stroke.copy() for stroke in pieces]
    max(changed, key=len)[place : place + count] += jump
    return changed


@pytest.mark.parametrize("count", [1, 2, 3])
def test_glitches_are_removed_and_count_as_missing_points(count):
    ink = line()
    pieces, height = strokes(ink), x_height(ink)
    slipped = from_strokes(with_glitch(pieces, 8, count, (1.5 * height, height)))
    result, gaps = cleaned(slipped)
    sizes = list(map(len, pieces))
    start = sum(sizes[: np.argmax(sizes)]) + 8
    expected = np.delete(to_points(ink), range(start, start + count), axis=0)
    np.testing.assert_allclose(to_points(result), expected - expected[0], atol=0.02)
    assert gaps[start] == count and gaps.sum() == count
    filled, _ = FillMissing()(result, gaps, np.random.default_rng(0))
    assert len(filled) == len(ink) and (filled[:, 2] == ink[:, 2]).all()
    assert len(cleaned(slipped, jump=0.0)[0]) == len(ink)
    missing = np.zeros(len(ink), dtype=np.uint8)
    missing[start] = 250
    assert cleaned(slipped, missing)[1].sum() <= 250  # it had the time: no glitch


def test_long_steps_that_are_no_glitches_stay():
    pieces, far = strokes(line()), 2 * x_height(line())
    longer = with_glitch(pieces, 8, 4, (far, 0))
    turned = with_glitch(pieces, 8, 1000, (far, 0))  # never back
    ends = with_glitch(pieces, 0, 1, (far, 0))  # a bar may begin with a long step
    fast = [np.cumsum([[0, 0], *[[15, 90], [15, -90]] * n], axis=0) for n in (1, 2, 5)]  # v, w
    corner = with_glitch(with_glitch(pieces, 8, 1, (far, 0)), 9, 1000, (far, far))
    for positions in (longer, turned, ends, corner, *([zigzag] for zigzag in fast)):
        assert len(cleaned(from_strokes(positions))[0]) == sum(map(len, positions))


def test_taps_on_the_next_stroke_are_removed():
    ink = line()
    pieces, size = strokes(ink), x_height(ink)
    tap = pieces[3][:1] + 0.05 * size
    bounced = [*pieces[:3], tap, tap + 0.01 * size, *pieces[3:]]
    result, gaps = cleaned(from_strokes(bounced))
    np.testing.assert_allclose(to_points(result), to_points(ink), atol=0.02)
    assert gaps.sum() == 2 and gaps[sum(map(len, pieces[:3]))] == 2
    assert len(cleaned(from_strokes(bounced), tap=0.0)[0]) == len(ink) + 2
    first, gaps = cleaned(from_strokes([pieces[0][:1], *pieces]))
    np.testing.assert_allclose(to_points(first), to_points(ink), atol=0.02)
    assert (first[0] == [0, 0, 0]).all() and not gaps.any()
    dot = tap + np.array([1, -2]) * size
    twice = from_strokes([*pieces, dot, dot + 0.02 * size])
    assert len(cleaned(twice)[0]) == len(ink) + 1


def test_dots_and_short_bars_stay():
    ink = line()
    pieces, size = strokes(ink), x_height(ink)
    end = pieces[-1][-1]
    stop = end + np.array([[0.02, 0.02]]) * size  # a full stop that touches the last letter
    bar = end + np.array([[-0.04, 0], [0, 0], [0.04, 0]]) * size  # a short bar across a stem
    diaeresis = end + np.array([[[0.5, -1.5]], [[0.8, -1.5]]]) * size
    for marks in ([stop], [bar], [stop, stop + np.array([0.3, 0]) * size], diaeresis):
        positions = [*pieces, *marks]
        assert len(cleaned(from_strokes(positions))[0]) == sum(map(len, positions))


@pytest.mark.parametrize("font", FONTS)
def test_marks_of_every_font_stay(font):
    for seed, text in enumerate(["i.j;:!?,'\"-_=%", "it's \"his\" - I'll, i.e. jij;", "f.i:!j..."]):
        ink = line(text, font, seed)
        assert len(cleaned(ink)[0]) == len(ink)


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
def test_smoothing_is_the_polynomial_fitted_to_each_window(length, window, order, fitted_window):
    points = walk(length)
    result = to_points(smoothed(from_strokes([points]), window=window, order=order))
    expected = fitted(points, fitted_window, order)
    np.testing.assert_allclose(result, expected - expected[0], atol=1e-3)


def test_strokes_are_smoothed_each_by_itself_and_stay_where_they_are():
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
