"""The table of what each format keeps, in docs/notes.md, is true in each cell."""

from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pypdf import PdfReader, PdfWriter

from apps.notes.exporting import save
from apps.notes.page_text import Note, PageRow, PageText, PageWord
from ink.formats import read_pages
from ink.formats.excalidraw import freehand_widths
from ink.ink_page import DEFAULT_FONT, InkPage, PageImage, PageStroke, TypedText
from tests.ink.formats.note_files import rm, rm_line
from tests.ink.formats.test_note_files import BOX, WAVE, picture

DOCS = Path(__file__).parents[3] / "docs" / "notes.md"
PRESSED = np.linspace(0.2, 1, 50)
WIDTHS = freehand_widths(0.3, PRESSED)


PAGE = InkPage(
    400.0,
    560.0,
    (
        PageStroke(
            WAVE,
            colour="#aa0000",
            width=float(WIDTHS.mean()),
            widths=WIDTHS,
            pressures=PRESSED,
        ),
        PageStroke(WAVE + 50, "highlighter", "#ffee00", 12.0, opacity=0.5),
        PageStroke(BOX, "shape", "#ff8800", 2.0, fill="#ff8800", dash=(6.0, 7.5)),
        PageStroke(WAVE + np.array([90.0, -90]), width=2.5, cap="butt", layer=1),
        PageStroke(WAVE + np.array([0.0, 5]), "eraser", "#ffffff", 6.0, layer=1),
    ),
    1.0,
    (TypedText("Łódź < 7\nsecond", 60, 360, 18, "#44ff88", 1, "Serif Bold"),),
    layers=("ink", "second"),
    images=(PageImage(picture(), (220, 240, 340, 330), 1),),
    paper="#e0f0ff",
    ruling=(PageStroke(np.array([[0, 90], [400, 90.0]]), "shape", "#808080", 0.5),),
)


def strokes_with(**values):
    """Return what makes the strokes of a page alike in some values."""

    def changed(page):
        return replace(page, strokes=tuple(replace(s, **values) for s in page.strokes))

    return changed


def of_strokes(*names):
    def values(page):
        return [[_value(page, stroke, name) for name in names] for stroke in page.strokes]

    return values


def _value(page, stroke, name):
    value = getattr(stroke, name)
    if name in ("widths", "pressures"):
        if value is None or not np.ptp(value):
            return 0.0
        return (page.unit if name == "widths" else 1.0) * float(value[:-1].mean())
    is_length = name in ("width", "dash")
    return page.unit * np.array(value) if is_length and value is not None else value


def without_tool(tool):
    def changed(page):
        tools = ("pen" if s.tool == tool else s.tool for s in page.strokes)
        pairs = zip(page.strokes, tools, strict=True)
        return replace(page, strokes=tuple(replace(s, tool=t) for s, t in pairs))

    return changed


FEATURES = {
    # what a page has of it, and the page without it
    "order of strokes": (
        lambda page: [page.unit * s.points[0] for s in page.strokes],
        lambda page: replace(page, strokes=page.strokes[2::-1] + page.strokes[3:]),
    ),
    "colours and widths": (
        of_strokes("colour", "width"),
        strokes_with(colour="#123456", width=3.3, widths=None, fill=None),
    ),
    "widths that change along a stroke": (of_strokes("widths"), strokes_with(widths=None)),
    "pressure beside the width": (of_strokes("pressures"), strokes_with(pressures=None)),
    "highlighters": (
        lambda page: [s.tool == "highlighter" for s in page.strokes],
        without_tool("highlighter"),
    ),
    "opacity": (of_strokes("opacity"), strokes_with(opacity=1.0)),
    "fills": (of_strokes("fill"), strokes_with(fill=None)),
    "dashes": (of_strokes("dash"), strokes_with(dash=())),
    "caps of lines": (of_strokes("cap"), strokes_with(cap="round")),
    "erasers that cover ink": (
        lambda page: [s.tool == "eraser" for s in page.strokes],
        lambda page: replace(page, strokes=tuple(s for s in page.strokes if s.tool != "eraser")),
    ),
    "layers with their names": (
        lambda page: [*page.layers, *(s.layer for s in page.strokes)],
        lambda page: replace(page, layers=("",) * len(page.layers)),
    ),
    "typed text": (
        lambda page: [
            (t.text, t.colour, t.layer, page.unit * np.array([t.x, t.y, t.size]))
            for t in page.typed
        ],
        lambda page: replace(page, typed=()),
    ),
    "its font": (
        lambda page: [text.font for text in page.typed],
        lambda page: replace(page, typed=tuple(replace(t, font=DEFAULT_FONT) for t in page.typed)),
    ),
    "images": (
        lambda page: [(image.content, page.unit * np.array(image.box)) for image in page.images],
        lambda page: replace(page, images=()),
    ),
    "paper and ruling": (
        lambda page: [page.paper, *(page.unit * stroke.points for stroke in page.ruling)],
        lambda page: replace(page, paper="#ffffff", ruling=()),
    ),
    "the PDF below": (
        lambda page: [page.background and page.background.name, page.background_page],
        lambda page: replace(page, background=None, background_page=0),
    ),
}


