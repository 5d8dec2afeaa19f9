"""Pages as files of note programs, looked at as such, and read again by the notes' readers."""

import gzip
import io
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from ink.drawing.layers import Pen, Row
from ink.formats import read_pages
from ink.formats.pdf.pages import PdfPage, write_pdf
from ink.ink_page import PT_PER_MM, InkPage, PageImage, PageStroke, TypedText
from model.drawing.page import Page, save_ink_pages
from utils.checks import UserError

WAVE = np.column_stack([np.linspace(60, 180, 50), 150 + 20 * np.sin(np.linspace(0, 18, 50))])
BOX = np.array([[60, 260], [160, 260], [160, 320], [60, 320], [60, 260.0]])


def picture():
    file = io.BytesIO()
    Image.linear_gradient("L").resize((8, 6)).save(file, "PNG")
    return file.getvalue()


PAGE = InkPage(
    400.0,
    560.0,
    (
        PageStroke(WAVE, colour="#ffffff", width=1.5, widths=np.linspace(1, 2, 50)),
        PageStroke(WAVE + 50, "highlighter", "#ffee00", 12.0, opacity=0.5),
        PageStroke(BOX, "shape", "#ff8800", 2.0, fill="#ff8800", dash=(6.0, 7.5)),
        PageStroke(np.array([[200.0, 280]]), colour="#ff0000", width=6.0, layer=1),
    ),
    1.0,
    (TypedText("Łódź < 7\nsecond", 60, 360, 18, "#44ff88", 1),),
    layers=("ink", "second"),
    images=(PageImage(picture(), (220, 240, 340, 330), 1),),
    paper="#203040",
    ruling=(PageStroke(np.array([[0, 90], [400, 90.0]]), "shape", "#808080", 0.5),),
)


def read_again(tmp_path, suffix, *pages):
    """Return pages as they are read from a file."""
    files = save_ink_pages(pages or (PAGE,), tmp_path / f"a{suffix}")
    return [page for file in files for page in read_pages(file)]


@pytest.mark.parametrize("suffix", [".xopp", ".excalidraw"])
def test_a_page_is_the_same_when_it_is_written_and_read(tmp_path, suffix):
    (page,) = read_again(tmp_path, suffix)
    unit = page.unit
    assert unit * np.array([page.width, page.height]) == pytest.approx([400, 560], abs=0.1)
    assert (page.paper, page.layers, page.left_out) == (PAGE.paper, PAGE.layers, {})
    for strokes, same in ((page.strokes, PAGE.strokes), (page.ruling, PAGE.ruling)):
        for stroke, other in zip(strokes, same, strict=True):
            np.testing.assert_allclose(
                unit * stroke.points[: len(other.points)], other.points, atol=0.02
            )
            for name in ("tool", "colour", "fill", "opacity", "layer"):
                expected = pytest.approx(getattr(other, name), abs=0.01)
                assert getattr(stroke, name) == expected, name
            assert unit * stroke.width == pytest.approx(other.width, abs=0.05)
            assert unit * np.array(stroke.dash) == pytest.approx(other.dash)
    np.testing.assert_allclose(unit * page.strokes[0].widths[:-1], np.linspace(1, 2, 50)[:-1], 0.01)
    (typed,), (image,) = page.typed, page.images
    place = unit * np.array([typed.x, typed.y, typed.size])
    assert (typed.text, typed.colour, typed.layer) == ("Łódź < 7\nsecond", "#44ff88", 1)
    assert place == pytest.approx([60, 360, 18], abs=0.02)
    assert (image.content, image.layer) == (PAGE.images[0].content, 1)
    assert unit * image.box[2] == pytest.approx(340, abs=0.02)


def test_a_pen_in_a_drawing_has_each_point_twice_and_is_read_with_each_once(tmp_path):
    (page,) = read_again(tmp_path, ".excalidraw")
    drawing = json.loads((tmp_path / "a.excalidraw").read_text())
    written = [e["points"] for e in drawing["elements"] if e["type"] == "freedraw"]
    pens = [stroke for stroke in PAGE.strokes if stroke.tool != "shape"]
    assert [len(points) for points in written] == [2 * len(stroke.points) for stroke in pens]
    assert all(points[::2] == points[1::2] for points in written)
    read = [stroke for stroke in page.strokes if stroke.tool != "shape"]
    assert [*map(len, (s.points for s in read))] == [len(stroke.points) for stroke in pens]
    assert len(read[0].widths) == len(pens[0].points)


