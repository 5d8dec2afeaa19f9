"""Modules of the user's own are loaded only where the command line names them, and recorded."""

import hashlib
import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from base.config import user_modules
from ink.alphabet import Alphabet
from utils import strict_json
from utils.checks import CheckpointError, UserError

pytestmark = pytest.mark.usefixtures("no_modules")

ROOT = Path(__file__).resolve().parents[3]
CODE = "from pathlib import Path\n\n\nclass Own(type(Path())): ...\n"


def test_a_module_that_is_loaded_is_listed_with_its_classes_and_its_hash(tmp_path, monkeypatch):
    (tmp_path / "my_loss.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    for path in ("my_loss.py", tmp_path / "my_loss.py"):  # again: nothing happens
        user_modules.load_module(path)
        assert [cls.__name__ for cls in user_modules.classes()] == ["Own"]  # not what it imports
    known = {"my_loss": hashlib.sha256(CODE.encode()).hexdigest()}
    assert user_modules.digests() == known
    assert user_modules.options() == f" --module {tmp_path}/my_loss.py"
    user_modules.check({"my_loss": "0" * 64}, "x.pth")  # which may be a new version of it
    with pytest.raises(CheckpointError, match=r"x\.pth: the module other\.py \(SHA-256 0000"):
        user_modules.check({"other": "0" * 64}, "x.pth")


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("none.py", None, r"cannot be read \(No such file"),
        ("notes.txt", "", "named like a variable"),
        ("json.py", "", "another module json; rename"),
        ("broken.py", "x = (", r"SyntaxError: '\(' was never closed .*broken\.py, line 1\)"),
        ("gone.py", "import sys; del sys.modules['gone']; 1 / 0", "does not load: ZeroDivision"),
        (
            "old.py",
            "from notes.rows import find_rows",
            r"'notes'.*; notes is now online_handwriting\.apps\.notes$",
        ),
        (
            "new.py",
            "from data_loader import read_ink",
            "now online_handwriting.ink.reading.read_ink",
        ),
        ("deep.py", "import json\n\njson.loads('{')", r"JSONDecodeError: .*deep\.py, line 3\)"),
    ],
)
def test_a_module_that_fails_to_load_is_refused_and_leaves_no_trace(tmp_path, name, code, message):
    path, before = tmp_path / name, list(sys.path)
    if code is not None:
        path.write_text(code)
    with pytest.raises(UserError, match=message) as caught:
        user_modules.load_module(path)
    assert str(path) in str(caught.value)
    assert sys.path == before and not user_modules.classes()


@pytest.mark.pages
def test_what_has_moved_is_at_its_new_place_and_in_the_changelog():
    moved = strict_json.read(user_modules.MOVED_IMPORTS)
    for former, place in moved.items():
        module, _, name = place.rpartition(".")
        assert find_spec(place) if _is_module(place) else hasattr(import_module(module), name), (
            place
        )
        assert f"| `{former}` | `{place}` |" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def _is_module(place):
    path = ROOT.joinpath(*place.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def test_modules_that_a_module_imports_from_its_folder_are_recorded_as_well(tmp_path):
    (tmp_path / "my_helper.py").write_text("FACTOR = 2\n")
    (tmp_path / "my_net.py").write_text("import json\n\nfrom my_helper import FACTOR\n")
    user_modules.load_module(tmp_path / "my_net.py")
    versions = user_modules.digests()
    assert versions.keys() == {"my_net", "my_net/my_helper"}
    assert versions["my_net/my_helper"] == hashlib.sha256(b"FACTOR = 2\n").hexdigest()
    assert user_modules.sources()["my_helper.py"] == b"FACTOR = 2\n"
    user_modules.check({"my_net/gone": "0"}, "x.pth")
    assert user_modules.options() == f" --module {tmp_path}/my_net.py"


def test_a_folder_behind_a_symbolic_link_is_one_folder(tmp_path, monkeypatch):
    """Where Python finds the folder by its link, and where it finds a link to a file."""
    real = tmp_path / "real"
    link = tmp_path / "link"
    other = tmp_path / "other"
    for folder in (real, other):
        folder.mkdir()
    link.symlink_to(real)
    (other / "my_net.py").symlink_to(real / "my_net.py")
    (real / "my_helper.py").write_text("FACTOR = 2\n")
    (real / "my_net.py").write_text("from my_helper import FACTOR\n")
    (real / "my_fault.py").write_text("1 / 0\n")
    for place, named in ((link, real), (link, link), (real, link), (other, real)):
        monkeypatch.setattr(user_modules, "_loaded", {})
        monkeypatch.setattr(sys, "path", [str(place), *sys.path])
        for name in ("my_net", "my_helper"):
            sys.modules.pop(name, None)
        user_modules.load_module(named / "my_net.py")
        assert user_modules.digests().keys() == {"my_net", "my_net/my_helper"}
    with pytest.raises(UserError, match=r"ZeroDivisionError: .*my_fault\.py, line 1\)"):
        user_modules.load_module(link / "my_fault.py")


def test_all_packages_of_the_project_are_known_as_such():
    settings = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert {*settings["tool"]["importlinter"]["root_packages"]} == user_modules.PROJECT_ROOMS
    assert not user_modules.is_any_from_user(Alphabet("ab"), Alphabet)
    assert user_modules.is_any_from_user(Alphabet, type("Own", (Alphabet,), {}))
