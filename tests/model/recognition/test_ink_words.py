"""The words of a line: planted labels over ink of which it is known what is where."""

import numpy as np
import pytest

from ink.alphabet import Alphabet
from ink.geometry import from_strokes
from model.recognition.ink_features import rows_of_features
from model.recognition.ink_words import words_of
from tests.model.builders import recogniser

NETWORK = recogniser(alphabet=Alphabet(list(" abc")), time_reductions=0)


def zigzag(left):
    x = np.linspace(left, left + 3.0, 25)
    return np.column_stack([x, np.arange(25) % 2])


def words(ink, text, likely):
    """Return the words of a line with what is likely at its points: `{point: {label: chance}}`."""
    rows = rows_of_features(ink, NETWORK.spacing)[:: NETWORK.points_per_frame]
    probabilities = np.full((len(rows), 5), 1e-9)
    for point, labels in likely.items():
        frame = np.abs(rows - point).argmin()
        for character, probability in labels.items():
            probabilities[frame, NETWORK.alphabet.encode(character)[0]] = probability
    probabilities[:, -1] = 1 - probabilities[:, :-1].sum(axis=1)
    return [*words_of(NETWORK, ink, text, np.log(probabilities))]


def test_words_have_their_points_probabilities_and_alternatives():
    ink = from_strokes([zigzag(0), zigzag(4), zigzag(10), np.array([[2.0, -1]])])
    labels = [{"a": 0.999999}, {"b": 0.8, "c": 0.15}, {" ": 0.9}, {"c": 0.999999}]
    first, second = words(ink, "ab c", dict(zip((12, 37, 50, 62), labels, strict=True)))
    assert (first.text, second.text) == ("ab", "c")
    # The late dot is the first word's, above which it stands.
    assert first.points.tolist() == [*range(50), 75] and second.points.tolist() == [*range(50, 75)]
    assert first.probability == pytest.approx(0.8 * 0.9, rel=1e-4)
    assert second.probability == pytest.approx(0.9, rel=1e-4)
    assert first.alternatives[0] == "ac" and "ab" not in first.alternatives


def test_stroke_through_two_words_is_divided_between_them():
    ink = from_strokes([zigzag(0), np.concatenate([zigzag(4), zigzag(8)])])
    labels = {12: {"a": 0.9999}, 37: {"b": 0.9999}, 50: {" ": 0.9999}, 62: {"c": 0.9999}}
    first, second = words(ink, "ab c", labels)
    assert 45 <= len(first.points) <= 60
    assert [*first.points, *second.points] == [*range(75)]
    assert second.alternatives == ()


def test_words_of_a_text_with_more_characters_than_frames_have_ink_and_no_probability():
    ink = from_strokes([np.array([[0.0, 0], [0.1, 0]])] * 6)
    result = [*words_of(NETWORK, ink, "a b c", np.log(np.full((3, 5), 0.2)))]
    assert [word.text for word in result] == ["a", "b", "c"]
    assert all(word.probability == 0 and len(word.points) for word in result)
