"""Room to write, and letters to go over."""

import numpy as np
import pytest

from apps.pages import PageOptions, Paper, write_page
from apps.pages.paragraphs import (
    MIN_DOT_GAP,
    TRACE_DOT,
    are_verses,
    cell_starts,
    cell_texts,
    fill_word,
    kind_of,
    traced,
)
from apps.pages.written_word import WrittenWord
from utils.checks import UserError


def rows_of(writer, text, **options):
    """The rows of one page, not proofread."""
    (page,) = write_page(text, writer, PageOptions(proofread=False, **options))
    return page.rows


def test_a_rule_is_as_wide_as_its_underscores_but_at_most_as_a_row():
    (line,) = fill_word("_" * 10, 0.5, 99.0).strokes
    assert line[:, 0] == pytest.approx([0.25, 4.75]) and np.ptp(line[:, 1]) == 0.0
    assert fill_word("_" * 10, 0.5, 3.0).width == 3.0


def test_a_line_of_dots_has_a_dot_for_each_full_stop():
    dots = fill_word("." * 10, 0.5, 99.0).strokes
    assert [len(dot) for dot in dots] == [1] * 10  # at most half an x-height apart


@pytest.mark.parametrize(
    ("text", "kind", "cells"),
    [
        ("a\tb", "table", ["a", "b"]),
        ("a \t b\t", "table", ["a", "b"]),
        ("a\t \t b", "table", ["a", "", "b"]),
        ("\ta\tb", "table", ["", "a", "b"]),
        ("1. a\tb", "numbers", ["1.", " a", "b"]),
        ("- a", "bullets", ["", " a"]),
        ("-a", "text", ["-a"]),
        (" ", "empty", [""]),
        ("1.\u00a0a\tb\u00a0", "numbers", ["1.", "\u00a0a", "b"]),
    ],
)
def test_a_row_has_a_kind_and_cells_between_tabs(text, kind, cells):
    assert (kind_of(text), cell_texts(text)) == (kind, cells)


@pytest.mark.slow
def test_a_rule_to_write_on_stands_between_the_words_around_it(writer):
    plain, lines = rows_of(
        writer, "It has letters.\nIt has ____ letters, see .....\n____\na\t\t\tb"
    )[:2]
    assert lines.text == "It has ____ letters, see ....."
    words = {word.text: number for number, word in enumerate(lines.words)}
    at = np.cumsum([0, *(word.strokes for word in lines.words)])
    (rule,) = lines.strokes[at[words["____"]] : at[words["____"] + 1]]
    before = max(stroke[:, 0].max() for stroke in lines.strokes[: at[words["____"]]])
    after = min(stroke[:, 0].min() for stroke in lines.strokes[at[words["____"] + 1] :])
    assert before < rule[0, 0] < rule[1, 0] < after and len(rule) == 2
    assert lines.strokes[-1].shape == (1, 2) and plain.text == "It has letters."


def starts_of(row):
    """Where its words begin."""
    at = np.cumsum([0, *(word.strokes for word in row.words)])[:-1]
    return [row.strokes[first][:, 0].min() for first in at]


@pytest.mark.slow
def test_the_room_between_words_grows_evenly_with_the_number_of_blanks(writer):
    (near,), (far,), (line,) = (rows_of(writer, f"ab{blanks}cd{blanks}____{blanks}ef")
                                for blanks in (" ", " " * 7, " " * 2))  # fmt: skip
    assert near.text == far.text == "ab cd ____ ef"
    apart = np.diff([starts_of(row) for row in (near, far, line)], axis=0)[:, 1:]
    blanks = np.diff(np.insert(apart, 0, 0.0, axis=1), axis=1)
    assert blanks[0] == pytest.approx([blanks[0, 0]] * 3) and blanks[0, 0] > 6 * 2.2
    assert blanks[1] == pytest.approx(-5 / 6 * blanks[0])


def test_letters_to_trace_are_dotted_or_light(writer):
    text = "bear\n---\ntrace: dotted\n---\nbear ____\n---\ntrace: light\n---\nbear"
    solid, dots, light = rows_of(writer, text, colour="#000000")
    *dotted, line = dots.strokes
    assert {len(dot) for dot in dotted} == {1} and len(dotted) > 50 and len(line) == 2
    assert dots.words[0].strokes == len(dotted)
    points, size = np.concatenate(dotted), dots.size
    apart = np.hypot(*(points[:, None] - points).T) + 99.0 * np.eye(len(points))
    assert apart.min() >= MIN_DOT_GAP * size - 1e-6 and apart.min(0).max() < 0.3 * size
    assert dots.pen.width == round(TRACE_DOT * size, 2) < MIN_DOT_GAP * size  # they stay apart
    ink = np.concatenate(solid.strokes)
    assert (points.min(0), points.max(0) - points.min(0))[1] == pytest.approx(np.ptp(ink, 0), abs=1)
    assert (solid.pen.colour, light.pen.colour) == ("#000000", "#b2b2b2")
    assert max(map(len, light.strokes)) > 5


