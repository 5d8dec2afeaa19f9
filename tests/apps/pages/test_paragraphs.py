"""Room to write, and letters to go over."""

import numpy as np
import pytest

from apps.pages import PageOptions, Paper, write_page
from apps.pages.paragraphs import MIN_DOT_GAP, TRACE_DOT, cell_texts, fill_word, kind_of, traced
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
