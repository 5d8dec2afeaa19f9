"""Hands told apart: invented writers, values by hand, and second implementations of the algebra."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal

from data_loader.synthetic.corpus import held_out
from data_loader.synthetic.embedded import EmbeddedDataset, write
from utils.checks import DataError, UserError
from utils.hand_features import BLOCKS, DIRECTIONS, HEIGHT, HINGE, SIZE, hand_features
from utils.hand_likeness import (
    SHRINKAGE,
    HandSpace,
    discriminant,
    fit,
    likelihoods,
    load,
    save,
    split_in_two,
)
from utils.ink import from_strokes, to_points

TEXTS = held_out(240)
PEOPLE = EmbeddedDataset(seed=7)


def line(writer, number, rate=75.0):
    """Return line `number` of an invented writer."""
    generator = np.random.default_rng([writer, number])
    return write(TEXTS[number], PEOPLE.invent(0, writer), generator, rate)


def part(features, name):
    start = sum(BLOCKS[other] for other in list(BLOCKS)[: list(BLOCKS).index(name)])
    return features[start : start + BLOCKS[name]]


def turned(ink, degrees):
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    result = ink.copy()
    result[1:, :2] = np.diff(to_points(ink) @ turn.T, axis=0)
    return result


@pytest.mark.parametrize(
    ("change", "share"),
    [
        (lambda n: line(n, n) * np.array([32, 32, 1], dtype=np.float32), 1e-4),
        (lambda n: line(n, n) + np.eye(len(line(n, n)), 3) * np.array([500, 0, 0]), 1e-4),
        (lambda n: turned(line(n, n), 4.0), 0.25),
        (lambda n: line(n, n, rate=200.0), 0.25),
    ],
    ids=["unit", "place", "slope", "sampling rate"],
)
def test_what_is_no_matter_of_the_hand_hardly_changes_the_features(change, share):
    before = np.array([hand_features(line(n, n)) for n in range(12)])
    after = np.array([hand_features(change(n)) for n in range(12)])
    others = [hand_features(line(n, n + 12)) for n in range(12)]  # of the same hand
    moved = np.linalg.norm(after - before, axis=1)
    assert np.median(moved) < share * np.median(np.linalg.norm(others - before, axis=1))


def test_features_of_straight_strokes_by_hand():
    found = hand_features(from_strokes([np.array([[0, 0], [50, 0]])]))
    assert found.shape == (SIZE,)
    hinges = np.zeros((HINGE, HINGE))
    hinges[0, 0] = 1
    np.testing.assert_allclose(part(found, "hinges of 3"), hinges.ravel(), atol=1e-9)
    heights = np.zeros((DIRECTIONS, len(HEIGHT)))
    heights[0, HEIGHT.tolist().index(0)] = 1
    np.testing.assert_allclose(part(found, "heights"), heights.ravel(), atol=1e-9)
    assert not part(found, "gaps").any()
    # Down, a quarter of the circle; then up again, 1.2 to the right: the gap is a knot.
    bars = from_strokes([np.array([[0, 0], [0, 10]]), np.array([[12, 0], [12, 10]])])
    found = hand_features(bars)
    hinges = np.zeros((HINGE, HINGE))
    hinges[HINGE // 4, HINGE // 4] = 1
    np.testing.assert_allclose(part(found, "hinges of 1"), hinges.ravel(), atol=1e-9)
    gaps = part(found, "gaps") ** 2
    assert gaps[9] == pytest.approx(1)
    assert not part(found, "hinges of 6").any()  # a bar has ten steps


def test_invented_hands_that_the_space_has_not_seen_are_told_apart():
    # By chance a line is right once in ten.
    space = fit([[line(n, 5 * n + k) for k in range(5)] for n in range(40)])
    hands = [[line(n, k) for k in range(4)] for n in range(100, 110)]
    others = [line(n, k) for n in range(100, 110) for k in range(10, 14)]
    owners = np.repeat(np.arange(10), 4)

    def told_right(count):
        samples = [space.embed(hand[:count]) for hand in hands]
        found = likelihoods(space.embed(others), samples, space.between.astype(np.float64))
        return (found.argmax(axis=1) == owners).mean()

    assert told_right(4) > 0.8
    assert 0.5 < told_right(1) <= told_right(4)


def made(generator, hands=30, lines=8, size=5):
    """Return features of hands with a mean each, and their owners."""
    mixing = generator.normal(size=(size, size))
    means = generator.normal(size=(hands, size)) * np.linspace(0.5, 3, size)
    owners = np.repeat(np.arange(hands), lines)
    return means[owners] + generator.normal(size=(len(owners), size)) @ mixing, owners


def test_discriminants_are_those_of_the_generalised_eigenproblem():
    features, owners = made(np.random.default_rng(0))
    space = discriminant(features, owners, np.ones(5), axes=5)
    means = np.array([features[owners == hand].mean(axis=0) for hand in range(30)])
    within = sum(np.cov(features[owners == hand].T) for hand in range(30)) / 30
    within = (1 - SHRINKAGE) * within + SHRINKAGE * np.trace(within) / 5 * np.eye(5)
    between = np.cov(means.T, bias=True)
    values = np.sort(np.linalg.eig(np.linalg.solve(within, between))[0].real)[::-1]
    # Less what a mean of eight lines owes to chance.
    np.testing.assert_allclose(space.between, np.maximum(values - 1 / 8, 0), atol=1e-4)
    projection = space.projection
    np.testing.assert_allclose(projection.T @ within @ projection, np.eye(5), atol=1e-4)
    np.testing.assert_allclose(projection.T @ between @ projection, np.diag(values), atol=1e-3)
    assert discriminant(features, owners, np.ones(5), axes=2).projection.shape == (5, 2)


def test_hands_do_not_differ_along_axes_of_noise():
    """Of 600 hands of eight lines: two axes with a variance of 4 and 1, and three of noise alone;
    of these the largest mean square is 0.125 by itself, and 0.15 by chance."""
    generator, owners = np.random.default_rng(1), np.repeat(np.arange(600), 8)
    means = generator.normal(size=(600, 5)) * [2, 1, 0, 0, 0]
    features = means[owners] + generator.normal(size=(len(owners), 5))
    between = discriminant(features, owners, np.ones(5), axes=5).between
    np.testing.assert_allclose(between, [4, 1, 0, 0, 0], atol=0.35)
    assert between[2:].max() < 0.03


def test_likelihoods_are_those_of_the_joint_normal_distribution():
    generator = np.random.default_rng(1)
    between, lines = np.array([4.0, 0.3]), generator.normal(size=(3, 2))
    samples = [generator.normal(size=(count, 2)) for count in (1, 4)]

    def joint(values, variance):
        covariance = torch.eye(len(values)) + variance * torch.ones(len(values), len(values))
        normal = torch.distributions.MultivariateNormal(torch.zeros(len(values)), covariance)
        return float(normal.log_prob(torch.tensor(values, dtype=torch.float32)))

    found = likelihoods(lines, samples, between) - math.log(2 * math.pi)  # of two axes
    for row, one in enumerate(lines):
        for column, sample in enumerate(samples):
            expected = sum(
                joint([one[axis], *sample[:, axis]], between[axis])
                - joint(sample[:, axis].tolist(), between[axis])
                for axis in range(2)
            )
            assert found[row, column] == pytest.approx(expected, abs=1e-4)


def test_lines_of_two_hands_are_divided_as_the_joint_normal_distribution_says():
    """Every division of eight lines, by the joint density of each group."""
    rng = np.random.default_rng(3)
    between = np.array([9.0, 4.0, 0.5])
    hands = rng.normal(size=(2, 3)) * np.sqrt(between)

    def density(lines):
        total = 0.0
        for axis, variance in enumerate(between):
            joint = torch.eye(len(lines), dtype=torch.float64) + variance
            values = torch.tensor(lines[:, axis])
            total += MultivariateNormal(torch.zeros_like(values), joint).log_prob(values).item()
        return total

    for sizes in ((5, 3), (7, 1), (8, 0)):
        lines = np.repeat(hands, sizes, axis=0) + rng.normal(size=(8, 3))
        divisions = [np.array([k >> n & 1 for n in range(8)], dtype=bool) for k in range(1, 255)]
        each = [density(lines[one]) + density(lines[~one]) for one in divisions]
        other, evidence = split_in_two(lines, between)
        best = divisions[int(np.argmax(each))]
        assert evidence == pytest.approx(max(each) - density(lines))
        assert (other == best).all() or (other == ~best).all()
        assert 0 < other.sum() <= 4


def test_a_space_comes_back_from_its_file(tmp_path):
    generator = np.random.default_rng(2)
    space = HandSpace(
        generator.normal(size=SIZE).astype(np.float32),
        1e6 * generator.normal(size=(SIZE, 96)).astype(np.float32),  # beyond float16
        np.linspace(9, 0, 96, dtype=np.float32),
    )
    path = tmp_path / "hands.npz"
    save(space, path)
    assert path.stat().st_size <= 200 * 1024
    with np.load(path) as parts:
        np.testing.assert_array_equal(parts["mean"], space.mean)
    again = load(path)
    np.testing.assert_array_equal(again.between, space.between)
    lines = [line(0, 0), line(1, 1)]
    expected = space.embed(lines)
    assert np.abs(again.embed(lines) - expected).max() < 2e-3 * np.abs(expected).max()


def test_bad_input_is_named(tmp_path):
    path = tmp_path / "hands.npz"
    with pytest.raises(DataError, match=r"hands\.npz: cannot be read"):
        load(path)
    path.write_bytes(b"PK nothing")
    with pytest.raises(DataError, match=r"hands\.npz: not a space of hands"):
        load(path)
    small = HandSpace(np.zeros(3), np.ones((3, 2)), np.ones(2))
    save(small, path)
    with pytest.raises(DataError, match=f"other features than these {SIZE}"):
        load(path)
    with pytest.raises(UserError, match="at least two hands of two lines"):
        fit([[line(0, 0), line(0, 1)], [line(1, 0)]])
    with pytest.raises(DataError, match="no stroke longer than a dot"):
        hand_features(from_strokes([np.zeros((1, 2))]))
    with pytest.raises(DataError, match="it has no points"):
        hand_features(np.empty((0, 3)))
    whole = HandSpace(np.zeros(SIZE), np.ones((SIZE, 2)), np.ones(2))
    assert whole.embed([]).shape == (0, 2)
