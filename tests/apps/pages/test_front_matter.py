"""Front matter sets how the lines behind it are written."""

import pytest

from apps.pages.front_matter import with_front_matter
from utils.checks import UserError


def upper(text):
    if text != text.strip() or not text.isalpha():
        raise UserError(f"{text!r}: letters are accepted")
    return text.upper()


def check_size(values):
    if values.get("size", 0) > 9:
        raise UserError(f"size {values['size']:g}: too large")


KEYS = {"size": float, "colour": upper}


def read(text):
    """Lines with their front matter, whose size is at most 9."""
    return [line[:3] for line in with_front_matter(text.split("\n"), "x", KEYS, check_size)]


def test_front_matter_holds_up_to_the_next_front_matter():
    text = (
        "before\n---\nsize: 4.5\n---\nA title\n\n"
        "---\n colour :red \nsize:3\n---  \n  body\n---\n---\nend"
    )
    assert read(text) == [
        ({}, "before", 1),
        ({"size": 4.5}, "A title", 5),
        ({"size": 4.5}, "", 6),
        ({"colour": "RED", "size": 3.0}, "  body", 11),
        ({}, "end", 14),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "---",
        "a\n---",
        "a\n---\nb\nc",
        "---\nb: c\n\n---\nd",
        "--- \n\nsize: 3",
        " ---\nsize: 3\n ---",
        "----\nsize: 3\n----",
        "---\nsize\ncolour",
    ],
)
def test_lines_of_dashes_that_enclose_no_settings_are_text(text):
    assert read(text) == [({}, line, n) for n, line in enumerate(text.split("\n"), 1)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n\n---\nsize 3\n---", "x, line 4: 'size 3' is not a line of front matter, `key"),
        ("---\nsize: 3\ncolourr: a\n---", "x, line 3: no key 'colourr'; did you"),
        ("---\ncolour:\n---", "x, line 2: colour: '': letters are accepted"),
        ("a\n---\nsize: 3\nb\n\n---", "x, line 2: no line --- ends this front matter; for ---"),
        ("a\n---\nsize: 12\n---", "x, line 2: size 12: too large"),
        (
            "---\ncolour: 3\nb\nsize: 9.5\n---\na\n\n---\nsize: 4\nDear",
            "x: 4 faults\n  line 1: size 9.5: too large\n  line 2: colour: '3': letters are "
            "accepted\n  line 3: 'b' is not a line of front matter, `key: value`; for --- as "
            "text, put an empty line behind it\n  line 8: no line --- ends this front matter",
        ),
    ],
)
def test_faults_of_front_matter_are_named_with_their_lines(text, message):
    with pytest.raises(UserError) as error:
        read(text)
    assert message in str(error.value)
