"""What is done to a program: a kill, a signal, a failing call; and what must hold after it."""

import json
import random
import re
import signal
from pathlib import Path

from base.run.checkpoint import BEST, checkpoints, load_checkpoint
from tests.faults.disk import ERRORS, FULL, fail_at, kill_at
from tests.faults.runs import OUT, RESUME, RUN, TRAIN, products
from tests.faults.trials import Done, Task, run
from tests.same_run import differences, rows_of

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def killed(task: Task, rng: random.Random) -> Done:
    """Kill it before a call on a file, as nothing changes between two; a training up to thrice."""
    for _ in range(rng.choice((1, 1, 2, 3)) if task.words == TRAIN else 1):
        words = RESUME if task.words == TRAIN and RUN.exists() else task.words
        done = run(words, kill_at(rng.randrange(len(task.whole.calls))))
        if done.status != -signal.SIGKILL:  # Its data workers may say that they lost it.
            no_traceback(task, done)
        whole(task, done)
        saved(task, done)
    return done


def signalled(task: Task, rng: random.Random) -> Done:
    """Send a signal before a call on a file."""
    number, sent = rng.randrange(len(task.whole.calls)), rng.choice(SIGNALS)
    done = run(task.words, kill_at(number, sent))
    print(f"{sent.name} at {task.whole.calls[number]}")
    no_traceback(task, done)
    # Before the run there is nothing to save: a signal ends the program as it does any other.
    expected = (0, 128 + sent) if RUN.exists() else (0, 128 + sent, -sent)
    assert done.status in expected, f"{sent.name}: ended with {done.status}"
    if done.status and task.words == TRAIN and RUN.exists():
        assert checkpoints(RUN), "it had begun, and saved nothing"
    tidy(task, done)
    return done


def failing(task: Task, rng: random.Random) -> Done:
    """Let a random call fail; one message names the file."""
    number, code = rng.randrange(len(task.whole.calls)), rng.choice(ERRORS)
    log, lasting = Path("../failing.txt").resolve(), code in FULL and rng.random() < 0.5
    done = run(task.words, fail_at(number, code, log, lasting=lasting))
    no_traceback(task, done)
    assert done.status in ((0, 1, 2) if log.exists() else (0,)), f"it ended with {done.status}"
    if done.status:
        failed = log.read_text().replace(f"{Path.cwd().resolve()}/", "").splitlines()
        print(f"what failed, from call {number} on: {failed}")
        # With the indented lines of a list.
        errors = {*re.findall(r"(?:^|[\r\n])error: (.+(?:\n  .+)*)", done.output)}
        assert len(errors) == 1, f"{failed[0]}: {len(errors)} errors instead of one message"
        # Of a temporary file it names what that was to become; of TensorBoard's files, and of
        # prepared samples, whose names mean nothing, the folder.
        paths = [Path(call.partition(" ")[2]) for call in failed]
        names = {re.sub(r"^\.(.+)\.\d+-[\w-]+\.tmp$", r"\1", path.name) for path in paths}
        names |= {str(p.parent) for p in paths if p.name.lstrip(".").startswith("events.out")}
        names |= {f"{path.parts[0]}:" for path in paths if re.search(r"/\.?\d{5}[-.]", str(path))}
        assert any(name in min(errors) for name in names), f"{failed[0]}: not named by {errors}"
    return done


# What must hold.


def no_traceback(task: Task, done: Done) -> None:
    """A person can read what was printed."""
    assert "Traceback (most" not in done.output, f"a traceback: {done.output[-200:].strip()!a}"


def tidy(task: Task, done: Done) -> None:
    """No temporary file is left."""
    left = sorted(str(path) for path in Path().rglob("*.tmp"))
    assert not left, f"temporary files are left: {', '.join(left)}"


def whole(task: Task, done: Done) -> None:
    """All files under a final name are whole; those of commands are compared by `old_or_new`."""
    readers = {".pth": load_checkpoint, ".json": lambda path: json.loads(path.read_text("utf-8"))}
    for path in sorted(Path().rglob("[!.]*.*")):
        try:
            readers.get(path.suffix, bool)(path)
        except Exception as error:
            raise AssertionError(f"{path} is not whole: {error}") from None


def saved(task: Task, done: Done) -> None:
    """What it said it had saved, or something newer, is there."""
    said = re.findall(r"saved \S+/checkpoint-epoch(\d+)(?:-step(\d+))?\.pth", done.output)
    if said:
        epoch, step = (int(number or 0) for number in said[-1])
        newest = load_checkpoint(next(iter(checkpoints(RUN))))
        complete = epoch - bool(step)  # a name with a step is of the epoch under way
        kept = newest["epoch"] >= complete and newest["step"] >= step
        assert kept, f"epoch {epoch}, step {step} was saved, and epoch {newest['epoch']} is there"


def check_same(task: Task) -> None:
    """Check that a run came to what the undisturbed one came to, bit for bit."""
    other = task.whole.folder / RUN
    newest = checkpoints(other)[0].name
    assert checkpoints(RUN)[0].name == newest, f"{newest} is not the newest"
    for name in filter(lambda name: (other / name).exists(), (newest, BEST)):
        assert (RUN / name).exists(), f"{name} is missing"
        places = differences(load_checkpoint(other / name), load_checkpoint(RUN / name))
        assert not places, f"{name} differs from the undisturbed run's in {places[:3]}"
    assert rows_of(other / "metrics.csv") == rows_of(RUN / "metrics.csv"), "metrics.csv differs"


def resumes(task: Task, done: Done) -> None:
    """It goes on, as a person would, with the result of an undisturbed run."""
    if done.status == 0:
        check_same(task)
    done = run(RESUME if RUN.exists() else TRAIN)
    if done.status == 2 and f"-c CONFIG --run-id {RUN.name}" in done.output:  # as it says
        done = run(TRAIN)
    assert done.status == 0, f"it ended with {done.status}"
    for promise in (no_traceback, whole, tidy):
        promise(task, done)
    check_same(task)


def old_or_new(task: Task, done: Done) -> None:
    """Each file is what it was before, or what it becomes; all are new if it ended well."""
    now, after = products(OUT), products(task.whole.folder / OUT)
    gone = task.before.keys() - now.keys()
    assert not gone, f"{gone} was there before and is gone"
    odd = [name for name in now if now[name] not in (task.before.get(name), after.get(name))]
    assert not odd, f"{odd} is neither what was there nor what was to be written"
    old = [name for name in after if now.get(name) != after[name]]
    assert done.status or not old, f"{old} is another than undisturbed"


def repeats(task: Task, done: Done) -> None:
    """The same in peace comes to the same."""
    Path("out/a.json").unlink(missing_ok=True)  # A style is not overwritten.
    done = run(task.words)
    assert done.status == 0, f"it ended with {done.status}"
    old_or_new(task._replace(before={}), done)


RESUMES, REPEATS = (whole, saved, resumes), (whole, old_or_new, repeats)
