"""Words that are written again: they change, and nothing else does."""

import json
from dataclasses import replace

import numpy as np
import pytest

from apps.pages import PageOptions, Paper, load_report, rewrite, save_report, write_page
from apps.pages.pages import Pages
from apps.pages.proofreading import CheckedWord
from apps.pages.rewriting import exchanged, index_of, may_replace
from apps.pages.written_word import WrittenWord, span
from ink.drawing.layers import PlacedWord, Row
from model import load
from model.drawing.page import Page
from tests.commands.networks import save
from utils.checks import UserError

ROW = ((10, 10), (24, 10), (38, 10))
COLUMNS = ((10, 10), (40, 10))
RAISED = ((10, 10), (20, 3))
ITEM = ((10, 2), (16, 10), (30, 10))


@pytest.mark.parametrize(
    ("spans", "number", "widths", "edge", "expected"),
    [
        (ROW, 1, (6,), 60, (26, 32)),  # in the middle between 20 and 38 mm
        (ROW, 1, (99, 12, 4), 60, (27, 31)),  # the first that leaves usual gaps
        (ROW, 1, (99, 12, 11), 60, (23.5, 34.5)),  # the first that fits
        (ROW, 1, (16, 13), 60, (23.2, 34.8)),  # narrowed, 0.8 of a usual gap is left
        (ROW, 1, (16,), 60, None),
        (ROW, 0, (3,), 60, (10, 13)),
        (ROW, 0, (10.8,), 60, (10, 20.8)),
        (ROW, 2, (20,), 60, (38, 58)),
        (ROW, 2, (22.8,), 60, (37.2, 60)),
        (ROW, 2, (6,), 48, (42, 48)),  # at the margin
        (COLUMNS, 1, (6,), 90, (40, 46)),
        (ITEM, 1, (6,), 90, (16, 22)),
        (RAISED, 0, (6,), 90, (14, 20)),
        (RAISED, 1, (2,), 90, (20, 22)),
    ],
)
def test_a_new_word_takes_the_place_of_the_old_if_it_fits(spans, number, widths, edge, expected):
    """The usual gap is 4 mm."""
    strokes = tuple(np.array([[left, 50.0], [left + width, 48.0]]) for left, width in spans)
    texts = ["-" if spans is ITEM else "ab", *["ab"] * (len(spans) - 1)]
    words = tuple(
        PlacedWord(text, 1, joined=spans is RAISED and not k) for k, text in enumerate(texts)
    )
    lines = (np.array([[0.0, -1.0], [width, -2.0]]) for width in widths)
    tried = [WrittenWord((line,), line[1, 0], 0.0, "ab") for line in lines]
    row = Row(strokes, words=words, baseline=50.0)
    changed = exchanged(row, number, tried, 4.0, edge)
    if expected is None:
        assert changed is None
        return
    new, _ = changed
    assert span(new.strokes[number : number + 1]) == pytest.approx(expected)
    assert new.strokes[number][0, 1] == 49.0
    assert [word.rewritten for word in new.words] == [k == number for k in range(len(spans))]
    for other in {*range(len(spans))} - {number}:
        assert new.strokes[other] is row.strokes[other]


@pytest.fixture(scope="module")
def networks_and_pages(tmp_path_factory):
    """An untrained network, and what it writes; all of it is doubtful."""
    folder = tmp_path_factory.mktemp("rewriting")
    writer = load(save(folder / "writer", "SynthesisNetwork", window_advance=0.3), "cpu")
    options = PageOptions(
        paper=Paper(5000.0, 5000.0, (1000.0,) * 4), bias=1.0, seed=3, tries=1, slant=5.0,
        reader=str(save(folder / "reader", "CTCNetwork")),
    )  # fmt: skip
    text = "ab ba\n---\nslant: 9\n---\n1² a"
    return writer, write_page(text, writer, options, device="cpu")


@pytest.fixture(scope="module")
def rewritten_pages(networks_and_pages):
    return rewritten(*reversed(networks_and_pages))


def points(pages):
    return [stroke.tolist() for page in pages for row in page.rows for stroke in row.strokes]


def rewritten(pages, writer):
    """Rewrite the first word of pages."""
    return rewrite(pages, [(1, 1, 1)], writer, device="cpu")


