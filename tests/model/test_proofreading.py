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


def line(text, seed=0, ended=True, width=1.0, height=0.0):
    """A wave as long as its text; its description is the seed."""
    t = np.linspace(0, len(text), 20 * len(text))
    ink = from_strokes([np.stack([width * 10 * t, 5 * np.sin(2 * np.pi * t)], axis=1)])
    ink[100:101, 1] -= height
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
    kept = [7, 8 + TRY_SEED_STRIDE, 9 + TRY_SEED_STRIDE]
    assert [one.line.description for one in found] == list(map(str, kept))
    assert [one.right for one in found] == [True, False, True]


def test_what_is_read_with_doubt_is_written_again_and_the_least_doubtful_kept():
    doubtful = [("ab", 0.9), ("ab", DOUBT + 0.1), ("ax", 0.0), ("ab", 0.7)]
    writer, reader, _ = script({"ab": doubtful, "cd": [("cd", DOUBT)]})
    first, second = proofread(writer, reader, ["ab", "cd"], [1, 2], tries=4)
    assert (first.hypothesis, first.doubt, first.tries) == ("ab", DOUBT + 0.1, 4)
    assert first.line.description == str(1 + TRY_SEED_STRIDE) and not first.right
    assert second.right and second.tries == 1


@pytest.mark.parametrize(
    ("text", "answers", "kept", "tries"),
    [
        ("abc", ["abd", "abx"], "abd", 2),  # of as many errors the first
        # The first lacks a word, the second has three errors.
        ("it was so", ["it so", "ik wes sa"], "ik wes sa", 2),
        ("--", [("--", 9.0)], "--", 1),  # no doubt is cast on signs alone
        ("ll", [("--", 5.0), ("--", 4.0)], "--", 2),  # but on letters that are read as signs
        (".", [""], "", 1),
        ("-", ["~"], "~", 1),
        ("- - -", ["---", "---"], "---", 2),
        (".", ["a", "a"], "a", 2),
        ("a.", ["", ""], "", 2),
        ("a.", ["a,", "a,"], "a,", 2),
    ],
)
def test_which_tries_there_are_and_which_is_kept(text, answers, kept, tries):
    writer, reader, calls = script({text: list(answers)})
    (found,) = proofread(writer, reader, [text], [2**32 - 1], tries=2)
    assert (found.hypothesis, found.tries, len(calls)) == (kept, tries, tries)
    assert found.right == (tries == 1) and found.doubt == (4.0 if text == "ll" else 0.0)
    assert [seeds for _, seeds in calls[1:]] == [[TRY_SEED_STRIDE - 1]] * (tries - 1)


@pytest.mark.parametrize(
    ("one", "hypothesis", "wrong"),
    [
        (line("a line"), "a line", ()),
        (line("a line", ended=False), "a line", (UNENDED,)),
        (line("a line"), "line", (MISSING,)),
        (line("a line", width=20), "a line", (SHAPE,)),
        (line("some words", height=120), "some words", (SHAPE,)),
    ],
)
def test_faults_of_a_line(one, hypothesis, wrong):
    assert judged(one, one.title, hypothesis, 0.0).faults == wrong


def test_a_dot_is_no_line_unless_it_is_the_text():
    primer = line("primer", width=2.0).ink
    dot = np.array([[12.0, 3.0, 1.0]])
    one = Line(np.concatenate([primer, dot]), len(primer), None, "primer .", True, np.zeros(1))
    assert judged(one, ".", "", 0.0).faults == ()
    assert judged(one, "a", "a", 0.0).faults == (SHAPE,)
    dash = np.concatenate([primer, dot, [[2000.0, 1.0, 1.0]]])
    one = Line(dash, len(primer), None, "primer -", True, np.zeros(1))
    assert judged(one, "-", "", 0.0).faults == (SHAPE,)


def test_how_far_the_pen_may_go_back_is_by_the_longest_word():
    """Letters are 10 units high, and a word of five may go back by (3 + 2 * 5) of them."""
    for back, wrong in ((120.0, ()), (160.0, (SHAPE,))):
        one = line("some words")
        one.ink[100, 0] -= back
        assert judged(one, "some words", "some words", 0.0).faults == wrong
