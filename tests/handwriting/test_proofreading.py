"""Words that are read back, and which of two tries is kept."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from handwriting.hands import HandShape
from handwriting.proofreading import (
    MISSING_WORD,
    STRAY_INK,
    UNENDED,
    CheckedWord,
    check_shapes,
    keep_best,
    spellings,
    with_first_reading,
    with_reading,
    with_second_reading,
)
from handwriting.written_word import WrittenWord
from model import Line
from utils.alphabet import Alphabet
from utils.ink import from_strokes

HAND = HandShape(10.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0)


def word(text, *marks):
    """A wave as long as its text, with strokes beside it."""
    t = np.linspace(0, 1, 20 * len(text))
    wave = np.stack([len(text) * t, -0.5 + 0.5 * np.sin(6 * len(text) * t)], 1)
    strokes = (wave, *(np.array(mark, dtype=float) for mark in marks))
    return WrittenWord(strokes, float(len(text)), 1.0, text)


def one(text, *wrong, tries=1, marks=()):
    """A word with so many errors, and so much doubt; or with a fault."""
    errors, doubt, faults = (*wrong, *(0, 0.0, ())[len(wrong) :])
    return CheckedWord((word(text, *marks),), text, tries, "", errors, doubt, faults)


def line(text, ended=True, width=1.0):
    """A wave as long as its text."""
    t = np.linspace(0, len(text), 20 * len(text))
    ink = from_strokes([np.stack([width * 10 * t, 5 * np.sin(2 * np.pi * t)], axis=1)])
    peaks = np.zeros(len(ink) - 1, int)
    return Line(ink, 0, peaks, text, ended, np.zeros(len(ink) - 1), written_text=text)


def second(*readings):
    """A reader that reads these."""
    model = SimpleNamespace(alphabet=Alphabet("".join(map(chr, range(32, 127)))))
    return SimpleNamespace(proofread=lambda inks, *_: readings[: len(inks)], model=model)


@pytest.mark.parametrize(
    ("text", "first", "reading", "accepted", "reason"),
    [
        ("1914", 0.005, ("1914", 0.39), True, ""),
        ("1914", 0.09, ("1914", 0.39), True, ""),
        ("1914", 0.005, ("1914", 0.41), False, ""),  # as if it were another number
        ("word", 0.005, ("word", 0.81), False, ""),
        ("www.a23.example", 0.15, ("www.a23.example", 0.7), True, ""),
        ("1914", 0.2, ("1974", 0.9), False, ""),
        ("1914", 0.2, ("19�4", 1.1), False, "looks like '19?4'"),
        ("No.70", 0.09, ("NO. 7o", 9.0), True, ""),  # what only the context tells
        ("12.", 0.005, ("12", 9.0), True, ""),  # and a full stop, which it overlooks
        ("12.", 0.005, ("1.2", 9.0), False, ""),
        ("--", 0.0, ("~~", 9.0), True, ""),
        ("été", 1.1, ("ete", 0.0), False, "hardly legible"),  # of characters that it does not know
    ],
)
def test_a_second_reader_is_asked_about_what_the_first_reads(
    text, first, reading, accepted, reason
):
    (found,) = with_second_reading(second(reading), [one(text, 0, first)])
    assert (found.accepted, found.reason) == (accepted, reason)


def test_of_tries_that_nobody_misreads_the_clearest_is_kept():
    better, worse = (replace(one("forget", 0, 0.01), second=doubt) for doubt in (0.85, 0.95))
    assert keep_best([worse], [better]) == [replace(better, tries=2)]
    assert keep_best([better], [worse]) == [replace(better, tries=2)]


def test_a_person_is_shown_what_neither_reader_reads_and_a_line_with_a_fault():
    wrong = [one("cat", 2), one("cat", 2), one("cat", 0, 0.0, (UNENDED,))]
    found = with_second_reading(second(("Cat", 0.0), ("cut", 2.0)), wrong)
    assert [each.reason for each in found] == ["", "read as ''", UNENDED]
    assert not any(each.accepted for each in found)


@pytest.mark.parametrize(
    ("text", "hypothesis", "doubt", "errors", "right"),
    [
        ("cat", "cat", 0.09, 0, True),
        ("cat", "cat", 0.11, 0, False),
        ("cat", "cut", 0.0, 1, False),
        ("1914", "1914", 0.009, 0, True),
        ("1914", "1914", 0.011, 0, False),  # nobody guesses a number
        ("it’s", "it 's", 0.0, 0, True),
        ("„No”", '"No"', 0.0, 0, True),
        ("I'll", "l'lI", 0.0, 0, True),
        ("--", "--", 9.0, 0, True),  # no doubt is cast on signs alone
        ("--", "~~", 9.0, 0, True),
        ("- - -", "---", 0.0, 2, False),
        ("*", "", 0.0, 0, True),
        ("*", "a", 0.0, 1, False),
        ("x", "X", 9.0, 0, True),  # nor whether a letter alone is a capital
        ("I", "L", 9.0, 1, False),  # an I with a foot
        ("xy", "Xy", 0.0, 1, False),
        ("5", "5", 0.5, 0, False),
    ],
)
def test_what_is_read_as_it_should_be(text, hypothesis, doubt, errors, right):
    found = with_reading(one(text), hypothesis, doubt)
    assert (found.errors, found.accepted) == (errors, right)


@pytest.mark.parametrize(
    ("hypothesis", "doubt", "faults", "reason"),
    [
        ("cat", 0.5, (), ""),
        ("cat", 1.1, (), "hardly legible"),
        ("cut", 1.1, (), "read as 'cut'"),
        ("", 0.0, (MISSING_WORD, STRAY_INK), f"{MISSING_WORD}, {STRAY_INK}"),
    ],
)
def test_what_a_person_is_told(hypothesis, doubt, faults, reason):
    errors = int(hypothesis == "cut")
    assert CheckedWord((), "cat", 1, hypothesis, errors, doubt, faults).reason == reason


@pytest.mark.parametrize(
    ("text", "read", "reason"),
    [("forêt", "foret", ""), ("forêt", "forāt", "read as 'forāt'"), ("l'eau.", "leau.", "")],
)
def test_an_accent_or_apostrophe_that_a_reader_overlooks_is_judged_by_its_shape(text, read, reason):
    found = with_reading(one(text), read, 2.0)
    assert (found.errors > 0, found.accepted, found.reason) == (True, False, reason)


@pytest.mark.parametrize(
    ("readings", "reason"),
    [([("12.50", 2.0)], ""), ([("1250", 2.0)], ""), ([("12.58", 2.0)], "read as '12.56'")],
)
def test_who_reads_a_word_but_for_a_stop_confirms_it(readings, reason):
    (found,) = with_second_reading(second(*readings), [with_reading(one("12.50"), "12.56", 2.0)])
    assert found.reason == reason


@pytest.mark.parametrize(("mark", "second_doubt"), [((0.3, -1.3), 0.2), ((5.0, -1.3), None)])
def test_a_reader_of_ascii_reads_a_word_without_its_accent(mark, second_doubt):
    x, y = mark
    letter, accent = np.array([(0.8, -1.0), (0, -0.5), (0.8, 0)]), np.array([(x, y), (x, y - 0.2)])
    written = WrittenWord((letter, accent), 0.8, 1.0, "é", (np.zeros(3, int), np.zeros(2, int)))
    (found,) = with_second_reading(second(("es", 0.2)), [CheckedWord((written,), "é")])
    assert (found.second, found.looks_like) == (second_doubt, "es" if second_doubt else "")


def test_blanks_before_apostrophes_and_kinds_of_dots_are_spellings_of_one_text():
    assert sorted(spellings("it’s")) == ["it 's", "it's"]
    assert set(spellings("‘so’…")) == {"'so'...", "'so'…", "'so '...", "'so '…"}
    assert spellings("I–—") == ["l--"]
    assert spellings("IV", bare=True) == ["lV", "tV", "kV", "/V"]
    assert len(spellings("'''''")) == 8


def test_words_are_read_one_by_one_in_the_x_height_of_the_line():
    """Those of a line with a fault are not read, one with a fault of its own is."""
    asked = []

    def read(inks, texts, alike, height):
        asked.append(([round(float(ink[:, 0].sum()), 3) for ink in inks], texts, height))
        return [("ab", 0.0), ("cx", 0.3)]

    faulty = CheckedWord((word("zz"),), "zz y", faults=(MISSING_WORD,))
    ring = one("cd", 0, 0.0, ("a thin 0",))
    found = with_first_reading(SimpleNamespace(proofread=read), [one("ab"), faulty, ring])
    assert asked == [([2.0, 2.0], [["ab"], ["cd"]], 1.0)]
    read = [(each.hypothesis, each.errors, each.doubt) for each in found]
    assert read == [("ab", 0, 0.0), ("", 0, 0.0), ("cx", 1, 0.3)]


@pytest.mark.parametrize(
    ("written", "said", "wrong"),
    [
        (line("a lane"), "a lane", ()),
        (line("a lane", ended=False), "a lane", (UNENDED,)),
        (line("a line"), "line", (MISSING_WORD,)),
        (line("a line", width=20), "a line", (STRAY_INK,)),
    ],
)
def test_faults_of_a_line(written, said, wrong):
    found = check_shapes(written, [word(text) for text in said.split()], HAND)
    assert [each.faults for each in found] == ([wrong] if wrong else [()] * 2)
    assert " ".join(each.text for each in found) == written.written_text


def test_a_dot_is_no_line_unless_it_is_the_text():
    primer = line("primer", width=2.0).ink
    dot = np.array([[12.0, 3.0, 1.0]])
    far = ([[2e3, 1, 1]],)
    for text, more, faults in ((".", (), ()), ("a", (), (STRAY_INK,)), ("-", far, (STRAY_INK,))):
        ink = np.concatenate([primer, dot, *more])
        peaks = np.full(len(ink) - 1, 7)
        one = Line(ink, len(primer), peaks, f"primer {text}", True, np.zeros(1), written_text=text)
        assert check_shapes(one, [word(text)], HAND)[0].faults == faults


def test_how_far_the_pen_may_go_back_is_by_the_longest_word():
    """Letters are 10 units high, and a word of five may go back by (3 + 2 * 5) of them."""
    for back, wrong in ((120.0, ()), (160.0, (STRAY_INK,))):
        written = line("some words")
        written.ink[100, 0] -= back
        assert check_shapes(written, [word("some"), word("words")], HAND)[0].faults == wrong


@pytest.mark.parametrize(
    ("before", "tried", "kept"),
    [
        # What is right stays; of the others the less wrong, by faults and errors, then by doubt.
        ([one("a"), one("b", 1)], [one("b", 0, 0.5)], [("a", 1, 0, 0.0), ("b", 2, 0, 0.5)]),
        ([one("b", 0, 0.5)], [one("b", 0, 0.4)], [("b", 2, 0, 0.4)]),
        ([one("b", 0, 0.5, ("a thin 0",))], [one("b", 3)], [("b", 2, 0, 0.5)]),
        ([one("b", 0, 0.5, ("a thin 0",))], [one("b", 1)], [("b", 2, 1, 0.0)]),
        # Two words that one stroke had joined come apart, and the other way round.
        ([one("a b", 1)], [one("a"), one("b")], [("a", 2, 0, 0.0), ("b", 2, 0, 0.0)]),
        ([one("a", 1), one("b", 1)], [one("a b")], [("a", 2, 1, 0.0), ("b", 2, 1, 0.0)]),
        # A line with a fault is the first try of its words, and no second one.
        (
            [one("a b", 0, math.inf, tries=0)],
            [one("a b", 0, 0.0, (STRAY_INK,))],
            [("a b", 1, 0, 0.0)],
        ),
        ([one("a b", 1)], [one("a b", 0, 0.0, (STRAY_INK,))], [("a b", 2, 1, 0.0)]),
    ],
)
def test_the_better_try_is_kept(before, tried, kept):
    found = keep_best(before, tried)
    assert [(each.text, each.tries, each.errors, each.doubt) for each in found] == kept
