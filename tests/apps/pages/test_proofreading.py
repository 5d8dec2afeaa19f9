"""Words that are read back, and which of two tries is kept."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps.pages.proofreading import (
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
from apps.pages.written_word import WrittenWord
from ink.alphabet import Alphabet
from ink.geometry import from_strokes
from model import Line
from tests.apps.pages.builders import PlannedReader


def word(text):
    """A wave as long as its text."""
    t = np.linspace(0, len(text), 20 * len(text))
    wave = np.stack([t, -0.5 + 0.5 * np.sin(6 * t)], 1)
    return WrittenWord((wave,), float(len(text)), 1.0, text)


def tried(text, errors=0, doubt=0.0, faults=(), tries=1):
    """A word as a reader checked it."""
    return CheckedWord((word(text),), text, tries, "", errors, doubt, faults)


def line(text, ended=True, width=1.0):
    """A wave as long as its text."""
    t = np.linspace(0, len(text), 20 * len(text))
    ink = from_strokes([np.stack([width * 10 * t, 5 * np.sin(2 * np.pi * t)], axis=1)])
    peaks = np.zeros(len(ink) - 1, int)
    return Line(ink, 0, peaks, text, ended, np.zeros(len(ink) - 1), written_text=text)


WRITTEN_WORDS = Path(__file__).parents[2] / "fixtures/written_words.tsv"
"""Words that were read by eye ("doubt that means something")."""
READ_TWICE = [
    (tried("1914", 0, 0.005), ("1914", 0.39), True, ""),
    (tried("1914", 0, 0.09), ("1914", 0.39), True, ""),
    (tried("1914", 0, 0.005), ("1914", 0.41), False, ""),  # as if it were another number
    (tried("word", 0, 0.005), ("word", 0.81), False, ""),
    (tried("www.a23.example", 0, 0.15), ("www.a23.example", 0.7), True, ""),
    (tried("1914", 0, 0.2), ("1974", 0.9), False, ""),
    (tried("1914", 0, 2.5), ("19�4", 8.0), False, ""),
    (tried("1914", 0, 2.5), ("19�4", 8.2), False, "looks like '19?4'"),
    (tried("No.70", 0, 0.09), ("NO. 7o", 9.0), True, ""),  # what only the context tells
    (tried("12.", 0, 0.005), ("12", 9.0), True, ""),  # and a full stop, which it overlooks
    (tried("12.", 0, 0.005), ("1.2", 9.0), False, ""),
    (tried("12.", 0, 2.3), ("1.2", 9.0), False, "looks like '1.2'"),
    (tried("IS", 0, 0.09), ("15", 9.0), True, ""),
    (tried("If", 0, 0.09), ("1f", 9.0), True, ""),
    (tried("If", 0, 2.3), ("Lf", 9.0), False, "looks like 'Lf'"),
    (tried("I"), ("L", 9.0), False, ""),  # the first reader has no doubt
    (tried("--"), ("~~", 9.0), True, ""),
    (tried("été", 0, 5.1), ("ete", 0.0), False, "hardly legible"),  # it does not know these
    (tried("cat", 2, 30.0), ("cat", 0.0), False, ""),
    (tried("cat", 2, 5.1), ("cut", 4.1), False, "read as ''"),
    (tried("cat", faults=(UNENDED,)), ("cat", 0.0), False, UNENDED),
    (with_reading(tried("12.50"), "12.56", 2.0), ("12.50", 2.0), False, ""),
    (with_reading(tried("12.50"), "12.56", 2.0), ("1250", 2.0), False, ""),  # without its stop
    (with_reading(tried("12.50"), "12.56", 2.0), ("12.58", 11.0), False, "read as '12.56'"),
]


@pytest.mark.parametrize(("word", "reading", "accepted", "reason"), READ_TWICE)
def test_a_word_is_accepted_or_shown_with_a_reason_when_two_readers_have_read_it(
    word, reading, accepted, reason
):
    (seen,) = with_second_reading(PlannedReader(reading), [word])
    assert (seen.accepted, seen.reason) == (accepted, reason)


def test_the_clearer_of_two_tries_is_kept_when_both_are_read_right():
    better, worse = (replace(tried("forget"), second=doubt) for doubt in (0.85, 0.95))
    assert keep_best([worse], [better]) == [replace(better, tries=2)]
    assert keep_best([better], [worse]) == [replace(better, tries=2)]


@pytest.mark.parametrize(
    ("text", "hypothesis", "doubt", "errors", "accepted"),
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
def test_a_word_is_accepted_when_it_is_read_with_little_doubt(
    text, hypothesis, doubt, errors, accepted
):
    read = with_reading(tried(text), hypothesis, doubt)
    assert (read.errors, read.accepted) == (errors, accepted)


@pytest.mark.parametrize(
    ("hypothesis", "doubt", "faults", "reason"),
    [
        ("cat", 0.5, (), ""),
        ("cat", 5.1, (), "hardly legible"),
        ("cut", 5.1, (), "read as 'cut'"),
        ("", 0.0, (MISSING_WORD, STRAY_INK), f"{MISSING_WORD}, {STRAY_INK}"),
    ],
)
def test_a_person_is_given_the_reason_to_look_at_a_word(hypothesis, doubt, faults, reason):
    errors = int(hypothesis == "cut")
    assert CheckedWord((), "cat", 1, hypothesis, errors, doubt, faults).reason == reason


def test_nearly_half_of_the_words_that_people_misread_are_named_and_few_others():
    misread = named = named_misread = 0
    with WRITTEN_WORDS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            errors = int(row["errors"])
            doubt = float(row["doubt"])
            second = float(row["second"])
            word = tried(row["text"], errors, doubt)
            word = replace(word, second=second, looks_like=row["looks_like"])
            weight, is_misread = int(row["weight"]), bool(row["misread"])
            misread += weight * is_misread
            named += weight * bool(word.reason)
            named_misread += weight * (is_misread and bool(word.reason))
    assert named_misread >= 0.45 * misread > 0
    assert named_misread >= 0.75 * named


def accented(is_drawn):
    """An `é`, whose accent may be drawn."""
    letter, accent = (
        np.array([(0.8, -1.0), (0, -0.5), (0.8, 0)]),
        np.array([(0.3, -1.3), (0.3, -1.5)]),
    )
    plain = WrittenWord((letter,), 0.8, 1.0, "e", (np.zeros(3, int),)) if is_drawn else None
    indices = np.zeros(3, int), np.zeros(2, int)
    return CheckedWord((WrittenWord((letter, accent), 0.8, 1.0, "é", indices, plain=plain),), "é")


@pytest.mark.parametrize(("is_drawn", "text", "num_points"), [(True, "e", 3), (False, "é", 5)])
def test_a_reader_that_knows_an_accent_is_not_shown_a_drawn_one(is_drawn, text, num_points):
    reader, word = PlannedReader(("e", 0.0), alphabet=Alphabet("eé")), accented(is_drawn)
    (read,) = with_first_reading(reader, [word])
    ((inks, texts, _),) = reader.calls
    assert (texts, len(inks[0])) == ([[text]], num_points)
    assert (read.text, read.words, read.errors) == ("é", word.words, int(not is_drawn))


@pytest.mark.parametrize(("is_drawn", "second_doubt"), [(True, 0.2), (False, None)])
def test_a_reader_of_ascii_reads_a_word_without_its_accent(is_drawn, second_doubt):
    (seen,) = with_second_reading(PlannedReader(("es", 0.2)), [accented(is_drawn)])
    assert (seen.second, seen.looks_like) == (second_doubt, "es" if second_doubt else "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it’s", ["it's", "it 's"]),
        ("‘so’…", ["'so'...", "'so'…", "'so '...", "'so '…"]),
        ("I–—", ["l--"]),
    ],
)
def test_a_text_has_a_spelling_for_each_way_to_read_its_signs(text, expected):
    assert {*spellings(text)} == {*expected}


def test_a_text_of_many_signs_has_8_spellings():
    assert len(spellings("'''''")) == 8


def test_the_first_reader_reads_each_word_but_missing_words_and_those_of_a_line_with_a_fault():
    reader = PlannedReader(("ab", 0.0), ("cx", 0.3))
    missing = CheckedWord((replace(word("y"), strokes=()),), "y", faults=(MISSING_WORD,))
    words = [tried("ab"), tried("zz", faults=(UNENDED,)), missing]
    words.append(tried("cd", faults=("a thin 0",)))
    read = with_first_reading(reader, words)
    ((inks, texts, height),) = reader.calls
    assert [float(ink[:, 0].sum()) for ink in inks] == pytest.approx([2, 2])
    assert (texts, height) == ([["ab"], ["cd"]], 1.0)
    assert [(word.hypothesis, word.errors, word.doubt) for word in read] == [
        ("ab", 0, 0.0), ("", 0, 0.0), ("", 0, 0.0), ("cx", 1, 0.3)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "missing", "faults"),
    [
        (line("a lane"), "", ((), ())),
        (line("a lane", ended=False), "", ((UNENDED,), (UNENDED,))),
        (line("a lane"), "a", ((MISSING_WORD,), ())),
        (line("a lane", ended=False), "lane", ((UNENDED,), (MISSING_WORD,))),
        (line("a line", width=20), "", ((STRAY_INK,), (STRAY_INK,))),
    ],
)
def test_all_words_have_the_faults_of_their_line_and_a_missing_word_is_one_by_itself(
    line, missing, faults
):
    words = [word(text) for text in line.written_text.split()]
    words = [replace(each, strokes=()) if each.text == missing else each for each in words]
    checked_words = check_shapes(line, words)
    assert tuple(word.faults for word in checked_words) == faults
    assert " ".join(word.text for word in checked_words) == line.written_text


@pytest.mark.parametrize(
    ("text", "more", "faults"),
    [(".", [], ()), ("a", [], (STRAY_INK,)), ("-", [[2e3, 1, 1]], (STRAY_INK,))],
)
def test_a_dot_behind_a_primer_is_stray_ink_unless_the_text_is_a_sign(text, more, faults):
    primer = line("primer", width=2.0).ink
    ink = np.concatenate([primer, [[12.0, 3.0, 1.0], *more]])
    peaks, texts = np.full(len(ink) - 1, 7), (f"primer {text}", True)
    written = Line(ink, len(primer), peaks, *texts, np.zeros(1), written_text=text)
    assert check_shapes(written, [word(text)])[0].faults == faults


@pytest.mark.parametrize(("back", "faults"), [(120.0, ()), (160.0, (STRAY_INK,))])
def test_ink_is_stray_when_the_pen_goes_back_by_more_than_a_word_and_3_x_heights(back, faults):
    """Letters are 10 units high, and a word of five may go back by (3 + 2 * 5) of them."""
    written = line("some words")
    written.ink[100, 0] -= back
    assert check_shapes(written, [word("some"), word("words")])[0].faults == faults


UNTRIED = tried("a b", doubt=math.inf, tries=0)


@pytest.mark.parametrize(
    ("before", "again", "kept"),
    [
        # What is right stays; of the others the less wrong, by faults and errors, then by doubt.
        ([tried("a"), tried("b", 1)], [tried("b", 0, 0.5)], [("a", 1, 0, 0.0), ("b", 2, 0, 0.5)]),
        ([tried("b", 0, 0.5)], [tried("b", 0, 0.4)], [("b", 2, 0, 0.4)]),
        ([tried("b", 0, 0.5, ("a thin 0",))], [tried("b", 3)], [("b", 2, 0, 0.5)]),
        ([tried("b", 0, 0.5, ("a thin 0",))], [tried("b", 1)], [("b", 2, 1, 0.0)]),
        # Two words that one stroke had joined come apart, and the other way round.
        ([tried("a b", 1)], [tried("a"), tried("b")], [("a", 2, 0, 0.0), ("b", 2, 0, 0.0)]),
        (
            [tried("a", 1), tried("b", 1), tried("c", 1)],
            [tried("a b"), tried("c")],
            [("a", 2, 1, 0.0), ("b", 2, 1, 0.0), ("c", 2, 0, 0.0)],
        ),
        # A line with a fault is the first try of its words, and no second one.
        ([UNTRIED], [tried("a b", 0, 0.0, (STRAY_INK,))], [("a b", 1, 0, 0.0)]),
        ([tried("a b", 1)], [tried("a b", 0, 0.0, (STRAY_INK,))], [("a b", 2, 1, 0.0)]),
        # A misread word is better than one of such a line, and that than one without ink.
        ([tried("a", faults=(UNENDED,))], [tried("a", 2, 0.5)], [("a", 2, 2, 0.5)]),
        ([tried("a", 2, 0.5)], [tried("a", faults=(UNENDED,))], [("a", 2, 2, 0.5)]),
        (
            [tried("a", 0, 0.4, (MISSING_WORD,)), tried("b", 0, 0.4, (MISSING_WORD,))],
            [tried("a", 0, 0.5, (UNENDED, STRAY_INK)), tried("b", 0, 0.4, (MISSING_WORD,))],
            [("a", 2, 0, 0.5), ("b", 2, 0, 0.4)],
        ),
    ],
)
def test_the_better_try_of_a_word_is_kept(before, again, kept):
    words = keep_best(before, again)
    assert [(word.text, word.tries, word.errors, word.doubt) for word in words] == kept
