"""Neater ink: words of zigzags, whose baseline, height and lean are known by construction."""

from dataclasses import replace

import numpy as np
import pytest

from apps.notes.neat import levelled
from apps.notes.page_text import PageRow, PageText, PageWord
from apps.notes.rows import DRAWING, UNDERLINE
from ink.geometry import turned_back
from ink.ink_page import InkPage, PageStroke

HEIGHT = 10.0  # x-height of the words
WIDTH = 60.0  # of a word, twelve strokes of the pen
GAP = 20.0


def word(left, baseline=100.0, slope=0.0, size=1.0, lean=0.0):
    """Return a word of equal strokes down and up; their lower ends are on the baseline."""
    x, y = np.linspace(0, WIDTH, 25), -HEIGHT * (np.arange(25) % 2)
    points = size * np.column_stack([x - lean * y, y + slope * x])
    return points + np.array([left, baseline])


def page_of(rows, others=()):
    """Return a page with rows of words, and its text; `others` are strokes of no row."""
    strokes, text_rows = [], []
    for row in rows:
        numbers = range(len(strokes), len(strokes) + len(row))
        boxes = [(*points.min(axis=0).tolist(), *points.max(axis=0).tolist()) for points in row]
        words = tuple(
            PageWord("nunnun", box, strokes=(number,))
            for box, number in zip(boxes, numbers, strict=True)
        )
        text_rows.append(PageRow(words, tuple(numbers)))
        strokes += row
    page = InkPage(800.0, 400.0, tuple(map(PageStroke, [*strokes, *others])))
    return page, PageText(tuple(text_rows))


def row_of(number, fault, values, y=100.0):
    """Return a row of words, the middle one with a fault."""
    lefts = [40 + k * (WIDTH + GAP) for k in range(7)]
    row = [word(left, y) for left in lefts]
    at = {"left": lefts[3], "baseline": y} | {fault: values}
    row[3] = word(**at)
    return row


def feet(points):
    return points[::2]


def measures(points):
    """Return y of the feet's middle, their slope, the height and the lean of a word."""
    x, y = feet(points).T
    slope = np.polyfit(x, y, 1)[0]
    down = points[2::2] - points[1:-1:2]
    lean = -np.median((down[:, 0] - np.diff(x).mean() / 2) / down[:, 1])
    return y.mean(), slope, np.median(down[:, 1]), lean


@pytest.mark.parametrize(
    ("fault", "value", "number", "wanted"),
    [
        ("baseline", 103.0, 0, 100.0),
        ("slope", 0.08, 1, 0.0),
        ("size", 1.2, 2, HEIGHT),
        ("lean", 0.25, 3, 0.0),
    ],
)
def test_a_word_unlike_its_row_becomes_like_it(fault, value, number, wanted):
    page, text = page_of([row_of(0, fault, value)])
    new_page, _ = levelled(page, text)
    before = measures(page.strokes[3].points)[number] - wanted
    after = measures(new_page.strokes[3].points)[number] - wanted
    assert abs(after) < 0.4 * abs(before)


def test_gaps_become_even_and_the_row_stays_as_wide():
    row = [word(left) for left in (40, 115, 195, 275, 355, 440)]
    page, text = page_of([row])
    new_page, new_text = levelled(page, text)
    lefts, rights = np.array([(w.box[0], w.box[2]) for w in new_text.rows[0].words]).T
    assert np.ptp(lefts[1:] - rights[:-1]) < 0.5
    assert lefts[0] == pytest.approx(40, abs=0.5) and rights[-1] == pytest.approx(500, abs=0.5)
    points = new_page.strokes[5].points
    assert new_text.rows[0].words[5].box[::2] == (points[:, 0].min(), points[:, 0].max())


def test_falling_rows_become_level_around_their_middle():
    row = [turned_back(points, -0.1) for points in row_of(0, "size", 1.0)]
    page, text = page_of([row])
    new_page, _ = levelled(page, text)
    heights = [feet(stroke.points)[:, 1].mean() for stroke in new_page.strokes]
    assert np.ptp(heights) < 0.5
    assert np.mean(heights) == pytest.approx(feet(row[3])[:, 1].mean(), abs=0.5)


def test_a_row_at_a_quarter_turn_becomes_even_along_itself():
    page, text = page_of([[turned_back(p, -np.pi / 2) for p in row_of(0, "baseline", 103.0)]])
    rows = (replace(text.rows[0], turn=1),)
    new_page, _ = levelled(page, replace(text, rows=rows))
    feet_x = [feet(stroke.points)[:, 0].mean() for stroke in new_page.strokes]
    assert np.ptp(feet_x) < 1.5


