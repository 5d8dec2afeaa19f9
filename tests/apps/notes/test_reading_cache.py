"""What was read and corrected is kept, and known again by its ink."""

import json
import os
import random
import re
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps.notes.corrections import Correction, Corrections, Ink, shape_digest
from apps.notes.page_text import Note, PageRow, PageText
from apps.notes.reading_cache import Library
from ink.formats import read_pages
from ink.formats.excalidraw import to_excalidraw
from ink.formats.inkml.pages import page_to_inkml
from ink.ink_page import PageStroke
from tests.apps.notes.pages import text_of, written_page
from tests.data_loader.archives import put
from tests.ink.formats.note_files import xopp
from utils.checks import UserError

WHITEOUT = PageStroke(np.array([[45.0, 100], [95, 100]]), "eraser", "#ffffff", 20.0)


@pytest.fixture
def read(tmp_path):
    """Pages that were read, and a library that counts them."""
    pages = []

    def read_page(page):
        pages.append(page)
        return text_of(page)

    return pages, Library(read_page, "reader", tmp_path / "kept")


def test_a_page_is_read_once_by_each_reader(read, tmp_path):
    pages, library = read
    first = library.text_of(written_page())
    assert library.text_of(written_page()) == first and len(pages) == 1
    library.text_of(written_page(shift=1))
    replace(library, reader="another").text_of(written_page())
    assert len(pages) == 3
    for file in (tmp_path / "kept" / "pages").rglob("*.json"):
        file.write_text('{"rows": [')  # damaged: it is read again
    assert library.text_of(written_page()) == first and len(pages) == 4


def test_a_page_is_not_read_again_when_only_what_its_file_leaves_out_differs(read):
    pages, library = read
    library.text_of(written_page())
    text = library.text_of(written_page(left_out=Counter({"image": 2})))
    assert text.left_out == {"image": 2, "highlighter": 1} and len(pages) == 1


def test_a_page_is_not_read_again_when_it_looks_different(read):
    """Layers and pressure, for example, do not change what is read, nor corrections of it."""
    pages, library = read
    page = written_page()
    first = library.text_of(page)
    looks = dict(layer=1, opacity=0.5, fill="#ff0000", dash=(1.0, 2.0), colour="#00ff00", width=9.0)
    strokes = tuple(replace(s, widths=np.ones(len(s.points)), **looks) for s in page.strokes)
    typed = tuple(replace(text, colour="#00ff00", layer=1) for text in page.typed)
    other = replace(page, strokes=strokes, typed=typed, paper="#000000", layers=("a", "b"))
    assert library.text_of(other) == first and len(pages) == 1


def test_a_page_is_read_again_when_ink_of_it_is_covered(read):
    pages, library = read
    page = written_page()
    library.text_of(page)
    library.text_of(replace(page, strokes=(*page.strokes[:2], replace(WHITEOUT, tool="pen"))))
    library.text_of(replace(page, strokes=(*page.strokes[:2], WHITEOUT)))
    white = replace(WHITEOUT, tool="pen", colour="#aa0000", width=1.0)
    library.text_of(replace(page, strokes=(*page.strokes[:2], white)))
    assert len(pages) == 4


def test_the_places_of_covered_ink_are_kept_with_the_text_and_the_note(notes_file, tmp_path):
    def read_page(page):
        return replace(text_of(page), covered=((72.0, 144.0, 144.0, 216.0),))

    for _ in range(2):  # also as it is kept
        library = Library(read_page, "reader", tmp_path / "kept")
        ((_, text),) = library.note("a", notes_file).pages
        assert text.covered == ((72.0, 144.0, 144.0, 216.0),)
        ((number, box),) = library.note("a", notes_file).summary.covered
        assert number == 1 and [*box] == [25, 51, 51, 76]


def test_a_page_is_read_when_its_reading_cannot_be_kept(read, tmp_path):
    pages, library = read
    (tmp_path / "kept").write_text("a file in the place of the folder")
    assert library.text_of(written_page()) == text_of(written_page()) and len(pages) == 1


