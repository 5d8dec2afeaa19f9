"""Bounds, and the words of errors: short whatever they are about."""

import math
import unicodedata

import pytest

from utils.checks import (
    ABSENT,
    ConfigFault,
    Range,
    first_line,
    for_terminal,
    printable,
    short,
    visible,
)


@pytest.mark.parametrize(
    ("bounds", "inside", "outside", "words"),
    [
        (Range(1), [1, 2.5, math.inf], [0.999, -math.inf, math.nan, "1", None], "at least 1"),
        (Range(high=4), [4, -7], [4.001], "at most 4"),
        (Range(0, 1), [0, 0.5, 1], [-1e-9, 1 + 1e-9, math.nan], "from 0 to 1"),
    ],
)
def test_a_range_includes_its_bounds_and_says_them(bounds, inside, outside, words):
    assert all(value in bounds for value in inside)
    assert not any(value in bounds for value in outside)
    assert str(bounds) == words


def test_control_characters_of_a_text_are_escaped_and_nothing_else_is():
    joined = "é \N{ZERO WIDTH JOINER} \u0633 \U0001f600" * 1000
    assert visible(f"{joined}\x1b[2J\x9b\n\t\0") == f"{joined}\\x1b[2J\\x9b\\x0a\\x09\\x00"


def test_what_changes_the_direction_of_writing_or_ends_a_line_is_escaped():
    # Of the explicit controls of Unicode's bidirectional algorithm, the marks change no order.
    kinds = ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI", "B")
    controls = [chr(n) for n in range(0x110000) if unicodedata.bidirectional(chr(n)) in kinds]
    assert len(controls) >= 10
    for control in controls:
        assert visible(f"a{control}b").isprintable(), f"{ord(control):04x}"
    assert visible("\u202eabc\u2028") == r"\u202eabc\u2028"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (("a.b", "x", "a number", "c.json"), 'c.json: a.b = "x": a number'),
        (("", ABSENT, "no such file", "c.json"), "c.json: no such file"),
        (("a", "é" * 199, "shorter"), f'a = "{"é" * 56}...: shorter'),
    ],
)
def test_a_config_fault_names_source_key_value_and_what_is_accepted(fault, message):
    assert str(ConfigFault(*fault)) == message


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, list(range(10**5)), {"a": {"b": {"c": 1}}}, 10**200, "two\nlines", "\x1b[31m"],
)
def test_any_value_is_shown_in_a_short_printable_line(value):
    text = short(value)
    assert len(text) <= 80 and text.isprintable()


class SilentError(Exception):
    def __str__(self):
        raise ValueError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\nsecond"), "first"),
        (ValueError("first:\n\tsecond\nthird"), "first: second"),
        (ValueError(), "ValueError"),
        (SilentError(), "SilentError"),
    ],
)
def test_an_error_without_a_message_is_shown_by_its_type(error, line):
    assert first_line(error) == line


@pytest.mark.parametrize(
    ("quote", "text", "quoted"),
    [
        (for_terminal, "a\nb\x1b[31m\u2028\udcff: no\n", "a\\nb\\x1b[31m\\u2028\\udcff: no"),
        (for_terminal, "2 faults:\n  ä = 1\n  b = 2", "2 faults:\n  ä = 1\n  b = 2"),
        (for_terminal, "a" * 20_000 + "b" * 20_000, "a" * 500 + " ... " + "b" * 500),
        (printable, "plain é", "plain é"),
        (printable, "\x1b]0;title\x07\r\nerror: no", "\\x1b]0;title\\x07\\r\\nerror: no"),
        (printable, "\u202e\udcff", "\\u202e\\udcff"),
        (printable, "a" * 150 + "b" * 10**6 + "c" * 150, "a" * 98 + " ... " + "c" * 97),
        (printable, "\x1b" * 10**6, "\\x1b" * 24 + "\\x ... b" + "\\x1b" * 24),  # cut when escaped
    ],
)
def test_a_message_and_what_it_quotes_are_printable_and_short(quote, text, quoted):
    assert quote(text) == quoted
