"""A page as JSON, read by the standard library and by the strict reader."""

import json

import numpy as np

from data_loader.sources.ink_files import read_ink
from utils.page.page import Page, Pen, Row
from utils.page.page_json import to_json, write_page_json

STROKES = (np.array([[1.23456, 2], [3, -0.0001]]), np.array([[5.0, 6.0]]))
ROWS = (Row(STROKES, 'é "q"', Pen(0.7, "#c0562f"), 0.01), Row(()))
RULES = np.array([[[0, 8], [210, 8]], [[0, 16], [210, 16.00049]]])
PAGE = Page(210, 297.5, ROWS, RULES, np.array([[4.0, 4.0]]))
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
            "pen": {"width": 0.7, "colour": "#c0562f"},
            "period": 0.01,
            "strokes": [[[1.235, 2], [3, 0]], [[5, 6]]],
        },
        {
            "text": "",
            "pen": {"width": 0.4, "colour": "#1b2a4e"},
            "period": 0.018,
            "strokes": [],
        },
    ],
}


def test_the_values_are_plain_and_rounded():
    text = to_json(PAGE)
    assert json.loads(text) == VALUES
    assert "-0" not in text and text.count("\n") == 1 and "é" in text


def test_a_page_is_read_row_by_row(tmp_path):
    """As a line by `read_ink`, which does not know pages otherwise."""
    rows = [
        Row((np.array([[10.0, 20.0], [12.0, 25.0]]), np.array([[13.0, 21.0]])), "ab", Pen()),
        Row((np.array([[10.0, 40.0], [11.0, 41.0]]),), "c", Pen()),
    ]
    write_page_json(tmp_path / "page.json", Page(100.0, 60.0, tuple(rows)))
    first, second = read_ink(tmp_path / "page.json")
    assert (first.text, second.text) == ("ab", "c")
    assert first.ink.tolist() == [[0, 0, 0], [2, 5, 1], [1, -4, 1]]
