"""What is no prose on small pages, whose letters are zigzags of one x-height."""

from itertools import pairwise

import numpy as np
import pytest

from apps.notes.rows import CROSSED_OUT, CROSSING, DRAWING, RING, UNDERLINE
from apps.notes.sizes import size_classes
from apps.notes.structure import MARK_OF_LIST, RULE, find_structure, quarter_turns
from tests.apps.notes.test_rows import X_HEIGHT, page, row, turned


def line(*corners):
    """A stroke through corners, given in x-heights."""
    points = X_HEIGHT * np.array(corners, float)
    along = np.linspace(0, len(points) - 1, 12 * (len(points) - 1) + 1)
    return np.column_stack([np.interp(along, range(len(points)), axis) for axis in points.T])


def ring(x, y, width, height):
    angle = np.linspace(0, 6.4, 40)
    return line(*np.column_stack([x + width / 2 * np.cos(angle), y + height / 2 * np.sin(angle)]))


def box(x, y, side=1.5):
    return line((x, y), (x, y + side), (x + side, y + side), (x + side, y), (x, y))


def structure_of(strokes):
    return find_structure(strokes, np.zeros(len(strokes), int))


def marks(strokes):
    return [row.mark for row in structure_of(strokes)[0]]


WORD = row(0, (4, 4, 4))  # words from x = 0 to 3, 4 to 7 and 8 to 11 x-heights
CROSSINGS = {
    "a line": [line((3.9, -0.5), (7.2, -0.6))],
    "a line and back": [line((3.9, -0.4), (7.2, -0.5), (4, -0.7))],
    "a diagonal": [line((3.9, 0.2), (7.2, -1.2))],
    "a cross": [line((3.9, 0.2), (7.2, -1.2)), line((3.9, -1.2), (7.2, 0.2))],
    "a zigzag": [line(*((4 + 0.6 * n, (0.3, -1.3)[n % 2]) for n in range(6)))],
    "hatching": [line((4 + 0.6 * n, 0.3), (5 + 0.6 * n, -1.3)) for n in range(4)],
    "low hatching": [line((4 + 0.6 * n, 0), (4.5 + 0.6 * n, -0.8)) for n in range(5)],
    "hatching wider than the word": [
        line((3.4 + 0.6 * n, 0.3), (4.4 + 0.6 * n, -1.3)) for n in range(7)
    ],
    "hatching up and down": [
        line(*((4 + 0.6 * n, 0.2), (4.8 + 0.6 * n, -1.0))[:: (1, -1)[n % 2]]) for n in range(5)
    ],
}


@pytest.mark.parametrize("way", CROSSINGS)
def test_a_word_may_be_crossed_out_in_several_ways(way):
    strokes = [*WORD, *CROSSINGS[way]]
    rows, kinds = structure_of(strokes)
    word = {n for n, part in enumerate(WORD) if 3.9 < part[:, 0].mean() / X_HEIGHT < 7.2}
    assert {n for n in kinds if n < len(WORD)} == word
    assert {*kinds.values()} == {CROSSED_OUT, CROSSING}
    assert [{*each.strokes} for each in rows] == [{*range(len(WORD))} - word]


@pytest.mark.parametrize(("num_words", "part"), [(5, 1.0), (5, 0.57), (2, 0.6)])
def test_a_line_through_several_words_crosses_out_those_that_it_hits(num_words, part):
    """The line goes through the first part of a row, and then on above the letters. Of two words it
    crosses out both, as if they were one."""
    words = row(0, (4,) * num_words)
    width = max(stroke.max() for stroke in words) / X_HEIGHT
    above = [(part * width + 0.2, -1.4), (width + 0.1, -1.4)] if part < 1 else []
    strokes = [*words, line((-0.1, -0.5), (part * width, -0.5), *above)]
    rows, kinds = structure_of(strokes)
    stay = {n for n, stroke in enumerate(words) if stroke[0, 0] / X_HEIGHT > 11.5}  # words 4, 5
    assert {*kinds.values()} == {CROSSED_OUT, CROSSING}
    assert [{*each.strokes} for each in rows] == ([stay] if part == 0.57 else [])


def test_a_line_at_the_baseline_underlines_a_word_and_crosses_nothing_out():
    strokes = [*WORD, line((3.8, -0.1), (7.3, -0.12))]
    rows, kinds = structure_of(strokes)
    assert kinds == {len(WORD): UNDERLINE}
    assert [{*each.strokes} for each in rows] == [{*range(len(WORD))}]


