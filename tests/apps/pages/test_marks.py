"""Marks on letters of three planted words, in a hand with an x-height of 1."""

import numpy as np
import pytest

from apps.pages.marks import PLAIN, in_plain_letters, plain, with_marks
from apps.pages.proofreading import CheckedWord, try_words, with_first_reading
from apps.pages.source_text import known_lines
from apps.pages.written_word import WrittenWord
from ink.alphabet import Alphabet
from ink.geometry import at_equal_steps, from_strokes, path_along
from ink.measures import segments_cross
from model import Line
from tests.apps.pages.builders import PlannedReader
from tests.commands.networks import ALPHABET

BOW = np.array([(0.7, -0.9), (0.2, -1.0), (0.0, -0.5), (0.3, 0.0), (0.9, 0.0)])
STEM = np.array([(0.3, -2.0), (0.3, -1.0), (0.3, 0.0)])


def shifted(letter, x):
    return np.add(letter, (x, 0.0))


def drawn(text, strokes, indices, lean=0.0):
    """The strokes with the marks of a word, and the marks alone."""
    word = WrittenWord(tuple(strokes), 3.0, 1.0, text, tuple(map(np.asarray, indices)))
    marked = with_marks(word, {*PLAIN}, lean)
    return marked, [marked.strokes[number] for number in marked.marks]


def joined(text, letter=BOW):
    """A word of one stroke; the window is two points ahead of the pen, as in joined hands."""
    strokes = [shifted(letter, 1.2 * number) for number in range(len(text))]
    indices = np.repeat(range(len(text)), len(letter))
    return [np.concatenate(strokes)], [np.append(indices[2:], [len(text) - 1] * 2)]


@pytest.mark.parametrize("letter", "éèêëēėěãåő")
def test_a_mark_stands_above_its_own_letter_in_a_joined_word(letter):
    """The letters are 0.9 wide, their middles 0.45, 1.65 and 2.85."""
    for place in range(3):
        text = "e" * place + letter + "e" * (2 - place)
        strokes, indices = joined(text)
        word, marks = drawn(text, strokes, indices)
        points = np.concatenate(marks)
        assert np.ptp(points[:, 0]) / 2 + points[:, 0].min() == pytest.approx(
            1.2 * place + 0.4, abs=0.4
        )
        assert points[:, 1].max() < -0.9
        np.testing.assert_array_equal(word.strokes[0], strokes[0])


def test_a_mu_is_a_u_with_a_leg():
    u = [(0.0, -1.0), (0.0, -0.3), (0.3, 0.0), (0.7, -0.3), (0.7, -1.0), (0.7, 0.0)]
    word, (leg,) = drawn("µ", [np.array(u)], [np.zeros(6, int)])
    assert abs(leg[:, 0]).max() < 0.2 and leg[:, 1].max() == pytest.approx(0.9, abs=0.15)
    assert in_plain_letters(word).text == "u" and len(in_plain_letters(word).strokes) == 1
    lines, remarks = known_lines(["5 µm, 3 μg"], ALPHABET, skip_unknown=False)
    assert lines == ["5 µm, 3 µg"] and remarks == ["written as others: μ as µ"]


@pytest.mark.parametrize("lean", [-0.3, 0.0, 0.5])
def test_a_mark_above_a_letter_is_clear_of_other_ink(lean):
    """The bar of a `t` runs over the letter, where its mark would be."""
    bar = np.array([(-0.5, -1.3), (1.5, -1.3)])
    strokes = [stroke - stroke[:, 1:] * (lean, 0.0) for stroke in (BOW, bar)]
    _, marks = drawn("ét", strokes, [np.zeros(5, int), np.ones(2, int)], lean)
    for stroke in strokes:
        dense = at_equal_steps(stroke, path_along(stroke), 200)
        distances = np.hypot(*(np.concatenate(marks)[:, None] - dense).T)
        assert distances.min() > 0.15


@pytest.mark.parametrize(("letter", "stem"), [("ł", STEM), ("đ", STEM), ("ħ", STEM), ("ø", BOW)])
def test_a_bar_crosses_its_letter(letter, stem):
    _, (bar,) = drawn(letter, [stem], [np.zeros(len(stem), int)])
    segments = [np.stack((stroke[:-1], stroke[1:]), 1) for stroke in (bar, stem)]
    assert segments_cross(*segments).any()


