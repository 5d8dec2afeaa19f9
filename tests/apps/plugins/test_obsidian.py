"""The plugin for Obsidian, as it is built: its command reads drawings, and changes notes."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ink.formats import read_pages
from ink.geometry import from_strokes
from model import load
from model.drawing.page import page_of_line
from tests.apps.plugins.conftest import PLUGINS
from tests.apps.web.conftest import ROOT

pytestmark = pytest.mark.slow

OWN = "---\nexcalidraw-plugin: parsed\n---\n# Mine\n```json\n{}\n```\n[[a link]]\n"
DATA = (
    "%%\n# Excalidraw Data\n\n## Text Elements\nTyped ^x\n\n%%\n## Drawing\n```{}json\n{}\n```\n%%"
)
START, END = "<!-- text of the handwriting -->", "<!-- end of the handwriting -->"


def drawing_of(strokes, folder):
    page_of_line(from_strokes(strokes)).save(folder / "a.excalidraw")
    return (folder / "a.excalidraw").read_text()


def section(*rows):
    return "\n".join((START, "## Handwriting", *rows, END))


def test_a_command_writes_the_text_of_a_drawing_into_its_note(build, tmp_path):
    style = json.loads((ROOT / "saved/styles/round.json").read_text())
    zigzag = drawing_of([np.array([[x, 40 * (x % 2)] for x in range(9)])], tmp_path)
    drawing = drawing_of([np.array(stroke) for stroke in style["strokes"]], tmp_path)
    packed = DATA.format("compressed-", f"LZ({drawing})LZ")
    notes = [
        {"text": f"{OWN}\n#\n{packed}", "edit": "<edited>\n"},
        {"text": OWN + DATA.format("", drawing)},
        {"text": f"{OWN}\n{section('old', '', '# words')} mine\n{packed}"},
        {"text": OWN + DATA.format("", zigzag)},
        {"text": OWN + DATA.format("compressed-", "N4Ig")},
        {"text": "plain", "isDrawing": False},
    ]
    request = json.dumps({"main": str(build("obsidian") / "main.js"), "notes": notes})
    script = Path(__file__).with_name("obsidian.mjs")
    done = subprocess.run(["node", script], input=request, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    answers, said = json.loads(done.stdout).values()
    first, second, third, *others = (answer["turns"] for answer in answers)

    (page,) = read_pages(tmp_path / "a.excalidraw")
    (text,) = load("open_reader").read_lines([from_strokes([s.points for s in page.strokes])])
    written = section(text)
    above, below = first[0].split("#\n%%")
    assert first[1] == f"<edited>\n{above}{written}\n\n#\n%%{below}"
    assert first[2] == f"<edited>\n{first[1]}"
    assert second[1] == second[2] == f"{OWN}\n{written}\n\n{notes[1]['text'].removeprefix(OWN)}"
    assert third[1] == third[0].replace(section("old", "", "# words"), written)
    for note in others:
        assert all(turn == note[0] for turn in note)
    assert [answer["isOffered"] for answer in answers] == 5 * [True] + [False]
    assert said[6::2] == [
        "No handwriting was found in this drawing.", "The drawing of this note is damaged."
    ]  # fmt: skip

    inks = []
    for note in (first[2], second[2]):  # compressed by LZ-String itself, and plain
        (tmp_path / "a.excalidraw.md").write_text(note)
        (page,) = read_pages(tmp_path / "a.excalidraw.md")
        inks.append(np.concatenate([stroke.points for stroke in page.strokes]))
    assert np.array_equal(*inks)


def test_the_types_are_those_of_obsidian(packages):
    done = subprocess.run(
        [packages / ".bin/tsc", "-p", PLUGINS / "obsidian"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("words", "fault"),
    [([], "name a plugin"), (["obsidian", "a", "b.bin"], "b.bin: no such file; see apps/plugins")],
)
def test_a_plugin_that_cannot_be_built_is_refused(packages, tmp_path, words, fault):
    words = ["node", PLUGINS / "build.js", *words]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and fault in done.stderr
    assert done.stderr.count("\n") == 1 and not [*tmp_path.iterdir()]