def test_a_bar_above_letters_crosses_nothing_out():
    strokes = [*WORD, line((4, -1.7), (7, -1.7))]
    assert structure_of(strokes)[1] == {}


BARS = {
    "of the letters of a row": [line((x, -1.1), (x + 1.4, -1.2)) for x in (1.2, 5.2, 9.2)],
    "of a capital": [
        line((-0.7, -2), (-1.3, 0), (-0.7, -2), (-0.1, 0)),
        line((-2.4, -0.7), (-0.05, -0.7)),
    ],
}


@pytest.mark.parametrize("bars", BARS)
def test_bars_of_letters_that_are_drawn_late_cross_nothing_out(bars):
    strokes = [*WORD, *BARS[bars]]
    rows, kinds = structure_of(strokes)
    assert kinds == {} and [{*each.strokes} for each in rows] == [{*range(len(strokes))}]


ITEMS = {
    "-": [line((-2.6, -0.5), (-1.6, -0.5))],
    "- [ ]": [box(-3, -1.3)],
    "- [x]": [box(-3, -1.3), line((-2.6, -0.9), (-2.2, -0.2), (-1.4, -1.6))],
}


@pytest.mark.parametrize("mark", ITEMS)
def test_drawn_marks_of_a_list_become_the_marks_of_its_rows(mark):
    strokes = []
    for y in (0, 35, 70):
        strokes += [*(part + np.array([0.0, y]) for part in ITEMS[mark]), *row(y)]
    rows, kinds = structure_of(strokes)
    assert [each.mark for each in rows] == 3 * [mark]
    assert {*kinds.values()} == {MARK_OF_LIST} and len(kinds) == 3 * len(ITEMS[mark])


def test_a_single_dash_belongs_to_its_sentence_and_makes_no_list():
    assert marks([*ITEMS["-"], *row(0), *row(35), *row(70)]) == ["", "", ""]


def test_an_underlined_or_larger_row_is_a_heading():
    large = [1.7 * part for part in row(0, (4,))]
    others = [*row(50), *row(85, (5,)), line((-0.2, 9.3), (4.2, 9.2)), *row(120), *row(155)]
    assert marks([*large, *others]) == ["#", "", "#", "", ""]


@pytest.mark.parametrize("ends", [(0, 4.2), (0, 2, 4.2), (0, 1.3, 2.8, 4.2)])
def test_lines_that_together_underline_a_row_make_it_a_heading(ends):
    lines = [line((a - 0.1, 0.8), (b - 0.2, 0.75)) for a, b in pairwise(3 * np.array(ends))]
    assert marks([*WORD, *lines, *row(50), *row(85), *row(120)]) == ["#", "", "", ""]


def test_underlines_that_were_drawn_last_belong_to_their_rows():
    rows, lines = [], []
    for y in (0, 4, 8, 12):
        rows += [*row(10 * y, (4, 4, 4)), line((5, y), (5.3, y + 1.2), (5.6, y))]  # a descender
        lines.append(line((3.8, y + 0.9), (7.6, y + 0.8)))
    kinds = structure_of([*rows, *lines])[1]
    drawn = range(len(rows), len(rows) + len(lines))
    assert kinds == dict.fromkeys(drawn, UNDERLINE)


def test_the_first_row_of_a_narrow_column_is_no_heading_as_its_rows_are_all_short():
    wide = [part for y in range(0, 210, 35) for part in row(y, 3 * (4, 3, 5, 4))]
    first = [1.5 * part + np.array([640.0, 0.0]) for part in row(0, (3,))]
    narrow = [part for y in range(35, 210, 35) for part in row(y, (3,), x=640)]
    found, _ = structure_of([*wide, *first, *narrow])
    assert len(found) == 12 and {each.mark for each in found} == {""}


def test_a_large_letter_in_two_strokes_is_no_ring_around_its_stem():
    stem = line((-3.2, -2.8), (-3.25, 0))
    bow = line((-3.4, -2.9), (-2, -2.9), (-0.9, -1.5), (-2, 0.1), (-3.4, 0.1), (-3.4, -2.6))
    rows, kinds = structure_of([stem, bow, *row(0), *row(60)])
    assert kinds == {} and {0, 1} <= {*rows[0].strokes}


def test_rows_of_several_sizes_are_read_from_top_to_bottom():
    small = [[part / 3 + np.array([0, y]) for part in row(0)] for y in (20, 33)]
    large = [2.5 * part + np.array([0.0, 80.0]) for part in row(0)]
    last = [part / 3 + np.array([0, 150]) for part in row(0)]
    strokes, numbers = page(row(0), *small, large, row(120), last)
    found, kinds = find_structure(strokes, np.zeros(len(strokes), int), size_classes(strokes))
    assert [each.strokes for each in found] == numbers and kinds == {}


