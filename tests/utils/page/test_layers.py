"""What is on a page, by hand."""

import numpy as np
import pytest

from utils.checks import UserError
from utils.page.layers import DOT_LENGTH, curves, layers, sampled, segment_periods
from utils.page.page import Page, Pen, Row

LINE = np.array([[10.0, 20.0], [30.0, 20.0]])
DOT = np.array([[15.0, 15.0]])
RED = Pen(0.7, "#aa0000")


def test_each_pen_is_a_layer_and_the_ruling_the_first():
    rows = (Row((LINE,)), Row((LINE, DOT), pen=RED), Row(()), Row((DOT,), pen=Pen()))
    page = Page(210, 297, rows, rules=np.array([[[20, 30], [190, 30]]]), dots=np.array([[5, 5]]))
    ruling, blue, red = layers(page)
    assert [ruling.label[0], blue.label, red.label] == [
        "1",
        "2 pen 0.4 mm #1b2a4e",
        "3 pen 0.7 mm #aa0000",
    ]
    assert ruling.printed and not blue.printed
    assert [stroke.tolist() for stroke in ruling.strokes] == [[[20, 30], [190, 30]], [[5, 5]]]
    assert [stroke is LINE for stroke in blue.strokes] == [True, False]
    assert blue.rows == (rows[0], rows[3]) and red.rows == (rows[1],)
    assert [layer.label[0] for layer in layers(page, ruling=False)] == ["1", "2"]
    assert layers(Page(210, 297)) == []


def test_a_dot_is_a_short_stroke_around_its_place():
    for stroke in (DOT, np.repeat(DOT, 3, axis=0), np.array([[15, 15], [15.00001, 15]])):
        (segment,) = curves(stroke)
        assert np.hypot(*(segment[3] - segment[0])) == pytest.approx(DOT_LENGTH)
        np.testing.assert_allclose((segment[0] + segment[3]) / 2, DOT[0])


def test_pauses_belong_to_the_way_after_them_or_the_last_one():
    stroke = np.array([[0, 0], [0, 0], [1, 0], [2, 0], [2, 0], [2, 0]])
    assert segment_periods(stroke).tolist() == [2, 3]
    assert segment_periods(np.zeros((1, 2))).tolist() == [1]
    assert segment_periods(np.zeros((4, 2))).tolist() == [3]


def test_samples_lie_on_the_curve():
    # The curve (t, t^2) and the line from its end.
    parabola = [[0, 0], [1 / 3, 0], [2 / 3, 1 / 3], [1, 1]]
    line = [[1, 1], [1, 2], [1, 3], [1, 4]]
    found = sampled(np.array([parabola, line]), 4)
    expected = [(t, t * t) for t in (0, 0.25, 0.5, 0.75)]
    expected += [(1, 1 + 3 * t) for t in (0, 0.25, 0.5, 0.75, 1)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("place", "distance"), [((-2, 9), 2.0), ((3, 60.5), 0.5), ((104, 61), 4.0), ((4, -1), 1.0)]
)
def test_ink_that_leaves_the_sheet_is_refused(place, distance):
    rows = (Row((LINE,), "in"), Row((LINE, np.array([place])), "out"))
    message = rf"row 2, 'out': its ink leaves the sheet by {distance} mm; larger margins"
    with pytest.raises(UserError, match=message):
        layers(Page(100, 60, rows))
    assert layers(Page(100, 60, (Row((np.array([[0, 0], [100.0, 60]]),)),)))
