"""Configs of other heads and of single digits, trained for a few steps and used."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import experiments
import train
from base.checkpoint import load_checkpoint
from utils.page.inkml import write_inkml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
DATA, ARCH, TRAINER = "data_loader.args.dataset", "arch.args", "trainer.args"
LINES = {"seed": 3, "size": 6, "valid_size": 3, "test_size": 1, "writers": 2, "rate": 20.0}
LINES |= {"min_characters": 2, "max_characters": 8}
QUICK = [f"{ARCH}.hidden_size=8", f"{TRAINER}.epochs=1", f"{TRAINER}.tensorboard=false"]
DIGITS = [f"{DATA}.args.root=null", f"{DATA}.args.embedded_size=400"]


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch, logging_restored):
    """An empty folder; what the script sets up for its process does not reach other tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(config: str, run_id: str, *overrides: str) -> Path:
    words = [word for override in (*QUICK, *overrides) for word in ("-o", override)]
    words = ["-d", "cpu", "-c", str(CONFIGS / f"{config}.json"), "--run-id", run_id, *words]
    assert train.main(words) == 0
    return Path("saved/models", config, run_id)


def draw(*words: object) -> list[str]:
    assert experiments.main([*map(str, words), "-d", "cpu", "--output", "out"]) == 0
    return sorted(path.name for path in Path("out").iterdir())


def test_networks_of_single_digits_make_a_sheet(capsys):
    steps = f"{TRAINER}.steps_per_epoch=2"
    runs = [
        run("mnist_single_digit", str(n), *DIGITS, steps, f"{DATA}.args.digit={n}") for n in (0, 7)
    ]
    written = draw("write", "-r", *(path / "model_best.pth" for path in runs), "--steps", 30)
    assert written == ["sheet.png"]
    printed = capsys.readouterr().out
    assert "only the digit 7" in printed and printed.count("of 10 ended") == 2
    # 4 numbers a point, and one output more than the mixture's.
    weights = load_checkpoint(runs[0] / "model_best.pth")["state_dict"]
    assert weights["layers.0.layer.weight_ih_l0"].shape[1] == 4
    assert weights["output.weight"].shape[0] == 62


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_either_cell_learns_to_write_digits(cell):
    overrides = [*DIGITS, f"{ARCH}.cell={cell}", f"{TRAINER}.steps_per_epoch=2"]
    path = run("mnist_digits", cell, *overrides, f"{TRAINER}.sample_steps=20")
    written = draw("write", "-r", path, "--text", "2026", "--steps", 20)
    assert written == ["mnist_digits-2026-seed0.png", "mnist_digits-2026-seed0.svg"]


def test_the_squared_error_network_learns_in_chunks_and_continues_lines(capsys):
    lines = {"type": "EmbeddedDataset", "args": LINES}
    overrides = [f"{DATA}={json.dumps(lines)}", "data_loader.args.preprocessing=[]"]
    overrides += [f"{TRAINER}.sample_steps=30", f"{TRAINER}.truncate=20"]
    path = run("regression", "one", *overrides)
    assert load_checkpoint(path / "model_best.pth")["step"] > 2  # one pass, several chunks
    write_inkml("line.inkml", np.ones((30, 3), np.float32))
    words = ["--primer", "line.inkml", "--primer-scale", 1, "--primer-points", 10, "--steps", 30]
    draw("write", "-r", path, *words, "--num-samples", 1)
    assert "(30 points after the 10 of the primer" in capsys.readouterr().out
    draw("evaluate", "-r", path)
    assert "squared_error_per_point" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_one_command_trains_all_ten_and_resumes_where_it_was_interrupted(tmp_path):
    """The scripts replaced by one that notes its words and makes the folder of a run."""
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, name)
    tool = tmp_path / ".venv/bin/python"
    tool.parent.mkdir(parents=True)
    # Through a shell, as a `#!` line takes no path with a space.
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$0.py" "$@"\n')
    tool.with_name("python.py").write_text(
        "import json, pathlib, sys\n"
        "words = sys.argv[1:]\n"
        "with open('calls', 'a') as file: file.write(json.dumps(words) + chr(10))\n"
        "folder = pathlib.Path('saved/models/mnist_single_digit')\n"
        "if '--run-id' in words:\n"
        "    run = folder / words[words.index('--run-id') + 1]\n"
        "    run.mkdir(parents=True, exist_ok=True)\n"
        "    for name in ('run.json', 'model_best.pth'): (run / name).touch()\n"
        "    sys.exit(130 if run.name == '6' and not pathlib.Path('again').exists() else 0)\n"
    )
    tool.chmod(0o755)
    (tmp_path / ".venv/installed").touch()

    def make():
        done = subprocess.run(["make", "digits", "DATA=my data"], capture_output=True, check=False)
        calls = [json.loads(line) for line in Path("calls").read_text().splitlines()]
        Path("calls").unlink()
        return done.returncode, calls

    status, calls = make()
    assert status != 0 and len(calls) == 7  # cut off in the seventh
    Path("again").touch()
    # One that was interrupted before anything was written starts over.
    Path("saved/models/mnist_single_digit/7").mkdir()
    status, calls = make()
    assert status == 0 and len(calls) == 11
    folder = "saved/models/mnist_single_digit"
    assert calls[:7] == [["train.py", "-r", f"{folder}/{n}"] for n in range(7)]
    for number in (7, 8, 9):
        assert calls[number] == [
            *("train.py", "-c", "configs/mnist_single_digit.json", "--run-id", str(number)),
            *("-o", f"data_loader.args.dataset.args.digit={number}"),
            *("-o", "data_loader.args.dataset.args.root=my data"),
        ]
    best = [f"{folder}/{n}/model_best.pth" for n in range(10)]
    assert calls[10] == ["experiments.py", "write", "-r", *best]
