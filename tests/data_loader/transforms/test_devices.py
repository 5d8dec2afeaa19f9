import numpy as np
import pytest

from data_loader import Crowd, DelayMarks, EmbeddedDataset, HandwritingDataLoader, OtherDevice, Pen
from ink.alphabet import Alphabet
from ink.drawing.pictures import ink_picture, likely_columns
from ink.geometry import from_strokes, strokes, x_height
from ink.normalisation import Normalisation
from model import CTCNetwork, PictureNetwork
from tests.construct import construct
from tests.data_loader.transforms.applied import applied
from utils.checks import ConfigFault

ALONG = np.linspace(0, 6 * np.pi, 300)
WAVE = from_strokes([np.column_stack([10 * ALONG, 50 * np.sin(ALONG)])] * 3)
"""Waves 100 units high; each ends in the midst of an upward way."""
HEIGHT = x_height(WAVE)
LETTER = np.column_stack([np.zeros(12), np.linspace(0, 10, 12)])
DOT = np.array([[0.0, -6.0], [0.0, -5.0], [0.5, -5.0]])
WORD = [part + np.array([12.0 * n, 0]) for n in range(8) for part in (LETTER, DOT)]
INK = from_strokes(WORD)
"""Eight letters, each with its dot."""
STILL = {"at_once": 0.0, "last": 0.0, "moved": 0.0}


def changed(seed, **options):
    faults = {"slower": 1.0, "grid": 1e-3, "jitter": 0.0, "hooks": 0.0, "skips": 0.0}
    ink, _ = applied(OtherDevice(share=1.0, **faults | options), WAVE, seed=seed)
    return strokes(ink)