def test_a_ruled_table_has_cells_in_rows_and_columns():
    rules = [line((x, -2), (x, 6)) for x in (-1, 8, 17)]
    rules += [line((-1, y), (17, y)) for y in (-2, 2, 6)]
    places = (0, 0), (0, 90), (40, 0), (40, 90)
    cells = [row(y, (2, 2), x=x) for y, x in places]
    strokes, numbers = page(row(-60), *cells, row(120))
    rows, kinds = structure_of([*strokes, *rules])
    assert [each.strokes for each in rows] == numbers
    assert [each.mark for each in rows] == ["", "|", "||", "|", "||", ""]
    assert kinds == dict.fromkeys(range(len(strokes), len(strokes) + 6), RULE)


DRAWN = {
    "an arrow": ([line((1, 9), (6, 9)), line((5, 8.4), (6, 9), (5, 9.6))], DRAWING),
    "an arrow in one stroke": ([line((1, 9), (6, 9), (5, 8.3), (6, 9), (5, 9.7))], DRAWING),
    "a ring around a word": ([ring(1.5, 3, 5.0, 2.6)], RING),
}


@pytest.mark.parametrize("what", DRAWN)
def test_drawings_beside_words_are_in_no_row(what):
    drawn, kind = DRAWN[what]
    strokes, numbers = page(row(0), row(35))
    rows, kinds = structure_of([*strokes, *drawn])
    assert [each.strokes for each in rows] == numbers
    assert kinds == dict.fromkeys(range(len(strokes), len(strokes) + len(drawn)), kind)


def test_words_in_a_drawing_are_its_labels():
    strokes, numbers = page(row(0), row(35))
    frame = line((0, 6), (0, 16), (14, 16), (14, 6), (0, 6))
    label = row(110, (2, 2), x=30)
    rows, kinds = structure_of([*strokes, frame, *label, *row(250)])
    *others, label_row, last = rows
    assert [each.strokes for each in others] == numbers
    assert len(label_row.strokes) == len(label) and kinds == {len(strokes): DRAWING}
    assert [each.is_label for each in rows] == [False, False, True, False] and last.strokes


@pytest.mark.parametrize("is_first", [True, False])
def test_a_box_is_in_no_row_whether_its_words_are_written_before_it_or_after_it(is_first):
    strokes, numbers = page(row(0), row(35))
    label = row(100, (4,), x=20)
    frame = line((1, 7.5), (6.5, 7.5), (6.5, 11), (1, 11), (1, 7.5))
    rows, kinds = structure_of([*strokes, frame, *label] if is_first else [*strokes, *label, frame])
    assert [each.strokes for each in rows[:2]] == numbers
    assert len(rows[2].strokes) == len(label) and len(rows) == 3
    assert [*kinds.values()] == [DRAWING if is_first else RING]


def test_a_long_oblique_line_is_a_part_of_a_drawing():
    label = row(90, (4, 4))
    spoke = line((12, 9), (18, 5))
    _, kinds = structure_of([*row(0), *label, spoke, *row(40, (4,), x=185)])
    assert kinds == {len(row(0)) + len(label): DRAWING}


def test_a_tall_letter_is_not_taken_for_a_drawing():
    tall = line((-0.6, -6), (-0.6, 0.5))
    rows, kinds = structure_of([tall, *row(0), *row(60)])
    assert len(rows) == 2 and kinds == {}


@pytest.mark.parametrize("turn", range(4))
def test_rows_have_the_quarter_turn_in_which_the_pen_moved(turn):
    strokes, numbers = page(*(row(y) for y in (0, 35, 70)))
    strokes = turned(strokes, 90 * turn)
    turns = quarter_turns(strokes)
    assert turns.tolist() == [turn] * len(strokes)
    assert [each.strokes for each in find_structure(strokes, turns)[0]] == numbers


def test_a_note_on_its_side_in_the_margin_is_a_row_with_a_turn_of_its_own():
    upright, note = page(*(row(y) for y in (0, 35, 70)))[0], turned(row(0, (3, 3)), 90)
    strokes = [*upright, *(part + np.array([250.0, 0.0]) for part in note)]
    rows, _ = find_structure(strokes, quarter_turns(strokes))
    assert [each.turn for each in rows] == [0, 0, 0, 1]
    assert rows[-1].strokes == [*range(len(upright), len(strokes))]
