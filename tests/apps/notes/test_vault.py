"""Notes as a vault: Markdown files, whose front matter, links and pictures are read by hand."""

import errno
import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest

from apps.notes.page_text import Note, PageRow, PageText, PageWord, Summary
from apps.notes.reading_cache import Library
from apps.notes.vault import EditedByHandError, Vault
from ink.guard import note_files
from ink.ink_page import PageImage, PageStroke
from tests.apps.notes.pages import written_page
from tests.ink.formats.note_files import xopp

NAMES = ("home/Plan.xopp", "school/Geometry.xopp", "work/Geometry.xopp", "work/Book list.rm")
BOX = (0.0, 0.0, 10.0, 10.0)


def row(text, mark="", y=0.0, confidence=1.0):
    box = (0.0, y, 590.0, y + 1)
    return PageRow(tuple(PageWord(word, box, confidence) for word in text.split()), mark=mark)


@pytest.fixture
def vault(tmp_path):
    sources = {name: tmp_path / "notes" / name for name in NAMES}
    for source in sources.values():
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text("")
        os.utime(source, (0, 1_700_000_000))
    return Vault.of(tmp_path / "vault", sources)


def note(vault, *rows, name=NAMES[0], **page):
    path = vault.folder.parent / "notes" / name
    pages = [(written_page(**page), PageText(rows))]
    return Note(name, pages, Summary(1, 200, 13), path)


def front_matter(file):
    """Return the values of a front matter, read as the YAML that it is to have."""
    _, head, body = file.read_text("utf-8").split("---\n", 2)
    values = {}
    for line in head.splitlines():
        key, _, value = line.partition(":" if line[0] != " " else "- ")
        if key.strip():
            values[key] = json.loads(value) if '"' in value else value.strip()
        else:
            values.setdefault("tags", []).append(json.loads(value))
        if key == "tags":
            values["tags"] = []
    return values, body


def test_a_note_has_front_matter_paragraphs_links_and_a_picture(vault):
    rows = row("Plan", "#"), row("milk", "-", 2), row("see [[Book list]]", "-", 3)
    rows += row("We met at [[geometri]] and [(book list]] of", "", 6), row("#home, #2026", "", 7)
    (picture, file) = vault.save(note(vault, *rows, row("#unsure", "", 8, 0.5)))
    values, body = front_matter(file)
    changed = datetime.fromtimestamp(1_700_000_000).isoformat()
    assert re.fullmatch("[0-9a-f]{16}", values.pop("digest"))
    assert values == {
        **{"title": "Plan", "created": changed, "updated": changed, "tags": ["home"]},
        **{"source": "../../notes/home/Plan.xopp", "sure": "0.94"},
    }
    assert body == (
        "\n### Plan\n\n- milk\n- see [Book list](../work/Book%20list.md)\n\n"
        "We met at \\[\\[geometri\\]\\] and [book list](../work/Book%20list.md) of "
        "#home, \\#2026 \\#unsure\n\n![Page 1](../attachments/home/Plan-1.svg)\n"
    )
    assert picture == vault.folder / "attachments" / "home" / "Plan-1.svg"


def test_a_link_means_the_only_note_of_its_name_or_that_of_its_folder(vault):
    texts = "[[Geometry]]", "[[Geometri]]", "[[school/Geometry]]", "[[Plan]]", "[[Plum]]", "[[]]"
    texts += "[[home/ Plan]]", "[ [ home/Pl an] ]", "[[ home /Plan)]", "[ [home/Plum]]"
    file = vault.save(note(vault, *map(row, texts), name=NAMES[2]))[-1]
    targets = re.findall(r"[^!]\[[^]]*\]\(([^)]*)\)", file.read_text())
    assert targets == [*["Geometry.md"] * 2, "../school/Geometry.md", *["../home/Plan.md"] * 4]
    linked = {(file.parent / unquote(target)).resolve() for target in targets}
    assert linked <= {*vault.files.values()}


