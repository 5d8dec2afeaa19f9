"""The size at which a text fits, of words that need no network."""

import numpy as np
import pytest

from handwriting import PageOptions
from handwriting.layout import set_rows, set_to_fit
from handwriting.paragraphs import COLUMN_GAP, EMPTY_COLUMN, TextLine
from handwriting.written_word import WrittenWord
from utils.checks import UserError

ROW = PageOptions().paper.column / PageOptions().usual_size
"""X-heights."""


def lines(options, kind, *cells):
    return [TextLine(number, options.look, kind, 0.0, row) for number, row in enumerate(cells)]


def word(width):
    return WrittenWord((np.array([[0.0, -1.0], [width, 0.0]]),), width, 1.0, "a")


@pytest.mark.parametrize(
    ("first", "last", "fit", "kept", "said"),
    [
        (0.5, 9, None, True, ""),  # its words run on in the column
        (0.85, 1, None, True, ""),
        (0.85, 3, None, False, "columns run on as text"),
        (0.85, 3, 1, True, "the largest that fits"),
        (1.8, 3, 1, False, "columns run on as text"),
    ],
)
def test_columns_stay_where_they_fit(first, last, fit, kept, said):
    """A word of so many rows, and words of a tenth; to fit, they become smaller."""
    options = PageOptions(fit=fit, size=PageOptions().usual_size)
    tenth = word(0.1 * ROW - 1.0)
    cells = [[[word(first * ROW)], [tenth] * last], [[tenth], [tenth]]]
    paragraphs, notes = set_to_fit(lines(options, "table", *cells), options)
    assert [bool(one.lead) for one in paragraphs] == [kept] * 2
    assert any(said in note for note in notes) if said else not notes


@pytest.mark.parametrize("lead", [[], [word(0.1 * ROW)]])
@pytest.mark.parametrize("width", [0.7, 1.6])
def test_a_long_word_that_is_to_fit_stays_within_its_row(width, lead):
    options = PageOptions(fit=1)
    cells = [[lead, [word(width * ROW)]] if lead else [[word(width * ROW)]]]
    paragraphs, _ = set_to_fit(lines(options, "table", *cells), options)
    ((row, _),) = set_rows(paragraphs, options.paper)
    right = options.paper.width - options.paper.margins[1]
    assert 0.9 * right < max(stroke[:, 0].max() for stroke in row.strokes) <= right + 1e-6


def test_cells_stand_in_their_columns_whatever_is_empty():
    """Of a table with words two x-heights wide: what is behind the last tab may be wider."""
    options = PageOptions(size=1.0)
    ab, wide = [word(2.0)], [word(20.0)]
    table = [[ab, wide, ab], [ab, [], ab], [[], [], ab], [ab, wide * 2], [ab], [ab, ab, [], ab]]
    paragraphs, _ = set_to_fit(lines(options, "table", *table), options)
    rows = [row for row, _ in set_rows(paragraphs, options.paper)]
    starts = [0.0, 3.0 + COLUMN_GAP, 24.0 + 2 * COLUMN_GAP, 24.0 + EMPTY_COLUMN + 3 * COLUMN_GAP]
    found = [[stroke[0, 0] - options.paper.margins[3] for stroke in row.strokes] for row in rows]
    first, second, third, fourth = starts
    expected = [[first, second, third], [first, third], [third], [first, second, second + 21],
                [first], [first, second, fourth]]  # fmt: skip
    assert found == [pytest.approx(own) for own in expected]


def test_what_does_not_fit_is_refused():
    options = PageOptions(fit=1, size=50.0)
    with pytest.raises(UserError, match="--fit 1: there is no size from 50 to 25 mm at which the"):
        set_to_fit(lines(options, "text", *[[[word(1.0)]]] * 9), options)
