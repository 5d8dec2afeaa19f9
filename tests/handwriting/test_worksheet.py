"""Room to write, letters to go over, and digits in squares."""

import numpy as np
import pytest

from handwriting import PageOptions, Paper, write_page
from handwriting.layout import Word
from handwriting.setting import columns
from handwriting.worksheet import DRAWN, ROOM, TAB, drawn, lightened, squared
from utils.checks import UserError


def rows_of(writer, text, **options):
    """The rows of one page, not proofread."""
    (page,) = write_page(text, writer, PageOptions(proofread=False, **options))
    return page.rows


def test_what_is_drawn_is_as_wide_as_its_signs():
    (line,) = drawn("_" * 10, 0.5, 99.0).strokes
    assert line[:, 0] == pytest.approx([0.25, 4.75]) and np.ptp(line[:, 1]) == 0.0
    dotted = drawn("." * 10, 0.5, 99.0).strokes
    assert {len(dot) for dot in dotted} == {1} and len(dotted) == 10  # at most half an x-height
    assert drawn("_" * 10, 0.5, 3.0).width == 3.0
    assert drawn(ROOM * 4, 0.5, 99.0) == Word((), 2.0, 0.0)
    assert [bool(DRAWN.fullmatch(one)) for one in ("___", "....", "__", "...")] == [1, 1, 0, 0]
    assert lightened("#000000") == "#b2b2b2"


def test_several_tabs_leave_room():
    assert columns("a\tb") == ["a", "b"] and columns("a \t b\t") == ["a", "b"]
    assert columns("a\t\tb") == ["a", ROOM * TAB + "b"]
    assert columns("\ta\tb") == [ROOM, "a", "b"]  # a row of a table whose first cell is empty
    assert columns("1. a\tb") == ["1.", " a", "b"] and columns("- a") == ["", " a"]


def test_lines_to_write_on_stand_among_the_words(writer):
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


def test_room_of_tabs_is_no_word(writer):
    near, far = rows_of(writer, "ab\tcd\n\nab\t\t\tcd")
    assert far.text == "ab cd" and [number for number, _ in far.numbered()][-1] == 2
    gap, wide = (min(one[:, 0].min() for one in row.strokes[-2:]) for row in (near, far))
    assert wide - gap > 20.0


def test_letters_are_drawn_to_be_gone_over(writer):
    text = "ab\n---\ntrace: dotted\n---\nab\n---\ntrace: light\n---\nab"
    solid, dots, light = rows_of(writer, text, colour="#000000")
    assert {len(one) for one in dots.strokes} == {1} and len(dots.strokes) > 20
    assert dots.words[0].strokes == len(dots.strokes)
    apart = np.hypot(*np.diff(np.concatenate(dots.strokes), axis=0).T)
    assert np.median(apart) < 0.4 * 2.2 + 0.01
    assert (solid.pen.colour, light.pen.colour) == ("#000000", "#b2b2b2")
    assert max(map(len, light.strokes)) > 5
    with pytest.raises(UserError, match="trace: 'bold': one of light, dotted"):
        write_page("---\ntrace: bold\n---\na", writer)


def test_each_digit_stands_in_a_square(writer):
    paper = Paper.of(ruling="squared", spacing=7.0)
    (row,) = rows_of(writer, "12 + 345 = ab", paper=paper, squares=True)
    assert row.text == "12 + 345 = ab" and row.size == pytest.approx(0.44 * 7)
    assert [word.text for word in row.words] == [*"12+345=", "ab"]
    at, places = 0, []
    for word in row.words[:-1]:
        x = np.concatenate(row.strokes[at : at + word.strokes])[:, 0]
        places.append((x.min() + x.max()) / 2 / 7.0 - 25.0 / 7.0)
        at += word.strokes
    assert np.mod(places, 1.0) == pytest.approx(0.5, abs=0.01)  # the grid begins at the margin
    squares = np.floor(places)
    assert squares[:2].tolist() == [0.0, 1.0] and np.diff(squares)[3:5].tolist() == [1.0, 1.0]
    (one,) = squared([Word((), 4.5, 0.0, "abc")], 2.0)
    assert (one.width, one.gap) == (6.0, 0.0)
    (line,) = squared([drawn("___", 1.3, 99.0)], 2.0)
    assert line.width == 6.0 and line.strokes[0][:, 0] == pytest.approx([0.38, 5.62], abs=0.01)


@pytest.mark.parametrize(
    ("ruling", "spacing", "lines"),
    [("three-line", 12.0, (-2, -1, 0)), ("four-line", 15.0, (-2, -1, 0, 1))],
)
def test_paper_for_learning_to_write_has_a_line_at_each_height(writer, ruling, spacing, lines):
    """With twice as much room from group to group."""
    paper = Paper.of(ruling=ruling, spacing=spacing)
    (row,) = rows_of(writer, "ab", paper=paper)
    assert row.size == paper.letter == 3.0
    rules = paper.rules()[:, 0, 1]
    for line in lines:
        assert np.abs(rules - (row.baseline + 3.0 * line)).min() < 1e-6
    gaps = np.diff(rules)
    assert gaps[: len(lines) - 1] == pytest.approx(3.0) and gaps[len(lines) - 1] == 6.0
    assert len(rules) % len(lines) == 0