@pytest.mark.slow
def test_a_report_is_loaded_with_all_its_pages(networks_and_pages, rewritten_pages, tmp_path):
    writer, pages = networks_and_pages
    path = tmp_path / "report.json"
    save_report(path, pages)
    loaded = load_report(path)
    assert points(loaded) == points(pages) and loaded.doubts == pages.doubts
    assert loaded.origin == pages.origin and list(loaded) != []
    assert json.loads(path.read_text())["doubts"] == pages.doubts
    assert points(rewritten(loaded, writer)) == points(rewritten_pages)


def test_only_the_words_that_are_named_change(networks_and_pages, rewritten_pages):
    _, pages = networks_and_pages
    (row, other), (before, same) = rewritten_pages[0].rows, pages[0].rows
    count, count_before = row.words[0].strokes, before.words[0].strokes
    assert [*map(id, other.strokes)] == [*map(id, same.strokes)]
    assert [*map(id, row.strokes[count:])] == [*map(id, before.strokes[count_before:])]
    assert points(rewritten_pages)[:count] != points(pages)[:count]


@pytest.mark.slow
def test_a_word_is_different_each_time_it_is_written_again(networks_and_pages, rewritten_pages):
    second = rewritten(rewritten_pages, networks_and_pages[0])
    assert points(second) != points(rewritten_pages) and second[0].rows[0].words[0].rewritten == 2


@pytest.mark.slow
def test_a_doubtful_word_stays_unless_a_better_word_is_written(networks_and_pages):
    writer, pages = networks_and_pages
    assert {address[:2] for address in pages.doubtful} == {(1, 1), (1, 2)}
    tried = rewrite(pages, None, writer, device="cpu")
    assert points(tried) == points(pages) and tried.doubts == pages.doubts
    assert any("stays as it was: none of 12 tries fits and" in note for note in tried.remarks)
    assert "another --seed or --style" in tried.remarks[-1]
    assert tried[0].rows[0].words[0].rewritten == 1  # so that the next time others are tried


def test_pages_without_doubtful_words_are_as_they_were_when_these_are_to_be_written(
    networks_and_pages,
):
    writer, pages = networks_and_pages
    words = [replace(word, doubt="") for word in pages[0].rows[0].words]
    page = replace(pages[0], rows=(replace(pages[0].rows[0], words=tuple(words)),))
    again = rewrite(Pages([page], pages.proofread[:2], [], pages.origin), None, writer)
    assert again.remarks == ["nothing is doubtful"] and points(again) == points([page])


@pytest.mark.parametrize(
    ("new", "old", "is_doubtful", "expected"),
    [
        ({"doubt": 3.0, "errors": 1}, {}, False, False),  # "Box" became "Bot".
        ({"doubt": 3.0, "errors": 1}, {"doubt": 9.0, "errors": 1}, False, True),
        ({"doubt": 0.05}, {}, False, True),  # Both are accepted: another one is wanted.
        ({"doubt": 9.0}, {"doubt": 9.5, "errors": 1}, True, False),
        ({"doubt": 0.05}, {"doubt": 9.5, "errors": 1}, True, True),
    ],
)
def test_a_try_that_is_read_worse_does_not_replace_a_word(new, old, is_doubtful, expected):
    word = WrittenWord((), 1.0, 0.0, "Box")
    tried = CheckedWord((word,), "Box", **new)
    tried = replace(tried, words=(replace(word, doubt=tried.reason),))
    assert may_replace(tried, CheckedWord((), "Box", **old), is_doubtful) == expected


def test_addresses_count_words_by_the_blanks_between_them():
    """A word has a raised part, and a stroke runs through two words."""
    words = (
        PlacedWord("10", 1, joined=True),
        PlacedWord("²", 1),
        PlacedWord("a b", 1),
        PlacedWord("c", 1),
    )
    pages = [Page(9.0, 9.0, (Row((), "10² a b c", words=words),))]
    assert [index_of(pages, (1, 1, number)).word for number in (1, 2, 3, 4)] == [0, 2, 2, 3]
    for address in ((2, 1, 1), (1, 2, 1), (1, 1, 5), (0, 1, 1)):
        with pytest.raises(UserError, match=":".join(map(str, address)) + ": these pages have no"):
            index_of(pages, address)


@pytest.mark.parametrize("text", ["", "[]", '{"pages": [], "each": []}', '{"pages": 1}'])
def test_a_file_that_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(UserError, match=r"r\.json: not a report saved by `page --report FILE`"):
        load_report(tmp_path / "r.json")
