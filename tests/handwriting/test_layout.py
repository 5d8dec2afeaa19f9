"""Words set on pages."""

from itertools import pairwise, repeat

import numpy as np
import pytest

from handwriting import PageOptions
from handwriting.layout import (
    MAX_GAP_FACTOR,
    MIN_GAP_FACTOR,
    break_rows,
    crowding,
    fill_pages,
    set_row,
    set_rows,
    set_to_fit,
    spread,
)
from handwriting.paper import Paper
from handwriting.paragraphs import COLUMN_GAP, EMPTY_COLUMN_WIDTH, Paragraph, TextLine
from handwriting.written_word import WrittenWord
from utils.checks import UserError
from utils.page.layers import Pen


def word(width, gap=2.0, text="w"):
    """A word whose ink is its baseline and a dot above."""
    line = np.array([[0.0, 0.0], [width, 0.0]])
    return WrittenWord((line, np.array([[0.0, -3.0]])), width, gap, text)


def test_rows_are_broken_where_the_next_word_does_not_fit():
    """Widths 10 + 2 + 10 + 2 + 10 = 34, or 33.4 with narrow blanks."""
    words = [word(10) for _ in range(7)]
    assert [len(row) for row in break_rows(words, 34)] == [3, 3, 1]
    assert [len(row) for row in break_rows(words, 30 + 4 * MIN_GAP_FACTOR + 1e-9)] == [3, 3, 1]
    assert [len(row) for row in break_rows(words, 30 + 4 * MIN_GAP_FACTOR - 1e-6)] == [2, 2, 2, 1]
    assert [len(row) for row in break_rows(words, 34, first_indent=5)] == [2, 3, 2]
    # A wider one stands alone.
    assert [len(row) for row in break_rows([word(5), word(50), word(5)], 20)] == [1, 1, 1]


def test_a_number_is_not_parted_from_its_unit_nor_a_dash_from_its_word():
    texts = ["add", "3.5", "%,", "then", "12", "eggs", "thanks", "–"]
    rows = break_rows([word(10, text=text) for text in texts], 24)
    assert [[one.text for one in row] for row in rows] == [
        ["add"], ["3.5", "%,"], ["then", "12"], ["eggs"], ["thanks", "–"],
    ]  # fmt: skip
    alone = break_rows([word(10, text="3"), word(10, text="kg")], 9)
    assert [len(row) for row in alone] == [1, 1]


def test_other_columns_stand_before_the_first_row():
    lead = [(3.0, [word(4, text="1."), word(5, text="a")]), (20.0, [word(2, text="b")])]
    first = Paragraph([word(50), word(50)], 10.0, indent=30.0, lead=lead)
    (page,) = fill_pages([first, Paragraph([], 10.0, lead=lead)], Paper(100, 100, (5, 10, 5, 10)))
    assert [row.text for row in page.rows] == ["1. a b w", "w", "1. a b"]
    starts = [[stroke[0, 0] for stroke in row.strokes[::2]] for row in page.rows]
    assert starts == [[13, 19, 30, 40], [40], [13, 19, 30]]


@pytest.mark.parametrize(
    ("align", "left"), [("left", 0.0), ("right", 6.0), ("centred", 3.0), ("justified", 0.0)]
)
def test_alignment(align, left):
    """Ink of 20 and a blank of 2 in a row of 28."""
    strokes, start = set_row([word(10), word(10)], 28, align, is_last=True)
    assert start == pytest.approx(left)
    assert strokes[2][0, 0] == 12.0 and strokes[2][-1, 0] == 22.0


def test_justified_rows_end_at_the_margin_by_wider_blanks():
    words = [word(10), word(10, 4.0), word(10)]
    strokes, start = set_row(words, 36 + 3, "justified", is_last=False)
    assert start == 0 and strokes[-2][-1, 0] == pytest.approx(39)
    # Both blanks grow alike: 2 and 4 to 3 and 6.
    assert strokes[2][0, 0] == pytest.approx(13) and strokes[4][0, 0] == pytest.approx(29)
    for room, last in ((39, True), (30 + 6 * MAX_GAP_FACTOR + 0.1, False)):
        strokes, _ = set_row(words, room, "justified", last)
        assert strokes[-2][-1, 0] == pytest.approx(36)


def test_empty_lines_and_indents_are_kept():
    paragraphs = [
        Paragraph([word(10)], 10.0, indent=7.0, first_indent=4.0),
        Paragraph([], 10.0),
        Paragraph([word(10)] * 7, 10.0, indent=7.0, first_indent=4.0),
    ]
    (page,) = fill_pages(paragraphs, Paper(100, 100, (5, 10, 5, 10)))
    starts = [tuple(row.strokes[0][0]) for row in page.rows]
    assert starts == [(21.0, 15.0), (21.0, 35.0), (17.0, 45.0)]