def test_pages_are_drawn_with_all_that_they_have(vault):
    image = PageImage(b"\x89PNG\r\n\x1a\nrest", (0, 0, 72, 72))
    highlighted = note(vault, row("a"), images=(image,), paper="#fffff0")
    picture = ElementTree.parse(vault.save(highlighted)[0]).getroot()
    assert (picture.get("width"), picture.get("height")) == ("210.002mm", "297mm")
    kinds = [element.tag.rpartition("}")[2] for element in picture]
    assert kinds == ["rect", "image", "path", "path", "path", "text"]
    sheet, drawn, marker, red, *_, typed = picture
    assert sheet.get("fill") == "#fffff0" and typed.text == "Łódź 7"
    assert [float(drawn.get(side)) / 50 for side in ("width", "height")] == [25.4, 25.4]
    assert "multiply" in marker.get("style") and red.get("stroke") == "#aa0000"
    x, y = map(float, re.match(r"M(\S+) (\S+?)[CL]", red.get("d")).groups())
    assert np.allclose((x / 50, y / 50), (50 * 25.4 / 72, 100 * 25.4 / 72), atol=0.02)


def test_what_did_not_change_is_not_written_and_what_was_edited_stays(vault):
    pages = [*note(vault, row("one")).pages, *note(vault, row("two")).pages]
    two = replace(note(vault), pages=pages)
    first, second, file = vault.save(two)
    assert [line for line in file.read_text().splitlines() if line[:2] == "##"] == [
        "## Page 1",
        "## Page 2",
    ]
    times = [path.stat().st_mtime_ns for path in (first, second, file)]
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))  # as Git may do
    vault.save(two)
    file.write_text(f"{file.read_text()}mine\n")
    changed = replace(two, pages=[pages[0], (written_page(shift=9), PageText((row("three"),)))])
    with pytest.raises(EditedByHandError, match=r"^\S*/home/Plan\.md: edited by hand"):
        vault.save(changed)
    assert file.read_text().endswith("two\n\n![Page 2](../attachments/home/Plan-2.svg)\nmine\n")
    assert first.stat().st_mtime_ns == times[0] and second.stat().st_mtime_ns > times[1]
    file.unlink()
    assert vault.save(changed)[-1] == file and "three" in file.read_text()


@pytest.fixture
def saved_in_vault(tmp_path):
    """A function that saves the notes of a folder as a vault, and returns the removed files; its
    library; and the folder. Each note has a page of its own ink, whatever its file is called."""
    (folder := tmp_path / "notes" / "home").mkdir(parents=True)
    for number, name in enumerate(("Plan.xopp", "List.xopp")):
        stroke = f'<stroke tool="pen" color="black" width="1">1 {number} 9 9</stroke>'
        (folder / name).write_bytes(xopp(stroke))
    library = Library(lambda page: PageText((row("milk"),)), "reader", tmp_path / "library")

    def save():
        files, removed = note_files(folder.parent), []
        vault = Vault.of(tmp_path / "vault", files)
        for name, path in files.items():
            saved, file = library.note(name, path), vault.files[name]
            with suppress(EditedByHandError):
                library.save_changed([saved], file, name, partial(vault.save, saved), vault.folder)
            removed += library.remove_former(saved, file, vault.folder)
        return {file.relative_to(vault.folder).as_posix() for file in removed}

    assert save() == set()
    return save, library, folder


def outputs(tmp_path):
    return {
        file.relative_to(tmp_path / "vault").as_posix()
        for file in (tmp_path / "vault").rglob("*")
        if file.is_file()
    }


def test_a_note_that_was_renamed_or_moved_leaves_no_output_of_its_old_name(
    saved_in_vault, tmp_path
):
    save, _, folder = saved_in_vault
    first = outputs(tmp_path)
    assert first == {*of("home/Plan"), *of("home/List")}
    (folder / "Plan.xopp").rename(folder / "Trip.xopp")
    edited = tmp_path / "vault" / "home" / "List.md"
    edited.write_text(edited.read_text() + "mine")
    (folder.parent / "away").mkdir()
    (folder / "List.xopp").rename(folder.parent / "away" / "List.xopp")
    (folder / "List.xopp").write_bytes(xopp())  # another note takes the name
    assert save() == of("home/Plan")
    (folder / "List.xopp").unlink()
    (folder / "Trip.xopp").rename(folder.parent / "away" / "Trip.xopp")
    assert save() == of("home/Trip")
    assert outputs(tmp_path) == {*of("away/Trip"), *of("away/List"), *of("home/List")}
    assert edited.read_text().endswith("mine")
    # What a link or a copy has, and what a note had that is gone, stays.
    shutil.copy(folder.parent / "away" / "Trip.xopp", folder / "Trip.xopp")
    (folder / "Link.xopp").symlink_to(folder / "Trip.xopp")
    for _ in range(2):
        assert save() == set()
    assert of("home/Link") | of("home/Trip") | of("away/Trip") < outputs(tmp_path)
    (folder.parent / "away" / "List.xopp").unlink()
    assert save() == set() and of("away/List") < outputs(tmp_path)


