"""Cases of faults, the child that each of their trials runs in, and the program that it starts.

Importing torch takes seconds, so one process imports everything once (`preload`), and all others
are forked from it. It never computes anything: a pool of threads would not survive the fork.
"""

import atexit
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
import threading
from collections.abc import Callable, Sequence
from contextlib import chdir, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from tqdm import tqdm

from utils import console

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 150.0  # far more than any program needs on a busy machine
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


Case: TypeAlias = tuple[
    int,  # number of trials of a full seed
    Callable[[random.Random], Task],  # puts a task into the working directory, which is empty
    Callable[[Task, random.Random], Done],  # what happens to the program
    tuple[Callable[[Task, Done], None], ...],  # raise AssertionErrors, unless they hold after it
]


def forked(work: Callable[[], object], file: Path, seconds: float = SECONDS) -> Done:
    """Run a function in a process with a group and an output file of its own, until its end."""

    def child() -> None:
        os.setpgid(0, 0)
        os.dup2(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_APPEND), 1)
        os.dup2(1, 2)
        sys.stdout = sys.stderr = open(1, "w", 1, "utf-8", closefd=False)  # noqa: SIM115
        work()

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(seconds)
    status = process.exitcode
    with suppress(ProcessLookupError):  # whatever it left running
        os.killpg(process.pid, signal.SIGKILL)
    process.join()
    output = file.read_text(encoding="utf-8", errors="replace")
    return Done(1, f"{output}\nhung") if status is None else Done(status, output)


def try_once(case: Case, seed: str, folder: Path) -> Done:
    """Run a trial in a new folder."""
    (folder / "work").mkdir(parents=True)

    def trial() -> None:
        os.chdir(folder / "work")
        rng, (_, prepare, fault, promises) = random.Random(seed), case
        done = fault(task := prepare(rng), rng)
        for promise in promises:
            promise(task, done)

    return forked(trial, folder / "output.txt", 4 * SECONDS)


def run(words: Sequence[str], hook: Callable[[], object] = bool) -> Done:
    """Run `train.py` or `experiments.py` with arguments to its end, and print what it printed; a
    `hook` is called in the new process before the script is."""

    def script() -> None:
        for number in console.SIGNALS:  # which a shell's job in the background may ignore
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = [str(ROOT / words[0]), *words[1:]]
        tqdm.monitor_interval = BAR_SECONDS
        hook()
        console.set_up()  # as the script's first line does
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        finally:  # as an interpreter ends
            threading._shutdown()
            atexit._run_exitfuncs()

    done = forked(script, Path(os.environ["FAULTS"]) / f"printed-{os.getpid()}")
    print(f"$ {' '.join(words)}\n{done.output.rstrip()}\n[status {done.status}]")
    return done


def preload(folder: Path) -> None:
    """Import all that the program may, once, for those that are forked from here; what they share
    lies in a folder. (No TemporaryDirectory: it would be removed by each child.)"""
    import torch

    torch.set_num_threads(1)
    os.environ["FAULTS"] = str(folder)
    packages = [path.parent for path in ROOT.glob("*/__init__.py")]
    files = [file.relative_to(ROOT) for package in packages for file in package.rglob("*.py")]
    files = [file for file in files if "node_modules" not in file.parts]
    modules = [".".join(file.with_suffix("").parts) for file in sorted(files)]
    for name in ("train", "experiments", *LATE, *modules):
        with suppress(ImportError):  # of what is not installed
            importlib.import_module(name.removesuffix(".__init__"))
    assert threading.active_count() == 1, f"threads before the fork: {threading.enumerate()}"
    gc.collect()
    gc.freeze()


def once(name: str, make: Callable[[], Any]) -> tuple[Path, Any]:
    """Return a folder and what `make` returned in it, a value of JSON: once for all trials, and
    again if a trial ended halfway."""
    work, result = (Path(os.environ["FAULTS"]) / "shared" / name / n for n in ("work", "result"))
    if not result.exists():
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        with chdir(work):
            result.write_text(json.dumps(make()))
    return work, json.loads(result.read_text())
