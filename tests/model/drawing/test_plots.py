"""Pictures read back, by their pixels."""

import matplotlib.colors
import numpy as np
import pytest

from ink.drawing.fonts import drawable
from ink.drawing.layers import INK_COLOUR
from ink.geometry import from_strokes
from model.drawing import plots
from tests.utils.builders import wave


def of_colour(pixels, colour):
    wanted = np.array(matplotlib.colors.to_rgb(colour)) * 255
    return np.abs(pixels.astype(float) - wanted).max(axis=-1) < 40


def middle_of_dark(pixels):
    """Return the median x and y of dark pixels, as fractions of the picture."""
    rows, columns = np.nonzero(pixels.astype(int).sum(axis=-1) < 400)
    return np.median(columns) / pixels.shape[1], np.median(rows) / pixels.shape[0]


def of_drawing(warnings):
    """Return the warnings of matplotlib, and none of the garbage of other tests."""
    return [str(one.message) for one in warnings if one.category is UserWarning]


def heat_map(figure, pixels):
    """Return the pixels inside the frame of a figure's map, its top row, and its left and width."""
    box = figure.axes[1].get_window_extent()
    top, bottom = (int(len(pixels) - y) for y in (box.y1, box.y0))
    return pixels[top + 3 : bottom - 2, int(box.x0) + 3 : int(box.x1) - 2], top, box.x0, box.width


# Lines


def test_lines_have_a_common_scale_and_captions_below():
    figure = plots.lines_figure([wave(4), wave(8), wave(8)], ["first", "", "third"])
    pixels = plots.to_pixels(figure, 120)
    inked, grey = of_colour(pixels, INK_COLOUR), of_colour(pixels, plots.GREY)
    # Each line is a dot over a wave.
    edges = np.flatnonzero(np.diff(inked.any(axis=1))).reshape(3, 4)
    ends = [*edges[1:, 0] - 2, len(grey)]
    captions = [grey[start:end] for start, end in zip(edges[:, 3] + 2, ends, strict=True)]
    assert [caption.sum() > 20 for caption in captions] == [True, False, True]
    first, second, _ = (np.ptp(np.nonzero(inked[top:end])[1]) for _, _, top, end in edges)
    assert second / first == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("size", [(1e6, 1e6, 1), (1, 40, 1), (30, 1, 1)])
