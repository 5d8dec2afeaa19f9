"""Xournal++ itself draws our notes as our PDF does."""

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from PIL import ImageChops, ImageFilter

from ink.drawing.layers import Pen, Row
from ink.formats import read_pages
from ink.formats.pdf.pages import PdfPage, write_pdf
from ink.geometry import strokes
from ink.ink_page import InkPage, PageImage, PageStroke, TypedText
from ink.reading import read_ink
from model.drawing.page import Page, save_ink_pages
from tests.commands.networks import ROOT
from tests.ink.formats.test_note_files import BOX, WAVE, picture

DPI = 50
BLUR = 0.5  # millimetres
TOLERANCE = 0.06
"""Least fraction of the blurred ink that differs if a page is wrong; pages differ by up to 0.04, as
lines are drawn through points in Xournal++, and curves in our PDF."""
TOLERANCES = {"dot": 0.35, "dotted": 0.6, "typed": 0.25, "image": 0.02}
"""PDFium draws the dots of Xournal++, lines of no length, too wide; Pango sets letters closer."""
SHIFT = 1  # pixel, 0.5 millimetres: a page that is drawn beside its place must be seen

STROKES = {
    "pressure": PageStroke(WAVE, colour="#aa0000", width=1.5, widths=np.linspace(0.5, 4, 50)),
    "highlighter": PageStroke(WAVE, "highlighter", "#ffee00", 12.0, opacity=0.47),
    "fill": PageStroke(BOX, "shape", "#ff8800", 2.0, fill="#ff8800", fill_opacity=0.5),
    "fill of another colour": PageStroke(BOX, "shape", "#0000ff", 2.0, fill="#ff8800"),
    "dashes": PageStroke(BOX, "shape", "#008800", 2.0, dash=(6.0, 7.5)),
    "butt": PageStroke(WAVE[:9], width=8.0, cap="butt"),
    "square": PageStroke(WAVE[:9], width=8.0, cap="square"),
    "dot": PageStroke(np.array([[200.0, 280]]), colour="#ff0000", width=6.0),
}
STYLES = "plain", "lined", "ruled", "graph r1=20", "dotted"


def pages():
    """Return pages by what is on them."""
    blank = InkPage(400.0, 560.0, (PageStroke(WAVE + 200, width=1.0),), 1.0)
    named = {name: replace(blank, strokes=(stroke,)) for name, stroke in STROKES.items()}
    for style in STYLES:
        named[style] = replace(blank, style=style)
    named["dark"] = replace(named["lined"], paper="#203040")
    rule = PageStroke(np.array([[0, 90], [400, 90.0]]), "shape", "#808080", 0.5)
    named["ruling of its own"] = replace(blank, ruling=(rule,))
    text = TypedText("Łódź < 7\nsecond & last", 60, 360, 18, "#44ff88")
    named["typed"] = replace(blank, typed=(text,))
    named["image"] = replace(blank, images=(PageImage(picture(), (220, 240, 340, 330)),))
    over = PageStroke(BOX + 30, "eraser", "#ffffff", 9.0, layer=1)
    below = STROKES["fill of another colour"]
    named["layers"] = replace(blank, strokes=(below, over), layers=("ink", "second"))
    return named


@pytest.mark.slow
def test_xournalpp_draws_notes_as_our_pdf(tmp_path):
    if not shutil.which("xournalpp"):
        pytest.skip("Xournal++ is not installed: apt-get install xournalpp")
    pdfium = pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed")
    written_page(tmp_path / "page.xopp")
    named = pages() | {"handwriting": next(read_pages(tmp_path / "page.xopp"))}
    save_ink_pages(named.values(), tmp_path / "a.xopp")
    write_pdf(tmp_path / "ours.pdf", map(PdfPage, read_pages(tmp_path / "a.xopp")))
    command = ["xournalpp", f"--create-pdf={tmp_path / 'theirs.pdf'}", tmp_path / "a.xopp"]
    subprocess.run(command, check=True, capture_output=True, timeout=180)

    def drawn(name):
        with pdfium.PdfDocument(tmp_path / name) as document:
            for page in document:
                yield page.render(scale=DPI / 72).to_pil().convert("RGB")

    for name, ours, theirs in zip(named, drawn("ours.pdf"), drawn("theirs.pdf"), strict=True):
        moved, tolerance = ImageChops.offset(ours, SHIFT), TOLERANCES.get(name, TOLERANCE)
        assert difference(ours, theirs) < tolerance < difference(moved, theirs), name


def written_page(path):
    """Save a page of handwriting as `page` does."""
    rows = []
    for y, line in enumerate(read_ink(ROOT / "docs" / "sample-lines")[:4], 1):
        scale = 160 / np.ptp(line.ink[:, 0].cumsum())
        ink = tuple(scale * stroke + (20, 40 * y) for stroke in strokes(line.ink))
        rows.append(Row(ink, line.text, Pen(0.4, "#1b2a4e")))
    Page(210.0, 297.0, tuple(rows)).save(path)


def difference(page, other):
    """Return the difference of two pictures of a page, blurred, as a fraction of the ink."""
    blur = ImageFilter.GaussianBlur(BLUR * DPI / 25.4)
    paper = np.array(other.getpixel((0, other.height - 1)), float)
    page, other = (np.asarray(p.filter(blur), float) - paper for p in (page, other))
    return np.abs(page - other).sum() / np.abs(other).sum()
