"""What is done to a program while it runs: a kill, a signal, a failing call, the end of its time,
another process. Each accident returns how the program ended, after a look at what it said."""

import os
import random
import re
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from base.checkpoint import checkpoints, load_checkpoint
from tests.faults.disk import ERRORS, FULL, fail_at, kill_at
from tests.faults.promises import check_same, ends_well, last_line, no_traceback, saved, tidy, whole
from tests.faults.runs import RESUME, RUN
from tests.faults.trials import Done, Program, Task, run

SIGNALS = (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
Accident = Callable[[Task, random.Random], Done]


def next_words(task: Task) -> Sequence[str]:
    """Return the command that resumes a run, or starts it if nothing of it exists."""
    return RESUME if task.words[0] == "train.py" and RUN.exists() else task.words


def sent(process: Program, rng: random.Random, numbers: Sequence[int], moment: float) -> Done:
    """Send signals to a program, one after the other, from a moment of its processor time on."""
    terminal = signal.SIGKILL not in numbers and rng.random() < 0.5  # to all of its processes
    process.wait_for(lambda: process.seconds() >= moment)
    for number in numbers:
        process.send(number, all_of_them=terminal)
        gap = process.seconds() + rng.choice([0.0, 0.001, 0.02])
        process.wait_for(lambda end=gap: process.seconds() >= end)
    return process.wait()


def some(rng: random.Random) -> list[int]:
    """Return one signal, or a few."""
    return [rng.choice(SIGNALS) for _ in range(rng.choice([1, 1, 2, 3]))]


def check_ended(task: Task, done: Done, numbers: Sequence[int]) -> None:
    """Check that it ended as one ends by these signals, or before they came."""
    no_traceback(task, done)
    assert "KeyboardInterrupt" not in done.output, "KeyboardInterrupt is on the console"
    status = 128 - done.status if done.status < 0 else done.status
    expected = {0, *(128 + number for number in numbers)}
    assert status in expected, f"{numbers}: ended with {done.status}: {last_line(done)}"


def at_any_moment(task: Task, rng: random.Random, numbers: Sequence[int], at_calls: float) -> Done:
    """Send signals at a call on a file, with a probability, or after some processor time."""
    if rng.random() < at_calls:
        number, after = rng.randrange(len(task.whole.calls)), rng.random() < 0.5
        return run(next_words(task), kill_at(number, after=after, signals=tuple(numbers)))
    return sent(Program(next_words(task)), rng, numbers, rng.uniform(0, task.whole.seconds))


def killed(task: Task, rng: random.Random) -> Done:
    """Kill it."""
    done = at_any_moment(task, rng, [signal.SIGKILL], 0.6)
    if done.status != -signal.SIGKILL:  # Its data workers may say that they lost it.
        no_traceback(task, done)
    return done


def signalled(task: Task, rng: random.Random) -> Done:
    """Send a signal, or a few."""
    numbers = some(rng)
    done = at_any_moment(task, rng, numbers, 0.5)
    check_ended(task, done, numbers)
    if done.status and task.words[0] == "train.py" and RUN.exists():
        assert checkpoints(RUN), "it had begun, and saved nothing"
    return done


def signalled_late(task: Task, rng: random.Random) -> Done:
    """Send a signal at a call on a file that is written before it gets its name."""
    calls = [n for n, call in enumerate(task.whole.calls) if ".tmp" in Path(call).name]
    number, sent = rng.choice(calls), rng.choice(SIGNALS)
    done = run(task.words, kill_at(number, after=False, signals=(sent,)))
    print(f"{sent.name} at {task.whole.calls[number]}")
    check_ended(task, done, [sent])
    said = done.status == 0 or "error: interrupted" in done.output
    assert said, "it does not say why it ended"
    tidy(task, done)
    return done


def failing(task: Task, rng: random.Random) -> Done:
    """Let a random call fail; one message says so."""
    number, code = rng.randrange(len(task.whole.calls)), rng.choice(ERRORS)
    log = Path("../failing.txt").resolve()
    lasting = code in FULL and rng.random() < 0.5
    done = run(next_words(task), fail_at(number, code, log, lasting=lasting))
    if not log.exists():  # other calls than undisturbed, and fewer
        ends_well(task, done)
        return done
    failed = log.read_text().replace(f"{Path.cwd().resolve()}/", "").splitlines()
    print(f"what failed, from call {number} on: {failed}")
    no_traceback(task, done)
    assert done.status in (0, 1, 2), f"{failed[0]}: it ended with {done.status}"
    if done.status:
        errors = {*re.findall(r"(?:^|[\r\n])error: (.+)", done.output)}
        assert len(errors) == 1, f"{failed[0]}: {len(errors)} errors instead of one message"
        # A temporary file is known to nobody: its message names what it was to become. Of
        # TensorBoard's files, whose names mean nothing, it names the folder, and so it does of
        # prepared samples.
        paths = [Path(call.partition(" ")[2]) for call in failed]
        names = {re.sub(r"^\.(.+)\.\d+-\w+\.tmp$", r"\1", path.name) for path in paths}
        names |= {str(p.parent) for p in paths if p.name.lstrip(".").startswith("events.out")}
        names |= {f"{path.parts[0]}:" for path in paths if re.search(r"/\.?\d{5}[-.]", str(path))}
        assert any(name in min(errors) for name in names), f"{failed[0]}: not named by {errors}"
    return done


def repeated(accident: Accident, *times: int) -> Accident:
    """Return an accident that happens several times, one of `times` by chance."""

    def accidents(task: Task, rng: random.Random) -> Done:
        for _ in range(rng.choice(times)):
            done = accident(task, rng)
            whole(task, done)
            saved(task, done)
        return done

    return accidents


# While an interpreter starts.

START_UP = "START_UP"
"""Of the environment: the processor time of all imports of a script. An interpreter takes a
hundredth of it to come to the script's first line."""


def killed_early(task: Task, rng: random.Random) -> Done:
    """Kill a script that a new interpreter starts, mostly while it imports."""
    moment = rng.uniform(0.0, 1.1) * float(os.environ[START_UP])
    return sent(Program(task.words, fresh=True), rng, [signal.SIGKILL], moment)


# From outside of the process.


def check_lost(task: Task, done: Done, name: str) -> None:
    """Check that it ended without what was lost, or says what that was."""
    no_traceback(task, done)
    assert done.status in (0, 1), f"without {name} it ended with {done.status}"
    assert not done.status or name in last_line(done), f"{name} is not in {last_line(done)!r}"


def without_worker(task: Task, rng: random.Random) -> Done:
    """Kill a data worker, as a system does that lacks memory."""
    process = Program(task.words)
    process.wait_for(lambda: checkpoints(RUN) and process.children())
    moment = process.seconds() + rng.uniform(0, 0.1)
    process.wait_for(lambda: process.seconds() >= moment and process.children())
    with suppress(ProcessLookupError, IndexError):  # an epoch's workers may just have ended
        os.kill(rng.choice(process.children()), signal.SIGKILL)
    done = process.wait()
    check_lost(task, done, "worker")
    return done


def without_log(task: Task, rng: random.Random) -> Done:
    """Remove the folder of TensorBoard's curves under a run."""
    process = Program(task.words)
    process.wait_for(lambda: checkpoints(RUN))
    steps = load_checkpoint(checkpoints(RUN)[0])["step"]
    Path("saved/log").rename("removed")  # at once, as the run may be writing in it
    done = process.wait()
    check_lost(task, done, "saved/log")
    newest = load_checkpoint(checkpoints(RUN)[0])
    assert newest["step"] > steps, "what was done after the log was gone is not saved"
    return done


def resumed_meanwhile(task: Task, rng: random.Random) -> Done:
    """Go on with a run while it runs: the second is told of the first, which does not notice."""
    first = Program(task.words)
    first.wait_for(lambda: checkpoints(RUN))
    moment = first.seconds() + rng.uniform(0, 0.3 * task.whole.seconds)
    first.wait_for(lambda: first.seconds() >= moment)
    first.send(signal.SIGSTOP)  # so that it holds the run for all the time of the second
    over = first.status is not None
    place = rng.choice([RUN, checkpoints(RUN)[0], RUN.resolve()])
    try:
        second = run(["train.py", "-r", str(place), "-d", "cpu"])
    finally:
        first.send(signal.SIGCONT)
    no_traceback(task, second)
    named = over or all(name in last_line(second) for name in (str(RUN), str(first.pid)))
    assert named and (over or second.status == 2), f"{second.status}: {last_line(second)!r}"
    ends_well(task, done := first.wait())
    return done


def started_twice(task: Task, rng: random.Random) -> Done:
    """Start two runs at a time, of one name or without any: each that goes through is whole."""
    unnamed = [word for word in task.words if word not in ("--run-id", "a")]
    words = rng.choice([task.words, unnamed])
    first, second = sorted(process.wait() for process in [Program(words), Program(words)])
    assert first.status == 0 and second.status in (0, 2), f"{last_line(first)}, {last_line(second)}"
    no_traceback(task, second)
    runs = sorted(RUN.parent.iterdir())
    assert len(runs) == 2 - bool(second.status), f"{runs}, of which one was refused or none"
    for run_folder in runs:
        check_same(task.whole, run_folder)
    return first
