"""Pages from Python."""

import json
from dataclasses import replace

import pytest

from base.run.pretrained import pretrained
from handwriting import PageOptions, Paper, write_page
from handwriting.hands import Hand
from handwriting.page_hands import Hands
from handwriting.pages import warnings
from handwriting.text_lines import Passage
from ink.alphabet import Alphabet
from ink.geometry import DOT_INK
from model import load
from tests.commands.networks import save, use
from tests.handwriting.builders import PlannedReader
from utils.checks import UserError
from utils.licences import OPEN, RESEARCH

HUGE = Paper(5000.0, 5000.0, (1000.0,) * 4)
"""An untrained network draws far and wide."""


HARDLY_KNOWN = "open_writer hardly knows ą ł É: it writes fewer than half of them legibly"


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    return load(save(tmp_path_factory.mktemp("page") / "writer", "SynthesisNetwork"), "cpu")


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


@pytest.mark.slow
def test_the_command_and_python_write_the_same_page(writer, tmp_path):
    options = PageOptions(paper=HUGE, bias=1.0, slant=5.0, seed=3, tries=2, align="right", size=3.0)
    text = "---\ncolour: red\n---\nab 1²"
    pages = write_page(text, writer, options, device="cpu")
    (tmp_path / "text.txt").write_text(text)
    use("page", tmp_path / "text.txt", "-r", writer.path, "--paper", "5000x5000", "--margins", 1000,
        "--set", "bias=1", "--set", "slant=5", "--seed", 3, "--tries", 2, "--proofread",
        "--set", "align=right", "--set", "size=3", "--output", tmp_path / "a.json")  # fmt: skip
    pages.save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()
    write_page(text, writer, replace(options, seed=4), device="cpu").save(tmp_path / "c.json")
    assert (tmp_path / "c.json").read_text() != (tmp_path / "b.json").read_text()
    assert pages.doubts and all(doubt.startswith("page 1, row ") for doubt in pages.doubts)
    assert any(remark.startswith("CTCNetwork of ") for remark in pages.remarks)
    assert {word.tries for word in pages.proofread} == {2}


@pytest.mark.parametrize("licence", [OPEN, RESEARCH, None])
def test_readers_are_chosen_by_the_licence_of_the_writer(writer, licence):
    hands = Hands(
        replace(writer, record={**writer.record, "licence": licence}), PageOptions(), "cpu", False
    )
    first = ("open_reader.pth", OPEN) if licence == OPEN else ("reader.pth", RESEARCH)
    readers = [(reader.path.name, reader.licence) for reader in (hands.reader, hands.second_reader)]
    assert readers == [first, ("eye.pth", OPEN)]


@pytest.mark.parametrize(
    ("reader", "remarks"),
    [
        (None, [HARDLY_KNOWN]),
        (PlannedReader(), [HARDLY_KNOWN]),
        (PlannedReader(alphabet=Alphabet([*"ąłÉ"])), []),
    ],
)
def test_letters_that_neither_writer_nor_reader_knows_are_named(writer, reader, remarks):
    writer = replace(writer, path=pretrained()["open_writer"])
    hand = Hand(writer, (DOT_INK, ""), reader)
    assert warnings([Passage(hand, text) for text in ("ną", "łÉ b")]) == remarks


def test_a_paper_has_the_size_of_its_name_and_its_ruling():
    assert Paper.of("a5", landscape=True) == Paper(210.0, 148.0, (14.8,) * 4)
    assert Paper.of(ruling="ruled").spacing == 8.5 and Paper.of() == Paper()
