"""The features of a recogniser are those of the writing, not of the device."""

import numpy as np
import pytest

from model.recognition.ink_features import NUM_FEATURES, SPACING, num_features, stroke_features
from utils.ink import from_strokes, x_height


def wave(points: int, speed: float = 1.0) -> np.ndarray:
    """Return a wave as ink, sampled in `points` places; `speed` other than 1 makes that uneven."""
    x = np.linspace(0, 1, points) ** speed * 12 * np.pi
    first = np.stack([10 * x, 20 * np.sin(x)], 1)
    second = first * [1, 0.5] + [450, 0]
    dot = np.array([[200.0, -60.0]])
    return from_strokes([first, second, dot])


def test_features_do_not_depend_on_the_unit_nor_on_where_the_ink_lies():
    ink = wave(500)
    other = ink.copy()
    other[:, :2] *= 37.5
    other[0, :2] = (1000, -500)
    np.testing.assert_allclose(stroke_features(other), stroke_features(ink), atol=1e-3)


def test_features_hardly_depend_on_sampling_rate_and_speed():
    slow, fast = stroke_features(wave(2000)), stroke_features(wave(600, speed=1.4))
    assert len(slow) == len(fast)
    difference = np.abs(slow - fast)
    # Turning points that are sampled elsewhere move by a fraction of the distance of points.
    assert np.median(difference) < 0.01
    assert difference.mean() < 0.03


@pytest.mark.parametrize("spacing", [SPACING, 0.1])
def test_points_are_equally_far_apart_and_keep_the_ends_of_strokes(spacing):
    ink = wave(800)
    features = stroke_features(ink, spacing, undelays=False)
    height = x_height(ink)
    starts, ends = features[:, 4] == 1, features[:, 5] == 1
    assert starts.sum() == ends.sum() == 3
    assert starts[-1] and ends[-1]  # the dot is one point, and both
    length = np.hypot(*np.diff(np.cumsum(ink[:800, :2], 0), axis=0).T).sum()
    first = np.flatnonzero(ends)[0] + 1
    assert first == int(np.ceil(length / (spacing * height))) + 1
    directions = np.hypot(features[~starts, 0], features[~starts, 1])
    np.testing.assert_allclose(directions, 1, atol=1e-5)
    assert not features[starts, :2].any()


def test_a_square_gives_the_directions_and_turns_worked_by_hand():
    corners = np.array([[0, 0], [0, 8], [8, 8], [8, 0]], dtype=float)  # down, right, up
    ink = from_strokes([corners])
    assert x_height(ink) == 8
    features = stroke_features(ink)
    assert len(features) == 10  # 24 long at no more than 0.35 * 8 = 2.8: 9 pieces of 8 / 3
    np.testing.assert_allclose(features[1:4, :2], [[0, 1]] * 3, atol=1e-6)
    np.testing.assert_allclose(features[4:7, :2], [[1, 0]] * 3, atol=1e-6)
    np.testing.assert_allclose(features[7:, :2], [[0, -1]] * 3, atol=1e-6)
    # From down to right, with y downwards: cosine 0, sine of -90 degrees.
    np.testing.assert_allclose(features[3, 2:4], [-1, -1], atol=1e-6)
    np.testing.assert_allclose(features[6, 2:4], [-1, -1], atol=1e-6)
    assert not np.delete(features[:, 2:4], [3, 6], axis=0).any()
    # As wide as it is high: heights are relative to the middle of its points.
    depths = np.array([0, 1, 2, 3, 3, 3, 3, 2, 1, 0]) / 3
    np.testing.assert_allclose(
        features[:, 8], 8 * np.arcsinh((depths.mean() - depths) / 8), atol=1e-6
    )


def test_parts_of_the_way_between_points_show_what_falls_between_them():
    """A tip between two points, worked by hand."""
    tip = np.array([[0, 0], [7, 0], [7, 1], [7, 0], [14, 0], [14, 20]], dtype=float)
    ink = from_strokes([tip, np.array([[3.0, 9.0]])])
    assert x_height(ink) == 20
    features = stroke_features(ink, spacing=0.3, parts=3)  # 36 long: 6 pieces of 6, parts of 2
    assert features.shape == (8, num_features(3)) == (8, 16)
    np.testing.assert_allclose(features[:, :10], stroke_features(ink, spacing=0.3), atol=1e-6)
    shares = features[:, 10:].reshape(-1, 3, 2) / 3 + features[:, None, :2]
    onward, down = [1, 0], [0, 1]
    # 1 on and 1 down, 1 up and 1 on, 2 on: of the way of 2 each is a half.
    np.testing.assert_allclose(shares[2], [[0.5, 0.5], [0.5, -0.5], onward], atol=1e-6)
    np.testing.assert_allclose(shares[3], [onward, onward, down], atol=1e-6)
    np.testing.assert_allclose(features[3, :2], np.array([4, 2]) / 20**0.5, atol=1e-6)
    assert not np.delete(features[:, 10:], [2, 3], axis=0).round(6).any()  # straight, and the dot


def test_a_jump_back_is_a_delayed_stroke():
    bar = np.stack([np.linspace(0, 100, 50), np.tile([0.0, 10.0], 25)], 1)
    dot = np.array([[40.0, -20.0]])
    features = stroke_features(from_strokes([bar, dot]), undelays=False)
    height = x_height(from_strokes([bar, dot]))
    assert features[-1, 9] == pytest.approx(8 * np.arcsinh(60 / height / 8), rel=1e-5)
    jump = np.array([-60.0, -30.0]) / height
    np.testing.assert_allclose(features[-1, 6:8], 8 * np.arcsinh(jump / 8), rtol=1e-5)
    assert not features[:-1, 9].any() and not features[:-1, 6:8].any()


@pytest.mark.parametrize(
    "piece",
    [
        np.array([[3.0, 4.0]]),
        np.array([[3.0, 4.0], [3.0, 4.0], [3.0, 4.0]]),
        np.array([[0.0, 0.0], [50.0, 0.0]]),
        np.array([[0.0, 0.0], [1e-30, 0.0]]),
        np.array([[0.0, 0.0], [1e30, 1e30], [0.0, 1.0]]),
    ],
    ids=["dot", "rest", "dash", "tiny", "huge"],
)
@pytest.mark.parametrize("parts", [1, 4])
def test_odd_ink_gives_finite_features(piece, parts):
    features = stroke_features(from_strokes([piece]), parts=parts)
    assert features.shape[1] == NUM_FEATURES + 8 * (parts == 4) and len(features) >= 1
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_a_hundred_thousand_points_of_scribble_stay_within_the_limit():
    ink = np.zeros((100_000, 3), dtype=np.float32)
    ink[1:, :2] = np.random.default_rng(0).normal(size=(99_999, 2))
    assert len(stroke_features(ink)) <= 20_002
