"""Cases of faults, the child that each of their trials runs in, and the program that it starts.

Importing torch takes seconds, so one process imports everything once (`preload`), and all others
are forked from it. It never computes anything: a pool of threads would not survive the fork.
"""

import atexit
import fcntl
import gc
import importlib
import json
import multiprocessing
import os
import random
import runpy
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import chdir, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from utils import console

ROOT = Path(__file__).resolve().parents[2]
PROGRAM_SECONDS = 150.0  # far more than any needs on a busy machine
FORK = multiprocessing.get_context("fork")
LATE = ("torch._dynamo", "torch.distributed.nn", "torch.utils.tensorboard", "PIL.PngImagePlugin")
"""Modules that torch, or the program, imports when it needs them."""
BAR_SECONDS, tqdm.monitor_interval = tqdm.monitor_interval, 0
"""No thread watches bars before a fork; the program's own has one."""
tqdm.set_lock(threading.RLock())
"""By default all that are forked from here share a lock, which one of them would be killed with."""


class Done(NamedTuple):
    """How a program ended: its exit status, -N if signal N ended it, and all that it printed."""

    status: int
    output: str


class Task(NamedTuple):
    """What is run: a program's words, what it comes to undisturbed, and what there is before."""

    words: Sequence[str]
    whole: Any = None
    before: Any = None


class Case(NamedTuple):
    """A row of the table: trials of one kind."""

    name: str
    count: int  # of a full seed
    task: Callable[[random.Random], Task]  # put into the working directory, which is empty
    fault: Callable[[Task, random.Random], Done]  # happens to the program or to its files
    promises: tuple[Callable[[Task, Done], None], ...]  # AssertionErrors, unless they hold after it
    seconds: float = 400.0  # after which a trial counts as failed


