"""Hands are continued as large as they are."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from handwriting.hand_shape import BOUNDS, ROUNDS, calibrated
from handwriting.hands import Hand
from model.generation.line import Line
from model.generation.sampling_options import Sampling
from utils.ink import bounds, from_strokes, x_height

TEXT = "a line of a hand"


class Shrinking:
    """A writer whose lines are smaller than its primer, and grow with a power of the stretch."""

    def __init__(self, sample, shrunk, powers):
        self.sample, self.shrunk, self.powers = sample, np.array(shrunk), np.array(powers)
        self.stretches, self.bars = [], []
        self.model = SimpleNamespace(stretch_at=lambda bias: (1.0 + 0.01 * bias, 1.0))

    def write_lines(self, texts, seeds, sampling, *, primer, progress):
        self.stretches.append(sampling.stretch)
        self.bars.append(progress)
        ink = self.sample.copy()
        ink[:, :2] *= self.shrunk * np.array(sampling.stretch) ** self.powers
        return [Line(ink, 0, None, text, True, np.zeros(len(ink) - 1)) for text in texts]


@pytest.fixture(scope="module")
def sample(writer):
    return writer.write_lines([TEXT], [3], Sampling(bias=0.75))[0].written


def test_the_stretch_makes_up_for_what_lines_lack_as_far_as_it_may(sample):
    writer = Shrinking(sample, (0.5, 0.9), (12.0, 8.0))
    found = calibrated(writer, (sample, TEXT), Sampling(0.5))
    grown = writer.shrunk * np.array(found.stretch) ** writer.powers
    assert found.stretch[0] == pytest.approx(BOUNDS[1])  # the rest is left to scale
    np.testing.assert_allclose(grown * found.rest, 1.0, atol=0.05)
    assert found.rest[1] == pytest.approx(1.0, abs=0.01)
    assert writer.stretches[0] == (1.005, 1.0)
    assert not any(writer.bars)
    calibrated(writer, (sample, TEXT), Sampling(0.5), progress=True)
    assert all(writer.bars[ROUNDS:]) and len(writer.bars) == 2 * ROUNDS


@pytest.mark.parametrize(
    ("points", "text"),
    [([[0, 0], [9, 0], [20, 0]], "minus"), ([[0, 0], [3, 40]], "I"), ([[0, 0]], "dot")],
)
def test_of_flat_ink_or_a_letter_no_size_is_taken(sample, points, text):
    primer = from_strokes([np.array(points)]), text
    found = calibrated(Shrinking(sample, (0.5, 0.5), (12.0, 8.0)), primer, Sampling(0.5))
    assert found == ((1.005, 1.0), (1.0, 1.0), None)


def test_what_is_left_to_scale_is_bounded(sample):
    found = calibrated(Shrinking(sample, (0.01, 90.0), (12.0, 8.0)), (sample, TEXT), Sampling(0.5))
    np.testing.assert_allclose(found.rest, (2.0, 0.5))


def test_a_wide_hand_is_continued_as_wide(writer, sample):
    wide = sample * np.float32([1.4, 1.0, 1.0])
    primer = (wide, TEXT)

    def size(stretch):
        hand = Hand(writer, primer, sampling=Sampling(bias=1.5, stretch=stretch))
        lines = hand.write_lines([TEXT] * 8, range(20, 28))
        return np.median([np.ptp(bounds(one.written)[::2]) for one in lines])

    plain, made = size((1.0, 1.0)), size(None)
    wanted = np.ptp(bounds(wide)[::2])
    assert plain < 0.9 * wanted
    assert made == pytest.approx(wanted, rel=0.12)
    assert x_height(wide) == pytest.approx(x_height(sample))


def test_without_a_bias_nothing_is_stretched(writer):
    assert writer.model.stretch_at(0.0) == (1.0, 1.0)
    assert 1.01 < writer.model.stretch_at(0.75)[0] < 1.03


@pytest.mark.parametrize(("power", "gain"), [(2.0, 5.0), (60.0, 30.0)])
def test_what_is_measured_of_the_growth_is_bounded(sample, power, gain):
    """Lines that grow too little or too much with the stretch are taken to grow by a bound."""
    found = calibrated(
        Shrinking(sample, (0.99, 1.0), (power, power)), (sample, TEXT), Sampling(bias=0.0)
    )
    lack = -np.log(0.99)
    first = lack / 10.0
    second = first + (lack - power * first) / gain
    assert found.stretch[0] == pytest.approx(np.exp(second), abs=1e-5)


def test_lines_that_have_not_ended_have_no_size(sample):
    class Unfinished(Shrinking):
        """Most of its lines are cut in their first half."""

        def write_lines(self, *texts, **options):
            lines = super().write_lines(*texts, **options)
            half = sample[: len(sample) // 2]
            cut = [replace(one, ink=half, bias=one.bias[: len(half) - 1], ended=False)
                   for one in lines[:5]]  # fmt: skip
            return [*cut, *lines[5:]]

    make = (0.9, 0.95), (12.0, 8.0)
    one, other = (kind(sample, *make) for kind in (Unfinished, Shrinking))
    primer = sample, TEXT
    assert calibrated(one, primer, Sampling(0.5)) == calibrated(other, primer, Sampling(0.5))
