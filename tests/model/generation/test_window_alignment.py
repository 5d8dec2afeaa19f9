"""Points of characters by a planted window."""

import numpy as np
import pytest
import torch

from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from model import SynthesisNetwork, batches
from model.generation.generators import Output
from model.generation.window_alignment import align
from tests.construct import construct


class Planted(SynthesisNetwork):
    """Its window at a step is at the character in dx, with the weight in dy."""

    def forward(self, points, codes, lengths, state):
        phi = torch.zeros(*points.shape[:2], codes.shape[1] + 1)
        phi += 0.01 * torch.rand(phi.shape, generator=torch.Generator().manual_seed(1))
        phi[:, :, 1] += 0.02
        return Output(None, {}, phi.scatter_(2, points[:, :, :1].long(), points[:, :, 1:2]))


UNIT = Normalisation((0.0, 0.0), (1.0, 1.0))
NETWORK = construct(Planted, UNIT, Alphabet("abc "), hidden_size=1, num_mixtures=1).eval()


def ink_of(windows, weight=0.9):
    """Return ink with the window's character at each step; the last point is no input."""
    rows = [(int(window), weight, 0) for window in windows]
    return np.float32([*rows, (0, 0, 0)])


@pytest.mark.parametrize("size", [2, 64])
def test_points_go_to_the_character_at_which_the_window_stands(size, monkeypatch):
    """One more goes to the first: the window is for the next point, and no step is before it."""
    monkeypatch.setattr(batches, "BATCH_SIZE", size)
    lines = [
        ("abc", ink_of("001112"), [3, 3, 1]),
        ("cab ab", ink_of("01222344455", 0.6), [2, 1, 3, 1, 3, 2]),
        ("b", ink_of("0"), [2]),
        ("ab", ink_of("000111", 3.0), [4, 3]),
        ("abc", ink_of("01333"), [2, 1, 3]),  # behind the text, which is of the last character
        ("abc", ink_of("000000"), [5, 1, 1]),  # the window never leaves the first
    ]
    texts, inks, expected = zip(*lines, strict=True)
    assert [counts.tolist() for counts in align(NETWORK, inks, texts)] == [*expected]


def test_character_that_the_window_skips_has_a_point():
    (counts,) = align(NETWORK, [ink_of("000222")], ["abc"])
    assert counts.sum() == 7 and counts[1] == 1
