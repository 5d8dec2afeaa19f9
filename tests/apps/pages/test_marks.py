"""Marks and signs that are drawn in planted words, in a hand with an x-height of 1."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from apps.pages.drawn_signs import DRAWN, SIGN_SHAPES, with_drawn_signs, with_stand_ins
from apps.pages.front_matter import SourceLine
from apps.pages.hand_shape import HandShape
from apps.pages.hands import Hand
from apps.pages.marks import MARKED, PLAIN, plain
from apps.pages.proofreading import CheckedWord, try_words, with_first_reading
from apps.pages.source_text import known_lines
from apps.pages.word_cutting import with_drawn
from apps.pages.written_word import WrittenWord, span
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


def written_for(character):
    """What a network writes in the place of a character in a joined hand."""
    base = PLAIN.get(character, character)
    return DRAWN.get(base, base)


def drawn(text, strokes, indices, lean=0.0):
    """The strokes with the marks of a word, and the marks alone."""
    word = WrittenWord(tuple(strokes), 3.0, 1.0, text, tuple(map(np.asarray, indices)))
    written = {character: written_for(character) for character in text}
    marked = with_drawn(word, written, HandShape(1, 0, 0, lean, 1, 1, 0.9), lean)
    written = [stroke.tolist() for stroke in marked.plain.strokes]
    return marked, [stroke for stroke in marked.strokes if stroke.tolist() not in written]


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
    assert word.plain.text == "u" and len(word.plain.strokes) == 1
    lines, remarks = known_lines([SourceLine({}, "5 µm, 3 μg", 1)], "x", ALPHABET, False)
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


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_mark_beside_a_tall_stem_is_moved_aside_and_not_above_the_stem(side):
    """Above it, it would look as if it were the mark of a `t`."""
    _, (alone,) = drawn("ê", [BOW], [np.zeros(5, int)])
    x = alone[:, 0].mean() - 0.1 * side
    stem = np.array([(x, -1.8), (x, 0.0)])
    _, (mark,) = drawn("êt", [BOW, stem], [np.zeros(5, int), np.ones(2, int)])
    moved = mark[:, 0].mean() - alone[:, 0].mean()
    assert 0.1 < side * moved < 0.5
    assert mark[:, 1].mean() == pytest.approx(alone[:, 1].mean())


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


def dense(stroke):
    return at_equal_steps(stroke, path_along(stroke), 200)


@pytest.mark.parametrize(
    "way",
    [
        [(-1.0, -0.1), (-0.3, -0.6), (-0.15, -0.75), (0.3, -1.4)],
        [(-1.0, -0.75), (-0.3, -0.85), (0.0, -0.95), (0.3, -1.4)],  # A longer bar is on it, too.
    ],
)
def test_the_bar_of_a_joined_l_is_not_hidden_by_the_way_to_its_loop(way):
    loop = np.array([*way, (0.5, -1.9), (0.2, -1.9), (0.1, -1.0), (0.2, 0.0), (0.7, -0.2)])
    _, (bar,) = drawn("ł", [loop], [np.zeros(len(loop), int)])
    distances = np.hypot(*(bar[[0, -1], None] - dense(loop)).T)
    assert distances.min() > 0.2


@pytest.mark.parametrize("depth", [0.0, 0.15, 0.25])
@pytest.mark.parametrize("letter", "ąę")
def test_an_ogonek_reaches_below_the_ink_beside_it(letter, depth):
    """In `dzę` the end of the `ę` hid it."""
    letter_ink = np.array([*BOW[:-1], (0.6, depth), (1.0, -0.1)])
    _, marks = drawn(letter, [letter_ink], [np.zeros(len(letter_ink), int)])
    assert np.concatenate(marks)[:, 1].max() > depth + 0.35


@pytest.mark.parametrize("sign", ".,")
def test_an_ogonek_is_clear_of_the_sign_behind_its_letter(sign):
    stop = np.array([(1.3, -0.1), (1.3, 0.1)])
    word, marks = drawn(f"ę{sign}", [BOW, stop], [np.zeros(5, int), np.ones(2, int)])
    ogonek = min(marks, key=lambda stroke: abs(stroke[0, 0] - 0.9))
    assert word.strokes[-1][:, 0].min() - ogonek[:, 0].max() > 0.29


@pytest.mark.parametrize("letter", "ąęçşņ")
def test_a_mark_below_a_letter_reaches_half_an_x_height_down(letter):
    _, marks = drawn(letter, [BOW], [np.zeros(5, int)])
    assert np.ptp(np.concatenate(marks)[:, 1]) >= 0.49
    assert np.concatenate(marks)[:, 1].max() > 0.3


def test_a_mark_is_not_placed_by_the_end_of_the_capital_before_it():
    """The window is at the `ř` while the pen ends the bowl of the `P`."""
    bowl = np.array([(0.3, -2.0), (0.9, -1.9), (1.1, -1.5), (0.9, -1.1), (0.4, -0.9), (0.3, -0.8)])
    stroke = np.concatenate([shifted(BOW, 1.4), shifted(BOW, 2.6)])
    indices = [np.zeros(3, int), np.array([0, 0, 0, 0, 1, 1]), np.repeat([1, 2], 5)]
    _, marks = drawn("Pře", [STEM, bowl, stroke], indices)
    assert np.concatenate(marks)[:, 0].mean() == pytest.approx(2.2, abs=0.2)
    assert np.concatenate(marks)[:, 1].min() > -1.7
    dense = np.concatenate([at_equal_steps(s, path_along(s), 200) for s in (STEM, bowl, stroke)])
    assert np.hypot(*(np.concatenate(marks)[:, None] - dense).T).min() > 0.15


@pytest.mark.parametrize("letter", "äëïöüÄÖÜ")
@pytest.mark.parametrize("width", [0.1, 0.9])
def test_the_dots_above_a_letter_are_visible_and_do_not_run_together(letter, width):
    """The pen's line is 0.15 wide."""
    _, dots = drawn(letter, [BOW * (width, 1.0)], [np.zeros(5, int)])
    left, right = sorted(dots, key=lambda dot: dot[:, 0].mean())
    assert right[:, 0].min() - left[:, 0].max() > 0.34
    assert all(np.ptp(dot, axis=0).max() > 0.14 for dot in dots)


