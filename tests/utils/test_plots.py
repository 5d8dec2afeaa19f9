"""Pictures read back, by their pixels."""

import warnings

import matplotlib.colors
import numpy as np
import pytest

from utils import plots
from utils.ink import from_strokes
from utils.page.page import INK, PEN_WIDTH
from utils.plots import (
    lines_figure,
    sheet_figure,
    to_pixels,
    window_figure,
    write_png,
)


def wave(letters=8, height=10.0, points=25):
    """A line of `letters` ups and downs, with a dot above."""
    t = np.linspace(0, 1, letters * points)
    body = np.stack([letters * height * t, height / 2 * np.sin(2 * np.pi * letters * t)], axis=1)
    return from_strokes([body, np.array([[height, -2 * height]])])


def dark(pixels):
    return pixels.astype(int).sum(axis=-1) < 400


def render(inks, texts=None, dpi=120):
    return to_pixels(lines_figure(inks, texts), dpi)


def of_colour(pixels, colour):
    wanted = np.array(matplotlib.colors.to_rgb(colour)) * 255
    return np.abs(pixels.astype(float) - wanted).max(axis=-1) < 40


def test_ink_is_where_the_strokes_are():
    # A square bracket: a line down, one to the right, nothing at the upper right.
    ink = from_strokes([np.array([[0, 0], [0, 50], [0, 100], [50, 100], [200, 100]])])
    pixels = render([ink], dpi=400)
    rows, columns = np.nonzero(dark(pixels))
    top, left, bottom, right = rows.min(), columns.min(), rows.max(), columns.max()
    line = PEN_WIDTH * plots.LETTER * 400
    height, width = bottom - top + 1 - line, right - left + 1 - line
    assert width / height == pytest.approx(2, rel=0.03)  # right proportions
    assert dark(pixels)[top + 4 : bottom - 3, left + int(line / 2)].all()
    assert dark(pixels)[bottom - int(line / 2), left + 4 : right - 3].all()
    assert not dark(pixels)[top : bottom - int(height / 4), left + int(width / 4) :].any()
    # Paper on all sides, about as much as the margin.
    margin = plots.MARGIN * 400
    for gap in (top, left, len(pixels) - bottom, pixels.shape[1] - right):
        assert 0.7 * margin < gap < 1.5 * margin


def test_dots_are_round_spots():
    body = np.stack([np.arange(200.0), 10 * np.sin(np.arange(200.0) / 4)], axis=1)
    plain, dotted = (
        dark(render([from_strokes([np.array([[0, -30], [0, -10]]), body, *dots])], dpi=400))
        for dots in ([], [np.array([[100.0, -25.0]])])
    )
    assert plain.shape == dotted.shape
    rows, columns = np.nonzero(dotted & ~plain)
    high, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert high == pytest.approx(wide, abs=1)
    # One and a half times as wide as the line: about 0.12 of 0.16 inches of a letter.
    assert 9 <= high <= 13
    # A disc fills about pi/4 of its box.
    assert 0.6 < len(rows) / (high * wide) <= 1


def test_a_single_dot_and_repeated_points_can_be_drawn():
    for ink in (np.zeros((1, 3)), np.zeros((5, 3))):
        pixels = dark(render([ink], ["dot"]))
        assert 0 < pixels.sum() < 0.05 * pixels.size


