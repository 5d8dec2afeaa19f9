"""The layers of a page, one for each pen, and the curves of its strokes."""

import numpy as np
import pytest

from ink.drawing.layers import DOT_LENGTH, Pen, Row, curves
from model.drawing.page import Page

LINE = np.array([[10.0, 20.0], [30.0, 20.0]])
INK_DOT = np.array([[15.0, 15.0]])
RED = Pen(0.7, "#aa0000")


def test_a_page_has_a_layer_for_its_ruling_and_then_for_each_pen():
    rows = (Row((LINE,)), Row((LINE, INK_DOT), pen=RED), Row(()), Row((INK_DOT,), pen=Pen()))
    page = Page(210, 297, rows, rules=np.array([[[20, 30], [190, 30]]]), dots=np.array([[5, 5]]))
    ruling, blue, red = page.layers()
    assert [ruling.label[0], blue.label, red.label] == [
        "1",  # the number by which plotters know a layer
        "2 pen 0.4 mm #1b2a4e",
        "3 pen 0.7 mm #aa0000",
    ]
    assert ruling.printed and not blue.printed
    assert [stroke.tolist() for stroke in ruling.strokes] == [[[20, 30], [190, 30]], [[5, 5]]]
    assert [stroke is LINE for stroke in blue.strokes] == [True, False]
    assert blue.rows == [rows[0], rows[3]] and red.rows == [rows[1]]
    assert Page(210, 297).layers() == []


def test_a_dot_is_a_short_stroke_around_its_place():
    for stroke in (INK_DOT, np.repeat(INK_DOT, 3, axis=0), np.array([[15, 15], [15.00001, 15]])):
        (segment,) = curves(stroke)
        assert np.hypot(*(segment[3] - segment[0])) == pytest.approx(DOT_LENGTH)
        np.testing.assert_allclose((segment[0] + segment[3]) / 2, INK_DOT[0])
