"""Plants faults in the code, and counts those that the tests find: `python -m tests.planted`.

A fault is one small change of one expression or statement. For each fault the tests that run its
line are run, the fast ones first, until one fails or a minute of CPU is over. Which test runs which
line is recorded first, by one run of the whole suite under coverage.py (about half an hour).

    python -m tests.planted                  # draw faults, plant them, write the table
    python -m tests.planted --again          # plant the faults of the table in the code of now

The table (tests/fixtures/planted.tsv) has a row a fault: file, function, the code before and after
the change, which of the same pieces of code in the function it is, and the test that found it, `-`
if none did. `--again` finds the faults by function and code, prints those that the table’s tests
found and the tests of now do not, and those whose code is gone. A broken-off run goes on.
"""

import argparse
import ast
import csv
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from queue import Queue

import pytest

ROOT = Path(__file__).parents[1]
WORK = ROOT / "build" / "planted"
TABLE = ROOT / "tests" / "fixtures" / "planted.tsv"
COVERAGE, SECONDS = WORK / "coverage", WORK / "seconds.json"

CPU_SECONDS = 60
"""Of the tests for one fault."""
LONGEST = 30.0
"""Seconds that the tests for one fault took together without it, at the most."""
LEAST = 4
"""Faults in each room, at the least."""

COVERAGE_SETTINGS = f"""[run]
data_file = {COVERAGE}
source = {ROOT}
omit = */tests/*
parallel = true
patch = subprocess
context = ${{PYTEST_CURRENT_TEST-}}
disable_warnings = no-data-collected,module-not-measured
"""

SWAPPED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div,
    ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr, ast.Pow: ast.Mult,
}  # fmt: skip
"""What each operator becomes."""


@dataclass(frozen=True)
class Fault:
    """A piece of code and what it becomes."""

    path: str
    function: str
    before: str
    after: str
    number: int
    """Of the pieces in the function that are the same, from 0."""
    found_by: str = ""


@dataclass(frozen=True)
class Place:
    """Where a fault lies in a file."""

    fault: Fault
    start: int
    """The piece's first byte, and the byte behind its last."""
    end: int
    lines: range
    """Of the statement; a test that runs one of them is tried."""


def changed(node: ast.AST) -> ast.AST | None:
    """Return what a node becomes; None if nothing."""
    match node:
        case ast.Compare(left, [op, *others], comparators) if type(op) in SWAPPED:
            return ast.Compare(left, [SWAPPED[type(op)](), *others], comparators)
        case ast.BinOp(left, op, right) if type(op) in SWAPPED:
            return ast.BinOp(left, SWAPPED[type(op)](), right)
        case ast.BoolOp(op, values):
            return ast.BoolOp(SWAPPED[type(op)](), values)
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            return operand
        case ast.Constant(bool() as value):
            return ast.Constant(not value)
        case ast.Constant(int() as value):
            return ast.Constant(value + 1)
        case ast.Constant(float() as value):
            return ast.Constant(1.5 * value + (value == 0))
        case ast.IfExp(test, body, orelse):
            return ast.IfExp(test, orelse, body)
        case ast.Expr(ast.Call()) | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
            return ast.Pass()
        case ast.Return(ast.AST()):
            return ast.Return(None)
    return None


