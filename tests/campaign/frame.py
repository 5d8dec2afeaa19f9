"""What a campaign is made of: families of trials, the child that each runs in, and the program
itself, started by a trial in a child that looks like the real script.

Importing torch takes seconds, so one process imports everything once (`preload`), and all others
are forked from it. It never computes anything: a pool of threads would not survive the fork.
"""

import atexit
import fcntl
import gc
import importlib
import json
import os
import random
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
import types
from collections.abc import Callable, Sequence
from contextlib import chdir, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TextIO

from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ("train.py", "experiments.py")
SECONDS, PROGRAM_SECONDS = 180.0, 60.0
"""Given to a trial, and to each program in it, of which no other limit is known: far more than they
need on a busy machine."""

BAR_SECONDS, tqdm.monitor_interval = tqdm.monitor_interval, 0
"""No thread watches bars before a fork; the program's own has one."""

tqdm.set_lock(threading.RLock())
"""By default all that are forked from here share a lock, which one of them would be killed with."""

Hook = Callable[[], None]


@dataclass(frozen=True)
class Family:
    """Trials of one kind.

    Attributes:
        name: as the table says it.
        count: trials of a full seed.
        trial: one trial, in a fresh, empty folder, which is the working directory as well; raises
            `Failed` if what is promised does not hold.
        seconds: after which a trial counts as failed.
    """

    name: str
    count: int
    trial: Callable[[random.Random, Path], None]
    seconds: float = SECONDS


class Failed(Exception):
    """What is promised does not hold; the message says what, in a line."""


class Done(NamedTuple):
    """How a program ended: its exit status, -N if signal N ended it, and all that it printed."""

    status: int
    output: str


def demand(holds: object, message: str) -> None:
    """Raise `Failed` with `message` unless something holds."""
    if not holds:
        raise Failed(message)


def cause(error: BaseException) -> str:
    """Return in a line what ended a trial."""
    if isinstance(error, Failed):
        return str(error)
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"


# The program.


class Process:
    """A running program; what it prints is kept.

    Args:
        words: the script's name and its arguments.
        hook: called in the new process before the script is; not with `fresh`.
        fresh: whether a new interpreter runs the script, with all its imports.
        cwd: the working directory; by default that of the trial.
        environment: variables beside those of the trial.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        hook: Hook | None = None,
        fresh: bool = False,
        cwd: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.words = [str(word) for word in words]
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._status: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        ready, told = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(ready)
            _become(self.words, self._file.fileno(), told, hook, fresh, cwd, environment or {})
        os.close(told)
        os.read(ready, 1)  # so that nothing happens to it before the script's first line
        os.close(ready)

    @property
    def output(self) -> str:
        """All that it has printed so far."""
        size = os.fstat(self._file.fileno()).st_size
        return os.pread(self._file.fileno(), size, 0).decode("utf-8", "replace")

    @property
    def status(self) -> int | None:
        """The exit status, -N if signal N ended it, None while it runs."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def children(self) -> list[int]:
        """Return the processes that it started and that still run."""
        try:
            text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        except OSError:
            return []
        return [int(pid) for pid in text.split()]

    def seconds(self) -> float:
        """Return the processor time that it has had: moments that a busy machine does not shift."""
        try:
            return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError):
            return 0.0

    def send(self, number: int, *, all_of_them: bool = False) -> None:
        """Send a signal to it, if it still runs; and to its children, as a terminal does."""
        if self.status is None:
            for pid in [self.pid, *(self.children() if all_of_them else [])]:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def wait(self, seconds: float = PROGRAM_SECONDS) -> Done:
        """Wait for its end.

        Raises:
            Failed: if it does not end in `seconds`; it is killed.
        """
        end = time.monotonic() + seconds
        while self.status is None:
            if time.monotonic() > end:
                self.send(signal.SIGKILL)
                os.waitpid(self.pid, 0)
                self._status = -signal.SIGKILL
                raise Failed(f"hung for {seconds:g} s: {shlex.join(self.words)}")
            time.sleep(0.002)
        done = Done(self._status, self.output)
        # The trial's own record, shown if it fails.
        print(f"$ {shlex.join(self.words)}\n{done.output.rstrip()}\n[status {done.status}]")
        return done

    def wait_for(self, found: Callable[[], object]) -> bool:
        """Wait until something is found, and return True; False if the program ends before."""
        end = time.monotonic() + PROGRAM_SECONDS
        while not found():
            if self.status is not None:
                return bool(found())
            if time.monotonic() > end:
                raise Failed(f"waited in vain: {shlex.join(self.words)}")
            time.sleep(0.001)
        return True


def run(words: Sequence[str], **options: Any) -> Done:
    """Run `train.py` or `experiments.py` with arguments to its end; options as of `Process`."""
    return Process(words, **options).wait()


