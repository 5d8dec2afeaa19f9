"""The density over the paper: the sum of the steps' densities, whose integral is their number."""

import numpy as np
import pytest
import torch

from model import PredictionNetwork
from model.generation.density import density_map
from utils.normalisation import Normalisation

NORMALISATION = Normalisation(mean=(3.0, -1.0), std=(20.0, 10.0))


def random_ink(points):
    generator = np.random.default_rng(2)
    ink = np.zeros((points, 3), dtype=np.float32)
    ink[1:, :2] = generator.integers(-40, 60, (points - 1, 2))
    ink[:, 2] = generator.random(points) < 0.25
    return ink


def predicted(network, ink):
    with torch.no_grad():
        return network(torch.from_numpy(NORMALISATION.apply(ink[:-1]))[None]).prediction[0]


def test_density_is_the_sum_of_the_steps_densities():
    torch.manual_seed(5)
    network = PredictionNetwork(NORMALISATION, hidden_size=8, num_layers=1, num_mixtures=3).eval()
    ink = random_ink(30)
    mixture = predicted(network, ink)
    grid, (left, top, right, bottom) = density_map(mixture, ink, NORMALISATION)
    rows, columns = grid.shape
    assert (right - left) / columns == pytest.approx((bottom - top) / rows)  # square cells
    pens = ink[:, :2].astype(float).cumsum(axis=0)
    worst = 0.0
    for row, column in [(rows // 2, columns // 2), (rows // 3, columns // 4), (5, 150)]:
        place = np.array(
            [
                left + (column + 0.5) / columns * (right - left),
                top + (row + 0.5) / rows * (bottom - top),
            ]
        )
        offsets = (place - pens[:-1] - NORMALISATION.mean) / NORMALISATION.std
        density = mixture.log_prob_offset(torch.from_numpy(offsets).float()).double().exp()
        expected = density.sum().item() / (20 * 10)
        worst = max(worst, expected)
        # Four standard deviations hold all but a few thousandths of a peak.
        assert grid[row, column] == pytest.approx(expected, rel=0.02)
    assert worst > 0


def test_narrow_densities_do_not_fall_between_the_cells():
    """Steps of a tiny scale still add up to one each."""
    normalisation = Normalisation(mean=(0.0, 0.0), std=(10.0, 10.0))
    network = PredictionNetwork(
        normalisation, hidden_size=4, num_layers=1, num_mixtures=2, min_scale=1e-4
    )
    with torch.no_grad():
        network.output.weight.zero_()
        network.output.bias.zero_()
        network.output.bias[7:11] = -9.0  # both scales of both components: 0.0012 units
    ink = np.zeros((41, 3), dtype=np.float32)
    ink[1:, 0], ink[1:, 1] = 7.3, np.where(np.arange(40) % 2, 10.1, -10.1)
    mixture = predicted(network.eval(), ink)
    grid, (left, top, right, bottom) = density_map(mixture, ink, normalisation)
    area = (right - left) * (bottom - top) / grid.size
    assert grid.sum() * area == pytest.approx(40, rel=0.01)
