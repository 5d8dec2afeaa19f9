"""Pages as PDF, read back by pypdf: what is drawn, and the text by which it is searched."""

import io
import math
import shutil
import subprocess
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader
from pypdf.generic import ContentStream

from ink.drawing.layers import Pen, PlacedWord, Row
from ink.formats.pdf.pages import PdfPage, WordInk, write_pdf
from ink.geometry import turned_back
from ink.ink_page import LINE_PITCH, PT_PER_MM, InkPage, PageImage, PageStroke, TypedText
from model.drawing.page import Page
from utils.checks import UserError

UNIT = 0.02
"""Millimetres of a unit of the drawing."""
LINE = np.array([[20.0, 30], [30, 38], [45, 50]])
DOT = np.array([[60.0, 40]])


def page(width=210.0, height=297.0, **changes):
    return Page(width, height, (Row((LINE, DOT), pen=Pen(0.5, "#aa0000")),), **changes)


def saved(path, *pages, title=""):
    write_pdf(path, pages, title)
    return PdfReader(path, strict=True)


def operations(pdf_page):
    return [(name.decode(), values) for values, name in pdf_page.get_contents().operations]


def typed_outlines(pdf_page):
    """Return the corners `(operation, x, y)` of glyphs of typed text, in the units of its place."""
    corners = []
    for (before, place), (name, value) in pairwise(operations(pdf_page)):
        if (before, name) == ("cm", "Do"):
            width, _, _, height, x, y = map(float, place)
            form = ContentStream(pdf_page["/Resources"]["/XObject"][value[0]], pdf_page.pdf)
            corners += [
                (
                    name.decode(),
                    UNIT * (x + width * float(at[0])),
                    UNIT * (y + height * float(at[1])),
                )
                for at, name in form.operations
                if name != b"f"
            ]
    return corners


def test_a_pdf_has_the_pages_in_their_sizes_as_curves(tmp_path):
    pages = [page(rules=np.array([[[10, 60], [100, 60.0]]])), page(100, 80.5)]
    reader = saved(
        tmp_path / "a.pdf", *(page.to_pdf_page() for page in pages), title="Brief über Ω"
    )
    sizes = [float(side) / PT_PER_MM for one in reader.pages for side in one.mediabox[2:]]
    assert sizes == pytest.approx([210, 297, 100, 80.5], abs=0.001)
    assert reader.metadata.title == "Brief über Ω" and "/CreationDate" not in reader.metadata
    for drawn, starts in zip(reader.pages, ([[10, 60]], []), strict=True):
        done = operations(drawn)
        scale, _, _, down, left, top = map(float, next(v for n, v in done if n == "cm"))
        assert (scale, -down) == pytest.approx((UNIT * PT_PER_MM,) * 2) and left == 0
        assert top == pytest.approx(float(drawn.mediabox[3]))
        moves = [[float(x) * UNIT for x in v] for n, v in done if n == "m"]
        np.testing.assert_allclose(moves, [*starts, [20, 30], [60, 39.9]], atol=0.011)
    assert [n for n, _ in done if n in ("c", "l", "S")] == ["l", "l", "l", "S"]
    assert [float(x) * UNIT for x in dict(done)["w"]] == [0.5]
    assert [*map(float, dict(done)["RG"])] == [0.667, 0, 0]


def test_the_same_pages_are_the_same_bytes(tmp_path):
    readers = [
        saved(tmp_path / name, page().to_pdf_page(), title="title\x00") for name in ("a", "b")
    ]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert readers[0].metadata.title == "title?"


def test_ink_beyond_the_sheet_is_refused():
    with pytest.raises(UserError, match="its ink leaves the sheet"):
        page(50, 40).to_pdf_page()


def written(pdf_page):
    """Return the words of a page, by its operations alone: `(text, left, right, baseline, top,
    bottom)`, all in millimetres."""
    fonts = pdf_page["/Resources"]["/Font"]
    found, look = [], {}
    for name, values in operations(pdf_page):
        look |= {name: values}
        if name != "Tj":
            continue
        name, size = look["Tf"]
        font, size = fonts[name], float(size) * UNIT
        lines = font["/ToUnicode"].get_data().decode().splitlines()
        pairs = [line.strip("<>").split("> <") for line in lines if line.startswith("<")]
        codes = {int(code, 16): bytes.fromhex(said).decode("utf-16-be") for code, said in pairs}
        shown = values[0] if isinstance(values[0], bytes) else values[0].original_bytes
        width = sum(map(float, (font["/Widths"][code - 1] for code in shown))) / 1000
        left, baseline = (UNIT * float(x) for x in look["Tm"][4:])
        right = left + width * size * float(look["Tz"][0]) / 100
        top, bottom = (baseline - size * float(font["/FontBBox"][n]) / 1000 for n in (3, 1))
        found.append(("".join(codes[c] for c in shown), left, right, baseline, top, bottom))
    assert [float(v) for v in look["Tm"][:4]] == [1, 0, 0, -1] and look["Tr"] == [3]
    return found


