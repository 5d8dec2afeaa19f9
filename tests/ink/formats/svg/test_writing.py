"""Lines and pages as SVG, read back by vpype, a program for pen plotters."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from ink.drawing.layers import LINE_PEN_WIDTH, LINE_X_HEIGHT, Pen, Row
from ink.geometry import bezier, bounds
from model.drawing.page import Page, page_of_line
from tests.utils.builders import wave

vpype = pytest.importorskip("vpype", reason="vpype is not there for this Python")
vpype_cli = pytest.importorskip("vpype_cli")

ROOT = Path(__file__).parents[4]
SVG = "{http://www.w3.org/2000/svg}"
MM = 25.4 / 96
"""Millimetres in vpype's unit, the CSS pixel."""
RED = Pen(0.7, "#aa0000")


def scribble(seed=3, count=40):
    """A page of two pens with strokes of many sizes, dots among them."""
    generator = np.random.default_rng(seed)
    rows = []
    for y in (40, 60, 80, 100):
        sizes = generator.choice([1, 2, 3, 12], count // 4)
        starts = np.sort(generator.uniform(20, 180, len(sizes)))
        strokes = [
            np.array([x, y]) + generator.normal(0, 1, (n, 2)).cumsum(axis=0)
            for x, n in zip(starts, sizes, strict=True)
        ]
        rows.append(Row(tuple(strokes), pen=RED if y == 80 else Pen()))
    rules = np.array([[[20, y], [190, y]] for y in (40.0, 60, 80, 100)])
    return Page(210, 297, tuple(rows), rules)


def plotted(path):
    """The layers that vpype finds in a file, by number, and the sheet's size in millimetres."""
    document = vpype.read_multilayer_svg(str(path), quantization=0.05 / MM)
    return document.layers, tuple(side * MM for side in document.page_size)


def write_svg(path, page, *title, **options):
    path.write_text(page.to_svg(*title, **options), encoding="utf-8")


def check_ends(found, page):
    """Both ends of every stroke are those of the page's, pen by pen; a dot is a short line."""
    blue = [stroke for row in page.rows if row.pen != RED for stroke in row.strokes]
    strokes = [*page.rules, *blue, *page.rows[2].strokes]
    assert len(found) == len(strokes) and sum(len(stroke) == 1 for stroke in strokes) > 5
    for drawn, stroke in zip(found, strokes, strict=True):
        if len(stroke) == 1:
            assert np.hypot(*np.ptp(drawn, axis=0)) == pytest.approx(0.2, abs=0.002)
            np.testing.assert_allclose(np.mean(drawn, axis=0), stroke[0], atol=0.002)
        else:
            np.testing.assert_allclose(drawn, stroke[[0, -1]], atol=0.002)


def test_a_plotter_program_finds_the_layers_pens_and_every_stroke(tmp_path):
    page = scribble()
    write_svg(tmp_path / "page.svg", page, "a <b>")
    found, size = plotted(tmp_path / "page.svg")
    assert size == pytest.approx((210, 297), rel=1e-5)
    assert list(found) == [1, 2, 3]
    names = ["1 ruling", "2 pen 0.4 mm #1b2a4e", "3 pen 0.7 mm #aa0000"]
    assert [layer.metadata["vp_name"] for layer in found.values()] == names
    for layer, width, colour in ((found[2], 0.4, "#1b2a4e"), (found[3], 0.7, "#aa0000")):
        assert layer.metadata["vp_pen_width"] * MM == pytest.approx(width)
        assert str(layer.metadata["vp_color"]) == colour
    lines = [line for layer in found.values() for line in layer]
    check_ends([(line * MM)[[0, -1]].view(float).reshape(2, 2) for line in lines], page)
    root = ElementTree.parse(tmp_path / "page.svg").getroot()
    assert (root.get("width"), root.get("height")) == ("210mm", "297mm")
    assert root.get("viewBox") == "0 0 210 297"
    assert root.find(f"{SVG}title").text == "a <b>"
    assert all(group.get("fill") == "none" for group in root.iter(f"{SVG}g"))


@pytest.mark.parametrize("size", [1e-3, 1.0, 500.0])
def test_a_line_of_any_unit_becomes_a_page_with_the_usual_x_height(tmp_path, size):
    """Letters of 10 sizes are `LINE_X_HEIGHT` high, whatever the unit of the ink."""
    ink = wave() * np.array([size, size, 1])
    write_svg(tmp_path / "ink.svg", page_of_line(ink), '<b> & "c"', description="a\x00 \ud800")
    layers, paper = plotted(tmp_path / "ink.svg")
    unit = LINE_X_HEIGHT / (10 * size)
    left, top, right, bottom = bounds(ink)
    margins = 4 * LINE_X_HEIGHT
    size = (right - left) * unit + margins, (bottom - top) * unit + margins
    assert paper == pytest.approx(size, rel=0.03)
    body, dot = layers[1]
    assert len(body) > 200
    assert np.abs(dot[-1] - dot[0]) * MM == pytest.approx(0.2, rel=0.02)
    assert layers[1].metadata["vp_pen_width"] * MM == pytest.approx(LINE_X_HEIGHT * LINE_PEN_WIDTH)
    assert body[0].real * MM == pytest.approx(2 * LINE_X_HEIGHT)
    root = ElementTree.parse(tmp_path / "ink.svg").getroot()
    assert root.find(f"{SVG}title").text == '<b> & "c"'
    assert root.find(f"{SVG}desc").text == "a? ?"


def test_strokes_are_smooth_curves_through_their_points():
    points = np.array([[10, 10], [20, 30], [50, 35], [55, 10]], dtype=float)
    (path,) = ElementTree.fromstring(Page(99, 99, (Row((points,)),)).to_svg()).iter(f"{SVG}path")
    curve = [float(number) for number in path.get("d").split("C")[2].split()]
    np.testing.assert_allclose(curve, bezier(points)[1, 1:].reshape(-1), atol=0.001)


def test_every_stroke_and_dot_is_in_the_gcode_and_the_pen_lifted_between(tmp_path):
    """By the profile that docs/write.md names; the sheet's lower left corner is 0, 0."""
    pytest.importorskip("vpype_gcode")
    page = scribble()
    write_svg(tmp_path / "page.svg", page)
    vpype.config_manager.load_config_file(str(ROOT / "docs" / "plotter.toml"))
    program = tmp_path / "page.gcode"
    vpype_cli.execute(f"read {tmp_path / 'page.svg'} gwrite -p handwriting {program}")
    down = False
    place = 0j
    drawn = []
    pauses = 0
    for line in program.read_text().splitlines():
        command, *words = line.split()
        if command == "M3":
            down = words == ["S90"]
            drawn += [[place]] if down else []
        elif command in ("G0", "G1"):
            assert down == (command == "G1")
            place = complex(float(words[0][1:]), float(words[1][1:]))
            drawn[-1:] = [[*drawn[-1], place]] if down else drawn[-1:]
        elif command == "M0":
            assert not down
            pauses += 1
    assert not down and pauses == 2  # between the ruling and two pens
    check_ends([[(end.real, 297 - end.imag) for end in (way[0], way[-1])] for way in drawn], page)
