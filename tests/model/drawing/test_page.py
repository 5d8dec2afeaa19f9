"""Ink beyond the sheet is refused; a page as JSON is read by the standard library and by ours."""

import json

import numpy as np
import pytest

from ink.drawing.layers import Pen, PlacedWord, Row
from ink.reading import read_ink
from model.drawing.page import Page
from utils.checks import UserError

ROWS = (
    Row((np.array([[1.23456, 2], [3, -0.0001]]), np.array([[5.0, 6.0]])), 'é "q"', Pen(0.7, "#ff")),
    Row((np.array([[10.0, 40.0], [11.0, 41.0]]),), "c", words=(PlacedWord("c", 1, "d"),)),
    Row(()),
)
RULES = np.array([[[0, 8], [210, 8]], [[0, 16], [210, 16.00049]]])
PAGE = Page(210, 297.5, ROWS, RULES, np.array([[4.0, 4.0]]))
USUAL = {"pen": {"width": 0.4, "colour": "#1b2a4e"}, "period": 0.018}
VALUES = {
    "format": "page of handwriting",
    "version": 1,
    "width": 210,
    "height": 297.5,
    "rules": [[[0, 8], [210, 8]], [[0, 16], [210, 16]]],
    "dots": [[4, 4]],
    "rows": [
        {
            "text": 'é "q"',
            "pen": {"width": 0.7, "colour": "#ff"},
            "period": 0.018,
            "strokes": [[[1.235, 2], [3, 0]], [[5, 6]]],
            "doubts": [],
        },
        USUAL | {"text": "c", "strokes": [[[10, 40], [11, 41]]], "doubts": ["c: d"]},
        USUAL | {"text": "", "strokes": [], "doubts": []},
    ],
}


def test_a_page_as_json_is_plain_rounded_and_read_row_by_row(tmp_path):
    text = PAGE.to_json()
    assert json.loads(text) == VALUES
    assert "-0" not in text and text.count("\n") == 1 and "é" in text
    (tmp_path / "page.json").write_text(text, encoding="utf-8")
    first, second = read_ink(tmp_path / "page.json")
    assert (first.text, second.text) == ('é "q"', "c")
    np.testing.assert_allclose(first.ink, [[0, 0, 0], [1.765, -2, 1], [2, 6, 1]], atol=1e-6)


@pytest.mark.parametrize(
    ("place", "distance"), [((-2, 9), 2.0), ((3, 60.5), 0.5), ((104, 61), 4.0), ((4, -1), 1.0)]
)
def test_ink_that_leaves_the_sheet_is_refused(place, distance):
    line = np.array([[0, 0], [100.0, 60]])
    rows = (Row((line,), "in"), Row((line, np.array([place])), "out"))
    message = rf"row 2, 'out': its ink leaves the sheet by {distance} mm; larger margins"
    with pytest.raises(UserError, match=message):
        Page(100, 60, rows).check()
    Page(100, 60, rows[:1]).check()
