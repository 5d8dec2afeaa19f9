"""What a run's folder says of where its numbers come from."""

import hashlib
import json
import subprocess
import sys
from importlib import metadata

import pytest

from base.config import user_modules
from base.run import provenance
from base.run.run_folder import RunFolder, RunRecord


def git(folder, *words):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
    return subprocess.check_output(command, cwd=folder, text=True).strip()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a script, which stands for the project's."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text("a = 1\n")
    monkeypatch.setattr(provenance, "ROOT", folder)
    provenance.checkout.cache_clear()
    yield folder
    provenance.checkout.cache_clear()


def start_of(run) -> dict:
    run.create(RunRecord(), 1)
    run.release()
    provenance.checkout.cache_clear()
    return json.loads((run.models / "run.json").read_text())["runs"][-1]


def test_a_start_records_the_commit_and_the_changes_since(project, tmp_path):
    run = RunFolder("words", "a", tmp_path)
    assert start_of(run)["checkout"] is None  # there is no checkout
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "a")
    expected = {"commit": git(project, "rev-parse", "HEAD"), "diff": None, "untracked": []}
    assert start_of(run)["checkout"] == expected
    for value in (2, 3):  # what an earlier start had is kept
        (project / "train.py").write_text(f"a = {value}\n")
        (project / "new ö.py").touch()
        start = start_of(run)
    diff = run.models / "checkout.diff"
    assert "+a = 3" in diff.read_text()
    assert "+a = 2" in (run.models / "checkout.diff.former-1").read_text()
    digest = hashlib.sha256(diff.read_bytes()).hexdigest()
    assert start["checkout"] == expected | {"diff": digest, "untracked": ["new ö.py"]}
    git(project, "checkout", "train.py")
    git(project, "apply", str(diff))
    assert (project / "train.py").read_text() == "a = 3\n"
    assert f"torch=={metadata.version('torch')}\n" in (run.models / "packages.txt").read_text()


def test_a_run_keeps_a_copy_of_each_module_and_warns_of_changed_code(tmp_path, no_modules, caplog):
    file = tmp_path / "my_code.py"
    run = RunFolder("words", "a", tmp_path)
    before = None
    for text in ("a = 1\n", "a = 2\n"):
        file.write_text(text)
        sys.modules.pop("my_code", None)
        user_modules.load_module(file)
        modules = start_of(run)["modules"]
        assert modules == {"my_code": hashlib.sha256(text.encode()).hexdigest()}
        user_modules.warn_of_changes(before or modules, "x.pth")
        before = before or modules
    kept = [run.models / name for name in ("my_code.py.former-1", "my_code.py")]
    assert [path.read_text() for path in kept] == ["a = 1\n", "a = 2\n"]
    (message,) = caplog.messages
    assert "x.pth: made with another my_code.py" in message and before["my_code"][:12] in message
