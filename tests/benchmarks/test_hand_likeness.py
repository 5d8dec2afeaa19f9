"""Whose hand a line is in: on lines of invented writers, and against torch's densities."""

import math

import numpy as np
import pytest
import torch

from benchmarks import hand_likeness
from tests.data_loader.synthetic.invented.hands import line, turned


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "fraction"),
    [
        (lambda n: line(n, n) * np.array([32, 32, 1], dtype=np.float32), 1e-4),
        (lambda n: line(n, n) + np.eye(len(line(n, n)), 3) * np.array([500, 0, 0]), 1e-4),
        (lambda n: turned(line(n, n), 4.0), 0.25),
        (lambda n: line(n, n, rate=200.0), 0.25),
    ],
    ids=["unit", "place", "slope", "sampling rate"],
)
def test_features_hardly_change_with_unit_place_slope_or_sampling_rate(change, fraction):
    before = np.array([hand_likeness.hand_features(line(n, n)) for n in range(12)])
    after = np.array([hand_likeness.hand_features(change(n)) for n in range(12)])
    others = [hand_likeness.hand_features(line(n, number=n + 12)) for n in range(12)]  # same hand
    moved = np.linalg.norm(after - before, axis=1)
    assert np.median(moved) < fraction * np.median(np.linalg.norm(others - before, axis=1))


@pytest.mark.slow
def test_a_line_is_likeliest_in_the_hand_that_wrote_it():
    """Of ten hands, each known by four lines; by chance 1 line in 10 is right."""
    space = hand_likeness.load()
    samples = [space.embed([line(n, k) for k in range(4)]) for n in range(100, 110)]
    others = space.embed([line(n, k) for n in range(100, 110) for k in range(10, 14)])
    result = hand_likeness.likelihoods(others, samples, space.between.astype(np.float64))
    assert (result.argmax(axis=1) == np.repeat(np.arange(10), 4)).mean() > 0.6


def test_log_likelihood_is_the_normal_density_of_a_line_given_other_lines_of_the_hand():
    generator = np.random.default_rng(1)
    between, lines = np.array([4.0, 0.3]), generator.normal(size=(3, 2))
    samples = [generator.normal(size=(count, 2)) for count in (1, 4)]

    def joint(values, variance):
        covariance = torch.eye(len(values)) + variance * torch.ones(len(values), len(values))
        normal = torch.distributions.MultivariateNormal(torch.zeros(len(values)), covariance)
        return float(normal.log_prob(torch.tensor(values, dtype=torch.float32)))

    result = hand_likeness.likelihoods(lines, samples, between)
    result -= math.log(2 * math.pi)  # the constant that is left out, of two axes
    for row, line_axes in enumerate(lines):
        for column, sample in enumerate(samples):
            expected = sum(
                joint([line_axes[axis], *sample[:, axis]], between[axis])
                - joint(sample[:, axis].tolist(), between[axis])
                for axis in range(2)
            )
            assert result[row, column] == pytest.approx(expected, abs=1e-4)
