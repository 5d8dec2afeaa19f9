"""Pictures read back, by their pixels."""

import matplotlib.colors
import numpy as np
import pytest

from utils import plots
from utils.fonts import drawable
from utils.ink import from_strokes, strokes
from utils.page.page import INK, PEN_WIDTH
from utils.plots import (
    density_figure,
    grid_figure,
    lines_figure,
    reading_figure,
    sheet_figure,
    to_pixels,
    weights_figure,
    window_figure,
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


def inside(figure, pixels):
    """The pixels of the figure's one map, where its upper edge is, and its box."""
    _, axes = figure.axes
    box, height = axes.get_window_extent(), len(pixels)
    top = int(height - box.y1)
    part = pixels[top + 3 : int(height - box.y0) - 2, int(box.x0) + 3 : int(box.x1) - 2]
    return part, top, box


# Lines


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
    rows, columns = np.nonzero(dotted & ~plain)
    high, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
    # One and a half times as wide as the line: about 0.12 of 0.16 inches of a letter.
    assert high == pytest.approx(wide, abs=1) and 9 <= high <= 13
    assert 0.6 < len(rows) / (high * wide) <= 1  # about pi/4
    for ink in (np.zeros((1, 3)), np.zeros((5, 3))):
        alone = dark(render([ink], ["dot"]))
        assert 0 < alone.sum() < 0.05 * alone.size


def test_lines_have_one_scale_and_their_captions_below():
    pixels = render([wave(4), wave(8), wave(8)], ["first", "", "third"])
    inked, grey = of_colour(pixels, INK), of_colour(pixels, plots.GREY)
    filled = inked.any(axis=1).astype(int)
    starts, ends = np.flatnonzero(np.diff(filled) == 1), np.flatnonzero(np.diff(filled) == -1)
    assert len(starts) == 6  # three lines, each a dot over a wave
    assert grey[ends[1] + 2 : starts[2] - 2].sum() > 20
    assert grey[ends[3] + 2 : starts[4] - 2].sum() == 0
    assert grey[ends[5] + 2 :].sum() > 20
    widths = [np.ptp(np.nonzero(inked[starts[n] : ends[n]])[1]) for n in (1, 3)]
    assert widths[1] / widths[0] == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("size", [(1e6, 1e6, 1), (1, 40, 1), (30, 1, 1)])
@pytest.mark.parametrize(
    "draw",
    [
        lines_figure,
        lambda inks: sheet_figure(inks, ["text"] * 4, [""] * 4),
        lambda inks: grid_figure([inks[:2], inks[2:]], ["", ""], ["a", "b"]),
    ],
)
def test_a_line_that_ran_away_neither_hides_the_others_nor_fills_the_disk(draw, size):
    pixels = to_pixels(draw([wave(), wave(), wave(), wave() * np.float32(size)]), 120)
    assert max(pixels.shape[:2]) < 2500
    inked = of_colour(pixels, INK)
    others = inked[:, : pixels.shape[1] * 2 // 3]
    assert np.ptp(np.flatnonzero(others.any(axis=0))) > 40
    margin = plots.MARGIN * 120 - 3
    assert not inked[:, -int(margin) :].any() and not inked[-int(margin) :].any()


@pytest.mark.parametrize(
    ("text", "shown", "others"),
    [
        ("aé\n", "aé\n", 0),
        ("aᶁ", "aᶁ", 1),
        ("𒀀b", "U+12000b", 0),
        ("$5^{ and $6_ %s {}", "$5^{ and $6_ %s {}", 0),  # no markup
    ],
)
def test_what_the_font_lacks_is_drawn_in_another_one_or_named(recwarn, text, shown, others):
    found, fonts = drawable(text)
    assert found == shown and fonts[0] == "DejaVu Sans" and len(fonts) == 1 + others
    assert of_colour(render([wave()], [text]), plots.GREY).sum() > 20 and not recwarn.list


def test_a_primer_is_in_another_colour():
    pixels = to_pixels(lines_figure([wave()], primers=[100]))
    first, second = of_colour(pixels, plots.PRIMER), of_colour(pixels, INK)
    columns, whole = np.nonzero(first)[1], np.nonzero(first | second)[1]
    assert len(columns) > 100 and second.sum() > 100
    # The wave is half the primer's; the dot, written last, is not.
    assert np.ptp(columns) == pytest.approx(np.ptp(whole) / 2, rel=0.1)


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


def test_a_grid_has_a_baseline_for_each_row_and_leaves_places_empty():
    """In the second row a line that lies lower in its own units, and no line beside it."""
    high = wave(6)
    tailed = from_strokes([*strokes(wave(6)), np.array([[5.0, 4.0], [5.0, 14.0]])])
    grid = [[high, tailed], [high, np.zeros((0, 3), np.float32)]]
    figure = grid_figure(grid, ["one", "two"], ["bias 0", "bias 1"], "text")
    inked = of_colour(to_pixels(figure, 200), INK)
    filled = np.flatnonzero(inked.any(axis=1))
    middle = (np.nonzero(inked)[1].min() + np.nonzero(inked)[1].max()) // 2
    second = filled[np.flatnonzero(np.diff(filled) > 20)[-1] + 1]
    first, last = inked[:second], inked[second:]
    assert last[:, :middle].sum() > 300 and last[:, middle:].sum() == 0
    left, right = (np.flatnonzero(part.sum(axis=1) > 20) for part in
                   (first[:, :middle], first[:, middle:]))  # fmt: skip
    assert left.max() == pytest.approx(right.max(), abs=2)  # the waves; the tail is narrow
    assert np.flatnonzero(first[:, middle:].any(axis=1)).max() > right.max() + 10


# What a network made of them


@pytest.mark.parametrize("end", [False, True])
def test_the_window_s_map_rises_with_time(end):
    ink, text = wave(), "a b$c_d"
    steps, characters = len(ink) - 1, len(text) + end
    window = np.eye(characters)[np.floor(np.arange(steps) * characters / steps).astype(int)]
    figure = window_figure(window, text, ink)
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert labels == ["end"] * end + ["d", "_", "c", "$", "b", "␣", "a"]
    part, _, _ = inside(figure, to_pixels(figure))
    rows, columns = np.nonzero(part.astype(int).sum(axis=-1) < 200)
    assert np.corrcoef(rows, columns)[0, 1] < -0.95  # upwards is a smaller row
    assert len(rows) == pytest.approx(part[..., 0].size / len(labels), rel=0.1)


def test_ink_changes_its_shade_where_the_window_moves_on():
    ink = from_strokes([np.array([[10.0 * n, 5.0 * (n % 2)] for n in range(41)])])
    window = np.zeros((40, 2))
    window[:10, 0] = window[10:, 1] = 1
    pixels = to_pixels(window_figure(window, "ab", ink))
    first, second = (np.nonzero(of_colour(pixels, one)) for one in (INK, plots.LIGHT_INK))
    low = max(first[0].max(), second[0].max()) - 10
    first, second = (columns[rows > low] for rows, columns in (first, second))
    # The step to point 11 is the first with the second character: a quarter of the line.
    whole = second.max() - first.min()
    assert (second.min() - first.min()) / whole == pytest.approx(0.25, abs=0.03)


def test_one_step_does_not_make_all_others_of_the_window_pale():
    """99 steps of weight 1 and one of 50: the scale ends at 1."""
    window = np.zeros((100, 3))
    window[:50, 0] = window[50:, 1] = 1.0
    window[70, 1] = 50.0
    ink = from_strokes([np.stack([np.arange(101.0), np.arange(101.0) % 7], axis=1)])
    _, axes = window_figure(window, "ab", ink).axes
    assert axes.images[0].get_clim()[1] == 1.0


def test_maps_of_nothing_and_of_very_much_are_drawn(recwarn):
    assert to_pixels(reading_figure(wave(), "read:", np.zeros((0, 7)), []), 50).min() < 128
    figure = window_figure(np.zeros((200, 2000)), "a" * 2000, wave())
    assert max(figure.get_size_inches()) < 40 and not recwarn.list


def test_the_map_of_densities_lies_on_the_ink():
    ink = from_strokes([np.array([[0, 0], [100, 40], [200, 0], [300, 40]], dtype=float)])
    density = np.zeros((60, 320))
    density[40:50, 200:210] = 1  # around (205, 35) of a grid that starts at (-10, -10)
    figure = density_figure(density, (-10.0, -10.0, 310.0, 50.0), ink, "text")
    pixels = to_pixels(figure)
    part, top, box = inside(figure, pixels)
    rows, columns = np.nonzero(dark(part))
    assert np.median(columns) / box.width == pytest.approx(205 / 320, abs=0.02)
    assert np.median(rows) / box.height == pytest.approx(45 / 60, abs=0.06)
    # The ink above has the same places: its left end is at x = 0 of the grid.
    above = np.nonzero(of_colour(pixels[: top - 3], INK))[1]
    assert (above.min() - box.x0) / box.width == pytest.approx(10 / 320, abs=0.02)


def test_weights_are_rows_of_steps_with_ticks_where_the_pen_is_lifted():
    ink = from_strokes([np.full((31, 2), 5.0), np.ones((10, 2))])  # lifted over step 30
    weights = np.zeros((40, 5))
    weights[:20, 1] = weights[20:, 3] = 1  # the second of five components, then the fourth
    figure = weights_figure(weights, ink)
    pixels = to_pixels(figure, 300)
    part, top, box = inside(figure, pixels)
    rows, columns = np.nonzero(dark(part))
    for share, row in ((columns < box.width / 2, 1.5), (columns > box.width / 2, 3.5)):
        assert np.median(rows[share]) / box.height == pytest.approx(row / 5, abs=0.03)
    ticks = np.nonzero(of_colour(pixels[: top - 1], INK))[1]
    assert (ticks.mean() - box.x0) / box.width == pytest.approx(30.5 / 40, abs=0.01)
    assert np.ptp(ticks) < 6  # one
