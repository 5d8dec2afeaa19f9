"""Notes as a vault: Markdown files, whose front matter, links and pictures are read by hand."""

import errno
import json
import os
import re
from dataclasses import replace
from datetime import datetime
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest

from apps.notes.page_text import Note, PageRow, PageText, PageWord, Summary
from apps.notes.vault import EditedByHandError, Vault
from ink.ink_page import PageImage
from tests.apps.notes.pages import written_page

NAMES = ("home/Plan.xopp", "school/Geometry.xopp", "work/Geometry.xopp", "work/Book list.rm")
BOX = (0.0, 0.0, 10.0, 10.0)


def row(text, mark="", y=0.0, confidence=1.0):
    box = (0.0, y, 10.0, y + 1)
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
    file = vault.save(note(vault, *map(row, texts), name=NAMES[2]))[-1]
    targets = re.findall(r"[^!]\[[^]]*\]\(([^)]*)\)", file.read_text())
    assert targets == [*["Geometry.md"] * 2, "../school/Geometry.md", "../home/Plan.md"]
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


def test_a_note_with_a_new_name_loses_its_unedited_file_of_the_old_name(vault, tmp_path):
    (tmp_path / "notes" / "home" / "Plan.inkml").write_text("")
    sources = {name: tmp_path / "notes" / name for name in ("home/Plan.xopp", "home/Plan.inkml")}
    both = Vault.of(vault.folder, sources)
    single = Vault.of(vault.folder, {NAMES[0]: sources[NAMES[0]]})
    plan, other = (note(both, row(name), name=name) for name in sources)
    (_, first), others = both.save(plan), both.save(other)
    picture, file = single.save(plan)
    assert file.name == "Plan.md" and first.name.startswith("Plan ")
    edited = first.read_bytes() + b"mine"
    unedited = first.read_bytes().replace(b"\n", b"\r\n")
    for content, num_removed in ((edited, 0), (unedited, 2)):
        first.write_bytes(content)
        assert len(single.remove_renamed(plan)) == num_removed
        assert first.exists() == (not num_removed)
    assert both.remove_renamed(other) == [] and all(path.exists() for path in others)
    assert both.remove_renamed(plan) == [file, picture] and not picture.exists()


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
