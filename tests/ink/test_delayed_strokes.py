"""Dots and bars are read at their letters, whenever they were written."""

import numpy as np
import pytest

from data_loader import EmbeddedDataset
from ink.delayed_strokes import are_marks, undelayed
from ink.geometry import from_strokes, strokes, x_height
from model.recognition.ink_features import stroke_features
from tests.data_loader.synthetic.invented.hands import turned

X_HEIGHT = 10.0


def stem(x, top=-X_HEIGHT):
    return np.column_stack([np.full(8, x), np.linspace(top, 0.0, 8)])


WORD = {
    "opening quote": np.array([(-6.0, -18.0), (-6.0, -14.0)]),
    "i": stem(0.0),
    "dot": np.array([(1.0, -15.0)]),
    "t": stem(8.0, -16.0),
    "bar": np.array([(5.0, -11.0), (11.0, -11.0)]),
    "n": np.concatenate([stem(14.0), stem(14.0)[::-1], stem(20.0)]),
    "stop": np.array([(24.0, -1.0), (24.0, 0.0)]),
    "closing quote": np.array([(25.0, -18.0), (25.0, -14.0)]),
    "l": stem(90.0, -18.0),
}
"""The strokes of a word in quotation marks, and a letter of what follows, from left to right."""
MARKS = ["opening quote", "dot", "bar", "closing quote"]
LETTERS = ["i", "t", "n", "stop", "l"]


def ordered(names, degrees=0):
    """Return the names of strokes written in some order, as they are then ordered."""
    ink = turned(from_strokes([WORD[name] for name in names]), degrees)
    by_stroke = dict(zip(map(bytes, strokes(ink)), names, strict=True))
    return [by_stroke[bytes(stroke)] for stroke in undelayed(ink, X_HEIGHT)]


def test_a_wide_bar_through_a_row_is_not_taken_for_a_mark():
    bar = np.array([(0.0, -12.0), (26.0, -12.0)])
    assert not are_marks(from_strokes([*WORD.values(), bar]), X_HEIGHT)[-1]


@pytest.mark.parametrize("degrees", [0, 10])
@pytest.mark.parametrize("marks", [MARKS, MARKS[::-1]])
def test_marks_that_were_written_last_are_moved_behind_their_letters(degrees, marks):
    assert ordered([*LETTERS, *marks], degrees) == [*WORD]


@pytest.mark.parametrize(
    ("written", "order"),
    [
        (["n", "i", "dot", "t", "stop", "bar", "l"], ["n", "i", "dot", "t", "stop", "bar", "l"]),
        (["t", "n", "l", "i", "stop", "bar"], ["t", "bar", "n", "l", "i", "stop"]),
        (["dot"], ["dot"]),
        (["l", "i"], ["l", "i"]),
    ],
)
def test_marks_that_are_hardly_late_and_late_letters_keep_their_places(written, order):
    assert ordered(written) == order


def test_bars_without_letters_keep_their_places():
    bars = [WORD["bar"], WORD["bar"] - (99, 0)]
    assert len(undelayed(from_strokes(bars), X_HEIGHT)) == 2


def test_features_of_a_recogniser_change_little_when_marks_were_written_last():
    options = dict(seed=3, size=20, valid_size=1, test_size=1, writers=5, max_characters=30)
    changes = []
    for sample in EmbeddedDataset(**options).load(["train"]).split("train"):
        order = np.argsort(are_marks(sample.ink, x_height(sample.ink)), kind="stable")
        late = from_strokes([strokes(sample.ink)[number] for number in order])
        changes.append([
            np.abs(stroke_features(late, undelays=undelays)
                   - stroke_features(sample.ink, undelays=undelays)).mean()
            for undelays in (True, False)
        ])  # fmt: skip
    with_order, without = np.mean(changes, axis=0)
    assert with_order < 0.3 * without
