"""Typed text in the place of ink, at known places and heights."""

import time
from dataclasses import replace

import numpy as np
import pytest

from apps.notes.ink_form import InkForm, in_form
from apps.notes.page_text import Note, PageRow, PageText, PageWord, Summary
from apps.notes.reading import read_page
from apps.notes.rows import UNDERLINE
from apps.notes.typed_ink import ASCENT, DOUBT_COLOURS, FONT_SIZE, typed
from ink.drawing.fonts import advance
from ink.formats import read_pages
from model.drawing.page import save_ink_pages
from tests.apps.notes.test_neat import HEIGHT, page_of, word
from tests.apps.notes.test_reading import Words
from utils.checks import UserError


def page_of_a_row(**others):
    page, text = page_of([[word(40), word(140), word(240)]])
    strokes = (replace(page.strokes[0], colour="#aa0000"), *page.strokes[1:])
    words = [
        replace(w, text=t, confidence=c)
        for w, t, c in zip(text.rows[0].words, ("The", "end", "is"), (1.0, 0.5, 0.9), strict=True)
    ]
    rows = (replace(text.rows[0], words=tuple(words), **others),)
    return replace(page, strokes=strokes), PageText(rows)


def test_a_row_has_one_baseline_one_size_and_the_blanks_of_the_font():
    page, text = page_of_a_row()
    new_page, new_text = typed(page, text, has_doubts=False)
    assert not new_page.strokes
    first, second = new_page.typed
    assert (first.text, first.colour) == ("The", "#aa0000")
    assert (second.text, second.colour) == ("end is", "#000000")
    assert first.x == pytest.approx(40, abs=0.5)
    assert second.x == pytest.approx(first.x + first.size * advance("The "))
    for each in new_page.typed:
        assert each.size == pytest.approx(FONT_SIZE * HEIGHT, rel=0.02) == first.size
        assert each.y + ASCENT * each.size == pytest.approx(100, abs=0.5)
    (row,) = new_text.rows
    widths = [advance(w.text) * first.size for w in row.words]
    assert [w.box[2] - w.box[0] for w in row.words] == pytest.approx(widths)


def test_unsure_words_have_another_colour_and_no_question_mark():
    page, text = page_of_a_row()
    new_page, new_text = typed(page, text)
    assert [t.text for t in new_page.typed] == ["The", "end", "is"]
    assert [t.colour for t in new_page.typed] == ["#aa0000", DOUBT_COLOURS[0], "#000000"]
    (row,) = new_text.rows
    assert not row.strokes and [w.marked for w in row.words] == ["The", "end(?)", "is"]
    assert [w.box[:2] for w in row.words] == [(t.x, t.y) for t in new_page.typed]
    orange = tuple(replace(stroke, colour="#cc5500") for stroke in page.strokes)
    new_page, _ = typed(replace(page, strokes=orange), text)
    assert new_page.typed[1].colour == DOUBT_COLOURS[1]


def test_rows_of_a_page_have_one_size_but_those_without_room_and_headings():
    rows = [[word(40, y), word(140, y), word(240, y)] for y in (100, 200, 300)]
    rows.append([word(40, 380, size=2.0), word(200, 380, size=2.0)])
    rows[1] = [word(40, 200, size=1.1), word(140, 200), word(240, 200, size=0.9)]
    page, text = page_of(rows)
    long = (replace(text.rows[2].words[0], text=60 * "n"), *text.rows[2].words[1:])
    text = PageText((*text.rows[:2], replace(text.rows[2], words=long), text.rows[3]))
    new_page, new_text = typed(page, text, has_doubts=False)
    first, second, without_room, large = new_page.typed
    assert first.size == second.size > without_room.size and large.size > 1.5 * first.size
    assert new_text.rows[2].box[2] == pytest.approx(page.width, abs=2)


def test_a_row_is_no_wider_than_up_to_the_next_column_and_a_narrow_digit_is_not_small():
    stem = np.column_stack([np.full(9, 40.0), np.linspace(180, 200, 9)])
    page, text = page_of([[word(40)], [word(140)], [stem]])
    words = ("Unaccountably", "x", "1")
    pairs = zip(text.rows, words, strict=True)
    rows = tuple(replace(r, words=(replace(r.words[0], text=w),)) for r, w in pairs)
    long, _, digit = typed(page, PageText(rows))[0].typed
    assert long.size * advance("Unaccountably") <= 100.01 and digit.size > 10


def test_a_word_behind_a_wide_gap_begins_at_its_ink_and_an_underline_goes_with_its_word():
    line = np.column_stack([np.linspace(540, 600, 9), np.full(9, 108.0)])
    page, text = page_of([[word(40), word(140), word(540)]], [line])
    number = len(page.strokes) - 1
    new_page, _ = typed(page, replace(text, kinds={number: UNDERLINE}), has_doubts=False)
    first, second = new_page.typed
    assert first.text == "nunnun nunnun" and second.x == pytest.approx(540, abs=0.5)
    x = new_page.strokes[0].points[:, 0]
    width = second.size * advance("nunnun")
    assert (x.min(), x.max()) == pytest.approx((second.x, second.x + width), abs=1)


@pytest.mark.parametrize("suffix", [".xopp", ".excalidraw"])
def test_a_typed_row_is_read_again_as_one_row(tmp_path, suffix):
    new_page, _ = typed(*page_of_a_row())
    (path,) = save_ink_pages([new_page], tmp_path / f"page{suffix}")
    (read,) = read_pages(path)
    rows = read_page(read, Words()).rows
    assert [row.text for row in rows] == ["The end is"]


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
    assert new_page.strokes == page.strokes[:1] and [t.text for t in new_page.typed] == [
        "end",
        "is",
    ]


def test_only_the_page_that_is_named_has_another_form():
    page, text = page_of_a_row()
    diary = Note("diary", [(page, text), (page, text)], Summary(pages=2))
    (first, _), (second, _) = in_form(diary, InkForm("typed", page=2)).pages
    assert first is page and not page.typed and second.typed
    with pytest.raises(UserError, match="diary: no page 3; pages: 2"):
        in_form(diary, InkForm("typed", page=3))


def test_a_row_of_many_typed_words_takes_little_time():
    page, text = page_of_a_row()
    words = PageRow(20_000 * (PageWord("a", (0.0, 0.0, 9.0, 9.0)),))
    begin = time.thread_time()
    _, new_text = typed(page, PageText((*text.rows, words)))
    assert new_text.rows[1] == words
    assert time.thread_time() - begin < 5  # 30 where each word is compared with all before it
