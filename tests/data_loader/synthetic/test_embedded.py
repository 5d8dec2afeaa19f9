"""The embedded data: what is written, how the pen moves, and that seeds decide it alone."""

import re
import string

import numpy as np
import pytest

from base.base_dataset import SPLITS
from data_loader.synthetic.embedded import EmbeddedDataset, digitise, write
from data_loader.synthetic.stroke_fonts import OTHERS, SHAPES
from tests.data_loader.synthetic.hands import Still, hand
from utils.checks import ConfigFault, UserError

PRINTABLE = string.ascii_letters + string.digits + string.punctuation + " "


@pytest.fixture(scope="module")
def dataset():
    data = EmbeddedDataset(size=600, valid_size=80, test_size=60)
    data.prepare()
    return data


# --- the format -------------------------------------------------------------------------------


def test_ink_has_the_format_of_the_project(dataset):
    assert len(dataset) == 740 == len(dataset.lengths)
    assert dataset.lengths.dtype == np.int64
    assert dataset.canonical is None and dataset.quantisation_step is None
    for index in range(0, 740, 7):
        ink = dataset.ink(index)
        assert ink.dtype == np.float32 and ink.shape == (dataset.lengths[index], 3)
        assert ink[0, :2].tolist() == [0, 0]
        assert set(np.unique(ink[:, 2])) <= {0.0, 1.0}
        assert ink[-1, 2] == 1
        assert np.isfinite(ink).all()
        # On a grid of 1/64, so that sums of offsets in float32 are exact.
        np.testing.assert_array_equal(ink[:, :2] * 64, np.rint(ink[:, :2] * 64))
        missing = dataset.missing(index)
        assert missing.dtype == np.uint8 and missing.shape == (len(ink),) and not missing.any()


def test_splits_names_and_report(dataset):
    assert dataset.indices("train").tolist() == list(range(600))
    assert dataset.indices("valid").tolist() == list(range(600, 680))
    assert dataset.indices("test").tolist() == list(range(680, 740))
    assert dataset.indices("valid").dtype == np.int64
    with pytest.raises(UserError, match="'exam': there are train, valid, test"):
        dataset.indices("exam")
    names = [dataset.name(index) for index in range(740)]
    assert len(set(names)) == 740
    assert names[0] == "train-000000" and names[601] == "valid-000001"
    assert names[739] == "test-000059"
    report = dataset.report()
    assert report.count(" writers") == 3
    assert re.search(rf"train +600 lines +{int(dataset.lengths[:600].sum()):,} points", report)


# --- determinism ------------------------------------------------------------------------------


def test_a_sample_is_the_same_at_any_size(dataset):
    small = EmbeddedDataset(size=5, valid_size=3, test_size=2)
    small.prepare()
    for split in SPLITS:
        for mine, theirs in zip(small.indices(split), dataset.indices(split), strict=False):
            np.testing.assert_array_equal(small.ink(mine), dataset.ink(theirs))
            assert small.text(mine) == dataset.text(theirs)
            assert small.name(mine) == dataset.name(theirs)
            assert small.writer(mine) == dataset.writer(theirs)


# --- texts ------------------------------------------------------------------------------------


def test_splits_share_no_writer(dataset):
    writers = [{dataset.writer(n) for n in dataset.indices(split)} for split in SPLITS]
    assert [len(names) > 20 for names in writers] == [True, True, True]
    assert not (writers[0] & writers[1] or writers[0] & writers[2] or writers[1] & writers[2])
    # Not only their names differ.
    hands = {dataset.invent(split, n) for split in range(3) for n in range(50)}
    assert len(hands) == len({writer.slant for writer in hands}) == 150


# --- letters ----------------------------------------------------------------------------------


