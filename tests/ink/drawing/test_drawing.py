"""Pages as PNG, by their pixels."""

import numpy as np
import pytest
from PIL import Image

from ink.drawing.layers import Pen, Row
from model.drawing.page import Page
from model.drawing.plots import write_png

LINE = np.array([[20.0, 30], [30, 38], [45, 50]])
DOT = np.array([[60.0, 40]])


def page(width=210.0, height=297.0, **changes):
    return Page(width, height, (Row((LINE, DOT), pen=Pen(0.5, "#aa0000")),), **changes)


def test_a_png_shows_ink_where_it_is(tmp_path):
    write_png(tmp_path / "page.png", page(127, 101.6).figure(), 200)
    with Image.open(tmp_path / "page.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels.shape == (800, 1000, 3)
    red = np.abs(pixels - (0xAA, 0, 0)).max(axis=2) < 60
    assert all(
        red[round(y * 200 / 25.4), round(x * 200 / 25.4)]
        for x, y in ((20, 30), (25, 34), (35, 42), (45, 50), (60, 40))
    )
    rows, columns = (np.nonzero(red.any(axis=axis))[0] / 200 * 25.4 for axis in (1, 0))
    assert (rows.min(), rows.max()) == pytest.approx((29.75, 50.25), abs=0.25)
    assert (columns.min(), columns.max()) == pytest.approx((19.75, 60.25), abs=0.25)
    assert red.sum() < 3000 and (pixels[0] == 255).all()
