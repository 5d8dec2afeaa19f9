"""The descriptor of a hand: the same for any size and pen, another for another hand."""

import numpy as np
import pytest
import torch
from torch import nn

from data_loader.transforms.shaping import ResampleTime
from model.recognition.hand_descriptor import FRAMES, PARTS, HandDescriptor
from model.recognition.ink_features import stroke_features
from tests.data_loader.synthetic.invented.hands import line
from tests.model.builders import recogniser

INKS = [line(0, 0), line(1, 0), line(0, 1)]


@pytest.fixture(scope="module")
def descriptor():
    return HandDescriptor.load()


def without_weights(rows):
    """Return descriptors; a row is a descriptor times the weight of its line, and the weight."""
    return rows[:, :-1] / rows[:, -1:]


def resampled(ink):
    return ResampleTime(period=0.5)(ink, np.zeros(len(ink), np.uint8), None)[0]


@pytest.mark.parametrize(
    ("change", "tolerance"), [(lambda ink: ink * np.float32([3, 3, 1]), 0.001), (resampled, 0.2)]
)
def test_descriptor_does_not_depend_on_size_nor_on_sampling_rate(descriptor, change, tolerance):
    expected = without_weights(descriptor.describe(INKS))
    values = without_weights(descriptor.describe(list(map(change, INKS))))
    assert np.abs(values - expected).max() < tolerance * np.abs(expected).max()


def test_descriptor_of_a_line_does_not_depend_on_other_lines_of_its_batch(descriptor):
    alone = np.concatenate([descriptor.describe([ink]) for ink in INKS])
    np.testing.assert_allclose(descriptor.describe(INKS), alone, rtol=1e-4, atol=1e-4)


def test_descriptors_of_a_hand_are_nearer_than_those_of_other_hands(descriptor):
    """Of eight hands; by chance one of eight is the nearest."""
    rows = descriptor.describe([line(hand, text) for hand in range(8) for text in range(4)])
    hands = without_weights(rows).reshape(8, 4, -1)
    first, second = hands[:, :2].mean(1), hands[:, 2:].mean(1)
    distances = np.linalg.norm(first[:, None] - second, axis=2)
    assert (distances.argmin(1) == np.arange(8)).mean() > 0.7
    assert distances.diagonal().mean() < np.median(distances)


def test_descriptor_is_the_projected_mean_and_mean_square_of_layers_weighted_by_length():
    network = recogniser(channels=6, hidden_size=5, parts=PARTS)
    descriptor = HandDescriptor(6, 5, 4)
    descriptor.convolution.load_state_dict(network.convolution.state_dict())
    descriptor.layer.load_state_dict(network.layers[0].state_dict())
    descriptor.mean.normal_()
    descriptor.projection.normal_()
    expected = []
    with torch.no_grad():
        for ink in INKS[:2]:
            points = torch.from_numpy(stroke_features(ink, parts=PARTS)).float()
            frames = nn.functional.gelu(network.convolution(points.t()[None])).permute(2, 0, 1)
            hidden = network.layers[0](frames, torch.tensor([len(frames)]))
            outputs = torch.cat((frames, hidden), 2)[:, 0]
            moments = torch.cat((outputs.mean(0), outputs.square().mean(0)))
            weight = len(frames) / FRAMES
            row = weight * ((moments - descriptor.mean) @ descriptor.projection)
            expected.append([*row.tolist(), weight])
    np.testing.assert_allclose(descriptor.eval().describe(INKS[:2]), expected, rtol=1e-4, atol=1e-4)
