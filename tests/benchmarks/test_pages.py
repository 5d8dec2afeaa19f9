"""Pages that the benchmark of rows makes, and what it measures."""

import numpy as np
import pytest

from benchmarks.pages import CHANGES, beside, late_marks, measured, page_of, words_of
from tests.notes.test_rows import row


def drawn():
    return page_of([(row(0), "four two"), (row(35), "more"), (row(70), "words")])


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_keeps_each_row_and_its_text(name):
    page = drawn()
    changed = CHANGES[name](page, np.random.default_rng(1))
    assert changed.texts == page.texts
    for number in range(3):
        before, after = page.row(number), changed.row(number)
        assert [len(part) for part in before] == [len(part) for part in after]


def test_marks_are_moved_to_the_end():
    page = late_marks(drawn(), np.random.default_rng(0))
    marks = [len(part) == 2 for part in page.strokes]
    assert sum(marks) > 6 and marks == sorted(marks)


def test_words_by_the_widest_gaps():
    assert [len(word) for word in words_of(row(0, (4, 3)), "two words")] == [5, 4]


def test_what_is_measured_is_worked_by_hand():
    page = drawn()

    def read(inks):
        return [str(len(ink)) for ink in inks]

    found = measured([page], read)
    assert found["strokes"] == found["pages"] == 100
    assert found["cer"] == found["given"] > 0
    lost = page._replace(rows=[page.rows[0], [*page.rows[1], *page.rows[2]]], texts=["a", "b"])
    shares = measured([lost], read)
    assert shares["pages"] == 0
    assert shares["strokes"] == pytest.approx(200 / 3)


def test_pages_beside_each_other_do_not_touch():
    page = beside(drawn(), drawn(), 4)
    ends = [np.concatenate(page.row(n))[:, 0] for n in (0, 3)]
    assert ends[0].max() < ends[1].min() and len(page.texts) == 6
