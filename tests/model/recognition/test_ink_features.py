"""The features of a recogniser are those of the writing, not of the device."""

import math
from unittest import mock

import numpy as np
import pytest

from data_loader.synthetic.invented.font_writers import EmbeddedDataset
from ink.delayed_strokes import undelayed_order
from ink.geometry import DOT_INK, at_equal_steps, from_strokes, path_along, strokes, x_height
from model.recognition import ink_features
from model.recognition.ink_features import (
    FEATURE_SPACING,
    NUM_FEATURES,
    StrokeFeatures,
    num_features,
    rows_of_features,
    stroke_features,
)


def wave(points, speed=1.0):
    """Return two waves and a dot, sampled in `points` places, unevenly if `speed` is not 1."""
    x = np.linspace(0, 1, points) ** speed * 12 * np.pi
    first = np.stack([10 * x, 20 * np.sin(x)], 1)
    return from_strokes([first, first * [1, 0.5] + [450, 0], np.array([[200.0, -60.0]])])


def scaled(numbers):
    """Return distances in x-heights as features have them."""
    return 8 * np.arcsinh(np.asarray(numbers) / 8)


def test_features_do_not_depend_on_the_unit_nor_on_where_the_ink_lies():
    ink = wave(500)
    other = ink * np.float32([37.5, 37.5, 1])
    other[0, :2] = (1000, -500)
    np.testing.assert_allclose(stroke_features(other), stroke_features(ink), atol=1e-3)


def test_features_hardly_depend_on_sampling_rate_and_speed():
    difference = np.abs(stroke_features(wave(2000)) - stroke_features(wave(600, speed=1.4)))
    # Turning points that are sampled elsewhere move by a fraction of the distance of points.
    assert np.median(difference) < 0.01 and difference.mean() < 0.03


@pytest.mark.parametrize("spacing", [FEATURE_SPACING, 0.1])
def test_points_are_equally_far_apart_and_keep_the_ends_of_strokes(spacing):
    ink = wave(800)
    features = stroke_features(ink, spacing, undelays=False)
    starts, ends = features[:, 4] == 1, features[:, 5] == 1
    assert starts.sum() == ends.sum() == 3 and starts[-1] and ends[-1]  # the dot is both
    length = np.hypot(*np.diff(np.cumsum(ink[:800, :2], 0), axis=0).T).sum()
    steps = int(np.ceil(length / (spacing * x_height(ink))))
    assert np.flatnonzero(ends)[0] == steps
    np.testing.assert_allclose(np.hypot(*features[~starts, :2].T), 1, atol=1e-5)
    assert not features[starts, :2].any()


def test_square_has_the_directions_turns_and_heights_worked_by_hand():
    ink = from_strokes([np.array([[0, 0], [0, 8], [8, 8], [8, 0]], float)])  # down, right, up
    assert x_height(ink) == 8
    features = stroke_features(ink)  # 24 long at no more than 0.35 * 8 = 2.8: 9 pieces of 8 / 3
    directions = [[0, 0], *[[0, 1]] * 3, *[[1, 0]] * 3, *[[0, -1]] * 3]
    np.testing.assert_allclose(features[:, :2], directions, atol=1e-6)
    # From down to right, with y downwards: cosine 0, sine of -90 degrees.
    turns = np.zeros((10, 2))
    turns[[3, 6]] = -1
    np.testing.assert_allclose(features[:, 2:4], turns, atol=1e-6)
    # As wide as it is high: heights are relative to the middle of its points.
    depths = np.array([0, 1, 2, 3, 3, 3, 3, 2, 1, 0]) / 3
    np.testing.assert_allclose(features[:, 8], scaled(depths.mean() - depths), atol=1e-6)


def test_parts_of_the_path_between_points_show_a_tip_between_them():
    tip = np.array([[0, 0], [7, 0], [7, 1], [7, 0], [14, 0], [14, 20]], float)
    ink = from_strokes([tip, np.array([[3.0, 9.0]])])
    features = stroke_features(ink, spacing=0.3, parts=3)  # 36 long: 6 pieces of 6, parts of 2
    assert x_height(ink) == 20 and features.shape == (8, num_features(3)) == (8, 16)
    np.testing.assert_allclose(features[:, :10], stroke_features(ink, spacing=0.3), atol=1e-6)
    directions = features[:, 10:].reshape(-1, 3, 2) / 3 + features[:, None, :2]
    onward, down = [1, 0], [0, 1]
    # 1 on and 1 down, 1 up and 1 on, 2 on: of the part of 2 each is a half.
    np.testing.assert_allclose(directions[2], [[0.5, 0.5], [0.5, -0.5], onward], atol=1e-6)
    np.testing.assert_allclose(directions[3], [onward, onward, down], atol=1e-6)
    np.testing.assert_allclose(features[3, :2], np.array([4, 2]) / 20**0.5, atol=1e-6)
    assert not np.delete(features[:, 10:], [2, 3], axis=0).round(6).any()  # straight, and the dot


