"""A page as JSON, read by the standard library and by the strict reader."""

import json
import random

import numpy as np
import pytest

from data_loader.sources.ink_files import read_ink
from utils.checks import DataError
from utils.page.page import Page, Pen, Row
from utils.page.page_json import from_json, read_page_json, to_json, write_page_json

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


@pytest.mark.parametrize("page", [PAGE, Page(50, 20)])
def test_a_page_comes_back(tmp_path, page):
    write_page_json(tmp_path / "page.json", page)
    found = read_page_json(tmp_path / "page.json")
    assert (found.width, found.height) == (page.width, page.height)
    for name, shape in (("rules", (2, 2)), ("dots", (2,))):
        given, back = getattr(page, name), getattr(found, name)
        assert back.shape == (len(given), *shape) and back.dtype == np.float64
        np.testing.assert_allclose(back, given, atol=0.0005)
    assert len(found.rows) == len(page.rows)
    for back, given in zip(found.rows, page.rows, strict=True):
        assert (back.text, back.pen, back.period) == (given.text, given.pen, given.period)
        for one, other in zip(back.strokes, given.strokes, strict=True):
            assert one.dtype == np.float64
            np.testing.assert_allclose(one, other, atol=0.0005)
    assert to_json(found) == to_json(page)


def changed(*way, to):
    """Return the JSON of the page with another value at the end of `way`; `...` removes it."""
    values = json.loads(json.dumps(VALUES))
    *before, last = way
    inner = values
    for key in before:
        inner = inner[key]
    if to is ...:
        del inner[last]
    else:
        inner[last] = to
    return json.dumps(values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"not a page: not JSON: .* \(line 1, column 1\)"),
        ('{"a": 1, "a": 2}', r"not a page: stands twice in one object \(a\)"),
        ("[1]", r"the page: \[1\] is no object"),
        ("{}", "the page: format, version, width, height, rules, dots, rows missing"),
        (changed("more", to=1), "the page: 'more' is none of format, version"),
        (changed("format", to="svg"), "its format is 'svg', version 1, not 'page of handwriting'"),
        (changed("version", to=2), "version 2, not 'page of handwriting', version 1"),
        (changed("width", to=0), "width: 0 is not a number above 0 and at most 100000"),
        (changed("height", to="297"), "height: '297' is not a number above 0"),
        (changed("height", to=True), "height: True is not a number"),
        (changed("width", to=10**400), "width: 1000.* is not a number above 0"),
        (changed("rows", to={}), "rows: {} is no list"),
        (changed("rows", 1, to=None), r"rows\[1\]: None is no object"),
        (changed("rows", 0, "text", to=5), r"rows\[0\]\.text: 5 is no text"),
        (changed("rows", 0, "period", to=...), r"rows\[0\]: period missing"),
        (changed("rows", 0, "period", to=-1), r"rows\[0\]\.period: -1 is not a number above 0"),
        (changed("rows", 0, "pen", "width", to=0), r"rows\[0\]\.pen\.width: 0 is not"),
        (changed("rows", 0, "pen", "colour", to=[]), r"rows\[0\]\.pen\.colour: \[\] is no text"),
        (changed("rows", 0, "pen", "colour", to="red"), "colour: 'red' is not as #1b2a4e"),
        (changed("rows", 0, "pen", "ink", to=1), r"rows\[0\]\.pen: 'ink' is none of width, col"),
        (changed("rows", 0, "strokes", 1, to=[]), r"strokes\[1\]: a stroke has at least one point"),
        (changed("rows", 0, "strokes", 0, 1, to=[1]), r"rows\[0\]\.strokes\[0\]\[1\]: 1 values wh"),
        (changed("rows", 0, "strokes", 0, 1, 0, to=None), r"strokes\[0\]\[1\]\[0\]: None is not"),
        (changed("rows", 0, "strokes", 0, 1, 0, to=1e6), r"\[0\]: 1000000.0 is not a number above"),
        (changed("rules", 0, to=[1, 2]), r"rules\[0\]\[0\]: 1 is no list"),
        (changed("rules", 0, 1, to=[1, 2, 3]), r"rules\[0\]\[1\]: 3 values where 2 belong"),
        (changed("dots", 0, 1, to="4"), r"dots\[0\]\[1\]: '4' is not a number"),
    ],
)
def test_what_is_no_page_is_refused_with_the_place(text, message):
    with pytest.raises(DataError, match=message):
        from_json(text)


def test_a_file_that_is_none_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.json: cannot be read: No such file"):
        read_page_json(tmp_path / "none.json")
    (tmp_path / "page.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(DataError, match=r"page\.json: not UTF-8 text: see byte 7"):
        read_page_json(tmp_path / "page.json")
    (tmp_path / "page.json").write_bytes(b"\xef\xbb\xbf" + changed("width", to=0).encode())
    with pytest.raises(DataError, match=r"page\.json: width: 0"):
        read_page_json(tmp_path / "page.json")


def test_what_json_cannot_hold_is_refused(tmp_path):
    for page, message in (
        (Page(9, 9, (Row((np.array([[1, np.nan]]),)),)), "a number that is not finite"),
        (Page(9, 9, (Row((), "a\ud800"),)), "a text of the page holds half a character"),
    ):
        with pytest.raises(DataError, match=message):
            write_page_json(tmp_path / "page.json", page)
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_a_page_or_a_data_error():
    whole, chance, refused = to_json(PAGE), random.Random(4), 0
    for _ in range(500):
        start = chance.randrange(len(whole))
        stop = start + chance.choice([0, 1, 1, 9])
        text = whole[:start] + chance.choice(["", "[", "-", "9", "null", '"', "1e9"]) + whole[stop:]
        try:
            assert isinstance(from_json(text), Page)
        except DataError:
            refused += 1
    assert 200 < refused < 500


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
