"""The plugin in Xournal++ itself, on a screen that nobody sees."""

import gzip
import os
import select
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pypdf import PdfReader

from apps.plugins import xournalpp_plugin
from ink.formats import read_pages
from ink.geometry import strokes
from ink.ink_page import PageStroke
from ink.reading import read_ink
from model.drawing.page import save_ink_pages
from tests.commands.networks import ROOT, use
from tests.ink.formats.test_note_files import PAGE
from tests.rights import without_rights
from utils.checks import UserError

PACKAGES = {"xournalpp": "xournalpp", "Xvfb": "xvfb", "xdotool": "xdotool"}
SECONDS = 180  # until a test gives up; all takes some ten


def wait_for(condition):
    """Return what a condition returns, as soon as that is true."""
    deadline = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, condition
        time.sleep(0.1)
    return value


@contextmanager
def started(*command, **options):
    """Start a program; end it afterwards."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def xournalpp(tmp_path):
    """A folder like /usr of a Xournal++ with the plugin; it looks for plugins beside itself."""
    missing = [package for name, package in PACKAGES.items() if not shutil.which(name)]
    if missing:
        pytest.skip(f"not installed: apt-get install {' '.join(missing)}")
    program = Path(shutil.which("xournalpp")).resolve()
    share = tmp_path / "usr" / "share" / "xournalpp"
    share.mkdir(parents=True)
    for name in ("ui", "resources"):
        (share / name).symlink_to(program.parents[1] / "share" / "xournalpp" / name)
    (tmp_path / "usr" / "bin").mkdir()
    return shutil.copy(program, tmp_path / "usr" / "bin")


@pytest.fixture
def screen(tmp_path, xournalpp):
    """Environment with a screen and folders of its own."""
    folders = {f"XDG_{name}_HOME": tmp_path / name for name in ("CONFIG", "DATA", "CACHE")}
    (tmp_path / "DATA").mkdir()
    environment = os.environ | {name: str(path) for name, path in folders.items()}
    environment |= {"HOME": str(tmp_path), "GDK_BACKEND": "x11", "NO_AT_BRIDGE": "1"}
    ready, number = os.pipe()
    options = "-displayfd", str(number), "-screen", "0", "1000x800x24", "-nolisten", "tcp"
    with started("Xvfb", *options, pass_fds=[number]):
        os.close(number)
        assert select.select([ready], [], [], SECONDS)[0]
        yield environment | {"DISPLAY": f":{os.read(ready, 9).decode().strip()}"}
        os.close(ready)


class Keyboard:
    """Presses keys in the windows of a program."""

    def __init__(self, process, environment):
        self.process, self.environment = process, environment
        (self.main,) = wait_for(self.windows)

    def windows(self):
        return self.do("search", "--onlyvisible", "--pid", self.process.pid)

    def do(self, *words):
        command = ["xdotool", *map(str, words)]
        options = dict(env=self.environment, capture_output=True, text=True, timeout=SECONDS)
        return subprocess.run(command, **options).stdout.split()

    def press(self, keys):
        """Press keys in the newest window."""
        self.do("windowfocus", "--sync", (self.dialogs() or [self.main])[-1], "key", keys)

    def dialogs(self):
        return [window for window in self.windows() if window != self.main]


@pytest.mark.slow
def test_the_menu_saves_the_open_note_and_a_pdf_of_it(tmp_path, xournalpp, screen):
    """What Xournal++ saves is read as what we wrote. A document without a name has no PDF, and no
    other document is taken for it."""
    (line,) = read_ink(ROOT / "docs" / "sample-lines")[:1]
    ink = (PageStroke(0.25 * s + (40, 60), width=1.41) for s in strokes(line.ink))
    page = replace(PAGE, strokes=(*PAGE.strokes, *(replace(s, layer=1) for s in ink)), ruling=())
    note = tmp_path / "my notes" / 'Ärger in "Tom\'s" & Büro $1.xopp'
    note.parent.mkdir()
    save_ink_pages([page, page], note)
    before = [*read_pages(note)]
    plugins = tmp_path / "usr" / "share" / "xournalpp" / "plugins"
    use("notes", note.parent, "--install-plugin", plugins)
    lua = plugins / "Handwriting" / "main.lua"
    lua.write_text(lua.read_text().replace("WAIT_SECONDS = 15", f"WAIT_SECONDS = {SECONDS}"))

    recent, pdf = tmp_path / "DATA" / "recently-used.xbel", Path(f"{note}.pdf")
    with started(xournalpp, note, env=screen) as process:
        keyboard = Keyboard(process, screen)
        wait_for(recent.exists)
        keyboard.press("shift+alt+p")
        wait_for(keyboard.dialogs)
        assert pdf.exists()
        keyboard.press("Return")
        wait_for(lambda: not keyboard.dialogs())
        pdf_pages = PdfReader(pdf).pages
        pdf.unlink()

        keyboard.press("ctrl+n")
        keyboard.press("shift+alt+p")
        (file_name,) = wait_for(keyboard.dialogs)
        keyboard.press("Escape")
        wait_for(lambda: (dialogs := keyboard.dialogs()) and file_name not in dialogs)
        keyboard.press("Escape")
        wait_for(lambda: not keyboard.dialogs())
        assert os.listdir(note.parent) == [note.name]

    assert set(line.text.split()) & set(pdf_pages[1].extract_text().split())
    assert b'creator="Xournal++ ' in gzip.decompress(note.read_bytes())[:200]
    for page, same in zip(read_pages(note), before, strict=True):
        assert (page.layers, page.paper, page.typed) == (same.layers, same.paper, same.typed)
        assert [image.box for image in page.images] == [image.box for image in same.images]
        for stroke, other in zip(page.strokes, same.strokes, strict=True):
            np.testing.assert_allclose(stroke.points, other.points, atol=0.01)
            look = stroke.tool, stroke.colour, stroke.fill, stroke.dash, stroke.layer
            assert look == (other.tool, other.colour, other.fill, other.dash, other.layer)
            assert stroke.width == pytest.approx(other.width)


def test_the_plugin_is_installed_where_one_has_rights(tmp_path, monkeypatch, capsys):
    """Else, and without Xournal++, the message says what to do."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"no Xournal\+\+ found .*--install-plugin FOLDER"):
        use("notes", tmp_path, "--install-plugin")
    with without_rights(), pytest.raises(UserError) as refused:
        xournalpp_plugin.install(Path("my notes"), Path("reader.pth"), str(tmp_path))
    _, first, second = str(refused.value).splitlines()
    assert first.endswith("experiments.py notes 'my notes' --install-plugin plugin")
    assert second == f"  sudo cp -r plugin/Handwriting {tmp_path}"

    xournalpp_plugin.install(Path('/a "b" \\ c\nd'), Path("reader.pth"), str(tmp_path))
    program = (tmp_path / "Handwriting" / "program.lua").read_bytes()
    assert b'"/a \\034b\\034 \\092 c\\010d",\n' in program
    assert (tmp_path / "Handwriting" / "plugin.ini").is_file()
    assert f"{tmp_path}/Handwriting\nCopy it to the folder of plugins" in capsys.readouterr().out
