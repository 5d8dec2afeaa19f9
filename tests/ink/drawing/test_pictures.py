"""Pictures of ink: as another renderer draws them, and without a trace of the movement."""

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from data_loader import EmbeddedDataset
from ink.drawing.pictures import (
    FRAME_SIZE,
    MAX_PATH_LENGTH,
    PICTURE_MARGIN,
    ROWS,
    ink_picture,
    likely_columns,
    raster,
)
from ink.geometry import from_strokes, strokes

LINES = EmbeddedDataset(seed=2, size=6, symbols=0.5).load(["train"]).split("train")
INKS = [line.ink for line in LINES]


def by_matplotlib(parts, shape, width):
    """Return the picture of strokes that matplotlib draws, `shape` from 0 to 1."""
    figure = Figure((shape[0] / 100, shape[1] / 100), dpi=100, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, shape[0]), ylim=(shape[1], 0))
    round_pen = {"capstyle": "round", "joinstyle": "round", "linewidths": 0.72 * width}
    axes.add_collection(LineCollection(parts, colors="black", snap=False, **round_pen))
    canvas = FigureCanvasAgg(figure)
    with matplotlib.rc_context({"path.simplify": False}):
        canvas.draw()
    return 1 - np.asarray(canvas.buffer_rgba())[..., 0].T / 255


@pytest.mark.parametrize("width", [1.0, 2.3, 5.0])
@pytest.mark.parametrize("ink", INKS[:3])
def test_strokes_look_as_matplotlib_draws_them(ink, width):
    parts = [stroke * 0.1 + (8.0, 30.0) for stroke in strokes(ink)]
    points, lifted = np.concatenate(parts), ink[:, 2] > 0.5
    shape = int(points[:, 0].max()) + 8, 60
    drawn, expected = raster(points, lifted, shape, width), by_matplotlib(parts, shape, width)
    # Without pixels that both leave white. Where two edges cross a pixel Agg adds what they cover.
    near = np.abs(drawn - expected)[(drawn > 0) | (expected > 0)]
    assert near.mean() < 0.05 and np.quantile(near, 0.99) < 0.4
    assert drawn.sum() == pytest.approx(expected.sum(), rel=0.06)


@pytest.mark.parametrize("width", [1.0, 2.3, 5.0])
@pytest.mark.parametrize("end", [(50.0, 12.0), (52.3, 37.1), (9.7, 50.0)])
def test_a_straight_line_has_the_pixels_of_matplotlib(end, width):
    line = np.array([(9.0, 12.0), end])
    drawn = raster(line, np.array([False, True]), (60, 60), width)
    assert np.abs(drawn - by_matplotlib([line], (60, 60), width)).max() < 0.2


@pytest.mark.parametrize(("blur", "edge"), [(1.0, [0, 0.5, 1, 1]), (3.0, [1 / 6, 0.5, 5 / 6, 1])])
def test_blur_spreads_an_edge(blur, edge):
    bar = np.array([[5.0, 10.5], [35.0, 10.5]])
    profile = raster(bar, np.array([False, True]), (40, 20), 4.0, blur)[20, 7:14]
    np.testing.assert_allclose(profile, edge + edge[-2::-1], atol=1e-5)


@pytest.mark.parametrize("ink", INKS)
def test_pictures_do_not_show_order_direction_unit_or_lifts_of_the_pen(ink):
    generator = np.random.default_rng(0)
    parts = [part[:: generator.choice([1, -1])] for part in strokes(ink)]
    order = generator.permutation(len(parts))
    # The pen is lifted in the midst of a stroke, and set down again there.
    cut = [piece for n in order for piece in (parts[n][:9], parts[n][8:]) if len(piece)]
    moved = from_strokes([7.0 * part + 1000.0 for part in cut])
    np.testing.assert_allclose(ink_picture(moved, 630.0), ink_picture(ink, 90.0), atol=0.01)


@pytest.mark.parametrize("ink", INKS)
def test_ink_fills_the_height_times_its_zoom(ink):
    picture, smaller = ink_picture(ink), ink_picture(ink, zoom=0.5)
    inked, inked_smaller = (np.flatnonzero((p > 0.5).any(0)) for p in (picture, smaller))
    assert picture.shape[1] == ROWS and len(picture) % FRAME_SIZE == 0
    assert inked[0] <= PICTURE_MARGIN + 1 and inked[-1] >= ROWS - PICTURE_MARGIN - 2
    assert np.ptp(inked_smaller) == pytest.approx(np.ptp(inked) / 2, abs=2)


def test_a_dash_alone_is_drawn_no_larger_than_in_a_word():
    dash = np.array([[0, 0, 0], [1, 0, 1]], np.float32)
    assert (ink_picture(dash, height=2.0) > 0.5).any(1).sum() < ROWS / 2


def test_very_long_ink_is_drawn_smaller():
    ink = np.array([[0, 0, 0], [3, 5, 1], [1e7, 0, 1]], np.float32)
    assert MAX_PATH_LENGTH / 2 < len(ink_picture(ink)) <= MAX_PATH_LENGTH + 2 * FRAME_SIZE


@pytest.mark.parametrize("ink", INKS)
def test_columns_are_estimated_before_a_picture_is_drawn(ink):
    assert likely_columns(ink) == pytest.approx(len(ink_picture(ink)), rel=0.25)


def test_the_estimated_columns_of_a_very_long_dash_are_limited():
    assert 0 < likely_columns(np.array([[0, 0, 0], [1e6, 0, 1]])) <= MAX_PATH_LENGTH
