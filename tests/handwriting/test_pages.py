"""Pages from Python."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from base.pretrained import pretrained
from handwriting import PageOptions, Paper, write_page
from handwriting.page_hands import Hands
from handwriting.pages import looks_of, passage_width, warnings
from model import load
from tests.commands.networks import save, use
from utils.alphabet import Alphabet
from utils.checks import UserError
from utils.licences import OPEN, RESEARCH

HUGE = Paper(5000.0, 5000.0, (1000.0,) * 4)
"""An untrained network draws far and wide."""


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    return load(save(tmp_path_factory.mktemp("page") / "writer", "SynthesisNetwork"), "cpu")


@pytest.fixture(scope="module")
def pages(writer):
    options = PageOptions(paper=HUGE, line_height=1000.0, proofread=False)
    return write_page("ab\nba\na\nb", writer, options)


def test_pages_say_what_they_hold(pages):
    assert [page.text for page in pages] == ["ab\nba", "a\nb"]
    assert pages.doubts == [] and [one.text for one in pages.proofread] == ["ab", "ba", "a", "b"]
    assert all(one.tries == 1 for one in pages.proofread)
    assert (pages[0].width, len(pages[0].rows)) == (5000.0, 2)


def test_pages_save_and_show_themselves(pages, tmp_path):
    files = pages.save(tmp_path / "a.svg")
    assert [file.name for file in files] == ["a-1.svg", "a-2.svg"]
    assert pages.save(tmp_path / "all.pdf") == [tmp_path / "all.pdf"]
    for kind in ("png", "inkml", "json", "svg", "pdf"):
        pages[1].save(tmp_path / f"one.{kind}", **({"dpi": 10} if kind == "png" else {}))
        assert (tmp_path / f"one.{kind}").stat().st_size > 100
    assert json.loads((tmp_path / "one.json").read_text())["rows"][0]["text"] == "a"
    assert pages[1]._repr_svg_().startswith("<?xml") and pages._repr_html_().count("<svg") == 2
    with pytest.raises(UserError, match=r"a\.doc: a page is saved as \.svg, \.pdf"):
        pages.save(tmp_path / "a.doc")


def test_the_command_and_python_write_the_same_page(writer, tmp_path):
    options = PageOptions(paper=HUGE, bias=1.0, slant=5.0, seed=3, tries=2, align="right", size=3.0)
    text = "---\ncolour: red\n---\nab ba 1²"
    pages = write_page(text, writer, options, device="cpu")
    (tmp_path / "text.txt").write_text(text)
    use("page", tmp_path / "text.txt", "-r", writer.path, "--paper", "5000x5000", "--margins", 1000,
        "--set", "bias=1", "--set", "slant=5", "--seed", 3, "--tries", 2, "--proofread",
        "--set", "align=right", "--set", "size=3", "--output", tmp_path / "a.json")  # fmt: skip
    pages.save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()
    write_page(text, writer, replace(options, seed=4), device="cpu").save(tmp_path / "c.json")
    assert (tmp_path / "c.json").read_text() != (tmp_path / "b.json").read_text()
    assert pages.doubts and all(one.startswith("page 1, row ") for one in pages.doubts)
    assert any(one.startswith("CTCNetwork of ") for one in pages.remarks)
    assert {one.tries for one in pages.proofread} == {2}


@pytest.mark.parametrize("licence", [OPEN, RESEARCH, None])
def test_what_proofreads_is_as_free_as_what_writes(writer, licence):
    hands = Hands(
        replace(writer, record={**writer.record, "licence": licence}), PageOptions(), "cpu", False
    )
    first = ("open_reader.pth", OPEN) if licence == OPEN else ("reader.pth", RESEARCH)
    readers = [(one.path.name, one.licence) for one in (hands.reader, hands.second_reader)]
    assert readers == [first, ("eye.pth", OPEN)]


def test_a_hand_is_made_once_for_each_style_bias_and_slant(writer):
    options = PageOptions(proofread=False)
    hands = Hands(writer, options, "cpu", progress=False)
    usual, leaning, bold = looks_of(
        [{}, {"slant": 9.0}, {"bias": 2.0}], ["a"] * 3, PageOptions(size=2.0)
    )
    one, other, third = map(hands.of, (usual, leaning, bold))
    assert hands.of(usual) is one and other is not one
    assert (one.slant, other.slant, third.sampling.bias) == (None, 9.0, 2.0)
    assert other.calibration is one.calibration is not third.calibration
    assert one.primer[0] is other.primer[0] is third.primer[0]
    assert passage_width(usual, 1, Paper()) == pytest.approx(165 / 2.0)
    assert passage_width(usual, 2, Paper()) == pytest.approx(0.6 * 165 / 2.0)


def test_letters_that_neither_writer_nor_proofreader_knows_are_named(writer):
    passages = []
    for reader in (None, writer):  # Whoever proofreads has an alphabet.
        named = SimpleNamespace(path=pretrained()["open_writer"])
        hand = SimpleNamespace(writer=named, reader=reader)
        passages.append([SimpleNamespace(hand=hand, text=text) for text in ("ną", "łÉ b")])
    reader = SimpleNamespace(model=SimpleNamespace(alphabet=Alphabet([*"ąłÉ"])))
    hand = SimpleNamespace(writer=named, reader=reader)
    assert (
        warnings(passages[0])
        == warnings(passages[1])
        == ["open_writer hardly knows ą ł É: fewer than half of those that it writes can be read"]
    )
    assert warnings([SimpleNamespace(hand=hand, text="ną łÉ")]) == []


def test_paper_by_its_name():
    assert Paper.of("a5", landscape=True) == Paper(210.0, 148.0, (14.8,) * 4)
    assert Paper.of(ruling="ruled").spacing == 8.5 and Paper.of() == Paper()
