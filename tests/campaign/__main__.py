"""Puts the program through seeded, random trials, and prints what failed.

python tests/campaign --seed 1
python tests/campaign --seed 1 --only "kills while training" --scale 0.1
python tests/campaign --seed 1 --trial "kills while training:17"
"""

import argparse
import importlib
import os
import resource
import shutil
import sys
import tempfile
import time
import types
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)
os.environ |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}  # before numpy and torch
# Not the package of that name that a dependency installs.
sys.modules["tests"] = types.ModuleType("tests")
sys.modules["tests"].__path__ = [str(ROOT / "tests")]

from tests.campaign.frame import Family, Trial, preload  # noqa: E402
from tests.campaign.tiny import warm_up  # noqa: E402

LINES = 15
"""Shown of what a failed trial printed."""


def families() -> list[Family]:
    """Return the families of all modules of this folder."""
    here = Path(__file__).parent
    names = [path.stem for path in sorted(here.glob("[a-z]*.py")) if "test_" not in path.stem]
    modules = [importlib.import_module(f"tests.campaign.{name}") for name in names]
    return [family for module in modules for family in getattr(module, "FAMILIES", [])]


def main(words: Sequence[str] | None = None) -> int:
    """Run the trials that the command line asks for; return 1 if any failed."""
    known = {family.name: family for family in families()}
    arguments = parse(words, known)
    folder = Path(tempfile.mkdtemp(prefix=f"campaign-{arguments.seed}-"))
    os.environ["CAMPAIGN"] = str(folder)
    preload(warm_up(folder), folder)
    if arguments.trial:
        chosen = [arguments.trial]
    else:
        wanted = arguments.only or list(known)
        counts = {name: max(1, round(arguments.scale * known[name].count)) for name in wanted}
        chosen = [(name, number) for name, count in counts.items() for number in range(count)]
    started, failed = time.monotonic(), run_all(chosen, known, arguments, folder)
    width = max(len(name) for name, _ in chosen)
    print(f"{'family':<{width}}  tried  failed")
    for name in dict.fromkeys(name for name, _ in chosen):
        tried = sum(one == name for one, _ in chosen)
        print(f"{name:<{width}}  {tried:>5}  {sum(one.family.name == name for one in failed):>6}")
    print(f"{'all':<{width}}  {len(chosen):>5}  {len(failed):>6}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = (
        f"{time.monotonic() - started:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of processors"
    )
    print(f"seed {arguments.seed}: {spent}")
    for one in failed:
        again = f'--seed {arguments.seed} --trial "{one.family.name}:{one.number}"'
        print(f"failed: {again}: {one.failure}")
    if failed:
        print(f"what the failed ones left is in {folder}")
    else:
        shutil.rmtree(folder)
    return int(bool(failed))


def run_all(
    chosen: Sequence[tuple[str, int]],
    known: dict[str, Family],
    arguments: argparse.Namespace,
    folder: Path,
) -> list[Trial]:
    """Run trials, a few at a time, and return those that failed; they have said so."""
    waiting, running, failed = list(reversed(chosen)), [], []
    with tqdm(total=len(chosen), unit="trial", disable=not sys.stderr.isatty()) as bar:
        try:
            while waiting or running:
                while waiting and len(running) < arguments.jobs:
                    name, number = waiting.pop()
                    place = folder / f"{name.replace(' ', '-')}-{number}"
                    running.append(Trial(known[name], number, arguments.seed, place))
                time.sleep(0.005)
                for one in [one for one in running if one.ended()]:
                    running.remove(one)
                    bar.update()
                    if one.failure is not None:
                        failed.append(one)
                        lines = 10**6 if arguments.trial else LINES
                        tqdm.write(f"{one.family.name}:{one.number} failed: {one.failure}")
                        tqdm.write(f"{one.record(lines)}\n")
                    elif arguments.trial:
                        tqdm.write(one.record(10**6))
                    if one.failure is None:
                        shutil.rmtree(one.folder)
        finally:
            for one in running:
                one.kill()
    order = {key: place for place, key in enumerate(chosen)}
    return sorted(failed, key=lambda one: order[one.family.name, one.number])


def parse(words: Sequence[str] | None, known: dict[str, Family]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python tests/campaign",
        description=__doc__,
        epilog="families: " + ", ".join(f"{one.name} ({one.count})" for one in known.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--seed", type=int, default=1, help="of all chances (default: 1)")
    add("--only", nargs="+", choices=known, metavar="FAMILY", help="these families (default: all)")
    add("--scale", type=float, default=1.0, help="share of the trials (default: 1)")
    add("--jobs", type=int, default=2, help="trials at a time (default: 2)")
    add("--trial", metavar="FAMILY:NUMBER", help="this one alone, with all that it prints")
    arguments = parser.parse_args(words)
    if arguments.trial:
        name, _, number = arguments.trial.rpartition(":")
        if name not in known or not number.isdecimal():
            parser.error(f"--trial {arguments.trial!r}: FAMILY:NUMBER is needed")
        arguments.trial = (name, int(number))
    return arguments


if __name__ == "__main__":
    sys.exit(main())