@pytest.mark.parametrize("letter", "åůÅŮ")
def test_the_pen_does_not_fill_a_ring(letter):
    """The pen's line is 0.15 to 0.18 wide."""
    _, (ring,) = drawn(letter, [BOW], [np.zeros(5, int)])
    assert np.ptp(ring[:, 0]) >= 0.42 - 1e-9
    assert np.ptp(ring[:, 1]) >= 0.36


@pytest.mark.parametrize("letter", "ăğĂ")
def test_a_breve_is_wider_than_a_caron(letter):
    _, (breve,) = drawn(letter, [BOW], [np.zeros(5, int)])
    assert np.ptp(breve[:, 0]) >= 0.62 - 1e-9
    assert np.ptp(breve[:, 0]) > 2 * np.ptp(breve[:, 1])


@pytest.mark.parametrize("lean", [0.0, 0.3])
def test_a_cedilla_stands_beneath_its_letter_and_not_beneath_the_way_to_the_next(lean):
    way = [*BOW, (1.4, 0.0), (1.9, -0.2)]
    _, (cedilla,) = drawn("ç", [np.array(way)], [np.zeros(len(way), int)], lean=lean)
    assert cedilla[0, 0] == pytest.approx(0.35, abs=0.25)


@pytest.mark.parametrize("letter", "ȘșȚț")
@pytest.mark.parametrize("depth", [0.0, 0.3])
def test_a_comma_below_a_letter_is_clear_of_its_stem(letter, depth):
    """The stem of a `Ț` that ends below the baseline had a comma as its hook."""
    stem = shifted(STEM, 0.0) + np.array([0.0, depth])
    _, marks = drawn(letter, [stem], [np.zeros(3, int)])
    dense = at_equal_steps(stem, path_along(stem), 200)
    assert np.hypot(*(np.concatenate(marks)[:, None] - dense).T).min() > 0.25


