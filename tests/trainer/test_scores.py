"""Scores against torch.distributions in the data's own units."""

import math

import numpy as np
import pytest
import torch
from torch import distributions

from base.base_data_loader import Batch
from model import PredictionNetwork
from trainer.scores import evaluate
from utils.checks import UserError
from utils.normalisation import Normalisation

NORMALISATION = Normalisation(mean=(3.0, -1.0), std=(20.0, 10.0))
CANONICAL = (41.95, 37.12)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(5)
    return PredictionNetwork(NORMALISATION, hidden_size=8, num_layers=1, num_mixtures=3).eval()


@pytest.fixture(scope="module")
def inks():
    generator = np.random.default_rng(2)
    made = []
    for points in (12, 5, 30, 2):
        ink = np.zeros((points, 3), dtype=np.float32)
        ink[1:, :2] = generator.integers(-40, 60, (points - 1, 2))
        ink[:, 2] = generator.random(points) < 0.25
        made.append(ink)
    return made


def batches(inks, size, text=None):
    """The inks as batches of `size`, as a data loader makes them."""
    made = []
    for start in range(0, len(inks), size):
        chosen = [NORMALISATION.apply(ink) for ink in inks[start : start + size]]
        lengths = torch.tensor([len(ink) - 1 for ink in chosen])
        padded = torch.full((len(chosen), int(lengths.max()) + 1, 3), 7.0)
        for row, ink in zip(padded, chosen, strict=True):
            row[: len(ink)] = torch.from_numpy(ink)
        inputs, targets = padded[:, :-1].clone(), padded[:, 1:].clone()
        text_lengths = torch.full((len(chosen),), 1)
        index = torch.arange(start, start + len(chosen))
        text = torch.zeros(len(chosen), 1, dtype=torch.int64)
        made.append(Batch(inputs, targets, lengths, text, text_lengths, index))
    return made


def reference(network, ink, noise=None):
    """Nats of each offset in the data's own units, and squared distances, all in float64."""
    normalised = torch.from_numpy(NORMALISATION.apply(ink))[None]
    with torch.no_grad():
        mixture = network(normalised[:, :-1]).prediction
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
    pen = distributions.Bernoulli(logits=mixture.end_logits[0].double())
    target = torch.from_numpy(ink[1:]).double()
    x = target[:, :2] + (0 if noise is None else torch.from_numpy(noise))
    nats = -offsets.log_prob(x) - pen.log_prob(target[:, 2])
    return nats.numpy(), (offsets.mean - target[:, :2]).numpy()


def test_canonical_scores(network, inks):
    scores = evaluate(
        network,
        batches(inks, 3),
        canonical=CANONICAL,
        quantisation_step=1.0,
    )
    nats, differences = zip(*(reference(network, ink) for ink in inks), strict=True)
    points = sum(len(ink) - 1 for ink in inks)
    assert scores["sequences"] == 4
    assert scores["points"] == points == 45
    # The density in canonical units is that in the data's times both constants.
    total = sum(map(np.sum, nats)) - points * math.log(41.95 * 37.12)
    assert scores["log_loss"] == pytest.approx(total / 4, rel=1e-5)
    assert scores["log_loss_per_point"] == pytest.approx(total / points, rel=1e-5)
    squared = [((one / CANONICAL) ** 2).sum(axis=1) for one in differences]
    jumps = [ink[:-1, 2] > 0.5 for ink in inks]
    everything, after_lift = np.concatenate(squared), np.concatenate(jumps)
    assert 5 < after_lift.sum() < 40
    assert scores["sse"] == pytest.approx(everything.mean(), rel=1e-5)
    assert scores["sse_jumps"] == pytest.approx(everything[after_lift].mean(), rel=1e-5)
    assert scores["sse_strokes"] == pytest.approx(everything[~after_lift].mean(), rel=1e-5)


@pytest.mark.parametrize("quantisation_step", [1.0, 4.0])
def test_dequantised_scores(network, inks, quantisation_step):
    scores = evaluate(
        network,
        batches(inks, 3),
        canonical=CANONICAL,
        quantisation_step=quantisation_step,
        seed=9,
    )
    nats = 0.0
    for index, ink in enumerate(inks):
        noise = np.random.default_rng([9, index]).random((len(ink) - 1, 2)) - 0.5
        nats += reference(network, ink, noise * quantisation_step)[0].sum()
    # Bits of an offset on its grid: the density times the area of a cell.
    bits = (nats / 45 - math.log(quantisation_step**2)) / math.log(2)
    assert scores["bits_per_point"] == pytest.approx(bits, rel=1e-5)
    canonical = nats - 45 * math.log(41.95 * 37.12)
    assert scores["log_loss_dequantised"] == pytest.approx(canonical / 4, rel=1e-5)
    assert scores["log_loss_dequantised"] != scores["log_loss"]


def test_without_a_grid_scores_are_in_normalised_units(network, inks):
    scores = evaluate(network, batches(inks, 2))
    nats = sum(reference(network, ink)[0].sum() for ink in inks) - 45 * math.log(20 * 10)
    assert scores["log_loss"] == pytest.approx(nats / 4, rel=1e-5)
    assert scores["log_loss_dequantised"] is None
    assert scores["bits_per_point"] is None
    differences = np.concatenate([reference(network, ink)[1] for ink in inks])
    squared = ((differences / NORMALISATION.std) ** 2).sum(axis=1)
    assert scores["sse"] == pytest.approx(squared.mean(), rel=1e-5)


