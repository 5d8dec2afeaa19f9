"""The same page in the files of several programs is read alike; what is none ends in a line."""

import gzip
import json
import random
import shutil
import subprocess
import time

import numpy as np
import pytest

from notes.formats import note_files, read_pages
from tests.data_loader import ink_formats
from tests.data_loader.archives import put
from tests.data_loader.sources.bombs import check_bombs
from tests.faults.damage import damaged
from tests.notes.note_files import (
    COMPRESSED,
    LINE,
    MARKER,
    PEN,
    TYPED,
    excalidraw,
    inkml,
    obsidian,
    old_rm,
    rm,
    rm_line,
    rnote,
    svg,
    write_document,
    xopp,
    zipped_xopp,
)
from utils.checks import DataError
from utils.page.layers import Row
from utils.page.page import Page

BLUE, YELLOW, RED, BLACK = "#3333cc", "#ffff00", "#ff0000", "#000000"
WRITTEN = [("pen", BLUE, points) for points in PEN] + [("highlighter", YELLOW, MARKER)]
DRAWN = ("shape", RED, LINE)
FILES = {
    # a file by its name, what is on its page, its typed text's place, and what is left out
    "Xournal++": (
        "a.xopp",
        xopp,
        [*WRITTEN, DRAWN, ("eraser", "#ffffff", PEN[1])],
        (300, 50, 12),
        {"image": 1, "formula": 1},
    ),
    "Xournal++, not packed": ("a.xml", lambda: xopp(pack=False), None, (300, 50, 12), None),
    "Xournal++, zipped": ("a.xopp", zipped_xopp, None, (300, 50, 12), {"image": 1, "formula": 1}),
    "Rnote": ("a.rnote", rnote, WRITTEN, (300, 49.5, 12), {"bitmapimage": 1}),
    "old reMarkable": (
        "a.rm",
        old_rm,
        [(tool, BLACK, points) for tool, _, points in WRITTEN],
        None,
        {},
    ),
    "Excalidraw": (
        "a.excalidraw",
        excalidraw,
        [*WRITTEN, DRAWN],
        (300, 49.5, 12),
        {"erased stroke": 1, "image": 1},
    ),
    "Obsidian": ("a.md", obsidian, [*WRITTEN, DRAWN], (300, 49.5, 12), None),
    "SVG": (
        "a.svg",
        svg,
        [*WRITTEN, DRAWN, ("shape", BLACK, [(1, 1), (6, 1), (6, 6), (1, 1)])],
        (300, 50, 12),
        {"image": 1, "repeated shape": 1},
    ),
    "InkML": ("a.inkml", inkml, WRITTEN, None, {}),
    "reMarkable": (
        "a.rm",
        rm,
        [(tool, {BLUE: "#0050c8", YELLOW: "#ffeb00"}[c], points) for tool, c, points in WRITTEN],
        None,
        {"erased stroke": 1},
    ),
}


def pages_of(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    return [*read_pages(tmp_path / name)]


@pytest.mark.parametrize("form", FILES)
def test_a_page_is_told_from_each_programs_file(tmp_path, form):
    name, make, expected, place, left_out = FILES[form]
    if form == "reMarkable":
        pytest.importorskip("rmscene", reason="rmscene is not installed")
    (page,) = pages_of(tmp_path, name, make())
    expected = expected or FILES["Xournal++"][2]
    looks = [(stroke.tool, stroke.colour) for stroke in page.strokes]
    assert looks == [(tool, colour) for tool, colour, _ in expected]
    moved = [page.unit * stroke.points for stroke in page.strokes]
    shift = moved[0][0] - PEN[0][0]  # the corner of a page without a size is not told
    for points, (*_, positions) in zip(moved, expected, strict=True):
        np.testing.assert_allclose(points - shift, positions, atol=0.02)
    if form in ("Xournal++", "SVG", "reMarkable"):
        sheet = (447.3, 596.4) if form == "reMarkable" else (595.2756, 841.8898)
        assert np.allclose(shift, 0, atol=0.02)
        assert page.unit * np.array([page.width, page.height]) == pytest.approx(sheet, abs=0.1)
    if place:
        (typed,) = page.typed
        found = page.unit * np.array([typed.x, typed.y, typed.size]) - [*shift, 0]
        assert typed.text == TYPED and found == pytest.approx(place, abs=0.1)
    assert left_out is None or page.left_out == left_out
    assert page.strokes[0].width * page.unit == pytest.approx(1.41, abs=0.03)


def test_a_compressed_drawing_is_read(tmp_path):
    note = f"```compressed-json\n{COMPRESSED[:100]}\n\n{COMPRESSED[100:]}\n```\n"
    content = b"---\nexcalidraw-plugin: parsed\n---\n" + note.encode()
    (page,) = pages_of(tmp_path, "a.md", content)
    (stroke,), (typed,) = page.strokes, page.typed
    assert typed.text == "Łódź" and stroke.colour == BLUE
    np.testing.assert_allclose(np.diff(stroke.points, axis=0), [[3, 4], [6, 5]])


def test_outlines_of_write_are_strokes_of_its_pages(tmp_path):
    for name, pack in (("a.svg", bytes), ("a.svgz", gzip.compress)):
        first, second = pages_of(tmp_path, name, pack(write_document()))
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
    "transparent": ('<brushProperty name="transparency" value="128"/>', "highlighter"),
}


