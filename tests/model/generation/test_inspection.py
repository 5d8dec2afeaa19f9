"""The density over the paper: the sum of the steps' densities, whose integral is their number."""

import numpy as np
import pytest
import torch

from model import Mixture, PredictionNetwork
from model.generation.inspection import density_map
from utils.normalisation import Normalisation

NORMALISATION = Normalisation(mean=(3.0, -1.0), std=(20.0, 10.0))


def test_density_is_the_sum_of_the_steps_densities():
    torch.manual_seed(5)
    network = PredictionNetwork(NORMALISATION, hidden_size=8, num_layers=1, num_mixtures=3).eval()
    ink = np.zeros((30, 3), dtype=np.float32)
    ink[1:, :2] = np.random.default_rng(2).integers(-40, 60, (29, 2))
    with torch.no_grad():
        mixture = network(torch.from_numpy(NORMALISATION.apply(ink[:-1]))[None]).prediction[0]
    grid, (left, top, right, bottom) = density_map(mixture, ink, NORMALISATION)
    rows, columns = grid.shape
    size = np.array([right - left, bottom - top]) / (columns, rows)
    assert size[0] == pytest.approx(size[1])  # square cells
    pens = ink[:, :2].astype(float).cumsum(axis=0)
    for row, column in [(rows // 2, columns // 2), (rows // 3, columns // 4), (5, 150)]:
        place = np.array([left, top]) + (np.array([column, row]) + 0.5) * size
        offsets = (place - pens[:-1] - NORMALISATION.mean) / NORMALISATION.std
        density = mixture.log_prob_offset(torch.from_numpy(offsets).float()).double().exp()
        # Four standard deviations hold all but a few thousandths of a peak.
        assert grid[row, column] == pytest.approx(density.sum().item() / (20 * 10), rel=0.02)


def test_narrow_densities_do_not_fall_between_the_cells():
    """Steps of a tiny scale still add up to one each."""
    normalisation = Normalisation(mean=(0.0, 0.0), std=(10.0, 10.0))
    raw = torch.zeros(40, 13)
    raw[:, 7:11] = -9.0  # both scales of both components: 0.0012 units
    ink = np.zeros((41, 3), dtype=np.float32)
    ink[1:, 0], ink[1:, 1] = 7.3, np.where(np.arange(40) % 2, 10.1, -10.1)
    mixture = Mixture.from_parameters(raw, 1e-5, 0.999)
    grid, (left, top, right, bottom) = density_map(mixture, ink, normalisation)
    area = (right - left) * (bottom - top) / grid.size
    assert grid.sum() * area == pytest.approx(40, rel=0.01)
