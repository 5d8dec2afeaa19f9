"""Parts that depend on the hashes of texts are found by a step in another process."""

import json
import logging
import sys
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace

import pytest
import torch

import train
from base.config import user_modules
from base.run import provenance
from commands.train import hash_trial
from tests.tiny_config import CONFIG

assert CONFIG  # of the fixture `workplace`

pytestmark = pytest.mark.usefixtures("no_modules", "logging_restored")

CODE = """
from model import PredictionNetwork

class Salted(PredictionNetwork):
    SCALE = 1 + hash("salt") % 1009 / 1009

    def predict(self, numbers):
        return super().predict(self.SCALE * numbers)
"""
USES = """
import random; import numpy as np; from collections import Counter

sorted({1, 2}), {n for n in "ab"}
first = frozenset("ab")
common = {"a": 1}.keys() & {"b": 2}
plain = {"a": 1}, Counter("hash set"), [*{"a": 1}.keys()]
seeded = random.Random(1), np.random.default_rng(1), np.random.default_rng(seed=1)
"""
DRAWN = """
drawn = np.random.default_rng()
also = random.Random()
"""


def test_the_places_of_hashes_sets_and_generators_without_a_seed_are_named(tmp_path):
    (tmp_path / "my_sets.py").write_text(USES)
    user_modules.load_module(tmp_path / "my_sets.py")
    assert hash_trial.uses_of_chance() == ([], [f"my_sets.py, line {line}" for line in (4, 5, 6)])


def test_a_generator_without_a_seed_is_warned_of_by_its_line_without_a_process(
    tmp_path, monkeypatch, caplog
):
    (tmp_path / "my_draws.py").write_text(USES + DRAWN)
    user_modules.load_module(tmp_path / "my_draws.py")
    monkeypatch.setattr(hash_trial, "_checked", None)  # It would fail if it were called.
    hash_trial.warn_of_hashes(SimpleNamespace(is_resumed=False), torch.device("cpu"), "0a")
    (message,) = caplog.messages
    assert message.startswith("my_draws.py, line 10, my_draws.py, line 11: a generator without a")
    caplog.clear()
    hash_trial.warn_of_hashes(SimpleNamespace(is_resumed=True), torch.device("cpu"), "0a")
    assert not caplog.messages


@pytest.mark.slow
def test_steps_that_depend_on_hashes_are_warned_of_and_so_is_another_seed(
    workplace, monkeypatch, capsys
):
    Path("my_net.py").write_text(CODE)
    words = ["-d", "cpu", "--module", "my_net.py"]
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    new = ["-c", "config.json", "-o", "arch.type=Salted", "--run-id", "a"]
    assert train.main([*words, *new, "-o", "trainer.args.time_limit_minutes=0"]) == 0
    error = capsys.readouterr().err
    assert "steps are others in another process" in error and "(my_net.py, line 5)" in error
    run = Path("saved/models/tiny/a")
    (start,) = json.loads((run / "run.json").read_text())["runs"]
    assert start["versions"]["hash_seed"] == "0"
    for seed, is_warned in (("0", False), ("1", True), ("", True)):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        assert train.main([*words, "-r", str(run)]) == 0
        error = capsys.readouterr().err
        assert ("what depends on hash() of a text" in error) == is_warned
        assert "in another process" not in error  # The modules are the same.
    assert "made with PYTHONHASHSEED=1, and this process has random" in error


@pytest.mark.parametrize(
    ("device", "printed", "is_warned"),
    [
        ("cpu", ["0a"], False),
        ("cpu", ["0b"], True),
        ("cuda", ["0b", "0b"], False),  # The digests of another device are others.
        ("cuda", ["0b", "0c"], True),
    ],
)
def test_a_run_on_a_gpu_is_tried_in_two_processes(
    tmp_path, monkeypatch, caplog, device, printed, is_warned
):
    (tmp_path / "my_sets.py").write_text(USES)
    user_modules.load_module(tmp_path / "my_sets.py")
    given = []

    def run(words, env, **_):
        given.append((words, env["PYTHONHASHSEED"]))
        return CompletedProcess(words, 0, f"rules\n{hash_trial.REPORT} {printed[len(given) - 1]}\n")

    monkeypatch.setattr(hash_trial.subprocess, "run", run)
    plan = SimpleNamespace(given_config=CONFIG)
    start = SimpleNamespace(plan=plan, checkpoint=None, is_resumed=False)
    caplog.set_level(logging.WARNING)
    hash_trial.warn_of_hashes(start, torch.device(device), "0a")
    assert [seed for _, seed in given] == [*hash_trial.OTHER_SEEDS[: len(printed)]]
    assert all(words[0] == sys.executable and "--check" in words for words, _ in given)
    assert ("steps are others" in caplog.text) == is_warned
    # The other process starts no further one.
    monkeypatch.setenv("PYTHONHASHSEED", hash_trial.OTHER_SEEDS[0])
    hash_trial.warn_of_hashes(start, torch.device(device), "0a")
    assert len(given) == len(printed)


def test_seeds_that_python_draws_are_not_warned_of(monkeypatch, caplog):
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    for versions in ({}, provenance.versions(), {"hash_seed": "random"}):
        hash_trial.warn_of_another_seed(versions, Path("a.pth"))
    assert not caplog.messages
