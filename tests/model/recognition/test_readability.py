"""What a recogniser cannot read is said to be so."""

import numpy as np

from data_loader.sources.ink_files import read_ink
from handwriting.styles import styles
from model.loading import load_reader
from model.recognition.readability import misgiving, row_breaks
from utils.ink import from_strokes, strokes

BAR_AND_STEM = np.array([[0.0, 20.0], [30.0, 20.0]]), np.array([[60.0, 0.0], [60.0, 20.0]])


def misgivings(reader, inks):
    return [misgiving(ink, *read) for ink, read in zip(inks, reader.proofread(inks), strict=True)]


def below(ink, distance):
    """A line, and the same below it."""
    own = strokes(ink)
    return from_strokes([*own, *(stroke + np.array([0.0, distance]) for stroke in own)])


def test_rows_turned_ink_and_other_scripts_are_named():
    """Lines that networks wrote are read, and none of them is named."""
    reader = load_reader("reader", "cpu")
    inks = [read_ink(path)[0].ink for path in styles().values()]
    assert [text for text, _ in reader.proofread(inks)] == reader.read_lines(inks)
    assert not any(misgivings(reader, inks))
    (line, *_) = inks
    height = float(np.ptp(line[:, 1].cumsum()))
    mirrored, upside_down = line * np.float32([-1, 1, 1]), line * np.float32([1, -1, 1])
    others = [below(line, 1.2 * height), mirrored, upside_down]
    whys = misgivings(reader, others)
    assert [why.partition(";")[0][:26] for why in whys] == [
        "several rows, which are re", *["a script that the network "] * 2,
    ]  # fmt: skip
    assert not any(map(row_breaks, inks))


def test_a_page_is_one_even_if_a_single_character_is_read_of_it():
    rows = [stroke + np.array([0, 40 * n]) for n in range(10) for stroke in BAR_AND_STEM]
    assert "`experiments.py notes` reads pages" in misgiving(from_strokes(rows), "N", 0.0)
    bars = [np.array([[0.0, y], [20.0, y]]) for y in (0, 10, 20, 30)]
    assert not misgiving(from_strokes(bars[:2]), "=", 0.0) + misgiving(from_strokes(bars), "E", 0.0)
