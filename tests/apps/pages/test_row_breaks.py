"""Words that stay in one row, and words that are divided."""

import pytest

from apps.pages import row_breaks
from apps.pages.row_breaks import parse_language, with_no_breaks, with_soft_hyphens
from utils.checks import UserError


@pytest.mark.parametrize(
    "text",
    [
        "add 3.5~%, then 12 eggs",
        "it costs 17~€ (or £~9), and 5~kg of it 80~€.",
        "so thanks~– to all",
        "on 31~March~2024, or May~24th",
        "am 3.~März um 9~Uhr",
        "le 14~juillet, 1~maja",
        "he may come, and march 5 miles",
        "see p.~4 and §~12, No.~5",
        "call +49~89~123~456, 089~123~456. or 555~123~4567",
        "some 10~000 people, 1~250~000~€",
        "1 2 3 4 5, then 10 11 12 13",
        "in 1907 24 people",
        "by J.~R.~R.~Tolkien (A.~Berg) and J.-P.~Sartre",
        "e.g. this, i.e. That",
        "a  3~  kg",
    ],
)
def test_a_row_does_not_end_within_what_belongs_together(text):
    """`~` stands for a no-break blank."""
    assert with_no_breaks(text.replace("~", " ")).replace("\u00a0", "~") == text


@pytest.mark.parametrize(
    ("language", "text", "divided"),
    [
        ("de", "Gartenhäuschen, wunderbar", "Gar-ten-häus-chen, wun-der-bar"),
        ("en-US", "the extraordinary word", "the ex-tra-or-di-nary word"),
        ("de", "Garten\u00adhäuschen", "Garten-häuschen"),  # one's own places alone
        ("de", "Gartenbau 1907", "Gar-ten-bau 1907"),
        (None, "Gartenhäuschen", "Gartenhäuschen"),
    ],
)
def test_long_words_are_divided_as_their_language_does(language, text, divided):
    """By the dictionaries of LibreOffice; short words stay whole."""
    code = language and parse_language(language)
    assert with_soft_hyphens(text, code).replace("\u00ad", "-") == divided


def test_the_language_must_be_known_and_the_package_installed(monkeypatch):
    with pytest.raises(UserError, match=r"'xx': the code of .*, such as de, en_GB or fr"):
        parse_language("xx")
    monkeypatch.setattr(row_breaks, "find_spec", lambda name: None)
    with pytest.raises(
        UserError, match="words are divided by pyphen, which is missing: python -m pip"
    ):
        parse_language("de")
