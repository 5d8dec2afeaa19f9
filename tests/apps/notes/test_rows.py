"""Rows of small pages: words drawn as zigzags of one x-height, with dots and ascenders."""

from itertools import pairwise

import numpy as np
import pytest

from apps.notes.rows import CROSSED_OUT, CROSSING, DRAWING, UNDERLINE, find_rows

X_HEIGHT = 10.0
LETTER = 8.0


def letter(x, y, height=X_HEIGHT):
    """A letter as three strokes of the pen without a lift, with its baseline at y."""
    corners = np.array([(x, y), (x + 2, y - height), (x + 4, y), (x + 6, y - height)])
    at = np.linspace(0, 3, 13)
    return np.column_stack([np.interp(at, range(4), axis) for axis in corners.T])


def row(y, words=(4, 3, 5, 4), x=0.0, slope=0.0):
    """A row of words of so many letters; every fourth has an ascender, every third a dot, which is
    written after its letter."""
    parts = []
    for count in words:
        for number in range(count):
            line = y + slope * x
            if number % 4 == 2:
                parts.append(letter(x, line, 1.9 * X_HEIGHT))
            else:
                parts.append(letter(x, line))
            if number % 3 == 1:
                top = line - 1.6 * X_HEIGHT
                parts.append(np.array([(x + 3, top), (x + 3.5, top)]))
            x += LETTER
        x += LETTER
    return parts


def page(*rows):
    """The strokes of rows, and the numbers of each."""
    parts = [part for each in rows for part in each]
    ends = np.cumsum([0, *map(len, rows)])
    return parts, [[*range(a, b)] for a, b in pairwise(ends)]


def turned(parts, degrees):
    angle = np.radians(degrees)
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    return [part @ turn for part in parts]


def rows_of(parts):
    return find_rows(parts)[0]


@pytest.mark.parametrize("degrees", [-15, 0, 5, 15])
@pytest.mark.parametrize("unit", [0.01, 1, 300])
def test_rows_are_the_same_when_the_page_is_turned_or_in_another_unit(degrees, unit):
    parts, rows = page(*(row(y, 3 * (4, 3, 5, 4)) for y in (0, 30, 60, 90)))
    assert rows_of([unit * part for part in turned(parts, degrees)]) == rows


PARTS, ROWS = page(row(0), row(35, (4, 4)), row(70))
FIRST, SECOND, THIRD = ROWS
HALF = len(SECOND) // 2
DOTS = [n for n, part in enumerate(PARTS) if len(part) == 2]
ORDERS = {
    "the last row first": [*THIRD, *FIRST, *SECOND],
    "dots at the end of the page": sorted(range(len(PARTS)), key=lambda n: n in DOTS),
    "a word that was added": sorted(range(len(PARTS)), key=lambda n: n in SECOND[5:8]),
    "a row's halves around the others": [*SECOND[HALF:], *FIRST, *THIRD, *SECOND[:HALF]],
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_rows_are_read_from_top_to_bottom_when_they_were_written_in_another_order(order):
    read = rows_of([PARTS[number] for number in order])
    assert [[order[number] for number in each] for each in read] == ROWS


@pytest.mark.parametrize("degrees", [0, 15])
def test_columns_are_read_from_left_to_right(degrees):
    height = [0, 35, 70, 105, 140]
    parts, rows = page(*(row(y) for y in height), *(row(y, x=190) for y in height))
    assert rows_of(turned(parts, degrees)) == rows


PAGES = {
    "a wide gap, which the pen crosses twice a row": [
        row(y, (3,)) + row(y, (3,), x=80) for y in (0, 35, 70, 105)
    ],
    "a note in the margin": [row(0), row(35), row(70), row(38, (2,), x=190)],
    "a single row with a gap": [row(0, (3, 4)) + row(0, (4, 3), x=160)],
    "a short last row": [row(0), row(35), row(70, (1,))],
}


@pytest.mark.parametrize("kind", PAGES)
def test_rows_that_are_no_columns_are_read_in_their_order(kind):
    parts, rows = page(*PAGES[kind])
    assert rows_of(parts) == rows


def test_a_drawing_beside_the_text_is_in_no_row():
    parts, rows = page(row(0), row(35), row(70))
    angle = np.linspace(0, 2 * np.pi, 60)
    circle = np.column_stack([220 + 40 * np.cos(angle), 40 + 45 * np.sin(angle)])
    eye = np.array([(182, 40), (185, 40)])  # touches the circle
    read, kinds = find_rows([*parts, circle, eye])
    assert read == rows
    assert kinds == {len(parts): DRAWING, len(parts) + 1: DRAWING}


@pytest.mark.parametrize(("x", "is_drawn"), [(-LETTER, False), (-6 * LETTER, True)])
def test_a_tall_stroke_is_a_letter_if_the_next_stroke_is_beside_it(x, is_drawn):
    parts, _ = page([letter(x, 1.5 * X_HEIGHT, 7 * X_HEIGHT)], row(0), row(35), row(70))
    assert find_rows(parts)[1] == ({0: DRAWING} if is_drawn else {})


@pytest.mark.parametrize(("above", "kind"), [(-0.5, UNDERLINE), (0.5, CROSSED_OUT)])
def test_words_are_crossed_out_by_a_line_through_them_and_not_by_a_line_below(above, kind):
    parts, rows = page(row(0), row(35), row(70))
    word = [n for n in rows[1] if 38 < parts[n][:, 0].mean() < 66]
    line = np.linspace((36, 35 - above * X_HEIGHT), (100, 35 - above * X_HEIGHT), 20)
    read, kinds = find_rows([*parts, line])
    covered = [n for n in rows[1] if 36 < np.ptp(parts[n][:, 0]) / 2 + parts[n][:, 0].min() < 100]
    assert word and set(word) <= set(covered)
    if kind == UNDERLINE:
        assert read == rows and kinds == {len(parts): UNDERLINE}
    else:
        rest = [n for n in rows[1] if n not in covered]
        assert read == [rows[0], rest, rows[2]]
        assert kinds == dict.fromkeys(covered, CROSSED_OUT) | {len(parts): CROSSING}


def test_a_page_without_ink_has_no_row_and_two_dots_are_a_row():
    assert find_rows([]) == ([], {})
    assert rows_of([np.zeros((1, 2))]) == [[0]]
    assert rows_of([np.zeros((1, 2)), np.array([(50.0, 0.0)])]) == [[0, 1]]


GENERATOR, LINE = np.random.default_rng(0), np.linspace((0, 0), (0, 400), 20_000)
RANDOM = [page(*(row(y) for y in np.cumsum(GENERATOR.uniform(8, 40, 5))))[0] for _ in range(5)]
KINDS = {
    "each word a row": [letter(x, 40 * n) for n in range(150) for x in (0, 8)],
    "each word a row further right": [letter(9 * n, 25 * n) for n in range(150)],
    "each word a column": [letter(40 * n, y) for n in range(110) for y in (0, 30, 60)],
    "letters at a line of many points": [letter(n / 10, n % 30) for n in range(150)] + [LINE],
} | {
    f"in any order {n}": [parts[k] for k in GENERATOR.permutation(len(parts))]
    for n, parts in enumerate(RANDOM)
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_stroke_is_lost_however_strokes_lie(kind):
    rows, kinds = find_rows(KINDS[kind])
    assert sorted([n for each in rows for n in each] + [*kinds]) == [*range(len(KINDS[kind]))]
