"""The descriptor of a hand: the same for any size and pen, another for another hand."""

import numpy as np
import pytest
import torch
from torch import nn

from data_loader.transforms.shaping import ResampleTime
from model.recognition.hand_descriptor import FRAMES, PARTS, HandDescriptor
from model.recognition.ink_features import stroke_features
from model.recognition.recognisers import CTCNetwork
from tests.data_loader.invented.hands import line
from tests.model.recognition.test_encoder import by_torch
from utils.alphabet import Alphabet
from utils.normalisation import Normalisation


@pytest.fixture(scope="module")
def descriptor():
    return HandDescriptor.load()


def numbers(rows):
    return rows[:, :-1] / rows[:, -1:]


def test_neither_size_nor_rate_nor_place_in_a_batch_changes_it(descriptor):
    inks = [line(0, 0), line(1, 0), line(0, 1)]
    rows = descriptor.describe(inks)
    larger = [ink * np.float32([3, 3, 1]) for ink in inks]
    np.testing.assert_allclose(descriptor.describe(larger), rows, rtol=1e-3, atol=1e-3)
    dense = [ResampleTime(period=0.5)(ink, np.zeros(len(ink), np.uint8), None)[0] for ink in inks]
    apart = numbers(descriptor.describe(dense)) - numbers(rows)
    assert np.abs(apart).max() < 0.2 * np.abs(numbers(rows)).max()
    alone = np.concatenate([descriptor.describe([ink]) for ink in inks])
    np.testing.assert_allclose(alone, rows, rtol=1e-4, atol=1e-4)


def test_lines_of_a_hand_are_nearer_than_those_of_others(descriptor):
    hands = np.stack(
        [numbers(descriptor.describe([line(n, k) for k in range(4)])) for n in range(8)]
    )
    within = np.linalg.norm(hands[:, :2].mean(1) - hands[:, 2:].mean(1), axis=1)
    between = np.linalg.norm(hands[:, :2].mean(1)[:, None] - hands[:, 2:].mean(1), axis=2)
    # By chance one of eight is the nearest.
    assert (between.argmin(1) == np.arange(8)).mean() > 0.7
    assert within.mean() < np.median(between)


def test_it_is_the_moments_of_a_recogniser_s_lowest_layers():
    torch.manual_seed(0)
    options = {"channels": 6, "hidden_size": 5, "parts": PARTS}
    network = CTCNetwork(Normalisation((0.0, 0.0), (1.0, 1.0)), Alphabet("ab"), **options).eval()
    descriptor = HandDescriptor(6, 5, 4)
    descriptor.convolution.load_state_dict(network.convolution.state_dict())
    descriptor.layer.load_state_dict(network.layers[0].state_dict())
    descriptor.mean.normal_()
    descriptor.projection.normal_()
    inks = [line(0, 0), line(2, 1)]
    with torch.no_grad():
        expected = []
        for ink in inks:
            points = torch.from_numpy(stroke_features(ink, parts=PARTS)).float()
            frames = nn.functional.gelu(network.convolution(points.t()[None])).permute(2, 0, 1)
            hidden = by_torch(network.layers[0], frames, torch.tensor([len(frames)]))
            both = torch.cat((frames, hidden), 2)[:, 0]
            moments = torch.cat((both.mean(0), both.square().mean(0)))
            weight = len(frames) / FRAMES
            along = (moments - descriptor.mean) @ descriptor.projection
            expected.append([*(weight * along).tolist(), weight])
    np.testing.assert_allclose(descriptor.eval().describe(inks), expected, rtol=1e-4, atol=1e-4)
