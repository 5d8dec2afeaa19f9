"""Two processes compute what one does. They are real, and torchrun starts them alike."""

import json
import math
import signal
from pathlib import Path

import pytest
import torch
from parallel_run import KINDS, STOPPED_AFTER, Stopped
from tiny_run import ChunkTrainer, go_on, make, trained, weights

from base.run.checkpoint import checkpoints, load_checkpoint
from tests import forked_script
from tests.same_run import differences, rows_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

HERE = Path(__file__).parent

WEIGHTS = {"rtol": 1e-5, "atol": 2e-6}
"""How far float32 weights may be apart after some 15 steps whose sums had another order."""

VALUES = 2e-5
"""The same of logged values, relative."""


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Path:
    """The folder in which two processes have run `parallel_run.py`."""
    saved = tmp_path_factory.mktemp("parallel")
    make(saved, "stopped-there", trainer=Stopped, **KINDS["plain"]).train()
    with open(saved / "out", "w+") as out:
        streams = {"stdout": out.fileno(), "stderr": out.fileno()}
        status = forked_script.run(HERE / "parallel_run.py", str(saved), **streams, processes=2)
        assert status == 0, (saved / "out").read_text()
    return saved


@pytest.fixture(scope="module")
def results(ran) -> dict:
    return json.loads((ran / "results.json").read_text())


def rows(folder: Path) -> list[dict[str, str]]:
    return rows_of(folder / "metrics.csv")


def assert_same_run(folder: Path, trainer: ChunkTrainer) -> None:
    """Compare a run's files with those of a trainer that has trained in one process."""
    for own, others in zip(rows(trainer.run.models), rows(folder), strict=True):
        assert own.keys() == others.keys()
        for name in own:
            close = math.isclose(float(own[name]), float(others[name]), rel_tol=VALUES)
            assert close or own[name] == others[name] == "nan", (name, own, others)
    names = [path.name for path in checkpoints(trainer.run.models)]
    assert [path.name for path in checkpoints(folder)] == names
    expected, state = (load_checkpoint(place / names[0]) for place in (trainer.run.models, folder))
    for name, weight in expected["state_dict"].items():
        torch.testing.assert_close(state["state_dict"][name], weight, **WEIGHTS)
    own, others = (at["training"]["run"]["progress"] for at in (expected, state))
    for name in ("best", "first_loss"):
        first, second = own.pop(name), others.pop(name)
        assert first == second or math.isclose(first, second, rel_tol=VALUES), name
    assert own == others
    own, others = (at["training"]["run"]["position"] for at in (expected, state))
    assert own == others


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_train_as_a_single_process_does(ran, results, tmp_path, kind):
    trainer = make(tmp_path, kind, **KINDS[kind])
    before = weights(trainer)
    trainer.train()
    assert not any(torch.equal(before[name], weight) for name, weight in weights(trainer).items())
    assert_same_run(ran / "models" / "tiny" / kind, trainer)
    first, second = results["weights"][kind]
    assert first == second  # bit for bit


def test_runs_of_two_processes_skip_steps_stop_early_and_reduce_the_rate(ran):
    state = {kind: newest(ran, kind) for kind in KINDS}
    assert int(rows(ran / "models/tiny/skipping")[0]["skipped_steps"]) > 0
    assert state["stopping"]["epoch"] == 3 and state["a-rule-of-its-own"]["epoch"] == 2
    assert len({row["learning_rate"] for row in rows(ran / "models/tiny/stopping")}) == 2


def newest(saved: Path, run: str) -> dict:
    return load_checkpoint(checkpoints(saved / "models" / "tiny" / run)[0])


def test_a_single_process_resumes_the_run_of_two(ran, results, tmp_path):
    assert results["signals"] == [signal.SIGINT, signal.SIGINT]  # only the second one got it
    state = newest(ran, "stopped-here")
    assert state["step"] == STOPPED_AFTER
    assert state["training"]["run"]["position"]["batch"] > 0
    whole = trained(tmp_path, "whole", **KINDS["plain"])
    resumed, _ = go_on(ran, "stopped-here", **KINDS["plain"])
    assert_same_run(resumed.run.models, whole)


def test_two_processes_resume_the_run_of_a_single_process(ran, tmp_path):
    whole = trained(tmp_path, "whole", **KINDS["plain"])
    state = newest(ran, "stopped-there")
    assert state["step"] == whole.progress.step > STOPPED_AFTER
    for name, weight in weights(whole).items():
        torch.testing.assert_close(state["state_dict"][name], weight, **WEIGHTS)


def test_a_state_that_does_not_fit_one_of_two_processes_is_refused_by_both(results):
    first, second = results["refusals"]
    assert first.endswith("it does not fit in another process") and "has the shape (2,)" in second


def test_a_resumed_run_of_two_with_dropout_equals_the_uninterrupted_run_bit_for_bit(ran, results):
    (own, restored), (other, its) = results[
        "sums"
    ]  # of a metric: not added up where it was stopped
    assert (own, other) == (restored, its) and own != other
    runs = ("dropout", "dropout-stopped")
    first, second = (newest(ran, run) for run in runs)
    assert len(checkpoints(ran / "models/tiny/dropout-stopped")) > 2
    for name, weight in first["state_dict"].items():
        assert torch.equal(weight, second["state_dict"][name])
    whole, resumed = (rows(ran / f"models/tiny/{run}") for run in runs)
    assert whole == resumed


def test_buffers_are_those_of_the_main_process_and_resumed_bit_for_bit(ran, results):
    first, second = results["buffers"]
    assert first == second
    whole, resumed = (newest(ran, run) for run in ("buffers", "buffers-stopped"))
    assert differences(whole["training"]["run"]["parts"], resumed["training"]["run"]["parts"]) == []
    assert differences(whole["state_dict"], resumed["state_dict"]) == []


def test_a_state_that_differs_between_the_processes_is_warned_of_once(results):
    (warning,) = results["queue"]
    assert "the state of the trainer (Queueing) differs between the processes" in warning
    assert results["buffers-warned"] == []


def test_random_numbers_are_common_unless_a_process_asks_for_its_own(results):
    first, second = results["own"]
    assert first != second
    first, second = results["common"]
    assert first == second
