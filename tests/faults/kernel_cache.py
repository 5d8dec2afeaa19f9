"""Compiled kernels in a cache that was damaged, or that others could write."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.damage import damaged
from tests.faults.runs import OUT, command
from tests.faults.trials import Done, Program, Task, once, run
from utils.files import user_cache

HOME = Path("cache")
CACHE = HOME / "online-handwriting" / "kernels"
RAN = Path("planted-code-ran")
PLANTED = f"""
#include <stdio.h>
__attribute__((constructor)) void ran(void) {{ fclose(fopen("{RAN}", "w")); }}
"""
NOBODY = 65534


def with_cache(folder: Path) -> Callable[[], None]:
    """Return the hook of a program whose cache is a folder."""
    return lambda: os.environ.update(XDG_CACHE_HOME=str(folder), HOME=os.path.realpath("home"))


def drawing(rng: random.Random) -> Task:
    """A command draws with a copy of the kernels that were compiled for it."""
    task = command("draw")
    shutil.copytree(user_cache() / "kernels", CACHE)
    return task


def plant(rng: random.Random) -> None:
    """Put other code in the place of what is in the cache, with its checksum."""

    def compile_it() -> None:
        Path("planted.c").write_text(PLANTED)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", "planted.so", "planted.c"], check=True)

    library = once("planted", compile_it)[0] / "planted.so"
    checksum = hashlib.sha256(library.read_bytes()).hexdigest()[:24]
    for kept in list(CACHE.glob("*.so")):
        kept.unlink()
        planted = kept.with_name(f"{kept.stem.rpartition('-')[0]}-{checksum}.so")
        shutil.copy(library, planted)
        planted.chmod(0o600)


def expose(rng: random.Random) -> None:
    """Plant code, where others could have done so."""
    plant(rng)
    place = rng.choice([CACHE, *CACHE.glob("*.so")])
    ways: list[Callable[[], None]] = [
        lambda: place.chmod(0o777),
        lambda: place.chmod(0o770),
        lambda: HOME.chmod(0o777),
    ]
    if os.getuid() == 0:
        ways += [lambda: os.chown(place, NOBODY, NOBODY)] * 2
    rng.choice(ways)()


def damage(rng: random.Random) -> None:
    """Damage what is in the cache."""
    for kept in CACHE.glob("*.so"):
        kept.write_bytes(damaged(rng, kept.read_bytes()))


def kill_compiler(rng: random.Random) -> None:
    """Kill a drawing while it compiles, or near that."""
    shutil.rmtree(CACHE)
    drawing = Program(command("draw").words, with_cache(HOME.resolve()))
    drawing.wait_for(lambda: list(CACHE.glob(".*.tmp")))
    time.sleep(rng.uniform(0, 2))  # the processor's time is the compiler's
    drawing.send(signal.SIGKILL, all_of_them=True)
    drawing.wait()
    shutil.rmtree(OUT)
    OUT.mkdir()


def untrusted_cache(task: Task, rng: random.Random) -> Done:
    """Draw with a cache of which something is wrong: no planted code runs."""
    change = rng.choice([expose, expose, damage, damage, kill_compiler, plant])
    change(rng)
    # A relative path, which is not used, is not trusted either.
    done = run(task.words, with_cache(HOME if change is plant else HOME.resolve()))
    assert not RAN.exists(), "planted code was run"
    return done
