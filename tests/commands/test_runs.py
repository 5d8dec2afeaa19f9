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
from base.run_folder import RunFolder
from tests.commands.networks import ROOT
from tests.tiny_config import CONFIG
from utils.checks import UserError

LOSSES = {1: (5.0, 3.0, 4.0), 2: (4.5, 3.5, 3.0), 3: (9.0, 8.0, 7.0)}
"""By seed, of three epochs."""


def made(run_id, seed, lr, losses, state=None):
    """Make the folder of a run; it is held unless it is said how it ended."""
    trainer = {**CONFIG["trainer"]["args"], "seed": seed, "epochs": 3, "monitor": "min valid_x"}
    optimizer = {"type": "Adam", "args": {"lr": lr, "betas": [0.9, 0.99]}}
    config = CONFIG | {"trainer": {"args": trainer}, "optimizer": optimizer}
    run = RunFolder("tiny", run_id)
    run.create(config, seed)
    table = ["epoch,step,valid_x", *(f"{n + 1},0,{loss}" for n, loss in enumerate(losses))]
    run.metrics_file.write_text("\n".join(table))
    if state:
        run.end(state, "why")
        run.release()
    return run


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, losses in LOSSES.items():
        made(f"s{seed}", seed, 0.1, losses, "finished")
    made("other", 1, 0.2, ("nan", 1.5), "failed")
    made("killed", 1, 0.3, ()).release()
    running = made("now", 1, 0.4, (2.5,))
    record = {"split": "test", "options": {}, "main_score": "cer", "checkpoint": "x/best.pth"}
    for name, extra in (("a", {"cer": 0.25, "beam": {"cer": 0.2}}), ("b", {"options": {"-o": []}})):
        path = running.models / "evaluations" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record | {"cer": 9.0} | extra))
    yield running
    running.release()


def listed(capsys, *words):
    capsys.readouterr()
    assert experiments.main(["runs", *words]) == 0
    return capsys.readouterr().out


def test_state_best_epoch_and_settings(runs, capsys):
    rows = {row["run"]: row for row in json.loads(listed(capsys, "--json"))}
    states = {name: row["state"] for name, row in rows.items()}
    assert states == {
        **{f"tiny/s{seed}": "finished" for seed in LOSSES},
        **{"tiny/other": "failed", "tiny/killed": "stopped", "tiny/now": "running"},
        "tiny: 3 seeds": "mean",
    }
    assert [rows[f"tiny/s{n}"]["best"] for n in LOSSES] == [3.0, 3.0, 7.0]
    assert [rows[f"tiny/s{n}"]["best_epoch"] for n in LOSSES] == [2, 3, 3]
    assert (rows["tiny/other"]["epochs"], rows["tiny/other"]["best_epoch"]) == (2, 2)
    assert rows["tiny/killed"]["optimizer.args.lr"] == 0.3 and "best" not in rows["tiny/killed"]
    assert "optimizer.args.betas.0" not in rows["tiny/killed"]  # in which they do not differ
    mean = rows["tiny: 3 seeds"]
    assert (mean["n"], mean["trainer.args.seed"]) == (3, "1, 2, 3")
    assert mean["best"] == pytest.approx(13 / 3)
    assert mean["best_std"] == pytest.approx(statistics.stdev([3, 3, 7]))
    assert (rows["tiny/now"]["test.cer"], rows["tiny/now"]["test.beam.cer"]) == (0.25, 0.2)


def test_a_table_is_sorted_by_any_column(runs, capsys):
    def order(column):
        return [line.split()[0][5:] for line in listed(capsys, "--sort", column).splitlines()[1:7]]

    assert order("best") == ["other", "now", "s1", "s2", "s3", "killed"]
    assert order("lr") == ["s1", "s2", "s3", "other", "killed", "now"]
    assert order("test.beam.cer")[0] == "now" and order("state")[0] == "other"
    assert "4.3333 \u00b1 2.3" in listed(capsys) and "best: min valid_x" in listed(capsys)
    with pytest.raises(UserError, match=r"--sort bset: no such column; did you mean best"):
        listed(capsys, "--sort", "bset")


def test_a_folder_with_a_broken_record_costs_a_warning(runs, capsys):
    (Path("saved/models/tiny/s1") / "run.json").write_text('{"runs": [1]}')
    assert experiments.main(["runs", "saved/models/tiny", "--csv"]) == 0
    out, error = capsys.readouterr()
    names = [row["run"] for row in csv.DictReader(io.StringIO(out))]
    assert sorted(names[:5]) == [f"tiny/{run}" for run in ("killed", "now", "other", "s2", "s3")]
    assert error.count("\n") == 1 and "models/tiny/s1: left out" in error
    with pytest.raises(UserError, match="elsewhere: no run there"):
        listed(capsys, "elsewhere")


def test_a_run_is_not_disturbed_and_torch_not_imported(runs):
    code = "import experiments, sys; experiments.main(['runs']); assert 'torch' not in sys.modules"
    lock = runs.models / "run.lock"
    before = lock.read_text()
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT)})
    assert before and lock.read_text() == before