def walk(node: ast.AST, function: str, lines: range) -> Iterator[tuple[ast.AST, str, range]]:
    """Yield the nodes of running code, each with its function and the lines of its statement."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            # Python 3.11 does not know where the parts of an f-string are.
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr):
                continue
            inner, within = function, lines
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inner = f"{function}.{child.name}".lstrip(".")
            if isinstance(child, ast.stmt):
                body = getattr(child, "body", None)
                last = body[0].lineno if body else child.end_lineno + 1
                within = range(child.lineno, max(last, child.lineno + 1))
            yield child, inner, within
            yield from walk(child, inner, within)


def places(path: str) -> list[Place]:
    """Return all faults that can be planted in a file, in the order of its code."""
    source = (ROOT / path).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    result, seen = [], Counter()
    for node, function, lines in walk(ast.parse(source), "", range(1)):
        after = changed(node)
        if after is None:
            continue
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        before = source[start:end].decode()
        text = ast.unparse(ast.fix_missing_locations(after))
        text = text if isinstance(node, ast.stmt) else f"({text})"
        key = function, before, text
        fault = Fault(path, function, before, text, seen[key])
        seen[key] += 1
        result.append(Place(fault, start, end, lines))
    return result


def rooms() -> dict[str, list[str]]:
    """Return the Python files outside of the tests by room, which is the top folder."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True)
    result = defaultdict(list)
    for path in listed.stdout.split():
        room = path.split("/")[0] if "/" in path else "scripts"
        result[room].append(path)
    del result["tests"]
    return result


def drawn(count: int, seed: int) -> list[Place]:
    """Return so many places, for each room in proportion to all that it has."""
    by_room = {room: [p for path in paths for p in places(path)] for room, paths in rooms().items()}
    total, generator = sum(map(len, by_room.values())), random.Random(seed)
    result = []
    for _, choice in sorted(by_room.items()):
        result += generator.sample(choice, max(LEAST, round(count * len(choice) / total)))
    return result


class Recorder:
    """A plugin of pytest: tells coverage.py which test runs, and keeps how long each took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        import coverage

        if current := coverage.Coverage.current():
            current.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self.seconds[report.nodeid] = report.duration

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not hasattr(session.config, "workerinput"):
            SECONDS.write_text(json.dumps(self.seconds))


def pytest_configure(config: pytest.Config) -> None:
    """Take part in a run of the tests, with `-p tests.planted`."""
    config.pluginmanager.register(Recorder())


def record() -> None:
    """Run the whole suite under coverage.py."""
    WORK.mkdir(parents=True, exist_ok=True)
    settings = WORK / "coveragerc"
    settings.write_text(COVERAGE_SETTINGS)
    command = [sys.executable, "-m", "coverage"]
    tests = ["-m", "pytest", "-q", "-n", "auto", "--dist", "worksteal", "-p", "tests.planted"]
    subprocess.run([*command, "run", f"--rcfile={settings}", *tests], cwd=ROOT)
    subprocess.run([*command, "combine", f"--rcfile={settings}"], cwd=ROOT, check=True)


class Tests:
    """Which tests run which lines."""

    def __init__(self) -> None:
        from coverage import CoverageData

        self._data = CoverageData(str(COVERAGE))
        self._data.read()
        self._seconds = json.loads(SECONDS.read_text())

    def of(self, place: Place) -> list[str]:
        """Return the tests that run a place, fast ones first; its module's if it runs on import."""
        contexts = self._data.contexts_by_lineno(str(ROOT / place.fault.path))
        tests = {test for line in place.lines for test in contexts.get(line, ())}
        if "" in tests:
            tests = {test for found in contexts.values() for test in found}
        # A process that a test starts has the test's phase in its name.
        tests = {re.sub(r" \((setup|call|teardown)\)$", "", test) for test in tests}
        result, total = [], 0.0
        for test in sorted(tests & self._seconds.keys(), key=self._seconds.__getitem__):
            total += self._seconds[test]
            if total > LONGEST:
                break
            result.append(test)
        return result


