"""What is on a page, by hand."""

import numpy as np
import pytest

from utils.page.layers import (
    DOT_LENGTH,
    NARROWEST,
    PARTS,
    WIDEST,
    curves,
    halved,
    layers,
    segment_periods,
    speed_widths,
)
from utils.page.page import Pen, Row, Sheet

LINE = np.array([[10.0, 20.0], [30.0, 20.0]])
DOT = np.array([[15.0, 15.0]])
RED = Pen(0.7, "#aa0000")


def test_each_pen_is_a_layer_and_the_ruling_the_first():
    rows = (Row((LINE,)), Row((LINE, DOT), pen=RED), Row(()), Row((DOT,), pen=Pen()))
    page = Sheet(210, 297, rows, rules=np.array([[[20, 30], [190, 30]]]), dots=np.array([[5, 5]]))
    ruling, blue, red = layers(page)
    assert [ruling.label[0], blue.label, red.label] == [
        "1",
        "2 pen 0.4 mm #1b2a4e",
        "3 pen 0.7 mm #aa0000",
    ]
    assert ruling.printed and not blue.printed
    assert [stroke.tolist() for stroke in ruling.strokes] == [[[20, 30], [190, 30]], [[5, 5]]]
    assert [stroke is LINE for stroke in blue.strokes] == [True, False]
    assert blue.rows == [rows[0], rows[3]] and red.rows == [rows[1]]
    assert layers(Sheet(210, 297)) == []


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


def test_the_fast_part_is_thinner():
    # The usual speed, then 16 times that, then a pause and a hundredth of it.
    steps = np.concatenate([np.full(60, 0.5), np.full(20, 8.0), np.full(10, 0.005)])
    x = np.concatenate([[0.0], np.cumsum(steps)])
    row = Row((np.stack([x, 0 * x], axis=1), DOT), pen=Pen(0.4))
    widths, dot = speed_widths(row)
    widths = widths[::PARTS]
    np.testing.assert_allclose(widths[[10, 40]], 0.4)
    np.testing.assert_allclose(widths[[62, 78]], 0.4 * NARROWEST)
    np.testing.assert_allclose(widths[[83, 89]], 0.4 * WIDEST)
    assert len(dot) == PARTS
    (layer,) = layers(Sheet(210, 297, (row,)))
    drawn = layer.by_width()
    assert min(drawn) == pytest.approx(0.22)
    parts = [part for width in drawn.values() for part in width]
    assert sum(map(len, parts)) == 91 * PARTS
    # Together they are the curve itself.
    one = curves(row.strokes[0])
    np.testing.assert_allclose(
        bezier_at(halved(halved(one))[:PARTS], 0.5), bezier_at(one[:1], CENTRES)
    )


CENTRES = (np.arange(PARTS) + 0.5) / PARTS


def bezier_at(segments, t):
    """Return the points of cubic segments at their parameters t, by Bernstein's polynomials."""
    t = np.broadcast_to(t, CENTRES.shape)[:, None]
    a, b, c, d = np.moveaxis(segments, 1, 0)
    return (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