def test_a_corrected_word_stays_corrected_also_when_its_row_moves(read):
    _, library = read

    def note(page):
        return Note("a", [(page, library.text_of(page))])

    library.correct(note(written_page()), [((1, 2, 1), "Vauxhall")])
    library.correct(note(written_page()), [((1, 2, 1), " Vauxhall\nRoad")])  # the last counts
    library.correct(note(written_page()), [((1, 2, 2), "")])
    for page in (written_page(), written_page(shift=30)):  # the row may move
        text = library.text_of(page)
        assert text.rows[1].marked == "Vauxhall Road" and text.rows[0] == text_of(page).rows[0]
        assert text.rows[1].words[0].confidence == 1


DOT = PageStroke(np.array([[70.0, 90], [71, 91], [70, 92]]))


@pytest.mark.parametrize("change", ["a dot added", "moved", "copied to another page"])
def test_a_correction_is_tied_to_the_ink_of_its_word(read, change):
    _, library = read
    page = written_page()
    library.correct(Note("a", [(page, library.text_of(page))]), [((1, 2, 1), "Vauxhall")])
    strokes, numbers = page.strokes, [(0,), (1,)]
    if change == "a dot added":
        strokes, numbers = (*strokes[:1], DOT, *strokes[1:]), [(0, 1), (2,)]
    elif change == "moved":
        strokes = tuple(replace(s, points=s.points + np.pi) for s in strokes)
    page = replace(page, strokes=strokes, typed=page.typed[: change != "copied to another page"])
    words = zip(text_of(page).rows[1].words, numbers, strict=True)
    words = tuple(replace(word, strokes=its_strokes) for word, its_strokes in words)
    read_anew = PageRow(words, tuple(range(len(strokes) - 1)), "other")
    text = library.corrections.corrected(page, PageText((read_anew,)))
    assert [word.text for word in text.rows[0].words] == ["Vauxhall", "said"]


def scaled(page, factor, rounded):
    """A page as a program scales it as a whole, which rounds the numbers of a file."""
    strokes = (replace(s, points=rounded(factor * s.points)) for s in page.strokes)
    return replace(page, strokes=tuple(strokes))


ROUNDED = {
    "as it is": lambda points: points,
    "single precision": lambda points: points.astype(np.float32).astype(float),
    "four decimals": lambda points: np.round(points, 4),
}


@pytest.mark.parametrize("rounded", ROUNDED.values(), ids=[*ROUNDED])
@pytest.mark.parametrize("factor", [1.5, 0.7, np.pi])
def test_a_correction_stays_when_its_page_is_scaled(read, factor, rounded):
    _, library = read
    page = written_page()
    library.correct(Note("a", [(page, library.text_of(page))]), [((1, 2, 1), "Vauxhall")])
    library = replace(library)
    page = scaled(page, factor, rounded)
    assert library.text_of(page).rows[1].marked == "Vauxhall said"
    library.correct(Note("a", [(page, library.text_of(page))]), [((1, 2, 1), None)])
    assert library.text_of(written_page()).rows[1].marked == "Kennedy(?) said"


WRITTEN = {".inkml": lambda page: page_to_inkml(page, []), ".excalidraw": to_excalidraw}


@pytest.mark.parametrize("suffix", WRITTEN)
def test_strokes_keep_their_shapes_in_files_that_are_written(tmp_path, suffix):
    """So corrections stay: with 0.01 pixels a third of such strokes had another shape."""
    walks = np.random.default_rng(2).normal(size=(200, 30, 2)).cumsum(axis=1)
    strokes = tuple(PageStroke(300 + points) for points in walks)
    path = tmp_path / f"a{suffix}"
    path.write_text(WRITTEN[suffix](replace(written_page(), strokes=strokes, typed=())))
    (page,) = read_pages(path)
    pairs = zip(page.strokes, strokes, strict=True)
    kept = [shape_digest(new.points) == shape_digest(old.points) for new, old in pairs]
    assert np.mean(kept) > 0.95