def test_of_two_notes_with_one_title_the_files_move_when_one_of_them_goes(saved_in_vault, tmp_path):
    save, _, folder = saved_in_vault
    (folder / "plan.xopp").write_bytes(xopp())
    removed = save()
    assert removed == of("home/Plan")
    (folder / "plan.xopp").unlink()
    assert {name.partition(" ")[0] for name in save()} == {"home/Plan", "attachments/home/Plan"}


def of(name):
    """The files of a note in a vault."""
    return {f"{name}.md", f"attachments/{name}-1.svg"}


def test_drawings_are_pictures_at_their_place_and_their_labels_no_prose(vault):
    turn = np.linspace(0, 2 * np.pi, 60)
    ring = np.column_stack([np.cos(turn), np.sin(turn)])
    strokes = PageStroke(100 * ring + 250), PageStroke(9 * ring + 250), PageStroke(50 * ring + 300)
    page = replace(written_page(), strokes=strokes, typed=())
    label = PageRow((PageWord("pump", (240, 240, 260, 260)),), (1,))
    above, below = row("above", y=100), row("below", y=400)
    text = PageText((above, label, below), kinds={0: "drawing", 2: "shape"})
    file = vault.save(replace(note(vault), pages=[(page, text)]))[-1]
    _, body = front_matter(file)
    assert body.split("\n\n")[:-1] == [
        "\nabove",
        "![Drawing: pump](../attachments/home/Plan-1.1.svg)",
        "below",
    ]
    picture = ElementTree.parse(vault.folder / "attachments/home/Plan-1.1.svg").getroot()
    left, top, *size = (float(value) * 72 / 1270 for value in picture.get("viewBox").split())
    margin = 2 * 72 / 25.4
    assert np.allclose([left, top], 150 - margin, atol=1)
    assert np.allclose(size, 200 + 2 * margin, atol=1)
    assert len([each for each in picture if each.tag.endswith("path")]) >= 1
    # A frame around prose is no drawing.
    prose = PageRow(tuple(PageWord(word, (240, 240, 260, 260)) for word in "abcd"), (1,))
    framed = PageText((above, prose), kinds={0: "drawing"})
    file = vault.save(replace(note(vault), pages=[(page, framed)]))[-1]
    assert "Drawing" not in file.read_text() and "a b c d" in file.read_text()


def test_a_full_disk_leaves_no_half_of_a_file(vault, monkeypatch):
    (*_, file) = vault.save(note(vault, row("one")))
    before = file.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*/Plan\.md"):
        vault.save(note(vault, row("two")))
    assert file.read_bytes() == before and [path.name for path in file.parent.iterdir()] == [
        "Plan.md"
    ]


TITLES = (
    *(
        'a: "b" \\ #c',
        "- x",
        "---",
        "1.0",
        "yes",
        "null",
        "é😀",
        "\x1b\x85\ufeff\udc80\n",
        "%",
        "[[x]]",
    ),
    *("CON", "nul.txt", "x" * 5000, "é" * 5000, ".hidden", "dot.", "blank ", "what?*|<>"),
)


def test_any_title_is_a_file_on_all_systems_and_a_string_of_yaml(tmp_path):
    vault = Vault.of(tmp_path, dict.fromkeys([*TITLES, "Same", "same", "e\u0301😀"], tmp_path))
    names = [file.name for file in vault.files.values()]
    assert len({name.casefold() for name in names}) == len(names)
    for title, file in vault.files.items():
        assert len(os.fsencode(file.name)) < 240 and file.parent == tmp_path
        assert not re.search(r'[\0-\x1f\x7f-\x9f\udc80<>:"|?*\\#^\[\]%]|^\.|[. ]\.md$', file.name)
        assert not re.match(r"(con|nul)(\.| |$)", file.name.lower())
        vault.save(Note(title, [(written_page(), PageText(()))]))
        values, _ = front_matter(file)
        bad = "\x1b\x85\ufeff\udc80"
        assert values["title"] == title.translate(dict.fromkeys(map(ord, bad), "?"))
