"""`make digits` trains ten networks, and resumes those that were interrupted."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_one_command_trains_all_ten_and_resumes_where_it_was_interrupted(tmp_path, monkeypatch):
    """The scripts replaced by one that notes its words and makes the folder of a run."""
    monkeypatch.chdir(tmp_path)
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
