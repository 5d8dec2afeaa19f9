"""The page in Chromium, served from a folder whose worker may be a stand-in."""

import json
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from utils.ink import from_strokes, x_height

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The address of the page, its worker one that answers with canned ink; its folder."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "web", folder, dirs_exist_ok=True)
    shutil.copy(Path(__file__).with_name("fake_worker.js"), folder / "worker.js")
    style = json.loads((ROOT / "saved/styles/round.json").read_text())
    strokes = [np.array(stroke) for stroke in style["strokes"]]
    ink = from_strokes(strokes)
    ink[:, :2] /= x_height(ink)
    canned = {"text": style["text"], "ink": ink.ravel().tolist()}
    (folder / "fake.json").write_text(json.dumps(canned))
    (folder / "networks").mkdir(exist_ok=True)
    for name in ("writer.bin", "reader.bin"):
        (folder / "networks" / name).write_bytes(b"a network")
    (folder / "networks" / "styles.json").write_text(json.dumps({"round": canned}))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()


@pytest.fixture(scope="session")
def playwright():
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt install chromium")
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: .venv/bin/pip install playwright"
    )
    with sync_api.sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright):
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    yield browser
    browser.close()
