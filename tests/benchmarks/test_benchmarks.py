"""The benchmarks run, at tiny sizes, and say what they are asked for."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import startup
from benchmarks.measure import LENGTHS, SHARES, Data, make_row

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--hidden", "8", "--scale", "0.03", "--rounds", "1", "--threads", "1"]


def run(script: str, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "benchmarks" / script), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(
    ("script", "options", "measures"),
    [
        (
            "training.py",
            ["--lines", "40"],
            {
                "training_conditional": "points/s",
                "training_unconditional": "points/s",
                "peak_memory_training_conditional": "MiB",
            },
        ),
        (
            "sampling.py",
            [],
            {"sampling_64_conditional": "points/s", "sampling_1_conditional": "points/s"},
        ),
    ],
)
def test_a_benchmark_writes_its_rows(tmp_path, script, options, measures):
    file = tmp_path / "rows.json"
    done = run(script, *TINY, *options, "--paths", "float32-plain", "--json", str(file))
    assert done.returncode == 0, done.stderr
    rows = json.loads(file.read_text())
    assert {row["measure"]: row["unit"] for row in rows} == measures
    for row in rows:
        assert row["device"] == "cpu" and row["path"] == "float32-plain"
        assert row["ours"] > 0.0 and row["reference"] > 0.0
        assert row["ratio"] == pytest.approx(row["ours"] / row["reference"])
        assert row["measure"] in done.stdout
    assert "matrix products in float32" in done.stdout


def test_faults_end_with_status_2():
    done = run("sampling.py", "--scale", "0")
    assert done.returncode == 2 and "--scale 0 does not fit" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_embedded_lines_have_the_lengths_of_iam_ondb():
    data = Data.load(None, None, 200, 1.0)
    lengths = np.array([len(ink) for ink in data.inks])
    # The mean of 200 draws with a standard deviation of 200: beyond 5 of its own, once in 10^6.
    assert abs(lengths.mean() - 628) < 75
    assert lengths.min() >= LENGTHS[0] and lengths.max() <= LENGTHS[-1]
    characters = sum(map(len, data.texts)) / len(data.texts)
    assert 22 < characters < 45
    assert len(SHARES) == len(LENGTHS) and "embedded" in data.name


def test_a_row_holds_medians_and_the_spread_of_ratios():
    row = make_row("m", "cpu", "p", [10.0, 30.0, 20.0], [5.0, 6.0, 4.0], "u", "d", lambda r: r / 40)
    assert (row.ours, row.reference, row.ratio) == (20.0, 5.0, 4.0)
    assert row.spread == (2.0, 5.0) and row.share == 0.5


def test_the_start_is_measured_against_torch_alone():
    done = run("startup.py", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^(.+?) +([\d.]+) s  ([\d.]+)$", done.stdout, re.MULTILINE)
    assert [row[0] for row in rows] == ["import torch", *startup.CALLS]
    assert float(rows[0][2]) == 1.0
    # Nothing that is wrong waits for torch, with a margin for a busy machine.
    assert all(float(row[2]) < 0.8 for row in rows[3:])


def test_pages_are_timed_and_their_memory_measured():
    done = run("pages.py", *("--rounds", "1", "--lines", "2"), *("--pages", "1", "--once"))
    assert done.returncode == 0, done.stderr
    seconds = re.findall(r"^2 lines, (.+?) +([\d.]+) s$", done.stdout, re.MULTILINE)
    assert [name for name, _ in seconds] == ["not proofread"] and float(seconds[0][1]) > 0.3
    (memory,) = re.findall(r"^  1 pages, peak memory +([\d,]+) MB$", done.stdout, re.MULTILINE)
    assert 100 < int(memory.replace(",", "")) < 4000  # torch alone takes more than 100
