"""Formulas on pages: written by the hand, placed in rows, the same for a seed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from apps.pages import PageOptions, Paper, load_report, rewrite, save_report, write_page
from apps.pages.layout import fill_pages
from apps.pages.paragraphs import Paragraph
from apps.pages.source_text import PageText, check_texts
from apps.pages.text_lines import with_even_figures
from apps.pages.written_word import WrittenWord
from base.run.pretrained import pretrained
from model import load
from utils.checks import UserError

ON = "---\nformulas: on\n---\n"
OPTIONS = PageOptions(paper=Paper(width=150, height=200), proofread=False, seed=2)
TEXT = (
    ON
    + "Solve $x^2 = \\frac{1}{4}$, for $5.\n$$\\sum_{k=1}^n k = \\frac{n(n+1)}{2}$$\nThat is all."
)


@pytest.fixture(scope="module")
def writer():
    return load("open_writer", "cpu")


@pytest.fixture(scope="module")
def pages(writer):
    return write_page(TEXT, writer, OPTIONS)


def strokes_of(pages):
    return [stroke for page in pages for row in page.rows for stroke in row.strokes]


def test_a_formula_is_a_word_of_its_row_with_the_signs_behind_it(pages):
    assert [row.text for row in pages[0].rows] == [
        r"Solve $x^2 = \frac{1}{4}$, for $5.",
        r"$$\sum_{k=1}^n k = \frac{n(n+1)}{2}$$",
        "That is all.",
    ]
    words = [word.text for word in pages[0].rows[0].words]
    assert words == ["Solve", r"$x^2 = \frac{1}{4}$,", "for", "$5."]
    assert pages.find("all") == [(1, 3, 3)]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_page_and_another_one_another(writer, pages):
    again = strokes_of(write_page(TEXT, writer, OPTIONS))
    assert all(map(np.array_equal, strokes_of(pages), again))
    text = ON + "$+ = +$"
    first, second, third = (
        strokes_of(write_page(text, writer, PageOptions(proofread=False, seed=seed)))
        for seed in (0, 0, 1)
    )
    assert all(map(np.array_equal, first, second))
    assert not all(map(np.array_equal, first, third))


@pytest.mark.slow
def test_dollars_are_text_unless_formulas_are_on(writer):
    text = "a $x$ b \\$ $$y$$"
    pages = write_page(text, writer, OPTIONS)
    assert pages[0].rows[0].text == text
    assert not [remark for remark in pages.remarks if "LaTeX" in remark]
    powers = write_page("a b\n$a^2$ $5", writer, OPTIONS)
    assert [remark for remark in powers.remarks if remark.startswith("line 2 has LaTeX")]
    off = write_page(ON + "$x$\n---\nformulas: off\n---\n" + text, writer, OPTIONS)
    assert [row.text for row in off[0].rows] == ["$x$", text]


def test_a_formula_on_a_row_of_its_own_is_centred(pages):
    row = pages[0].rows[1]
    x = np.concatenate(row.strokes)[:, 0]
    paper = OPTIONS.paper
    assert (x.min() + x.max()) / 2 == pytest.approx((paper.left + paper.right) / 2, abs=0.5)


@pytest.mark.slow
def test_a_number_and_its_formula_stand_in_one_row_at_the_left(writer):
    pages = write_page(ON + "(1) $$x = \\frac{1}{2}$$", writer, OPTIONS)
    (row,) = pages[0].rows
    assert [word.text for word in row.words] == ["(1)", r"$$x = \frac{1}{2}$$"]
    assert np.concatenate(row.strokes)[:, 0].min() == pytest.approx(OPTIONS.paper.left, abs=2.0)


@pytest.mark.slow
def test_a_letter_has_one_form_in_the_rows_of_a_text(writer):
    pages = write_page(ON + "$x$ and\n$$x = x$$", writer, OPTIONS)
    inline, display = pages[0].rows
    count = inline.words[0].strokes
    first, second = (np.concatenate(row.strokes[:count]) for row in (inline, display))
    assert len(first) == len(second)
    assert np.ptp(first, axis=0) == pytest.approx(np.ptp(second, axis=0), rel=0.2)


def test_rows_are_as_high_as_their_formulas_need_and_no_higher():
    """Lines of 10 mm; a word needs 4 mm more above and 3 mm more below."""
    line = np.array([[0.0, 0.0], [5.0, 0.0]])
    usual = Paragraph([WrittenWord((line,), 5.0, 1.0, "a")], 10.0)
    high = Paragraph([WrittenWord((line,), 5.0, 1.0, "$a$", rise=4.0, drop=3.0)], 10.0)
    paper = Paper(width=100, height=200, margins=(20, 20, 20, 20))
    (page,) = fill_pages([high, usual, high, high, usual], paper)
    assert np.diff([paper.top, *(row.baseline for row in page.rows)]).tolist() == [
        10 + 4, 10 + 3, 10 + 4, 10 + 3 + 4, 10 + 3
    ]  # fmt: skip
    # The last row would reach below the margin with what it needs below it.
    num_rows = [len(page.rows) for page in fill_pages([*[usual] * 15, high], paper)]
    assert sum(num_rows) == 16 and num_rows[0] < 16


def test_a_formula_keeps_its_height_beside_numbers():
    stroke = np.array([[0.0, 0.0], [0.0, -2.0]])
    number = WrittenWord((stroke,), 1.0, 1.0, "12")
    formula = WrittenWord((2 * stroke,), 1.0, 1.0, "$2^2$", is_formula=True)
    even = with_even_figures([number, number, formula, replace(formula, is_formula=False)])
    assert even[2] is formula and even[3].strokes[0][1, 1] > -4.0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (r"so $a + \foo$", r"the text, line 4, column 9: \\foo cannot be set"),
        (r"$\text{é ж}$", "the text, line 4, column 1: the network does not know 'ж'"),
        (r"√ $x$ ж", "the network does not know '√' .* in line 4, column 1, 'ж' .*column 7"),
    ],
)
def test_faults_are_named_before_a_network_is_loaded(line, message):
    with pytest.raises(UserError, match=message):
        check_texts([PageText(ON + line)], PageOptions(), pretrained()["writer"])


@pytest.mark.slow
def test_a_formula_that_is_too_wide_is_named(writer):
    with pytest.raises(UserError, match=r"the text, line 4, column 4: .* times as wide as its row"):
        write_page(ON + "so $" + "a" * 60 + "$", writer, OPTIONS)


def test_a_formula_is_not_written_again(writer, pages, tmp_path):
    with pytest.raises(UserError, match="1:1:2 is a formula, which only another --seed"):
        rewrite(pages, [(1, 1, 2)], writer)
    save_report(tmp_path / "report.json", pages)
    assert json.loads((tmp_path / "report.json").read_text())["looks"][0]["formulas"]
    again = load_report(tmp_path / "report.json")
    assert all(map(np.array_equal, strokes_of(pages), strokes_of(again)))
