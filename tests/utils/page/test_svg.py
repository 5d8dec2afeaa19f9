"""SVG read back."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from utils.checks import DataError
from utils.ink import bezier, from_strokes, strokes, to_points
from utils.page.pen import INK, PEN
from utils.page.svg import LETTER, to_svg, write_svg

vpype = pytest.importorskip("vpype", reason="vpype is not there for this Python")

SVG = "{http://www.w3.org/2000/svg}"


def wave(letters=8, height=10.0, points=25):
    """A line of `letters` ups and downs, with a dot above."""
    t = np.linspace(0, 1, letters * points)
    body = np.stack([letters * height * t, height / 2 * np.sin(2 * np.pi * letters * t)], axis=1)
    return from_strokes([body, np.array([[height, -2 * height]])])


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def points_of(path):
    """The end points of the curves of a path element."""
    way = path.get("d")
    assert re.fullmatch(r"M[-\d. ]+(C[-\d. ]+)+", way)
    start, *curves = way[1:].split("C")
    return np.array([numbers(start)] + [numbers(curve)[-2:] for curve in curves])


def test_svg_is_read_back_to_the_same_points(tmp_path):
    generator = np.random.default_rng(3)
    parts = [generator.normal(0, 20, (n, 2)).cumsum(axis=0) for n in (30, 2, 1, 17)]
    ink = from_strokes(parts)
    write_svg(tmp_path / "ink.svg", ink, "text")
    root = ElementTree.parse(tmp_path / "ink.svg").getroot()
    paths = list(root.iter(f"{SVG}path"))
    assert len(paths) == 4
    for path, points in zip(paths, strokes(ink), strict=True):
        read = points_of(path)
        if len(points) == 1:  # a dot: a short line around it
            assert len(read) == 2
            read = read.mean(axis=0, keepdims=True)
        np.testing.assert_allclose(read, points, atol=0.006)  # two decimals of units of 20


@pytest.mark.parametrize("size", [1e-3, 1.0, 500.0])
def test_plotters_find_all_strokes_and_dots(tmp_path, size):
    write_svg(tmp_path / "ink.svg", wave() * np.array([size, size, 1]))
    document = vpype.read_multilayer_svg(str(tmp_path / "ink.svg"), quantization=0.1)
    body, dot = document.layers[1]
    assert len(body) > 200
    assert np.abs(dot[-1] - dot[0]) * 25.4 / 96 == pytest.approx(0.2, rel=0.02)  # millimetres
    assert document.layers[1].metadata["vp_pen_width"] > 0  # one for both


def test_svg_curves_are_the_smooth_ones():
    points = np.array([[0, 0], [10, 20], [40, 25], [45, -30]], dtype=float)
    root = ElementTree.fromstring(to_svg(from_strokes([points])))
    (path,) = root.iter(f"{SVG}path")
    curve = numbers(path.get("d").split("C")[2])
    np.testing.assert_allclose(curve, bezier(points)[1, 1:].reshape(-1), atol=0.01)


@pytest.mark.parametrize("size", [1e-3, 1.0, 500.0])
def test_svg_has_the_inks_units_and_a_natural_size(size):
    ink = wave() * np.array([size, size, 1])
    root = ElementTree.fromstring(to_svg(ink))
    left, top, width, height = numbers(root.get("viewBox"))
    points = to_points(ink)
    assert left < points[:, 0].min() and top < points[:, 1].min()
    assert left + width > points[:, 0].max() and top + height > points[:, 1].max()
    # Letters of 10 sizes are LETTER high, in both directions.
    for name, units in (("width", width), ("height", height)):
        assert root.get(name).endswith("mm")
        natural = float(root.get(name)[:-2])
        assert natural == pytest.approx(units / (10 * size) * LETTER, rel=0.03)
    (group,) = root.iter(f"{SVG}g")
    assert group.get("stroke-linecap") == "round" and group.get("stroke-linejoin") == "round"
    assert (group.get("fill"), group.get("stroke")) == ("none", INK)
    assert float(group.get("stroke-width")) == pytest.approx(10 * size * PEN, rel=0.03)


def test_svg_text_is_escaped():
    text, description = "<b> & \"c\" 'd' ]]>", "bias\x00 0.5 \ud800"
    root = ElementTree.fromstring(to_svg(wave(), text, description=description))
    assert root.find(f"{SVG}title").text == text
    assert root.find(f"{SVG}desc").text == "bias? 0.5 ?"


def test_empty_svg_is_an_error(tmp_path):
    with pytest.raises(DataError, match="empty"):
        write_svg(tmp_path / "none.svg", np.zeros((0, 3)))
    assert not list(tmp_path.iterdir())


def test_whoever_writes_files_needs_no_matplotlib():
    code = (
        "import utils.page.svg, utils.page.inkml, utils.page.svg_animation, sys; "
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
