"""The density over the paper: the sum of the steps' densities, whose integral is their number."""

import numpy as np
import pytest
import torch

from ink.normalisation import Normalisation
from model import Mixture, PredictionNetwork
from model.generation.step_figures import density_map
from tests.model.builders import NORMALISATION, generator, over
from tests.model.builders import ink as random_ink


def test_density_is_the_sum_of_the_densities_of_the_steps():
    network = generator(PredictionNetwork, num_layers=1)
    ink = random_ink(30, lifts=0) * np.float32([3, 3, 1])
    mixture = over(network, ink[:-1]).prediction[0]
    grid, (left, top, right, bottom) = density_map(mixture, ink, NORMALISATION)
    rows, columns = grid.shape
    size = np.array([right - left, bottom - top]) / (columns, rows)
    assert size[0] == pytest.approx(size[1])  # square cells
    pens = ink[:, :2].astype(float).cumsum(axis=0)
    for row, column in [(rows // 2, columns // 2), (rows // 3, columns // 4)]:
        place = np.array([left, top]) + (np.array([column, row]) + 0.5) * size
        offsets = (place - pens[:-1] - NORMALISATION.mean) / NORMALISATION.std
        density = mixture.log_prob_offset(torch.from_numpy(offsets).float()).double().exp()
        # Four standard deviations hold all but a few thousandths of a peak.
        assert grid[row, column] == pytest.approx(density.sum().item() / (40 * 30), rel=0.02)


def test_density_of_every_step_adds_up_to_1_even_when_it_is_narrower_than_a_cell():
    raw = torch.zeros(40, 13)
    raw[:, 7:11] = -9.0  # both scales of both components: 0.0012 units
    ink = np.zeros((41, 3), np.float32)
    ink[1:, 0], ink[1:, 1] = 7.3, np.where(np.arange(40) % 2, 10.1, -10.1)
    mixture = Mixture.from_parameters(raw, 1e-5, 0.999)
    grid, (left, top, right, bottom) = density_map(mixture, ink, Normalisation((0, 0), (10, 10)))
    area = (right - left) * (bottom - top) / grid.size
    assert grid.sum() * area == pytest.approx(40, rel=0.01)
