"""The same page in the files of several programs is read alike; what is none ends in a line."""

import gzip
import json
import os
import random
import time
from datetime import datetime

import numpy as np
import pytest

from ink import formats, guard
from ink.drawing.layers import Row
from ink.formats import read_pages, remarkable
from ink.formats.page_checks import MAX_FAULT_KINDS, OTHER_KINDS
from ink.guard import note_files
from model.drawing.page import Page
from tests.damage import damaged
from tests.data_loader import ink_formats
from tests.data_loader.archives import put
from tests.ink.formats.note_files import (
    LINE,
    MARKER,
    PEN,
    excalidraw,
    file,
    inkml,
    rm,
    rm_line,
    svg,
    xopp,
)
from utils.checks import DataError

BLUE = "#3333cc"
YELLOW = "#ffff00"
RED = "#ff0000"
BLACK = "#000000"
WRITTEN = [("pen", BLUE, points) for points in PEN] + [("highlighter", YELLOW, MARKER)]
DRAWN, TRIANGLE = ("shape", RED, LINE), ("shape", BLACK, [(1, 1), (6, 1), (6, 6), (1, 1)])
ON_XOURNALPP = [*WRITTEN, DRAWN, ("eraser", "#ffffff", PEN[1])]
ON_RM = [("pen", "#0050c8", points) for points in PEN] + [("highlighter", "#ffeb00", MARKER)]
ON_OLD_RM = [(tool, BLACK, points) for tool, _, points in WRITTEN]
TEXT = (300, 50, 12)
MIDDLE = (300, 49.5, 12)
IMAGE = {"image": 1}
NOT_READ, ERASED = IMAGE | {"formula": 1}, {"erased stroke": 1}
FILES = {
    # a file by its name, what is on its page, its typed text's place, and what is left out
    "Xournal++": ("a.xopp", xopp, ON_XOURNALPP, TEXT, NOT_READ),
    "Xournal++, not packed": ("a.xml", lambda: xopp(pack=False), ON_XOURNALPP, TEXT, NOT_READ),
    "Xournal++, zipped": ("a.xopp", lambda: file("zipped.xopp"), ON_XOURNALPP, TEXT, NOT_READ),
    "old reMarkable": ("a.rm", lambda: file("old.rm"), ON_OLD_RM, None, {}),
    "Excalidraw": ("a.excalidraw", excalidraw, [*WRITTEN, DRAWN], MIDDLE, ERASED | IMAGE),
    "Obsidian": ("a.md", lambda: file("page.md"), [*WRITTEN, DRAWN], MIDDLE, ERASED | IMAGE),
    "SVG": ("a.svg", svg, [*WRITTEN, DRAWN, TRIANGLE], TEXT, IMAGE | {"repeated shape": 1}),
    "InkML": ("a.inkml", inkml, WRITTEN, None, {}),
    "reMarkable": ("a.rm", rm, ON_RM, None, ERASED),
}  # fmt: skip


def needs_rmscene(name, content_of):
    if name == "a.rm" and content_of is not FILES["old reMarkable"][1]:
        pytest.importorskip("rmscene", reason="rmscene is not installed")


