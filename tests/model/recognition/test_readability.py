"""Ink that a recogniser cannot read is named: several rows, turned or mirrored ink."""

import numpy as np
import pytest

from apps.pages.styles import styles
from ink.geometry import from_strokes, strokes
from ink.reading import read_ink
from model.loading import load_reader
from model.recognition.readability import misgiving, row_breaks

ROWS = "several rows, which are read as a single row? `python experiments.py notes` reads pages"
SCRIPT = "a script that the network does not know, or ink that is turned or mirrored?"


@pytest.fixture(scope="module")
def reader():
    return load_reader("reader", "cpu")


@pytest.fixture(scope="module")
def inks():
    """Lines that networks wrote."""
    return [read_ink(path)[0].ink for path in styles().values()]


def repeated_below(ink):
    distance = np.array([0.0, 1.2 * np.ptp(ink[:, 1].cumsum())])
    return from_strokes([*strokes(ink), *(stroke + distance for stroke in strokes(ink))])


@pytest.mark.slow
def test_written_lines_are_read_without_misgivings(reader, inks):
    readings = reader.proofread(inks)
    assert [text for text, _ in readings] == reader.read_lines(inks)
    assert not any(misgiving(ink, *read) for ink, read in zip(inks, readings, strict=True))
    assert not any(map(row_breaks, inks))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (repeated_below, ROWS),
        (lambda ink: ink * np.float32([-1, 1, 1]), SCRIPT),
        (lambda ink: ink * np.float32([1, -1, 1]), SCRIPT),
    ],
)
def test_several_rows_and_mirrored_ink_give_a_misgiving(reader, inks, change, expected):
    line = change(inks[0])
    assert misgiving(line, *reader.proofread([line])[0]) == expected


BARS = [np.array([[0.0, y], [20.0, y]]) for y in (0, 10, 20, 30)]
STEMS = [np.array([[0.0, 20.0], [30.0, 20.0]]), np.array([[60.0, 0.0], [60.0, 20.0]])]


@pytest.mark.parametrize(
    ("ink", "text", "expected"),
    [
        (BARS[:2], "=", ""),
        (BARS, "E", ""),
        ([stem + np.array([0, 40 * n]) for n in range(10) for stem in STEMS], "N", ROWS),
    ],
)
def test_bars_of_a_character_are_not_taken_for_rows_but_stems_of_a_page_are(ink, text, expected):
    assert misgiving(from_strokes(ink), text, 0.0) == expected
