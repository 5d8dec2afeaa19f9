"""The words of a line: planted labels over ink of which it is known what is where."""

from types import SimpleNamespace

import numpy as np
import pytest

from model.recognition.ink_features import rows_of_features
from model.recognition.ink_words import _words
from utils.alphabet import Alphabet
from utils.ink import from_strokes

ALPHABET = Alphabet(list(" abc"))
MODEL = SimpleNamespace(alphabet=ALPHABET, spacing=0.35, points_per_frame=2)


def zigzag(left, width=3.0):
    x = np.linspace(left, left + width, 25)
    return np.column_stack([x, np.arange(25) % 2])


def planted(ink, spikes):
    """Log-probabilities of a line with what is likely at some points of it: `{point: {character:
    probability}}`."""
    rows = rows_of_features(ink, MODEL.spacing)[::2]
    probabilities = np.full((len(rows), 5), 1e-9)
    for point, likely in spikes.items():
        frame = np.abs(rows - point).argmin()
        for character, probability in likely.items():
            probabilities[frame, ALPHABET.encode(character)[0]] = probability
    probabilities[:, -1] = 1 - probabilities[:, :-1].sum(axis=1)
    return np.log(probabilities)


def test_words_have_their_strokes_and_how_likely_they_are():
    ink = from_strokes([zigzag(0), zigzag(4), zigzag(10), np.array([[2.0, -1]])])
    spikes = {12: {"a": 0.999999}, 37: {"b": 0.8, "c": 0.15}, 50: {" ": 0.9}, 62: {"c": 0.999999}}
    first, second = _words(MODEL, ink, "ab c", planted(ink, spikes))
    assert (first.text, second.text) == ("ab", "c")
    # The late dot is the first word's, above which it stands.
    assert first.points.tolist() == [*range(50), 75] and second.points.tolist() == [*range(50, 75)]
    assert first.probability == pytest.approx(0.8 * 0.9, rel=1e-4)
    assert second.probability == pytest.approx(0.9, rel=1e-4)
    assert first.alternatives[0] == "ac" and "ab" not in first.alternatives


def test_a_stroke_through_two_words_is_divided_between_them():
    ink = from_strokes([zigzag(0), np.concatenate([zigzag(4), zigzag(8)])])
    spikes = {12: {"a": 0.9999}, 37: {"b": 0.9999}, 50: {" ": 0.9999}, 62: {"c": 0.9999}}
    first, second = _words(MODEL, ink, "ab c", planted(ink, spikes))
    assert 45 <= len(first.points) <= 60
    assert [*first.points, *second.points] == [*range(75)]
    assert second.alternatives == ()


def test_a_text_that_has_more_characters_than_there_are_frames_is_not_believed():
    ink = from_strokes([np.array([[0.0, 0], [0.1, 0]])] * 6)
    words = [*_words(MODEL, ink, "a b c", np.log(np.full((3, 5), 0.2)))]
    assert [word.text for word in words] == ["a", "b", "c"]
    assert all(word.probability == 0 and len(word.points) for word in words)
