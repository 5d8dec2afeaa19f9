"""How legible a writer is, in numbers."""

from types import SimpleNamespace

import numpy as np
import pytest

from handwriting.legibility import read_back
from model import Line
from utils.alphabet import Alphabet


def writer_of(write_lines, known="abcdefghijklmnopqrstuvwxyz ."):
    model = SimpleNamespace(alphabet=Alphabet(known))
    return SimpleNamespace(model=model, write_lines=write_lines)


def ink_of(words):
    return np.zeros((words, 3), dtype=np.float32)


@pytest.mark.parametrize(("ended", "complete"), [(True, 0.75), (False, 0.0)])
def test_a_line_is_complete_that_ended_with_all_words(ended, complete):
    """Of four lines that end one lacks a word; a line that ran out of steps never counts."""

    def write_lines(texts, *_, **__):
        return [Line(ink_of(2), 0, None, text, ended, np.zeros(1)) for text in texts]

    read = ["one two", "ons tvvo", "one", "onetwo"]
    writer = writer_of(write_lines)
    reader = SimpleNamespace(read_lines=lambda *_, **__: read)
    result = read_back(writer, reader, ["one two"] * 4, range(4))
    assert (result.ended, result.complete) == (float(ended), complete)
    assert result.rates["sequences"] == 4 and result.wrong == 3


def test_a_line_that_ends_at_once_is_a_dot():
    """It says nothing, and can be drawn beside others."""
    line = Line(ink_of(2), 2, None, "ab c.", True, np.zeros(1))
    writer = writer_of(lambda *_, **__: [line])
    reader = SimpleNamespace(read_lines=lambda *_, **__: [""])
    result = read_back(writer, reader, ["c."], [0])
    assert result.rates["cer"] == 1.0
    assert result.transcriptions[0].ink.tolist() == [[0, 0, 1]]
