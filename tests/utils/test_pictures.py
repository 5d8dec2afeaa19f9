"""Pictures of ink: as another renderer draws them, and without a trace of the movement."""

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from data_loader import EmbeddedDataset
from utils.ink import from_strokes, strokes
from utils.pictures import FRAME, MARGIN, MAX_COLUMNS, ROWS, ink_picture, raster


@pytest.fixture(scope="module")
def inks():
    lines = EmbeddedDataset(seed=2, size=12, symbols=0.5).load(["train"]).split("train")
    return [line.ink for line in lines]


def by_agg(parts, shape, width):
    """Return strokes as matplotlib draws them, `shape` from 0 to 1."""
    dpi = 100
    figure = Figure((shape[0] / dpi, shape[1] / dpi), dpi=dpi, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, shape[0]), ylim=(shape[1], 0))
    lines = LineCollection(
        parts, linewidths=72 / dpi * width, colors="black", capstyle="round", joinstyle="round"
    )
    lines.set_snap(False)
    axes.add_collection(lines)
    canvas = FigureCanvasAgg(figure)
    with matplotlib.rc_context({"path.simplify": False}):
        canvas.draw()
    return 1 - np.asarray(canvas.buffer_rgba())[..., 0].T / 255


@pytest.mark.parametrize("width", [1.0, 2.3, 5.0])
def test_strokes_look_as_matplotlib_draws_them(inks, width):
    for ink in inks[:4]:
        parts = [stroke * 0.1 + (8.0, 30.0) for stroke in strokes(ink)]
        columns = int(max(part[:, 0].max() for part in parts)) + 8
        drawn, expected = raster(parts, (columns, 60), width), by_agg(parts, (columns, 60), width)
        assert drawn.shape == expected.shape and drawn.dtype == np.float32
        # Beside where both are white. Where two edges cross a pixel Agg adds up what they cover.
        near = (drawn > 0) | (expected > 0)
        assert near.mean() > 0.05
        assert np.abs(drawn - expected)[near].mean() < 0.05
        assert np.quantile(np.abs(drawn - expected)[near], 0.99) < 0.4
        assert drawn.sum() == pytest.approx(expected.sum(), rel=0.06)
    for end in ((50.0, 12.0), (52.3, 37.1), (9.7, 55.0)):
        one = [np.array([(9.0, 12.0), end])]
        drawn, expected = (draw(one, (60, 60), width) for draw in (raster, by_agg))
        assert np.abs(drawn - expected).max() < 0.2


def test_a_dot_is_a_disc_and_blur_spreads_an_edge():
    dot = raster([np.array([[10.0, 10.0]])], (20, 20), 6.0)
    assert dot.sum() == pytest.approx(np.pi * 9, rel=0.03)
    bar = [np.array([[-5.0, 10.5], [50.0, 10.5]])]
    for blur, expected in (
        (1.0, [0, 0.5, 1, 1, 1, 0.5, 0]),
        (3.0, [1 / 6, 0.5, 5 / 6, 1, 5 / 6, 0.5, 1 / 6]),
    ):
        profile = raster(bar, (40, 20), 4.0, blur)[20, 7:14]
        np.testing.assert_allclose(profile, expected, atol=1e-5)


def test_nothing_tells_how_the_pen_moved(inks):
    generator = np.random.default_rng(0)
    for ink in inks:
        parts = strokes(ink)
        other = [part[:: generator.choice([1, -1])] for part in parts]
        order = generator.permutation(len(parts))
        # The pen is lifted in the midst of a stroke, and set down again there.
        cut = [piece for n in order for piece in (other[n][:9], other[n][8:])]
        moved = [7.0 * part + 1000.0 for part in cut if len(part)]
        pictures = [ink_picture(ink, 90.0), ink_picture(from_strokes(moved), 630.0)]
        # Where segments begin depends on the direction, up to less than a pixel.
        assert pictures[0].shape == pictures[1].shape
        assert np.abs(pictures[0] - pictures[1]).mean() < 0.01


def test_ink_fills_the_height_and_short_ink_is_not_larger(inks):
    for ink in inks:
        picture = ink_picture(ink)
        assert picture.shape[1] == ROWS and len(picture) % FRAME == 0
        inked = np.flatnonzero((picture > 0.5).any(0))
        assert inked[0] <= MARGIN + 1 and inked[-1] >= ROWS - MARGIN - 2
        assert not picture[[0, -1]].any()
        smaller = np.flatnonzero((ink_picture(ink, zoom=0.5) > 0.5).any(0))
        assert np.ptp(smaller) == pytest.approx(np.ptp(inked) / 2, abs=2)
    dash = np.array([[0, 0, 0], [1, 0, 1]], np.float32)
    assert ((ink_picture(dash, height=2.0) > 0.5).sum(1) > 0).sum() < ROWS / 2


def test_the_size_of_a_picture_is_limited():
    far = np.array([[0, 0, 0], [3, 5, 1], [1e7, 0, 1]], np.float32)
    assert len(ink_picture(far)) <= MAX_COLUMNS + 2 * FRAME
    everywhere = np.random.default_rng(0).normal(0, 1e6, (5000, 3)).astype(np.float32)
    assert np.isfinite(ink_picture(everywhere, height=1.0)).all()
