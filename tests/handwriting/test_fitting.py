"""The size at which a text fits, of words that need no network."""

import numpy as np
import pytest

from handwriting import PageOptions
from handwriting.fitting import set_to_fit
from handwriting.layout import Word, set_rows
from handwriting.setting import Setting

ROW = PageOptions().paper.column / PageOptions().usual_size
"""X-heights."""


def word(width):
    return Word((np.array([[0.0, -1.0], [width, 0.0]]),), width, 1.0, "a")


@pytest.mark.parametrize(
    ("first", "last", "fit", "kept", "said"),
    [
        (0.5, 9, None, True, ""),  # its words run on in the column
        (0.85, 1, None, True, ""),
        (0.85, 3, None, False, "columns run on as text"),
        (0.85, 3, 1, True, "the largest that fits"),
        (2.5, 3, 1, False, "columns run on as text"),
    ],
)
def test_columns_stay_where_they_fit(first, last, fit, kept, said):
    """A word of so many rows, and words of a tenth; to fit, they become smaller."""
    options = PageOptions(fit=fit, size=PageOptions().usual_size)
    tenth = word(0.1 * ROW - 1.0)
    cells = [[[word(first * ROW)], [tenth] * last], [[tenth], [tenth]]]
    setting = Setting([options.look] * 2, [0.0] * 2, cells, options.paper, None)
    paragraphs, notes = set_to_fit(setting, options)
    assert [bool(one.lead) for one in paragraphs] == [kept] * 2
    assert any(said in note for note in notes) if said else not notes


@pytest.mark.parametrize("lead", [[], [word(0.1 * ROW)]])
@pytest.mark.parametrize("width", [0.7, 1.6])
def test_a_long_word_that_is_to_fit_stays_within_its_row(width, lead):
    options = PageOptions(fit=1)
    cells = [[lead, [word(width * ROW)]] if lead else [[word(width * ROW)]]]
    paragraphs, _ = set_to_fit(Setting([options.look], [0.0], cells, options.paper, None), options)
    ((row, _),) = set_rows(paragraphs, options.paper)
    right = options.paper.width - options.paper.margins[1]
    assert 0.9 * right < max(stroke[:, 0].max() for stroke in row.strokes) <= right + 1e-6
