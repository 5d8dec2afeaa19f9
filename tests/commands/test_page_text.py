"""The text of pages and its front matter: what is taken, and what is refused."""

from pathlib import Path

import pytest

from base.pretrained import STYLES
from commands.page import OF_PASSAGE
from commands.page_text import paragraphs
from utils.checks import UserError


def test_front_matter_stands_for_what_follows_up_to_the_next():
    text = (
        "before\n---\nsize: 4.5\nalign: centred\n---\nA title\n\n"
        "---\r\n colour :#AA0033 \npen: 0.7\nslant: -10\nindent:8\nbias: 1\n---  \n  body\n"
        "---\n---\nend"
    )
    body = {"colour": "#aa0033", "pen": 0.7, "slant": -10.0, "indent": 8.0, "bias": 1.0}
    assert paragraphs(text, "x", OF_PASSAGE) == [
        ({}, "before"),
        ({"size": 4.5, "align": "centred"}, "A title"),
        ({"size": 4.5, "align": "centred"}, ""),
        (body, "  body"),
        ({}, "end"),
    ]


def test_a_style_is_a_name_or_a_file(tmp_path):
    own = tmp_path / "own.json"
    own.write_text("{}")
    text = f"---\nstyle: flowing\n---\na\n---\nstyle: {own}\n---\nb"
    assert [values["style"] for values, _ in paragraphs(text, "x", OF_PASSAGE)] == [
        Path(STYLES / "flowing.json"),
        own,
    ]


@pytest.mark.parametrize(
    "text",
    [
        "---",
        "a\n---",
        "a\n---\n\nb\n\n---\n",
        "a\n---\nb\nc",
        "---\nb: c\n\n---\nd",
        "--- \n\nsize: 3",
        " ---\nsize: 3\n ---",
        "----\nsize: 3\n----",
        "a --- b",
    ],
)
def test_other_lines_of_dashes_are_text(text):
    assert paragraphs(text, "x", OF_PASSAGE) == [({}, line) for line in text.split("\n")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n\n---\nsize 3\n---", "x, line 4: 'size 3' is no front matter, where a line is `key"),
        ("---\na\n---\nb\n---", "x, line 2: 'a' is no front matter"),
        (
            "---\nsize: 3\ncolor: #aabbcc\n---",
            "x, line 3: front matter knows no 'color', but style",
        ),
        ("---\ncolor: #aabbcc\n---", "did you mean colour?"),
        ("---\nsize: 3\nsize: 4\n---", "x, line 3: size is given twice"),
        ("---\nsize: 0\n---", "x, line 2: size: '0': a number from 0.3 to 100 is accepted"),
        ("---\nbias:\n---", "x, line 2: bias: '': a number from 0 to 100 is accepted"),
        ("---\nslant: 46\n---", "slant: '46': a number from -45 to 45"),
        ("---\nslant: nan\n---", "slant: 'nan': a number from -45 to 45"),
        ("---\npen: thick\n---", "pen: 'thick': a number from 0.01 to 10"),
        ("---\nindent: -1\n---", "indent: '-1': a number from 0 to 500"),
        ("---\ncolour: red\n---", "colour: 'red': a colour as #rrggbb"),
        ("---\nalign: middle\n---", "align: 'middle': one of left, right, centred, justified"),
        ("---\nstyle: joinde\n---", "style: joinde: no such file or folder, nor a style ("),
        ("\n---\nsize: 3\n\nText", "x, line 2: front matter begins and does not end"),
        ("---\nstyle: flowing", "x, line 1: front matter begins and does not end"),
    ],
)
def test_faults_are_named_with_their_line(text, message):
    with pytest.raises(UserError) as raised:
        paragraphs(text, "x", OF_PASSAGE)
    assert message in str(raised.value)
