"""Typed text in the place of ink, at known places and heights."""

from dataclasses import replace

import numpy as np
import pytest

from notes.formats import read_pages
from notes.page_text import PageText
from notes.typed_ink import ASCENT, FONT_X_HEIGHT, typed
from tests.notes.test_neat import HEIGHT, page_of, word
from utils.page.page import save_ink_pages


def page_of_a_row(**others):
    page, text = page_of([[word(40), word(140), word(240)]])
    strokes = (replace(page.strokes[0], colour="#aa0000"), *page.strokes[1:])
    words = [
        replace(w, text=t, confidence=c)
        for w, t, c in zip(text.rows[0].words, ("The", "end", "is"), (1.0, 0.5, 0.9), strict=True)
    ]
    rows = (replace(text.rows[0], words=tuple(words), **others),)
    return replace(page, strokes=strokes), PageText(rows)


def test_typed_words_stand_on_the_baseline_at_the_height_and_in_the_colour_of_the_ink():
    page, text = page_of_a_row()
    new_page, _ = typed(page, text, has_doubts=False)
    assert not new_page.strokes
    assert [t.text for t in new_page.typed] == ["The", "end", "is"]
    assert [t.colour for t in new_page.typed] == ["#aa0000", "#000000", "#000000"]
    assert [t.x for t in new_page.typed] == pytest.approx([40, 140, 240], abs=0.5)
    for each in new_page.typed:
        assert each.size * FONT_X_HEIGHT == pytest.approx(HEIGHT, rel=0.02)
        assert each.y + ASCENT * each.size == pytest.approx(100, abs=0.5)


def test_the_text_of_a_typed_page_has_the_words_at_their_new_places():
    new_page, new_text = typed(*page_of_a_row())
    (row,) = new_text.rows
    assert new_page.typed[1].text == "end(?)" and not row.strokes
    assert [w.marked for w in row.words] == ["The", "end(?)", "is"]
    assert [w.box[:2] for w in row.words] == [(t.x, t.y) for t in new_page.typed]


def test_a_typed_word_becomes_smaller_when_it_has_too_little_room():
    page, text = page_of_a_row()
    words = (replace(text.rows[0].words[0], text="Unaccountably"), *text.rows[0].words[1:])
    new_page, _ = typed(page, PageText((replace(text.rows[0], words=words),)))
    first, second, _ = new_page.typed
    assert first.size < second.size and 12.45 * 0.6 * first.size < 100  # `l` is narrow


@pytest.mark.parametrize("suffix", [".xopp", ".excalidraw"])
def test_ink_that_is_kept_lies_in_a_layer_below_the_words_in_every_format(tmp_path, suffix):
    page, text = page_of_a_row()
    new_page, _ = typed(page, text, keep_ink=True)
    (path,) = save_ink_pages([new_page], tmp_path / f"page{suffix}")
    (read,) = read_pages(path)
    assert read.layers == ("ink", "") and {stroke.layer for stroke in read.strokes} == {0}
    assert {each.layer for each in read.typed} == {1} and len(read.typed) == 3
    np.testing.assert_allclose(np.ptp(read.strokes[0].points[:, 0]) / read.width, 60 / 800, 0.01)


def test_ink_at_a_quarter_turn_and_ink_that_is_no_word_stays():
    page, text = page_of_a_row(turn=1)
    turned_page, turned_text = typed(page, text)
    assert turned_page.strokes == page.strokes and turned_text == text
    words = (replace(text.rows[0].words[0], text=""), *text.rows[0].words[1:])
    new_page, _ = typed(page, PageText((replace(text.rows[0], words=words, turn=0),)))
    assert new_page.strokes == page.strokes[:1] and len(new_page.typed) == 2
