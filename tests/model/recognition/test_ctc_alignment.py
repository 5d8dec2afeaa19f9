"""Points of characters by a recogniser with CTC: planted labels, worked by hand."""

import numpy as np
import torch

from model.recognition.ctc_alignment import count_points, likeliest_path
from model.recognition.ink_features import rows_of_features, stroke_features
from utils.ink import from_strokes


def labels(frames, spikes, classes):
    """Log-probabilities with the blank (the last class) everywhere but at the spikes."""
    found = torch.zeros(frames, classes)
    found[:, -1] = 5.0
    for frame, label in spikes.items():
        found[frame, label], found[frame, -1] = 5.0, 0.0
    return found.log_softmax(-1).double().numpy()


def divided(log_probs, codes, rows, points):
    return count_points(likeliest_path(log_probs, np.array(codes)), len(codes), rows, points)


def test_what_is_between_two_characters_is_divided_between_them():
    planted = labels(12, {2: 0, 6: 1, 10: 0}, 3)
    found = divided(planted, [0, 1, 0], 2.0 * np.arange(12), 24)
    # Spikes at the rows 4, 12 and 20: edges at 8 and 16.
    assert found.tolist() == [8, 8, 8]


def test_repeated_characters_are_told_apart_by_the_blank_between_them():
    found = divided(labels(9, {1: 0, 2: 0, 6: 0}, 2), [0, 0], np.arange(9.0), 9)
    assert found.tolist() == [4, 5]  # the first at 1.5, the second at 6
    # Neighbours that differ need none.
    spikes = {13: 0, 14: 1, 15: 2, 16: 0}
    found = divided(labels(30, spikes, 4), [0, 1, 2, 0], np.arange(30.0), 30)
    assert np.abs(np.cumsum(found)[:-1] - [13.5, 14.5, 15.5]).max() <= 0.5


def test_lines_with_too_few_frames_are_divided_evenly_and_each_character_has_a_point():
    found = divided(labels(3, {1: 0}, 2), [0] * 4, np.arange(3.0), 8)
    assert found.tolist() == [2, 2, 2, 2]
    found = labels(9, {0: 0, 1: 1, 2: 0}, 3)
    found = divided(found, [0, 1, 0, 1], np.arange(9.0) / 4, 5)
    assert found.min() >= 1 and found.sum() == 5


def test_rows_of_features_are_where_the_features_are():
    strokes = ([[0, 0], [10, 0], [10, 4]], [[3.0, 3]], [[0, 9], [0, 0]])
    ink = from_strokes([np.array(stroke) for stroke in strokes])
    rows, features = rows_of_features(ink, 0.35), stroke_features(ink, 0.35)
    assert len(rows) == len(features) and rows.max() == 5
    assert rows[features[:, 4] > 0].tolist() == [0, 3, 4]  # the first row of each stroke
    # In between by length: the middle of the last stroke is half way between its rows.
    last = rows[rows >= 4]
    np.testing.assert_allclose(last, np.linspace(4, 5, len(last)))
