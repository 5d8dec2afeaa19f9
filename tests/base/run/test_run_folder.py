"""A run's folders: refused if there, never outside `saved`, nothing before its time."""

import json
import os
import platform
import sys
from datetime import datetime
from pathlib import Path

import pytest

from base.run.checkpoint import BEST, checkpoint_name
from base.run.run_folder import RunFolder, RunRecord
from utils.checks import CheckpointError, UserError

BAD = ["..", "../x", "a/b", "a\\b", "", ".hidden", "-r", "a\n", "x" * 101]


@pytest.fixture
def run(tmp_path):
    return RunFolder("words", "a", tmp_path)


@pytest.mark.parametrize("bad", BAD)
def test_names_that_could_lead_elsewhere_are_refused(tmp_path, bad):
    for what, arguments in (("name", (bad, "id")), ("run-id", ("name", bad))):
        with pytest.raises(UserError, match=what):
            RunFolder(*arguments, tmp_path)


def test_a_new_run_has_its_config_versions_and_seed_in_its_folder(run, tmp_path, monkeypatch):
    assert RunFolder("words", saved=tmp_path).run_id.replace("-", "").isdigit()
    monkeypatch.setattr(sys, "argv", ["train.py", "-c", "x.json"])
    assert not list(tmp_path.iterdir())
    run.create(RunRecord(resolved_config={"name": "words"}), 7)
    assert run.models == tmp_path / "models" / "words" / "a"
    assert (tmp_path / "log" / "words" / "a").is_dir()
    assert json.loads((run.models / "config.json").read_text()) == {"name": "words"}
    record = json.loads((run.models / "run.json").read_text())
    assert record["seed"] == 7 and record["run_id"] == "a"
    (start,) = record["runs"]
    assert start["command"] == ["train.py", "-c", "x.json"] and start["resumed_from"] is None
    assert {"python", "torch", "numpy", "hash_seed"} <= start["versions"].keys()


def test_a_run_that_exists_is_refused_unless_it_resumes_from_its_own_checkpoint(run, tmp_path):
    run.create(RunRecord(), 1)
    assert not run.existed
    (run.models / checkpoint_name(1)).touch()
    for options in ({}, {"resumed_from": tmp_path / "elsewhere.pth"}):
        with pytest.raises(UserError, match="'a' exists already"):
            run.create(RunRecord(), 1, **options)
    left = [folder / ".x.1-ab.tmp" for folder in (run.models, run.log)]
    for path in left:  # by a kill
        path.touch()
    run.create(RunRecord(), 1, resumed_from=run.models / checkpoint_name(1))
    assert run.existed
    record = json.loads((run.models / "run.json").read_text())
    assert [start["resumed_from"] is None for start in record["runs"]] == [True, False]
    assert not any(path.exists() for path in left)


def test_the_record_of_a_run_says_how_each_start_ended(run):
    run.create(RunRecord(), 1)
    (run.models / "train.log").touch()
    os.utime(run.models / "train.log", (10**9, 10**9))
    run.create(RunRecord(), 1)  # after a kill, of which the log's last message tells the time
    run.end("failed", "why")
    record = json.loads((run.models / "run.json").read_text())
    killed, failed = (start["ended"] for start in record["runs"])
    assert (killed["state"], killed["reason"]) == ("stopped", "killed")
    assert datetime.fromisoformat(killed["time"]).timestamp() == 10**9
    assert (failed["state"], failed["reason"]) == ("failed", "why")


@pytest.mark.parametrize("data", [b"\xff\x00", b"{", b"[" * 100_000, b"[1]", b'{"runs": "none"}'])
def test_broken_record_of_a_run_is_kept_aside(run, caplog, data):
    run.models.mkdir(parents=True)
    (run.models / "run.json").write_bytes(data)
    run.create(RunRecord(), 1)
    assert len(json.loads((run.models / "run.json").read_text())["runs"]) == 1
    assert (run.models / "run.json.unreadable-1").read_bytes() == data
    (message,) = caplog.messages
    assert "run.json: no record (" in message and "unreadable-1" in message


def test_the_run_of_a_checkpoint_follows_from_its_path(run, tmp_path, monkeypatch):
    run.create(RunRecord(), 1)
    (run.models / BEST).touch()
    for place in (run.models, run.models / BEST):
        known = RunFolder.of(place)
        assert (known.models, known.log) == (run.models, run.log)
    assert RunFolder.of(tmp_path) is None and RunFolder.of(run.models / "none.pth") is None
    monkeypatch.chdir(tmp_path.parent)
    relative = Path(tmp_path.name, "models", "words", "a", BEST)
    assert RunFolder.of(relative).log == Path(tmp_path.name, "log", "words", "a")
    monkeypatch.chdir(run.models)
    assert RunFolder.of(BEST).log == run.log


def test_a_run_that_a_process_uses_is_refused_to_other_processes(run, tmp_path):
    other = RunFolder("words", "a", tmp_path)
    run.create(RunRecord(), 1)
    expected = rf"in use by process {os.getpid()} on {platform.node()}, since \d{{4}}-.*\+"
    for _ in range(2):  # Who was refused leaves the name of the holder there.
        with pytest.raises(UserError, match=expected):
            other.create(RunRecord(), 1)
    run.release()
    other.create(RunRecord(), 1)


def test_a_run_that_was_killed_before_its_record_says_how_to_start_it(run):
    run.models.mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"no checkpoint found.*-c CONFIG --run-id a"):
        run.recorded_start()
