"""A viewer of a folder: what it finds, and what it says of what cannot be read."""

import os

import pytest

from apps.notes.page_text import SLOW, PageText
from apps.notes.reading_cache import Library
from apps.notes.viewing import Chosen, Viewer
from tests.ink.formats.note_files import xopp


@pytest.fixture
def viewer(tmp_path):
    """A viewer of a folder with a note; no page has text."""
    (tmp_path / "notes" / "locked").mkdir(parents=True)
    (tmp_path / "notes" / "a.xopp").write_bytes(xopp())
    library = Library(lambda page: PageText(()), "reader", tmp_path / "library")
    return Viewer(tmp_path / "notes", lambda: library)


def names(viewer):
    return {note["name"] for note in viewer.search("", Chosen(), 10)["notes"]}


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


def test_crossed_out_ink_is_listed_and_shown_with_what_was_not_read(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.xopp").write_bytes(xopp())
    boxes = {"unread": ((1.0, 1.0, 2.0, 2.0),), "crossed_out": ((3.0, 3.0, 9.0, 9.0),)}
    library = Library(lambda page: PageText((), **boxes), "reader", tmp_path / "library")
    viewer = Viewer(tmp_path / "notes", lambda: library)
    viewer.scan()
    hits = viewer.unread(Chosen(), 10)["hits"]
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
