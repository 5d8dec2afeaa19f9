"""Pages from Python."""

import json
from dataclasses import replace
from itertools import pairwise
from weakref import WeakSet

import numpy as np
import pytest

from apps.pages import PageOptions, PageText, Paper, page_hands, text_lines, write_page, write_pages
from apps.pages import pages as pages_module
from apps.pages.front_matter import SourceLine
from apps.pages.page_hands import Hands
from apps.pages.pages import _without_effect, check_words, numbered_options
from apps.pages.proofreading import MISSING_WORD
from apps.pages.rewriting import load_report, save_report
from ink.formats.pdf.pages import words_of
from model import load
from tests.commands.networks import save, use
from tests.ink.formats.svg.small_font import svg_font
from utils.checks import UserError
from utils.licences import OPEN, RESEARCH_ONLY

HUGE = Paper(5000.0, 5000.0, (1000.0,) * 4)
"""An untrained network draws far and wide."""


HARDLY_KNOWN = "open_writer hardly knows œ: it writes fewer than half of them legibly"


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "writer"
    return load(save(path, "SynthesisNetwork", window_advance=0.1), "cpu")


@pytest.fixture(scope="module")
def pages(writer):
    options = PageOptions(paper=HUGE, line_height=1000.0, proofread=False)
    return write_page("ab\nba\na\nb", writer, options)


def test_pages_have_their_texts_words_doubts_and_sizes(pages):
    assert [page.text for page in pages] == ["ab\nba", "a\nb"]
    words = [(word.text, word.tries) for word in pages.proofread]
    assert pages.doubts == [] and words == [("ab", 1), ("ba", 1), ("a", 1), ("b", 1)]
    assert (pages[0].width, len(pages[0].rows)) == (5000.0, 2)


def test_pages_are_saved_as_a_file_each_or_as_a_single_pdf(pages, tmp_path):
    files = pages.save(tmp_path / "a.svg")
    assert [file.name for file in files] == ["a-1.svg", "a-2.svg"]
    assert pages.save(tmp_path / "all.pdf") == [tmp_path / "all.pdf"]


@pytest.mark.parametrize(
    ("kind", "beginning"),
    [("png", b"\x89PNG"), ("inkml", b"<?xml"), ("json", b"{"), ("svg", b"<?xml"), ("pdf", b"%PDF")],
)
def test_a_page_is_saved_in_the_format_of_its_name(pages, tmp_path, kind, beginning):
    pages[1].save(tmp_path / f"a.{kind}", **({"dpi": 10} if kind == "png" else {}))
    content = (tmp_path / f"a.{kind}").read_bytes()
    assert content.startswith(beginning) and len(content) > 100
    assert kind != "json" or json.loads(content)["rows"][0]["text"] == "a"


def test_a_page_is_not_saved_in_an_unknown_format(pages, tmp_path):
    with pytest.raises(UserError, match=r"a\.doc: a page is saved as \.svg, \.pdf"):
        pages.save(tmp_path / "a.doc")


def test_a_notebook_shows_pages_as_pictures(pages):
    assert pages[1]._repr_svg_().startswith("<?xml") and pages._repr_html_().count("<svg") == 2


def heights(pages):
    """Return the height of the ink of each word."""
    (page,) = pages
    ends = np.cumsum([0, *(word.strokes for word in page.rows[0].words)])
    words = [page.rows[0].strokes[first:end] for first, end in pairwise(ends.tolist())]
    return [np.ptp(np.concatenate(word)[:, 1]) for word in words]


@pytest.mark.slow
def test_several_texts_are_written_each_as_alone_with_other_seeds_in_one_hand(writer, monkeypatch):
    """Rounding apart, which batches change. The hands of a network's own differ by their seeds."""
    options = PageOptions(paper=HUGE, proofread=False, style="own", seed=2)
    texts = [PageText("ab ba", number=number) for number in range(3)]
    together = [heights(pages) for pages in write_pages(texts, writer, options)]
    alone = heights(write_page("ab ba", writer, options))
    later = [heights(pages) for pages in write_pages(texts[2:], writer, options)]
    assert together[0] == pytest.approx(alone, rel=1e-3)
    assert together[2] == pytest.approx(later[0], rel=1e-3)
    assert len({round(number, 4) for each in together for number in each}) == 6
    primers = []
    monkeypatch.setattr(page_hands, "own_hand", lambda *given, **_: primers.append(given[1]))
    for number in (0, 2):
        with pytest.raises(TypeError):  # Of the None in place of a hand.
            Hands(writer, numbered_options(options, number), "cpu", False).of(options.look)
    assert primers == [2, 2]


