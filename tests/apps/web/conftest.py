"""The page in Chromium, served from a folder whose worker is a stand-in."""

import json
import shutil
import subprocess
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ink.geometry import from_strokes, x_height

ROOT = Path(__file__).parents[3]
NO_NODE = "Node.js is not installed: apt-get install nodejs"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason=NO_NODE)


def node(script, **request):
    """Return what a script beside this file answers to a request."""
    words = ["node", str(Path(__file__).with_name(script))]
    done = subprocess.run(words, input=json.dumps(request), capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return json.loads(done.stdout)


class Quiet(SimpleHTTPRequestHandler):
    def end_headers(self):
        self.send_header("Cache-Control", "no-store")  # a test may change a file
        super().end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def served(folder, handler=Quiet):
    """Serve a folder, and give its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The address and the folder of the page; its worker answers with canned ink."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "apps" / "web", folder, dirs_exist_ok=True)
    shutil.rmtree(folder / "networks", ignore_errors=True)
    shutil.copy(Path(__file__).with_name("fake_worker.js"), folder / "worker.js")
    shutil.copy(Path(__file__).with_name("strokes.js"), folder)
    style = json.loads((ROOT / "saved/styles/round.json").read_text())
    ink = from_strokes([np.array(stroke) for stroke in style["strokes"]])
    ink[:, :2] /= x_height(ink)
    canned = {"text": style["text"], "ink": ink.ravel().tolist()}
    (folder / "fake.json").write_text(json.dumps(canned))
    (folder / "networks").mkdir()
    for name in ("writer.bin", "reader.bin"):
        (folder / "networks" / name).write_bytes(b"a network")
    with served(folder) as address:
        yield address, folder
