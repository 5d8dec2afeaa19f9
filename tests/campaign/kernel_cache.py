"""Compiled kernels in a cache that was damaged, or that others could write: the ink is right, and
nothing runs but what this program compiled."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.campaign import use
from tests.campaign.damage import damaged
from tests.campaign.frame import Done, Family, Process, demand, once, run
from tests.campaign.tiny import check_tidy, check_went_well

CACHE = Path("cache/online-handwriting/kernels")
RAN = Path("planted-code-ran")
PLANTED = f"""
#include <stdio.h>
__attribute__((constructor)) void ran(void) {{ fclose(fopen("{RAN}", "w")); }}
"""
NOBODY = 65534
DRAWING = use.USES["draw"]


def draw(cache: str | Path) -> Done:
    """Draw with a cache."""
    home = Path("home").resolve()
    return run(DRAWING, environment={"XDG_CACHE_HOME": str(cache), "HOME": str(home)})


def plant() -> None:
    """Put other code in the place of what is in the cache, with its checksum."""

    def compile_it() -> None:
        Path("planted.c").write_text(PLANTED)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", "planted.so", "planted.c"], check=True)

    library = once("planted", compile_it)[0] / "planted.so"
    checksum = hashlib.sha256(library.read_bytes()).hexdigest()[:24]
    for kept in list(CACHE.glob("*.so")):
        name, _, _ = kept.stem.rpartition("-")
        kept.unlink()
        shutil.copy(library, kept.with_name(f"{name}-{checksum}.so"))
        kept.with_name(f"{name}-{checksum}.so").chmod(0o600)


def expose(rng: random.Random) -> None:
    """Plant code, where others could have done so."""
    plant()
    places = [CACHE, *CACHE.glob("*.so")]
    ways: list[Callable[[Path], None]] = [
        lambda place: place.chmod(0o777),
        lambda place: place.chmod(0o770),
        lambda place: CACHE.parents[1].chmod(0o777),
    ]
    if os.getuid() == 0:
        ways += [lambda place: os.chown(place, NOBODY, NOBODY)] * 2
    rng.choice(ways)(rng.choice(places))


def damage(rng: random.Random) -> None:
    """Damage what is in the cache."""
    for kept in CACHE.glob("*.so"):
        kept.write_bytes(damaged(rng, kept.read_bytes()))


def kill(rng: random.Random) -> None:
    """Kill a drawing while it compiles, or near that."""
    shutil.rmtree(CACHE)
    process = Process(DRAWING, environment={"XDG_CACHE_HOME": str(Path("cache").resolve())})
    process.wait_for(lambda: list(CACHE.glob(".*.tmp")))
    time.sleep(rng.uniform(0, 2))  # the processor's time is the compiler's
    process.send(signal.SIGKILL, all_of_them=True)
    process.wait()
    shutil.rmtree(use.OUT)
    use.OUT.mkdir()


def disturbed(rng: random.Random, folder: Path) -> None:
    """Draw with a cache of which something is wrong."""
    whole = use.used("draw")
    use.give()
    cache = CACHE.parents[1].resolve()
    draw(cache)
    shutil.rmtree(use.OUT)
    use.OUT.mkdir()
    how = rng.choice([expose, expose, damage, damage, kill, None])
    if how is not None:
        how(rng)
        done = draw(cache)
    else:
        plant()
        done = draw(os.path.relpath(cache))
    check_went_well(done, "drawn with it")
    demand(not RAN.exists(), "planted code was run")
    use.check_done(whole)
    check_tidy(folder)


FAMILIES = [Family("kernel cache", 24, disturbed)]
