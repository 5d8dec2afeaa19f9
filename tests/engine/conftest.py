"""The engine, compiled once for all tests, with a way to what is inside it."""

import ctypes
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.engine.library import Work
from utils.locks import locked

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SANITIZERS = ["-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all"]
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler: cc")


def run(*words, **options):
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def open_networks():
    """Return the flat files of the open writer and reader."""
    return [ROOT / "saved" / "pretrained" / f"open_{role}.bin" for role in ("writer", "reader")]


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """A folder with the library; processes of one checkout share it, and make what is old anew."""
    name = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    folder = tmp_path_factory.getbasetemp().parent / f"engine-{name}"
    with locked(folder.with_suffix(".lock"), "compiles the engine", 300):
        run("make", "-s", "engine", f"ENGINE_BUILD={folder}", cwd=ROOT)
        inside = folder / "inside.so"
        objects = [path for path in folder.glob("*.o") if path.name != "all.o"]
        sources = [HERE / "inside.c", *objects]
        if not inside.exists() or any(
            path.stat().st_mtime > inside.stat().st_mtime for path in sources
        ):
            run("cc", "-shared", "-fPIC", "-O1", *sources, "-lm", "-o", inside)
    return folder


@pytest.fixture(scope="session")
def library(build):
    return ctypes.CDLL(str(build / "inside.so"))


@pytest.fixture
def work(library):
    handle = Work(library)
    yield handle
    handle.close()
