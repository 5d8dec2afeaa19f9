"""Startup time of the commands, compared with `python -c "import torch"`, in turns.

Each call is a process of its own, warm: one round comes before those that count.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = str(ROOT / "experiments.py")
TORCH = ["-c", "import torch"]
WRITE = [SCRIPT, "write", "-d", "cpu", "--text", "Hello world", "--output"]
CALLS = {
    "a line as SVG and PNG": ([*WRITE, "."], 0),
    "a line as SVG": ([*WRITE, "hi.svg"], 0),
    "a missing checkpoint": ([SCRIPT, "write", "-r", "missing.pth"], 2),
    "a wrong option": ([SCRIPT, "write", "--beam", "4"], 2),
}
"""By what is measured: the words behind `python`, and the exit status."""


def seconds(words: list[str], status: int, folder: str) -> float:
    """Return how long a process takes."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True)
    taken = time.perf_counter() - start
    if done.returncode != status:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr}")
    return taken


def main(rounds: int) -> None:
    """Measure and print the medians, and their ratios."""
    taken: dict[str, list[float]] = {name: [] for name in ("import torch", *CALLS)}
    with tempfile.TemporaryDirectory() as folder:
        for number in tqdm(range(-1, rounds), desc="starting", leave=False, disable=None):
            for name in taken:
                words, status = CALLS.get(name, (TORCH, 0))
                one = seconds(words, status, folder)
                if number >= 0:
                    taken[name].append(one)
    medians = {name: statistics.median(values) for name, values in taken.items()}
    for name, median in medians.items():
        print(f"{name:<22} {median:6.2f} s  {median / medians['import torch']:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="that count; one more comes before")
    main(max(parser.parse_args().rounds, 1))
