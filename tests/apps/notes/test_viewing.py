"""A viewer of a folder: what it finds, and what it says of what cannot be read."""

import os

import pytest

from apps.notes.doubtful import UnsureWord
from apps.notes.page_text import SLOW, PageText
from apps.notes.reading_cache import Library
from apps.notes.viewing import Change, NoteFilter, Viewer
from tests.apps.notes.pages import alike_viewer, text_of
from tests.ink.formats.note_files import xopp
from utils.checks import UserError


@pytest.fixture
def viewer(tmp_path):
    """A viewer of a folder with a note; no page has text."""
    (tmp_path / "notes" / "locked").mkdir(parents=True)
    (tmp_path / "notes" / "a.xopp").write_bytes(xopp())
    library = Library(lambda page: PageText(()), "reader", tmp_path / "library")
    return Viewer(tmp_path / "notes", lambda: library)


def names(viewer):
    return {name for name, *_ in viewer.notes()["notes"]}


def test_a_folder_that_becomes_unreadable_is_named_and_new_notes_are_found(
    viewer, tmp_path, monkeypatch
):
    folder, scandir = tmp_path / "notes", os.scandir
    (folder / "locked" / "b.xopp").write_bytes(xopp())
    viewer.scan()
    assert names(viewer) == {"a.xopp", "locked/b.xopp"} and not viewer.state()["numFaults"]

    def refusing(path):
        if path == str(folder / "locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr("ink.formats.files.os.scandir", refusing)
    (folder / "c.xopp").write_bytes(xopp())
    viewer.scan()
    assert names(viewer) == {"a.xopp", "locked", "c.xopp"}
    assert viewer.state()["numFaults"] == 1
    assert viewer.state()["faults"][0].startswith("locked: a folder that cannot be read (")

    monkeypatch.undo()
    viewer.scan()
    assert names(viewer) == {"a.xopp", "locked/b.xopp", "c.xopp"}
    assert not viewer.state()["numFaults"]


def test_a_search_of_limits_alone_has_the_names_of_notes_and_no_hits(viewer, tmp_path):
    folder = tmp_path / "notes"
    (folder / "home").mkdir()
    for name in ("home/2026-03-01 b.xopp", "home/2026-04-01 c.xopp"):
        (folder / name).write_bytes(xopp())
    viewer.scan()

    def names_of(query):
        answer = viewer.search(query, NoteFilter(), 10)
        assert not answer["hits"] and not answer["more"]
        return answer.get("notes")

    assert names_of("in:home") == ["home/2026-04-01 c.xopp", "home/2026-03-01 b.xopp"]
    assert names_of("in:home before:2026-04-01") == ["home/2026-03-01 b.xopp"]
    assert names_of("in:away") == [] and names_of("...") is None


def test_a_search_without_words_lists_the_notes_with_a_page_that_lacks_the_excluded_ones(doubtful):
    def names_of(query):
        return doubtful.search(query, NoteFilter(), 10).get("notes")

    assert names_of("-est") == ["b.xopp", "copy.xopp"] and names_of("-salus -est") == []
    assert names_of("-domus") == ["a.xopp", "b.xopp", "copy.xopp"]


def test_crossed_out_ink_is_listed_and_shown_with_what_was_not_read(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.xopp").write_bytes(xopp())
    boxes = {"unread": ((1.0, 1.0, 2.0, 2.0),), "crossed_out": ((3.0, 3.0, 9.0, 9.0),)}
    library = Library(lambda page: PageText((), **boxes), "reader", tmp_path / "library")
    viewer = Viewer(tmp_path / "notes", lambda: library)
    viewer.scan()
    hits = viewer.unread(NoteFilter(), 10)["hits"]
    texts = ["may be text", "crossed out"]
    assert [(hit["place"], hit["text"]) for hit in hits][:2] == [*enumerate(texts)]
    shown = [viewer.page("a.xopp", 1, place=place) for place in (0, 1)]
    assert [page["clip"] for page in shown] == shown[0]["unread"]


def test_a_folder_that_is_not_looked_at_yet_is_no_fault(viewer):
    assert viewer.state()["isLooking"] and not viewer.state()["problem"]
    viewer.scan()
    viewer.close()
    viewer.follow()
    assert viewer.state()["isLooking"]


READ = [(("Rem", "est"), (0.7, 0.2)), (("rem,", "salus"), (0.4, 0.9))]
"""The texts and the confidences of the words of notes."""


@pytest.fixture
def doubtful(tmp_path):
    """A viewer of two notes, newest first, with the words of `READ`; the second has a copy."""
    stroke = '<stroke tool="pen" color="black" width="1">{0} 1 2 {1} 9 9 {1} 4</stroke>'
    (folder := tmp_path / "notes").mkdir()
    for name, number in (("a", 0), ("b", 1), ("copy", 1)):
        body = "".join(stroke.format(n + 1, 10 * number + n + 5) for n in range(2))
        (folder / f"{name}.xopp").write_bytes(xopp(body))
        os.utime(folder / f"{name}.xopp", (0, 1_700_000_000 - 100_000 * ord(name[0])))

    def read_page(page):
        return text_of(page, *READ[int(page.strokes[0].points[1, 1] > 10)])

    library = Library(read_page, "reader", tmp_path / "library")
    viewer = Viewer(folder, lambda: library)
    viewer.scan()
    return viewer


def kinds(viewer, **values):
    answer = viewer.kinds(NoteFilter(**values), 10)["kinds"]
    return [(kind["kind"], kind["count"], round(kind["wrong"], 2)) for kind in answer]


def test_doubtful_words_stand_by_kind_first_those_of_which_most_may_be_wrong(doubtful):
    assert kinds(doubtful) == [("rem", 2, 0.9), ("est", 1, 0.8)]  # Copies count once.
    assert kinds(doubtful, since="2999-01-01") == []
    address, *rest = doubtful.kinds(NoteFilter(), 1)["kinds"][0]["words"]
    assert (address["name"], address["address"], address["text"]) == ("a.xopp", (1, 2, 1), "Rem")
    (word,) = rest
    for step, here, found in ((1, address, word), (-1, word, address), (1, word, None)):
        place = here["name"], here["address"], step, NoteFilter(), "rem"
        expected = {k: found[k] for k in ("name", "address")} if found else {}
        assert doubtful.doubtful(*place) == expected


def test_all_words_of_a_kind_are_confirmed_and_taken_back_together(doubtful):
    with pytest.raises(UserError, match="more such words"):
        doubtful.confirm("rem", 1, NoteFilter())
    undo = doubtful.confirm("rem", 2, NoteFilter())["undo"]
    assert [(change["text"], change["undone"]) for change in undo] == [
        (None, "Rem"),
        (None, "rem,"),
    ]
    for _ in range(2):
        assert kinds(doubtful) == [("est", 1, 0.8)]
        doubtful.scan()  # The notes are read again.
    assert doubtful.state()["unsure"] == 1
    with pytest.raises(UserError, match="have changed"):
        doubtful.confirm("rem", 2, NoteFilter())
    doubtful.correct([Change(**change) for change in undo])
    doubtful.scan()
    assert kinds(doubtful) == [("rem", 2, 0.9), ("est", 1, 0.8)]


def test_words_that_look_like_a_corrected_one_are_corrected_and_taken_back_together(tmp_path):
    texts = ("Voxhall", "Voxholl,", '"voxhall', "Vauxhall", "zebra", "Foxhole")
    viewer = alike_viewer(tmp_path, texts, {"a": 1.0})
    place = "0.xopp", (1, 1, 1)
    assert viewer.alike(*place)["words"] == []  # It is not corrected yet.
    for address in ((1, 2, 1), (1, 1, 2), (1, 0, 1)):  # The page has no such word.
        assert viewer.alike("0.xopp", address)["words"] == []
    ink = viewer.page("0.xopp", 1)["rows"][0]["words"][0]["ink"]
    viewer.correct([Change(*place, ink, "Vaxhall")])
    answer = viewer.alike(*place)
    assert answer["text"] == "Vaxhall"
    listed = {word["name"]: (word["read"], word["text"]) for word in answer["words"]}
    assert listed == {"1.xopp": ("Voxholl,", "Vaxhall,"), "2.xopp": ('"voxhall', '"Vaxhall')}
    viewer.scan()  # The corrected note is read anew.
    assert viewer.alike(*place)["words"] == answer["words"]

    words = [
        (UnsureWord(word["name"], word["address"], word["read"], 0.0), word["text"])
        for word in answer["words"]
    ]
    stale = UnsureWord("4.xopp", (1, 1, 1), "okapi", 0.0), "Vaxhall"  # now read as zebra
    undo = viewer.accept([*words, stale])["undo"]
    assert [(change["name"], change["text"]) for change in undo] == [
        (word["name"], None) for word in answer["words"]
    ]
    for _ in range(2):
        assert viewer.alike(*place)["words"] == []
        viewer.scan()
    assert viewer.page("1.xopp", 1)["text"] == "Vaxhall,\n"
    with pytest.raises(UserError, match="have changed"):
        viewer.accept(words)
    viewer.correct([Change(**change) for change in undo])
    viewer.scan()
    assert viewer.alike(*place)["words"] == answer["words"]


@pytest.mark.parametrize("text", ["Võxhall", "voxhall!", "", "..."])
def test_no_word_looks_alike_if_accents_or_nothing_are_corrected(tmp_path, text):
    viewer = alike_viewer(tmp_path, ("Voxhall", "Voxhall,"), {"a": 1.0})
    ink = viewer.page("0.xopp", 1)["rows"][0]["words"][0]["ink"]
    viewer.correct([Change("0.xopp", (1, 1, 1), ink, text)])
    assert viewer.alike("0.xopp", (1, 1, 1))["words"] == []


def test_a_note_has_a_thumbnail_and_a_pdf(doubtful):
    thumbnail = doubtful.thumbnail("a.xopp")
    (path,) = thumbnail["paths"]
    assert path["data"].startswith("M1 1L") and thumbnail["size"][0] == 300
    assert doubtful.pdf("a.xopp").startswith(b"%PDF-")
    assert doubtful.page("a.xopp", 1)["text"] == "Łódź 7\n\nRem est\n"


def test_pages_that_take_too_long_are_named(tmp_path):
    """A page with ink is slow: the only one of a note, and the second of another one."""
    ink = '<stroke tool="pen" color="black" width="1">1 1 2 2</stroke>'
    typed = '<text x="9" y="9" size="9">a</text>'
    (folder := tmp_path / "notes").mkdir()
    for name, layers in {"a": [ink], "b": [typed, ink]}.items():
        pages = (f'<page width="99" height="99"><layer>{each}</layer></page>' for each in layers)
        (folder / f"{name}.xopp").write_text(f"<xournal>{''.join(pages)}</xournal>")
    slow = PageText((), {SLOW: 1})
    library = Library(lambda p: slow if p.strokes else PageText(()), "reader", tmp_path / "kept")
    viewer = Viewer(folder, lambda: library)
    viewer.scan()
    faults = [fault.partition(" takes more")[0] for fault in viewer.state()["faults"]]
    assert sorted(faults) == ["a.xopp: page 1", "b.xopp: page 2"]