def word(text, left, top, right, bottom, joined=False):
    """A word whose ink touches all sides of its box."""
    corners = [(left, top), (right, bottom), (left, bottom), (right, top)]
    return WordInk(text, np.array(corners, float), joined)


def sheet(width, height, *rows, **page):
    return PdfPage(InkPage(width, height, page.pop("strokes", ()), PT_PER_MM, **page), rows)


WORDS = (
    word("Łódź,", 10, 20, 40, 30),
    word("Straße", 38, 20, 60, 30),
    word("5", 70, 20, 74, 30, joined=True),
    word("€", 76, 20, 80, 30),
)


def test_words_are_written_where_their_ink_is_and_blanks_between(tmp_path):
    (page,) = saved(tmp_path / "a.pdf", sheet(100.0, 50.0, WORDS, ())).pages
    found = written(page)
    assert [text for text, *_ in found] == ["Łódź,", " ", "Straße", " ", "5", "€"]
    np.testing.assert_allclose([box[3:] for _, *box in found], [(20, 30)] * 6, atol=0.05)
    clipped, near = 38 - 0.2 * 4, 70 - 0.65 * 4  # the text's size is 0.4 of its height
    expected = [(10, clipped), (clipped, 38), (38, near), (near, 70), (70, 76), (76, 80)]
    np.testing.assert_allclose([box[:2] for _, *box in found], expected, atol=0.05)
    assert page.extract_text().replace(" ", "") == "Łódź,Straße5€"


@pytest.mark.parametrize("degrees", [0, 1, -5, 7])
def test_a_row_has_a_single_baseline_and_its_boxes_at_its_ink_when_it_is_turned(tmp_path, degrees):
    """Programs take words of several baselines for several lines."""
    wave = np.column_stack([np.linspace(0, 10, 40), 2 * np.sin(np.arange(40))])
    ink = [wave + np.array([20 + 15 * number, 40]) for number in range(6)]
    turned = [turned_back(points, -np.radians(degrees)) for points in ink]
    row = [WordInk(text, points) for text, points in zip("abcdef", turned, strict=True)]
    words = written(saved(tmp_path / "a.pdf", sheet(150.0, 90, row)).pages[0])
    words = [box for text, *box in words if text != " "]
    assert np.ptp([baseline for *_, baseline, _, _ in words]) < 0.1
    for (left, _, _, top, bottom), points in zip(words, turned, strict=True):
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        assert left == pytest.approx(points[:, 0].min(), abs=0.05)
        assert (top + bottom) / 2 == pytest.approx(middle[1], abs=0.4)
        assert bottom - top == pytest.approx(4, abs=0.3)


def test_a_page_with_more_characters_than_a_font_holds_is_searchable(tmp_path):
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 600))) + "𝛼\x00"
    (page,) = saved(tmp_path / "a.pdf", sheet(100.0, 50.0, [word(text, 10, 20, 90, 30)])).pages
    assert page.extract_text() == text[:-1] + "?"
    assert len(page["/Resources"]["/Font"]) == 3


def test_a_row_is_searched_by_its_words_or_as_a_whole(tmp_path):
    words = (PlacedWord("10", 1, joined=True), PlacedWord("-", 0), PlacedWord("a b", 1))
    strokes = (LINE, LINE + np.array([40.0, 0]))
    below = Row((LINE + np.array([0.0, 40]),), "all of it")
    rows = (Row(strokes, "10a b", words=words), below, Row(()))
    found = written(saved(tmp_path / "a.pdf", Page(210, 297, rows).to_pdf_page()).pages[0])
    assert [text for text, *_ in found] == ["10", "a b", "all of it"]
    assert [math.floor(left + 0.05) for _, left, *_ in found] == [20, 60, 20]


def test_words_one_below_the_other_are_both_searchable(tmp_path):
    words = [word("a", 0, bottom - 4, 10, bottom) for bottom in (4, 40)]
    (page,) = saved(tmp_path / "a.pdf", sheet(100.0, 100.0, words)).pages
    assert page.extract_text().split() == ["a", "a"]