@pytest.mark.parametrize("path", [[(0.3, -0.9)], [(0.3, 0.2)], [(0.3, -1.0), (0.3, 3.0)]])
@pytest.mark.parametrize("letter", sorted(MARKED - {"ı"}))
def test_no_mark_is_lost_where_a_letter_has_no_place_for_it(letter, path):
    _, marks = drawn(letter, [np.array(path)], [np.zeros(len(path), int)])
    assert marks


@pytest.mark.parametrize(("letter", "count"), [("í", 2), ("ï", 3), ("ı", 1), ("į", 3)])
def test_the_mark_of_an_i_replaces_its_dot(letter, count):
    stem, dot = np.array([(0.3, -1.0), (0.3, 0.0)]), np.array([(0.3, -1.6), (0.35, -1.6)])
    word, _ = drawn(letter, [stem, dot], [np.zeros(2, int)] * 2)
    assert len(word.strokes) == len(word.indices) == count


@pytest.mark.parametrize(
    ("text", "expected"), [("née", "nee"), ("nïe", "nie"), ("nße", "nBe"), ("nże", "nae")]
)
def test_readers_are_shown_what_was_written(text, expected):
    strokes, indices = joined(text)
    word, _ = drawn(text, strokes, indices)
    assert word.text == text and len(word.strokes) > 1
    assert word.plain.text == expected and word.plain.strokes[0] is strokes[0]
    (read,) = with_first_reading(PlannedReader((expected, 0.1)), [CheckedWord((word,), text)])
    assert (read.text, read.errors, read.doubt, read.words) == (text, 0, 0.1, (word,))


def test_a_network_is_asked_for_the_letters_without_marks_that_it_knows():
    assert (
        plain("déjà Łódź, ßæ€", Alphabet("abcdefghijklmnopqrstuvwxyzL0, ßæé€")) == "deja Lodz, ßm0"
    )
    assert plain("é", Alphabet("é")) == "é"


@pytest.mark.parametrize(
    ("alphabet", "is_joined", "expected"),
    [("IzBa", True, "BaB a"), ("IzBa", False, "BzB z"), ("Iz", True, "IzI z")],
)
def test_letters_that_a_hand_misforms_are_written_as_others_of_its_alphabet(
    alphabet, is_joined, expected
):
    assert with_stand_ins("IzI z", Alphabet(alphabet + " "), is_joined) == expected


def test_a_z_with_a_mark_is_drawn_with_its_mark():
    (stroke,), (indices,) = joined("eże")
    word, _ = drawn("eże", [stroke], [indices])
    before, z, *_ = sorted(word.strokes, key=lambda stroke: span([stroke])[0])
    (dot,) = (stroke for stroke in word.strokes if stroke[:, 1].max() < -1.0)
    assert span([before])[1] < span([z])[0] and way_to_the_left(z) > 0.4
    assert span([z])[0] < dot[:, 0].mean() < span([z])[1]


def way_to_the_left(ink):
    """The greatest way to the left between a high point of ink and a later low one."""
    ways = [end - start for k, start in enumerate(ink) for end in ink[k:]]
    return max((-x for x, y in ways if y > 0.6), default=0.0)


def signed(text, strokes, indices, lean=0.0):
    """A word with its signs drawn in place of their stand-ins."""
    word = WrittenWord(tuple(map(np.array, strokes)), 3.0, 1.0, text, tuple(map(np.array, indices)))
    return with_drawn_signs(word, {c: written_for(c) for c in text}, lean, 0.9)


def test_an_i_begins_with_its_upper_bar():
    """One that begins with its stem is read as an `F`, whose upper bar follows the stem."""
    word = signed("I", [[(1.0, -1.8), (1.3, -1.0), (1.0, 0.0)]], [[0, 0, 0]])
    upper, stem, lower = word.strokes
    assert upper[:, 1].max() < -1.5 and np.ptp(stem[:, 1]) > 1.5 and lower[:, 1].min() > -0.3


@pytest.mark.parametrize(
    ("text", "written", "expected"),
    [("Hi", 1.2, 2.1), ("Ei", 2.3, 2.3), ("Ei", 3.0, 2.4), ("EI", 1.2, 1.6), ("Ii", 1.2, 1.6)],
)
def test_a_drawn_capital_is_as_tall_as_its_stand_in_or_as_capitals_are(text, written, expected):
    stand_in = [(1.0, -written), (1.3, -1.0), (1.0, 0.0)]
    word = signed(text, [stand_in, shifted(stand_in, 2.0)], [[0] * 3, [1] * 3])
    capital = [s for s, each in zip(word.strokes, word.indices, strict=True) if each[0] == 0]
    height = np.ptp(np.concatenate(capital)[:, 1])
    assert height == pytest.approx(expected, rel=0.15)  # Its size varies.


