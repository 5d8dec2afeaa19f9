"""How legible a writer is, in numbers."""

from types import SimpleNamespace

import numpy as np
import pytest

from handwriting.layout import Word
from handwriting.legibility import read_back
from handwriting.proofreading import UNENDED, Proofread
from model import Line
from utils.ink import to_points


def ink_of(words):
    return np.zeros((words, 3), dtype=np.float32)


@pytest.mark.parametrize(("ended", "complete"), [(True, 0.75), (False, 0.0)])
def test_a_line_is_complete_that_ended_with_all_words(ended, complete):
    """Of four lines that end one lacks a word; a line that ran out of steps never counts."""

    def write_lines(texts, *_, **__):
        return [Line(ink_of(2), 0, None, text, ended, np.zeros(1)) for text in texts]

    read = ["one two", "ons tvvo", "one", "onetwo"]
    writer = SimpleNamespace(write_lines=write_lines)
    reader = SimpleNamespace(read_lines=lambda *_, **__: read)
    result = read_back(writer, reader, ["one two"] * 4, range(4))
    assert (result.ended, result.complete) == (float(ended), complete)
    assert result.rates["sequences"] == 4 and result.wrong == 3


def test_a_line_that_ends_at_once_is_a_dot():
    """It says nothing, and can be drawn beside others."""
    line = Line(ink_of(2), 2, None, "ab c.", True, np.zeros(1))
    writer = SimpleNamespace(write_lines=lambda *_, **__: [line])
    reader = SimpleNamespace(read_lines=lambda *_, **__: [""])
    result = read_back(writer, reader, ["c."], [0])
    assert result.rates["cer"] == 1.0
    assert result.transcriptions[0].ink.tolist() == [[0, 0, 1]]


def test_the_judge_reads_words_in_a_row_as_a_hand_wrote_them():
    """Of two lines one has two words, each once more than the other's; of the last nothing came."""
    stroke = np.array([[0.0, 0.0], [2.0, 1.0]])
    one, two = (Proofread((Word((stroke,), 2.0, 1.0, text),), text, 2) for text in ("a", "b"))
    hand = SimpleNamespace(
        write_words=lambda *_: [[one, two], [Proofread((), "c", 3, faults=(UNENDED,))]]
    )
    judged = []

    def read_lines(inks, *_, **__):
        judged.extend(inks)
        return ["a b", ""]

    reader = SimpleNamespace(read_lines=read_lines)
    result = read_back(SimpleNamespace(), reader, ["a b", "c"], [5, 6], hand=hand)
    assert (result.tries, result.lines_ended, result.wrong) == ([4, 3], [True, False], 1)
    first, second = map(to_points, judged)
    assert first.tolist() == [[0, 0], [2, 1], [3, 0], [5, 1]] and second.tolist() == [[0, 0]]