def test_strength_0_changes_nothing_and_strength_0_5_moves_ink_half_way():
    page, text = page_of([row_of(0, "baseline", 104.0)])
    assert levelled(page, text, 0.0) == (page, text)
    half, whole = (levelled(page, text, strength)[0] for strength in (0.5, 1.0))
    for before, middle, after in zip(page.strokes, half.strokes, whole.strokes, strict=True):
        np.testing.assert_allclose(middle.points, (before.points + after.points) / 2)


def test_words_that_a_stroke_joins_move_together():
    row = row_of(0, "baseline", 104.0)
    joined = np.concatenate([row[3], row[4]])
    page, text = page_of([[*row[:3], joined, *row[5:]]])
    box = (*joined.min(axis=0).tolist(), *joined.max(axis=0).tolist())
    left, right = (*box[:2], 345.0, box[3]), (360.0, *box[1:])
    before, after = text.rows[0].words[:3], text.rows[0].words[4:]
    both = (PageWord("nu", box, strokes=(3,)) for box in (left, right))
    rows = (replace(text.rows[0], words=(*before, *both, *after)),)
    new_page, new_text = levelled(page, replace(text, rows=rows))
    new_left, new_right = new_text.rows[0].words[3:5]
    points = new_page.strokes[3].points
    assert new_left.box[0] == points[:, 0].min() and new_right.box[2] == points[:, 0].max()


LINE = np.column_stack([np.linspace(280, 340, 20), np.full(20, 106.0)])
FIGURE = np.array([[700.0, 40], [780, 40], [780, 340], [700, 340], [700, 40]])


@pytest.mark.parametrize(
    ("stroke", "tool", "goes"),
    [(LINE, "pen", True), (LINE - (0, 10), "highlighter", True), (FIGURE, "pen", False)],
)
def test_an_underline_and_a_highlighter_go_with_their_word_and_a_drawing_stays(stroke, tool, goes):
    row = row_of(0, "baseline", 104.0)
    page, text = page_of([row, row_of(0, "size", 1.0, 200.0)], [stroke])
    page = replace(page, strokes=(*page.strokes[:-1], PageStroke(stroke, tool)))
    kind = {"pen": UNDERLINE if goes else DRAWING}.get(tool, tool)
    text = replace(text, kinds={len(page.strokes) - 1: kind})
    new_page, _ = levelled(page, text)
    move = (new_page.strokes[-1].points - stroke)[:, 1].mean()
    of_word = (new_page.strokes[3].points - row[3])[:, 1].mean()
    assert move == (pytest.approx(of_word, rel=0.3) if goes else 0.0)


def test_an_underline_of_unequal_words_stays_straight_and_parallel_to_its_row():
    lefts, jumps = (40, 120, 200, 280, 360, 440), (0, 4, -4, 3, -3, 2)
    row = [word(left, 100 + jump, slope=0.02) for left, jump in zip(lefts, jumps, strict=True)]
    line = np.column_stack([np.linspace(118, 342, 40), np.full(40, 107.0)])
    row, line = [turned_back(part, -0.08) for part in row], turned_back(line, -0.08)
    page, text = page_of([row], [line])
    new_page, _ = levelled(page, replace(text, kinds={len(row): UNDERLINE}))
    x, y = new_page.strokes[-1].points.T
    slope, height = np.polyfit(x, y, 1)
    np.testing.assert_allclose(y, slope * x + height, atol=1e-6)
    assert abs(slope) < 0.015  # as the row, which fell by 0.08, is level


@pytest.mark.parametrize("place", [(135.0, 101.0), (520.0, 135.0)], ids=["above", "lower"])
def test_a_row_of_which_a_word_lies_over_another_or_in_another_row_stays(place):
    row = [word(left) for left in (40, 130, 195, 275, 355, 440)]
    page, text = page_of([[*row, word(*place)]])  # its strokes were in no order
    new_page, _ = levelled(page, text)
    for before, after in zip(page.strokes, new_page.strokes, strict=True):
        np.testing.assert_array_equal(before.points, after.points)


@pytest.mark.parametrize(
    "points",
    [np.array([[5.0, 5.0]]), np.array([[0.0, 5.0], [40.0, 5.0]]), np.zeros((3, 2))],
    ids=["a dot", "a dash", "a pen that rested"],
)
def test_ink_without_height_stays_finite_and_in_its_place(points):
    page, text = page_of([[points + 100]])
    new_page, _ = levelled(page, text)
    np.testing.assert_allclose(new_page.strokes[0].points, points + 100, atol=0.01)


def test_a_scribble_of_many_turning_points_becomes_neat_without_filling_the_memory():
    wild = np.random.default_rng(0).normal(0, 10, (100_000, 2)) + 100
    page, text = page_of([[wild]])
    new_page, _ = levelled(page, text)
    assert np.isfinite(new_page.strokes[0].points).all()