def pages_of(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    return [*read_pages(tmp_path / name)]


@pytest.mark.parametrize("form", FILES)
def test_page_has_the_same_strokes_and_text_in_each_programs_file(tmp_path, form):
    name, content_of, expected, place, left_out = FILES[form]
    needs_rmscene(name, content_of)
    (page,) = pages_of(tmp_path, name, content_of())
    looks = [(stroke.tool, stroke.colour) for stroke in page.strokes]
    assert looks == [(tool, colour) for tool, colour, _ in expected]
    moved = [page.unit * stroke.points for stroke in page.strokes]
    shift = moved[0][0] - PEN[0][0]  # the corner of a page without a size is not known
    for points, (*_, positions) in zip(moved, expected, strict=True):
        np.testing.assert_allclose(points - shift, positions, atol=0.02)
    if form in ("Xournal++", "SVG", "reMarkable"):
        sheet = (447.3, 596.4) if form == "reMarkable" else (595.2756, 841.8898)
        assert np.allclose(shift, 0, atol=0.02)
        assert page.unit * np.array([page.width, page.height]) == pytest.approx(sheet, abs=0.1)
    if place:
        (typed,) = page.typed
        at = page.unit * np.array([typed.x, typed.y, typed.size]) - [*shift, 0]
        assert typed.text == "typed & plain" and at == pytest.approx(place, abs=0.1)
    assert page.left_out == left_out
    assert page.strokes[0].width * page.unit == pytest.approx(1.41, abs=0.03)


@pytest.mark.parametrize("above", [b"", b"```json\n{}\n```\n"])
def test_a_compressed_drawing_is_read_also_below_blocks_of_the_note(tmp_path, above):
    content = file("compressed.md").replace(b"```compressed", above + b"```compressed")
    (page,) = pages_of(tmp_path, "a.md", content)
    (stroke,), (typed,) = page.strokes, page.typed
    assert typed.text == "Łódź" and stroke.colour == BLUE
    np.testing.assert_allclose(np.diff(stroke.points, axis=0), [[3, 4], [6, 5]])


@pytest.mark.parametrize(("name", "pack"), [("a.svg", bytes), ("a.svgz", gzip.compress)])
def test_outlines_of_the_program_write_are_read_as_strokes_of_its_pages(tmp_path, name, pack):
    first, second = pages_of(tmp_path, name, pack(file("write.svg")))
    assert [len(page.strokes) for page in (first, second)] == [2, 1]
    for stroke, points in zip(first.strokes, PEN, strict=True):
        np.testing.assert_allclose(stroke.points, points, atol=0.01)
        assert stroke.width == pytest.approx(1.5) and stroke.tool == "pen"
    assert (first.paper, len(first.ruling), first.left_out) == ("#fffff0", 1, {})
    assert (first.width, first.height) == (600, 800)


MARKERS = {
    "a pen": ('<brushProperty name="color" value="#3333cc"/>', "pen"),
    "yellow and wide": (
        '<brushProperty name="color" value="#ffee00"/>'
        '<brushProperty name="width" value="9" units="pt"/>',
        "highlighter",
    ),
    "white and wide": (
        '<brushProperty name="color" value="#ffffff"/>'
        '<brushProperty name="width" value="9" units="pt"/>',
        "pen",
    ),
    "transparent": ('<brushProperty name="transparency" value="128"/>', "highlighter"),
}


@pytest.mark.parametrize("kind", MARKERS)
def test_a_marker_of_inkml_is_not_taken_for_a_pen(tmp_path, kind):
    brush, tool = MARKERS[kind]
    ink = f'<brush xml:id="b">{brush}</brush><trace brushRef="#b">1 2, 3 4</trace>'
    content = f'<ink xmlns="http://www.w3.org/2003/InkML">{ink}</ink>'.encode()
    (page,) = pages_of(tmp_path, "a.inkml", content)
    assert page.strokes[0].tool == tool


@pytest.mark.parametrize(("style", "opacity"), [("solid", 1.0), ("hachure", 0.4)])
def test_ink_shines_through_a_hatched_area_of_excalidraw(tmp_path, style, opacity):
    area = {"type": "rectangle", "x": 1, "y": 1, "width": 9, "height": 9, "fillStyle": style}
    content = excalidraw(area | {"backgroundColor": "#ff0000"})
    (page,) = pages_of(tmp_path, "a.excalidraw", content)
    assert page.strokes[-1].fill_opacity == opacity


def test_a_drawing_of_inkml_is_the_strokes_of_its_group_and_no_others(tmp_path):
    """Also where no trace has an identifier."""
    traces = "<trace>1 2, 3 4</trace>"
    group = '<traceGroup><annotation type="type">Drawing</annotation>'
    content = (
        f'<ink xmlns="http://www.w3.org/2003/InkML">{group}{traces}</traceGroup>{traces}</ink>'
    )
    (page,) = pages_of(tmp_path, "a.inkml", content.encode())
    assert [stroke.tool for stroke in page.strokes] == ["shape", "pen"]


KINDS = {
    "a drawing": ("Drawing", "shape"),
    "a word in a diagram": ("Diagram", "pen"),
    "another mark": ("Marking_Encircling", "shape"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("has_views", [False, True])
def test_strokes_that_inkml_calls_a_drawing_are_not_taken_for_text(tmp_path, kind, has_views):
    outer, tool = KINDS[kind]
    inner = '<annotation type="type">Word</annotation>' if tool == "pen" else ""
    trace = '<trace xml:id="t">1 2, 3 4</trace>'
    tag, content = "traceGroup", trace
    if has_views:
        tag, content = "traceView", '<traceView traceDataRef="#t"/>'
    group = f'<{tag}><annotation type="type">{outer}</annotation><{tag}>{inner}{content}</{tag}>'
    ink = f"{trace * has_views}{group}</{tag}>"
    (page,) = pages_of(tmp_path, "a.inkml", f"<ink>{ink}</ink>".encode())
    assert [stroke.tool for stroke in page.strokes] == [tool]


PAPERS = {
    "lined": ('style="lined"', 30 + 1, {"#40a0ff", "#ff0080"}),
    "graph": ('style="graph" config="r1=50,m1=40"', 11 + 16, {"#bdbdbd"}),
    "dotted": ('style="dotted" config="r1=100"', 8, {"#bdbdbd"}),
    "plain": ('style="plain"', 0, set()),
}


@pytest.mark.parametrize("kind", PAPERS)
def test_the_paper_of_a_note_has_its_ruling(tmp_path, kind):
    style, count, colours = PAPERS[kind]
    background = f'<background type="solid" color="#f0f0ffff" {style}/>'
    (page,) = pages_of(tmp_path, "a.xopp", xopp(background=background))
    assert page.paper == "#f0f0ff" and {line.colour for line in page.ruling} == colours
    assert len(page.ruling) == count and not page.left_out["ruling"]


@pytest.mark.parametrize("domain", ["absolute", "attach", "moved", "missing", "too long"])
def test_the_pdf_under_a_note_is_taken_from_where_it_is_named_attached_or_moved(tmp_path, domain):
    """Also where it was moved with the note, or is named by the first page alone."""
    named = {"attach": "bg.pdf", "moved": "C:\\old\\paper.pdf", "missing": "none.pdf"}
    named["too long"] = "x" * 5000
    kind = "attach" if domain == "attach" else "absolute"
    name = named.get(domain, str(tmp_path / "paper.pdf"))
    first = f'<background type="pdf" domain="{kind}" filename="{name}" pageno="1ll"/>'
    other = '<background type="pdf" pageno="3"/>'
    put(tmp_path, {"paper.pdf": b"%PDF", "a.xopp.bg.pdf": b"%PDF"})
    stroke = '<stroke tool="pen" color="blue" width="1">1 2 3 4</stroke>'
    note = xopp(stroke, first, 2, pack=False).decode()
    head, _, tail = note.rpartition(first)
    page, second = pages_of(tmp_path, "a.xopp", gzip.compress((head + other + tail).encode()))
    if domain in ("missing", "too long"):
        assert page.background is None and second.left_out == {"missing background PDF": 1}
    else:
        file = tmp_path / ("a.xopp.bg.pdf" if domain == "attach" else "paper.pdf")
        assert [page.background, second.background] == [file, file]
        assert [page.background_page, second.background_page] == [0, 2]


@pytest.mark.parametrize("link", [False, True])
def test_a_pdf_outside_the_folder_of_a_note_is_taken_only_if_any_may_be(tmp_path, link):
    put(tmp_path, {"secret.pdf": b"%PDF", "notes/a": b""})
    name = "../secret.pdf"
    if link:
        (tmp_path / "notes" / (name := "link.pdf")).symlink_to(tmp_path / "secret.pdf")
    background = f'<background type="pdf" domain="absolute" filename="{name}" pageno="1"/>'
    (tmp_path / "notes" / "a.xopp").write_bytes(xopp(background=background))
    (page,) = read_pages(tmp_path / "notes" / "a.xopp")
    assert page.background is None and any("secret.pdf" in kind for kind in page.left_out)
    (page,) = read_pages(tmp_path / "notes" / "a.xopp", any_pdf=True)
    assert page.background.samefile(tmp_path / "secret.pdf")


def test_figures_of_excalidraw_are_turned_around_their_middle(tmp_path):
    figure = {"type": "rectangle", "x": 10, "y": 20, "width": 40, "height": 20}
    figure |= {"angle": np.pi / 2, "strokeColor": "red"}
    (page,) = pages_of(
        tmp_path, "a", json.dumps({"type": "excalidraw", "elements": [figure]}).encode()
    )
    (stroke,) = page.strokes
    assert np.ptp(stroke.points, axis=0) == pytest.approx([20, 40])
    assert len(stroke.points) == 5 and (stroke.tool, stroke.colour) == ("shape", RED)


def test_documents_of_a_tablet_have_their_titles(tmp_path):
    """Pages in their order, an empty one among them; what was thrown away is passed over."""
    pytest.importorskip("rmscene", reason="rmscene is not installed")
    pages = [{"id": "p2"}, {"id": "gone", "deleted": {"value": 1}}]
    pages.append({"id": "p1", "redir": {"value": 4}})
    files = {
        "d.content": json.dumps({"cPages": {"pages": [*pages, {"id": "empty"}]}}),
        "d.metadata": json.dumps({"visibleName": "Diary", "parent": "f"}),
        "f.metadata": json.dumps({"visibleName": "2026", "parent": ""}),
        "d/p1.rm": rm(),
        "d/p2.rm": rm(text="a\nb"),
        "d.pdf": b"%PDF",
        "old.content": json.dumps({"pages": ["p1"]}),
        "old.metadata": json.dumps({"visibleName": "Old", "parent": "trash"}),
        "e.content": "{}",
        "e.metadata": json.dumps({"visibleName": "Odd", "parent": "../x"}),
        "f.content": "{}",
        "loose/p3.rm": rm(),
        "note.xopp": xopp(),
    }
    put(tmp_path, files)
    files = note_files(tmp_path)
    expected = {"2026/Diary": "d.content", "2026": "f.content", "Odd": "e.content"}
    expected |= {"loose/p3.rm": "loose/p3.rm", "note.xopp": "note.xopp"}
    assert files == {name: tmp_path / file for name, file in expected.items()}
    pages = [*read_pages(files["2026/Diary"])]
    assert [len(page.typed) for page in pages] == [2, 1, 0]
    assert [page.background_page for page in pages if page.background] == [4]


@pytest.mark.parametrize(
    ("name", "others", "made", "changed"),
    [
        ("a.xopp", {}, 1_700_000_000, 1_700_000_000),
        ("2026-11-28-Note-10-30.xopp", {}, datetime(2026, 11, 28, 10, 30), 1_700_000_000),
        ("2026-11-28 trip.svg", {}, datetime(2026, 11, 28), 1_700_000_000),
        ("2026-13-28.svg", {}, 1_700_000_000, 1_700_000_000),
        ("a.content", {"createdTime": "1600000000000"}, 1_600_000_000, 1_700_000_000),
        ("a.content", {"createdTime": "0", "lastModified": "1650000000000"}, *[1_650_000_000] * 2),
        ("a.content", {"createdTime": [], "lastModified": "9" * 99}, *[1_700_000_000] * 2),
        ("a.excalidraw", {"updated": 1_650_000_000_000}, *[1_650_000_000] * 2),
        ("a.excalidraw", {"updated": 1}, *[1_700_000_000] * 2),
    ],
)
def test_times_are_the_notes_own_or_those_of_the_file(tmp_path, name, others, made, changed):
    path = tmp_path / name
    drawing = {"type": "excalidraw", "elements": [others, {"updated": 5}]}
    path.write_text(json.dumps(drawing) if path.suffix == ".excalidraw" else "<xournal/>")
    path.with_suffix(".metadata").write_text(json.dumps(others))
    os.utime(path, (0, 1_700_000_000))
    made = made.timestamp() if isinstance(made, datetime) else made
    assert guard.call(formats.times, path) == (made, changed)


def test_metadata_of_a_tablet_are_read_once_and_within_limits(tmp_path, monkeypatch):
    files = {f"{name}.content": "{}" for name in ("a", "long", "named", "no uuid")}
    folder = {"visibleName": "X", "parent": "g"}
    put(tmp_path, {
        **files,
        "a.metadata": json.dumps({"visibleName": "A", "parent": "f"}),
        "f.metadata": json.dumps(folder),
        "g.metadata": json.dumps(folder | {"parent": "f"}),
        "long.metadata": json.dumps({"visibleName": "A", "parent": "f", "x": "y" * 100_000}),
        "named.metadata": json.dumps({"visibleName": "N" * 2_000, "parent": "f"}),
    })  # fmt: skip
    names = []
    read = remarkable.read_file
    monkeypatch.setattr(remarkable, "read_file", lambda p, *a: names.append(p.name) or read(p, *a))
    title = "X/X/" + "N" * 1_000
    assert {*note_files(tmp_path)} == {"X/X/A", "long", title, "no uuid"}
    expected = ["a", "f", "g", "long", "named"]
    assert sorted(names) == [f"{name}.metadata" for name in expected]


def test_ink_of_a_tablet_stays_at_the_typed_line_that_it_is_anchored_to(tmp_path):
    """In a group that hangs on a character of the second typed line, and in a hidden layer."""
    pytest.importorskip("rmscene", reason="rmscene is not installed")
    from rmscene import CrdtId, CrdtSequenceItem, LwwValue
    from rmscene.scene_items import Group
    from rmscene.scene_stream import SceneGroupItemBlock, SceneInfo, SceneTreeBlock, TreeNodeBlock

    def group(number, is_visible, **anchor):
        own, none = CrdtId(0, number), CrdtId(0, 0)
        values = {name: LwwValue(none, value) for name, value in anchor.items()}
        yield SceneTreeBlock(own, none, True, CrdtId(0, 11))
        yield TreeNodeBlock(Group(own, visible=LwwValue(none, is_visible), **values))
        item = CrdtSequenceItem(CrdtId(1, number), none, none, 0, own)
        yield SceneGroupItemBlock(CrdtId(0, 11), item)
        yield rm_line(100 + number, PEN[1], layer=number)

    at = {"anchor_id": CrdtId(1, 18), "anchor_type": 2, "anchor_threshold": 0.0}
    moved = group(40, True, **at, anchor_origin_x=226.0)
    layer, yes = (LwwValue(CrdtId(0, 0), value) for value in (CrdtId(0, 11), True))
    info = SceneInfo(layer, yes, yes, (1620, 2160))
    content = rm(info, *moved, *group(41, False), rm_line(60, PEN[1]), text="a\nb")
    (page,) = pages_of(tmp_path, "a.rm", content)
    anchored, plain = (stroke.points for stroke in page.strokes)
    second = page.typed[1]
    assert second.text == "b" and second.y < (anchored - plain)[0, 1] < second.y + 2 * second.size
    assert (anchored - plain)[:, 0] == pytest.approx(226) and page.left_out == {"hidden layer": 1}
    assert (page.width, page.height) == (1620, 2160)


def test_pages_before_a_broken_page_are_yielded(tmp_path):
    (tmp_path / "a.xopp").write_bytes(xopp(pages=500, pack=False).removesuffix(b"</xournal>\n"))
    pages = read_pages(tmp_path / "a.xopp")
    assert len([next(pages) for _ in range(500)]) == 500
    with pytest.raises(DataError, match="broken XML"):
        next(pages)


# What `read` takes.

PAGE = Page(100.0, 60.0, (Row((np.array([[10.0, 10], [20, 15], [30, 10]]),), "v"),))


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (ink_formats.iam(), 1),
        (ink_formats.unipen(["1", "2", "3"]), 3),
        (ink_formats.own([("a", ink_formats.STROKES)] * 2), 2),
        (ink_formats.inkml(), 1),
        (PAGE.to_json().encode(), 0.5),
        (PAGE.to_svg().encode(), 0.5),
    ],
)
def test_each_line_of_a_file_of_lines_is_a_row_of_a_page(tmp_path, content, size):
    (page,) = pages_of(tmp_path, "a", content)
    assert len(page.strokes) == 2 * size
    corners = np.array([stroke.points.min(axis=0) for stroke in page.strokes])
    assert (corners >= 0).all() and len(np.unique(corners, axis=0)) == len(corners)


# Broken and hostile.


def test_items_that_are_left_out_are_of_few_kinds(tmp_path):
    items = "".join(f"<kind{number}/>" for number in range(80))
    (page,) = pages_of(tmp_path, "a.xopp", xopp(STROKE.format("1 2 3 4") + items * 2))
    assert len(page.left_out) == MAX_FAULT_KINDS + 1 and page.left_out[OTHER_KINDS] == 60
    assert page.left_out["kind7"] == 2 and sum(page.left_out.values()) == 160


def test_texts_of_pages_have_neither_control_characters_nor_halves_of_pairs(tmp_path):
    """A terminal would obey the former, files cannot have the latter; \t and line breaks stay."""
    text = {"type": "text", "x": 0, "y": 0, "fontSize": 9, "text": "a\x1b[2J\x9b\udc80\n\tż𝄞"}
    text |= {"customData": {"layer": "b\udc80\x07"}}
    others = [{"type": "\udc80"}, {"type": "\udc81"}]
    content = json.dumps({"type": "excalidraw", "elements": [text, *others]}).encode()
    (page,) = pages_of(tmp_path, "a.excalidraw", content)
    assert [typed.text for typed in page.typed] == ["a?[2J??\n\tż𝄞"]
    assert page.layers == ("b??",) and page.left_out == {"?": 2}


LONG, MANY = 1_000_000, 8_000
DEEP = b'{"type": "excalidraw", "elements": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
SVG_OF = (
    '<svg xmlns="http://www.w3.org/2000/svg" {}><path d="M1 2L3 4" stroke="red" fill="none"/></svg>'
)
STROKE = '<stroke tool="pen" color="blue" width="1">{}</stroke>'
PEN_OF = '<stroke tool="pen" color="blue" width="{}">1 2 3 4</stroke>'
ENTITIES = b'<!DOCTYPE a [<!ENTITY b "1 2 ">]><xournal><page width="9" height="9"/></xournal>'
OUTSIDE = b'{"cPages": {"pages": [{"id": "../x"}]}}'
OFTEN = b'{"cPages": {"pages": [' + b'{"id": "p"},' * 100_000 + b'{"id": "p"}]}}'
OLD = b"reMarkable .lines file, version=4          "
FENCE = b"excalidraw-plugin: parsed\n```json" + b"\n" * LONG
BLANKS = f'<g transform="a{" " * LONG}"/><rect width="1{" " * LONG}x"/>'
DIGITS = f'<g transform="{"a" * LONG}"/><rect width="{"1" * LONG}x"/>'
CLASSES = f"<style>{'.a' * MANY}{{{'a:a;' * 20_000}}}</style>"
NAMESPACE = f'<a xmlns="{"n" * LONG}">{"<b/>" * 100_000}</a>'
XY = '<traceFormat><channel name="X"/><channel name="Y"/></traceFormat>'
REFUSED = {
    "a bomb": ("a.xopp", lambda: gzip.compress(b"<xournal>" + b" " * 200_000_000, 1), "broken XML"),
    "entities": ("a.xopp", lambda: gzip.compress(ENTITIES), "a document type"),
    "touches": ("a.xopp", lambda: xopp(STROKE.format("1 2") * 11_000), "more than 10,000"),
    "strokes": ("a.xopp", lambda: xopp(STROKE.format("1 2 3 4") * 11_000), "more than 10,000 str"),
    "a stroke": ("a.xopp", lambda: xopp(STROKE.format("1 2 " * 2_100_000)), "more than 1,000,0"),
    "points": ("a.xopp", lambda: xopp(STROKE.format("1 2 " * 199_000) * 26), "more than 1,000,0"),
    "an odd number": ("a.xopp", lambda: xopp(STROKE.format("1 2 3")), "no list of x and y"),
    "NaN": ("a.xopp", lambda: xopp(STROKE.format("1 2 nan 4")), "a position that is not a number"),
    "a pen of NaN": ("a.xopp", lambda: xopp(PEN_OF.format("nan")), "a pen whose width"),
    "dashes": (
        "a.xopp",
        lambda: xopp(PEN_OF.format('1" style="cust: ' + "1 " * 101)),
        "more than 100 lengths of dashes",
    ),
    "a ruling of NaN": (
        "a.xopp",
        lambda: xopp(PEN_OF.format("nan"), "<background/>", pack=False).replace(
            b"<layer", b'<layer name="ruling"'
        ),
        "a pen whose width",
    ),
    "a huge unit": (
        "a.svg",
        lambda: SVG_OF.format('width="1e300" height="1e300" viewBox="0 0 9 9"').encode(),
        "unit of length",
    ),
    "layers": ("a.xopp", lambda: xopp("</layer><layer>" * 1_001), "more than 1,000 layers"),
    "a wide pen": ("a.xopp", lambda: xopp(PEN_OF.format("1e300")), "from 0 to 1e"),
    "no size": ("a.xopp", lambda: xopp(pack=False).replace(b'="5', b'="-5'), "without a width"),
    "nothing": ("a.xopp", lambda: xopp("<image/><image/>"), r"no strokes \(2 image\)"),
    "deep JSON": ("a.excalidraw", lambda: DEEP, "broken JSON .nested more than 16 deep"),
    "no points": ("a.excalidraw", lambda: excalidraw({"type": "line", "points": [3]}), "points th"),
    "no number": ("a.excalidraw", lambda: excalidraw({"type": "line", "x": "9"}), "a value of x"),
    "no elements": ("a.excalidraw", lambda: excalidraw(elements=3), "without a list of elements"),
    "a key": ("a.excalidraw", lambda: excalidraw(**{"k" * LONG: [0] * LONG}), "a dotted key"),
    "compressed": ("a.md", lambda: file("compressed.md").replace(b"N4Ig", b""), "a compressed dr"),
    "lines behind a fence": ("a.md", lambda: FENCE, "broken JSON"),
    "a far path": ("a.svg", lambda: svg('<path d="M1 1L1e99 3"/>'), "a path beyond 1e"),
    "a long path": ("a.svg", lambda: svg(f'<path d="M{"1 1 " * 2_000_000}"/>'), "a path of more"),
    "transforms": ("a.svg", lambda: svg('<g transform="scale(9e9)">' * 9 + "</g>" * 9), "beyond 1"),
    "blanks": ("a.svg", lambda: svg(BLANKS), "no strokes"),
    "digits": ("a.svg", lambda: svg(DIGITS), "no strokes"),
    "classes": ("a.svg", lambda: svg(CLASSES), "no strokes"),
    "a namespace": ("a.inkml", lambda: inkml(NAMESPACE), "a namespace of more than 200"),
    "an old page": ("a.rm", lambda: OLD, "version 4; 3, 5, 6 are read"),
    "an old page cut short": ("a.rm", lambda: file("old.rm")[:-3], "a broken page of a tablet"),
    "an endless number": ("a.rm", lambda: rm() + b"\xff" * 7_000_000, "a number without an end"),
    "no pages": ("a.content", lambda: b'{"pages": 5}', "does not list its pages"),
    "a path as a page": ("a.content", lambda: OUTSIDE, "does not list its pages"),
    "a page named often": ("a.content", lambda: OFTEN, "more than 2,000 pages"),
    "a broken archive": ("a.xopp", lambda: b"PK\3\4" + bytes(99), "a broken archive"),
    "another archive": ("a.zip", lambda: b"PK\3\4" + bytes(99), r"supported formats: Xournal\+\+"),
    "no file": ("missing.xopp", lambda: None, "cannot be read .No such file"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_is_no_page_is_refused_quickly_with_a_short_message(tmp_path, kind):
    name, content_of, reason = REFUSED[kind]
    if "old" not in kind:
        needs_rmscene(name, content_of)
    content = content_of()
    begin = time.process_time()
    with pytest.raises(DataError, match=f"^{tmp_path}/{name}: .*{reason}") as error:
        pages_of(tmp_path, name, content) if content else [*read_pages(tmp_path / name)]
    assert time.process_time() - begin < 20
    assert str(error.value).isprintable() and len(str(error.value)) < 500


def test_a_deleted_text_of_four_thousand_million_letters_takes_no_memory(tmp_path):
    pytest.importorskip("rmscene", reason="rmscene is not installed")
    content = rm(text="")
    # The number of deleted letters of the empty item: tag 5, four bytes.
    place = content.index(b"\x54\0\0\0\0", content.index(b"\x2f\x01\x10"))
    content = content[: place + 1] + b"\xff\xff\xff\xff" + content[place + 5 :]
    with pytest.raises(DataError, match="too long a typed text"):
        pages_of(tmp_path, "a.rm", content)


@pytest.mark.parametrize("form", FILES)
def test_a_damaged_file_gives_a_short_message_or_sound_pages(tmp_path, form):
    name, content_of, *_ = FILES[form]
    needs_rmscene(name, content_of)
    rng, whole = random.Random(form), content_of()
    is_packed = whole[:2] == b"\x1f\x8b"
    for number in range(60):
        content = damaged(rng, gzip.decompress(whole) if is_packed and number % 2 else whole)
        try:
            pages = pages_of(tmp_path, name, content)
        except DataError as error:
            assert str(error).isprintable() and len(str(error)) < 1000
            continue
        for stroke in (stroke for page in pages for stroke in page.strokes):
            assert stroke.points.shape == (len(stroke.points), 2) and len(stroke.points)
            assert np.isfinite(stroke.points).all() and len(stroke.colour) == 7
