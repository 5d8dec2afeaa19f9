"""Text in one hand, as words for a page."""

from dataclasses import replace
from functools import partial
from unittest import mock

import numpy as np
import pytest

from apps.pages.layout import break_rows
from apps.pages.proofreading import MISSING_WORD, CheckedWord
from apps.pages.text_lines import Passage, narrowed_words, seeded, with_even_figures, write_texts
from apps.pages.written_word import WrittenWord
from model import Writer
from model.generation.line import Sampling
from tests.apps.pages.builders import PlannedReader


def words_of(text, points):
    """Return words whose ink is all these points, 1 wide."""
    return [WrittenWord((points,), np.ptp(points[:, 0]), 2.0, word) for word in text.split()]


@pytest.mark.parametrize(
    ("room", "width", "doubt"), [(12, 10, ""), (9, 9, ""), (5, 5, "too long for a row")]
)
def test_a_word_wider_than_a_row_is_narrowed_and_doubtful_if_by_much(hand, room, width, doubt):
    words = words_of("word", np.array([[0.0, -1.0], [10.0, 0.0]]))
    reading = hand(reader=PlannedReader(("word", 0.0)), sampling=Sampling(0.0))
    (word,) = narrowed_words(Passage(reading, "word", room), [CheckedWord(tuple(words), "word")])
    assert (word.width, word.doubt) == (width, doubt)
    assert np.ptp(word.strokes[0], axis=0) == pytest.approx((width, 1.0))


def test_a_missing_word_is_named_and_has_a_line_of_its_width_also_without_a_reader(hand):
    missing = CheckedWord((WrittenWord((), 3.0, 1.0, "abc"),), "abc", faults=(MISSING_WORD,))
    (word,) = narrowed_words(Passage(hand(), "abc"), [missing])
    assert (word.text, word.width, word.gap, word.doubt) == ("abc", 3.0, 1.0, MISSING_WORD)
    (line,) = word.strokes
    assert 0 < line[0, 0] < line[-1, 0] < 3.0


def figures(text, height):
    """A word of a stem for each character, `height` x-heights high, and a comma."""
    stems = [np.array([[x, -height], [x, 0.0]]) for x in range(len(text) - 1)]
    return WrittenWord((*stems, np.array([[9.0, -0.2], [9.0, 0.4]])), 9.0, 2.0, text)


@pytest.mark.parametrize(("height", "even"), [(1.2, 2 / 1.15), (2.1, 2.1), (3.0, 2 * 1.15)])
def test_a_number_or_a_word_of_capitals_is_about_as_high_as_the_others(height, even):
    """Also if it was written alone; a unit, a word and what is raised stay as they are."""
    texts = {"12,": 2.0, "kg,": 0.9, "HUT,": 2.0, "489,": height, "Hut,": 3.0, "²,": 0.5}
    words = [figures(text, each) for text, each in texts.items()]
    changed = dict(zip(texts, with_even_figures(words), strict=True))
    heights = {text: -word.strokes[0][0, 1] for text, word in changed.items()}
    assert heights == pytest.approx(texts | {"489,": even})
    number = changed["489,"]
    assert (number.width, number.gap) == (pytest.approx(9.0 * even / height), 2.0)


def values(words):
    """Return the texts, widths and gaps of words, which batches change by rounding alone."""
    return [(word.text, approx(word.width), approx(word.gap)) for word in words]


approx = partial(pytest.approx, rel=1e-3)


@pytest.mark.slow
def test_paragraphs_come_out_in_order_and_alike_for_any_batch_size(hand, monkeypatch):
    passages = [Passage(hand(), text) for text in ("ab ba", "", "  b  ", "aa " * 30)]
    (together,) = write_texts([seeded(passages, 3)])
    monkeypatch.setattr("apps.pages.text_lines.BATCH_SIZE", 1)
    (alone,) = write_texts([seeded(passages, 3)])
    assert len(together) == 4 and together[1] == ([], [])
    assert [values(words) for words, _ in together] == [values(words) for words, _ in alone]


def test_a_line_does_not_depend_on_the_hands_and_the_widths_of_other_lines(hand, monkeypatch):
    usual, other = hand(), hand(height=25.0, sampling=Sampling(bias=2.0))
    texts = ["ab ba", "b" * 20, "ab ba ab"]
    ((*_, (plain, _)),) = write_texts([seeded([Passage(usual, text) for text in texts], 7)])
    write = mock.Mock(wraps=Writer.write_lines)
    monkeypatch.setattr(Writer, "write_lines", lambda *given, **options: write(*given, **options))
    hands = [Passage(replace(other, slant=30.0), texts[0]), Passage(other, texts[1], width=1.0)]
    ((*_, (mixed, _)),) = write_texts([seeded([*hands, Passage(usual, texts[2])], 7)])
    calls = [(*given[1:3], given[3].bias) for given, _ in write.call_args_list]
    assert plain and values(plain) == values(mixed)
    assert ([texts[0]], [7], 2.0) in calls and ([texts[2]], [9], Sampling().bias) in calls


def test_raised_words_are_small_and_close(hand, monkeypatch):
    """A square of side 1 becomes 0.6 wide, 0.9 above, 0.15 from what is beside it."""
    square = np.array([[0.0, -1.0], [1.0, 0.0]])
    monkeypatch.setattr(
        "apps.pages.text_lines.write_words",
        lambda _, texts, seeds: [
            [CheckedWord((word,), word.text) for word in words_of(text, square)] for text in texts
        ],
    )
    (((words, _),),) = write_texts([[Passage(hand(), "15 m², 10⁶ x")]])
    assert [word.text for word in words] == ["15", "m", "²", ",", "10", "⁶", "x"]
    assert [word.gap for word in words] == [2.0, 0.0, 0.0, 2.0, 0.0, 2.0, 2.0]
    assert (words[1].width, words[2].width) == (1.0, pytest.approx(0.9))
    np.testing.assert_allclose(words[2].strokes[0], [[0.15, -1.5], [0.75, -0.9]])
    assert [len(row) for row in break_rows(words, 9)] == [4, 3]


def test_words_that_a_stroke_joins_have_the_text_of_their_parts_and_fills_their_places(
    hand, monkeypatch
):
    """All words of a line are joined; no line goes on behind a fill."""
    square = np.array([[0.0, -1.0], [1.0, 0.0]])
    monkeypatch.setattr(
        "apps.pages.text_lines.write_words",
        lambda _, texts, seeds: [
            [CheckedWord((WrittenWord((square,), 1.0, 2.0, text),), text)] for text in texts
        ],
    )
    (((words, checked),),) = write_texts([[Passage(hand(), "a 15 m² ____ b c ....")]])
    assert [word.text for word in words] == ["a 15 m²", "____", "b c", "...."]
    assert [word.words[0].text for word in checked] == [word.text for word in words]