def test_texts_are_made_when_they_are_written_and_not_kept(tmp_path, monkeypatch):
    """At most those of a batch of lines, and the one that is yielded."""
    font = tmp_path / "font.svg"
    font.write_text(svg_font())
    alive, most, usual = WeakSet(), [0], pages_module.prepared

    def counted(*given):
        text = usual(*given)
        alive.add(text)
        most[0] = max(most[0], len(alive))
        return text

    monkeypatch.setattr(pages_module, "prepared", counted)
    monkeypatch.setattr(text_lines, "BATCH_SIZE", 3)
    monkeypatch.setattr(pages_module.PreparedText, "__hash__", object.__hash__)
    texts = [PageText("no fox" if number % 3 else "....", number=number) for number in range(20)]
    shown = [pages[0].text for pages in write_pages(texts, options=PageOptions(pen_font=font))]
    assert shown == [text.text for text in texts]
    assert most[0] <= 6


def test_the_faults_of_all_texts_are_named_before_a_line_is_written(writer, monkeypatch):
    monkeypatch.setattr(text_lines, "write_words", lambda *_: pytest.fail("a line was written"))
    texts = [PageText("ab"), PageText("a ☃", "b.txt"), PageText("---\nsize: 0\n---\n", "c.txt")]
    for faulty, message in (
        (texts[:2], "b.txt.* does not know '☃'"),
        (texts[::2], "c.txt, line 2: size: '0': a number"),
        ([*texts[1:2], PageText("√☃", "d.txt")], r"2 texts: 2 faults\n  b.txt.*☃.*\n  d.txt.*'√'"),
        # As of one text for two records of a table, where a name before it is longer.
        ([PageText("a ☃", "b (1)"), PageText("abc ☃", "b (2)")], r"^b \(1\).*☃.* \(in 2 texts\)$"),
    ):
        with pytest.raises(UserError, match=message):
            write_pages(faulty, writer, PageOptions(paper=HUGE, proofread=False))


@pytest.mark.slow
def test_the_command_and_python_write_the_same_page(writer, tmp_path):
    options = PageOptions(paper=HUGE, bias=1.0, slant=5.0, seed=5, tries=2, align="right", size=3.0)
    text = "---\ncolour: red\n---\nab 1²"
    pages = write_page(text, writer, options, device="cpu")
    (tmp_path / "text.txt").write_text(text)
    use("page", tmp_path / "text.txt", "-r", writer.path, "--paper", "5000x5000", "--margins", 1000,
        "--set", "bias=1", "--set", "slant=5", "--seed", 5, "--tries", 2, "--proofread",
        "--set", "align=right", "--set", "size=3", "--output", tmp_path / "a.json")  # fmt: skip
    pages.save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()
    assert pages.doubts and all(doubt.startswith("page 1, row ") for doubt in pages.doubts)
    assert any(source.startswith("CTCNetwork of ") for source in pages.sources)
    assert {word.tries for word in pages.proofread} == {2}


@pytest.fixture(scope="module")
def listed(writer):
    """The page of a list, with raised signs and fills; the word `cab` could not be written."""
    usual = text_lines.write_words

    def without_cab(*given):
        lines = usual(*given)
        return [[without_ink(word) if word.text == "cab" else word for word in line]
                for line in lines]  # fmt: skip

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_lines, "write_words", without_cab)
        options = PageOptions(paper=HUGE, line_height=300.0, proofread=False)
        return write_page(LIST, writer, options)


LIST = "- a (ab)\n1. ab\t10² ____ b\ncab ab, a"


def without_ink(word):
    """Return a word for which the network drew nothing."""
    (written,) = word.words
    return replace(word, words=(replace(written, strokes=()),), faults=(MISSING_WORD,))


def test_a_word_that_could_not_be_written_is_named_by_itself_and_keeps_its_place(listed):
    (page,) = listed
    assert page.text == "- a (ab)\n1. ab 10² ____ b\ncab ab, a"
    assert listed.missing == listed.doubtful == [(1, 3, 1)]
    assert listed.doubts == [f"page 1, row 3, word 1, 'cab': {MISSING_WORD}"]
    assert [word.text for word in words_of(page.rows[2])] == ["cab", "ab,", "a"]  # of a PDF
    row = page.rows[2]
    places = np.cumsum([0] + [word.strokes for word in row.words])
    left = [row.strokes[start][:, 0].min() for start in places[:2]]
    assert left[0] < row.strokes[0][:, 0].max() < left[1]


