"""Dots and bars are read at their letters, whenever they were written."""

import numpy as np
import pytest

from data_loader import EmbeddedDataset
from model.recognition.ink_features import stroke_features
from utils.delayed_strokes import are_marks, undelayed
from utils.ink import from_strokes, strokes, x_height

X_HEIGHT = 10.0


def stem(x, top=-X_HEIGHT):
    return np.column_stack([np.full(8, x), np.linspace(top, 0.0, 8)])


# A word in quotation marks with a full stop, and what follows: its strokes from left to right.
PARTS = {
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
NAMES = list(PARTS)
MARKS = ("opening quote", "dot", "bar", "closing quote")


def turned(degrees, parts):
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return [part @ np.array([[cosine, sine], [-sine, cosine]]) for part in parts]


def test_marks_are_above_the_line():
    found = are_marks(from_strokes([*PARTS.values()]), X_HEIGHT)
    assert [name for name, mark in zip(NAMES, found, strict=True) if mark] == [*MARKS]
    wide = np.array([(0.0, -12.0), (26.0, -12.0)])  # as a line through the row is
    assert not are_marks(from_strokes([*PARTS.values(), wide]), X_HEIGHT)[-1]


def order_of(names, degrees=0):
    """Return the names of strokes written in some order, as they are then ordered."""
    ink = from_strokes(turned(degrees, [PARTS[name] for name in names]))
    written = strokes(ink)
    found = undelayed(ink, X_HEIGHT)
    return [names[[np.array_equal(part, one) for one in written].index(True)] for part in found]


@pytest.mark.parametrize("degrees", [0, 10])
@pytest.mark.parametrize("marks", [MARKS, MARKS[::-1]])
def test_marks_written_last_come_to_their_letters(degrees, marks):
    letters = [name for name in NAMES if name not in MARKS]
    assert order_of([*letters, *marks], degrees) == NAMES


def test_what_is_hardly_late_and_late_letters_stay():
    names = ["n", "i", "dot", "t", "stop", "bar", "l"]
    assert order_of(names) == names
    names = ["t", "n", "l", "i", "stop", "bar"]
    assert order_of(names) == ["t", "bar", "n", "l", "i", "stop"]


@pytest.mark.parametrize(
    "parts",
    [[np.zeros((1, 2))], [PARTS["bar"], PARTS["bar"] - (99, 0)], [PARTS["l"], PARTS["i"]]],
    ids=str,
)
def test_ink_of_marks_alone_or_of_letters_alone_stays(parts):
    assert len(undelayed(from_strokes(parts), X_HEIGHT)) == len(parts)


def test_a_recogniser_sees_little_else_of_marks_written_last():
    options = dict(seed=3, size=20, valid_size=1, test_size=1, writers=5, max_characters=30)
    near, far = [], []
    for sample in EmbeddedDataset(**options).load(["train"]).split("train"):
        parts, height = strokes(sample.ink), x_height(sample.ink)
        is_mark = are_marks(sample.ink, height)
        late = from_strokes([parts[number] for number in np.argsort(is_mark, kind="stable")])
        for found, undelays in ((near, True), (far, False)):
            seen = stroke_features(sample.ink, undelays=undelays)
            other = stroke_features(late, undelays=undelays)
            found.append(np.abs(other - seen).mean())
    assert np.mean(near) < 0.3 * np.mean(far)
