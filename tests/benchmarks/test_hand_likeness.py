"""The features of a hand and the space of hands: invented writers, and values by hand."""

import math

import numpy as np
import pytest
import torch

from benchmarks import hand_likeness
from tests.data_loader.invented.hands import line, turned


@pytest.mark.slow
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
    before = np.array([hand_likeness.hand_features(line(n, n)) for n in range(12)])
    after = np.array([hand_likeness.hand_features(change(n)) for n in range(12)])
    others = [hand_likeness.hand_features(line(n, n + 12)) for n in range(12)]  # of the same hand
    moved = np.linalg.norm(after - before, axis=1)
    assert np.median(moved) < share * np.median(np.linalg.norm(others - before, axis=1))


@pytest.mark.slow
def test_invented_hands_are_likeliest_by_their_own_lines():
    # By chance a line is right once in ten.
    space = hand_likeness.load()
    samples = [space.embed([line(n, k) for k in range(4)]) for n in range(100, 110)]
    others = space.embed([line(n, k) for n in range(100, 110) for k in range(10, 14)])
    result = hand_likeness.likelihoods(others, samples, space.between.astype(np.float64))
    assert (result.argmax(axis=1) == np.repeat(np.arange(10), 4)).mean() > 0.6


def test_likelihoods_are_those_of_the_joint_normal_distribution():
    generator = np.random.default_rng(1)
    between, lines = np.array([4.0, 0.3]), generator.normal(size=(3, 2))
    samples = [generator.normal(size=(count, 2)) for count in (1, 4)]

    def joint(values, variance):
        covariance = torch.eye(len(values)) + variance * torch.ones(len(values), len(values))
        normal = torch.distributions.MultivariateNormal(torch.zeros(len(values)), covariance)
        return float(normal.log_prob(torch.tensor(values, dtype=torch.float32)))

    result = hand_likeness.likelihoods(lines, samples, between) - math.log(
        2 * math.pi
    )  # of two axes
    for row, each in enumerate(lines):
        for column, sample in enumerate(samples):
            expected = sum(
                joint([each[axis], *sample[:, axis]], between[axis])
                - joint(sample[:, axis].tolist(), between[axis])
                for axis in range(2)
            )
            assert result[row, column] == pytest.approx(expected, abs=1e-4)