def test_a_dotted_t_has_dots_on_both_sides_of_its_stem():
    """Its bar is shorter than three steps from dot to dot, and its stem is drawn first."""
    stem, bar = np.array([(0.0, -1.6), (0.0, 0.0)]), np.array([(-0.2, -0.9), (0.25, -0.9)])
    dots = np.concatenate(traced(WrittenWord((stem, bar), 0.5, 1.0, "t"), "dotted").strokes)
    assert np.sum(np.abs(dots[:, 1] + 0.9) < 1e-9) == 3 and np.sum(dots[:, 0] == 0.0) > 5


def test_an_unknown_kind_of_tracing_is_refused(writer):
    with pytest.raises(UserError, match="trace: 'bold': one of light, dotted"):
        write_page("---\ntrace: bold\n---\na", writer)


@pytest.mark.parametrize(
    ("ruling", "spacing", "lines"),
    [("three-line", 12.0, (-2, -1, 0)), ("four-line", 15.0, (-2, -1, 0, 1))],
)
def test_paper_for_learning_to_write_has_a_line_at_each_height(writer, ruling, spacing, lines):
    """With twice as much room from group to group."""
    paper = Paper.of(ruling=ruling, spacing=spacing)
    (row,) = rows_of(writer, "ab", paper=paper)
    assert row.size == paper.x_height == 3.0
    rules = paper.rules()[:, 0, 1]
    for line in lines:
        assert np.abs(rules - (row.baseline + 3.0 * line)).min() < 1e-6
    gaps = np.diff(rules)
    assert gaps[: len(lines) - 1] == pytest.approx(3.0) and gaps[len(lines) - 1] == 6.0
    assert len(rules) % len(lines) == 0


@pytest.mark.parametrize(
    ("num_rows", "expected"),
    [
        ([0.9, 1.2, 0.8, 0.7], True),
        ([0.3, 1.2, 0.4], True),
        ([1.6, 0.4, 0.3, 0.5], False),  # a paragraph with bank details below it
        ([1.2, 0.9, 0.8], True),
        ([1.2, 1.3, 0.9], False),
    ],
)
def test_a_paragraph_with_short_lines_below_it_is_no_verse(num_rows, expected):
    assert are_verses(num_rows) == expected


def digits(text):
    """Words whose characters are 1 wide, with a blank of 1 between them."""
    words = []
    for part in text.split():
        x = np.repeat(np.arange(len(part)), 2) + np.tile([0.0, 1.0], len(part))
        stroke = np.stack([x, 0 * x], 1)
        indices = np.repeat(np.arange(len(part)), 2)
        words.append(WrittenWord((stroke,), float(len(part)), 1.0, part, (indices,)))
    return words


@pytest.mark.parametrize(
    ("column", "shifts"),
    [
        (["price", "9", "12.50", "1,250.5 €"], [0, 4, 3, 0]),
        (["€ 9", "EUR 12,5", "1 250"], [3, 0, 1]),
        (["-3.25", "10 kg", "7 %"], [0, 0, 1]),
        (["9:40", "12:15"], [0, 0]),
        (["3 eggs and bread", "12 kg", "on 5 May"], [0, 0, 0]),  # fewer numbers than texts
        (["31.12.2024", "1.1.2025"], [0, 0]),
    ],
)
def test_columns_of_numbers_stand_with_their_points_below_each_other(column, shifts):
    """The point of a number without one is its end; worked out by hand."""
    cells = [[digits("a"), digits(text), digits("b")] for text in column]
    starts = np.array(cell_starts(cells, "table"))
    assert starts[:, 1] - starts[:, 1].min() == pytest.approx(shifts)
    widths = [shift + len(text) + 1 for shift, text in zip(shifts, column, strict=True)]
    assert starts[:, 2] - starts[:, 1].min() == pytest.approx(max(widths) + 0.8)
    numbers = np.array(cell_starts(cells, "numbers"))  # An item's cells are no columns of numbers.
    assert np.ptp(numbers, axis=0) == pytest.approx([0, 0, 0])