def test_rows_lie_on_the_lines_of_the_paper():
    paper = Paper(100, 100, (7, 10, 5, 10), "squared", 5.0)
    (page,) = fill_pages([Paragraph([word(40)] * 4, 8.1)], paper)
    grid = {y for (_, y), (_, other) in page.rules.tolist() if y == other}
    baselines = [row.strokes[0][0, 1] for row in page.rows]
    assert baselines == [17.0, 27.0, 37.0, 47.0] and set(baselines) <= grid
    ruled = Paper(100, 100, (7, 10, 5, 10), "ruled", 8.0)
    (page,) = fill_pages([Paragraph([word(40)] * 4, 8.0)], ruled)
    assert [row.strokes[0][0, 1] for row in page.rows] == page.rules[:4, 0, 1].tolist()


def test_below_a_heading_there_is_room_for_its_descenders():
    heading, text = Paragraph([word(10)], 20.0), Paragraph([word(50)] * 2, 10.0)

    def baselines(paper, *paragraphs):
        pages = fill_pages(paragraphs, paper)
        return [[row.strokes[0][0, 1] for row in page.rows] for page in pages]

    paper = Paper(100, 100, (5, 10, 5, 10))
    assert baselines(paper, heading, text, heading, text) == [[25, 40, 50, 70, 85, 95]]
    squared = Paper(100, 100, (5, 10, 5, 10), "squared", 8.0)
    assert baselines(squared, heading, text) == [[29, 45, 61]]
    # A new page begins as high as any.
    assert baselines(Paper(100, 48, (5, 10, 5, 10)), heading, text) == [[25, 40], [15]]


def test_no_text_is_one_empty_page_and_pages_come_one_at_a_time():
    (page,) = fill_pages([], Paper())
    assert page.rows == ()
    stream = fill_pages(repeat(Paragraph([word(10)], 10.0)), Paper())
    assert len(next(stream).rows) == len(next(stream).rows) == 25


def test_no_row_stands_below_the_margin():
    """Nine rows of 10.05 mm would end 0.45 mm below it."""
    found = list(fill_pages([Paragraph([word(60)] * 12, 10.05)], Paper(100, 100, (5, 10, 5, 10))))
    assert [len(page.rows) for page in found] == [8, 4]
    assert found[0].rows[-1].strokes[0][0, 1] == pytest.approx(5 + 8 * 10.05)


def row_of(*strokes, **values):
    """A paragraph of one row of strokes, of x-height 2 and with a pen 0.4 wide."""
    words = [WrittenWord(tuple(np.array(one, float) for one in strokes), 40.0, 2.0)]
    return Paragraph(words, 8.0, pen=Pen(0.4), size=2.0, **values)


@pytest.mark.parametrize(
    ("above", "below", "apart"),
    [
        ([(5, 0), (5, 4)], [(5, -6), (5, 0)], 4 + 6),
        ([(5, 0), (5, 4)], [(30, -6), (30, 0)], None),
        ([(5, 4), (25, 4)], [(15, -6), (15, 0)], 4 + 6),  # between two points
        ([(5, 4)], [(5.5, -1)], 4 + 1),
    ],
)
def test_rows_are_as_far_apart_as_descenders_and_ascenders_ask_for(above, below, apart):
    """0.15 x-heights and the width of the pen lie between them."""
    found = crowding([row_of(above), row_of(below)], Paper())
    assert found == pytest.approx(0.0 if apart is None else (apart + 0.3 + 0.4) / 8)
    assert crowding([row_of(above), Paragraph([], 8.0), row_of(below)], Paper()) == 0.0


def test_rows_that_would_touch_are_set_further_apart_all_alike():
    """Random rows of 60 points, some deep and some high: no two points are too near each other."""
    chance = np.random.default_rng(3)
    rows = [row_of(*chance.uniform((0, -4), (40, 4), (60, 1, 2))) for _ in range(6)]
    (close,), (apart,) = fill_pages(rows, Paper()), fill_pages(spread(rows, Paper()), Paper())
    for page, touching in ((close, True), (apart, False)):
        points = [np.concatenate(row.strokes) for row in page.rows]
        nearest = min(
            np.hypot(*(one[:, None] - other).transpose(2, 0, 1)).min()
            for one, other in pairwise(points)
        )
        assert (nearest < 0.7) == touching
    tops = np.diff([page.rows[0].strokes[0][0, 1] for page in (close, apart)])[0]
    assert spread(rows, Paper())[0].line_height == pytest.approx(8 + tops)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("aaaaaa", ["aaaa", "aa"]),
        ("aaaab", ["aaa", "ab"]),  # the last is not alone
        ("aa bcc", ["aa", "bcc"]),  # nor the first
        ("a bcd", ["a", "bcd"]),  # nor either
        ("a bcde", ["abc", "de"]),
        ("aaaa bbb", ["aaaa", "bbb"]),
        ("aaa b", ["aaa", "b"]),  # no page begins with an empty row
        ("aaa   b", ["aaa", "b"]),
        ("    aa", ["aa"]),
    ],
)
def test_where_pages_of_four_rows_are_broken(rows, expected):
    paragraphs = [Paragraph([word(10, text=one)] if one != " " else [], 10.0) for one in rows]
    found = fill_pages(paragraphs, Paper(100, 50, (5, 10, 5, 10)))
    assert ["".join(row.text for row in page.rows) for page in found] == expected


