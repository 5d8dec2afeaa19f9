"""An archive that is made of words is found by a viewer, page by page."""

from apps.notes.page_text import PageWord
from apps.notes.reading_cache import Library
from apps.notes.viewing import NoteFilter, Viewer
from benchmarks import archive


def test_an_archive_has_its_pages_and_a_viewer_finds_its_words(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "NUM_ROWS", 20)
    words = [PageWord(text, (0, 0, 1, 1), 0.9) for text in ("rem", "est", "salus")]
    (folder := tmp_path / "notes").mkdir()

    def make_library():
        return Library(lambda page: 1 / 0, "none", tmp_path / "library")  # no page is read

    archive.fill(make_library(), folder, archive.archive_pages(words, 25))
    viewer = Viewer(folder, make_library)
    viewer.scan()
    state = viewer.state()
    assert (state["notes"], state["pages"], state["words"]) == (3, 25, 25 * 10 * 6)
    found = viewer.search("salus", NoteFilter(), 1000)
    assert not found["more"] and 350 < len(found["hits"]) < 650  # a third of 1,500 words
    assert all("salus" in hit["text"] for hit in found["hits"])
    assert viewer.search("rem", NoteFilter(since="2999-01-01"), 10)["hits"] == []