def alike(first, second):
    """Return whether values are the same, up to the rounding of numbers."""
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(map(alike, first, second))
    if isinstance(first, np.ndarray | float | int) and isinstance(second, np.ndarray | float | int):
        return np.shape(first) == np.shape(second) and np.allclose(first, second, atol=0.06)
    return first == second


def table():
    """Return the cells of the table: the feature, the format, and what it says."""
    section = DOCS.read_text().partition("## What each format keeps")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    names = [name.strip(" `") for name in lines[0]]
    for line in lines[2:]:
        for name, cell in zip(names[1:], line[1:], strict=True):
            yield line[0].strip(), name, cell.strip()


def saved(page, path):
    """Save a page whose rows are not in the order of writing."""
    word = PageWord("x", (0.0, 0.0, 1.0, 1.0))
    rows = tuple(PageRow((word,), numbers) for numbers in ((3,), (0, 4)))
    save([Note("a", [(page, PageText(rows))])], path)


def page_with(feature, folder):
    if feature != "the PDF below":
        return PAGE
    writer = PdfWriter()
    for _ in range(2):
        writer.add_blank_page(400, 560)
    writer.write(folder / "below.pdf")
    return replace(PAGE, background=folder / "below.pdf", background_page=1)


def is_written_and_read(feature, suffix, folder):
    value, without = FEATURES[feature]
    page = page_with(feature, folder)
    assert not alike(value(page), value(without(page)))
    saved(page, folder / f"a{suffix}")
    (same,) = read_pages(folder / f"a{suffix}")
    lengths = len(same.strokes), len(page.strokes)
    return lengths[0] == lengths[1] and alike(value(same), value(page))


def is_drawn(feature, folder):
    """Whether a PDF shows the feature."""
    page = page_with(feature, folder)
    shown = []
    for name, each in (("a", page), ("b", FEATURES[feature][1](page))):
        saved(each, folder / f"{name}.pdf")
        (pdf_page,) = PdfReader(folder / f"{name}.pdf").pages
        resources = pdf_page["/Resources"]
        states = repr(resources.get("/ExtGState"))
        shown.append((pdf_page.get_contents().get_data(), states, pdf_page.get("/CropBox")))
    return shown[0] != shown[1]


def is_read(feature, name, content, folder):
    """Whether a page that has all that its format can have has the feature when it is read."""
    (folder / name).write_bytes(content)
    (page,) = read_pages(folder / name)
    value, without = FEATURES[feature]
    return not alike(value(page), value(without(page)))


SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" width="400" height="560" viewBox="0 0 400 560"
xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape">
<rect width="400" height="560" fill="#e0f0ff"/><line x1="0" y1="90" x2="400" y2="90" stroke="#888"/>
<g inkscape:groupmode="layer" inkscape:label="ink" fill="none">
<path stroke="#aa0000" d="M60 150L90 160"/>
<path stroke="#aa0000" stroke-width="3" d="M90 160L99 99"/>
<path stroke="#ffee00" stroke-width="12" opacity="0.5" d="M99 200L200 200"/></g>
<g inkscape:groupmode="layer" inkscape:label="second">
<path stroke="#00aa00" fill="#ff8800" stroke-dasharray="6 7" d="M60 260L160 260L160 320Z"
stroke-linecap="butt"/><text x="60" y="360" font-size="18" font-family="Serif">typed</text>
<image x="9" y="9" width="9" height="9" href="data:image/png;base64,PICTURE"/></g></svg>"""


def rm_page():
    line = rm_line(20, [(100, 100), (110, 120), (120, 100)])
    for point, width, pressure in zip(
        line.item.value.points, (10, 18, 30), (50, 90, 200), strict=True
    ):
        point.width, point.pressure = width, pressure
    more = rm_line(21, [(100, 130), (200, 130)], 18, 3), rm_line(22, [(9, 9), (20, 9)], 6, 2)
    return rm(line, *more)


@pytest.mark.parametrize(("feature", "suffix", "cell"), [*table()])
def test_a_format_keeps_what_the_table_says_and_nothing_else(tmp_path, feature, suffix, cell):
    if suffix == ".pdf":
        assert cell == ("written" if is_drawn(feature, tmp_path) else "-")
    elif suffix == ".svg":
        content = SVG.replace(b"PICTURE", b64encode(picture()))
        assert cell == ("read" if is_read(feature, "a.svg", content, tmp_path) else "-")
    elif suffix == ".rm":
        pytest.importorskip("rmscene", reason="rmscene is not installed")
        assert cell == ("read" if is_read(feature, "a.rm", rm_page(), tmp_path) else "-")
    else:
        assert cell == ("both" if is_written_and_read(feature, suffix, tmp_path) else "-")


def test_the_table_has_a_row_for_each_feature():
    assert [*dict.fromkeys(feature for feature, *_ in table())] == [*FEATURES]
