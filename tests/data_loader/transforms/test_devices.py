import numpy as np

from data_loader import OtherDevice
from tests.data_loader.transforms.applied import applied
from utils.ink import from_strokes, strokes, x_height

ALONG = np.linspace(0, 6 * np.pi, 300)
WAVE = from_strokes([np.column_stack([10 * ALONG, 50 * np.sin(ALONG)])] * 3)
"""Waves 100 units high; each ends in the midst of an upward way."""
HEIGHT = x_height(WAVE)


def changed(seed, **options):
    faults = {"slower": 1.0, "grid": 1e-3, "jitter": 0.0, "hooks": 0.0, "skips": 0.0}
    ink, _ = applied(OtherDevice(share=1.0, **faults | options), WAVE, seed=seed)
    return strokes(ink)


def test_each_fault_does_what_it_says():
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


def test_a_share_of_the_samples_stays_as_it_is_and_dots_stay_dots():
    transform = OtherDevice(share=0.5)
    same = [transform(WAVE, None, np.random.default_rng(seed))[0] is WAVE for seed in range(200)]
    assert 60 < sum(same) < 140  # false alarm: 1e-8
    dot = np.array([[0, 0, 1], [3, 4, 1]], np.float32)
    for seed in range(20):
        ink, _ = applied(OtherDevice(share=1.0), dot, seed=seed)
        assert np.isfinite(ink).all() and ink[:, 2].sum() == 2
