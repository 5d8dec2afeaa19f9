"""Scores against torch.distributions in the data's own units, in float64."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import distributions

from base.base_data_loader import padded
from model import PredictionNetwork
from model.scores import evaluate
from tests.model.builders import NORMALISATION, batch, generator, ink, over
from utils.checks import UserError

CANONICAL = (41.95, 37.12)
INKS = [ink(points, seed, lifts=0.25) for seed, points in enumerate((12, 5, 30, 2))]
STEPS = sum(len(line) - 1 for line in INKS)


def network(**options):
    return generator(PredictionNetwork, num_layers=1, **options)


def loader(*inks):
    """Return inks as batches of up to three, as a data loader does."""
    batches = []
    for start in range(0, len(inks), 3):
        chosen = [NORMALISATION.apply(line) for line in inks[start : start + 3]]
        ends = [np.arange(len(line)) == len(line) - 1 for line in chosen]
        points = [np.float32(np.column_stack(pair)) for pair in zip(chosen, ends, strict=True)]
        points, lengths = padded(points)
        rows = batch(inputs=points[:, :-1], targets=points[:, 1:], lengths=lengths - 1)
        batches.append(replace(rows, index=rows.index + start))
    return batches


def bernoulli(logits, ends):
    """Return the nats of ends, each."""
    return -distributions.Bernoulli(logits=logits.double()).log_prob(torch.as_tensor(ends).double())


def reference(network, line, noise=0.0):
    """Return nats of each offset in the data's own units, and distances of means, in float64."""
    mixture, last = over(network, line[:-1]).prediction[0], np.arange(1, len(line)) == len(line) - 1
    std, mean = torch.tensor(NORMALISATION.std), torch.tensor(NORMALISATION.mean)
    scales = mixture.log_scales.double().exp().mT * std  # (steps, M, 2)
    rho = mixture.correlations.double()
    covariance = torch.diag_embed(scales**2)
    covariance[..., 0, 1] = covariance[..., 1, 0] = rho * scales[..., 0] * scales[..., 1]
    offsets = distributions.MixtureSameFamily(
        distributions.Categorical(logits=mixture.weight_logits.double()),
        distributions.MultivariateNormal(mixture.means.double().mT * std + mean, covariance),
    )
    target = torch.from_numpy(line[1:]).double()
    nats = -offsets.log_prob(target[:, :2] + noise) + bernoulli(mixture.end_logits, target[:, 2])
    if network.end_of_sequence:
        nats += bernoulli(mixture.sequence_logits, last)
    return nats, offsets.mean - target[:, :2]


@pytest.mark.parametrize("unit", [None, CANONICAL])
@pytest.mark.parametrize("ends", [False, True])
def test_scores_are_those_of_the_density_in_canonical_or_normalised_units(unit, ends):
    model = network(end_of_sequence=ends)
    scores = evaluate(model, loader(*INKS), canonical=unit)
    unit = torch.tensor(unit or NORMALISATION.std)
    nats, distances = map(torch.cat, zip(*(reference(model, line) for line in INKS), strict=True))
    squares = (distances / unit).square().sum(1)
    lifted = torch.cat([torch.from_numpy(line[:-1, 2] > 0.5) for line in INKS])
    assert 5 < lifted.sum() < 40
    # The density in other units is that in the data's times both constants.
    total = (nats.sum() - STEPS * unit.log().sum()).item()
    expected = {"sequences": 4, "points": STEPS, "log_loss": total / 4}
    expected |= {"log_loss_per_point": total / STEPS, "sse": squares.mean().item()}
    expected |= {"sse_jumps": squares[lifted].mean().item()}
    expected["sse_strokes"] = squares[~lifted].mean().item()
    assert {name: scores[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert scores["log_loss_dequantised"] is None and scores["bits_per_point"] is None
    assert ("end_cross_entropy" in scores) == ends


@pytest.mark.parametrize("step", [1.0, 4.0])
def test_dequantised_scores_are_of_points_with_noise_of_a_step(step):
    model, units = network(), {"canonical": CANONICAL, "quantisation_step": step}
    scores = evaluate(model, loader(*INKS), **units, seed=9)
    nats = 0.0
    for index, line in enumerate(INKS):
        noise = np.random.default_rng([9, index]).random((len(line) - 1, 2)) - 0.5
        nats += reference(model, line, torch.from_numpy(noise * step))[0].sum().item()
    # Bits of an offset on its grid: the density times the area of a cell.
    bits = (nats / STEPS - math.log(step**2)) / math.log(2)
    assert scores["bits_per_point"] == pytest.approx(bits, rel=1e-5)
    canonical = nats - STEPS * math.log(41.95 * 37.12)
    assert scores["log_loss_dequantised"] == pytest.approx(canonical / 4, rel=1e-5)
    assert scores["log_loss_dequantised"] != scores["log_loss"]


@pytest.mark.parametrize("ends", [False, True])
def test_regression_head_has_squared_errors_in_normalised_units_and_a_canonical_sse(ends):
    model = network(head="regression", end_of_sequence=ends)
    scores = evaluate(model, loader(*INKS), canonical=CANONICAL, quantisation_step=1.0)
    squared = canonical = pen = end = 0.0
    for line in INKS:
        estimate = over(model, line[:-1]).prediction[0]
        last = np.arange(1, len(line)) == len(line) - 1
        distance = estimate.mean.double() - torch.from_numpy(NORMALISATION.apply(line)[1:, :2])
        squared += distance.square().sum().item() / 2
        unit = torch.tensor(NORMALISATION.std) / torch.tensor(CANONICAL)
        canonical += (distance * unit).square().sum().item()
        pen += bernoulli(estimate.end_logits, line[1:, 2]).sum().item()
        end += bernoulli(estimate.sequence_logits, last).sum().item() if ends else 0.0
    expected = {
        "squared_error": (squared + pen + end) / 4,
        "squared_error_per_point": (squared + pen + end) / STEPS,
        "pen_cross_entropy": pen / STEPS,
        "sse": canonical / STEPS,
    } | ({"end_cross_entropy": end / 4} if ends else {})
    assert {name: scores[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert ("end_cross_entropy" in scores) == ends and "log_loss" not in scores


def test_score_without_points_is_none_and_an_empty_split_is_refused():
    scores = evaluate(network(), loader(np.float32([[0, 0, 0], [5, 5, 0], [5, 5, 1]])))
    assert scores["sse_jumps"] is None and scores["sse_strokes"] == scores["sse"]
    with pytest.raises(UserError, match="empty"):
        evaluate(network(), [])