# What is drawn.

LOOKS = {
    "paper": ({"paper": "#102030"}, "rg", ["0.0627", "0.125", "0.188"]),
    "ruling": ({"ruling": (PageStroke(LINE, "shape", "#00ff00", 1.0),)}, "RG", ["0", "1", "0"]),
    "a dash": ({"strokes": (PageStroke(LINE, dash=(2.0, 1.0)),)}, "d", ["[100, 50]", "0"]),
    "a fill": ({"strokes": (PageStroke(LINE, fill="#ff0000"),)}, "rg", ["1", "0", "0"]),
    "typed text": ({"typed": (TypedText("a", 9, 9, 9, "#0000ff"),)}, "rg", ["0", "0", "1"]),
}


@pytest.mark.parametrize("kind", LOOKS)
def test_colours_widths_and_opacities_of_a_page_are_drawn(tmp_path, kind):
    content, name, values = LOOKS[kind]
    (page,) = saved(tmp_path / "a.pdf", sheet(100.0, 100.0, **content)).pages
    assert values in [[*map(str, v)] for n, v in operations(page) if n == name]


ODD_LINES = {
    "an empty line": ("a\n\nb", 2),
    "lines of blanks": (" \n\u00a0\u2003\n\ta", 1),
    "no line at all": ("", 0),
    "signs without ink": ("\u200b\n\ufeff", 0),
    "dollars": (r"costs $x^2$ and $\frac{a}{b$", 1),
    "a character that fonts lack": ("\U00012000", 1),
}


@pytest.mark.filterwarnings("error::UserWarning")  # not of the garbage of other tests
@pytest.mark.parametrize("kind", ODD_LINES)
def test_a_typed_text_of_any_lines_is_drawn_line_by_line(tmp_path, kind):
    text, num_drawn = ODD_LINES[kind]
    typed = (TypedText(text, 9, 9, 9),)
    (page,) = saved(tmp_path / "a.pdf", sheet(100.0, 100.0, typed=typed)).pages
    starts = [y for name, _, y in typed_outlines(page) if name == "m"]
    lines = {math.floor((y - 9) / (9 * LINE_PITCH)) for y in starts}
    assert len(lines) == num_drawn


@pytest.mark.filterwarnings("error::UserWarning")  # not of the garbage of other tests
def test_a_tab_and_a_dollar_are_drawn_as_blanks_and_as_a_dollar(tmp_path):
    """Not as the box of a glyph that is missing, nor as the beginning of a formula."""
    drawn = []
    for text in ("a\tb", "a       b", "$b$", "$", "b"):
        typed = (TypedText(text, 9, 9, 9),)
        (page,) = saved(tmp_path / "a.pdf", sheet(100.0, 100.0, typed=typed)).pages
        drawn.append(typed_outlines(page))
    assert drawn[0] == drawn[1]
    assert len(drawn[2]) == 2 * len(drawn[3]) + len(drawn[4])


def test_typed_letters_stand_on_their_line_in_their_size(tmp_path):
    typed = (TypedText("H", 9, 9, 20), TypedText("HH", 50, 9, 20))
    (page,) = saved(tmp_path / "a.pdf", sheet(100.0, 100.0, typed=typed)).pages
    x, y = np.array([corner[1:] for corner in typed_outlines(page)]).T
    # In DejaVu Sans:
    baseline = 9 + 0.9 * 20
    capital = 1493 / 2048 * 20
    stem = 201 / 2048 * 20
    assert (y.min(), y.max()) == pytest.approx((baseline - capital, baseline), abs=0.05)
    assert x.min() == pytest.approx(9 + stem, abs=0.05)
    advance = 1540 / 2048 * 20
    assert x.max() == pytest.approx(50 + 2 * advance - stem, abs=0.05)


def test_a_glyph_of_typed_text_is_stored_once(tmp_path):
    text = "".join(np.random.default_rng(1).choice([*"abcdefghij"], 9000))
    saved(tmp_path / "a.pdf", sheet(100.0, 100.0, typed=(TypedText(text, 9, 9, 9),)))
    assert (tmp_path / "a.pdf").stat().st_size < 10 * len(text)


