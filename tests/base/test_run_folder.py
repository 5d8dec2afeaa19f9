"""A run's folders: refused if there, never outside `saved`, nothing before its time."""

import json
import os
import platform
import signal
import sys
import time
from pathlib import Path

import pytest

from base.checkpoint import checkpoint_name
from base.run_folder import RunFolder
from utils.checks import CheckpointError, UserError

BAD = ["..", "../x", "a/b", "a\\b", "", ".hidden", "-r", "a\n", "x" * 101]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("place", ["name", "run-id"])
def test_names_that_could_lead_elsewhere_are_refused(tmp_path, bad, place):
    arguments = (bad, "id") if place == "name" else ("name", bad)
    with pytest.raises(UserError, match=place):
        RunFolder(*arguments, tmp_path)


def test_places(tmp_path):
    run = RunFolder("words", "a.1", tmp_path)
    assert run.models == tmp_path / "models" / "words" / "a.1"
    assert run.log == tmp_path / "log" / "words" / "a.1"
    assert not list(tmp_path.iterdir())


def test_the_default_id_is_a_time(tmp_path):
    assert RunFolder("words", saved=tmp_path).run_id.replace("-", "").isdigit()


def test_create_leaves_config_versions_and_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "-c", "x.json"])
    run = RunFolder("words", "a", tmp_path)
    run.create({"name": "words"}, 7)
    assert json.loads((run.models / "config.json").read_text()) == {"name": "words"}
    record = json.loads((run.models / "run.json").read_text())
    assert record["seed"] == 7 and record["run_id"] == "a"
    (start,) = record["runs"]
    assert start["command"] == ["train.py", "-c", "x.json"] and start["resumed_from"] is None
    assert {"python", "torch", "numpy"} <= start["versions"].keys()
    assert run.log.is_dir()


def test_an_existing_run_is_refused_unless_resumed_from_within(tmp_path):
    run = RunFolder("words", "a", tmp_path)
    run.refuse_if_there()
    assert not run.create({}, 1)
    (run.models / checkpoint_name(1)).touch()
    with pytest.raises(UserError, match="'a' exists already"):
        run.refuse_if_there()
    with pytest.raises(UserError, match="exists already"):
        run.create({}, 1)
    with pytest.raises(UserError, match="exists already"):
        run.create({}, 1, resumed_from=tmp_path / "elsewhere.pth")
    assert run.create({}, 1, resumed_from=run.models / checkpoint_name(1))
    record = json.loads((run.models / "run.json").read_text())
    assert [start["resumed_from"] is None for start in record["runs"]] == [True, False]


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"\xff\x00", "can't decode byte"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "recursion"),
        (b"[1]", 'no object with a list "runs"'),
        (b'{"runs": "none"}', 'no object with a list "runs"'),
    ],
)
def test_a_record_that_is_none_is_kept_aside(tmp_path, caplog, data, cause):
    run = RunFolder("words", "a", tmp_path)
    run.create({}, 1)
    (run.models / "run.json").write_bytes(data)
    run.create({}, 1, resumed_from=run.models / checkpoint_name(1))
    assert len(json.loads((run.models / "run.json").read_text())["runs"]) == 1
    assert (run.models / "run.json.unreadable-1").read_bytes() == data
    (message,) = caplog.messages
    assert "run.json: " in message and cause in message and "unreadable-1" in message


def test_a_record_with_a_byte_order_mark_is_read(tmp_path):
    run = RunFolder("words", "a", tmp_path)
    run.create({}, 1)
    record = run.models / "run.json"
    record.write_text(record.read_text(), encoding="utf-8-sig")
    run.create({}, 1, resumed_from=run.models / checkpoint_name(1))
    assert len(json.loads(record.read_text())["runs"]) == 2


def test_a_checkpoint_tells_its_run(tmp_path, monkeypatch):
    run = RunFolder("words", "a", tmp_path)
    run.create({}, 1)
    found = RunFolder.of_checkpoint(run.models / "model_best.pth")
    assert (found.name, found.run_id) == ("words", "a")
    assert (found.models, found.log) == (run.models, run.log)
    assert RunFolder.of_checkpoint(tmp_path / "model.pth") is None
    relative = RunFolder.of_checkpoint(Path("saved/models/words/a/x.pth"))
    assert relative.log == Path("saved/log/words/a")
    monkeypatch.chdir(run.models)
    assert RunFolder.of_checkpoint("x.pth").log == run.log


def test_the_last_ones_are_kept(tmp_path):
    run = RunFolder("words", "a", tmp_path)
    run.create({}, 1)
    names = [checkpoint_name(9), checkpoint_name(10, 4), checkpoint_name(10), "model_best.pth"]
    for name in names:
        (run.models / name).touch()
    run.keep_last(2)
    assert sorted(path.name for path in run.models.glob("*.pth")) == sorted(names[1:])


def test_one_process_at_a_time_has_a_run(tmp_path):
    run, other = RunFolder("words", "a", tmp_path), RunFolder("words", "a", tmp_path)
    run.create({}, 1)
    expected = rf"in use by process {os.getpid()} on {platform.node()}, since \d{{4}}-.*\+"
    for _ in range(2):  # Who was refused leaves the name of the holder there.
        with pytest.raises(UserError, match=expected):
            other.create({}, 1)
    run.release()
    other.create({}, 1)


def test_a_process_that_was_killed_has_its_run_no_longer(tmp_path):
    """The lock is freed though a child of that process, as a data worker is, lives on."""
    run = RunFolder("words", "a", tmp_path)
    reader, writer = os.pipe()
    holder = os.fork()
    if holder == 0:
        run.create({}, 1)
        worker = os.fork()
        if worker != 0:
            os.write(writer, str(worker).encode())
        time.sleep(60)
        os._exit(0)
    worker = int(os.read(reader, 10))
    with pytest.raises(UserError, match=f"in use by process {holder}"):
        run.create({}, 1)
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    os.kill(worker, 0)
    run.create({}, 1)
    os.kill(worker, signal.SIGKILL)


def test_runs_that_start_in_the_same_second_get_names_of_their_own(tmp_path):
    runs = [RunFolder("words", saved=tmp_path) for _ in range(3)]
    for run in runs:
        run.run_id = "20260101-120000"
        run.create({}, 1)
    assert [run.run_id[15:] for run in runs] == ["", "-2", "-3"]
    assert sorted(path.name for path in (tmp_path / "models" / "words").iterdir()) == [
        run.run_id for run in runs
    ]
    assert json.loads((runs[1].models / "run.json").read_text())["run_id"] == runs[1].run_id


def test_what_a_run_began_with(tmp_path):
    run = RunFolder("words", "a", tmp_path)
    run.models.mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"no checkpoint found.*-c CONFIG --run-id a"):
        run.beginning()
    run.weights_from = tmp_path / "other.pth"
    run.create({}, 1)
    assert run.beginning() == (run.models / "config.json", str(tmp_path / "other.pth"))
    (run.models / checkpoint_name(1, 3)).touch()
    assert run.beginning() is None


def test_leftovers_of_a_kill_are_removed_on_resuming(tmp_path):
    run = RunFolder("words", "a", tmp_path)
    run.create({}, 1)
    (run.models / ".checkpoint-epoch1.pth.1-ab.tmp").touch()
    (run.log / ".window-epoch1.png.1-ab.tmp").touch()
    run.create({}, 1, resumed_from=run.models / checkpoint_name(1))
    assert not list(run.models.glob(".*")) and not list(run.log.glob(".*"))
