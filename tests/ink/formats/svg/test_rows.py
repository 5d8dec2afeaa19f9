"""Pages and lines in SVG are read as they were written."""

import numpy as np
import pytest

from ink.drawing.layers import Pen, Row
from ink.formats.svg.shapes import flattened
from ink.geometry import from_strokes
from ink.reading import read_ink
from model.drawing.page import Page
from utils.checks import DataError

WAVE = np.stack([np.linspace(10, 40, 30), 20 + 3 * np.sin(np.arange(30))], axis=1)
ROWS = (
    Row((WAVE, WAVE[:9] + np.array([31, 2])), 'a "b" <c>'),
    Row((WAVE + np.array([0, 10]),), "in red", Pen(0.7, "#aa0000")),
    Row((WAVE + np.array([0, 20]), WAVE[:1] + np.array([0, 25])), ""),
)
PAGE = Page(100.0, 60.0, ROWS, np.array([[[0.0, 8], [100, 8]], [[0, 16], [100, 16]]]))


def test_the_rows_of_a_page_are_read_from_its_svg(tmp_path):
    """Those of another pen in their place; a dot is a short line."""
    (tmp_path / "a.svg").write_text(PAGE.to_svg("a"), encoding="utf-8")
    samples = read_ink(tmp_path / "a.svg")
    names = [(f"a.svg:000{n}", row.text) for n, row in enumerate(ROWS)]
    assert [(sample.name, sample.text) for sample in samples] == names
    for sample, row in zip(samples[:2], ROWS, strict=False):
        expected = from_strokes(row.strokes)
        np.testing.assert_allclose(sample.ink[1:], expected[1:], atol=0.0021)
    assert len(samples[2].ink) == 30 + 2


def test_the_rows_are_read_after_another_program_has_moved_them(tmp_path):
    """Inkscape writes relative curves, and moves a layer by a transformation."""
    path = '<path aria-label="a" d="m 1,2 c 1,0 2,1 3,3 l 4 0 0 4"/>'
    moved = f'<svg><g transform="translate(5) rotate(90 1 2)">{path}</g></svg>'
    (tmp_path / "a.svg").write_text(moved)
    (sample,) = read_ink(tmp_path / "a.svg")
    assert (sample.name, sample.text) == ("a.svg", "a")
    assert sample.ink == pytest.approx(np.array([[0, 0, 0], [-3, 3, 0], [0, 4, 0], [-4, 0, 1]]))


def test_the_points_of_a_curve_lie_on_it():
    """A quarter of a circle, of which its curve differs by 3 in 10,000."""
    handle = 5.5229
    points = flattened(np.array([[[10, 0], [10, handle], [handle, 10], [0, 10]]]), 0.01)
    assert np.hypot(*points.T) == pytest.approx(10, abs=0.003)
    assert len(points) > 10 and points[[0, -1]].tolist() == [[10, 0], [0, 10]]


@pytest.mark.parametrize(
    ("svg", "reason"),
    [
        (
            '<path d="M1 1C1 2 3 4 5 6"/>',
            "an SVG without rows.*experiments.py notes` reads",
        ),
        ('<path aria-label="a" d="m1 1h3x2"/>', r"a path that is not valid \(m1 1h3x2"),
        ('<path aria-label="a" d="M1 1C1 2"/>', r"a path that is not valid \(M1 1C1 2"),
    ],
)
def test_other_svg_is_refused(tmp_path, svg, reason):
    (tmp_path / "a.svg").write_text(f"<svg><g>{svg}</g></svg>")
    with pytest.raises(DataError, match=reason):
        read_ink(tmp_path / "a.svg")
