"""Bounds, and the words of errors: short whatever they are about."""

import math

import pytest

from utils.checks import ABSENT, ConfigFault, Range, first_line, for_terminal, printable, short


@pytest.mark.parametrize(
    ("bounds", "inside", "outside", "words"),
    [
        (Range(1), [1, 2.5, math.inf], [0.999, -math.inf, math.nan, "1", None], "at least 1"),
        (Range(high=4), [4, -7], [4.001], "at most 4"),
        (Range(0, 1), [0, 0.5, 1], [-1e-9, 1 + 1e-9, math.nan], "from 0 to 1"),
    ],
)
def test_bounds_are_inclusive_and_say_what_they_are(bounds, inside, outside, words):
    assert all(value in bounds for value in inside)
    assert not any(value in bounds for value in outside)
    assert str(bounds) == words


def test_a_config_fault_names_source_key_value_and_what_would_be_right():
    assert str(ConfigFault("a.b", "x", "a number", "c.json")) == 'c.json: a.b = "x": a number'
    assert str(ConfigFault("", ABSENT, "no such file", "c.json")) == "c.json: no such file"
    assert str(ConfigFault("a", "é" * 199, "shorter")) == f'a = "{"é" * 56}...: shorter'


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, list(range(10**5)), {"a": {"b": {"c": 1}}}, 10**200, "two\nlines", "\x1b[31m"],
)
def test_any_value_is_shown_on_one_short_printable_line(value):
    shown = short(value)
    assert len(shown) <= 80 and shown.isprintable()


def test_of_an_error_its_first_line_is_told():
    class Broken(Exception):
        def __str__(self):
            raise ValueError

    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(ValueError()) == "ValueError" and first_line(Broken()) == "Broken"
    assert len(first_line(ValueError("x" * 1000))) == 200


def test_a_message_is_bounded_and_cannot_control_a_terminal():
    assert for_terminal("a\nb\x1b[31m\u2028\udcff: no\n") == "a\\nb\\x1b[31m\\u2028\\udcff: no"
    faults = "2 faults:\n  ä = 1\n  b = 2"
    assert for_terminal(faults) == faults
    long = for_terminal(f"begins {'x' * 20_000} ends")
    assert len(long) < 1010 and long.startswith("begins x") and long.endswith("x ends")


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain é", "plain é"),
        ("\x1b]0;title\x07\r\nerror: no", "\\x1b]0;title\\x07\\r\\nerror: no"),
        ("\u202e\udcff", "\\u202e\\udcff"),
        ("a" * 150 + "b" * 10**6 + "c" * 150, "a" * 98 + " ... " + "c" * 97),
    ],
)
def test_what_stands_in_a_file_is_quoted_on_a_printable_line(text, quoted):
    assert printable(text) == quoted


def test_no_quote_is_longer_than_200_characters_although_escapes_are_longer():
    assert len(printable("\x1b" * 10**6)) == 200
