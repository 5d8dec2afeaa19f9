"""Plants faults of one line, one at a time, and says which of them no test notices.

python tests/planted.py                    # all of planted.json, in about 15 minutes
python tests/planted.py base commands/     # those whose file's path has one of these words

Each is planted in a copy of the tree, so that the tree itself stays as it is. The tests that fit
are those that the fault names, and then those that mirror the file (`model/reader.py`,
`tests/model/test_reader.py`), up to the first that fails; without any fault it has to pass.
"""

import argparse
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 600
"""After which the tests of a fault are stopped: one that never ends is noticed as well."""
PASSED, FAILED = 0, 1
"""Of pytest's exit statuses."""


class Fault(NamedTuple):
    """A line of the project as it should not be.

    Attributes:
        file: its path below the project.
        old: what the file has, once; may be a part of a line, or several lines.
        new: what is planted in its place.
        tests: paths below tests/ (or ids) of tests that fit, beside those that mirror the file.
    """

    file: str
    old: str
    new: str
    tests: Sequence[str] = ()

    def fitting(self) -> list[str]:
        """Return the paths of the tests that fit, in the order in which they are tried."""
        path = Path(self.file)
        mirror = Path("tests") / path.parent / f"test_{path.stem}.py"
        named = [f"tests/{name}" for name in self.tests]
        return [*named, *([str(mirror)] if (ROOT / mirror).exists() else [])]

    def planted(self) -> str:
        """Return the text of the file with the fault; ValueError if it has not one such place."""
        text = (ROOT / self.file).read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file}: {text.count(self.old)} times {self.old!r}")
        return text.replace(self.old, self.new)

    def __str__(self) -> str:
        return f"{self.file}: {self.old!r} -> {self.new!r}"


def copied(folder: Path) -> Path:
    """Return a copy of the tree as it stands below a folder, with the same data beside it."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    place = folder / ROOT.name
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, place / name)
    (folder / "shared").symlink_to(ROOT.parent / "shared")
    return place


def tested(place: Path, tests: Sequence[str]) -> tuple[int, str, list[str]]:
    """Return pytest's exit status, the end of what it printed, and the test that failed."""
    cache = place.with_suffix(".cache")
    shutil.rmtree(cache, ignore_errors=True)
    words = ["-m", "pytest", "-x", "-q", "--tb=line", "-o", f"cache_dir={cache}", *tests]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return FAILED, "never ends", []
    failed = cache / "v/cache/lastfailed"
    names = list(json.loads(failed.read_text())) if failed.exists() else []
    return done.returncode, done.stdout[-2000:], names


def main(arguments: argparse.Namespace) -> int:
    """Plant the faults; return 1 if any survived, 2 if that cannot be told."""
    listed = json.loads((Path(__file__).with_suffix(".json")).read_text())
    faults = [Fault(**one) for one in listed]
    wanted = [f for f in faults if any(word in f.file for word in arguments.words or [""])]
    for fault in wanted:
        fault.planted()
        if not fault.fitting():
            raise ValueError(f"no test fits {fault}")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(arguments.jobs) as pool:
        copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(arguments.jobs):
            copies.put(copied(Path(folder, str(number))))

        def run(fault: Fault) -> tuple[int, str, list[str]]:
            place = copies.get()
            try:
                (place / fault.file).write_text(fault.planted())
                return tested(place, fault.fitting())
            finally:
                shutil.copyfile(ROOT / fault.file, place / fault.file)
                copies.put(place)

        survivors, noticed = [], set()
        results = zip(wanted, pool.map(run, wanted), strict=True)
        for fault, (status, output, failed) in tqdm(results, total=len(wanted)):
            noticed.update(failed)
            if status == PASSED:
                survivors.append(fault)
                tqdm.write(f"survived: {fault}")
            elif status > FAILED:  # below 0 a fault has ended pytest itself
                tqdm.write(f"pytest ended with {status}: {fault}\n{output}")
                return 2
        if noticed:
            status, output, failed = tested(copies.get(), sorted(noticed))
            if status != PASSED:
                print(f"{', '.join(failed)} fails without a fault:\n{output}")
                return 2
    print(f"{len(wanted)} planted, {len(survivors)} survived")
    return int(bool(survivors))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="of the paths of files (default: all)")
    parser.add_argument("--jobs", type=int, default=2, help="faults at a time (default: 2)")
    sys.exit(main(parser.parse_args()))