def _become(
    words: list[str],
    output: int,
    ready: int,
    hook: Hook | None,
    fresh: bool,
    cwd: Path | None,
    environment: dict[str, str],
) -> NoReturn:
    """Turn a forked child into a run of the script, and end with it."""
    status = 70
    try:
        if cwd is not None:
            os.chdir(cwd)
        os.environ.update(environment)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if fresh:
            os.execv(sys.executable, [sys.executable, str(ROOT / words[0]), *words[1:]])
        sys.stdout, sys.stderr = _stream(1), _stream(2)
        sys.argv = [str(ROOT / words[0]), *words[1:]]
        sys.path[0] = str(ROOT)
        tqdm.monitor_interval = BAR_SECONDS
        script = types.ModuleType("__main__")
        script.__file__ = sys.argv[0]
        sys.modules["__main__"] = script
        if hook is not None:
            hook()
        _close_when_set_up(ready)
        status = _status_of(lambda: exec(_code(words[0]), script.__dict__))
        # As an interpreter ends.
        status = _status_of(threading._shutdown) or status
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        if status == -signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        os._exit(status)


def _close_when_set_up(descriptor: int) -> None:
    """Close a descriptor when the script's first line is done: before it, an interrupt is as little
    the script's as one that comes while an interpreter starts."""
    from utils import console

    set_up = console.set_up

    def set_up_and_tell() -> None:
        set_up()
        os.close(descriptor)

    console.set_up = set_up_and_tell


def _stream(descriptor: int) -> TextIO:
    return open(descriptor, "w", encoding="utf-8", closefd=False, buffering=1)


def _status_of(call: Callable[[], object]) -> int:
    """Call, and return the exit status that an interpreter would end with."""
    try:
        call()
    except SystemExit as error:
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        traceback.print_exc()
        return -signal.SIGINT
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


@cache
def _code(script: str) -> types.CodeType:
    return compile((ROOT / script).read_bytes(), str(ROOT / script), "exec")


def preload(runs: Sequence[Sequence[str]], folder: Path) -> None:
    """Import all that the program may, once, for those that are forked from here.

    Args:
        runs: of the program; what a child imports for them is imported here.
        folder: in which they run. (No TemporaryDirectory: it would be removed by each child.)
    """
    import torch

    torch.set_num_threads(1)
    for script in SCRIPTS:
        importlib.import_module(Path(script).stem)
        _code(script)
    found = folder / "modules.json"

    def tell() -> None:
        atexit.register(lambda: found.write_text(json.dumps(list(sys.modules))))

    for words in runs:
        process = Process(words, hook=tell, cwd=folder)
        while process.status is None:
            time.sleep(0.01)
        if process.status:
            raise Failed(f"not even this works: {shlex.join(words)}\n{process.output}")
        for name in json.loads(found.read_text()):
            if name not in sys.modules:
                with suppress(ImportError):  # of those that code made, not a file
                    importlib.import_module(name)
    if threading.active_count() > 1:
        raise Failed(f"threads before the fork: {threading.enumerate()}")
    gc.collect()
    gc.freeze()


# Trials.


class Trial:
    """One trial under way, in a forked child with a process group of its own.

    Args:
        family: its family.
        number: of the trial in the family, from 0.
        seed: of the campaign.
        folder: for its working directory and its record; made here.
    """

    def __init__(self, family: Family, number: int, seed: int, folder: Path) -> None:
        self.family, self.number, self.folder = family, number, folder
        work = folder / "work"
        work.mkdir(parents=True)
        self._end = time.monotonic() + family.seconds
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid:
            return
        status = 1
        try:
            os.setpgid(0, 0)
            os.dup2(os.open(folder / "output.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND), 1)
            os.dup2(1, 2)
            sys.stdout = sys.stderr = _stream(1)
            os.chdir(work)
            family.trial(random.Random(f"{seed} {family.name} {number}"), work)
            status = 0
        except BaseException as error:
            (folder / "failed.txt").write_text(cause(error), encoding="utf-8")
            if not isinstance(error, Failed):
                traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)

    def ended(self) -> bool:
        """Return whether it is over; after its time it is made to be."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        late = time.monotonic() > self._end
        if not pid and not late:
            return False
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # and whatever it left running
        if not pid:
            os.waitpid(self.pid, 0)
        message = self.folder / "failed.txt"
        self.failure: str | None = None
        if not pid:
            self.failure = f"hung for {self.family.seconds:g} s"
        elif status:
            text = message.read_text() if message.exists() else f"ended with {status}"
            self.failure = " ".join(text.split())
        return True

    def kill(self) -> None:
        """End it and whatever it started."""
        os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def record(self, lines: int) -> str:
        """Return the last lines that it and its programs printed."""
        text = (self.folder / "output.txt").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.replace("\r", "\n").splitlines()[-lines:])


def once(name: str, make: Callable[[], Any]) -> tuple[Path, Any]:
    """Return a folder and what `make` returned in it, a value of JSON: once for all trials of a
    campaign, and again if a trial ended halfway."""
    place = Path(os.environ["CAMPAIGN"]) / "shared" / name
    place.mkdir(parents=True, exist_ok=True)
    work, told = place / "work", place / "told.json"
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            with chdir(work):
                told.write_text(json.dumps(make()))
        return work, json.loads(told.read_text())