def test_pages_tell_where_each_word_is(listed):
    (page,) = listed
    texts = [row.text.split() for row in page.rows]
    assert len(listed.words) == sum(map(len, texts))
    assert all(texts[row - 1][number - 1] == text for (_, row, number), text in listed.words)
    assert len(listed.proofread) == len([*listed.placed()])
    for (_, placed), word in zip(listed.placed(), listed.proofread, strict=True):
        assert placed.text == word.words[0].text


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("ab", [(1, 1, 3), (1, 2, 2), (1, 3, 2)]),  # with or without the signs around it
        ("ab,", [(1, 3, 2)]),
        ("ab:2", [(1, 2, 2)]),
        ("10²", [(1, 2, 3)]),
        ("-", [(1, 1, 1)]),
    ],
)
def test_words_are_found_by_their_text(listed, text, addresses):
    assert listed.find(text) == addresses


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ab:4", "'ab:4': these pages have 3 such words"),
        ("ab:0", "'ab:0': these pages have 3 such words"),
        ("cub", "'cub': no word of these pages; did you mean cab"),
    ],
)
def test_a_text_that_no_word_has_is_refused(listed, text, message):
    with pytest.raises(UserError, match=message):
        listed.find(text)


@pytest.mark.parametrize("lines", [["- a (ab)", "1. ab"], [*LIST.split("\n"), "b"]])
def test_pages_with_other_words_than_their_text_are_an_error_of_the_program(listed, lines):
    check_words(listed, LIST.split("\n"))
    with pytest.raises(AssertionError):
        check_words(listed, lines)


def test_an_option_is_named_if_front_matter_replaces_it_in_all_lines_with_a_text():
    def named(size, *values):
        lines = [SourceLine(each, "text", number) for number, each in enumerate(values, 1)]
        lines.append(SourceLine({}, " ", 9))
        return [*_without_effect(lines, PageOptions(size=size))]

    (remark,) = named(7.0, {"size": 6.0}, {"size": 5.0})
    assert remark == "size 7.0 has no effect: the front matter of all lines has another"
    assert named(7.0, {"size": 6.0}, {}) == named(7.0, {"size": 7.0}) == []
    assert named(7.0, {"bias": 2.0}) == named(PageOptions.size, {"size": 6.0}) == []


@pytest.mark.slow
def test_no_break_blanks_and_soft_hyphens_are_obeyed(tmp_path):
    """Those of a word processor; the parts of a word have its reading, also in a report."""
    options = PageOptions(paper=Paper.of((88.0, 100.0), margins=(5.0,) * 4))
    text = (
        "we\u202fare all well and the extraordinary garden\u00adhouse\n\u00a0the garden\u00a0house"
    )
    pages = write_page(text, load("open_writer", "cpu"), options)
    rows = [row.text for page in pages for row in page.rows]
    assert rows[:3] == ["we are all well and the", "extraordinary garden-", "house"]
    assert not pages.remarks
    texts = [word.text for _, word in pages.placed()]
    assert len(pages.proofread) == len(texts) == 12
    place = texts.index("garden-")
    assert pages.proofread[place] is pages.proofread[place + 1]
    assert pages.proofread[place].words[0].text == "gardenhouse"
    save_report(tmp_path / "report.json", pages)
    again = load_report(tmp_path / "report.json")
    assert [word for _, word in again.placed()] == [word for _, word in pages.placed()]


@pytest.mark.parametrize("licence", [OPEN, RESEARCH_ONLY, None])
def test_readers_are_chosen_by_the_licence_of_the_writer(writer, licence):
    hands = Hands(
        replace(writer, record={**writer.record, "licence": licence}), PageOptions(), "cpu", False
    )
    first = ("open_reader.pth", OPEN) if licence == OPEN else ("reader.pth", RESEARCH_ONLY)
    readers = [(reader.path.name, reader.licence) for reader in (hands.reader, hands.second_reader)]
    assert readers == [first, ("eye.pth", OPEN)]


def test_a_paper_has_the_size_of_its_name_and_its_ruling():
    assert Paper.of("a5", landscape=True) == Paper(210.0, 148.0, (14.8,) * 4)
    assert Paper.of(ruling="ruled").spacing == 8.5 and Paper.of() == Paper()