class Layer(int):
    """The number of a layer, which counts how often it is compared."""

    num_compared = 0
    __hash__ = int.__hash__

    def __eq__(self, other):
        Layer.num_compared += 1
        return int(self) == other


@pytest.mark.parametrize("suffix", [".xopp", ".excalidraw", ".pdf"])
def test_each_layer_is_written_without_a_look_at_the_items_of_the_others(tmp_path, suffix):
    strokes = tuple(PageStroke(WAVE, layer=Layer(number)) for number in range(20))
    page = InkPage(400.0, 560.0, strokes, 1.0, layers=("",) * 20)
    Layer.num_compared = 0
    if suffix == ".pdf":
        write_pdf(tmp_path / "a.pdf", [PdfPage(page)])
    else:
        save_ink_pages([page], tmp_path / f"a{suffix}")
    assert Layer.num_compared == 0


def test_a_note_has_the_form_that_xournalpp_opens(tmp_path):
    """It drops strokes of one point, and knows its own kinds of paper."""
    lined = replace(PAGE, style="lined r1=30", ruling=PAGE.ruling)
    save_ink_pages([lined, PAGE], tmp_path / "a.xopp")
    content = (tmp_path / "a.xopp").read_bytes()
    root = ElementTree.fromstring(gzip.decompress(content))
    papers = [page.find("background").attrib for page in root]
    assert papers[0] == {
        "type": "solid", "color": "#203040ff", "style": "lined", "config": "r1=30"
    }  # fmt: skip
    layers = [[layer.get("name") for layer in page.findall("layer")] for page in root]
    assert layers == [["ink", "second"], ["ruling", "ink", "second"]]
    for stroke in root.iter("stroke"):
        numbers = [*map(float, stroke.text.split())]
        assert len(numbers) >= 4 and len(numbers) % 2 == 0
        assert stroke.get("tool") in ("pen", "highlighter", "eraser")
        assert len(stroke.get("width").split()) in (1, len(numbers) // 2)
    save_ink_pages([lined, PAGE], tmp_path / "b.xopp")
    assert (tmp_path / "b.xopp").read_bytes() == content


def test_a_drawing_has_the_form_that_excalidraw_opens(tmp_path):
    """Points begin at the element's own place, and a file is a page."""
    files = save_ink_pages([PAGE, PAGE], tmp_path / "a.excalidraw")
    assert [file.name for file in files] == ["a-1.excalidraw", "a-2.excalidraw"]
    drawing = json.loads(files[0].read_text())
    elements = drawing["elements"]
    assert (drawing["type"], drawing["version"]) == ("excalidraw", 2)
    assert len({element["id"] for element in elements}) == len(elements)
    assert [element["locked"] for element in elements][:3] == [True, True, False]
    for element in elements:
        if element["type"] in ("freedraw", "line"):
            assert element["points"][0] == [0, 0]
        if element["type"] == "freedraw":
            assert len(element["pressures"]) == len(element["points"]) >= 2
        if element["type"] == "image":
            assert drawing["files"][element["fileId"]]["dataURL"].startswith("data:image/png")


@pytest.mark.parametrize("suffix", [".xopp", ".excalidraw"])
def test_a_written_page_saved_as_a_note_has_a_layer_for_each_pen_and_its_ruling(tmp_path, suffix):
    rows = tuple(Row((WAVE / 3,), "text", Pen(0.5, colour)) for colour in ("#aa0000", "#0000aa"))
    page = Page(210.0, 297.0, rows, rules=np.array([[[10, 60], [200, 60.0]]]))
    page.save(tmp_path / f"a{suffix}")
    (same,) = read_pages(tmp_path / f"a{suffix}")
    assert same.unit * same.width == pytest.approx(210 * PT_PER_MM, abs=0.05)
    assert [stroke.layer for stroke in same.strokes] == [0, 1] and len(same.ruling) == 1
    assert same.layers == ("pen 0.5 mm #aa0000", "pen 0.5 mm #0000aa")


def test_a_note_that_would_annotate_two_pdfs_is_refused(tmp_path):
    first, second = (replace(PAGE, background=Path(name)) for name in ("a.pdf", "b.pdf"))
    with pytest.raises(UserError, match=r"b.pdf: a note of Xournal\+\+ annotates one PDF"):
        save_ink_pages([first, first, second], tmp_path / "a.xopp")