@pytest.mark.parametrize(
    "draw",
    [
        plots.lines_figure,
        lambda inks: plots.sheet_figure(inks, ["text"] * 4, [""] * 4),
        lambda inks: plots.grid_figure([inks[:2], inks[2:]], ["", ""], ["a", "b"]),
    ],
)
def test_a_huge_line_neither_hides_other_lines_nor_fills_the_disk(draw, size):
    pixels = plots.to_pixels(draw([wave(), wave(), wave(), wave() * np.float32(size)]), 120)
    inked, margin = of_colour(pixels, INK_COLOUR), int(plots.PLOT_MARGIN * 120 - 3)
    others = inked[:, : pixels.shape[1] * 2 // 3]
    assert max(pixels.shape[:2]) < 2500
    assert np.ptp(np.flatnonzero(others.any(axis=0))) > 40
    assert not inked[:, -margin:].any() and not inked[-margin:].any()


@pytest.mark.parametrize(
    ("text", "shown", "num_others"),
    [
        ("aé\n", "aé\n", 0),
        ("aᶁ", "aᶁ", 1),
        ("𒀀b", "U+12000b", 0),
        ("$5^{ and $6_ %s {}", "$5^{ and $6_ %s {}", 0),  # no markup
    ],
)
def test_a_character_that_the_font_lacks_is_drawn_in_another_or_named(
    recwarn, text, shown, num_others
):
    drawn, (first, *others) = drawable(text)
    pixels = plots.to_pixels(plots.lines_figure([wave()], [text]), 120)
    assert (drawn, first, len(others)) == (shown, "DejaVu Sans", num_others)
    assert of_colour(pixels, plots.GREY).sum() > 20 and not of_drawing(recwarn)


def test_a_primer_has_its_own_colour():
    pixels = plots.to_pixels(plots.lines_figure([wave()], primers=[100]))
    primer, ink = of_colour(pixels, plots.PRIMER), of_colour(pixels, INK_COLOUR)
    columns, all_columns = np.nonzero(primer)[1], np.nonzero(primer | ink)[1]
    assert len(columns) > 100 and ink.sum() > 100
    # The wave is half the primer's; the dot, written last, is not.
    assert np.ptp(columns) == pytest.approx(np.ptp(all_columns) / 2, rel=0.1)


@pytest.mark.parametrize("num_points", [1, 5])
def test_a_dot_is_drawn_in_the_colour_of_ink(num_points):
    pixels = plots.to_pixels(plots.lines_figure([np.zeros((num_points, 3))]), 120)
    assert 0 < of_colour(pixels, INK_COLOUR).mean() < 0.05


# What a network computed


@pytest.mark.parametrize("has_end", [False, True])
def test_the_map_of_the_window_rises_with_time(has_end):
    text, steps = "a b$c_d", len(wave()) - 1
    characters = len(text) + has_end
    window = np.eye(characters)[np.arange(steps) * characters // steps]
    figure = plots.window_figure(window, text, wave())
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    part, *_ = heat_map(figure, plots.to_pixels(figure))
    rows, columns = np.nonzero(part.astype(int).sum(axis=-1) < 200)
    assert labels == ["end"] * has_end + ["d", "_", "c", "$", "b", "␣", "a"]
    assert np.corrcoef(rows, columns)[0, 1] < -0.95  # upwards is a smaller row
    assert len(rows) == pytest.approx(part[..., 0].size / characters, rel=0.1)


def test_a_single_heavy_step_of_a_window_does_not_make_other_steps_pale():
    window = np.eye(3)[np.arange(100) // 50]
    window[70, 1] = 50.0
    _, axes = plots.window_figure(window, "ab", wave()[:101]).axes
    assert axes.images[0].get_clim()[1] == 1.0


def test_a_map_of_very_long_text_has_a_limited_size(recwarn):
    figure = plots.window_figure(np.zeros((200, 400)), "a" * 400, wave())
    assert max(figure.get_size_inches()) < 40 and not of_drawing(recwarn)


def test_the_map_of_densities_lies_on_the_ink():
    ink = from_strokes([np.array([[0, 0], [100, 40], [200, 0], [300, 40]], dtype=float)])
    density = np.zeros((60, 320))
    density[40:50, 200:210] = 1  # around (205, 35) of a grid that starts at (-10, -10)
    figure = plots.density_figure(density, (-10.0, -10.0, 310.0, 50.0), ink, "text")
    pixels = plots.to_pixels(figure)
    part, top, left, width = heat_map(figure, pixels)
    x, y = middle_of_dark(part)
    ink_left = np.nonzero(of_colour(pixels[: top - 3], INK_COLOUR))[1].min()
    assert (x, y) == (pytest.approx(205 / 320, abs=0.02), pytest.approx(45 / 60, abs=0.06))
    assert (ink_left - left) / width == pytest.approx(10 / 320, abs=0.02)


def test_weights_are_rows_of_steps_below_ticks_where_the_pen_is_lifted():
    ink = from_strokes([np.full((31, 2), 5.0), np.ones((10, 2))])  # lifted over step 30
    weights = np.eye(5)[[1] * 20 + [3] * 20]  # the second of five components, then the fourth
    figure = plots.weights_figure(weights, ink)
    pixels = plots.to_pixels(figure, 300)
    part, top, left, width = heat_map(figure, pixels)
    halves = np.split(part[:, : part.shape[1] // 2 * 2], 2, axis=1)
    ticks = np.nonzero(of_colour(pixels[: top - 1], INK_COLOUR))[1]
    assert [middle_of_dark(half)[1] for half in halves] == pytest.approx([0.3, 0.7], abs=0.03)
    assert (ticks.mean() - left) / width == pytest.approx(30.5 / 40, abs=0.01)
    assert np.ptp(ticks) < 6  # a single tick