def inks(count, num_points, generator):
    """Words of a random stroke each."""
    steps = generator.normal(size=(count, num_points, 2))
    return [Ink.of([points]) for points in steps.cumsum(axis=1)]


@pytest.mark.parametrize("num_points", [3, 7, 8, 40])
def test_words_of_other_shapes_are_not_confused(tmp_path, num_points):
    """The chance of two alike is below 10**-12 a pair."""
    first, *others = inks(2_000, num_points, np.random.default_rng(1))
    corrections = Corrections(tmp_path)
    corrections.update([(first, Correction(first, "a", "b"))])
    assert corrections._of_ink(first).text == "a"
    assert not any(map(corrections._near, others))


def test_a_scaled_letter_is_not_confused_with_a_corrected_one_of_its_size(tmp_path):
    """An O is a scaled o; and a short bar has the shape of many others."""
    angles = np.linspace(0, 6, 20)
    ring = np.column_stack([np.cos(angles), np.sin(angles)])
    small, large = (Ink.of([size * ring + 5]) for size in (1, 2))
    corrections = Corrections(tmp_path)
    corrections.update([(small, Correction(small, "o", "0"))])
    assert corrections._of_ink(large).text == "o"
    for text, large_text in (("O", "O"), (None, "o"), (None, None)):  # The last removes the o.
        corrections.update([(large, text and Correction(large, text, "0"))])
        assert [c and c.text for c in map(corrections._of_ink, (small, large))] == [
            large_text and "o",
            large_text,
        ]
    bar = np.column_stack([np.arange(5.0), np.zeros(5)])
    one, other = (Ink.of([size * bar]) for size in (1, 2))
    corrections.update([(one, Correction(one, "-", "1"))])
    assert corrections._of_ink(one).text == "-" and corrections._of_ink(other) is None


def test_a_file_without_shapes_is_read_and_stays_as_it_is_until_its_word_is_corrected(
    read, tmp_path
):
    _, library = read
    page, folder = written_page(), tmp_path / "kept" / "corrections"
    note = Note("a", [(page, library.text_of(page))])
    library.correct(note, [((1, 2, 1), "Vauxhall"), ((1, 2, 2), "spoke")])
    content = json.loads((folder / "corrections.json").read_bytes())
    for correction in content["corrections"]:
        del correction["shapes"]
    put(folder, {"corrections.json": json.dumps(content | {"format": 1}).encode()})
    library = replace(library)
    assert library.text_of(page).rows[1].marked == "Vauxhall spoke"
    large = scaled(page, 1.5, lambda points: points)
    assert library.text_of(large).rows[1].marked == "Kennedy(?) said"
    library.correct(note, [((1, 2, 1), "Vauxhall!")])
    library = replace(library)
    assert json.loads((folder / "corrections.json").read_bytes())["format"] == 2
    assert library.text_of(page).rows[1].marked == "Vauxhall! spoke"
    assert library.text_of(large).rows[1].marked == "Vauxhall! said"
    assert len(library.corrections.all) == 2


def test_a_correction_is_listed_and_undone(read):
    _, library = read
    note = Note("a", [(written_page(), library.text_of(written_page()))])
    library.correct(note, [((1, 2, 1), "Vauxhal")])
    library.correct(note, [((1, 2, 1), "Vauxhall")])
    library = replace(library)  # reads what is kept
    ((address, correction),) = library.corrected_words(note)
    assert (address, correction.read, correction.text) == ((1, 2, 1), "Kennedy", "Vauxhall")
    library.correct(note, [((1, 2, 1), None)])
    assert not replace(library).corrections.all
    with pytest.raises(UserError, match="1:2:1: this word was not corrected"):
        library.correct(note, [((1, 2, 1), None)])