class Trial:
    """One trial under way, in a child with a process group of its own, and in a new folder."""

    def __init__(self, case: Case, number: int, seed: int, folder: Path) -> None:
        self.case, self.number, self.failure = case, number, ""
        self.folder = folder / f"{case.name.replace(' ', '-')}-{number}"
        (self.folder / "work").mkdir(parents=True)
        self._end = time.monotonic() + case.seconds
        self._process = FORK.Process(target=self._run, args=[seed])
        self._process.start()

    def _run(self, seed: int) -> None:
        os.setpgid(0, 0)
        os.dup2(os.open(self.folder / "output.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND), 1)
        os.dup2(1, 2)
        sys.stdout = sys.stderr = open(1, "w", 1, "utf-8", closefd=False)  # noqa: SIM115
        os.chdir(self.folder / "work")
        rng = random.Random(f"{seed} {self.case.name} {self.number}")
        task = self.case.task(rng)
        done = self.case.fault(task, rng)
        for promise in self.case.promises:
            promise(task, done)

    def ended(self) -> bool:
        """Return whether it is over; after its time it is made to be."""
        status = self._process.exitcode
        if status is None and time.monotonic() <= self._end:
            return False
        if status != 0:
            hung = f"hung for {self.case.seconds:g} s"
            self.failure = hung if status is None else self.record(1) or f"ended with {status}"
        self.kill()
        return True

    def kill(self) -> None:
        """End it and whatever it left running."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.join()

    def record(self, lines: int) -> str:
        """Return the last lines that it and its programs printed."""
        text = (self.folder / "output.txt").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.replace("\r", "\n").splitlines()[-lines:])


class Program:
    """`train.py` or `experiments.py`, running with arguments; what it prints is kept.

    A `hook` is called in the new process before the script is. With `fresh` there is none, and a
    new interpreter runs the script, with all its imports.
    """

    def __init__(
        self, words: Sequence[str], hook: Callable[[], object] = bool, *, fresh: bool = False
    ) -> None:
        self.words = [*words]
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        ready, started = os.pipe()
        self._process = FORK.Process(target=self._run, args=(started, hook, fresh))
        self._process.start()
        self.pid = self._process.pid
        os.close(started)
        os.read(ready, 1)  # Nothing happens to it before the script's first line.
        os.close(ready)

    def _run(self, started: int, hook: Callable[[], object], fresh: bool) -> None:
        os.dup2(self._file.fileno(), 1)
        os.dup2(1, 2)
        for number in console.SIGNALS:  # which a shell's job in the background may ignore
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = [str(ROOT / self.words[0]), *self.words[1:]]
        if fresh:
            os.execv(sys.executable, [sys.executable, *sys.argv])
        tqdm.monitor_interval = BAR_SECONDS
        hook()
        console.set_up()  # as the script's first line does
        os.close(started)
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        finally:  # as an interpreter ends
            threading._shutdown()
            atexit._run_exitfuncs()

    @property
    def status(self) -> int | None:
        """The exit status, -N if signal N ended it, None while it runs."""
        return self._process.exitcode

    def children(self) -> list[int]:
        """Return the processes that it started and that still run."""
        with suppress(OSError):
            text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
            return [int(pid) for pid in text.split()]
        return []

    def seconds(self) -> float:
        """Return the processor time that it has had: moments that a busy machine does not shift."""
        with suppress(OSError, IndexError):
            return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9
        return 0.0

    def send(self, number: int, *, all_of_them: bool = False) -> None:
        """Send a signal to it, if it still runs; and to its children, as a terminal does."""
        if self.status is None:
            for pid in [self.pid, *(self.children() if all_of_them else [])]:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def wait_for(self, is_there: Callable[[], object], seconds: float = PROGRAM_SECONDS) -> None:
        """Wait until something is found, or the program ends; one that takes too long is killed."""
        end = time.monotonic() + seconds
        while self.status is None and not is_there():
            if time.monotonic() > end:
                self.send(signal.SIGKILL)
                raise AssertionError(f"hung for {seconds:g} s: {' '.join(self.words)}")
            time.sleep(0.001)

    def wait(self, seconds: float = PROGRAM_SECONDS) -> Done:
        """Return how it ended, and print it: the trial's own record, shown if it fails."""
        self.wait_for(lambda: False, seconds)
        output = os.pread(self._file.fileno(), os.fstat(self._file.fileno()).st_size, 0)
        done = Done(self.status, output.decode("utf-8", "replace"))
        print(f"$ {' '.join(self.words)}\n{done.output.rstrip()}\n[status {done.status}]")
        return done


def run(words: Sequence[str], hook: Callable[[], object] = bool) -> Done:
    """Run `train.py` or `experiments.py` with arguments to its end."""
    return Program(words, hook).wait()


def preload(folder: Path) -> None:
    """Import all that the program may, once, for those that are forked from here; what they share
    lies in a folder. (No TemporaryDirectory: it would be removed by each child.)"""
    import torch

    torch.set_num_threads(1)
    for name in ("train", "experiments"):
        importlib.import_module(name)
    os.environ |= {"FAULTS": str(folder), "START_UP": str(time.process_time())}
    packages = [path.parent for path in ROOT.glob("*/__init__.py")]
    files = [file.relative_to(ROOT) for package in packages for file in package.rglob("*.py")]
    for name in (*LATE, *(".".join(file.with_suffix("").parts) for file in sorted(files))):
        with suppress(ImportError):  # of what is not installed
            importlib.import_module(name.removesuffix(".__init__"))
    assert threading.active_count() == 1, f"threads before the fork: {threading.enumerate()}"
    gc.collect()
    gc.freeze()


def once(name: str, make: Callable[[], Any]) -> tuple[Path, Any]:
    """Return a folder and what `make` returned in it, a value of JSON: once for all trials, and
    again if a trial ended halfway."""
    place = Path(os.environ["FAULTS"]) / "shared" / name
    place.mkdir(parents=True, exist_ok=True)
    work, result = place / "work", place / "result.json"
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            with chdir(work):
                result.write_text(json.dumps(make()))
        return work, json.loads(result.read_text())