def test_each_fault_of_a_device_changes_ink_within_its_bounds():
    slow = [sum(map(len, changed(n, slower=8.0))) for n in range(40)]
    assert min(slow) < 150 and max(slow) > 600 and min(slow) >= 3 * (299 // 8)
    for n in range(5):
        points = np.concatenate(changed(n, grid=0.15))
        steps = np.diff(np.sort(points[:, 1]))
        steps = steps[steps > 0.02]  # Less is what sums of float32 are off by.
        smallest = steps.min()  # Points lie on a grid that is one of those drawn.
        assert 0.0014 * HEIGHT < smallest < 0.151 * HEIGHT
        multiples = steps[steps < 4 * smallest] / smallest
        assert len(multiples) > 5 and np.abs(multiples - np.rint(multiples)).max() < 0.05
        away = np.concatenate(changed(n, jitter=0.03)) - np.concatenate(strokes(WAVE))
        away -= away[0]
        assert np.abs(away).std() < 2 * 0.031 * HEIGHT
    assert sum(map(len, changed(0, hooks=1.0))) == len(WAVE) + 6
    skipped = changed(0, skips=1.0)
    assert len(skipped) == 6 and len(WAVE) - 9 <= sum(map(len, skipped)) < len(WAVE)


def test_a_fraction_of_the_samples_stays_as_it_is_and_dots_stay_dots():
    transform = OtherDevice(share=0.5)
    same = [transform(WAVE, None, np.random.default_rng(seed))[0] is WAVE for seed in range(200)]
    assert 60 < sum(same) < 140  # false alarm: 1e-8
    dot = np.array([[0, 0, 1], [3, 4, 1]], np.float32)
    for seed in range(20):
        ink, _ = applied(OtherDevice(share=1.0), dot, seed=seed)
        assert np.isfinite(ink).all() and ink[:, 2].sum() == 2


def lengths(seed=0, ink=INK, **options):
    """Return the points of each stroke: 12 of a letter and 3 of a dot."""
    changed, _ = applied(DelayMarks(**STILL | options), ink, seed=seed)
    return [len(part) for part in strokes(changed)]


def test_marks_come_after_all_letters_or_right_after_their_own():
    assert lengths() == [12, 3] * 8
    last, _ = applied(DelayMarks(**STILL | {"last": 1.0}), INK, seed=0)
    assert [len(part) for part in strokes(last)] == [12] * 8 + [3] * 8
    expected = np.concatenate(WORD[::2] + WORD[1::2])
    np.testing.assert_allclose(np.concatenate(strokes(last)), expected - expected[0], atol=1e-4)
    assert lengths(ink=last, at_once=1.0) == [12, 3] * 8


def test_marks_are_moved_or_left_out_but_letters_stay():
    moved, _ = applied(DelayMarks(**STILL | {"moved": 1.0, "missing": 0.0}), INK, seed=1)
    away = np.array([(a - b)[0] for a, b in zip(strokes(moved), WORD, strict=True)])
    np.testing.assert_allclose(away[::2], 0, atol=1e-4)
    assert (np.abs(away[1::2]) > 1e-3).all() and np.abs(away).max() < 5 * 0.15 * 10
    assert lengths(moved=1.0, missing=1.0) == [12] * 8


def test_ink_without_marks_stays_as_it_is():
    letters = from_strokes(WORD[::2])
    assert DelayMarks()(letters, None, np.random.default_rng(0))[0] is letters


@pytest.mark.parametrize(
    ("name", "low", "high"), [("pen", 0.07, 0.28), ("blur", 1.0, 2.5), ("zoom", 0.7, 1.0)]
)
def test_pens_differ_within_bounds(name, low, high):
    values = [Pen().arguments(np.random.default_rng(seed))[name] for seed in range(300)]
    assert low <= min(values) < low * 1.1 and high / 1.1 < max(values) <= high


def with_pens(network):
    """Return data that are augmented by pens, ready, and the features of a network."""
    dataset = EmbeddedDataset(size=3, valid_size=1, test_size=1)
    ready = HandwritingDataLoader(dataset=dataset, augmentation=[Pen()]).load(seed=1)
    units = Normalisation((1.0, 1.0), (1.0, 1.0))
    return ready, construct(network, units, Alphabet("a")).features


def test_sample_is_drawn_by_another_pen_each_epoch_and_in_validation_by_the_usual_pen():
    ready, features = with_pens(PictureNetwork)
    training, valid = ready.training_loader(features), ready.loader("valid", features).dataset
    widths = [likely_columns(sample.ink) for sample in ready.training]
    assert training.keys.lengths.tolist() == widths
    sample = training.dataset.samples[0]
    drawn, again, later = (
        training.dataset.steps([(epoch, 0)], [sample])[0][0] for epoch in (0, 0, 1)
    )
    assert np.array_equal(drawn, again) and drawn.shape != later.shape
    usual = ink_picture(ready.samples("valid")[0].ink)
    assert np.array_equal(valid.steps([(0, 0)], [valid.samples[0]])[0][0], usual)


def test_pen_is_refused_by_a_network_that_sees_no_pictures():
    ready, features = with_pens(CTCNetwork)
    with pytest.raises(ConfigFault, match='"Pen": it belongs to a network that sees pictures'):
        ready.training_loader(features)


def test_neighbours_are_moved_together_and_words_are_not():
    bars = [np.array([[x, 40.0], [x, 0.0]]) for x in (0.0, 12.0, 20.0, 80.0, 95.0)]
    ink = from_strokes([part for bar in bars for part in (bar, bar[1:] - (0.0, 20.0))])  # dotted
    gaps = []
    for seed in range(300):
        moved, _ = applied(Crowd(share=1.0), ink, seed=seed)
        assert (moved[:, 1:] == ink[:, 1:]).all()
        x = np.array([part[0, 0] for part in strokes(moved)])
        np.testing.assert_allclose(x[1::2], x[::2], atol=1e-3)  # dots stay above their strokes
        gaps.append(np.diff(x[::2]))
    for own, gap in zip(np.array(gaps).T, (12.0, 8.0, 60.0, 15.0), strict=True):
        low = 60.0 if gap == 60.0 else -4.0
        assert low - 0.01 <= own.min() < low + 1 and gap - 1 < own.max() <= gap + 0.01
    assert np.array_equal(applied(Crowd(share=0.0), ink)[0], ink)
