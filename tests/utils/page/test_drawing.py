"""Pages as PDF, read back by pypdf, and as PNG, by their pixels."""

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader

from utils.page.page import Pen, Row, Sheet
from utils.plots import page_figure, write_pdf, write_png

POINT = 25.4 / 72
"""Millimetres."""
LINE = np.array([[20.0, 30], [30, 38], [45, 50]])
DOT = np.array([[60.0, 40]])


def page(width=210.0, height=297.0, **changes):
    return Sheet(width, height, (Row((LINE, DOT), pen=Pen(0.5, "#aa0000")),), **changes)


def operations(pdf_page):
    return [(name.decode(), values) for values, name in pdf_page.get_contents().operations]


def drawn(pdf_page):
    """The starts of paths in millimetres from the top left corner, after the paper's own."""
    height = float(pdf_page.mediabox.height)
    starts = [values for name, values in operations(pdf_page) if name == "m"]
    return [(float(x) * POINT, (height - float(y)) * POINT) for x, y in starts[1:]]


def test_a_pdf_has_the_pages_in_their_sizes_as_curves(tmp_path):
    pages = [page(rules=np.array([[[10, 60], [100, 60.0]]])), page(100, 80.5)]
    write_pdf(tmp_path / "letter.pdf", map(page_figure, pages), "Brief über Ω")
    reader = PdfReader(tmp_path / "letter.pdf")
    sizes = [(float(one.mediabox.width), float(one.mediabox.height)) for one in reader.pages]
    assert [size for pair in sizes for size in pair] == pytest.approx(
        [210 / POINT, 297 / POINT, 100 / POINT, 80.5 / POINT]
    )
    assert reader.metadata.title == "Brief über Ω"
    assert "/CreationDate" not in reader.metadata
    ruled, plain = reader.pages
    np.testing.assert_allclose(drawn(ruled), [(10, 60), (20, 30), (60, 39.9)], atol=0.001)
    np.testing.assert_allclose(drawn(plain), [(20, 30), (60, 39.9)], atol=0.001)
    names = [name for name, _ in operations(plain)]
    assert names.count("c") == 3 and names.count("S") == 1  # two and the dot's
    widths = [float(values[0]) for name, values in operations(plain) if name == "w"]
    assert widths[-1] == pytest.approx(0.5 / POINT)


def test_the_same_pages_are_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        figures = map(page_figure, (page(), page(100, 100)))
        write_pdf(tmp_path / name, figures, "title\x00")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert PdfReader(tmp_path / "one").metadata.title == "title?"


def test_a_png_shows_ink_where_it_is(tmp_path):
    write_png(tmp_path / "page.png", page_figure(page(127, 101.6)), 200)
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
