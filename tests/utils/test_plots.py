"""Pictures read back, by their pixels."""

import matplotlib.colors
import numpy as np
import pytest

from utils import plots
from utils.fonts import drawable
from utils.ink import from_strokes
from utils.page.layers import INK_COLOUR


def wave(letters=8, height=10.0, points=25):
    """A line of `letters` ups and downs, with a dot above."""
    t = np.linspace(0, 1, letters * points)
    body = np.stack([letters * height * t, height / 2 * np.sin(2 * np.pi * letters * t)], axis=1)
    return from_strokes([body, np.array([[height, -2 * height]])])


def dark(pixels):
    return pixels.astype(int).sum(axis=-1) < 400


def render(inks, texts=None, dpi=120):
    return plots.to_pixels(plots.lines_figure(inks, texts), dpi)


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


def test_lines_have_one_scale_and_their_captions_below():
    pixels = render([wave(4), wave(8), wave(8)], ["first", "", "third"])
    inked, grey = of_colour(pixels, INK_COLOUR), of_colour(pixels, plots.GREY)
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
        plots.lines_figure,
        lambda inks: plots.sheet_figure(inks, ["text"] * 4, [""] * 4),
        lambda inks: plots.grid_figure([inks[:2], inks[2:]], ["", ""], ["a", "b"]),
    ],
)
def test_a_line_that_ran_away_neither_hides_the_others_nor_fills_the_disk(draw, size):
    pixels = plots.to_pixels(draw([wave(), wave(), wave(), wave() * np.float32(size)]), 120)
    assert max(pixels.shape[:2]) < 2500
    inked = of_colour(pixels, INK_COLOUR)
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
    pixels = plots.to_pixels(plots.lines_figure([wave()], primers=[100]))
    first, second = of_colour(pixels, plots.PRIMER), of_colour(pixels, INK_COLOUR)
    columns, whole = np.nonzero(first)[1], np.nonzero(first | second)[1]
    assert len(columns) > 100 and second.sum() > 100
    # The wave is half the primer's; the dot, written last, is not.
    assert np.ptp(columns) == pytest.approx(np.ptp(whole) / 2, rel=0.1)


# What a network made of them


@pytest.mark.parametrize("end", [False, True])
def test_the_window_s_map_rises_with_time(end):
    ink, text = wave(), "a b$c_d"
    steps, characters = len(ink) - 1, len(text) + end
    window = np.eye(characters)[np.floor(np.arange(steps) * characters / steps).astype(int)]
    figure = plots.window_figure(window, text, ink)
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert labels == ["end"] * end + ["d", "_", "c", "$", "b", "␣", "a"]
    part, _, _ = inside(figure, plots.to_pixels(figure))
    rows, columns = np.nonzero(part.astype(int).sum(axis=-1) < 200)
    assert np.corrcoef(rows, columns)[0, 1] < -0.95  # upwards is a smaller row
    assert len(rows) == pytest.approx(part[..., 0].size / len(labels), rel=0.1)


def test_one_step_does_not_make_all_others_of_the_window_pale():
    """99 steps of weight 1 and one of 50: the scale ends at 1."""
    window = np.zeros((100, 3))
    window[:50, 0] = window[50:, 1] = 1.0
    window[70, 1] = 50.0
    ink = from_strokes([np.stack([np.arange(101.0), np.arange(101.0) % 7], axis=1)])
    _, axes = plots.window_figure(window, "ab", ink).axes
    assert axes.images[0].get_clim()[1] == 1.0


def test_dots_alone_and_maps_of_very_much_are_drawn(recwarn):
    for ink in (np.zeros((1, 3)), np.zeros((5, 3))):
        # In the colour of ink: without a primer no point is one of its.
        assert 0 < of_colour(render([ink]), INK_COLOUR).mean() < 0.05
    figure = plots.window_figure(np.zeros((200, 2000)), "a" * 2000, wave())
    assert max(figure.get_size_inches()) < 40 and not recwarn.list


def test_the_map_of_densities_lies_on_the_ink():
    ink = from_strokes([np.array([[0, 0], [100, 40], [200, 0], [300, 40]], dtype=float)])
    density = np.zeros((60, 320))
    density[40:50, 200:210] = 1  # around (205, 35) of a grid that starts at (-10, -10)
    figure = plots.density_figure(density, (-10.0, -10.0, 310.0, 50.0), ink, "text")
    pixels = plots.to_pixels(figure)
    part, top, box = inside(figure, pixels)
    rows, columns = np.nonzero(dark(part))
    assert np.median(columns) / box.width == pytest.approx(205 / 320, abs=0.02)
    assert np.median(rows) / box.height == pytest.approx(45 / 60, abs=0.06)
    # The ink above has the same places: its left end is at x = 0 of the grid.
    above = np.nonzero(of_colour(pixels[: top - 3], INK_COLOUR))[1]
    assert (above.min() - box.x0) / box.width == pytest.approx(10 / 320, abs=0.02)


def test_weights_are_rows_of_steps_with_ticks_where_the_pen_is_lifted():
    ink = from_strokes([np.full((31, 2), 5.0), np.ones((10, 2))])  # lifted over step 30
    weights = np.zeros((40, 5))
    weights[:20, 1] = weights[20:, 3] = 1  # the second of five components, then the fourth
    figure = plots.weights_figure(weights, ink)
    pixels = plots.to_pixels(figure, 300)
    part, top, box = inside(figure, pixels)
    rows, columns = np.nonzero(dark(part))
    for share, row in ((columns < box.width / 2, 1.5), (columns > box.width / 2, 3.5)):
        assert np.median(rows[share]) / box.height == pytest.approx(row / 5, abs=0.03)
    ticks = np.nonzero(of_colour(pixels[: top - 1], INK_COLOUR))[1]
    assert (ticks.mean() - box.x0) / box.width == pytest.approx(30.5 / 40, abs=0.01)
    assert np.ptp(ticks) < 6  # one