def test_rows_that_go_to_the_next_page_together_stay_apart():
    """A closing, an empty row, a name and a title: the title alone does not fit."""
    rows = [*"aa", " ", "b", " ", "c", "d"]
    paragraphs = [Paragraph([word(10, text=one)] if one != " " else [], 10.0) for one in rows]
    found = list(fill_pages(paragraphs, Paper(100, 70, (5, 10, 5, 10))))
    assert ["".join(row.text for row in page.rows) for page in found] == ["aa", "bcd"]
    assert [row.baseline for row in found[1].rows] == [15.0, 35.0, 45.0]


ROW = PageOptions().paper.text_width / PageOptions().usual_size  # x-heights


def lines(options, kind, *cells):
    return [TextLine(number, options.look, kind, 0.0, row) for number, row in enumerate(cells)]


def cell(width):
    return WrittenWord((np.array([[0.0, -1.0], [width, 0.0]]),), width, 1.0, "a")


@pytest.mark.parametrize(
    ("first", "last", "fit", "kept", "said"),
    [
        (0.5, 9, None, True, ""),  # its words run on in the column
        (0.85, 1, None, True, ""),
        (0.85, 3, None, False, "columns run on as text"),
        (0.85, 3, 1, True, "the largest that fits"),
        (1.8, 3, 1, False, "columns run on as text"),
    ],
)
def test_columns_stay_where_they_fit(first, last, fit, kept, said):
    """A word of so many rows, and words of a tenth; to fit, they become smaller."""
    options = PageOptions(fit=fit, size=PageOptions().usual_size)
    tenth = cell(0.1 * ROW - 1.0)
    cells = [[[cell(first * ROW)], [tenth] * last], [[tenth], [tenth]]]
    paragraphs, notes = set_to_fit(lines(options, "table", *cells), options)
    assert [bool(one.lead) for one in paragraphs] == [kept] * 2
    assert any(said in note for note in notes) if said else not notes


@pytest.mark.parametrize("lead", [[], [cell(0.1 * ROW)]])
@pytest.mark.parametrize("width", [0.7, 1.6])
def test_a_long_word_that_is_to_fit_stays_within_its_row(width, lead):
    options = PageOptions(fit=1)
    cells = [[lead, [cell(width * ROW)]] if lead else [[cell(width * ROW)]]]
    paragraphs, _ = set_to_fit(lines(options, "table", *cells), options)
    ((row, _),) = set_rows(paragraphs, options.paper)
    right = options.paper.width - options.paper.margins[1]
    assert 0.9 * right < max(stroke[:, 0].max() for stroke in row.strokes) <= right + 1e-6


def test_cells_stand_in_their_columns_whatever_is_empty():
    """Of a table with words two x-heights wide: what is behind the last tab may be wider."""
    options = PageOptions(size=1.0)
    ab, wide = [cell(2.0)], [cell(20.0)]
    table = [[ab, wide, ab], [ab, [], ab], [[], [], ab], [ab, wide * 2], [ab], [ab, ab, [], ab]]
    paragraphs, _ = set_to_fit(lines(options, "table", *table), options)
    rows = [row for row, _ in set_rows(paragraphs, options.paper)]
    third_start = 24.0 + 2 * COLUMN_GAP
    starts = [0.0, 3.0 + COLUMN_GAP, third_start, third_start + EMPTY_COLUMN_WIDTH + COLUMN_GAP]
    found = [[stroke[0, 0] - options.paper.margins[3] for stroke in row.strokes] for row in rows]
    first, second, third, fourth = starts
    expected = [[first, second, third], [first, third], [third], [first, second, second + 21],
                [first], [first, second, fourth]]  # fmt: skip
    assert found == [pytest.approx(own) for own in expected]


def test_what_does_not_fit_is_refused():
    options = PageOptions(fit=1, size=50.0)
    with pytest.raises(UserError, match="--fit 1: there is no size from 50 to 25 mm at which the"):
        set_to_fit(lines(options, "text", *[[[cell(1.0)]]] * 9), options)