def test_the_strokes_of_drawn_capitals_meet():
    ink = [(1.0, -1.8), (1.3, -1.0), (1.0, 0.0)]
    stem, *bars = signed("E", [ink], [[0, 0, 0]]).strokes
    left, right, bar = signed("H", [ink], [[0, 0, 0]]).strokes
    ends = [(stem, each[0]) for each in bars]
    for near, end in [*ends, (left, bar[0]), (right, bar[-1])]:
        assert np.hypot(*(near - end).T).min() < 0.15
    assert len(bars) == 3
    assert min(span([each]).right for each in bars) > span([stem]).right + 0.3


@pytest.mark.parametrize(("text", "gap"), [("NIN", 0.3), ("hIn", 0.12), ("'In", 0.12)])
@pytest.mark.parametrize("x", [0.1, 1.0])
def test_the_bars_of_an_i_are_clear_of_the_capital_before_it(text, gap, x):
    stand_in = np.add([(0.0, -1.8), (0.3, -1.0), (0.0, 0.0)], (x, 0.0))
    strokes = [[(0.0, -1.8), (0.0, 0.0)], stand_in, [(2.0, -1.8), (2.0, 0.0)]]
    before, *ink, _ = signed(text, strokes, [[0] * 2, [1] * 3, [2] * 2]).strokes
    assert span(ink).left - span([before]).right == pytest.approx(max(gap, x))


@pytest.mark.parametrize("sign", sorted(DRAWN))
@pytest.mark.parametrize("lean", [0.0, 0.5])
def test_a_sign_is_drawn_in_the_place_of_its_stand_in_and_what_follows_keeps_its_gap(sign, lean):
    stand_in = [(1.0, -1.8), (1.3, -1.0), (1.0, 0.0)]
    letters = [STEM, stand_in, [(2.0, -1.0), (2.0, 0.0)]]
    leaning = [np.array(s) - np.outer(np.array(s)[:, 1], (lean, 0.0)) for s in letters]
    word = signed(f"l{sign}i", leaning, [[k] * len(s) for k, s in enumerate(letters)], lean)
    drawn = [s for s, each in zip(word.strokes, word.indices, strict=True) if each[0] == 1]
    upright = [s + np.outer(s[:, 1], (lean, 0.0)) for s in (*drawn, word.strokes[-1])]
    left, right = span(upright[:-1])
    assert left == pytest.approx(1.0 - word_left(letters, lean), abs=0.1)
    tolerance = 0.01
    if sign in "«¿¡":  # Where the sign is nearest to the letter, whose feet are on the baseline.
        path = np.concatenate([np.linspace(a, b, 50) for s in upright[:-1] for a, b in pairwise(s)])
        right = path[(path[:, 1] > -1.0) & (path[:, 1] < 0.0), 0].max() - 0.2
        tolerance = 0.05  # Heights are compared in bands.
    assert upright[-1][0, 0] - right == pytest.approx(0.7, abs=tolerance)
    assert word.text == f"l{sign}i" and word.width == span(word.strokes)[1]
    if sign in "¿¡":
        np.testing.assert_allclose(upright[0][:, 1], [-1.1, -0.1, 0.7])
    else:
        shape = SIGN_SHAPES[sign]
        assert len(drawn) in {*map(len, shape)}


def word_left(letters, lean):
    """The left edge of leaning letters, which becomes x = 0."""
    return min((np.array(s)[:, 0] - lean * np.array(s)[:, 1]).min() for s in letters)


def test_a_sign_is_cut_out_of_a_joined_word():
    """The window is two points ahead of the pen."""
    (stroke,), (indices,) = joined("eße")
    word = signed("eße", [stroke], [indices])
    owners = [int(np.median(each)) for each in word.indices]
    assert owners == [0, 1, 2]
    first, sharp_s, last = word.strokes
    assert span([first])[1] < span([sharp_s])[0] + 0.2 and span([sharp_s])[1] < span([last])[1]
    assert sharp_s[:, 1].min() < -1.2  # It is tall.


