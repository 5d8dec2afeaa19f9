"""Tries the parts of a run in another process, in which texts have other hashes.

Python draws a seed for the hashes of texts in each process, unless `PYTHONHASHSEED` sets it. The
order of a set depends on the hashes. A part that depends on them is another part in a resumed run,
and wherever the trained network is used. So is one with a generator without a seed, which needs no
trial: it draws other numbers in each process.
"""

import ast
import json
import logging
import os
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from base import distributed
from base.config import user_modules
from base.run import provenance
from commands.train.start import Start
from utils.checks import first_of
from utils.program import process_of

log = logging.getLogger(__name__)

VARIABLE = "PYTHONHASHSEED"
OTHER_SEEDS = ("2718281828", "3141592653")
"""Hash seeds of the processes that repeat the trial. A process that has one of them starts no
further process, or else there would be no end."""
GENERATORS = {"default_rng", "Random", "RandomState", "SystemRandom", "SeedSequence"}
"""What draws its seed from the system if it is called without an argument."""
DRAWING = {"seed", "uuid4"}
"""What may do so, but often changes no step: a method of this name, or the name of a file."""
REPORT = "The digest of the weights after these steps is"
"""What `--check` prints before the digest."""


def uses_of_chance() -> tuple[list[str], list[str]]:
    """Return where the user's files make a generator without a seed, and where they use a hash, a
    set or what may draw: the files' names with a line."""
    unseeded, places = set(), set()
    for name, source in user_modules.sources().items():
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Name("hash" | "set" | "frozenset") | ast.Set() | ast.SetComp():
                    places.add((name, node.lineno))
                case ast.BinOp(ast.Call(ast.Attribute(attr="keys"))):
                    places.add((name, node.lineno))
                case ast.Call(ast.Name(called) | ast.Attribute(attr=called), [], []):
                    if called in GENERATORS:
                        unseeded.add((name, node.lineno))
                    elif called in DRAWING:
                        places.add((name, node.lineno))
    return _described(unseeded), _described(places)


def _described(places: Iterable[tuple[str, int]]) -> list[str]:
    return [f"{name}, line {line}" for name, line in sorted(places)]


def warn_of_hashes(start: Start, device: torch.device, digest: str) -> None:
    """Warn of generators without a seed in the files of a new run's parts; or else, if the parts
    make other steps in a process with another hash seed.

    Only parts whose files use hashes or sets are tried, as the other process loads all data, and
    none with several processes. It computes on the CPU, where equal steps are equal bit for bit; if
    the run does not, two processes are compared. A single other seed may leave a set of two or
    three in the same order.

    Args:
        start: the start of the run.
        device: the device of the run.
        digest: the result of `base.trial.contract.check` in this process.
    """
    unseeded, places = ([], []) if start.is_resumed else uses_of_chance()
    if unseeded:
        problem = "a generator without a seed draws other numbers in a resumed run: give it a seed"
        log.warning("%s: %s", first_of(unseeded), problem)
        return  # With it, steps would be others in another process, whatever the hashes are.
    if not places or distributed.world_size() > 1 or os.environ.get(VARIABLE) in OTHER_SEEDS:
        return
    log.info("trying the steps in another process, with other hashes")
    digests = {digest} if device.type == "cpu" else set()
    for seed in OTHER_SEEDS[: 2 - len(digests)]:
        done = _checked(start, seed)
        if done.returncode:
            log.info("no trial with other hashes: %s", done.stderr.strip()[-200:])
            return
        digests.add(done.stdout.partition(REPORT)[2].split()[0])
    if len(digests) > 1:
        log.warning(
            "steps are others in another process: they depend on hash() of a text, or on the order "
            "of a set (%s); use sorted() and zlib.crc32(), or start and resume with %s=0",
            *(first_of(places), VARIABLE),
        )


def warn_of_another_seed(versions: Mapping[str, str], source: Path) -> None:
    """Warn if this process has another hash seed than the one that wrote the checkpoint `source`
    with these `versions`. Seeds that Python draws are always others, and are not warned of."""
    present = provenance.versions()["hash_seed"]
    if (previous := versions.get("hash_seed", present)) != present:
        log.warning(
            "%s: made with %s=%s, and this process has %s: what depends on hash() of a text or on "
            "the order of a set is another",
            *(source, VARIABLE, previous, present),
        )


def _checked(start: Start, seed: str) -> "subprocess.CompletedProcess[str]":
    """Return the end of a process with a hash seed that checks the parts of a run on the CPU."""
    with TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(start.plan.given_config), "utf-8")
        words = ["-c", str(config), "--check", "-d", "cpu", *shlex.split(user_modules.options())]
        words += ["-r", str(start.checkpoint.path)] if start.checkpoint else []
        command, environment = process_of("train", *words)
        return subprocess.run(
            command,
            env=environment | {VARIABLE: seed},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