def test_canonical_log_loss_does_not_depend_on_the_normalisation(inks):
    """A density over offsets normalised otherwise scores the same where it says the same."""
    options = {"hidden_size": 4, "num_layers": 1, "num_mixtures": 2, "min_scale": 1e-3}
    torch.manual_seed(1)
    first = PredictionNetwork(NORMALISATION, **options).eval()
    with torch.no_grad():
        first.output.weight.zero_()  # the mixture is then the same at every step
    second_unit = Normalisation(mean=(0.0, 0.0), std=(5.0, 40.0))
    second = PredictionNetwork(second_unit, **options).eval()
    ratio = torch.tensor([20 / 5, 10 / 40])
    shift = torch.tensor([3.0 / 5, -1.0 / 40])
    with torch.no_grad():
        second.output.weight.zero_()
        second.output.bias.copy_(first.output.bias)
        parts = second.output.bias[1:].view(6, 2)
        parts[1:3] = parts[1:3] * ratio[:, None] + shift[:, None]
        parts[3:5] += ratio.log()[:, None]
    other = []
    for batch in batches(inks, 4):
        for points in (batch.inputs, batch.targets):
            offsets = points[..., :2] * torch.tensor([20.0, 10.0]) + torch.tensor([3.0, -1.0])
            points[..., :2] = offsets / torch.tensor([5.0, 40.0])
        other.append(batch)
    units = {"canonical": CANONICAL, "quantisation_step": 1.0}
    one = evaluate(first, batches(inks, 4), **units)
    two = evaluate(second, other, **units)
    assert one == pytest.approx(two, rel=1e-4)


def with_ends(made):
    """The batches with the fourth column, as a data loader makes them."""
    for batch in made:
        last = torch.arange(batch.targets.shape[1]) == batch.lengths[:, None] - 1
        batch.inputs = torch.cat((batch.inputs, torch.zeros(*last.shape, 1)), -1)
        batch.targets = torch.cat((batch.targets, last[..., None].float()), -1)
    return made


def test_the_end_of_the_sequence_counts(inks):
    """Against torch.distributions, in float64: one Bernoulli more a point."""
    torch.manual_seed(6)
    network = PredictionNetwork(
        NORMALISATION, hidden_size=8, num_layers=1, num_mixtures=3, end_of_sequence=True
    ).eval()
    units = {"canonical": CANONICAL, "quantisation_step": 1.0}
    scores = evaluate(network, with_ends(batches(inks, 3)), **units)
    nats = end = 0.0
    for ink in inks:
        with torch.no_grad():
            mixture = network(torch.from_numpy(NORMALISATION.apply(ink))[None, :-1]).prediction
        bernoulli = distributions.Bernoulli(logits=mixture.sequence_logits[0].double())
        marks = torch.zeros(len(ink) - 1, dtype=torch.float64)
        marks[-1] = 1.0
        nats += reference(network, ink)[0].sum()
        end -= bernoulli.log_prob(marks).sum().item()
    assert scores["end_cross_entropy"] == pytest.approx(end / 4, rel=1e-5)
    expected = nats + end - 45 * math.log(41.95 * 37.12)
    assert scores["log_loss"] == pytest.approx(expected / 4, rel=1e-5)


@pytest.mark.parametrize("ends", [False, True])
def test_scores_of_a_regression_head(inks, ends):
    """Against torch.distributions and numpy; distances in canonical units for SSE alone."""
    torch.manual_seed(6)
    network = PredictionNetwork(
        NORMALISATION, hidden_size=8, num_layers=1, head="regression", end_of_sequence=ends
    ).eval()
    units = {"canonical": CANONICAL, "quantisation_step": 1.0}
    scores = evaluate(network, with_ends(batches(inks, 3)), **units)
    squared, canonical, pen, end = [], [], 0.0, 0.0
    for ink in inks:
        target = NORMALISATION.apply(ink)
        with torch.no_grad():
            estimate = network(torch.from_numpy(target)[None, :-1]).prediction
        difference = estimate.mean[0].numpy().astype(float) - target[1:, :2]
        squared.append((difference**2).sum(1))
        canonical.append(((difference * NORMALISATION.std / CANONICAL) ** 2).sum(1))
        bernoulli = distributions.Bernoulli(logits=estimate.end_logits[0].double())
        pen -= bernoulli.log_prob(torch.from_numpy(ink[1:, 2]).double()).sum().item()
        if ends:
            bernoulli = distributions.Bernoulli(logits=estimate.sequence_logits[0].double())
            marks = torch.zeros(len(ink) - 1, dtype=torch.float64)
            marks[-1] = 1.0
            end -= bernoulli.log_prob(marks).sum().item()
    total = np.concatenate(squared).sum() / 2 + pen + end
    assert scores["squared_error"] == pytest.approx(total / 4, rel=1e-5)
    assert scores["squared_error_per_point"] == pytest.approx(total / 45, rel=1e-5)
    assert scores["pen_cross_entropy"] == pytest.approx(pen / 45, rel=1e-5)
    assert scores["sse"] == pytest.approx(np.concatenate(canonical).mean(), rel=1e-5)
    assert ("end_cross_entropy" in scores) == ends and "log_loss" not in scores
    if ends:
        assert scores["end_cross_entropy"] == pytest.approx(end / 4, rel=1e-5)
    with pytest.raises(UserError, match="empty"):
        evaluate(network, [])


def test_a_score_without_points_is_none(network):
    ink = np.array([[0, 0, 0], [5, 5, 0], [5, 5, 1]], dtype=np.float32)
    scores = evaluate(network, batches([ink], 1))
    assert scores["sse_jumps"] is None
    assert scores["sse_strokes"] == scores["sse"]
