"""Hostile files of ink, notes and configs: read, or refused on a screen, soon, in little memory."""

import gzip
import math
import random
import resource
import shutil
from pathlib import Path

from tests.damage import FORMATS, hostile
from tests.faults.promises import no_traceback
from tests.faults.runs import give_networks, products
from tests.faults.trials import Done, Task, run
from tests.ink.formats import note_files

MEBIBYTE = 1 << 20
MAX_SECONDS = 20.0 + 15.0  # of processor time: for parsing, see `ink.guard`, and for the rest
MAX_MEMORY = 2048 * MEBIBYTE
MAX_LINES, MAX_CHARACTERS = 25, 2000  # of a message: what one screen shows


def used(who: int = resource.RUSAGE_CHILDREN) -> tuple[float, int]:
    """Return what the programs that have ended took: processor time, which others that keep the
    machine busy do not lengthen, and the most bytes of memory."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def met(task: Task, rng: random.Random) -> Done:
    """Run a program on what lies there, within its limits."""
    before, (spent, _) = products(Path()), used()

    def limit() -> None:  # The clock may be late on a busy machine.
        end = math.ceil(used(resource.RUSAGE_SELF)[0] + MAX_SECONDS)
        resource.setrlimit(resource.RLIMIT_CPU, (end, end))

    done = run(task.words, limit)
    seconds, memory = used()
    assert seconds - spent < MAX_SECONDS, f"{seconds - spent:.1f} s of processor time"
    assert memory < MAX_MEMORY, f"{(memory - MAX_MEMORY) / MEBIBYTE:.0f} MiB too much"
    after = products(Path())
    new = after.keys() - before.keys()
    is_right = done.status != 2 and all(name.startswith("out/") for name in new)
    assert is_right or not new, f"written: {sorted(new)}"
    assert after | before == after, "files were changed that were there before"
    return done


def answered(task: Task, done: Done) -> None:
    """It did what it was asked for, or said why not, on a screen."""
    no_traceback(task, done)
    status, output = done
    assert status in (0, 2), f"exit status {status}: {output[-300:].strip()!a}"
    said = output[output.rfind("error: ") :] if "error: " in output else ""
    assert said or not status, f"status {status} without an error: {output[-300:].strip()!a}"
    fits = not status or (said.count("\n") <= MAX_LINES and len(said) <= MAX_CHARACTERS)
    assert fits, f"a message of {len(said)} characters: {said[:300]!a}"


def hostile_file(rng: random.Random) -> Task:
    """A command reads a hostile file."""
    form = rng.choice(FORMATS)
    content = hostile(rng, form)
    give_networks()
    name = form.name
    if name == "a.xml" and rng.random() < 0.5:
        name, content = "a.xopp", gzip.compress(content, 1)
    Path(name).write_bytes(content)
    Path("a").mkdir()
    Path("a/p.rm").write_bytes(note_files.rm())
    shutil.copy(name, "b.config")
    reads = rng.random() < 0.5 and form.name not in ("a.md", "a.rm", "a.content", "a.excalidraw")
    command = "read" if reads else "notes"
    words = ["experiments.py", command, "-r", "reader.pth", "-d", "cpu", name]
    words += ["--output", "out"] if reads or rng.random() < 0.3 else []
    if form.name == "a.config":
        words = ["train.py", "-c", name, "--prepare", "-d", "cpu"]
    return Task(words)
