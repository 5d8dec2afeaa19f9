"""Scores against torch.distributions in the data's own units, in float64."""

import math

import numpy as np
import pytest
import torch
from torch import distributions

from base.base_data_loader import Batch
from model import PredictionNetwork
from model.scores import evaluate
from utils.checks import UserError
from utils.normalisation import Normalisation

NORMALISATION = Normalisation(mean=(3.0, -1.0), std=(20.0, 10.0))
CANONICAL = (41.95, 37.12)
UNITS = {"canonical": CANONICAL, "quantisation_step": 1.0}
POINTS = (12, 5, 30, 2)
STEPS = sum(POINTS) - len(POINTS)


def network(**options):
    torch.manual_seed(5)
    options = {"hidden_size": 8, "num_layers": 1, "num_mixtures": 3} | options
    return PredictionNetwork(NORMALISATION, **options).eval()


@pytest.fixture(scope="module")
def inks():
    generator = np.random.default_rng(2)
    made = []
    for points in POINTS:
        ink = np.zeros((points, 3), dtype=np.float32)
        ink[1:, :2] = generator.integers(-40, 60, (points - 1, 2))
        ink[:, 2] = generator.random(points) < 0.25
        made.append(ink)
    return made


def batches(inks, size, normalisation=NORMALISATION):
    """The inks as batches of `size`, as a data loader makes them, with something as padding."""
    made = []
    for start in range(0, len(inks), size):
        chosen = [normalisation.apply(ink) for ink in inks[start : start + size]]
        lengths = torch.tensor([len(ink) - 1 for ink in chosen])
        padded = torch.full((len(chosen), int(lengths.max()) + 1, 4), 7.0)
        for row, ink in zip(padded, chosen, strict=True):
            row[: len(ink), :3] = torch.from_numpy(ink)
            row[: len(ink), 3] = torch.arange(len(ink)) == len(ink) - 1
        index, text = torch.arange(start, start + len(chosen)), torch.zeros(len(chosen), 1).long()
        text_lengths = torch.ones(len(chosen)).long()
        inputs, targets = padded[:, :-1].clone(), padded[:, 1:].clone()
        made.append(Batch(inputs, targets, lengths, text, text_lengths, index))
    return made


def bernoulli(logits, ends):
    """Nats of ends, each."""
    return -distributions.Bernoulli(logits=logits.double()).log_prob(ends).numpy()


def last(ink):
    return (torch.arange(1, len(ink)) == len(ink) - 1).double()


def reference(network, ink, noise=None):
    """Nats of each offset in the data's own units, and differences, all in float64."""
    with torch.no_grad():
        mixture = network(torch.from_numpy(NORMALISATION.apply(ink))[None, :-1]).prediction
    std, mean = torch.tensor(NORMALISATION.std), torch.tensor(NORMALISATION.mean)
    scales = mixture.log_scales[0].double().exp().mT * std  # (steps, M, 2)
    rho = mixture.correlations[0].double()
    covariance = torch.diag_embed(scales**2)
    covariance[..., 0, 1] = covariance[..., 1, 0] = rho * scales[..., 0] * scales[..., 1]
    means = mixture.means[0].double().mT * std + mean
    offsets = distributions.MixtureSameFamily(
        distributions.Categorical(logits=mixture.weight_logits[0].double()),
        distributions.MultivariateNormal(means, covariance),
    )
    target = torch.from_numpy(ink[1:]).double()
    x = target[:, :2] + (0 if noise is None else torch.from_numpy(noise))
    nats = -offsets.log_prob(x).numpy() + bernoulli(mixture.end_logits[0], target[:, 2])
    if network.end_of_sequence:
        nats += bernoulli(mixture.sequence_logits[0], last(ink))
    return nats, (offsets.mean - target[:, :2]).numpy()


