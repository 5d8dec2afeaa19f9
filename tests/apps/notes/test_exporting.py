"""Notes as files, read back by pypdf, poppler's peers and the project's own readers."""

import json
import os
import weakref
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from urllib.parse import unquote

import numpy as np
import pytest
from pypdf import PdfReader, PdfWriter

from apps.notes.exporting import (
    TextForm,
    json_parts,
    learnable_lines,
    markdown_parts,
    save,
    save_lines,
    text_parts,
)
from apps.notes.page_text import Note, PageRow, PageText, PageWord, box_of
from ink.formats import read_pages
from ink.formats.pdf.pages import PT_PER_MM, UNITS_PER_MM
from ink.ink_page import InkPage, PageStroke
from ink.reading import read_ink
from tests.apps.notes.pages import note, text_of, written_page
from utils.checks import UserError


def operations(page):
    return [(name.decode(), values) for values, name in page.get_contents().operations]


def test_a_pdf_has_the_ink_in_its_colours_and_the_words_where_they_stand(tmp_path):
    save([note()], tmp_path / "a.pdf")
    (page,) = PdfReader(tmp_path / "a.pdf", strict=True).pages
    assert [float(side) for side in page.mediabox[2:]] == pytest.approx([595.28, 841.89], abs=0.01)
    places = {}

    def visit(text, _, matrix, *__):
        if text.strip():
            places[text.strip()] = matrix[4] / UNITS_PER_MM * PT_PER_MM

    assert page.extract_text(visitor_text=visit).split() == ["Łódź", "7", "Kennedy", "said"]
    assert places["Kennedy"] == pytest.approx(50, abs=0.1)
    done = operations(page)
    states = page["/Resources"]["/ExtGState"]
    modes = [states[values[0]]["/BM"] for name, values in done if name == "gs"]
    assert modes == ["/Multiply", *["/Normal"] * 3]
    colours = [[*map(float, values)] for name, values in done if name == "RG"]
    assert colours == [[1, 1, 0], [pytest.approx(2 / 3, abs=0.001), 0, 0], [0, 0, 0]]
    widths = [float(values[0]) / UNITS_PER_MM * PT_PER_MM for name, values in done if name == "w"]
    assert widths == pytest.approx([16, 1.5, 2], abs=0.01)
    assert any(name == "Do" for name, _ in done)  # the typed text is seen


def background(path, password=None):
    writer = PdfWriter()
    writer.add_blank_page(300, 200)
    page = writer.add_blank_page(595.28, 841.89)
    page.cropbox.lower_left = (10, 20)
    if password:
        writer.encrypt(password)
    writer.write(path)
    return path


def test_notes_lie_over_the_pdf_that_they_annotate(tmp_path):
    below = background(tmp_path / "below.pdf")
    pages = [written_page(background=below, background_page=1), written_page()]
    save([Note("a", [(page, text_of(page)) for page in pages])], tmp_path / "a.pdf")
    over, alone = PdfReader(tmp_path / "a.pdf").pages
    assert "Kennedy" in over.extract_text() and "Kennedy" in alone.extract_text()
    assert [float(x) for x in over.cropbox.lower_left] == [10, 20]
    matrices = [[*map(float, values)] for name, values in operations(over) if name == "cm"]
    assert [1, 0, 0, 1, 10, 20] in matrices


def outline(reader, entries):
    """Return the titles of an outline's entries with their pages, and those below them."""
    return [
        outline(reader, entry)
        if isinstance(entry, list)
        else (entry.title, reader.get_destination_page_number(entry))
        for entry in entries
    ]


