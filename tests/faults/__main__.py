"""Puts the program through seeded, random trials, and prints what failed.

python tests/faults --seed 1
python tests/faults --seed 1 --only "kills while training" --scale 0.1
python tests/faults --seed 1 --trial "kills while training:17"
"""

import argparse
import os
import resource
import shutil
import sys
import tempfile
import time
import types
from collections import Counter
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)
os.environ |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}  # before numpy and torch
# Not the package of that name that a dependency installs.
sys.modules["tests"] = types.ModuleType("tests")
sys.modules["tests"].__path__ = [str(ROOT / "tests")]

from data_loader import EmbeddedDataset  # noqa: E402
from tests.faults.cases import CASES  # noqa: E402
from tests.faults.trials import Trial, preload  # noqa: E402
from tests.tiny_config import DATASET  # noqa: E402

LINES = 30  # shown of what a failed trial printed


def main() -> int:
    """Run the trials that the command line asks for; return 1 if any failed."""
    known = {case.name: case for case in CASES}
    arguments, folder = parse(known), Path(tempfile.mkdtemp(prefix="faults-"))
    counts = {name: max(1, round(arguments.scale * known[name].count)) for name in arguments.only}
    chosen = [(name, number) for name, count in counts.items() for number in range(count)]
    chosen = [arguments.trial] if arguments.trial else chosen
    preload(folder)
    EmbeddedDataset(**DATASET).load()  # What it keeps of its fonts is made for all trials.
    start, failed = time.monotonic(), []
    for trial in run_all([(known[name], number) for name, number in chosen], arguments, folder):
        if trial.failure:
            failed.append(trial)
            tqdm.write(f"{trial.case.name}:{trial.number} failed: {trial.failure}")
        if trial.failure or arguments.trial:
            tqdm.write(trial.record(10**6 if arguments.trial else LINES))
        if not trial.failure:
            shutil.rmtree(trial.folder)
    tried, failures = Counter(name for name, _ in chosen), Counter(t.case.name for t in failed)
    for name, *numbers in [("", "tried", "failed"), *((n, tried[n], failures[n]) for n in tried)]:
        print(f"{name:<60}{numbers[0]:>6}{numbers[1]:>8}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    clock, processors = time.monotonic() - start, used.ru_utime + used.ru_stime
    print(f"seed {arguments.seed}: {len(failed)} of {len(chosen)} trials failed", end="; ")
    print(f"{clock:.0f} s, {processors:.0f} s of processors")
    for trial in failed:
        again = f'--seed {arguments.seed} --trial "{trial.case.name}:{trial.number}"'
        print(f"failed: {again}: {trial.failure}; see {trial.folder}")
    if not failed:
        shutil.rmtree(folder)
    return int(bool(failed))


def run_all(chosen, arguments, folder):
    """Run trials, a few at a time, and yield each when it has ended."""
    waiting, running = list(reversed(chosen)), []
    try:
        with tqdm(total=len(chosen), unit="trial", disable=not sys.stderr.isatty()) as bar:
            while waiting or running:
                while waiting and len(running) < arguments.jobs:
                    running.append(Trial(*waiting.pop(), arguments.seed, folder))
                time.sleep(0.005)
                for trial in [trial for trial in running if trial.ended()]:
                    running.remove(trial)
                    bar.update()
                    yield trial
    finally:
        for trial in running:
            trial.kill()


def parse(known):
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python tests/faults",
        description=__doc__,
        epilog="cases: " + ", ".join(f"{case.name} ({case.count})" for case in CASES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add, name = parser.add_argument, {"metavar": "CASE", "choices": known, "default": list(known)}
    add("--seed", type=int, default=1, help="of all chances (default: 1)")
    add("--only", nargs="+", **name, help="these cases (default: all)")
    add("--scale", type=float, default=1.0, help="share of the trials (default: 1)")
    add("--jobs", type=int, default=2, help="trials at a time (default: 2)")
    add("--trial", metavar="CASE:NUMBER", help="this one alone, with all that it prints")
    arguments = parser.parse_args()
    if arguments.trial:
        name, _, number = arguments.trial.rpartition(":")
        if name not in known or not number.isdecimal():
            parser.error(f"--trial {arguments.trial!r}: CASE:NUMBER is needed")
        arguments.trial = (name, int(number))
    return arguments


if __name__ == "__main__":
    sys.exit(main())
