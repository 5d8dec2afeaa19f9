"""Points of characters by a recogniser with CTC: planted labels, worked by hand."""

import numpy as np
import pytest
import torch

from ink.geometry import from_strokes
from model.recognition.ctc_paths import count_points, likeliest_path
from model.recognition.ink_features import rows_of_features, stroke_features


def counts(spikes, codes, rows, points):
    """Return the points of characters where labels are likely at `{frame: label}`."""
    log_probs = torch.zeros(len(rows), max(codes) + 2)
    log_probs[:, -1] = 5.0  # the blank
    for frame, label in spikes.items():
        log_probs[frame, label], log_probs[frame, -1] = 5.0, 0.0
    path = likeliest_path(log_probs.log_softmax(-1).double().numpy(), np.array(codes))
    return count_points(path, len(codes), np.array(rows), points).tolist()


@pytest.mark.parametrize(
    ("spikes", "codes", "rows", "expected"),
    [
        # Spikes at the rows 4, 12 and 20: edges at 8 and 16.
        ({2: 0, 6: 1, 10: 0}, [0, 1, 0], 2.0 * np.arange(12), [8, 8, 8]),
        # Equal neighbours are divided by the blank between them, the first at row 1.5.
        ({1: 0, 2: 0, 6: 0}, [0, 0], np.arange(9.0), [4, 5]),
        ({2: 0, 3: 1, 5: 2}, [0, 1, 2], np.arange(9.0), [2, 2, 5]),  # others need none
        ({1: 0}, [0] * 4, [0.0, 3.0, 6.0], [2, 2, 2, 2]),  # too few frames: evenly
    ],
)
def test_points_are_divided_half_way_between_the_frames_of_characters(
    spikes, codes, rows, expected
):
    assert counts(spikes, codes, rows, sum(expected)) == expected


def test_a_scribble_that_would_need_much_memory_is_divided_evenly():
    log_probs, codes = np.zeros((20_000, 2)), np.zeros(1_000, int)
    assert likeliest_path(log_probs, codes) is None
    assert count_points(None, 1_000, np.arange(20_000), 4_000).tolist() == 1_000 * [4]


def test_each_character_has_a_point_when_frames_are_denser_than_points():
    result = counts({0: 0, 1: 1, 2: 0}, [0, 1, 0, 1], np.arange(9.0) / 4, 5)
    assert min(result) >= 1 and sum(result) == 5


def test_rows_of_features_say_at_which_point_of_the_ink_each_feature_lies():
    ink = from_strokes(
        list(map(np.array, ([[0, 0], [10, 0], [10, 4]], [[3.0, 3]], [[0, 9], [0, 0]])))
    )
    rows, features = rows_of_features(ink, 0.35), stroke_features(ink, 0.35)
    assert len(rows) == len(features) and rows.max() == 5
    assert rows[features[:, 4] > 0].tolist() == [0, 3, 4]  # the first row of each stroke
    # In between by length: the middle of the last stroke is half way between its rows.
    last = rows[rows >= 4]
    np.testing.assert_allclose(last, np.linspace(4, 5, len(last)))