A = [(0.7, -1.0), (0.5, -0.8), (0.5, -0.2), (0.7, 0.0), (1.0, -0.9), (1.0, -1.0), (1.1, 0.0)]


@pytest.mark.parametrize(
    ("text", "letter", "way", "num_kept"),
    [
        # Its foot is at the baseline; the pen is 0.1 above it, then 0.4.
        ("cz", [(0.6, -0.9), (0.2, -1.0), (0.0, -0.5), (0.2, 0.0)], [(0.4, -0.1), (0.7, -0.4)], 5),
        # The window is at the `z` before the last stem of the `h`, whose first reaches lower.
        (
            "hz",
            [(0.0, -1.9), (0.0, 0.1), (0.1, -0.6), (0.4, -0.8), (0.44, -0.7)],
            [(0.45, -0.5), (0.47, -0.2), (0.5, 0.0), (0.6, -0.1), (1.0, -0.5)],
            9,
        ),
        # The arm ends 0.45 to the right of the foot, or where the pen goes back to the left.
        ("rz", [(0.0, -1.0), (0.0, 0.0), (0.0, -0.7)], [(0.2, -1.0), (0.4, -1.0), (0.8, -1.0)], 5),
        ("rz", [(0.0, -1.0), (0.0, 0.0), (0.0, -0.7)], [(0.2, -1.0), (0.3, -1.0)], 5),
        ("oz", [(0.3, -1.0), (0.0, -0.5), (0.3, 0.0), (0.6, -0.5)], [(0.3, -1.0), (0.6, -1.0)], 4),
    ],
)
def test_a_letter_before_a_drawn_one_keeps_its_end(text, letter, way, num_kept):
    """The window is at the `z` two points before the way to it begins, as the pen is late."""
    start = [(-0.8, -1.0), (-0.8, -0.6), (-0.8, -0.3), (-0.6, -0.2)]
    behind = [*way, *shifted(A, way[-1][0] - 0.9)]
    points = np.array([*start, *letter, *behind])
    indices = np.repeat([0, 1, 2], [4, len(letter) - 2, len(behind) + 2])
    before, *_ = signed(f"i{text}", [points], [indices]).strokes
    np.testing.assert_allclose(before, shifted(points[: 4 + num_kept], 0.8), atol=1e-9)


E = [(1.4, -0.3), (1.7, -0.9), (1.5, -1.0), (1.45, -0.4), (1.7, 0.0)]


def test_a_cedilla_stands_beneath_the_letter_that_begins_a_stroke():
    """The window reaches it while the pen ends the letter before: "soupçon"."""
    end_of_p = [(4.2, -1.0), (4.3, -0.8), (4.2, -0.6), (4.1, -0.4), (3.8, -0.3), (3.6, -0.2)]
    end_of_p += [(3.5, -0.2), (3.5, -0.2)]
    c = [(5.2, -1.0), (5.1, -1.0), (5.0, -1.0), (4.8, -0.8), (4.6, -0.5), (4.5, -0.2), (4.6, 0.0)]
    to_o = [(4.7, 0.0), (5.0, -0.2), (5.4, -0.6), (5.8, -1.0)]
    strokes = [np.array(end_of_p), np.array([*c, *to_o])]
    _, marks = drawn("pço", strokes, [[0] + [1] * 7, [1] * 7 + [2] * 4], lean=0.3)
    assert np.concatenate(marks)[:, 0].min() > 4.2


def test_ink_that_ends_a_stand_in_is_taken_though_the_window_is_at_the_next_letter():
    """Not all of it runs back to the left: a stroke stood before the `I` of "In"."""
    stand_in = [(0.0, -2.0), (1.0, -1.5), (0.2, -1.0), (0.9, -0.5), (0.0, -0.6), (0.3, 0.0)]
    n = [(1.6, -1.0), (1.6, -0.5), (1.6, 0.0), (1.8, -0.9), (2.1, -0.8), (2.2, 0.0)]
    word = signed(
        "In", [[(0.1, -1.9), (0.1, 0.0)], stand_in, n], [[0] * 2, [0] * 3 + [1] * 3, [1] * 6]
    )
    assert [int(each[0]) for each in word.indices] == [0, 0, 0, 1]