def test_a_sheet_marks_what_is_wrong_beside_its_line_only():
    """Eighteen lines in three columns of six; the fault is in the second row of the third one."""
    faults = [""] * 18
    faults[13] = "read: nothing"
    pixels = to_pixels(sheet_figure([wave()] * 18, ["text"] * 18, faults))
    rows, columns = np.nonzero(of_colour(pixels, plots.FAULT))
    height, width = pixels.shape[:2]
    assert len(rows) > 100
    assert columns.min() / width > 0.6 and columns.max() / width < 0.75
    assert rows.min() / height > 0.15 and rows.max() / height < 0.45
    inked = of_colour(pixels, INK)
    for column in range(3):
        part = inked[:, column * width // 3 : (column + 1) * width // 3]
        starts = np.flatnonzero(np.diff(part.any(axis=1).astype(int)) == 1)
        assert len(starts) == 12  # six lines, each a dot over a wave


def test_a_line_too_large_for_its_cell_is_drawn_smaller():
    long, tall = wave(200), wave() * np.float32([1, 40, 1])
    for ink in (long, tall):
        pixels = to_pixels(sheet_figure([wave()] * 3 + [ink], ["text"] * 4, [""] * 4))
        rows, columns = np.nonzero(of_colour(pixels, INK))
        margin = plots.MARGIN * plots.DPI
        assert columns.max() < pixels.shape[1] - margin + 3
        assert rows.max() < pixels.shape[0] - margin + 3
        assert pixels.shape[0] < 5 * plots.DPI


def test_lines_stand_under_each_other_with_captions():
    pixels = render([wave(), wave(), wave()], ["first", "", "third"])
    filled = of_colour(pixels, INK).any(axis=1)
    blocks = np.flatnonzero(np.diff(filled.astype(int)) == 1)
    # Three lines, each a dot over a wave.
    assert len(blocks) == 6
    grey = of_colour(pixels, plots.GREY)
    ends = np.flatnonzero(np.diff(filled.astype(int)) == -1)
    assert grey[ends[1] + 2 : blocks[2] - 2].sum() > 20
    assert grey[ends[3] + 2 : blocks[4] - 2].sum() == 0
    assert grey[ends[5] + 2 :].sum() > 20


def test_all_lines_have_one_scale():
    pixels = render([wave(4), wave(8)])
    widths = []
    rows = of_colour(pixels, INK)
    half = len(pixels) // 2
    for part in (rows[:half], rows[half:]):
        columns = np.flatnonzero(part.any(axis=0))
        widths.append(np.ptp(columns))
    assert widths[1] / widths[0] == pytest.approx(2, rel=0.05)


def test_a_line_that_ran_away_neither_hides_the_others_nor_fills_the_disk():
    astray = wave(8) * np.array([1e6, 1e6, 1])
    pixels = render([wave(), wave(), astray])
    assert max(pixels.shape[:2]) < 2500
    top = of_colour(pixels[:150], INK)
    assert np.ptp(np.flatnonzero(top.any(axis=0))) > 60


def test_primer_is_in_another_colour():
    ink = wave()
    pixels = to_pixels(lines_figure([ink], primers=[100]))
    first, second = of_colour(pixels, plots.PRIMER), of_colour(pixels, INK)
    columns, others = np.nonzero(first)[1], np.nonzero(second)[1]
    assert len(columns) > 100 and len(others) > 100
    whole = np.nonzero(first | second)[1]
    # The wave is half the primer's; the dot, written last, is not.
    assert np.ptp(columns) == pytest.approx(np.ptp(whole) / 2, rel=0.1)


def test_captions_are_plain_text_whatever_they_hold():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = render([wave()] * 2, ["costs $5^{ and $6_", "\u65e5 %s {}"])
    assert of_colour(pixels, plots.GREY).sum() > 50


# The window


def diagonal(ink, text, end=False):
    """A window that passes over the text at an even pace."""
    steps, characters = len(ink) - 1, len(text) + end
    where = np.floor(np.arange(steps) * characters / steps).astype(int)
    return np.eye(characters)[where]


@pytest.mark.parametrize("end", [False, True])
def test_window_map_rises_with_time(tmp_path, end):
    ink, text = wave(), "a b$c_d"
    figure = window_figure(diagonal(ink, text, end), text, ink)
    write_png(tmp_path / "window.png", figure)
    _, axes = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["end"] * end + ["d", "_", "c", "$", "b", "␣", "a"]
    pixels = to_pixels(figure)
    box = axes.get_window_extent()
    height = len(pixels)
    first, last = int(height - box.y1) + 4, int(height - box.y0) - 4
    inside = pixels[first:last, int(box.x0) + 4 : int(box.x1) - 4].astype(int).sum(axis=-1)
    rows, columns = np.nonzero(inside < 200)
    assert np.corrcoef(rows, columns)[0, 1] < -0.95  # upwards is a smaller row
    assert len(rows) == pytest.approx(inside.size / len(labels), rel=0.1)
    # The ink stands below the map, in two shades by turns.
    below = pixels[int(height - box.y0) + 30 :]
    assert of_colour(below, INK).sum() > 100
    assert of_colour(below, plots.LIGHT_INK).sum() > 100


def test_ink_changes_its_shade_where_the_window_moves_on():
    ink = from_strokes([np.array([[10.0 * n, 5.0 * (n % 2)] for n in range(41)])])
    window = np.zeros((40, 2))
    window[:10, 0] = window[10:, 1] = 1
    pixels = to_pixels(window_figure(window, "ab", ink))
    first = np.nonzero(of_colour(pixels, INK))
    second = np.nonzero(of_colour(pixels, plots.LIGHT_INK))
    low = max(first[0].max(), second[0].max()) - 10
    first, second = (columns[rows > low] for rows, columns in (first, second))
    # The step to point 11 is the first with the second character: a quarter of the line.
    whole = second.max() - first.min()
    assert (second.min() - first.min()) / whole == pytest.approx(0.25, abs=0.03)


@pytest.mark.slow
def test_window_of_a_line_that_ended_at_once_and_of_a_very_long_text():
    assert to_pixels(window_figure(np.zeros((0, 2)), "a", np.zeros((1, 3)))).size
    text = "a" * 2000
    figure = window_figure(np.zeros((200, 2000)), text, wave())
    assert max(figure.get_size_inches()) < 40


def test_a_reading_without_any_evidence_is_drawn(recwarn):
    ink = np.array([[0, 0, 0], [30, 20, 1]], dtype=np.float32)
    figure = plots.reading_figure(ink, "read:", np.zeros((0, 7)), [])
    assert to_pixels(figure, 50).min() < 128  # the ink
    assert not recwarn.list


def test_one_step_does_not_make_all_others_of_the_window_pale():
    """99 steps of weight 1 and one of 50: the scale ends at 1."""
    window = np.zeros((100, 3))
    window[:50, 0] = window[50:, 1] = 1.0
    window[70, 1] = 50.0
    ink = from_strokes([np.stack([np.arange(101.0), np.arange(101.0) % 7], axis=1)])
    _, axes = window_figure(window, "ab", ink).axes
    assert axes.images[0].get_clim()[1] == 1.0
