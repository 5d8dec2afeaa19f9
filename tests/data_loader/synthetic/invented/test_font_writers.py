"""The embedded data: what is written, how the pen moves, and that seeds decide it alone."""

import numpy as np
import pytest

from base.base_dataset import SPLITS
from data_loader.synthetic.invented.font_writers import EmbeddedDataset, digitise
from utils.checks import ConfigFault


@pytest.fixture(scope="module")
def loaded():
    return EmbeddedDataset(size=60, valid_size=60, test_size=60).load()


@pytest.mark.slow
def test_ink_has_the_format_of_the_project(loaded):
    last = [loaded.split(split)[-1].name for split in SPLITS]
    assert last == ["train-000059", "valid-000059", "test-000059"]
    assert loaded.report.startswith("EmbeddedDataset: 180 samples\n")
    for ink in (sample.ink for sample in loaded.used[::3]):
        assert ink.dtype == np.float32 and ink.shape == (len(ink), 3)
        assert ink[0, :2].tolist() == [0, 0] and ink[-1, 2] == 1
        assert np.isin(ink[:, 2], (0, 1)).all()
        # On a grid of 1/64, so that sums of offsets in float32 are exact.
        assert not (ink[:, :2] % (1 / 64)).any()


def test_a_sample_is_the_same_at_any_size_and_when_its_split_is_loaded_alone(loaded):
    small = EmbeddedDataset(size=5, valid_size=3, test_size=2)
    for split in SPLITS:
        alone = small.load([split])
        assert list(alone.samples) == [split]
        for mine, theirs in zip(alone.split(split), loaded.split(split), strict=False):
            np.testing.assert_array_equal(mine.ink, theirs.ink)
            for part in ("text", "name", "writer"):
                assert getattr(mine, part) == getattr(theirs, part)


def test_splits_share_no_writer(loaded):
    writers = [{sample.writer for sample in loaded.split(split)} for split in SPLITS]
    assert min(map(len, writers)) > 20
    assert len(set.union(*writers)) == sum(map(len, writers))
    # Not only their names differ.
    invent = EmbeddedDataset().invent
    assert len({invent(split, n).slant for split in range(3) for n in range(50)}) == 150


def test_the_speed_follows_the_two_thirds_power_law():
    # An ellipse, drawn 5 times around; its curvature is known. Between the bound for straight
    # lines and the smoothing the exponent -1/3 is met where the curvature is large.
    angle = np.linspace(0, 10 * np.pi, 20000)
    a = 20.0
    b = 6.0
    height = 14.0
    lift = np.arange(len(angle)) == len(angle) - 1
    rate, speed = 2000.0, 200.0
    path = np.column_stack([a * np.cos(angle), b * np.sin(angle), lift])
    points = digitise(path, speed, rate)[:, :2]
    step = np.hypot(*np.diff(points, axis=0).T) * rate
    x, y = (points[1:] + points[:-1]).T
    at = np.arctan2(y / b, x / a)
    curvature = height * a * b / ((a * np.sin(at)) ** 2 + (b * np.cos(at)) ** 2) ** 1.5
    inner = slice(len(step) // 5, -len(step) // 5)
    expected = speed * (curvature + 0.4) ** (-1 / 3)
    np.testing.assert_allclose(step[inner], expected[inner], rtol=0.02)


def test_options_that_do_not_fit_together_are_named():
    with pytest.raises(ConfigFault, match=r"max_characters = 25: at least 6 more than min_char"):
        EmbeddedDataset(min_characters=20, max_characters=25)
    with pytest.raises(ConfigFault, match=r"fonts = \[\]: at least one of print, joined, italic"):
        EmbeddedDataset(fonts=[])


@pytest.mark.parametrize("symbols", [0.0, 0.5])
def test_the_alphabet_does_not_depend_on_the_size(symbols):
    few = EmbeddedDataset(size=3, valid_size=1, test_size=1, symbols=symbols)
    many = EmbeddedDataset(size=60, valid_size=1, test_size=1, symbols=symbols)
    assert few.characters == many.characters
    assert many.load().character_counts().keys() <= set(many.characters)
    assert ("@" in many.characters) == (symbols > 0)
