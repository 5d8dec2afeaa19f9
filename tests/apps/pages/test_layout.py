"""Words set on pages."""

from dataclasses import replace
from itertools import pairwise, repeat

import numpy as np
import pytest

from apps.pages import PageOptions
from apps.pages.layout import (
    MAX_GAP_FACTOR,
    MIN_GAP_FACTOR,
    break_rows,
    crowding,
    fill_pages,
    pulled_back,
    set_row,
    set_rows,
    set_to_fit,
    spread,
)
from apps.pages.page_options import LINE_HEIGHT
from apps.pages.paper import Paper
from apps.pages.paragraphs import (
    COLUMN_GAP,
    EMPTY_COLUMN_WIDTH,
    VERSE_INDENT,
    Paragraph,
    TextLine,
)
from apps.pages.written_word import WrittenWord, natural_width, strokes_in_row
from ink.drawing.layers import Pen
from utils.checks import UserError


def word(width, gap=2.0, text="w"):
    """A word whose ink is its baseline and a dot above."""
    line = np.array([[0.0, 0.0], [width, 0.0]])
    return WrittenWord((line, np.array([[0.0, -3.0]])), width, gap, text)


@pytest.mark.parametrize(
    ("widths", "room", "first_indent", "lengths"),
    [
        ([10] * 7, 34, 0, [3, 3, 1]),  # 10 + 2 + 10 + 2 + 10
        ([10] * 7, 30 + 4 * MIN_GAP_FACTOR + 1e-9, 0, [3, 3, 1]),  # with narrow blanks
        ([10] * 7, 30 + 4 * MIN_GAP_FACTOR - 1e-6, 0, [2, 2, 2, 1]),
        ([10] * 7, 34, 5, [2, 3, 2]),
        ([5, 50, 5], 20, 0, [1, 1, 1]),  # wider than a row
    ],
)
def test_a_row_ends_where_the_next_word_does_not_fit(widths, room, first_indent, lengths):
    rows = break_rows([word(width) for width in widths], room, first_indent=first_indent)
    assert [len(row) for row in rows] == lengths


@pytest.mark.parametrize(
    ("text", "room", "rows"),
    [
        ("add 3.5~% then 12 eggs", 24, ["add", "3.5 %", "then 12", "eggs"]),
        ("so thanks~–", 24, ["so", "thanks –"]),
        ("3~kg", 9, ["3", "kg"]),  # no room for both
        ("a~b~c d", 24, ["a b", "c d"]),
        ("x a~b~c d", 24, ["x", "a b", "c d"]),
    ],
)
def test_words_with_a_no_break_blank_stay_in_one_row_that_has_room_for_them(text, room, rows):
    """`~` stands for such a blank."""
    words = []
    for group in text.split():
        *before, last = group.split("~")
        words += [replace(word(10, text=part), keeps_next=True) for part in before]
        words.append(word(10, text=last))
    broken = break_rows(words, room)
    assert [" ".join(word.text for word in row) for row in broken] == rows