def test_corrections_are_all_kept_in_one_write_or_none(read, tmp_path, monkeypatch):
    _, library = read
    note, folder = Note("a", [(written_page(), library.text_of(written_page()))]), tmp_path / "kept"
    for refused in ((9, 1, 1), (0, 2, 1), (10**20, 2, 1), (1, 2, 9)):
        with pytest.raises(UserError, match="no handwritten word"):
            library.correct(note, [((1, 2, 1), "Foo"), (refused, "x")])
    with pytest.raises(UserError, match="1:2:2: this word was not corrected"):
        library.correct(note, [((1, 2, 1), "Foo"), ((1, 2, 2), None)])
    assert not library.corrections.all and not (folder / "corrections").exists()
    library.correct(note, [((1, 2, 1), "Foo"), ((1, 2, 2), "bar")])
    (file,) = (folder / "corrections").glob("*.json")
    before = file.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr("os.replace", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            library.correct(note, [((1, 2, 1), "x"), ((1, 2, 2), None)])
    assert file.read_bytes() == before
    assert {c.text for c in library.corrections.all} == {"Foo", "bar"}
    library.correct(note, [((1, 2, 1), None), ((1, 2, 2), "y"), ((1, 2, 2), "z")])
    assert [c.text for c in replace(library).corrections.all] == ["z"]


def test_corrections_of_two_processes_and_of_copied_files_are_all_kept(read, tmp_path):
    _, library = read
    note, other = Note("a", [(written_page(), library.text_of(written_page()))]), replace(library)
    library.correct(note, [((1, 2, 1), "Foo")])
    other.correct(note, [((1, 2, 2), "bar")])
    (file,) = (tmp_path / "kept" / "corrections").glob("*.json")
    values = json.loads(file.read_bytes())["corrections"]
    file.unlink()
    contents = ({"format": 2, "corrections": [value]} for value in values)
    files = {f"{n}.json": json.dumps(content).encode() for n, content in enumerate(contents)}
    put(file.parent, files)
    library = replace(library)
    assert {c.text for c in library.corrections.all} == {"Foo", "bar"}
    library.correct(note, [((1, 2, 1), "x")])
    assert [each.name for each in file.parent.glob("*.json")] == [file.name]
    file.rename(file.with_name("laptop.json"))
    assert {c.text for c in replace(library).corrections.all} == {"x", "bar"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"ink": {"ab": 3}, "text": "a", "read": "b"}', "written by another version"),
        (b'{"format": 3, "ink": {}}', "written by another version"),
        (b'[[70.0, 110.0, "spoke"]]', "damaged"),
        (b"[]", "damaged"),
        (b"{}" + b" " * (48 << 20), "damaged: more than 50,331,648 bytes"),
        (b'{"format": 1, "corrections": [{"ink": {}}]}', "damaged"),
    ],
)
def test_a_file_that_is_no_correction_of_this_version_is_named_and_stays_and_others_are_used(
    read, tmp_path, content, message
):
    _, library = read
    note = Note("a", [(written_page(), library.text_of(written_page()))])
    library.correct(note, [((1, 2, 1), "Vauxhall")])
    folder = tmp_path / "kept" / "corrections"
    put(folder, {"ab12.json": content})
    (folder / "folder.json").mkdir()
    other = replace(library)
    assert {c.text for c in other.corrections.all} == {"Vauxhall"}
    damaged, unreadable = other.corrections.faults
    assert re.search(rf"ab12\.json: {message}.*correct the words again", damaged)
    assert "folder.json" in unreadable
    other.correct(note, [((1, 2, 2), "x")])
    assert (folder / "ab12.json").read_bytes() == content
    assert {c.text for c in replace(library).corrections.all} == {"Vauxhall", "x"}

    (folder / "corrections.json").write_bytes(content)
    with pytest.raises(UserError, match=rf"corrections\.json: {message}.*correct the words again"):
        replace(library).text_of(written_page())


@pytest.fixture
def notes_file(tmp_path):
    (tmp_path / "a.xopp").write_bytes(xopp())
    return tmp_path / "a.xopp"


