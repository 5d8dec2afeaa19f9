"""Plants faults in the code, and counts those that the tests find: `python -m tests.planted`.

A fault is one small change of one expression or statement. For each fault the tests that run its
line are run, those of its module first, until one fails or ten seconds of tests are through. Which
test runs which line is recorded first, by one run of the whole suite under coverage.py, without
what other processes run that are no forks. Each fault is planted in a copy of the checkout, and
its tests are run in a copy of a process that has imported torch: some seconds of CPU.

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
import gc
import importlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import pytest

ROOT = Path(__file__).parents[1]
WORK = ROOT / "build" / "planted"
TABLE = ROOT / "tests" / "fixtures" / "planted.tsv"
COVERAGE, SECONDS = WORK / "coverage", WORK / "seconds.tsv"

CPU_SECONDS = 60
"""Of the tests for one fault; those that take longer do not end."""
LONGEST = 10.0
"""CPU seconds that the tests for one fault took together without it, at the most."""
LEAST = 4
"""Faults in each room, at the least."""
IMPORTED = (
    "torch._dynamo", "torch.utils.tensorboard", "matplotlib.pyplot", "scipy.interpolate", "tqdm",
    "PIL.Image", "pypdf", "fontTools.ttLib", "rapidfuzz", "rmscene", "tensorboard",
)  # fmt: skip
"""What takes seconds to import, and is therefore imported once for all faults."""

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
    found_by: str = field(default="", compare=False)


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
    """A plugin of pytest: tells coverage.py which test runs, and keeps the CPU seconds of each."""

    def __init__(self, measured: Any, job: int, jobs: int) -> None:
        self._measured, self._job, self._jobs = measured, job, jobs

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        files = sorted({item.path for item in items})[self._job :: self._jobs]
        items[:] = [item for item in items if item.path in files]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._measured.switch_context(item.nodeid)
        failed, before = item.session.testsfailed, sum(os.times()[:4])
        result = yield
        self._measured.switch_context("")
        if item.session.testsfailed == failed:
            with SECONDS.open("a") as file:
                file.write(f"{item.nodeid}\t{sum(os.times()[:4]) - before:.2f}\n")
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, request: pytest.FixtureRequest) -> Iterator[object]:
        """What the tests of a file share is run by all of them, not by the first alone."""
        self._measured.switch_context(request.node.nodeid)
        try:
            return (yield)
        finally:
            self._measured.switch_context(os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0])


def fork(jobs: int, work: Callable[[int], None]) -> None:
    """Do work in several copies of this process, each with its number, and wait for all."""
    children = []
    for job in range(jobs):
        children.append(os.fork())
        if not children[-1]:
            try:
                work(job)
            finally:
                os._exit(0)
    for child in children:
        os.waitpid(child, 0)


def record(jobs: int) -> None:
    """Run the whole suite under coverage.py, by several processes forked from this."""
    import coverage

    WORK.mkdir(parents=True, exist_ok=True)
    measured = coverage.Coverage(
        str(COVERAGE), data_suffix=True, source=[str(ROOT)], omit=["*/tests/*"], config_file=False
    )
    # What a test forks ends so.
    measured.set_option("run:patch", ["_exit"])

    def run(job: int) -> None:
        measured.start()
        pytest.main(["-q", "-p", "no:xdist"], plugins=[Recorder(measured, job, jobs)])
        measured.stop()

    fork(jobs, run)
    measured.combine()
    measured.save()


class Tests:
    """Which tests run which lines."""

    def __init__(self) -> None:
        from coverage import CoverageData

        self._data = CoverageData(str(COVERAGE))
        self._data.read()
        rows = (line.rsplit("\t", 1) for line in SECONDS.read_text().splitlines())
        self._seconds = {test: float(seconds) for test, seconds in rows}

    def of(self, place: Place) -> list[str]:
        """Return the tests that run a place; its module's if it runs on import.

        They are in order of files, as tests share what their module makes: first the file that
        has the module's name, then those that take little time.
        """
        by_line = self._data.contexts_by_lineno(str(ROOT / place.fault.path))
        contexts = {context for line in place.lines for context in by_line.get(line, ())}
        if "" in contexts:
            contexts.update(*by_line.values())
        files = defaultdict(list)
        for test in sorted(self._seconds, key=self._seconds.__getitem__):
            file = test.partition("::")[0]
            if test in contexts or file in contexts:
                files[file].append(test)
        path = Path("tests", place.fault.path)
        own = f"{path.with_name('test_' + path.name)}::"
        by_cost = sorted(files.values(), key=lambda tests: sum(map(self._seconds.get, tests)))
        by_cost.sort(key=lambda tests: not tests[0].startswith(own))
        result, total = [], 0.0
        for test in chain.from_iterable(by_cost):
            total += self._seconds[test]
            if total > LONGEST and result:
                break
            result.append(test)
        return result


class Tree:
    """A copy of the checkout, in which one fault at a time is planted; a plugin of its tests."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._root, self._failed, self._clock = folder / "tree", folder / "failed", 1_000_000_000
        subprocess.run(["git", "clone", "-q", "--shared", ROOT, self._root], check=True)
        (folder / "shared").symlink_to(ROOT.parent / "shared")

    def find(self, place: Place, tests: list[str]) -> str:
        """Plant a fault and return the test that fails; `-` if none does."""
        path = self._root / place.fault.path
        source, after = path.read_bytes(), place.fault.after.encode()
        self._write(path, source[: place.start] + after + source[place.end :])
        try:
            return self._first_failure(tests) if tests else "-"
        finally:
            self._write(path, source)

    def _write(self, path: Path, source: bytes) -> None:
        path.write_bytes(source)
        # Compiled code is known by its source's time, in seconds.
        self._clock += 1
        os.utime(path, (self._clock, self._clock))

    def pytest_runtest_logreport(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed:
            self._failed.write_text(report.nodeid)

    pytest_collectreport = pytest_runtest_logreport

    def _first_failure(self, tests: list[str]) -> str:
        self._failed.write_text("")
        child = os.fork()
        if not child:
            self._run(tests)
        _, status = os.waitpid(child, 0)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        if os.WIFSIGNALED(status):
            return "a test that does not end"
        return self._failed.read_text() or (
            "collection" if os.waitstatus_to_exitcode(status) else "-"
        )

    def _run(self, tests: list[str]) -> NoReturn:
        """Run tests in this process, which has imported torch, but nothing of the project."""
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        signal.alarm(10 * CPU_SECONDS)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        os.chdir(self._root)
        sys.path[0] = str(self._root)
        sys.modules.pop("tests", None)
        command = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        status = 1
        try:
            status = pytest.main([*command, f"--rootdir={self._root}", *tests], [self])
        finally:
            os._exit(status)


def planted(chosen: list[Place], output: Path, jobs: int) -> list[Fault]:
    """Plant faults, and return them with the test that found each; what `output` has is kept."""
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    output.touch()
    known = set(read(output))
    missing = [place for place in chosen if place.fault not in known]

    def plant(job: int) -> None:
        tests, tree = Tests(), Tree(WORK / str(job))
        for place in missing[job::jobs]:
            row = replace(place.fault, found_by=tree.find(place, tests.of(place)))
            with output.open("a", newline="") as file:
                csv.writer(file, delimiter="\t", lineterminator="\n").writerow(astuple(row))
            print(*astuple(row), flush=True)

    fork(jobs, plant)
    rows = {row: row for row in read(output)}
    return [rows[place.fault] for place in chosen]


def read(path: Path) -> list[Fault]:
    """Return the faults of a table."""
    with path.open(newline="") as file:
        rows = [*csv.reader(file, delimiter="\t")]
    return [Fault(*row[:4], int(row[4]), row[5]) for row in rows]


def located(faults: Iterable[Fault]) -> list[tuple[Fault, Place]]:
    """Return the faults of a table whose code is still there, in the same file or another."""
    by_code, result = defaultdict(list), []
    for path in chain.from_iterable(rooms().values()):
        for place in places(path):
            by_code[code(place.fault)].append(place)
    for fault in faults:
        choice = sorted(by_code[code(fault)], key=lambda place: place.fault.path != fault.path)
        with suppress(IndexError):
            result.append((fault, choice[0]))
    return result


def code(fault: Fault) -> tuple:
    """Return what a fault keeps if its function moves."""
    return fault.function.split(".")[-1], fault.before, fault.after, fault.number


def main() -> None:
    """Draw or read faults, plant them and say what the tests find."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--again", action="store_true", help="plant the faults of the table")
    options = parser.parse_args()
    if not (COVERAGE.exists() and SECONDS.exists()):
        record(options.jobs)
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
