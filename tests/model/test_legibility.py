"""How legible a writer is, in numbers."""

from types import SimpleNamespace

import numpy as np
import pytest

from model import Line
from model.legibility import read_back


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


def test_the_judge_reads_what_the_proofreader_kept():
    """The second of two texts is written again, and the judge has no say in it."""

    def write_lines(texts, seeds, *_, **__):
        return [
            Line(np.float32([[n, n, 1]] * 2), 0, None, text, True, np.zeros(1), title=text)
            for text, n in zip(texts, seeds, strict=True)
        ]

    proofs = [[("-", 0.0), ("~~", 0.0)], [(".", 0.0)]]
    proofreader = SimpleNamespace(proofread=lambda *_, **__: proofs.pop(0))
    judged = []

    def read_lines(lines, *_, **__):
        judged.extend(lines)
        return ["-", "!"]

    result = read_back(
        SimpleNamespace(write_lines=write_lines),
        SimpleNamespace(read_lines=read_lines),
        ["-", "."],
        [5, 6],
        proofreader=proofreader,
        tries=4,
    )
    assert [one.tries for one in result.lines] == [1, 2] and proofs == []
    assert [line.title for line in judged] == ["-", "."] and result.wrong == 1
    assert judged[1].ink[0, 0] > 100  # of a seed far from the first
