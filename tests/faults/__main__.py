"""Puts the program through seeded, random trials, and prints what failed.

python tests/faults --seed 1 --trial "kills while training:17"
"""

import argparse
import os
import shutil
import sys
import tempfile
import types
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)
os.environ |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}  # before numpy and torch
# Not the package of that name that a dependency installs.
sys.modules["tests"] = types.ModuleType("tests")
sys.modules["tests"].__path__ = [str(ROOT / "tests")]

from tests.faults.hostile import answered, hostile_file, met  # noqa: E402
from tests.faults.promises import REPEATS, RESUMES, failing, killed, signalled, tidy  # noqa: E402
from tests.faults.runs import resuming, training, using  # noqa: E402
from tests.faults.trials import Case, preload, try_once  # noqa: E402

CASES: dict[str, Case] = {  # number of trials, what is run, what is done to it, what must hold
    "kills while training": (110, training, killed, RESUMES),
    "kills while resuming": (40, resuming, killed, RESUMES),
    "kills while using": (70, using, killed, REPEATS),
    "failing calls while training": (140, training, failing, RESUMES),
    "failing calls while resuming": (60, resuming, failing, RESUMES),
    "failing calls while using": (100, using, failing, (*REPEATS, tidy)),
    "signals while training": (100, training, signalled, RESUMES),
    "signals while resuming": (40, resuming, signalled, RESUMES),
    "signals while using": (100, using, signalled, REPEATS),
    "hostile files": (500, hostile_file, met, (answered,)),
}


def main() -> int:
    """Run the trials that the command line asks for; return 1 if any failed."""
    parser = argparse.ArgumentParser("tests/faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of all chances (default: 1)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of trials (default: 1)")
    parser.add_argument("--trial", nargs="+", metavar="CASE:NUMBER", help="these alone")
    arguments = parser.parse_args()
    counts = {name: max(1, round(arguments.scale * count)) for name, (count, *_) in CASES.items()}
    chosen = [(name, number) for name, count in counts.items() for number in range(count)]
    if arguments.trial:
        parts = [trial.rpartition(":") for trial in arguments.trial]
        chosen = [(name, int(number)) for name, _, number in parts]
    folder, failed = Path(tempfile.mkdtemp(prefix="faults-")), []
    preload(folder)
    for name, number in tqdm(chosen, unit="trial", disable=None):
        place = folder / f"{name.replace(' ', '-')}-{number}"
        seed = f"{arguments.seed} {name} {number}"
        status, output = try_once(CASES[name], seed, place)
        if status:
            failed.append(name)
            tqdm.write("\n".join(output.splitlines()[-30:]))
            tqdm.write(f'failed: --seed {arguments.seed} --trial "{name}:{number}"; see {place}')
        else:
            shutil.rmtree(place)
    for name, count in counts.items():
        print(f"{name:<40}{count:>6} trials,{failed.count(name):>4} failed")
    if not failed:
        shutil.rmtree(folder)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