class Tree:
    """A copy of the checkout, in which one fault at a time is planted."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._root, self._clock = folder / "tree", 1_000_000_000
        subprocess.run(["git", "clone", "-q", "--shared", ROOT, self._root], check=True)
        (folder / "shared").symlink_to(ROOT.parent / "shared")

    def find(self, place: Place, tests: list[str]) -> str:
        """Plant a fault and return the test that fails; `-` if none does."""
        path = self._root / place.fault.path
        source, after = path.read_bytes(), place.fault.after.encode()
        self._write(path, source[: place.start] + after + source[place.end :])
        try:
            return self._first_failure(tests)
        finally:
            self._write(path, source)

    def _write(self, path: Path, source: bytes) -> None:
        path.write_bytes(source)
        # Compiled code is known by its source's time, in seconds.
        self._clock += 1
        os.utime(path, (self._clock, self._clock))

    def _first_failure(self, tests: list[str]) -> str:
        if not tests:
            return "-"
        names = self._root.parent / "tests.txt"
        names.write_text("\n".join(tests))
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", f"@{names}"]
        command += ["--tb=no", "-p", "no:cacheprovider", "--rootdir", str(self._root)]
        try:
            done = subprocess.run(
                command,
                cwd=self._root,
                capture_output=True,
                text=True,
                timeout=5 * CPU_SECONDS,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS,) * 2),
            )
        except subprocess.TimeoutExpired:
            return "a test that does not end"
        if done.returncode in (0, 5):
            return "-"
        if match := re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE):
            return match[1]
        return "a test that does not end" if done.returncode < 0 else "collection"


def planted(chosen: Iterable[Place], output: Path, jobs: int) -> list[Fault]:
    """Plant faults, and return them with the test that found each; what `output` has is kept."""
    rows = read(output) if output.exists() else []
    known = {astuple(row)[:-1]: row for row in rows}
    tests, trees = Tests(), Queue()
    for number in range(jobs):
        trees.put(Tree(WORK / str(number)))

    def plant(place: Place) -> Fault:
        if row := known.get(astuple(place.fault)[:-1]):
            return row
        tree = trees.get()
        try:
            row = Fault(*astuple(place.fault)[:-1], tree.find(place, tests.of(place)))
        finally:
            trees.put(tree)
        with output.open("a", newline="") as file:
            csv.writer(file, delimiter="\t").writerow(astuple(row))
        print(row.path, row.function, repr(row.before), "->", row.after, row.found_by, flush=True)
        return row

    with ThreadPoolExecutor(jobs) as pool:
        return [*pool.map(plant, chosen)]


def read(path: Path) -> list[Fault]:
    """Return the faults of a table."""
    with path.open(newline="") as file:
        rows = [*csv.reader(file, delimiter="\t")]
    return [Fault(*row[:4], int(row[4]), row[5]) for row in rows]


def located(faults: Iterable[Fault]) -> list[tuple[Fault, Place]]:
    """Return the faults of a table whose code is still there, in the same file or another."""
    by_code = defaultdict(list)
    for paths in rooms().values():
        for path in paths:
            for place in places(path):
                f = place.fault
                by_code[f.function.split(".")[-1], f.before, f.after, f.number].append(place)
    result = []
    for fault in faults:
        key = fault.function.split(".")[-1], fault.before, fault.after, fault.number
        choice = sorted(by_code[key], key=lambda place: place.fault.path != fault.path)
        with suppress(IndexError):
            result.append((fault, choice[0]))
    return result


def main() -> None:
    """Draw or read faults, plant them and say what the tests find."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--again", action="store_true", help="plant the faults of the table")
    options = parser.parse_args()
    if not (COVERAGE.exists() and SECONDS.exists()):
        record()
    if not options.again:
        faults = planted(drawn(options.count, options.seed), TABLE, options.jobs)
        print(f"{sum(fault.found_by != '-' for fault in faults)} of {len(faults)} faults are found")
        return
    before = read(TABLE)
    pairs = located(before)
    now = planted([place for _, place in pairs], WORK / "again.tsv", options.jobs)
    print(f"{len(before) - len(pairs)} of {len(before)} faults have no place any more")
    for (fault, _), row in zip(pairs, now, strict=True):
        if fault.found_by != "-" and row.found_by == "-":
            print("lost:", row.path, row.function, repr(row.before), "->", row.after)


if __name__ == "__main__":
    main()
