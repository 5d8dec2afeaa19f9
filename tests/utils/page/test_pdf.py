"""Pages as PDF, read back by pypdf: what is drawn, and the text by which it is searched."""

import math

import numpy as np
import pytest
from pypdf import PdfReader

from utils.checks import UserError
from utils.page.layers import Pen, PlacedWord, Row
from utils.page.page import Page
from utils.page.pdf import BoxedWord, PdfPage, write_pdf

POINT = 25.4 / 72
"""Millimetres."""
LINE = np.array([[20.0, 30], [30, 38], [45, 50]])
DOT = np.array([[60.0, 40]])


def page(width=210.0, height=297.0, **changes):
    return Page(width, height, (Row((LINE, DOT), pen=Pen(0.5, "#aa0000")),), **changes)


def saved(path, *pages, title=""):
    write_pdf(path, pages, title)
    return PdfReader(path, strict=True)


def operations(pdf_page):
    return [(name.decode(), values) for values, name in pdf_page.get_contents().operations]


def test_a_pdf_has_the_pages_in_their_sizes_as_curves(tmp_path):
    pages = [page(rules=np.array([[[10, 60], [100, 60.0]]])), page(100, 80.5)]
    reader = saved(
        tmp_path / "a.pdf", *(page.to_pdf_page() for page in pages), title="Brief über Ω"
    )
    sizes = [float(side) * POINT for one in reader.pages for side in one.mediabox[2:]]
    assert sizes == pytest.approx([210, 297, 100, 80.5], abs=0.001)
    assert reader.metadata.title == "Brief über Ω" and "/CreationDate" not in reader.metadata
    for drawn, starts in zip(reader.pages, ([[10, 60]], []), strict=True):
        done = operations(drawn)
        scale, _, _, down, left, top = map(float, next(v for n, v in done if n == "cm"))
        assert (scale, -down) == pytest.approx((1 / POINT,) * 2) and left == 0
        assert top == pytest.approx(float(drawn.mediabox[3]))
        assert [v for n, v in done if n == "m"] == [*starts, [20, 30], [60, 39.9]]
    names = [name for name, _ in done]
    assert names.count("c") == 3 and names.count("S") == 1  # two and the dot's
    assert [v for n, v in done if n == "c"][1][4:] == [45, 50]
    assert dict(done)["w"] == [0.5] and dict(done)["RG"] == [0.667, 0, 0]


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
    """Where the words of a page stand, by its operations alone: `(text, left, right, baseline,
    size)`, all in millimetres."""
    fonts = pdf_page["/Resources"]["/Font"]
    found, look = [], {}
    for name, values in operations(pdf_page):
        look |= {name: values}
        if name != "Tj":
            continue
        font, size = look["Tf"]
        lines = fonts[font]["/ToUnicode"].get_data().decode().splitlines()
        pairs = [line.strip("<>").split("> <") for line in lines if line.startswith("<")]
        codes = {int(code, 16): bytes.fromhex(said).decode("utf-16-be") for code, said in pairs}
        shown = values[0] if isinstance(values[0], bytes) else values[0].original_bytes
        width = sum(map(float, (fonts[font]["/Widths"][code - 1] for code in shown))) / 1000
        left, baseline = map(float, look["Tm"][4:])
        right = left + width * float(size) * float(look["Tz"][0]) / 100
        found.append(("".join(codes[c] for c in shown), left, right, baseline, float(size)))
    assert [float(v) for v in look["Tm"][:4]] == [1, 0, 0, -1] and look["Tr"] == [3]
    return found


WORDS = (
    BoxedWord("Łódź,", 10, 20, 40, 31),
    BoxedWord("Straße", 38, 22, 60, 30),
    BoxedWord("5", 70, 22, 74, 30, joined=True),
    BoxedWord("€", 76, 22, 80, 29),
)


def test_words_are_written_where_their_ink_is_and_blanks_between(tmp_path):
    reader = saved(tmp_path / "a.pdf", PdfPage(100.0, 50.0, (), [WORDS, ()]))
    found = written(reader.pages[0])
    assert [text for text, *_ in found] == ["Łódź,", " ", "Straße", " ", "5", "€"]
    assert {(base, size) for *_, base, size in found} == {(30, 1.4 * 8)}
    edges = [(left, right) for _, left, right, *_ in found]
    clipped = 38 - 0.1 * 1.4 * 8
    expected = [(10, clipped), (clipped, 38), (38, 60), (60, 70), (70, 76), (76, 80)]
    np.testing.assert_allclose(edges, expected, atol=0.02)
    assert reader.pages[0].extract_text() == "Łódź, Straße 5€"


def test_a_turned_row_has_its_words_where_they_are_and_no_wide_blanks(tmp_path):
    """Else a word would be marked rows away from its ink, and poppler would see columns."""
    falling = [
        BoxedWord(text, x, x / 2, x + 10, 10 + x / 2)
        for text, x in zip("abc", (0, 15, 50), strict=True)
    ]
    reader = saved(tmp_path / "a.pdf", PdfPage(100.0, 50.0, (), [falling]))
    words = [item for item in written(reader.pages[0]) if item[0] != " "]
    assert [base for *_, base, _ in words] == pytest.approx([10, 17.5, 35], abs=0.01)
    assert [right for _, _, right, *_ in words] == pytest.approx([10, 50 - 0.9 * 14, 60], abs=0.02)


def test_any_number_of_characters_is_found(tmp_path):
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 600))) + "𝛼\x00"
    words = [BoxedWord(text, 10, 20, 90, 30)]
    reader = saved(tmp_path / "a.pdf", PdfPage(100.0, 50.0, (), [words]))
    assert reader.pages[0].extract_text() == text[:-1] + "?"
    (_, left, *_), *_, (_, _, _, base, size) = written(reader.pages[0])
    assert (left, base, size) == (10, 30, 14) and len(reader.pages[0]["/Resources"]["/Font"]) == 3


def test_a_row_is_searched_by_its_words_or_as_a_whole(tmp_path):
    words = (PlacedWord("10", 1, joined=True), PlacedWord("-", 0), PlacedWord("a b", 1))
    strokes = (LINE, LINE + np.array([40.0, 0]))
    below = Row((LINE + np.array([0.0, 40]),), "all of it")
    rows = (Row(strokes, "10a b", words=words), below, Row(()))
    found = written(saved(tmp_path / "a.pdf", Page(210, 297, rows).to_pdf_page()).pages[0])
    assert [text for text, *_ in found] == ["10", "a b", "all of it"]
    assert [math.floor(left) for _, left, *_ in found] == [20, 60, 20]


def test_words_over_each_other_have_a_level_baseline(tmp_path):
    words = [BoxedWord("a", 0.0, bottom - 4.0, 10.0, bottom) for bottom in (4.0, 40.0)]
    document = saved(tmp_path / "a.pdf", PdfPage(100.0, 100.0, [], [words]))
    assert document.pages[0].extract_text().split() == ["a", "a"]
