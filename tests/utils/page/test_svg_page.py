"""Pages as SVG, read back by vpype, a program for pen plotters."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from utils.page.page import Page, Pen, Row
from utils.page.paper import Paper
from utils.page.svg_page import page_svg, write_page_svg

vpype = pytest.importorskip("vpype", reason="vpype is not there for this Python")
vpype_cli = pytest.importorskip("vpype_cli")

ROOT = Path(__file__).parents[3]
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


def ends(lines):
    return np.array([[(end.real * MM, end.imag * MM) for end in line[[0, -1]]] for line in lines])


def test_plotters_find_layers_pens_and_every_stroke(tmp_path):
    page = scribble()
    write_page_svg(tmp_path / "page.svg", page, "a <b>")
    found, size = plotted(tmp_path / "page.svg")
    assert size == pytest.approx((210, 297), rel=1e-5)
    assert list(found) == [1, 2, 3]
    names = ["1 ruling", "2 pen 0.4 mm #1b2a4e", "3 pen 0.7 mm #aa0000"]
    assert [layer.metadata["vp_name"] for layer in found.values()] == names
    pens = [
        (layer.metadata["vp_pen_width"] * MM, str(layer.metadata["vp_color"]))
        for layer in (found[2], found[3])
    ]
    assert pens == [(pytest.approx(0.4), "#1b2a4e"), (pytest.approx(0.7), "#aa0000")]
    np.testing.assert_allclose(ends(found[1]), page.rules, atol=0.001)
    written = {
        2: [stroke for row in page.rows if row.pen != RED for stroke in row.strokes],
        3: list(page.rows[2].strokes),
    }
    assert sum(len(stroke) == 1 for stroke in written[2] + written[3]) > 5
    for number, strokes in written.items():
        assert len(found[number]) == len(strokes)  # in the order of writing
        for read, line, stroke in zip(ends(found[number]), found[number], strokes, strict=True):
            if len(stroke) == 1:
                assert np.abs(line[-1] - line[0]) * MM == pytest.approx(0.2, abs=1e-4)
                np.testing.assert_allclose(read.mean(axis=0), stroke[0], atol=0.001)
            else:
                np.testing.assert_allclose(read, stroke[[0, -1]], atol=0.001)
    root = ElementTree.parse(tmp_path / "page.svg").getroot()
    assert (root.get("width"), root.get("height")) == ("210mm", "297mm")
    assert root.get("viewBox") == "0 0 210 297"
    assert root.find(f"{SVG}title").text == "a <b>"
    assert all(group.get("fill") == "none" for group in root.iter(f"{SVG}g"))


def test_the_curve_goes_through_all_points(tmp_path):
    turns = np.linspace(0, 4 * np.pi, 40)
    circle = np.stack([100 + 10 * np.cos(turns), 50 + 10 * np.sin(turns)], axis=1)
    write_page_svg(tmp_path / "page.svg", Page(210, 297, (Row((circle,)),)))
    (line,) = plotted(tmp_path / "page.svg")[0][1]
    drawn = np.stack([line.real, line.imag], axis=1) * MM
    gaps = np.linalg.norm(circle[:, None] - drawn, axis=2).min(axis=1)
    assert gaps.max() < 0.002
    # And is round between them, but for the first and the last, which are straight outwards.
    inner = drawn[len(drawn) // 20 : -len(drawn) // 20]
    assert np.abs(np.linalg.norm(inner - (100, 50), axis=1) - 10).max() < 0.01


def test_paper_without_its_ruling(tmp_path):
    rows = (Row((np.array([[10, 10], [20, 10]]),)),)
    for printed, name in ((True, "with"), (False, "without")):
        sheet = Paper(100, 60, (20, 10, 20, 10), "dotted", 20.0, printed)
        page = Page(100, 60, rows, sheet.rules(), sheet.dots())
        write_page_svg(tmp_path / f"{name}.svg", page)
    found, size = plotted(tmp_path / "with.svg")
    assert [len(layer) for layer in found.values()] == [10, 1] and size == pytest.approx((100, 60))
    (only,) = plotted(tmp_path / "without.svg")[0].values()
    assert len(only) == 1 and only.metadata["vp_name"] == "1 pen 0.4 mm #1b2a4e"


def test_every_stroke_and_dot_is_in_the_gcode_and_the_pen_lifted_between(tmp_path):
    """By the profile that docs/write.md names; the sheet's lower left corner is 0, 0."""
    pytest.importorskip("vpype_gcode")
    page = scribble()
    write_page_svg(tmp_path / "page.svg", page)
    vpype.config_manager.load_config_file(str(ROOT / "docs" / "plotter.toml"))
    program = tmp_path / "page.gcode"
    vpype_cli.execute(f"read {tmp_path / 'page.svg'} gwrite -p handwriting {program}")
    down, place, drawn, pauses = False, 0j, [], 0
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
    strokes = [
        *page.rules,
        *(stroke for row in page.rows if row.pen != RED for stroke in row.strokes),
        *page.rows[2].strokes,
    ]
    assert len(drawn) == len(strokes)
    for way, stroke in zip(drawn, strokes, strict=True):
        found = np.array([[end.real, 297 - end.imag] for end in (way[0], way[-1])])
        if len(stroke) == 1:
            assert abs(way[-1] - way[0]) == pytest.approx(0.2, abs=0.002)
            np.testing.assert_allclose(found.mean(axis=0), stroke[0], atol=0.002)
        else:
            np.testing.assert_allclose(found, stroke[[0, -1]], atol=0.002)


def test_widths_by_speed_are_outlines():
    root = ElementTree.fromstring(page_svg(scribble(), speed_widths=True))
    ruling, blue, red = root.iter(f"{SVG}g")
    assert ruling.get("stroke") and (blue.get("fill"), red.get("fill")) == ("#1b2a4e", "#aa0000")
    assert blue.get("stroke") is None
    paths = [path.get("d") for path in (*blue, *red)]
    assert len(paths) == 40
    assert all(d[0] == "M" and d[-1] == "Z" and "C" not in d for d in paths)
