"""Front matter: what is taken, and what is refused."""

import pytest

from handwriting.source_text import with_front_matter
from utils.checks import UserError


def upper(text):
    if text != text.strip() or not text.isalpha():
        raise UserError(f"{text!r}: letters are accepted")
    return text.upper()


KEYS = {"size": float, "colour": upper}


def read(text):
    """Lines with their front matter, whose size is at most 9."""

    def check(values):
        if values.get("size", 0) > 9:
            raise UserError(f"size {values['size']:g}: too large")

    return with_front_matter(text.split("\n"), "x", KEYS, check)


def test_front_matter_stands_for_what_follows_up_to_the_next():
    text = (
        "before\n---\nsize: 4.5\n---\nA title\n\n"
        "---\n colour :red \nsize:3\n---  \n  body\n---\n---\nend"
    )
    assert read(text) == [
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
        "---\nsize\ncolour",
    ],
)
def test_other_lines_of_dashes_are_text(text):
    assert read(text) == [({}, line) for line in text.split("\n")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n\n---\nsize 3\n---", "x, line 4: 'size 3' is no front matter, where a line is `key"),
        ("---\na\n---\nb\n---", "x, line 2: 'a' is no front matter"),
        ("---\nsize: 3\ncolourr: a\n---", "x, line 3: front matter knows no 'colourr'; did you"),
        ("---\ncolour:\n---", "x, line 2: colour: '': letters are accepted"),
        ("a\n---\nsize: 3\nb\n\n---", "x, line 2: no line --- ends this front matter; for ---"),
        ("---\ncolor: red", "x, line 1: no line --- ends"),
        ("a\n---\nsize: 12\n---", "x, line 2: size 12: too large"),
        (
            "---\ncolour: 3\nb\nsize: 9.5\n---\na\n\n---\nsize: 4\nDear",
            "x: 4 faults\n  line 1: size 9.5: too large\n  line 2: colour: '3': letters are "
            "accepted\n  line 3: 'b' is no front matter, where a line is `key: value`; for --- as "
            "text, put an empty line behind it\n  line 8: no line --- ends this front matter",
        ),
    ],
)
def test_faults_are_named_with_their_line(text, message):
    with pytest.raises(UserError) as raised:
        read(text)
    assert message in str(raised.value)
