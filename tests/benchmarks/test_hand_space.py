"""Hands told apart: invented writers, and second implementations of the algebra."""

import math

import numpy as np
import pytest
import torch

from benchmarks.hand_likeness import likelihoods
from benchmarks.hand_space import SHRINKAGE, discriminant, fit
from tests.data_loader.synthetic.hands import line


def test_invented_hands_that_the_space_has_not_seen_are_told_apart():
    # By chance a line is right once in ten.
    space = fit([[line(n, 5 * n + k) for k in range(5)] for n in range(40)])
    samples = [space.embed([line(n, k) for k in range(4)]) for n in range(100, 110)]
    others = space.embed([line(n, k) for n in range(100, 110) for k in range(10, 14)])
    found = likelihoods(others, samples, space.between.astype(np.float64))
    assert (found.argmax(axis=1) == np.repeat(np.arange(10), 4)).mean() > 0.8


def test_discriminants_are_those_of_the_generalised_eigenproblem():
    generator, owners = np.random.default_rng(0), np.repeat(np.arange(30), 8)
    means = generator.normal(size=(30, 5)) * np.linspace(0.5, 3, 5)
    features = means[owners] + generator.normal(size=(240, 5)) @ generator.normal(size=(5, 5))
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