def letters(text, breaks=(), joined=False):
    """A word of bars that are 8 wide, a letter each; in one stroke if they are joined. The window
    takes the last point of a bar for the next letter."""
    x = np.arange(8.0 * len(text))
    points = np.stack([x, np.where(x % 8 == 0, -2.0, 0.0)], 1)
    indices = np.minimum((x + 1) // 8, len(text) - 1).astype(int)
    num_strokes = 1 if joined else len(text)
    strokes = np.split(points, num_strokes), np.split(indices, num_strokes)
    return WrittenWord(tuple(strokes[0]), x[-1], 2.0, text, tuple(strokes[1]), breaks=breaks)


@pytest.mark.parametrize(
    ("room", "rows"),
    [
        (55, ["aaaa", "bbbcccdd"]),  # ragged, but no part fits
        (64, ["aaaa bbb-", "cccdd"]),
        (94, ["aaaa bbbccc-", "dd"]),
        (100, ["aaaa bbbcccdd"]),
        (35, ["aaaa", "bbbcccdd"]),  # the row is full enough
    ],
)
def test_a_word_is_divided_where_a_row_would_be_ragged(room, rows):
    words = [letters("aaaa"), letters("bbbcccdd", breaks=(3, 6))]
    broken = [*break_rows(words, room, size=2.0)]
    assert [" ".join(word.text for word in row) for row in broken] == rows
    for row in broken:
        end = max(strokes[:, 0].max() for strokes in strokes_in_row(row))
        assert natural_width(row) - row[-1].gap == pytest.approx(end)
    last, first = broken[0][-1], broken[-1][0]
    if last.divided:  # The ink of the word is all there.
        ink = [*last.strokes[:-1], *first.strokes]
        assert sum(map(len, ink)) == 64 and min(each[:, 0].min() for each in first.strokes) == 0.0
        assert first.indices[0].min() == 0 and not first.divided


def test_a_late_bar_stays_with_its_letter_in_a_word_that_is_divided():
    """The window takes the bar of the third letter for the fourth's."""
    word = letters("bbbcccdd", breaks=(3, 6))
    bar = np.array([[15.0, -1.5], [22.0, -1.5]])
    strokes = (*word.strokes[:5], bar, *word.strokes[5:])
    indices = (*word.indices[:5], np.full(2, 3), *word.indices[5:])
    late = replace(word, strokes=strokes, indices=indices)
    row, _ = break_rows([letters("aaaa"), late], 64, size=2.0)
    assert row[-1].divided and any(np.array_equal(stroke, bar) for stroke in row[-1].strokes)


def test_a_word_of_joined_letters_is_not_divided():
    words = [letters("aaaa"), letters("bbbcccdd", breaks=(3, 6), joined=True)]
    assert [len(row) for row in break_rows(words, 64, size=2.0)] == [1, 1]


def test_a_word_whose_ink_does_not_show_its_letters_is_not_divided():
    words = [letters("aaaa"), replace(letters("bbbbbb", breaks=(3,)), indices=())]
    assert [len(row) for row in break_rows(words, 70)] == [1, 1]


@pytest.mark.parametrize(
    ("align", "left"), [("left", 0.0), ("right", 6.0), ("centred", 3.0), ("justified", 0.0)]
)
def test_the_last_row_begins_where_its_alignment_says(align, left):
    # Ink of 20 and a blank of 2 in a row of 28.
    strokes, start = set_row([word(10), word(10)], 28, align, is_last=True)
    assert start == pytest.approx(left)
    assert strokes[2][0, 0] == 12.0 and strokes[2][-1, 0] == 22.0


@pytest.mark.parametrize(
    ("room", "is_last", "lefts"),
    [
        (39, False, [0, 13, 29]),  # blanks of 2 and 4 become 3 and 6
        (39, True, [0, 12, 26]),
        (30 + 6 * MAX_GAP_FACTOR + 0.1, False, [0, 12, 26]),
    ],
)
def test_a_justified_row_ends_at_the_margin_unless_blanks_become_too_wide(room, is_last, lefts):
    strokes, start = set_row([word(10), word(10, 4.0), word(10)], room, "justified", is_last)
    assert start == 0 and [stroke[0, 0] for stroke in strokes[::2]] == pytest.approx(lefts)


def test_a_page_keeps_empty_lines_and_indents():
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


@pytest.mark.parametrize(
    ("paper", "repeats", "baselines"),
    [
        (Paper(100, 100, (5, 10, 5, 10)), 2, [[25, 40, 50, 70, 85, 95]]),
        (Paper(100, 100, (5, 10, 5, 10), "squared", 8.0), 1, [[29, 45, 61]]),
        (Paper(100, 48, (5, 10, 5, 10)), 1, [[25, 40], [15]]),  # a page begins as high as any
    ],
)
def test_below_a_heading_there_is_room_for_its_descenders(paper, repeats, baselines):
    heading, text = Paragraph([word(10)], 20.0), Paragraph([word(50)] * 2, 10.0)
    pages = fill_pages([heading, text] * repeats, paper)
    assert [[row.strokes[0][0, 1] for row in page.rows] for page in pages] == baselines


def test_each_page_is_filled_only_when_it_is_asked_for():
    pages = fill_pages(repeat(Paragraph([word(10)], 10.0)), Paper())
    assert len(next(pages).rows) == len(next(pages).rows) == 25


def test_no_row_stands_below_the_margin():
    # Nine rows of 10.05 mm would end 0.45 mm below it.
    pages = list(fill_pages([Paragraph([word(60)] * 12, 10.05)], Paper(100, 100, (5, 10, 5, 10))))
    assert [len(page.rows) for page in pages] == [8, 4]
    assert pages[0].rows[-1].strokes[0][0, 1] == pytest.approx(5 + 8 * 10.05)


def row_of(*strokes, **values):
    """A paragraph of one row of strokes, of x-height 2 and with a pen 0.4 wide."""
    words = [WrittenWord(tuple(np.array(stroke, float) for stroke in strokes), 40.0, 2.0)]
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
    expected = 0.0 if apart is None else (apart + 0.3 + 0.4) / 8
    assert crowding([row_of(above), row_of(below)], Paper()) == pytest.approx(expected)
    assert crowding([row_of(above), Paragraph([], 8.0), row_of(below)], Paper()) == 0.0


def nearest(page):
    """Return the smallest distance of two points of neighbouring rows."""
    rows = [np.concatenate(row.strokes) for row in page.rows]
    return min(np.hypot(*(a[:, None] - b).transpose(2, 0, 1)).min() for a, b in pairwise(rows))


def test_all_rows_are_set_further_apart_when_some_would_touch():
    """Random rows of 60 points, some deep and some high."""
    generator = np.random.default_rng(3)
    rows = [row_of(*generator.uniform((0, -4), (40, 4), (60, 1, 2))) for _ in range(6)]
    (close,), (apart,) = fill_pages(rows, Paper()), fill_pages(spread(rows, Paper()), Paper())
    assert nearest(close) < 0.7 <= nearest(apart)
    tops = np.diff([page.rows[0].strokes[0][0, 1] for page in (close, apart)])[0]
    assert spread(rows, Paper())[0].line_height == pytest.approx(8 + tops)


def paragraphs(rows):
    """Return a paragraph a character; a blank is an empty row."""
    return [Paragraph([word(10, text=text)] if text != " " else [], 10.0) for text in rows]


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
def test_a_page_of_four_rows_leaves_no_row_of_a_paragraph_alone(rows, expected):
    pages = fill_pages(paragraphs(rows), Paper(100, 50, (5, 10, 5, 10)))
    assert ["".join(row.text for row in page.rows) for page in pages] == expected


def test_rows_moved_to_the_next_page_together_keep_the_empty_row_between_them():
    """A closing, an empty row, a name and a title: the title alone does not fit."""
    first, second = fill_pages(paragraphs("aa b cd"), Paper(100, 70, (5, 10, 5, 10)))
    assert [row.text for row in first.rows] == ["a", "a"]
    assert [(row.text, row.baseline) for row in second.rows] == [("b", 15), ("c", 35), ("d", 45)]


ROW = PageOptions().paper.text_width / PageOptions().usual_size  # x-heights


def lines(options, kind, *cells):
    return [TextLine(number, options.look, kind, 0.0, row) for number, row in enumerate(cells)]


def cell(width):
    return WrittenWord((np.array([[0.0, -1.0], [width, 0.0]]),), width, 1.0, "a")


@pytest.mark.parametrize(
    ("first", "last", "fit", "kept", "remark"),
    [
        (0.5, 9, None, True, ""),  # its words run on in the column
        (0.85, 1, None, True, ""),
        (0.85, 3, None, False, "columns run on as text"),
        (0.85, 3, 1, True, "the largest that fits"),
        (1.8, 3, 1, False, "columns run on as text"),
    ],
)
def test_columns_are_kept_only_when_their_cells_fit(first, last, fit, kept, remark):
    """A word of so many rows, and words of a tenth; to fit, they become smaller."""
    options = PageOptions(fit=fit, size=PageOptions().usual_size)
    tenth = cell(0.1 * ROW - 1.0)
    cells = [[[cell(first * ROW)], [tenth] * last], [[tenth], [tenth]]]
    rows, remarks = set_to_fit(lines(options, "table", *cells), options)
    assert [bool(row.lead) for row in rows] == [kept] * 2
    assert any(remark in text for text in remarks) if remark else not remarks


@pytest.mark.parametrize("indent", [0.0, 60.0])
def test_the_second_row_of_a_long_verse_or_address_begins_right_of_the_others(indent):
    options, tenth = PageOptions(indent=indent), cell(0.1 * ROW - 1.0)
    verses = lines(options, "text", [[tenth] * 3], [[tenth] * 11], [[tenth] * 4])
    set_verses, _ = set_to_fit(verses, options)
    rows = [row for row, *_ in set_rows(set_verses, options.paper)]
    further = VERSE_INDENT * options.usual_size
    starts = [row.strokes[0][0, 0] - options.paper.margins[3] - indent for row in rows]
    assert starts == pytest.approx([0.0, 0.0, further, 0.0])


@pytest.mark.parametrize("lead", [[], [cell(0.1 * ROW)]])
@pytest.mark.parametrize("width", [0.7, 1.6])
def test_a_long_word_that_is_to_fit_stays_within_its_row(width, lead):
    options = PageOptions(fit=1)
    cells = [[lead, [cell(width * ROW)]] if lead else [[cell(width * ROW)]]]
    set_paragraphs, _ = set_to_fit(lines(options, "table", *cells), options)
    ((row, *_),) = set_rows(set_paragraphs, options.paper)
    right = options.paper.width - options.paper.margins[1]
    assert 0.9 * right < max(stroke[:, 0].max() for stroke in row.strokes) <= right + 1e-6


def test_a_word_higher_than_a_sheet_of_the_size_of_its_row_is_fitted():
    """As a fraction alone: a row has room for its width, the sheet none for its height."""
    options = PageOptions(fit=1)
    tall = np.array([[0.0, -20.0], [2.0, 20.0]])
    cells = [[[WrittenWord((tall,), 2.0, 1.0, "a", rise=20.0, drop=20.0)]]]
    fitted, _ = set_to_fit(lines(options, "text", *cells), options)
    (page,) = fill_pages(fitted, options.paper)
    heights = page.rows[0].strokes[0][:, 1]
    assert heights.min() >= 0.0 and 0.5 * page.height < heights.max() <= page.height


FIRST = 0.0
SECOND = 3.0 + COLUMN_GAP
THIRD = 24.0 + 2 * COLUMN_GAP
FOURTH = THIRD + EMPTY_COLUMN_WIDTH + COLUMN_GAP


def test_cells_stand_in_their_columns_when_other_cells_are_empty():
    """Words are two x-heights wide, a wide one 20; the last cell of a row may be wider."""
    options, left = PageOptions(size=1.0), PageOptions().paper.margins[3]
    ab, wide = [cell(2.0)], [cell(20.0)]
    table = [
        ([ab, wide, ab], [FIRST, SECOND, THIRD]),
        ([ab, [], ab], [FIRST, THIRD]),
        ([[], [], ab], [THIRD]),
        ([ab, wide * 2], [FIRST, SECOND, SECOND + 21]),
        ([ab], [FIRST]),
        ([ab, ab, [], ab], [FIRST, SECOND, FOURTH]),
    ]
    table_rows, _ = set_to_fit(lines(options, "table", *(cells for cells, _ in table)), options)
    rows = [row for row, *_ in set_rows(table_rows, options.paper)]
    for row, (_, starts) in zip(rows, table, strict=True):
        assert [stroke[0, 0] - left for stroke in row.strokes] == pytest.approx(starts)


@pytest.mark.parametrize(
    ("num_rows", "size", "ruling", "pages", "remark"),
    [
        (29, None, "plain", 1, ""),  # 253 mm between the margins, and 8.58 from row to row
        (30, None, "plain", 1, "closer rows, so that 2 rows do not begin another sheet"),
        (32, None, "plain", 1, "closer rows, so that 3 rows do not begin another sheet"),
        (33, None, "plain", 2, ""),  # four rows too many
        (30, 2.2, "plain", 2, ""),  # The size was asked for.
        (30, None, "ruled", 2, ""),  # Rows stand on their lines.
    ],
)
def test_up_to_three_rows_do_not_begin_another_page(num_rows, size, ruling, pages, remark):
    options = PageOptions(size=size, paper=Paper.of("a4", ruling=ruling))
    rows = lines(options, "text", *[[[cell(9.0)]]] * num_rows)
    fitted, remarks = set_to_fit(rows, options)
    assert len([*fill_pages(fitted, options.paper)]) == pages
    assert [text for text in remarks if remark and remark in text] == remarks
    assert bool(remarks) == bool(remark)
    height = LINE_HEIGHT * fitted[0].size
    assert 0.9 * height < fitted[0].line_height <= max(height, 8.5) + 1e-9


@pytest.mark.parametrize(
    ("num_rows", "height", "pages"),
    [(21, 200, 1), (43, 400, 2)],  # rows at 95 % of their distance, and at 91 %
)
def test_rows_become_closer_only_as_long_as_they_do_not_touch(num_rows, height, pages):
    """Rows as far apart as they should be: 0.7 mm, and 0.6 mm less at 94 % of 10 mm."""
    rows = [row_of([(5, -5.3), (5, 4)])] * num_rows
    usual = [replace(row, line_height=10.0) for row in rows]
    paper = Paper(100, height + 10, (5, 5, 5, 5))
    closed, remark = pulled_back(usual, lambda size: usual, 2.0, paper, may_close=True)
    assert len([*fill_pages(closed, paper)]) == pages and bool(remark) == (pages == 1)
    assert crowding(closed, paper) <= 1.07
    kept, remark = pulled_back(usual, lambda size: usual, 2.0, paper, may_close=False)
    assert kept == usual and not remark


def test_a_text_with_a_size_in_its_front_matter_keeps_it():
    options = PageOptions()
    rows = lines(replace(options, size=2.3), "text", *[[[cell(9.0)]]] * 30)
    fitted, remarks = set_to_fit(rows, options)
    assert not remarks and {row.size for row in fitted} == {2.3}
    assert len([*fill_pages(fitted, options.paper)]) == 2


def test_a_text_becomes_a_little_smaller_where_rows_cannot_be_closer():
    """Nine words fit in a row, ten at 95 % of the size: 31 rows become 28."""
    options = PageOptions(line_height=8.5)
    rows = lines(options, "text", [[cell(0.106 * ROW - 1.0)] * 279])
    fitted, remarks = set_to_fit(rows, options)
    assert remarks == ["size 2.09, so that 2 rows do not begin another sheet"]
    assert fitted[0].size == pytest.approx(2.09)


def test_a_text_that_fits_in_no_size_is_refused():
    options = PageOptions(fit=1, size=50.0)
    with pytest.raises(UserError, match="--fit 1: there is no size from 50 to 25 mm at which the"):
        set_to_fit(lines(options, "text", *[[[cell(1.0)]]] * 9), options)