def test_a_letter_before_a_stand_in_that_begins_a_stroke_keeps_its_end():
    """The window leaves it before its last stem: "razas" looked like "rozas"."""
    stem_to_left = [*A[:-1], (0.9, 0.0)]
    indices = [[0] * 4 + [1] * 3, [1] * 7]
    before, _ = signed("az", [stem_to_left, shifted(A, 1.0)], indices).strokes
    np.testing.assert_allclose(np.diff(before, axis=0), np.diff(stem_to_left, axis=0))


def test_nothing_is_left_of_a_stand_in_before_a_sign():
    """The window is at the sign before the pen has drawn the last stem of the stand-in."""
    stand_in = [*A[:-1], (1.0, 0.0)]
    indices = np.repeat([0, 1], [4, 3])
    word = signed("z.", [stand_in, [(1.6, 0.0)]], [indices, [1]])
    assert [len(stroke) for stroke in word.strokes][1:] == [1]


@pytest.mark.parametrize("num_points", [5, 6])
def test_nothing_is_left_of_a_stand_in_that_the_window_leaves_before_its_last_stem(num_points):
    """The pen is at the top of this stem then, and goes on to an `e` from its foot."""
    indices = np.repeat([0, 1], [num_points, len(A) + len(E) - num_points])
    rest = signed("ze", [np.array([*A, *E])], [indices]).strokes[-1]
    np.testing.assert_allclose(np.diff(rest, axis=0), np.diff(E, axis=0))


def test_a_letter_behind_a_stand_in_stays_where_it_runs_back_to_the_left():
    """As the belly of a stand-in does: "pozzo" lost its last letter."""
    o = [(1.7, -0.9), (1.75, -1.0), (1.5, -1.0), (1.35, -0.5), (1.5, 0.0), (1.7, -0.4), (1.6, -0.9)]
    indices = np.repeat([0, 1], [len(A), len(o)])
    rest = signed("zo", [np.array([*A, *o])], [indices]).strokes[-1]
    np.testing.assert_allclose(np.diff(rest, axis=0), np.diff(o, axis=0))


def test_a_t_before_a_drawn_letter_has_a_bar():
    """The bar was a part of the stand-in."""
    *_, bar = sorted(
        signed("tz", [STEM, shifted(A, 0.5)], [[0] * 3, [1] * len(A)]).strokes,
        key=lambda stroke: np.ptp(stroke[:, 0]) - np.ptp(stroke[:, 1]) - len(stroke) / 100,
    )
    assert bar[0, 0] < STEM[0, 0] < bar[-1, 0]
    assert np.unique(bar[:, 1]).tolist() == [-1.0]


def test_nothing_is_left_of_a_stand_in_at_whose_start_the_window_is_late():
    zero = [(0.5, -1.8), (0.0, -1.0), (0.5, 0.0), (1.0, -1.0), (0.9, -1.5), (0.5, -1.8)]
    word = signed("1€", [[(-1.0, -1.8), (-1.0, 0.0)], zero], [[0, 0], [0, 1, 1, 1, 1, 1]])
    assert len(word.strokes) == 4


def test_a_sign_that_was_not_written_is_drawn_behind_the_ink_before_it():
    """A network forgets the sign behind a number more often than another."""
    stem = [(0.0, -1.8), (0.0, 0.0)]
    word = signed("1€", [stem], [[0, 0]])
    assert len(word.strokes) == 4
    assert all(
        each[0] == 1 and s[:, 0].min() > 0.1
        for s, each in zip(word.strokes[1:], word.indices[1:], strict=True)
    )


class EchoHand:
    """Writes each text as one stroke, and keeps the texts."""

    reader = slant = None
    draws_letters = True
    write_words = Hand.write_words

    def __init__(self, shape):
        self.shape, self.texts = shape, []
        self.writer = self.model = self
        self.alphabet = ALPHABET
        self.path = Path("writer.pth")

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
    assert (checked.words[0].text, checked.words[0].plain.text) == ("née", "nee")
