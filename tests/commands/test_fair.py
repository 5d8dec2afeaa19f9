"""Words of a page are written anew where the old ones stood."""

from dataclasses import replace

import numpy as np
import pytest

from commands.fair import _accepted, _Place, _replaced
from handwriting.proofreading import CheckedWord
from handwriting.written_word import WrittenWord
from notes.word_shapes import row_shapes
from tests.notes.test_neat import GAP, HEIGHT, WIDTH, page_of, word
from utils.ink import turned_back

LEFTS = [40 + k * (WIDTH + GAP) for k in range(4)]
BOX = np.array([[0.0, 0.0], [0.0, -1.0], [6.0, -1.0], [6.0, 0.0]])
"""A word as wide as those of the page: six x-heights, one high."""


def places_on(page, text):
    (shape,) = row_shapes(page, text.rows)
    return [_Place(0, number, shape, number) for number in range(len(shape.words))]


def written(width=6.0, text="nunnun"):
    return WrittenWord((BOX * (width / 6, 1.0),), width, 1.0, text)


@pytest.mark.parametrize("angle", [0.0, 0.1])
def test_a_new_word_has_the_place_and_size_of_the_old_word(angle):
    page, text = page_of([[turned_back(word(left), -angle) for left in LEFTS]])
    place = places_on(page, text)[2]
    (stroke,) = place.strokes(written(), 1.0, replace(page.strokes[2], colour="#aa0000"))
    left, right = LEFTS[2], LEFTS[2] + WIDTH
    corners = [(left, 100.0), (left, 100 - HEIGHT), (right, 100 - HEIGHT), (right, 100.0)]
    np.testing.assert_allclose(stroke.points, turned_back(np.array(corners), -angle), atol=0.8)
    assert stroke.colour == "#aa0000"


def test_a_much_wider_word_is_narrowed_a_little_in_the_middle_of_the_old_place():
    page, text = page_of([[word(left) for left in LEFTS]])
    (stroke,) = places_on(page, text)[1].strokes(written(12.0), 1.0, page.strokes[1])
    assert np.ptp(stroke.points[:, 0]) == pytest.approx(0.8 * 12 * HEIGHT, rel=0.02)
    assert stroke.points[:, 0].mean() == pytest.approx(LEFTS[1] + WIDTH / 2, abs=0.1)


def test_new_words_that_readers_doubt_or_that_a_stroke_joins_are_not_taken():
    words = [
        CheckedWord((written(),), "a", tries=1),
        CheckedWord((written(),), "b", tries=6, hypothesis="c", errors=1),
        CheckedWord((written(),), "d e", tries=1),
        CheckedWord((written(),), "f", tries=1),
    ]
    taken = [place for place, _ in _accepted(["a", "b", "d", "e", "f"], words)]
    assert taken == ["a", "f"]


def test_the_rows_of_a_page_have_the_new_strokes_in_their_order():
    page, text = page_of([[word(left) for left in LEFTS], [word(40, 200.0)]])
    shape, _ = row_shapes(page, text.rows)
    place = _Place(0, 1, shape, 1)
    new = [replace(page.strokes[1], points=BOX + k) for k in range(3)]
    new_page, new_text = _replaced(page, text, {place: new})
    assert new_page.strokes == (page.strokes[0], *new, *page.strokes[2:])
    assert [row.strokes for row in new_text.rows] == [(0, 1, 2, 3, 4, 5), (6,)]
    assert new_text.rows[0].words[1].box == (0.0, -1.0, 8.0, 2.0)
