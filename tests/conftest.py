"""What all tests need: one thread, as sizes are small, and signals that are not ignored, here and
in child processes; and the apps that each test belongs to."""

import gc
import json
import logging
import os
import re
import shutil
import signal
import sys
import threading
from functools import partial
from logging.handlers import MemoryHandler
from pathlib import Path

import pytest

from base.config import user_modules
from ink.guard import children, service
from logger.logger import ConsoleHandler
from utils import console

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
for number in console.SIGNALS:
    # Children would inherit that a signal is ignored, as in a shell's background and under nohup:
    # a handler that does nothing is not inherited by them, and does as much here.
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


ROOT = Path(__file__).resolve().parents[1]
IMPORTED_APP = re.compile(r"^(?:from|import) (?:tests\.)?apps(?:\.| import )(\w+)", re.MULTILINE)
IMPORTED_SCRIPT = re.compile(r"^from (benchmarks|docs)(?:\.| import )(\w+)", re.MULTILINE)
APPS = {"datasets", "docs", "hand", "notes", "pages", "plugins", "web"}
MANY = 200
"""Modules, such as those of `torch._dynamo`, which the first optimiser imports."""
_frozen = 0


def apps_of(file):
    """Return the apps that a file of tests belongs to: that of its folder, or those that it, or a
    script that it imports, imports."""
    parts = file.relative_to(ROOT / "tests").parts
    if parts[0] in ("apps", "docs"):  # The pages of docs/ show all apps.
        return {parts[1] if parts[0] == "apps" else "docs"}
    text = file.read_text("utf-8")
    scripts = [ROOT / folder / f"{name}.py" for folder, name in IMPORTED_SCRIPT.findall(text)]
    texts = [text, *(script.read_text("utf-8") for script in scripts if script.exists())]
    return {name for text in texts for name in IMPORTED_APP.findall(text)}


def pytest_ignore_collect(collection_path):
    """Without apps/, tests of apps and tests that import an app are left out."""
    if (ROOT / "apps").exists():
        return None
    is_file = collection_path.suffix == ".py" and collection_path.name != "conftest.py"
    is_of_app = apps_of(collection_path) if is_file else collection_path.name == "apps"
    return True if is_of_app else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """A test is marked by its apps, as its file or its own marks say, or as the framework's."""
    for item in items:
        for name in apps_of(item.path) & APPS:
            item.add_marker(name)
        if not any(item.get_closest_marker(name) for name in APPS):
            item.add_marker("framework")


def pytest_collection_finish():
    """What is imported is not looked through at every collection of garbage, such as an epoch's."""
    freeze_imports()


def pytest_runtest_logfinish():
    freeze_imports()


def freeze_imports():
    global _frozen
    if len(sys.modules) > _frozen + MANY:
        gc.collect()
        gc.freeze()
        _frozen = len(sys.modules)


@pytest.fixture
def workplace(tmp_path, monkeypatch, request):
    """An empty folder with the `CONFIG` of a file of tests as `config.json`, for the scripts."""
    monkeypatch.chdir(tmp_path)
    Path("config.json").write_text(json.dumps(request.module.CONFIG))
    return tmp_path


@pytest.fixture
def logging_restored():
    """What the script sets up for its process does not reach other tests, nor reaches a test what
    it has set up for a fixture of a module."""
    root = logging.getLogger()
    own = ConsoleHandler, MemoryHandler
    before = [handler for handler in root.handlers if not isinstance(handler, own)]
    level, hook = root.level, threading.excepthook
    root.handlers[:] = before
    yield
    root.handlers[:], threading.excepthook = before, hook
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def no_modules(monkeypatch):
    """No module of a user's is loaded, before a test and after it."""
    monkeypatch.setattr(user_modules, "_loaded", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in user_modules._loaded:
        sys.modules.pop(name.rpartition("/")[2], None)


@pytest.fixture
def few_lines(monkeypatch):
    """A hand is measured by a line of it: with more a page takes no other path."""
    monkeypatch.setattr("apps.pages.hands.NUM_LINES", 1)


@pytest.fixture
def cache_home(tmp_path, monkeypatch):
    """An empty folder for caches, but kernels are those of all tests: compiling takes seconds."""
    from model.layers.kernels.library import kernels

    for bfloat16 in (False, True):
        kernels(bfloat16)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def real_cache(tmp_path_factory):
    """The folder that real data are parsed into, once for all processes of a test run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "real-cache"
    folder.mkdir(exist_ok=True)
    return folder


class InThisProcess:
    """Stands for a child of `ink.guard`, and parses in the process of a test, which is faster."""

    def answers(self, function, arguments, limits, bar):
        try:
            yield from service.results(function, arguments)
        except Exception as error:
            raise service.one_line_error(error) from error


TAKE = children.take


@pytest.fixture(scope="session", autouse=True)
def parsing_in_this_process():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(children, "take", InThisProcess)
        yield


@pytest.fixture
def real_children(monkeypatch):
    """Children parse; none is left of other tests, or to them."""
    monkeypatch.setattr(children, "take", TAKE)
    children.end_all()
    yield
    children.end_all()


@pytest.fixture(scope="session")
def start():
    """What starts a browser with a profile's folder."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: .venv/bin/pip install playwright"
    )
    switches = "--no-sandbox --disable-gpu --in-process-gpu --renderer-process-limit=1"
    with sync_api.sync_playwright() as playwright:
        yield partial(
            playwright.chromium.launch_persistent_context,
            executable_path=chromium,
            args=switches.split(),
            reduced_motion="reduce",
            viewport={"width": 900, "height": 700},
        )


@pytest.fixture(scope="session")
def context(start, tmp_path_factory):
    context = start(tmp_path_factory.mktemp("profile"))
    yield context
    context.close()
