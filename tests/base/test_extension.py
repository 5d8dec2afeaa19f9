"""Modules of the user's own are loaded only where the command line names them, and recorded."""

import hashlib
import sys

import pytest

from base import extension
from utils.checks import CheckpointError, UserError

CODE = "from base.base_loss import BaseLoss\n\n\nclass Own(BaseLoss):\n    name = 'own'\n"


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """What a test loads is not there for others."""
    monkeypatch.setattr(extension, "_loaded", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_classes_that_a_module_defines_are_known_and_its_hash(tmp_path):
    path = tmp_path / "my_loss.py"
    path.write_text(CODE)
    extension.load_module(path)
    extension.load_module(str(path))  # again: nothing happens
    assert [cls.__name__ for cls in extension.classes()] == ["Own"]  # not what it imports
    assert extension.versions() == {"my_loss": hashlib.sha256(CODE.encode()).hexdigest()}


def test_a_module_may_lie_in_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "my_loss.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    extension.load_module("my_loss.py")
    assert [cls.__name__ for cls in extension.classes()] == ["Own"]
    assert extension.options() == f" --module {tmp_path}/my_loss.py"


def test_missing_modules_of_a_checkpoint_are_reported(tmp_path):
    path = tmp_path / "my_loss.py"
    path.write_text(CODE)
    extension.load_module(path)
    assert extension.missing(extension.versions()) == ""
    extension.check(extension.versions(), "x.pth")
    assert "my_loss.py (SHA-256 0000" in extension.missing({"my_loss": "0" * 64})  # another one
    with pytest.raises(CheckpointError, match=r"x\.pth: the module other\.py \(SHA-256 0000"):
        extension.check({"other": "0" * 64}, "x.pth")


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("none.py", None, r"cannot be read \(No such file"),
        ("notes.txt", "", "a Python file such as"),
        ("my-loss.py", "", "a Python file such as"),
        ("json.py", "", "another module json; rename"),
        ("colorsys.py", "", "another module colorsys; rename"),
        ("broken.py", "x = (", r"does not load: SyntaxError: '\(' was never closed"),
        ("raises.py", "1 / 0", "does not load: ZeroDivisionError: division by zero"),
        ("exits.py", "import sys; sys.exit(3)", "does not load: SystemExit: 3"),
        ("ends.py", "raise GeneratorExit", "does not load: GeneratorExit"),
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


def test_an_interrupt_while_a_module_loads_stays_one(tmp_path):
    (tmp_path / "slow.py").write_text("raise KeyboardInterrupt(15)")
    with pytest.raises(KeyboardInterrupt):
        extension.load_module(tmp_path / "slow.py")


def test_two_files_of_one_name_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same_name.py").write_text(CODE)
    extension.load_module(tmp_path / "a" / "same_name.py")
    with pytest.raises(UserError, match="another module same_name; rename"):
        extension.load_module(tmp_path / "b" / "same_name.py")
