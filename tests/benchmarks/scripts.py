"""Runs the scripts of benchmarks/ and apps/datasets/ in this process."""

import runpy
import sys
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]


def run(name, *words):
    """Run a script, and return its names."""
    folders = ROOT / "benchmarks", ROOT / "apps" / "datasets"
    (path,) = (path for folder in folders if (path := folder / f"{name}.py").exists())
    with mock.patch.object(sys, "argv", [name, *map(str, words)]):
        return runpy.run_path(str(path), run_name="__main__")


def refused(capsys, name, *words):
    """Return the message of a script that refuses what it is asked for."""
    try:
        run(name, *words)
    except SystemExit as end:
        assert end.code == 2
        return capsys.readouterr().err
    raise AssertionError("it was accepted")