@pytest.mark.parametrize("kind", MARKERS)
def test_a_marker_of_inkml_is_no_pen(tmp_path, kind):
    brush, tool = MARKERS[kind]
    ink = f'<brush xml:id="b">{brush}</brush><trace brushRef="#b">1 2, 3 4</trace>'
    content = f'<ink xmlns="http://www.w3.org/2003/InkML">{ink}</ink>'.encode()
    (page,) = pages_of(tmp_path, "a.inkml", content)
    assert page.strokes[0].tool == tool


KINDS = {
    "a drawing": ("Drawing", "shape"),
    "a word in a diagram": ("Diagram", "pen"),
    "another mark": ("Marking_Encircling", "shape"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("has_views", [False, True])
def test_what_inkml_calls_a_drawing_is_no_text(tmp_path, kind, has_views):
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


XOURNALPP = pytest.mark.skipif(not shutil.which("xournalpp"), reason="Xournal++ is not installed")


@XOURNALPP
@pytest.mark.slow
def test_xournalpp_draws_what_is_read_of_its_note(tmp_path):
    """Its own picture of a note, whose pressure divides a stroke, has the strokes of the note."""
    note = gzip.decompress(xopp()).partition(b"<image")[0] + b"</layer></page></xournal>"
    (page,) = pages_of(tmp_path, "a.xopp", gzip.compress(note))
    words = ["xournalpp", "-i", str(tmp_path / "a.svg"), str(tmp_path / "a.xopp")]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    (drawn,) = read_pages(tmp_path / "a.svg")
    assert (drawn.width, drawn.height) == pytest.approx((page.width, page.height))
    assert [stroke.colour for stroke in drawn.strokes] == [s.colour for s in page.strokes]
    assert [stroke.tool for stroke in drawn.strokes][:3] == ["pen", "pen", "highlighter"]
    for stroke, same in zip(page.strokes, drawn.strokes, strict=True):
        np.testing.assert_allclose(same.points, stroke.points, atol=1e-3)
    assert len(drawn.ruling) == len(page.ruling) > 20


@pytest.mark.parametrize("domain", ["absolute", "attach", "moved", "missing"])
def test_the_pdf_under_a_note_is_the_one_that_is_there(tmp_path, domain):
    """Also where it was moved with the note, or is named by the first page alone."""
    named = {"attach": "bg.pdf", "moved": "C:\\old\\paper.pdf", "missing": "none.pdf"}
    kind = "attach" if domain == "attach" else "absolute"
    name = named.get(domain, str(tmp_path / "paper.pdf"))
    first = f'<background type="pdf" domain="{kind}" filename="{name}" pageno="1ll"/>'
    other = '<background type="pdf" pageno="3"/>'
    put(tmp_path, {"paper.pdf": b"%PDF", "a.xopp.bg.pdf": b"%PDF"})
    stroke = '<stroke tool="pen" color="blue" width="1">1 2 3 4</stroke>'
    note = xopp(stroke, first, 2, pack=False).decode()
    head, _, tail = note.rpartition(first)
    one, two = pages_of(tmp_path, "a.xopp", gzip.compress((head + other + tail).encode()))
    if domain == "missing":
        assert one.background is None and two.left_out == {"missing background PDF": 1}
    else:
        file = tmp_path / ("a.xopp.bg.pdf" if domain == "attach" else "paper.pdf")
        assert [one.background, two.background] == [file, file]
        assert [one.background_page, two.background_page] == [0, 2]


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


def test_a_pdf_whose_name_is_too_long_for_a_file_is_missing(tmp_path):
    background = f'<background type="pdf" filename="{"x" * 5000}" pageno="1"/>'
    (page,) = pages_of(tmp_path, "a.xopp", xopp(background=background))
    assert page.left_out["missing background PDF"] == 1


@pytest.mark.parametrize("width", ["nan", "inf", "-1", "1e300"])
def test_a_pen_whose_width_is_no_length_is_refused(tmp_path, width):
    stroke = f'<stroke tool="pen" color="blue" width="{width}">1 2 3 4</stroke>'
    (tmp_path / "a.xopp").write_bytes(xopp(stroke))
    with pytest.raises(DataError, match="a pen whose width is not a number from 0 to 1e"):
        [*read_pages(tmp_path / "a.xopp")]


def test_figures_of_excalidraw_are_turned_around_their_middle(tmp_path):
    figure = {"type": "rectangle", "x": 10, "y": 20, "width": 40, "height": 20}
    figure |= {"angle": np.pi / 2, "strokeColor": "red"}
    (page,) = pages_of(
        tmp_path, "a", json.dumps({"type": "excalidraw", "elements": [figure]}).encode()
    )
    (stroke,) = page.strokes
    assert np.ptp(stroke.points, axis=0) == pytest.approx([20, 40])
    assert len(stroke.points) == 5 and (stroke.tool, stroke.colour) == ("shape", RED)


def test_a_tablets_documents_are_told_by_their_titles(tmp_path):
    """Pages in their order, an empty one among them; what was thrown away is passed over."""
    pytest.importorskip("rmscene", reason="rmscene is not installed")
    pages = [
        {"id": "p2"},
        {"id": "gone", "deleted": {"value": 1}},
        {"id": "p1", "redir": {"value": 4}},
    ]
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


def test_ink_of_a_tablet_keeps_to_the_line_that_it_was_written_at(tmp_path):
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


def test_the_bytes_of_a_page_are_limited_and_not_those_of_a_notebook(tmp_path, monkeypatch):
    content = xopp(pages=3_000, pack=False).replace(b"</page>", b"</page>" + b" " * 500)
    monkeypatch.setattr("notes.formats.xournalpp.MAX_BYTES", len(content) // 2)
    monkeypatch.setattr("notes.ink_page.MAX_PAGES", 3_000)
    assert len(pages_of(tmp_path, "a.xopp", content)) == 3_000
    with pytest.raises(DataError, match=r"bytes in a page"):
        pages_of(tmp_path, "a.xopp", xopp("<image>" + " " * len(content) + "</image>"))


def test_pages_before_a_broken_one_are_yielded(tmp_path):
    (tmp_path / "a.xopp").write_bytes(xopp(pages=500, pack=False).removesuffix(b"</xournal>"))
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
def test_each_line_that_read_takes_is_a_row_of_a_page(tmp_path, content, size):
    (page,) = pages_of(tmp_path, "a", content)
    assert len(page.strokes) == 2 * size
    corners = np.array([stroke.points.min(axis=0) for stroke in page.strokes])
    assert (corners >= 0).all() and len(np.unique(corners, axis=0)) == len(corners)


# Broken and hostile.

DEEP = b'{"type": "excalidraw", "elements": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
STROKE = '<stroke tool="pen" color="blue" width="1">{}</stroke>'
ENTITIES = b'<!DOCTYPE a [<!ENTITY b "1 2 ">]><xournal><page width="9" height="9"/></xournal>'
OUTSIDE = b'{"cPages": {"pages": [{"id": "../x"}]}}'
OLD = b"reMarkable .lines file, version=4          "
REFUSED = {
    "a bomb": ("a.xopp", lambda: gzip.compress(b"<xournal>" + b" " * 200_000_000, 1), "in a page"),
    "entities": ("a.xopp", lambda: gzip.compress(ENTITIES), "a document type"),
    "a million strokes": ("a.xopp", lambda: xopp(STROKE.format("1 2") * 10**6), "more than 500,0"),
    "a stroke": ("a.xopp", lambda: xopp(STROKE.format("1 2 " * 5_000_000)), "more than 4,000,0"),
    "an odd number": ("a.xopp", lambda: xopp(STROKE.format("1 2 3")), "no list of x and y"),
    "NaN": ("a.xopp", lambda: xopp(STROKE.format("1 2 nan 4")), "a position that is not a number"),
    "no size": ("a.xopp", lambda: xopp(pack=False).replace(b'="5', b'="-5'), "without a width"),
    "nothing": ("a.xopp", lambda: xopp("<image/><image/>"), r"no strokes \(2 image\)"),
    "deep JSON": ("a.excalidraw", lambda: DEEP, "broken JSON .nested more than 16 deep"),
    "no points": ("a.excalidraw", lambda: excalidraw({"type": "line", "points": [3]}), "points th"),
    "no number": ("a.excalidraw", lambda: excalidraw({"type": "line", "x": "9"}), "a value of x"),
    "no elements": ("a.excalidraw", lambda: excalidraw(elements=3), "without a list of elements"),
    "compressed": ("a.md", lambda: obsidian("compressed-json"), "a compressed drawing that is b"),
    "a far path": ("a.svg", lambda: svg('<path d="M1 1L1e99 3"/>'), "a path beyond 1e"),
    "a long path": ("a.svg", lambda: svg(f'<path d="M{"1 1 " * 2_000_000}"/>'), "a path of more"),
    "transforms": ("a.svg", lambda: svg('<g transform="scale(9e9)">' * 9 + "</g>" * 9), "beyond 1"),
    "an old page": ("a.rm", lambda: OLD, "version 4; 3, 5, 6 are read"),
    "an endless number": ("a.rm", lambda: rm() + b"\xff" * 7_000_000, "a number without an end"),
    "no pages": ("a.content", lambda: b'{"pages": 5}', "does not list its pages"),
    "a path as a page": ("a.content", lambda: OUTSIDE, "does not list its pages"),
    "a broken archive": ("a.xopp", lambda: b"PK\3\4" + bytes(99), "a broken archive"),
    "another archive": ("a.zip", lambda: b"PK\3\4" + bytes(99), r"what is read: Xournal\+\+"),
    "no file": ("missing.xopp", lambda: None, "cannot be read .No such file"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_page_ends_in_one_line(tmp_path, kind):
    name, make, reason = REFUSED[kind]
    if name == "a.rm" and "old" not in kind:
        pytest.importorskip("rmscene", reason="rmscene is not installed")
    with pytest.raises(DataError, match=f"^{tmp_path}/{name}: .*{reason}") as caught:
        content = make()
        pages_of(tmp_path, name, content) if content else [*read_pages(tmp_path / name)]
    assert str(caught.value).isprintable() and len(str(caught.value)) < 500


def groups_in_groups(depth=400, count=400):
    """Return a page of a tablet whose groups are nested, with strokes in the innermost."""
    from rmscene import CrdtId, CrdtSequenceItem, SceneGroupItemBlock, SceneTreeBlock

    blocks, outer, none = [], CrdtId(0, 11), CrdtId(0, 0)
    for number in range(100, 100 + depth):
        inner = CrdtId(0, number)
        item = CrdtSequenceItem(CrdtId(2, number), none, none, 0, inner)
        blocks += [SceneTreeBlock(inner, none, True, outer), SceneGroupItemBlock(outer, item)]
        outer = inner
    return rm(*blocks, *(rm_line(1000 + n, PEN[0], layer=outer.part2) for n in range(count)))


LONG = 1_000_000
CONTEXTS = '<context xml:id="c{}"><channelProperty/>' * 8_000
STALLS = {
    # what took square time or endless memory, and what is said now; "" if it is read
    "blanks in a transformation": ("a.svg", lambda: svg(f'<g transform="a{" " * LONG}"/>'), "no s"),
    "a word in one": ("a.svg", lambda: svg(f'<g transform="{"a" * LONG}"/>'), "no strokes"),
    "blanks behind a length": (
        "a.svg",
        lambda: svg(f'<rect width="1{" " * LONG}x"/>'),
        "no strokes",
    ),
    "digits of a length": ("a.svg", lambda: svg(f'<rect width="{"1" * LONG}x"/>'), "no strokes"),
    "classes": (
        "a.svg",
        lambda: svg(f"<style>{'.a' * 8_000}{{{'a:a;' * 20_000}}}</style>"),
        "no s",
    ),
    "curves": ("a.svg", lambda: svg(f'<path d="M0 0{"1 1 " * 260_000}"/>' * 2), "more than 500,0"),
    "lines behind a fence": (
        "a.md",
        lambda: b"excalidraw-plugin: parsed\n```json" + b"\n" * LONG,
        "broken JSON",
    ),
    "a long key": (
        "a.excalidraw",
        lambda: excalidraw(**{"k" * LONG: [0] * LONG}),
        "a dotted key of more than 200 characters",
    ),
    "contexts in contexts": (
        "a.inkml",
        lambda: inkml(
            CONTEXTS.format(*range(8_000))
            + '<traceFormat><channel name="X"/><channel name="Y"/></traceFormat>'
            + "</context>" * 8_000
            + "".join(f'<trace contextRef="#c{n}">1 2</trace>' for n in range(8_000))
        ),
        "nested in each other too deeply",
    ),
    "formats": (
        "a.inkml",
        lambda: inkml(
            '<context xml:id="c"><traceFormat>'
            + '<channel name="X"/><channel name="Y"/></traceFormat><traceFormat>' * 8_000
            + '<channel name="X"/><channel name="Y"/></traceFormat>'
            + "<channelProperty/>" * 8_000
            + '</context><trace contextRef="#c">1 2,3 4</trace>'
        ),
        "",
    ),
    "a long namespace": (
        "a.inkml",
        lambda: inkml(f'<a xmlns="{"n" * LONG}">{"<b/>" * 100_000}</a>'),
        "a namespace of more than 200",
    ),
    "groups in groups": ("a.rm", groups_in_groups, ""),
    "a page named often": (
        "a.content",
        lambda: json.dumps({"cPages": {"pages": [{"id": "p"}] * 100_000}}).encode(),
        "more than 2,000 pages",
    ),
    "a long typed text": (
        "a.xopp",
        lambda: xopp(f'<text size="1" x="1" y="1">{"a b " * 2_500_000}</text>'),
        "more than 50,000 typed characters",
    ),
    "five million points": (
        "a.xopp",
        lambda: xopp(STROKE.format("1 2 " * 199_000) * 26),
        "more than 5,000,000 points",
    ),
    "strokes": ("a.xopp", lambda: xopp(STROKE.format("1 2 3 4") * 90_000), "more than 10,000 str"),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", STALLS)
def test_what_repeats_takes_time_in_proportion_to_its_bytes(tmp_path, kind):
    name, make, reason = STALLS[kind]
    if name == "a.rm":
        pytest.importorskip("rmscene", reason="rmscene is not installed")
    (tmp_path / name).write_bytes(make())
    begin = time.process_time()
    try:
        assert [*read_pages(tmp_path / name)] and not reason
    except DataError as error:
        assert reason and reason in str(error)
    assert time.process_time() - begin < 20


def test_a_deleted_text_of_four_thousand_million_letters_takes_no_memory(tmp_path):
    pytest.importorskip("rmscene", reason="rmscene is not installed")
    content = rm(text="")
    # The number of deleted letters of the empty item: tag 5, four bytes.
    place = content.index(b"\x54\0\0\0\0", content.index(b"\x2f\x01\x10"))
    content = content[: place + 1] + b"\xff\xff\xff\xff" + content[place + 5 :]
    with pytest.raises(DataError, match="too long a typed text"):
        pages_of(tmp_path, "a.rm", content)


BOMBS = {
    **{kind: REFUSED[kind][:2] for kind in ("a bomb", "a million strokes", "a long path")},
    "groups": ("a.svg", lambda: svg("<g>" * 200_000 + "</g>" * 200_000)),
    "styles": ("a.svg", lambda: svg(f"<style>{'.a{fill:none}' * 300_000}</style>" + "<g/>" * 9)),
    "open styles": ("a.svg", lambda: svg(f"<style>{'.a' * 2_000_000}</style>")),
    "curves": (
        "a.svg",
        lambda: svg(f'<path stroke="red" d="M0 0{"C9 99 -99 -9 5 5" * 100_000}"/>'),
    ),
    "contexts": ("a.inkml", lambda: inkml('<trace contextRef="#pressure">1 2 3</trace>' * 15_000)),
    "brackets": ("a.excalidraw", lambda: excalidraw(*[[[]]] * 300_000)),
    "pages": ("a.xopp", lambda: xopp("", "", 100_000)),
}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_bomb_takes_much_memory_or_time(tmp_path):
    files = {f"{number}/{name}": make() for number, (name, make) in enumerate(BOMBS.values())}
    put(tmp_path, files)
    places = {name: tmp_path / file for name, file in zip(BOMBS, files, strict=True)}
    assert not check_bombs("notes.formats", "read_pages", places).stderr


@pytest.mark.parametrize("form", FILES)
def test_a_damaged_file_ends_in_a_line_or_in_sound_pages(tmp_path, form):
    name, make, *_ = FILES[form]
    if form == "reMarkable":
        pytest.importorskip("rmscene", reason="rmscene is not installed")
    rng, whole = random.Random(form), make()
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
