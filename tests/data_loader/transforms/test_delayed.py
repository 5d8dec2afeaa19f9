import numpy as np

from data_loader import DelayMarks
from tests.data_loader.transforms.applied import applied
from utils.ink import from_strokes, strokes

LETTER = np.column_stack([np.zeros(12), np.linspace(0, 10, 12)])
DOT = np.array([[0.0, -6.0], [0.0, -5.0], [0.5, -5.0]])
WORD = [part + np.array([12.0 * n, 0]) for n in range(8) for part in (LETTER, DOT)]
INK = from_strokes(WORD)
"""Eight letters, each with its dot."""
STILL = {"at_once": 0.0, "last": 0.0, "moved": 0.0}


def lengths(seed=0, ink=INK, **options):
    """Return the points of each stroke: 12 of a letter and 3 of a dot."""
    changed, _ = applied(DelayMarks(**STILL | options), ink, seed=seed)
    return [len(part) for part in strokes(changed)]


def test_marks_come_after_all_letters_or_right_after_theirs():
    assert lengths() == [12, 3] * 8
    last, _ = applied(DelayMarks(**STILL | {"last": 1.0}), INK, seed=0)
    assert [len(part) for part in strokes(last)] == [12] * 8 + [3] * 8
    expected = np.concatenate(WORD[::2] + WORD[1::2])
    np.testing.assert_allclose(np.concatenate(strokes(last)), expected - expected[0], atol=1e-4)
    assert lengths(ink=last, at_once=1.0) == [12, 3] * 8


def test_marks_are_moved_and_forgotten_but_letters_stay():
    moved, _ = applied(DelayMarks(**STILL | {"moved": 1.0, "missing": 0.0}), INK, seed=1)
    away = np.array([(a - b)[0] for a, b in zip(strokes(moved), WORD, strict=True)])
    np.testing.assert_allclose(away[::2], 0, atol=1e-4)
    assert (np.abs(away[1::2]) > 1e-3).all() and np.abs(away).max() < 5 * 0.15 * 10
    assert lengths(moved=1.0, missing=1.0) == [12] * 8


def test_ink_without_marks_stays_as_it_is():
    letters = from_strokes(WORD[::2])
    assert DelayMarks()(letters, None, np.random.default_rng(0))[0] is letters
