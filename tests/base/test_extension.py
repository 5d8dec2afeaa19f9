"""Modules of the user's own are loaded only where the command line names them, and recorded."""

import hashlib
import sys

import pytest

from base import extension
from utils.checks import CheckpointError, UserError

CODE = "from pathlib import Path\n\n\nclass Own(type(Path())): ...\n"


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """What a test loads is not there for others."""
    monkeypatch.setattr(extension, "_loaded", {})
    monkeypatch.setattr(extension, "_imported", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_module_that_is_loaded_is_known_by_its_classes_and_its_hash(tmp_path, monkeypatch):
    (tmp_path / "my_loss.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    for path in ("my_loss.py", tmp_path / "my_loss.py"):  # again: nothing happens
        extension.load_module(path)
        assert [cls.__name__ for cls in extension.classes()] == ["Own"]  # not what it imports
    known = {"my_loss": hashlib.sha256(CODE.encode()).hexdigest()}
    assert extension.versions() == known and extension.missing(known) == ""
    assert extension.options() == f" --module {tmp_path}/my_loss.py"
    extension.check({"my_loss": "0" * 64}, "x.pth")  # which may be a new version of it
    with pytest.raises(CheckpointError, match=r"x\.pth: the module other\.py \(SHA-256 0000"):
        extension.check({"other": "0" * 64}, "x.pth")


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("none.py", None, r"cannot be read \(No such file"),
        ("notes.txt", "", "named like a variable"),
        ("json.py", "", "another module json; rename"),
        ("broken.py", "x = (", r"does not load: SyntaxError: '\(' was never closed"),
        ("gone.py", "import sys; del sys.modules['gone']; 1 / 0", "does not load: ZeroDivision"),
    ],
)
def test_what_cannot_be_loaded_is_reported_and_leaves_nothing(tmp_path, name, code, message):
    path, before = tmp_path / name, list(sys.path)
    if code is not None:
        path.write_text(code)
    with pytest.raises(UserError, match=message) as caught:
        extension.load_module(path)
    assert str(path) in str(caught.value)
    assert sys.path == before and not extension.classes()


def test_what_a_module_imports_from_its_folder_is_recorded_as_well(tmp_path):
    (tmp_path / "my_helper.py").write_text("FACTOR = 2\n")
    (tmp_path / "my_net.py").write_text("import json\n\nfrom my_helper import FACTOR\n")
    extension.load_module(tmp_path / "my_net.py")
    versions = extension.versions()
    assert versions.keys() == {"my_net", "my_net/my_helper"}
    assert versions["my_net/my_helper"] == hashlib.sha256(b"FACTOR = 2\n").hexdigest()
    assert extension.sources()["my_helper.py"] == b"FACTOR = 2\n"
    assert extension.missing({"my_net/gone": "0"}) == ""
    assert extension.options() == f" --module {tmp_path}/my_net.py"
