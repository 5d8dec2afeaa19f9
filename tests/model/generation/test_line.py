"""A line by hand: its ink without the primer, and the picture that it saves itself as."""

import numpy as np
from PIL import Image

from model import Line

INK = np.float32([[0, 0, 0], [5, 2, 1], [10, 4, 0], [3, -7, 0], [1, 1, 1]])


def line(primed):
    return Line(INK.copy(), primed, None, "ab", True, np.zeros(4, np.float32))


def test_written_ink_begins_at_zero_behind_the_primer():
    primed = line(2)
    assert primed.written.tolist() == [[0, 0, 0], [3, -7, 0], [1, 1, 1]]
    assert line(0).written.tolist() == primed.ink.tolist() == INK.tolist()


def test_line_that_has_only_its_primer_shows_a_dot():
    assert len(line(5).written) == 0 and line(5).visible.tolist() == [[0, 0, 1]]


def test_line_saves_itself_as_a_picture(tmp_path):
    """As SVG and InkML: tests/commands/test_write.py."""
    line(2).save(str(tmp_path / "line.png"))
    with Image.open(tmp_path / "line.png") as picture:
        assert np.asarray(picture.convert("L")).min() < 100  # there is ink
