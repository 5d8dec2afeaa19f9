"""Front matter: what is taken, and what is refused."""

import pytest

from handwriting.front_matter import paragraphs
from utils.checks import UserError


def upper(text):
    if text != text.strip() or not text.isalpha():
        raise UserError(f"{text!r}: letters are accepted")
    return text.upper()


KEYS = {"size": float, "colour": upper}


def test_front_matter_stands_for_what_follows_up_to_the_next():
    text = (
        "before\n---\nsize: 4.5\n---\nA title\n\n"
        "---\n colour :red \nsize:3\n---  \n  body\n---\n---\nend"
    )
    assert paragraphs(text.split("\n"), "x", KEYS) == [
        ({}, "before"),
        ({"size": 4.5}, "A title"),
        ({"size": 4.5}, ""),
        ({"colour": "RED", "size": 3.0}, "  body"),
        ({}, "end"),
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
    lines = text.split("\n")
    assert paragraphs(lines, "x", KEYS) == [({}, line) for line in lines]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n\n---\nsize 3\n---", "x, line 4: 'size 3' is no front matter, where a line is `key"),
        ("---\na\n---\nb\n---", "x, line 2: 'a' is no front matter"),
        ("---\nsize: 3\ncolourr: a\n---", "x, line 3: front matter knows no 'colourr'; did you"),
        ("---\ncolour:\n---", "x, line 2: colour: '': letters are accepted"),
    ],
)
def test_faults_are_named_with_their_line(text, message):
    with pytest.raises(UserError) as raised:
        paragraphs(text.split("\n"), "x", KEYS)
    assert message in str(raised.value)