@pytest.mark.parametrize("is_over_pdf", [False, True])
def test_notes_in_a_pdf_have_outline_labels_links_and_dates(tmp_path, is_over_pdf):
    over = {"background": background(tmp_path / "below.pdf"), "background_page": 1}
    notes = []
    for name, count in (("Ω (1)/b/x.xopp", 2), ("Ω (1)/b/y.xopp", 1), ("Ω (1)/z.rm", 1), ("a", 1)):
        pages = [written_page(**over if is_over_pdf else {}) for _ in range(count)]
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        os.utime(path, (0, 1_700_000_000 + len(notes)))
        notes.append(Note(name, [(page, text_of(page)) for page in pages], path=path))
    (tmp_path / "out").mkdir()
    save(notes, tmp_path / "out" / "a.pdf")
    reader = PdfReader(tmp_path / "out" / "a.pdf", strict=True)
    below = [("b", 0), [("x", 0), ("y", 2)], ("z", 3)]
    assert outline(reader, reader.outline) == [("Ω (1)", 0), below, ("a", 4)]
    top = reader.root_object["/Outlines"]  # Readers that go back follow other entries than pypdf.
    folder, last = top["/First"], top["/Last"]
    assert (folder["/Next"], last["/Prev"], last["/Parent"]) == (last, folder, top)
    names = ["Ω (1)/b/x 1", "Ω (1)/b/x 2", "Ω (1)/b/y 1", "Ω (1)/z 1", "a 1"]
    assert reader.page_labels == names and reader.page_mode == "/UseOutlines"
    twins = [replace(n, name=f"b/x{end}", path=tmp_path / f"x{end}") for n, end in
             zip(notes, (".xopp", ".rm"), strict=False)]  # fmt: skip
    for twin in twins:
        twin.path.write_text("")
    save(twins, tmp_path / "out" / "twins.pdf")
    twin_reader = PdfReader(tmp_path / "out" / "twins.pdf", strict=True)
    assert [*twin_reader.page_labels] == ["b/x.xopp 1", "b/x.xopp 2", "b/x.rm 1"]
    times = [
        time.timestamp()
        for time in (reader.metadata.creation_date, reader.metadata.modification_date)
    ]
    assert times == [1_700_000_000, 1_700_000_003] and reader.metadata.title == "a"
    for page, name in zip(reader.pages, names, strict=True):
        (link,), (left, bottom, right, top) = page["/Annots"], map(float, page.mediabox)
        address = (tmp_path / "out" / unquote(link["/A"]["/URI"])).resolve()
        assert address in [note.path for note in notes] and link["/Contents"] == name[:-2]
        corners = np.reshape([*map(float, link["/Rect"])], (2, 2))
        corners -= is_over_pdf * np.array([10, 20])  # where the page begins on the other
        assert ((left, bottom) < corners).all() and (corners < (right, top)).all()
    save(notes[:1], tmp_path / "one.pdf")  # It needs no outline.
    reader = PdfReader(tmp_path / "one.pdf", strict=True)
    assert not reader.outline and reader.page_labels == ["1", "2"]
    assert reader.metadata.creation_date and len(reader.pages[1]["/Annots"]) == 1


@pytest.mark.parametrize(
    ("password", "page", "message"),
    [("secret", 0, "below.pdf: this PDF is encrypted"), (None, 2, "below.pdf: has 2 pages, no")],
)
def test_a_pdf_that_cannot_lie_under_notes_is_named(tmp_path, password, page, message):
    below = background(tmp_path / "below.pdf", password)
    with pytest.raises(UserError, match=message):
        save([note(background=below, background_page=page)], tmp_path / "a.pdf")
    below.unlink()
    with pytest.raises(UserError, match="cannot be put under the notes"):
        save([note(background=below)], tmp_path / "a.pdf")
    assert not (tmp_path / "a.pdf").exists()


MARKED = """\
### Plan

- milk
- [x] eggs\\_

1. mix
2. bake

then eat\\
and rest

| day |  | cost |
| --- | --- | --- |
| Mo | Bern |  |
"""


def test_lists_headings_and_tables_are_written_as_those_of_markdown():
    texts = ("Plan", "#"), ("milk", "-"), ("eggs_", "- [x]"), ("1. mix", "1."), ("2. bake", "1.")
    texts += ("then eat", ""), ("and rest", ""), ("day", "|"), ("cost", "|||")
    texts += ("Mo", "|"), ("Bern", "||")
    word = (0.0, 0.0, 1.0, 1.0)
    rows = (PageRow((PageWord(text, word),), mark=mark) for text, mark in texts)
    notes = [Note("a", [(written_page(), PageText(tuple(rows)))])]
    assert "".join(markdown_parts(notes)) == f"# a\n\n## Page 1\n\n{MARKED}"
    plain = "".join(text_parts(notes)).splitlines()
    assert plain[:4] == ["Plan", "- milk", "- [x] eggs_", "1. mix"]
    assert plain[-2:] == ["day |  | cost", "Mo | Bern"]


def test_a_row_whose_words_are_none_is_left_out_and_keeps_its_number():
    box = (0.0, 0.0, 1.0, 1.0)
    texts = (("a", ""), ("", "#"), ("", "1."), ("2. b", "1."), ("c", "1."), ("d", "-"), ("", "-"))
    rows = tuple(PageRow((PageWord(text, box),), mark=mark) for text, mark in texts)
    notes = [Note("a", [(written_page(), PageText(rows))])]
    assert "".join(text_parts(notes)) == "a\n2. b\nc\n- d\n"
    assert "".join(text_parts(notes, TextForm(is_prose=True))) == "a\n\n2. b\n\nc\n\n- d\n"
    numbered = "".join(text_parts(notes, TextForm(is_numbered=True)))
    assert numbered == "1:1\ta\n1:4\t2. b\n1:5\tc\n1:6\td\n"
    assert "".join(markdown_parts(notes)).split("\n\n")[2:] == ["a", "2. b\nc", "- d\n"]
    (page,) = json.loads("".join(json_parts(notes)))["notes"][0]["pages"]
    assert [row["text"] for row in page["rows"]] == ["a", "2. b", "c", "d"]