def test_delayed_stroke_has_its_jump_and_its_distance_to_the_rightmost_point():
    bar = np.stack([np.linspace(0, 100, 50), np.tile([0.0, 10.0], 25)], 1)
    ink = from_strokes([bar, np.array([[40.0, -20.0]])])
    features, height = stroke_features(ink, undelays=False), x_height(ink)
    expected = scaled([-60 / height, -30 / height, 60 / height])
    np.testing.assert_allclose(features[-1, [6, 7, 9]], expected, rtol=1e-5)
    assert not features[:-1, [6, 7, 9]].any()


@pytest.mark.parametrize("parts", [1, 4])
@pytest.mark.parametrize(
    "stroke",
    [
        [[3, 4]],
        [[3, 4]] * 3,
        [[0, 0], [50, 0]],
        [[0, 0], [1e-30, 0]],
        [[0, 0], [1e30, 1e30], [0, 1]],
    ],
    ids=["dot", "rest", "dash", "tiny", "huge"],
)
def test_dots_dashes_and_huge_ink_have_finite_features(stroke, parts):
    features = stroke_features(from_strokes([np.array(stroke, float)]), parts=parts)
    assert features.shape[1] == NUM_FEATURES + 8 * (parts == 4) and len(features) >= 1
    assert features.dtype == np.float32 and np.isfinite(features).all()


def test_long_scribble_is_resampled_at_a_wider_spacing():
    ink = np.zeros((100_000, 3), dtype=np.float32)
    ink[1:, :2] = np.random.default_rng(0).normal(size=(99_999, 2))
    assert len(stroke_features(ink)) <= 20_002


@pytest.mark.parametrize("parts", [1, 3])
def test_all_strokes_at_once_are_resampled_as_each_by_itself_bit_for_bit(parts):
    """Random strokes, also dots and points that repeat, against numpy's functions of one stroke."""
    generator = np.random.default_rng(5)
    spacing = 0.3
    height = 2.0
    for _ in range(60):
        ink = generator.normal(0, generator.choice([0.01, 1, 30]), (generator.integers(1, 50), 3))
        ink[generator.random(len(ink)) < 0.3, :2] = 0
        ink[:, 2] = generator.random(len(ink)) < 0.3
        ink = ink.astype(np.float32)
        points = []
        rows = []
        firsts = []
        start = 0
        for stroke in strokes(ink):
            along = path_along(stroke)
            count = math.ceil(along[-1] / (spacing * height))
            ends = np.linspace(0, along[-1], count + 1)
            points.append(at_equal_steps(stroke, along, parts * count)[::parts] / height)
            own = np.arange(start, start + len(stroke), dtype=float)
            rows.append(np.interp(ends, along, own) if count else own[:1])
            firsts += [True] + [False] * count
            start += len(stroke)
        steps = np.diff(np.concatenate(points), axis=0, prepend=0.0)
        steps[firsts] = 0.0
        expected = steps / np.maximum(np.hypot(*steps.T), 1e-12)[:, None]
        features = stroke_features(ink, spacing, parts, height, undelays=False)
        np.testing.assert_array_equal(features[:, :2], expected.astype(np.float32))
        np.testing.assert_array_equal(features[:, 4], np.array(firsts, np.float32))
        with mock.patch.object(ink_features, "x_heights", lambda inks: [height]):
            np.testing.assert_array_equal(rows_of_features(ink, spacing), np.concatenate(rows))


def test_the_features_of_several_lines_are_those_of_each_by_itself_bit_for_bit():
    """Lines with dots written late, a dot alone, and a stroke whose end is not marked."""
    generator = np.random.default_rng(3)
    lines = [sample.ink for sample in EmbeddedDataset(seed=2, size=12).load(["train"]).used]
    for number in range(5):
        late = [*strokes(lines[number]), np.array([[3.0, -40.0], [3.5, -39.0]])]
        lines.append(from_strokes([stroke + generator.normal(0, 1, 2) for stroke in late]))
    unended = lines[1].copy()
    unended[-1, 2] = 0.0
    lines += [DOT_INK, unended, DOT_INK * 5]
    orders = [undelayed_order(ink, x_height(ink)) for ink in lines]
    assert sum((np.diff(order) < 0).any() for order in orders) >= 5
    for parts, height, undelays in ((1, None, True), (4, None, True), (3, 2.5, False)):
        features = StrokeFeatures(0.4, parts)
        together = features.batch(lines, height, undelays)
        for ink, of_line in zip(lines, together, strict=True):
            np.testing.assert_array_equal(of_line, features(ink, height, undelays))
    assert features.batch([]) == []
