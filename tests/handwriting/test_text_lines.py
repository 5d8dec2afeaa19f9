"""Text in one hand, as words for a page."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from handwriting.layout import break_rows
from handwriting.proofreading import CheckedWord
from handwriting.text_lines import Passage, narrow_line, write_passages
from handwriting.written_word import WrittenWord
from model import Writer
from model.generation.sampling_options import Sampling


def test_a_word_wider_than_a_row_is_made_narrower_and_named_if_that_is_much(hand):
    wave = np.array([[0.0, -1.0], [10.0, 0.0]])
    line = [CheckedWord((WrittenWord((wave,), 10.0, 1.0, "word"),), "word")]
    one = hand(reader=SimpleNamespace(), sampling=Sampling(0.0))
    for room, width, doubt in ((12.0, 10.0, ""), (9.0, 9.0, ""), (5.0, 5.0, "too long for a row")):
        (word,) = narrow_line(Passage(one, "word", room), line)
        assert (word.width, word.doubt) == (width, doubt)
        assert np.ptp(word.strokes[0], axis=0) == pytest.approx((width, 1.0))


def same(one, other):
    assert [word.text for word in one] == [word.text for word in other]
    for first, second in zip(one, other, strict=True):
        assert (first.width, first.gap) == pytest.approx((second.width, second.gap), rel=1e-3)
    return True


def test_paragraphs_come_in_their_order_whatever_is_written_together(hand, monkeypatch):
    one = hand()
    passages = [Passage(one, text) for text in ("ab ba", "", "  b  ", "aa " * 30)]
    found = list(write_passages(passages, 3))
    assert len(found) == 4 and found[1] == ([], [])
    monkeypatch.setattr("handwriting.text_lines.BATCH_SIZE", 1)
    again = list(write_passages(passages, 3))
    assert all(same(one, other) for (one, _), (other, _) in zip(found, again, strict=True))


def test_a_line_does_not_depend_on_the_hands_and_the_widths_of_the_others(hand, monkeypatch):
    one, other = hand(), hand(height=25.0, sampling=Sampling(bias=2.0))
    texts = ["ab ba", "b" * 20, "ab ba ab"]
    plain = list(write_passages([Passage(one, text) for text in texts], 7))
    asked, real = [], Writer.write_lines

    def write_lines(self, texts, seeds, sampling, **options):
        asked.append((list(texts), list(seeds), sampling.bias))
        return real(self, texts, seeds, sampling, **options)

    monkeypatch.setattr(Writer, "write_lines", write_lines)
    mixed = list(write_passages([
        Passage(replace(other, slant=30.0), texts[0]), Passage(other, texts[1], width=1.0),
        Passage(one, texts[2]),
    ], 7))  # fmt: skip
    assert plain[2][0] and same(plain[2][0], mixed[2][0])
    assert ([texts[0]], [7], 2.0) in asked and ([texts[2]], [9], Sampling().bias) in asked


def test_what_is_raised_is_small_and_stands_close(hand, monkeypatch):
    """A square of side 1 becomes one of 0.6, 0.9 above, 0.15 from what is beside it."""
    square = np.array([[0.0, -1.0], [1.0, 0.0]])

    def written(_, texts, seeds):
        words = [[WrittenWord((square,), 1.0, 2.0, one) for one in text.split()] for text in texts]
        return [[CheckedWord((one,), one.text) for one in line] for line in words]

    monkeypatch.setattr("handwriting.text_lines.write_words", written)
    ((words, _),) = write_passages([Passage(hand(), "15 m², 10⁶ x")])
    assert [word.text for word in words] == ["15", "m", "²", ",", "10", "⁶", "x"]
    assert [word.gap for word in words] == [2.0, 0.0, 0.0, 2.0, 0.0, 2.0, 2.0]
    assert (words[1].width, words[2].width) == (1.0, pytest.approx(0.9))
    np.testing.assert_allclose(words[2].strokes[0], [[0.15, -1.5], [0.75, -0.9]])
    assert [len(row) for row in break_rows(words, 9)] == [4, 3]
