"""Points of characters by a planted window."""

from types import SimpleNamespace

import numpy as np
import torch

from base.base_model import Given
from model.generation.window_alignment import align
from utils import batches
from utils.alphabet import Alphabet
from utils.normalisation import Normalisation


class Planted:
    """A network whose window at a step is told by the ink: at the character in dx, its share dy."""

    alphabet = Alphabet("abc ")
    normalisation = Normalisation((0.0, 0.0), (1.0, 1.0))
    output = torch.nn.Linear(1, 1)

    def told(self, batch, extras, seeds):
        return Given({}, seeds)

    def initial_state(self, batch, given):
        return {}

    def __call__(self, points, codes, lengths, state):
        phi = torch.zeros(*points.shape[:2], codes.shape[1] + 1)
        phi += 0.01 * torch.rand(phi.shape, generator=torch.Generator().manual_seed(1))
        phi[:, :, 1] += 0.02
        phi.scatter_(2, points[:, :, :1].long(), points[:, :, 1:2])
        return SimpleNamespace(attention=phi)


def ink_of(*windows, share=0.9):
    """Ink with the window's character at each step; the last point is no input."""
    ink = np.zeros((len(windows) + 1, 3), dtype=np.float32)
    ink[:-1, 0], ink[:-1, 1] = windows, share
    return ink


def test_points_go_to_the_character_at_which_the_window_is(monkeypatch):
    monkeypatch.setattr(batches, "BATCH_SIZE", 2)  # lines of several lengths in several batches
    texts = ["abc", "cab ab", "b", "ab", "abc"]
    inks = [
        ink_of(0, 0, 1, 1, 1, 2),
        ink_of(0, 1, 2, 2, 2, 3, 4, 4, 4, 5, 5, share=0.6),
        ink_of(0),
        ink_of(0, 0, 0, 1, 1, 1, share=3.0),
        ink_of(0, 1, 3, 3, 3),  # behind the text, which is of the last character
    ]
    found = align(Planted(), inks, texts)
    # One more for the first character: the window is for the next point, and before the first one
    # there is none.
    points = [[3, 3, 1], [2, 1, 3, 1, 3, 2], [2], [4, 3], [2, 1, 3]]
    assert [one.tolist() for one in found] == points


def test_no_character_is_without_a_point():
    (found,) = align(Planted(), [ink_of(0, 0, 0, 2, 2, 2)], ["abc"])
    assert found.min() == 1 and found.sum() == 7 and found[1] == 1
    (back,) = align(Planted(), [ink_of(0, 0, 0, 0, 0, 0)], ["abc"])  # it never leaves the first
    assert back.tolist() == [5, 1, 1]
