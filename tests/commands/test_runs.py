"""Runs are compared by what their folders say."""

import csv
import io
import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import experiments
from base.run.run_folder import RunFolder, RunRecord
from tests.commands.networks import ROOT
from tests.tiny_config import CONFIG, changed
from utils.checks import UserError


def make_run(run_id, seed, lr, losses, state=None):
    """Make the folder of a run; it is held unless it is said how it ended.

    Of the seed 1 the config says nothing, as where a trainer of one's own had it from its base.
    """
    trainer = {"args": {"seed": seed, "epochs": 3, "monitor": "min valid_x"}}
    trainer = changed(trainer, {"args.seed": ...} if seed == 1 else {})
    run = RunFolder("tiny", run_id)
    config = CONFIG | {"trainer": trainer, "optimizer": {"args": {"lr": lr}}}
    run.create(RunRecord(given_config=config, resolved_config=config), seed)
    rows = [f"{epoch},0,{loss}" for epoch, loss in enumerate(losses, 1)]
    (run.models / "metrics.csv").write_text("\n".join(["epoch,step,valid_x", *rows]))
    if state:
        run.end(state, "why")
        run.release()
    return run


@pytest.fixture
def running(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, losses in enumerate([(5.0, 3.0, 4.0), (4.5, 3.5, 3.0), (9.0, 8.0, 7.0)], 1):
        make_run(f"s{seed}", seed, 0.1, losses, "finished")
    make_run("other", 1, 0.2, ("nan", 1.5), "failed")
    make_run("killed", 1, 0.3, ()).release()
    run = make_run("now", 1, 0.4, (2.5,))
    (folder := run.models / "evaluations").mkdir()
    record = {"split": "test", "checkpoint": "x/best.pth", "options": {}}
    (folder / "a.json").write_text(json.dumps(record | {"cer": 0.25, "beam": {"cer": 0.2}}))
    record["options"]["overrides"] = [["-o", "key", "value"]]  # Of other data: not shown.
    (folder / "b.json").write_text(json.dumps(record | {"cer": 9.0}))
    yield run
    run.release()


def listed(capsys, *words):
    assert experiments.main(["runs", *words]) == 0
    return capsys.readouterr().out


def test_json_of_runs_has_states_best_epochs_settings_and_means_over_seeds(running, capsys):
    rows = {row["run"][5:]: row for row in json.loads(listed(capsys, "--json"))}
    states = " ".join(rows[name]["state"] for name in ("s1", "other", "killed", "now"))
    assert states == "finished failed stopped running"
    best = [(rows[f"s{n}"]["best"], rows[f"s{n}"]["best_epoch"]) for n in (1, 2, 3)]
    assert best == [(3.0, 2), (3.0, 3), (7.0, 3)]
    assert (rows["other"]["epochs"], rows["other"]["best_epoch"]) == (2, 2)
    assert "best" not in rows["killed"]
    keys = {name for name in rows["killed"] if ".args." in name}
    assert keys == {"optimizer.args.lr", "trainer.args.seed"}
    mean = rows[" 3 seeds"]
    assert (mean["n"], mean["trainer.args.seed"]) == (3, "1, 2, 3")
    assert mean["best"] == pytest.approx(13 / 3)
    assert mean["best_std"] == pytest.approx(statistics.stdev([3, 3, 7]))
    assert (rows["now"]["test.cer"], rows["now"]["test.beam.cer"]) == (0.25, 0.2)


def test_the_table_of_runs_has_settings_scores_and_means_over_seeds(running, capsys):
    rows = [line.split() for line in listed(capsys).splitlines()]
    assert rows[0][:5] == ["run", "state", "epochs", "lr", "seed"] and "test.cer" in rows[0]
    assert {row[0][5:] for row in rows[1:7]} == {"s1", "s2", "s3", "other", "killed", "now"}
    assert "4.3333 ± 2.3" in listed(capsys) and "best: min valid_x" in listed(capsys)


def test_a_run_with_a_broken_record_is_left_out_with_a_warning(running, capsys, caplog):
    (Path("saved/models/tiny/s1") / "run.json").write_text('{"runs": [1]}')
    assert experiments.main(["runs", "saved/models/tiny", "--csv"]) == 0
    out = capsys.readouterr().out
    names = {row["run"][5:] for row in csv.DictReader(io.StringIO(out))}
    assert names == {"killed", "now", "other", "s2", "s3", " 2 seeds"}
    (warning,) = caplog.messages
    assert "models/tiny/s1: left out" in warning
    with pytest.raises(UserError, match="'elsewhere': there is no such folder"):
        listed(capsys, "saved", "elsewhere")


def test_a_run_without_a_recorded_end_counts_as_finished_if_it_has_all_its_epochs(running, capsys):
    record = Path("saved/models/tiny/s1/run.json")
    content = json.loads(record.read_text())
    del content["runs"][-1]["ended"]
    record.write_text(json.dumps(content))
    states = {row["run"][5:]: row["state"] for row in json.loads(listed(capsys, "--json"))}
    assert (states["s1"], states["killed"]) == ("finished", "stopped")


def test_listing_runs_leaves_their_locks_alone_and_does_not_import_torch(running):
    code = "import experiments, sys; experiments.main(['runs']); assert 'torch' not in sys.modules"
    before = (running.models / "run.lock").read_text()
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT)})
    assert before and (running.models / "run.lock").read_text() == before


def test_what_stands_in_a_run_cannot_control_a_terminal(running, capsys):
    hostile = {"optimizer": {"args": {"lr": "\x1b]0;title\x07\x9b2J\n"}}}
    file = RunFolder("tiny", "other").models / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | hostile))
    for words in ((), ("--csv",), ("--json",)):
        said = listed(capsys, *words)
        assert "title" in said and not {"\x1b", "\x07", "\x9b"} & {*said}