def test_a_mark_stands_above_its_letter_and_not_above_a_bar_that_was_made_late():
    """The window is at the `ô` while the pen makes the bar of the `t`."""
    bar = np.array([(-0.1, -0.9), (0.7, -0.9)])
    (stroke,), (indices,) = joined("ot")
    strokes = [STEM, bar, shifted(stroke, 1.2)]
    _, marks = drawn("tôt", strokes, [np.zeros(3, int), np.ones(2, int), indices + 1])
    assert np.concatenate(marks)[:, 0].min() > 1.0


def test_the_bar_of_a_joined_o_crosses_its_ring_where_the_window_is_early():
    angles = np.linspace(0.5, 2.5, 21) * np.pi  # around a ring from its top to its top
    ring = np.stack((3.0 - 0.4 * np.cos(angles), -0.5 - 0.5 * np.sin(angles)), 1)
    way, tail = np.linspace((0.0, 0.0), (2.9, -0.9), 20), np.linspace((3.1, -0.9), (5.0, 0.0), 20)
    indices = np.repeat([0, 1, 2], [8, 21, 32])  # The window is 12 points ahead of the ring.
    _, (bar,) = drawn("nøn", [np.concatenate([way, ring, tail])], [indices])
    assert 2.8 < bar[:, 0].mean() < 3.2


@pytest.mark.parametrize("letter", "ąęçşņ")
def test_a_mark_below_a_letter_reaches_half_an_x_height_down(letter):
    _, marks = drawn(letter, [BOW], [np.zeros(5, int)])
    assert np.ptp(np.concatenate(marks)[:, 1]) >= 0.49
    assert np.concatenate(marks)[:, 1].max() > 0.3


@pytest.mark.parametrize("path", [[(0.3, -0.9)], [(0.3, 0.2)], [(0.3, -1.0), (0.3, 3.0)]])
@pytest.mark.parametrize("letter", sorted({*PLAIN} - {"ı"}))
def test_no_mark_is_lost_where_a_letter_has_no_place_for_it(letter, path):
    _, marks = drawn(letter, [np.array(path)], [np.zeros(len(path), int)])
    assert marks


@pytest.mark.parametrize(("letter", "count"), [("í", 2), ("ï", 3), ("ı", 1), ("į", 3)])
def test_the_mark_of_an_i_replaces_its_dot(letter, count):
    stem, dot = np.array([(0.3, -1.0), (0.3, 0.0)]), np.array([(0.3, -1.6), (0.35, -1.6)])
    word, _ = drawn(letter, [stem, dot], [np.zeros(2, int)] * 2)
    assert len(word.strokes) == len(word.indices) == count


@pytest.mark.parametrize(
    ("text", "expected", "count"), [("née", "nee", 1), ("nïe", "nie", 3), ("nįe", "nie", 1)]
)
def test_readers_are_shown_what_was_written_and_the_mark_of_an_i_as_its_dot(text, expected, count):
    word, _ = drawn(text, *joined(text))
    assert word.text == text and len(word.strokes) == (3 if text == "nïe" else 2)
    shown = in_plain_letters(word)
    assert (shown.text, len(shown.strokes)) == (expected, count)
    (read,) = with_first_reading(PlannedReader((expected, 0.1)), [CheckedWord((word,), text)])
    assert (read.text, read.errors, read.doubt, read.words) == (text, 0, 0.1, (word,))


def test_a_network_is_asked_for_the_letters_without_marks_that_it_knows():
    assert plain("déjà Łódź, ßæ", Alphabet("abcdefghijklmnopqrstuvwxyzL, ßæé")) == "deja Lodz, ßæ"
    assert plain("é", Alphabet("é")) == "é"


class EchoHand:
    """Writes each text as one stroke, and keeps the texts."""

    reader = slant = None

    def __init__(self, shape):
        self.shape, self.texts = shape, []
        self.writer = self.model = self
        self.alphabet = ALPHABET

    def write_texts(self, texts, seeds):
        self.texts += texts
        strokes, indices = joined(texts[0])
        ink = from_strokes([strokes[0] * 10.0])
        return [Line(ink, 0, indices[0][1:], texts[0], True, np.zeros(len(ink) - 1), texts[0])]


def test_the_words_of_a_page_say_their_text_though_their_marks_are_drawn():
    from tests.apps.pages.test_word_cutting import shape_of, zigzag

    hand = EchoHand(shape_of(zigzag()))
    ((checked,),) = try_words(hand, ["née"], [0])
    assert (hand.texts, checked.text, checked.faults) == (["nee"], "née", ())
    assert (checked.words[0].text, checked.words[0].marks) == ("née", (1,))
