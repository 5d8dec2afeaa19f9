"""Ink that cannot be seen is found; ink that is only crossed, or shines through, is not."""

import time
from dataclasses import replace

import numpy as np
import pytest

from ink.drawing.covering import COVERED, PAPER_COLOUR, unseen
from ink.ink_page import InkPage, PageImage, PageStroke

T = np.linspace(0, 6, 60)
WORD = np.column_stack([50 + 6 * T, 100 + 6 * np.sin(4 * T)])
ZIGZAG = np.column_stack([np.linspace(45, 95, 20), 100 + 8 * (-1.0) ** np.arange(20)])
BOX = np.array([[45, 90], [95, 90], [95, 110], [45, 110.0]])
HALF_BOX = np.array([[45, 90], [62, 90], [62, 110], [45, 110.0]])  # 12 of the word's 36 points
ACROSS = np.array([[45, 100], [95, 100.0]])
WHITE = "#ffffff"
BLACK = "#000000"
RED = "#cc0000"
INK = PageStroke(WORD, colour=BLACK, width=1.4)
FILLED = PageStroke(BOX, "shape", RED, 1.0, fill=WHITE)
HIGHLIGHTER = PageStroke(ZIGZAG, "highlighter", WHITE, 12.0, opacity=0.5)


def on_page(*strokes, **page):
    return unseen(InkPage(600.0, 800.0, strokes, 1.0, **page))


HIDDEN = {
    "by whiteout": PageStroke(ZIGZAG, "eraser", WHITE, 9.0),
    "by a white pen as wide as a highlighter": PageStroke(ZIGZAG, "shape", WHITE, 9.0),
    "by a black marker": PageStroke(ACROSS, "shape", BLACK, 15.0),
    "by a red marker with pressure": PageStroke(
        ACROSS, "shape", RED, 1.0, widths=np.array([15.0, 15.0])
    ),
    "by a filled area": FILLED,
    "by a filled area that winds the other way": replace(FILLED, points=BOX[::-1], width=0.0),
    "by an eraser of its colour": PageStroke(WORD, "eraser", BLACK, 1.5),
}
SEEN = {
    "crossed by a white pen": PageStroke(ACROSS, "shape", WHITE, 5.0),
    "crossed out": PageStroke(ACROSS, "shape", BLACK, 1.4),
    "highlighted": HIGHLIGHTER,
    "highlighted by an opaque tool": replace(HIGHLIGHTER, opacity=1.0),
    "below a transparent pen": replace(HIGHLIGHTER, tool="pen", colour=RED),
    "in a transparent area": replace(FILLED, fill_opacity=0.4),
    "in a frame": replace(FILLED, fill=None),
    "covered by a third": replace(FILLED, points=HALF_BOX),
    "below dashes": PageStroke(ACROSS, "shape", WHITE, 15.0, dash=(2.0, 4.0)),
    "written again": PageStroke(WORD, "shape", BLACK, 1.6),
    "beside whiteout": PageStroke(ZIGZAG + 30, "eraser", WHITE, 9.0),
}


@pytest.mark.parametrize("kind", [*HIDDEN, *SEEN])
def test_ink_is_covered_if_most_of_it_is_hidden(kind):
    later = HIDDEN.get(kind) or SEEN[kind]
    expected = {0: COVERED} if kind in HIDDEN else {}
    assert on_page(INK, later) == expected
    assert on_page(later, INK) == {}  # The ink is above.


def test_ink_that_two_strokes_cover_together_is_covered():
    halves = [replace(FILLED, points=HALF_BOX + np.array([shift, 0.0])) for shift in (0, 17)]
    assert on_page(INK, *halves) == {0: COVERED}


def test_ink_of_a_lower_layer_is_covered_although_it_was_written_later():
    whiteout = replace(HIDDEN["by whiteout"], layer=1)
    assert on_page(INK, whiteout, layers=("below", "above")) == {0: COVERED}


def test_a_pen_in_the_colour_of_the_paper_writes_nothing_but_on_another_ground():
    white = replace(INK, colour="#fffdf8")
    dark = PageStroke(BOX, "shape", BLACK, 1.0, fill=BLACK)
    image = PageImage(b"", (40.0, 80.0, 100.0, 120.0))
    assert on_page(white) == {0: PAPER_COLOUR}
    assert on_page(INK, replace(HIDDEN["by whiteout"], tool="pen")) == {0: COVERED, 1: PAPER_COLOUR}
    assert on_page(white, paper="#203040") == {} == on_page(white, images=(image,))
    assert on_page(dark, white) == {} == on_page(PageStroke(ACROSS, "shape", BLACK, 20.0), white)
    assert on_page(INK, replace(white, points=ACROSS)) == {1: PAPER_COLOUR}


def test_pages_with_as_many_strokes_as_are_allowed_are_looked_at_quickly():
    generator = np.random.default_rng(5)
    places = np.stack(np.meshgrid(np.arange(100) * 6, np.arange(100) * 8), -1).reshape(-1, 1, 2)
    points = places + 3 * generator.normal(0, 1, (10_000, 30, 2)).cumsum(axis=1) / 5
    colours = [BLACK, RED, "#0000cc"] * 3_334
    written = [PageStroke(p, colour=c, width=1.4) for p, c in zip(points, colours, strict=False)]
    whiteout = replace(HIDDEN["by whiteout"], points=ZIGZAG + 100)
    start = time.process_time()
    found = on_page(*written[:-1], whiteout)
    assert time.process_time() - start < 20  # 2 s are usual
    assert len(found) > 20 and set(found.values()) == {COVERED}


def test_a_page_that_is_asked_for_again_is_not_looked_at_again():
    page = InkPage(600.0, 800.0, (INK, FILLED), 1.0)
    assert unseen(page) is unseen(page) and unseen(page) == {0: COVERED}
