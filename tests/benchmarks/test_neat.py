"""Pages on which a person confirmed and corrected words."""

from benchmarks.neat import corrected
from benchmarks.pages import NotesPage
from notes.page_text import PageRow, PageText, PageWord


def test_words_read_right_or_corrected_have_confidence_1_and_words_without_a_match_0():
    rows = ["the hat cat", "sits , there"]
    words = (PageRow(tuple(PageWord(word, (), 0.5) for word in row.split())) for row in rows)
    page = NotesPage(strokes=[], rows=[], texts=["the fat cat", "sits there"])
    checked = [word for row in corrected(page, PageText(tuple(words))).rows for word in row.words]
    assert [word.text for word in checked] == ["the", "fat", "cat", "sits", ",", "there"]
    assert [word.confidence for word in checked] == [1, 1, 1, 1, 0, 1]
