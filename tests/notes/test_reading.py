"""A page is read without what is no prose, and with what was typed where it stands."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from model.recognition.ink_words import InkWord
from notes.confidence import confidences, language_of
from notes.ink_page import InkPage, PageStroke, TypedText
from notes.page_text import PageRow, PageWord, box_of
from notes.reading import is_text, read_page, with_numbers
from tests.notes.test_rows import row, turned
from utils.alphabet import Alphabet
from utils.ink import to_points


class Words:
    """A reader for which a row is two words: its first stroke, and all others."""

    model = SimpleNamespace(alphabet=Alphabet(["a", "b"]))

    def read_words(self, inks, _):
        self.lengths = [len(ink) for ink in inks]
        stops = [int(np.flatnonzero(ink[:, 2])[0]) + 1 for ink in inks]
        return [
            [
                InkWord("a", np.arange(stop), 0.5, ("o",), np.log([[0.5, 1e-9, 0.25]])),
                InkWord("b", np.arange(stop, len(ink)), 1.0, (), np.zeros((0, 3))),
            ]
            for ink, stop in zip(inks, stops, strict=True)
        ]


def test_words_have_their_place_on_the_page():
    first, second = row(0), row(70)
    marker = PageStroke(np.array([[0.0, 0], [90, 0]]), "highlighter")
    circle = 40 * np.exp(1j * np.linspace(0, 6, 60)) - 200  # far left
    drawing = PageStroke(np.column_stack([circle.real, 3 * circle.imag]))
    strokes = (marker, *map(PageStroke, first), drawing, *map(PageStroke, second))
    between = float(np.mean([np.concatenate(part)[:, 1].mean() for part in (first, second)]))
    typed = (TypedText("two words\nmore", 300, between, 2),)
    reader = Words()
    text = read_page(InkPage(500, 500, strokes, typed=typed), reader)
    assert reader.lengths == [sum(map(len, part)) for part in (first, second)]
    assert [each.text for each in text.rows] == ["a b", "two words", "more", "a b"]
    assert text.left_out == {"highlighter": 1, "drawing": 1}
    upper, typed_row, second_line, lower = text.rows
    assert upper.strokes[0] == 1 and min(lower.strokes) > max(upper.strokes) + 1
    assert upper.ink == lower.ink and not typed_row.ink  # the same ink, wherever it lies
    word = upper.words[0]
    points = strokes[upper.strokes[0]].points
    assert word.box == (*points.min(axis=0), *points.max(axis=0))
    assert [word.strokes for word in upper.words] == [upper.strokes[:1], upper.strokes[1:]]
    assert (word.confidence, word.alternatives) == (*confidences([("a", 0.5)]), ("o",))
    assert word.frames == ({"a": 0, "_": 0.7},)  # log 2
    everything = np.concatenate(first)
    assert upper.box == (*everything.min(axis=0), *everything.max(axis=0))
    # The second typed word begins after four characters of half the size.
    assert typed_row.words[1].box == (304, between, 309, between + 2)
    assert second_line.words[0].box[1] == pytest.approx(between + 2 * 1.17)  # as in Xournal++


class WideWords(Words):
    """A reader that is sure of rows that are wider than they are high, or only of others."""

    def __init__(self, is_sure_of_wide):
        self.is_sure_of_wide = is_sure_of_wide

    def read_words(self, inks, search):
        sizes = [np.ptp(to_points(ink), axis=0) for ink in inks]
        sure = [float((width > height) == self.is_sure_of_wide) for width, height in sizes]
        words = zip(super().read_words(inks, search), sure, strict=True)
        return [[replace(word, probability=each) for word in row] for row, each in words]


@pytest.mark.parametrize(("is_sure_of_wide", "turn"), [(True, 1), (False, 0)])
def test_a_page_on_its_side_is_turned_if_the_reader_is_surer_of_it_then(is_sure_of_wide, turn):
    strokes, reader = turned([*row(0), *row(35), *row(70)], 90), WideWords(is_sure_of_wide)
    text = read_page(InkPage(500, 500, (*map(PageStroke, strokes),)), reader)
    assert {each.turn for each in text.rows} == {turn}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([("8", 0.3)], False),
        ([("8", 0.4)], True),  # numbers are never very sure
        ([("G=", 0.5)], False),
        ([("of", 0.7)], True),
        ([("it", 0.1), ("rained", 0.1)], True),
        ([("a", 0.1), ("be", 0.9)], True),  # by letters 0.63
        ([("oo", 0.05), ("wme&", 0.2)], True),  # 0.15, as 0.6 / 4
        ([("oo", 0.05), ("wme&", 0.19)], False),
    ],
)
def test_few_letters_that_are_unsure_are_not_taken_for_text(words, expected):
    assert is_text(words) == expected


def test_a_page_of_unsure_ink_is_a_drawing():
    strokes, reader = [*row(0), *row(35)], Words()
    page = InkPage(500, 500, (*map(PageStroke, strokes),))
    reader.read_words = lambda inks, _: [
        [InkWord("scribbled", np.arange(len(ink)), 0.01, (), np.zeros((0, 3)))] for ink in inks
    ]
    text = read_page(page, reader)
    assert text.rows == () and text.left_out == {"drawing": len(strokes)}


def test_numbered_rows_are_a_list_if_there_are_two_or_more():
    words = [PageWord(text, (0, 0, 1, 1)) for text in ("1.", "2)", "3.x", "1984.", "x")]
    rows = [PageRow((word, words[-1])) for word in words]
    listed = with_numbers(rows)
    assert [each.mark for each in listed] == ["1.", "1.", "1.", "", ""]
    assert [each.text for each in listed[1:3]] == ["2) x", "3. x x"]
    assert [each.mark for each in with_numbers(rows[2:])] == ["", "", ""]


def test_confidence_grows_with_the_probability_and_stays_below_1():
    values = confidences([("qxz", float(p)) for p in np.linspace(0, 1, 50)])
    assert values == sorted(values) and 0 <= values[0] < 0.01 and values[-1] == 0.9999
    # By hand: 1 / (1 + e^0.77), and of a common word 1 / (1 + e^(0.77 - 1.3))
    assert confidences([("qxz", 0.5), ("(The,", 0.5)]) == [0.3165, 0.6295]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Gestern haben wir auf dem Markt noch etwas für den Garten gekauft", "de"),
        ("Hier nous avons acheté quelque chose pour le jardin sur le marché", "fr"),
        ("Yesterday we bought something for the garden on the market", ""),
        ("qxz 17 bzw lmnop 23", ""),
        ("", ""),
    ],
)
def test_the_language_of_a_page_is_that_of_its_common_words(text, language):
    pytest.importorskip("wordfreq", reason="wordfreq is not installed")
    assert language_of(text.casefold().split()) == language


def test_a_german_word_is_surer_on_a_german_page():
    pytest.importorskip("wordfreq", reason="wordfreq is not installed")
    pages = "we have them on the market, Garten", "wir haben etwas auf dem Markt, Garten"
    english, german = ([(word, 0.9) for word in page.split()] for page in pages)
    assert confidences(german)[-1] > confidences(english)[-1]


WHITEOUT = np.column_stack([np.linspace(-5, 500, 200), 40 * (-1.0) ** np.arange(200)])


@pytest.mark.parametrize("tool", ["eraser", "pen"])  # whiteout of Xournal++, or a white wide pen
def test_whited_out_words_are_not_read_and_their_places_are_told(tool):
    first, second = row(0), row(140)
    whiteout = PageStroke(WHITEOUT + first[0].mean(axis=0) * (0, 1), tool, "#ffffff", 20.0)
    across = PageStroke(np.array([[-5, 145], [500, 145.0]]), tool, "#ffffff", 2.0)
    strokes = (*map(PageStroke, [*first, *second]), whiteout, across)
    page = InkPage(500, 500, strokes, 1.0)
    text = read_page(page, Words())
    assert [each.strokes[0] for each in text.rows] == [len(first)]
    assert len(text.rows[0].strokes) == len(second)
    assert text.left_out["covered ink"] == len(first)
    assert text.covered == (box_of(np.concatenate(first)),)
    seen = read_page(replace(page, strokes=strokes[: len(first) + len(second)]), Words())
    assert len(seen.rows) == 2 and seen.covered == ()
