"""A line by hand: what was written of it, where it ended, and the files that it saves itself in."""

import numpy as np
from PIL import Image

from model import Line

INK = np.float32([[0, 0, 0], [5, 2, 1], [10, 4, 0], [3, -7, 0], [1, 1, 1]])


def line(primed=0, **changes):
    values = {"peaks": None, "text": "ab", "ended": True, "bias": np.zeros(4, np.float32)}
    return Line(**({"ink": INK, "primed": primed} | values | changes))


def test_what_was_written_is_ink_of_its_own_without_the_primer():
    assert line().written is INK
    written = line(primed=2).written
    assert written.tolist() == [[0, 0, 0], [3, -7, 0], [1, 1, 1]]
    assert INK[2].tolist() == [10, 4, 0]  # the line itself stays
    nothing = line(primed=5)
    assert len(nothing.written) == 0 and nothing.visible.tolist() == [[0, 0, 1]]


def test_a_line_saves_itself_as_a_picture(tmp_path):
    """As SVG and InkML: tests/commands/test_write.py."""
    line(primed=2).save(str(tmp_path / "line.png"))
    with Image.open(tmp_path / "line.png") as picture:
        assert np.asarray(picture.convert("L")).min() < 100  # there is ink