def test_pressure_changes_the_width_and_opacity_is_kept(tmp_path):
    line = np.column_stack([np.arange(10.0, 50), np.full(40, 20.0)])[[0, *range(40)]]
    stroke = PageStroke(line, width=1.0, widths=np.linspace(0.5, 1.5, 41), opacity=0.4)
    (page,) = saved(tmp_path / "a.pdf", sheet(100.0, 100.0, strokes=(stroke,))).pages
    widths = [float(v[0]) * UNIT for n, v in operations(page) if n == "w"]
    assert widths == sorted(widths) and len(widths) == 9
    assert (widths[0], widths[-1]) == pytest.approx((0.5, 1.5))
    states = page["/Resources"]["/ExtGState"]
    assert [float(state["/CA"]) for state in states.values()] == [0.4]


def picture(form, mode="RGB"):
    file = io.BytesIO()
    Image.linear_gradient("L").resize((8, 6)).convert(mode).save(file, form)
    return file.getvalue()


IMAGES = {
    "JPEG": (picture("JPEG"), "/DCTDecode"),
    "PNG": (picture("PNG"), "/FlateDecode"),
    "a transparent PNG": (picture("PNG", "RGBA"), "/FlateDecode"),
    "a PNG of a palette": (picture("PNG", "P"), "/FlateDecode"),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_an_image_is_on_its_page_as_it_is(tmp_path, kind):
    content, packing = IMAGES[kind]
    images = (PageImage(content, (10, 20, 50, 60)), PageImage(content, (0, 0, 5, 5)))
    (page,) = saved(tmp_path / "a.pdf", sheet(100.0, 100.0, images=images)).pages
    (image,) = page["/Resources"]["/XObject"].values()  # the same image twice
    assert image["/Filter"] == packing
    if kind == "JPEG":
        assert image._data == content
    drawn = image.decode_as_image().convert("RGB")
    expected = Image.open(io.BytesIO(content)).convert("RGB")
    np.testing.assert_allclose(np.array(drawn, int), np.array(expected, int), atol=8)


def test_a_broken_image_is_refused(tmp_path):
    images = (PageImage(picture("PNG", "RGBA")[:70], (0, 0, 5, 5)),)
    with pytest.raises(UserError, match="an image of a page is broken"):
        saved(tmp_path / "a.pdf", sheet(100.0, 100.0, images=images))


def said_by_poppler(path, *options):
    command = ["pdftotext", *options, path, "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def said_by_pdfium(path):
    import pypdfium2

    with pypdfium2.PdfDocument(path) as document:
        return document[0].get_textpage().get_text_range()


PROGRAMS = {
    "pdftotext": said_by_poppler,
    "pdftotext -raw": lambda path: said_by_poppler(path, "-raw"),
    "PDFium": said_by_pdfium,
}


@pytest.fixture(params=PROGRAMS)
def said(request, tmp_path):
    """What a program says is the text of a page."""
    if "pdftotext" in request.param and not shutil.which("pdftotext"):
        pytest.skip("poppler is not installed")
    if request.param == "PDFium":
        pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed")

    def words(page):
        saved(tmp_path / "a.pdf", page)
        return PROGRAMS[request.param](tmp_path / "a.pdf").split()

    return words


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_pdf_programs_find_all_words_when_the_page_lies_on_a_side(said, turn):
    """In an order of their own: pdftotext from the last row at 270 degrees, PDFium at 180."""
    wave = np.column_stack([np.linspace(0, 15, 60), 4 * np.sin(np.arange(60))])
    texts, rows = [[f"{row}{word}" for word in "abcd"] for row in range(3)], []
    for number, words in enumerate(texts):
        level = [wave + np.array([22 * place - 45, 12 * number - 12]) for place in range(4)]
        ink = [turned_back(points, -turn * math.pi / 2) + 60 for points in level]
        rows.append([WordInk(w, i, turn=turn) for w, i in zip(words, ink, strict=True)])
    found = said(sheet(120.0, 120.0, *rows))
    assert sorted(found) == [word for words in texts for word in words]


def test_pdf_programs_find_all_words_in_order_when_rows_are_turned(said):
    # Two columns of rows that fall by more than their distance.
    texts = [[f"{column}{row}{word}" for word in "abcd"] for column in "LR" for row in range(4)]
    rows = []
    for number, words in enumerate(texts):
        place = np.array([20 + 110 * (number // 4), 60 + 12 * (number % 4)])
        steps = [place + np.array([22 * k, 0]) for k in range(4)]
        wave = np.column_stack([np.linspace(0, 15, 60), 4 * np.sin(np.arange(60))])
        ink = [turned_back(wave + step, math.radians(6)) for step in steps]
        rows.append([*map(WordInk, words, ink)])
    assert said(sheet(260.0, 120.0, *rows)) == [word for words in texts for word in words]
