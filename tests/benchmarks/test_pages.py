"""Pages that the benchmark of rows makes, and what it measures."""

import numpy as np
import pytest

from apps.notes.page_text import PageRow, PageText, PageWord
from benchmarks import pages
from tests.apps.notes.test_rows import row


def drawn():
    return pages.page_of([(row(0), "four two"), (row(35), "more"), (row(70), "words")])


@pytest.mark.parametrize("name", pages.CHANGES)
def test_each_change_of_a_page_keeps_its_rows_and_their_texts(name):
    page = drawn()
    changed = pages.CHANGES[name](page, np.random.default_rng(1))
    assert changed.texts == page.texts
    for number in range(3):
        before, after = page.row(number), changed.row(number)
        assert [len(part) for part in before] == [len(part) for part in after]


def test_marks_are_moved_to_the_end():
    page = pages.late_marks(drawn(), np.random.default_rng(0))
    marks = [len(part) == 2 for part in page.strokes]
    assert sum(marks) > 6 and marks == sorted(marks)


def test_measures_of_pages_are_those_worked_by_hand():
    page = drawn()

    def read(inks):
        return [str(len(ink)) for ink in inks]

    shares_of_all = pages.measure_pages([page], read)
    assert shares_of_all["strokes"] == shares_of_all["pages"] == 100
    assert shares_of_all["cer"] == shares_of_all["given"] > 0
    lost = page._replace(rows=[page.rows[0], [*page.rows[1], *page.rows[2]]], texts=["a", "b"])
    shares = pages.measure_pages([lost], read)
    assert shares["pages"] == 0
    assert shares["strokes"] == pytest.approx(200 / 3)


def test_measures_of_words_are_those_worked_by_hand():
    page = drawn()  # four two more words
    words = [("four", 0.99), ("too", 0.9), ("more", 0.5), ("swords", 0.6)]
    row = PageRow(tuple(PageWord(text, (0, 0, 1, 1), sure) for text, sure in words), (0,), "a")
    read = [(page, PageText((row,))), (page._replace(texts=["too"]), PageText(()))]
    assert pages.sure_words(read) == {"sure": 50, "of these right": 50, "right": 50}
    # Of four, two, more, words and too, two is not found, nor words, and too is not there.
    assert pages.searched_words(read) == {"found": 40, "false": pytest.approx(100 / 3)}


def test_places_of_words_are_counted_by_true_rows():
    page = drawn()._replace(texts=["four two", "more four", "two words"])
    read = [("four", "two"), ("more", "faur"), ("four", "words")]
    rows = []
    for numbers, texts in zip(page.rows, read, strict=True):
        halves = np.array_split(numbers, 2)
        words = [
            PageWord(text, (0, 0, 1, 1), strokes=tuple(half.tolist()))
            for text, half in zip(texts, halves, strict=True)
        ]
        rows.append(PageRow(tuple(words), tuple(numbers)))
    counts = pages.searched_occurrences([(page, PageText(tuple(rows)))], ["four", "two"])
    assert counts == {
        **{"all": 4, "found": 2, "false": 1},  # "two" of the last row was read as "four"
        **{"perhaps found": 1, "perhaps false": 0},
    }


def test_parts_of_words_count_as_words():
    assert pages.words_with_parts("It's (well-known), no.") == {
        *("it's", "it", "s", "well-known", "well", "known", "no")
    }