def test_other_shapes_change_signs_alone():
    sizes = dict(seed=3, size=300, valid_size=1, test_size=1, writers=40, signs=0.7)
    plain, others, some = (EmbeddedDataset(**sizes, shapes=share) for share in (0.0, 1.0, 0.3))
    for dataset in (plain, others, some):
        dataset.prepare()
    shaped = {character for character, _ in SHAPES}
    same = [np.array_equal(plain.ink(n), others.ink(n)) for n in range(300)]
    assert [plain.text(n) for n in range(300)] == [others.text(n) for n in range(300)]
    assert same == [not shaped & set(plain.text(n)) for n in range(300)]
    assert 60 < sum(same) < 240
    # A hand draws all of a group alike: both braces are of the same kind, or both plain.
    used = [some.invent(0, number).shapes for number in range(40)]
    assert len(set(used)) > 30
    for shapes in used:
        characters = [SHAPES[number][0] for number in shapes]
        assert len(set(characters)) == len(characters)
        for one, other in ("{}", "[]", "()", "<>", "/\\", "Zz"):
            assert (one in characters) == (other in characters)
            if one in characters:
                assert abs(shapes[characters.index(one)] - shapes[characters.index(other)]) == 1
    expected = 0.3 * sum(len(group[0]) for group in OTHERS)
    assert np.mean([len(shapes) for shapes in used]) == pytest.approx(expected, rel=0.2)
    everyone = {number for writer in range(40) for number in others.invent(0, writer).shapes}
    assert everyone == set(range(len(SHAPES)))


@pytest.mark.parametrize("text", ["", "  ", "café", "a\tb"])
def test_only_printable_ascii_is_written(text):
    with pytest.raises(ValueError, match="only printable ASCII"):
        write(text, hand(), Still(), 75)


# --- the pen ----------------------------------------------------------------------------------


def test_the_speed_follows_the_two_thirds_power_law():
    # An ellipse, drawn 5 times around; its curvature is known. Between the bound for straight
    # lines and the smoothing the exponent -1/3 is met where the curvature is large.
    angle = np.linspace(0, 10 * np.pi, 20000)
    a, b, height = 20.0, 6.0, 14.0
    x, y = a * np.cos(angle), b * np.sin(angle)
    end = np.arange(len(x)) == len(x) - 1
    rate, speed = 2000.0, 200.0
    read_x, read_y, _ = digitise(x, y, end, speed, rate)
    step = np.hypot(np.diff(read_x), np.diff(read_y)) * rate
    at = np.arctan2((read_y[1:] + read_y[:-1]) / b, (read_x[1:] + read_x[:-1]) / a)
    curvature = height * a * b / ((a * np.sin(at)) ** 2 + (b * np.cos(at)) ** 2) ** 1.5
    inner = slice(len(step) // 5, -len(step) // 5)
    expected = speed * (curvature + 0.4) ** (-1 / 3)
    np.testing.assert_allclose(step[inner], expected[inner], rtol=0.02)
    slope = np.polyfit(np.log(curvature[inner]), np.log(step[inner]), 1)[0]
    assert -1 / 3 < slope < -0.2


def test_points_are_at_equal_times_and_slow_at_the_ends():
    x = np.linspace(0, 400, 1001)
    end = np.arange(1001) == 1000
    for rate in (50.0, 100.0):
        read_x, read_y, ends = digitise(x, 0 * x, end, 100.0, rate)
        assert ends[-1] and ends.sum() == 1 and not read_y.any()
        step = np.diff(read_x)
        middle = len(step) // 2
        # Straight: 100 units a second times 0.4^(-1/3), and no faster.
        assert step[middle] * rate == pytest.approx(100 * 0.4 ** (-1 / 3), rel=0.01)
        assert step[0] < 0.5 * step[middle] and step[-1] < 0.5 * step[middle]
        assert (np.diff(step[:middle]) > -1e-9).all() and (np.diff(step[middle:]) < 1e-9).all()
        # The last point is less than one step short of where the pen is lifted.
        assert 0 <= 400 - read_x[-1] < step[-1] * 1.5


# --- options ----------------------------------------------------------------------------------


def test_options_that_do_not_fit_together_are_named():
    with pytest.raises(ConfigFault, match="at least 6 more than min_characters \\(20\\)") as fault:
        EmbeddedDataset(min_characters=20, max_characters=25)
    assert fault.value.key == "max_characters"
    with pytest.raises(ConfigFault, match="at least one of print, joined, italic") as fault:
        EmbeddedDataset(fonts=[])
    assert fault.value.key == "fonts"


@pytest.mark.parametrize("symbols", [0.0, 0.5])
def test_the_alphabet_does_not_depend_on_the_size(symbols):
    few = EmbeddedDataset(size=3, valid_size=1, test_size=1, symbols=symbols)
    many = EmbeddedDataset(size=300, valid_size=1, test_size=1, symbols=symbols)
    many.prepare()
    assert few.characters == many.characters
    assert set("".join(map(many.text, range(len(many))))) <= set(many.characters)
    assert ("@" in many.characters) == (symbols > 0)
