"""Lines that are read back and written again."""

from types import SimpleNamespace

import numpy as np
import pytest

from model import Line
from model.proofreading import (
    DOUBT,
    MISSING,
    SHAPE,
    TRY_SEED_STRIDE,
    UNENDED,
    judged,
    proofread,
)
from utils.ink import from_strokes


def line(text, seed=0, ended=True, width=1.0):
    """A wave as long as its text; its description is the seed."""
    t = np.linspace(0, len(text), 20 * len(text))
    ink = from_strokes([np.stack([width * 10 * t, 5 * np.sin(2 * np.pi * t)], axis=1)])
    bias = np.zeros(len(ink) - 1)
    return Line(ink, 0, None, text, ended, bias, title=text, description=str(seed))


def script(answers):
    """A writer and a reader that reads, of each text in turn, what `answers` says, with the doubt
    that may stand there."""
    calls = []

    def write_lines(texts, seeds, sampling, **options):
        calls.append((list(texts), list(seeds)))
        return [line(text, seed) for text, seed in zip(texts, seeds, strict=True)]

    def read_all(lines, texts, **options):
        assert [one.title for one in lines] == list(texts)
        given = [answers[text].pop(0) for text in texts]
        return [one if isinstance(one, tuple) else (one, 0.0) for one in given]

    return SimpleNamespace(write_lines=write_lines), SimpleNamespace(proofread=read_all), calls


def test_only_misread_lines_are_written_again_and_the_best_is_kept():
    writer, reader, calls = script(
        {"one": ["one"], "two": ["tmm", "tw", "xxx"], "six": ["s", "six"]}
    )
    found = proofread(writer, reader, ["one", "two", "six"], [7, 8, 9], tries=3)
    assert calls == [
        (["one", "two", "six"], [7, 8, 9]),
        (["two", "six"], [8 + TRY_SEED_STRIDE, 9 + TRY_SEED_STRIDE]),
        (["two"], [8 + 2 * TRY_SEED_STRIDE]),
    ]
    assert [one.tries for one in found] == [1, 3, 2]
    assert [one.hypothesis for one in found] == ["one", "tw", "six"]
    assert [one.errors for one in found] == [0, 1, 0]
    assert [one.first_errors for one in found] == [0, 2, 2]
    assert [one.line.description for one in found] == [
        "7",
        str(8 + TRY_SEED_STRIDE),
        str(9 + TRY_SEED_STRIDE),
    ]
    assert [one.right for one in found] == [True, False, True]


def test_what_is_read_with_doubt_is_written_again_and_the_least_doubtful_kept():
    writer, reader, calls = script(
        {"ab": [("ab", 0.9), ("ab", DOUBT + 0.1), ("ax", 0.0), ("ab", 0.7)], "cd": [("cd", DOUBT)]}
    )
    first, second = proofread(writer, reader, ["ab", "cd"], [1, 2], tries=4)
    assert (first.hypothesis, first.doubt, first.tries) == ("ab", DOUBT + 0.1, 4)
    assert first.line.description == str(1 + TRY_SEED_STRIDE) and not first.right
    assert second.right and second.tries == 1 and len(calls) == 4


def test_no_doubt_is_cast_on_signs_alone():
    writer, reader, _ = script({"--": [("-", 5.0), ("--", 9.0)]})
    (found,) = proofread(writer, reader, ["--"], [1], tries=2)
    assert found.right and found.doubt == 0.0


def test_seeds_stay_within_32_bits():
    writer, reader, calls = script({"a": ["b", "a"]})
    proofread(writer, reader, ["a"], [2**32 - 1], tries=2)
    assert calls[1][1] == [(2**32 - 1 + TRY_SEED_STRIDE) % 2**32]


def test_of_two_tries_with_as_many_errors_the_first_is_kept():
    writer, reader, _ = script({"abc": ["abd", "abx"]})
    (found,) = proofread(writer, reader, ["abc"], [1], tries=2)
    assert found.hypothesis == "abd" and found.tries == 2


def test_a_line_without_other_faults_is_better_than_one_read_better():
    """The first try lacks a word, the second has three errors."""
    writer, reader, _ = script({"it was so": ["it so", "ik wes sa"]})
    (found,) = proofread(writer, reader, ["it was so"], [1], tries=2)
    assert found.hypothesis == "ik wes sa" and found.faults == ()


@pytest.mark.parametrize(
    ("one", "hypothesis", "wrong"),
    [
        (line("a line"), "a line", ()),
        (line("a line", ended=False), "a line", (UNENDED,)),
        (line("a line"), "line", (MISSING,)),
        (line("a line", width=20), "a line", (SHAPE,)),
    ],
)
def test_faults_of_a_line(one, hypothesis, wrong):
    assert judged(one, "a line", hypothesis, 0.0).faults == wrong


def test_ink_that_jumps_back_or_is_too_high_is_no_line():
    back, high = line("some words"), line("some words")
    back.ink[100, 0] -= 1500.0
    high.ink[100, 1] -= 120.0
    assert judged(back, "some words", "some words", 0.0).faults == (SHAPE,)
    assert judged(high, "some words", "some words", 0.0).faults == (SHAPE,)


@pytest.mark.parametrize(
    ("text", "read", "right"),
    [
        (".", "", True),
        (".", ",", True),
        ("-", "~", True),
        ("- - -", "---", False),
        ("?", "!", False),
        (".", "a", False),
        ("a.", "", False),
        ("a.", "a,", False),
    ],
)
def test_signs_alone_need_not_be_read(text, read, right):
    writer, reader, calls = script({text: [read] * 2})
    (found,) = proofread(writer, reader, [text], [1], tries=2)
    assert found.right == right and len(calls) == (1 if right else 2)
    assert found.hypothesis == read and (MISSING in found.faults) == (text == "a." and not read)


def test_a_dot_is_no_line_unless_it_is_the_text():
    primer = line("primer", width=2.0).ink
    dot = np.array([[12.0, 3.0, 1.0]])
    one = Line(np.concatenate([primer, dot]), len(primer), None, "primer .", True, np.zeros(1))
    assert judged(one, ".", "", 0.0).faults == ()
    assert judged(one, "a", "a", 0.0).faults == (SHAPE,)
    dash = np.concatenate([primer, dot, [[2000.0, 1.0, 1.0]]])
    one = Line(dash, len(primer), None, "primer -", True, np.zeros(1))
    assert judged(one, "-", "", 0.0).faults == (SHAPE,)


def test_doubt_is_cast_on_letters_that_are_read_as_signs():
    writer, reader, _ = script({"ll": [("--", 5.0)]})
    (found,) = proofread(writer, reader, ["ll"], [1], tries=1)
    assert found.doubt == 5.0 and found.errors == 2


def test_how_far_the_pen_may_go_back_is_by_the_longest_word():
    """Letters are 10 units high, and a word of five may go back by (3 + 2 * 5) of them."""
    for back, wrong in ((120.0, ()), (160.0, (SHAPE,))):
        one = line("some words")
        one.ink[100, 0] -= back
        assert judged(one, "some words", "some words", 0.0).faults == wrong