@pytest.mark.parametrize("canonical", [None, CANONICAL])
@pytest.mark.parametrize("ends", [False, True])
def test_scores_are_those_of_the_mixture(inks, canonical, ends):
    """Normalised units are those of the normalisation's standard deviations."""
    model = network(end_of_sequence=ends)
    scores = evaluate(model, batches(inks, 3), canonical=canonical)
    nats, differences = zip(*(reference(model, ink) for ink in inks), strict=True)
    assert (scores["sequences"], scores["points"]) == (4, STEPS)
    unit = canonical or NORMALISATION.std
    # The density in other units is that in the data's times both constants.
    total = np.concatenate(nats).sum() - STEPS * math.log(unit[0] * unit[1])
    assert scores["log_loss"] == pytest.approx(total / 4, rel=1e-5)
    assert scores["log_loss_per_point"] == pytest.approx(total / STEPS, rel=1e-5)
    assert scores["log_loss_dequantised"] is None and scores["bits_per_point"] is None
    squared = ((np.concatenate(differences) / unit) ** 2).sum(axis=1)
    lifted = np.concatenate([ink[:-1, 2] > 0.5 for ink in inks])
    assert 5 < lifted.sum() < 40
    assert scores["sse"] == pytest.approx(squared.mean(), rel=1e-5)
    assert scores["sse_jumps"] == pytest.approx(squared[lifted].mean(), rel=1e-5)
    assert scores["sse_strokes"] == pytest.approx(squared[~lifted].mean(), rel=1e-5)
    assert ("end_cross_entropy" in scores) == ends


@pytest.mark.parametrize("quantisation_step", [1.0, 4.0])
def test_dequantised_scores(inks, quantisation_step):
    model, units = network(), {"canonical": CANONICAL, "quantisation_step": quantisation_step}
    scores = evaluate(model, batches(inks, 3), **units, seed=9)
    nats = 0.0
    for index, ink in enumerate(inks):
        noise = np.random.default_rng([9, index]).random((len(ink) - 1, 2)) - 0.5
        nats += reference(model, ink, noise * quantisation_step)[0].sum()
    # Bits of an offset on its grid: the density times the area of a cell.
    bits = (nats / STEPS - math.log(quantisation_step**2)) / math.log(2)
    assert scores["bits_per_point"] == pytest.approx(bits, rel=1e-5)
    canonical = nats - STEPS * math.log(41.95 * 37.12)
    assert scores["log_loss_dequantised"] == pytest.approx(canonical / 4, rel=1e-5)
    assert scores["log_loss_dequantised"] != scores["log_loss"]


@pytest.mark.parametrize("ends", [False, True])
def test_scores_of_a_regression_head(inks, ends):
    """Distances are in canonical units for SSE alone."""
    model = network(head="regression", end_of_sequence=ends)
    scores = evaluate(model, batches(inks, 3), **UNITS)
    squared, canonical, pen, end = [], [], 0.0, 0.0
    for ink in inks:
        target = NORMALISATION.apply(ink)
        with torch.no_grad():
            estimate = model(torch.from_numpy(target)[None, :-1]).prediction
        difference = estimate.mean[0].numpy().astype(float) - target[1:, :2]
        squared.append((difference**2).sum(1))
        canonical.append(((difference * NORMALISATION.std / CANONICAL) ** 2).sum(1))
        pen += bernoulli(estimate.end_logits[0], torch.from_numpy(ink[1:, 2]).double()).sum()
        if ends:
            end += bernoulli(estimate.sequence_logits[0], last(ink)).sum()
    total = np.concatenate(squared).sum() / 2 + pen + end
    assert scores["squared_error"] == pytest.approx(total / 4, rel=1e-5)
    assert scores["squared_error_per_point"] == pytest.approx(total / STEPS, rel=1e-5)
    assert scores["pen_cross_entropy"] == pytest.approx(pen / STEPS, rel=1e-5)
    assert scores["sse"] == pytest.approx(np.concatenate(canonical).mean(), rel=1e-5)
    assert ("end_cross_entropy" in scores) == ends and "log_loss" not in scores
    if ends:
        assert scores["end_cross_entropy"] == pytest.approx(end / 4, rel=1e-5)


def test_a_score_without_points_is_none_and_an_empty_split_is_refused():
    ink = np.array([[0, 0, 0], [5, 5, 0], [5, 5, 1]], dtype=np.float32)
    scores = evaluate(network(), batches([ink], 1))
    assert scores["sse_jumps"] is None and scores["sse_strokes"] == scores["sse"]
    with pytest.raises(UserError, match="empty"):
        evaluate(network(), [])
