"""Pictures of a mixture read back, by their pixels."""

import numpy as np
import pytest

from tests.utils.test_plots import dark, of_colour, wave
from utils.ink import from_strokes, strokes
from utils.mixture_plots import density_figure, grid_figure, weights_figure
from utils.page.page import INK
from utils.plots import to_pixels


def inside(figure, pixels):
    """The pixels of the figure's one map, and where its upper edge is."""
    _, axes = figure.axes
    box, height = axes.get_window_extent(), len(pixels)
    top = int(height - box.y1)
    part = pixels[top + 3 : int(height - box.y0) - 2, int(box.x0) + 3 : int(box.x1) - 2]
    return part, top, box


def test_density_map_lies_on_the_ink():
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


def test_a_line_that_ran_away_makes_no_other_smaller():
    away = wave(8) * np.array([1e5, 1e5, 1])
    figure = grid_figure([[wave(), away], [wave(), wave()]], ["", ""], ["a", "b"])
    assert figure.get_figwidth() < 20 and figure.get_figheight() < 6
    inked = of_colour(to_pixels(figure, 200), INK)
    columns = np.flatnonzero(inked[:, : inked.shape[1] // 3].any(axis=0))
    assert np.ptp(columns) > 100  # 80 units at a tenth of an inch for about 8
