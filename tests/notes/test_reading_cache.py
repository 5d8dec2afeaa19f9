"""What was read and corrected is kept, and known again by its ink."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from notes.page_text import Note
from notes.reading_cache import Library
from tests.notes.pages import text_of, written_page
from utils.checks import UserError


@pytest.fixture
def read(tmp_path):
    """Pages that were read, and a library that counts them."""
    pages = []

    def read_page(page):
        pages.append(page)
        return text_of(page)

    return pages, Library(read_page, "reader", tmp_path / "kept")


def test_a_page_is_read_once_by_each_reader(read, tmp_path):
    pages, library = read
    first = library.text_of(written_page())
    assert library.text_of(written_page()) == first and len(pages) == 1
    library.text_of(written_page(shift=1))
    replace(library, reader="another").text_of(written_page())
    assert len(pages) == 3
    for file in (tmp_path / "kept" / "pages").rglob("*.json"):
        file.write_text('{"rows": [')  # damaged: it is read again
    assert library.text_of(written_page()) == first and len(pages) == 4


def test_what_a_file_leaves_out_is_not_kept_with_the_ink(read):
    pages, library = read
    library.text_of(written_page())
    text = library.text_of(written_page(left_out=Counter({"image": 2})))
    assert text.left_out == {"image": 2, "highlighter": 1} and len(pages) == 1


def test_a_page_is_not_read_again_when_it_looks_different(read):
    """Layers and pressure, for example, do not change what is read, nor corrections of it."""
    pages, library = read
    page = written_page()
    first = library.text_of(page)
    looks = dict(layer=1, opacity=0.5, fill="#ff0000", dash=(1.0, 2.0), colour="#00ff00", width=9.0)
    strokes = tuple(replace(s, widths=np.ones(len(s.points)), **looks) for s in page.strokes)
    typed = tuple(replace(text, colour="#00ff00", layer=1) for text in page.typed)
    other = replace(page, strokes=strokes, typed=typed, paper="#000000", layers=("a", "b"))
    assert library.text_of(other) == first and len(pages) == 1


def test_a_page_is_read_where_nothing_can_be_kept(read, tmp_path):
    pages, library = read
    (tmp_path / "kept").write_text("a file in the place of the folder")
    assert library.text_of(written_page()) == text_of(written_page()) and len(pages) == 1


def test_a_corrected_word_is_right_from_then_on(read):
    _, library = read

    def note(page):
        return Note("a", [(page, library.text_of(page))])

    library.correct(note(written_page()), (1, 2, 1), "Vauxhall")
    library.correct(note(written_page()), (1, 2, 1), " Vauxhall\nRoad")  # the last counts
    library.correct(note(written_page()), (1, 2, 2), "")
    for page in (written_page(), written_page(shift=30)):  # the row may move
        text = library.text_of(page)
        assert text.rows[1].marked == "Vauxhall Road" and text.rows[0] == text_of(page).rows[0]
        assert text.rows[1].words[0].confidence == 1


@pytest.mark.parametrize(
    "place", [(2, 1, 1), (0, 2, 1), (1, 3, 1), (1, 2, 3), (1, 2, 0), (1, 1, 1)]
)
def test_a_place_without_a_written_word_is_named(read, tmp_path, place):
    page = written_page()
    with pytest.raises(UserError, match=f"{place[0]}:{place[1]}:{place[2]}: no handwritten"):
        read[1].correct(Note("a", [(page, read[1].text_of(page))]), place, "x")
    assert not (tmp_path / "kept" / "corrections").exists()


def test_damaged_corrections_are_not_overwritten(read, tmp_path):
    _, library = read
    note = Note("a", [(written_page(), library.text_of(written_page()))])
    library.correct(note, (1, 2, 1), "Vauxhall")
    (file,) = (tmp_path / "kept" / "corrections").iterdir()
    file.write_text("[")
    with pytest.raises(UserError, match=rf"{file.name}: damaged"):
        replace(library).correct(note, (1, 2, 2), "x")
    assert file.read_text() == "["