def test_texts_mark_words_that_are_unsure(tmp_path):
    row = PageRow((PageWord("-_*", (0, 0, 1, 1)), PageWord("3", (2, 0, 3, 1))), (0,), "c")
    notes = [note(), Note("b", [(written_page(), PageText((row,)))])]
    save(notes, tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "Łódź 7\nKennedy(?) said\n\n-_* 3\n"
    save(notes, tmp_path / "a.md")
    marked = (
        "# diary\n\n## Page 1\n\nŁódź 7\\\nKennedy(?) said\n\n# b\n\n## Page 1\n\n\\-\\_\\* 3\n"
    )
    assert (tmp_path / "a.md").read_text() == marked
    unread = [(page, replace(text, unread=((1, 2, 30, 40),))) for page, text in notes[0].pages]
    save([replace(notes[0], pages=unread), notes[1]], tmp_path / "a.json")
    first, _ = json.loads((tmp_path / "a.json").read_text())["notes"]
    word = first["pages"][0]["rows"][1]["words"][0]
    assert (word["text"], word["confidence"], word["alternatives"]) == ("Kennedy", 0.5, ["Renuedy"])
    assert word["box"] == pytest.approx([50, 92, 90, 108], abs=0.1)
    assert first["pages"][0]["left_out"] == {"highlighter": 1}
    assert first["pages"][0]["unread"] == [[1, 2, 30, 40]]


def test_prose_has_paragraphs_and_no_marks(tmp_path):
    def row(text, left, top, right=100):
        box = (left, top, right, top + 10)
        return PageRow((PageWord(text, box, 0.5),), (0,))

    indented, high = row("two", 20, 55, 60), row("right", 150, 0, 250)
    rows = [row("an exam-", 0, 0), row("ple of", 0, 20), row("one", 0, 40, 40), indented, high]
    rows += [row("and three", 0, 60), row("below", 0, 100)]
    notes = [Note("a", [(written_page(), PageText(tuple(rows)))])]
    save(notes, tmp_path / "a.txt", TextForm(is_prose=True))
    paragraphs = (tmp_path / "a.txt").read_text().split("\n\n")
    assert paragraphs == ["an example of one", "two", "right", "and three", "below\n"]
    save(notes, tmp_path / "a.md", TextForm(is_prose=True))
    assert "\n\nan example of one\n\ntwo\n\n" in (tmp_path / "a.md").read_text()


PROSE = [
    "We went home along the river because the bridge was closed and",
    "nobody had told us before that it would be closed for a whole",
    "week. So we took the ferry and the last bus which brought us",
    "home late.",
]
LINES = ["phone 030 123456", "invoice 77", "train 9:15 from Bern"]


@pytest.mark.parametrize(
    ("rows", "size", "expected"),
    [
        (LINES, 8, ["\n".join(LINES)]),
        ([*PROSE, *LINES, *PROSE], 8, [" ".join(PROSE), "\n".join(LINES), " ".join(PROSE)]),
        (PROSE, 5, [" ".join(PROSE)]),
        ([PROSE[0], LINES[1]], 8, [f"{PROSE[0]} {LINES[1]}"]),
    ],
    ids=["lines", "between prose", "narrow prose", "last row"],
)
def test_rows_behind_which_a_word_had_room_are_lines(rows, size, expected):
    """A letter is as wide as `size`; the page has 595 points."""
    written = []
    for number, text in enumerate(rows):
        starts = np.cumsum([0, *(size * (len(word) + 1) for word in text.split())])
        boxes = [
            (50 + x, 30 * number, 50 + y - size, 30 * number + 14) for x, y in pairwise(starts)
        ]
        written.append(PageRow(tuple(map(PageWord, text.split(), boxes))))
    notes = [Note("a", [(written_page(), PageText(tuple(written)))])]
    plain = "".join(text_parts(notes, TextForm(is_prose=True)))
    assert plain.strip().split("\n\n") == expected
    _, _, *blocks = "".join(markdown_parts(notes, TextForm(is_prose=True))).split("\n\n")
    assert "\n\n".join(blocks).replace("\\\n", "\n") == plain


def test_numbered_rows_begin_with_their_page_and_row(tmp_path):
    save([note()], tmp_path / "a.txt", TextForm(is_numbered=True))
    assert (tmp_path / "a.txt").read_text() == "1:1\tŁódź 7\n1:2\tKennedy(?) said\n"


def test_inkml_has_the_pens_ink_with_its_text(tmp_path):
    moved = written_page(shift=-80)  # off the page
    save([Note("a", [(moved, text_of(moved))])], tmp_path / "a.inkml")
    (page,) = read_pages(tmp_path / "a.inkml")
    colours = [(stroke.tool, stroke.colour) for stroke in page.strokes]
    assert colours == [("pen", "#aa0000"), ("pen", "#000000"), ("highlighter", "#ffff00")]
    gap = page.strokes[1].points[0] - page.strokes[0].points[0]
    assert gap * page.unit == pytest.approx([70, 0], abs=0.01)
    (sample,) = read_ink(tmp_path / "a.inkml")
    assert sample.text == "Kennedy said"


@pytest.mark.parametrize("suffix", [".pdf", ".txt", ".md", ".json", ".inkml"])
def test_a_notebook_is_saved_with_few_pages_in_memory(tmp_path, suffix):
    pages = []

    def written():
        for number in range(8):
            page = written_page(shift=number)
            pages.append(weakref.ref(page))
            yield page, text_of(page)
            del page
            assert sum(page() is not None for page in pages) <= 3

    saved = save([Note("a", written())], tmp_path / f"a{suffix}")
    assert len(pages) == 8 and len(saved) == (8 if suffix == ".inkml" else 1)


def page_of_rows(*texts, corrected=()):
    """A page with a word of these texts in each row; those at the places `corrected` are."""
    strokes = []
    rows = []
    for number, text in enumerate(texts):
        points = np.column_stack([np.arange(9.0), np.sin(np.arange(9.0) * len(text))]) * 9
        strokes.append(PageStroke(points + np.array([50.0, 30 * number])))
        confidence = 1.0 if number in corrected else 0.5
        word = PageWord(text, box_of(strokes[-1].points), confidence, strokes=(number,))
        rows.append(PageRow((word,), (number,), sha256(text.encode()).hexdigest()))
    return InkPage(600, 900, tuple(strokes)), PageText(tuple(rows))


def test_uncorrected_rows_that_are_learned_are_few_long_and_spread_over_the_notes():
    texts = {name: [f"{name * 9} {n:03}" for n in range(100)] for name in "ab"}
    texts["b"][:3] = ["twelve signs", "ten signs.", "less ones"]
    page, text = page_of_rows(*texts["b"], corrected=(2, 5, 50))
    turned = replace(text, rows=(replace(text.rows[0], turn=1), *text.rows[1:]))
    folder = [Note("a", [page_of_rows(*texts["a"])]), Note("b", [(page, turned)])]
    corrected, others = learnable_lines(folder, max_lines=43)
    assert [line.name for line in corrected] == ["b 1:3", "b 1:6", "b 1:51"]
    assert corrected[0].text == "less ones"  # Each corrected row is learned.
    assert len({line.text for line in others}) == len(others) == 40
    counts = Counter(line.name[0] for line in others)
    # 40 of 196 rows, at random: fewer than 8 of one note have a probability of 2e-5.
    assert min(counts.values()) >= 8
    # The same rows in another order, beside a copy of the first note.
    *_, same = learnable_lines([*folder[::-1], Note("copy", folder[0].pages)], max_lines=43)
    assert {line.text for line in same} == {line.text for line in others}
    for max_lines in (0, 2):
        few = learnable_lines(folder, max_lines).all
        assert [line.name for line in few] == [line.name for line in corrected]
    _, all_others = learnable_lines(folder, max_lines=300)
    missing = {*texts["a"], *texts["b"]} - {line.text for line in all_others}
    assert missing == {"twelve signs", "less ones", texts["b"][5], texts["b"][50]}


def test_lines_of_a_hand_are_rows_that_a_person_corrected(tmp_path):
    page = written_page()
    known = [(page, text_of(page, confidences=pair)) for pair in ((1, 0.99), (1, 0.5), (0.99,) * 2)]
    assert save_lines([Note("a", known)], tmp_path / "a.inkml") == 1
    (sample,) = read_ink(tmp_path / "a.inkml")
    assert sample.text == "Kennedy said" and np.count_nonzero(sample.ink[:, 2]) == 2
    (line,), others = learnable_lines([Note("a", known[::-1])])
    assert not others
    assert line.name == "a 3:2" and line.text == sample.text and len(line.ink) == len(sample.ink)
    with pytest.raises(UserError, match="lacks a corrected word"):
        save_lines([Note("a", known[1:])], tmp_path / "b.inkml")