def test_a_file_is_parsed_again_only_when_its_size_or_time_changes(read, notes_file):
    """Its pages are neither parsed nor read, until the file or a correction changes."""
    _, library = read
    library.note("a", notes_file)
    state = notes_file.stat()
    notes_file.write_bytes(b"?" * state.st_size)
    os.utime(notes_file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert library.note("a", notes_file).summary.words == 4
    os.utime(notes_file, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    for read_again in (library.note, lambda name, path: library.search("vauxhall", {name: path})):
        with pytest.raises(UserError, match="no ink in a known format"):
            read_again("a", notes_file)


@pytest.mark.parametrize("library_of", [lambda library: library, replace])
def test_a_search_finds_the_corrected_word_and_not_the_word_as_read(read, notes_file, library_of):
    """By the library that corrected it and by another, in a copy of the note as well."""
    _, library = read
    files = {"a": notes_file, "b": notes_file.with_name("b.xopp")}
    files["b"].write_bytes(notes_file.read_bytes())
    for name, file in files.items():
        library.note(name, file)
    library.correct(library.note("a", notes_file), [((1, 2, 1), "Vauxhall")])
    library = library_of(library)
    for query, names in (("vauxhall", ["a", "b"]), ("kennedy", [])):
        assert [hit.name for hit in library.search(query, files)[0]] == names


@pytest.mark.parametrize("page", [0, 3, 6, 9])
def test_a_damaged_index_is_built_anew(read, notes_file, tmp_path, page):
    _, library = read
    files = {"a": notes_file}
    library.correct(library.note("a", notes_file), [((1, 2, 1), "Vauxhall")])
    assert library.search("vauxhall", files)[0]
    (index,) = (tmp_path / "kept" / "index").iterdir()
    content = bytearray(index.read_bytes())
    content[4096 * page : 4096 * page + 4096] = b"damaged " * 512
    index.write_bytes(content)
    for again in (replace(library), replace(library)):
        assert len(again.search("vauxhall", files)[0]) == 1
    replace(library).correct(again.note("a", notes_file), [((1, 2, 1), None)])
    assert len(replace(library).search("kennedy", files)[0]) == 1


@pytest.mark.parametrize("suffix", [".pdf", ".txt", ".inkml"])
def test_an_output_is_saved_only_if_it_or_its_note_has_changed(read, notes_file, tmp_path, suffix):
    _, library = read
    output = tmp_path / f"out{suffix}"

    def is_saved():
        return library.save([library.note("a", notes_file)], output)[1]

    assert is_saved() and not is_saved()
    notes_file.write_bytes(notes_file.read_bytes())  # another time, the same page
    assert not is_saved()
    output.write_bytes(b"")
    assert is_saved()
    notes_file.write_bytes(xopp(pages=2))
    assert is_saved()


@pytest.mark.parametrize(
    "place", [(2, 1, 1), (0, 2, 1), (1, 3, 1), (1, 2, 3), (1, 2, 0), (1, 1, 1)]
)
def test_a_place_without_a_written_word_is_named(read, tmp_path, place):
    page = written_page()
    with pytest.raises(UserError, match=f"{place[0]}:{place[1]}:{place[2]}: no handwritten"):
        read[1].correct(Note("a", [(page, read[1].text_of(page))]), [(place, "x")])
    assert not (tmp_path / "kept" / "corrections").exists()


def test_a_text_that_would_damage_the_corrections_is_refused(read, tmp_path):
    _, library = read
    note = Note("a", [(written_page(), library.text_of(written_page()))])
    library.correct(note, [((1, 2, 1), "Vauxhall")])
    with pytest.raises(UserError, match="control characters"):
        library.correct(note, [((1, 2, 2), "a\0b")])
    assert [c.text for c in replace(library).corrections.all] == ["Vauxhall"]


def test_damaged_corrections_are_not_overwritten(read, tmp_path):
    _, library = read
    note = Note("a", [(written_page(), library.text_of(written_page()))])
    library.correct(note, [((1, 2, 1), "Vauxhall")])
    (file,) = (tmp_path / "kept" / "corrections").glob("*.json")
    file.write_text("[")
    with pytest.raises(UserError, match=rf"{file.name}: damaged"):
        replace(library).correct(note, [((1, 2, 2), "x")])
    assert file.read_text() == "["


def overwritten(seed):
    def damage(index):
        rng = random.Random(seed)
        content = bytearray(index.read_bytes())
        for _ in range(8):
            place = rng.randrange(len(content))
            content[place : place + 16] = rng.randbytes(16)
        index.write_bytes(content)

    return damage


def executed(*statements):
    def damage(index):
        with closing(sqlite3.connect(index)) as database, database:
            for statement in statements:
                database.execute(statement)

    return damage


def replaced_by(make):
    def damage(index):
        index.unlink()
        make(index)

    return damage


DAMAGES = {
    **{f"bytes {seed}": overwritten(seed) for seed in range(12)},
    "no table": executed("DROP TABLE pairs"),
    "another column": executed("ALTER TABLE frames RENAME COLUMN costs TO prices"),
    "a trigger": executed("CREATE TRIGGER t AFTER DELETE ON corrections BEGIN SELECT 1; END"),
    "a summary": executed("UPDATE files SET summary = '[]'"),
    "numbers": executed("UPDATE files SET pages = x'ff'"),
    "rows": executed("UPDATE pages SET first = -7, count = 1 << 60"),
    "words": executed("UPDATE words SET rows = '[[[1]]]'"),
    "no words": executed("DELETE FROM words"),
    "costs": executed("UPDATE frames SET costs = x''"),
    "no frames": executed("DELETE FROM frames"),
    "pairs": executed("UPDATE pairs SET rows = x'ffff', block = block + 900"),
    "texts": executed("DELETE FROM texts_data"),
    "sure texts": executed("DELETE FROM sure_texts_data"),
    "saved": executed("UPDATE saved SET state = '{'"),
    "no index": replaced_by(lambda index: index.write_text("no index")),
    "nothing": replaced_by(Path.touch),
    "a folder": replaced_by(Path.mkdir),
    "a pipe": replaced_by(os.mkfifo),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_whatever_damages_an_index_it_is_built_anew(read, notes_file, tmp_path, kind):
    _, library = read
    files, output = {"a": notes_file}, tmp_path / "out.txt"
    library.correct(library.note("a", notes_file), [((1, 2, 1), "Vauxhall")])
    library.save([library.note("a", notes_file)], output)
    (index,) = (tmp_path / "kept" / "index").iterdir()
    DAMAGES[kind](index)
    for again in (replace(library), replace(library)):
        assert len(again.search("vauxhall", files)[0]) == 1
        again.save([again.note("a", notes_file)], output)
        assert "Vauxhall" in output.read_text()
    again.correct(again.note("a", notes_file), [((1, 2, 1), None)])
    assert len(replace(library).search("kennedy", files)[0]) == 1


def test_an_error_that_is_no_fault_of_the_index_leaves_it(read, notes_file, tmp_path):
    _, library = read
    library.note("a", notes_file)
    (index,) = (tmp_path / "kept" / "index").iterdir()
    before = index.stat()
    with pytest.raises(UnicodeEncodeError):
        library._indexed(lambda index: "\udc80".encode())
    assert os.path.samestat(index.stat(), before)


def corrections_of(folder, ink, count=1, text="a"):
    corrections = [{"ink": ink, "text": f"{text}{n}", "read": "b"} for n in range(count)]
    content = {"format": 1, "corrections": corrections}
    put(folder, {"corrections.json": json.dumps(content).encode()})
    return Corrections(folder)


def many_strokes(count):
    return {f"{number:016x}": 1 for number in range(count)}


def test_corrections_of_many_strokes_take_little_time(tmp_path):
    start, ink = time.process_time(), Ink(many_strokes(1_000), {})
    corrections = corrections_of(tmp_path, ink.strokes, 10)
    assert len(corrections.all) == len(corrections._near(ink)) == 10
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("ink", "text"),
    [(many_strokes(1_001), "a"), ({"a\udc80": 1}, "a"), (many_strokes(1), "\udc80"),
     (many_strokes(1), "\x1b[2J")],
)  # fmt: skip
def test_a_correction_that_no_word_has_is_refused(tmp_path, ink, text):
    with pytest.raises(UserError, match=r"corrections\.json: damaged"):
        corrections_of(tmp_path, ink, text=text)
