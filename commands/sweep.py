"""Several trainings by one command, one after the other: `train.py --sweep KEY=A,B,C`."""

import argparse
import itertools
import json
import logging
import random
import re
from collections.abc import Callable

from base import distributed
from base.config.overrides import Override
from base.run_folder import RunInUse
from base.stop_request import TrainingFailed
from commands.start import resolve_start
from utils import strict_json
from utils.checks import ConfigError, UserError

log = logging.getLogger(__name__)


def parse(text: str) -> list[Override]:
    """Parse the `KEY=A,B,C` of a --sweep; the values are JSON, or else strings.

    Raises:
        UserError: if it has another form.
    """
    key, _, values = text.partition("=")
    if not values:
        raise UserError(f"{text!r} is not KEY=A,B,C, like optimizer.args.lr=0.01,0.003")
    try:
        each = [json.dumps(value) for value in strict_json.loads(f"[{values}]")]
    except strict_json.NotJSON:
        each = values.split(",")
    return [Override("--sweep", key, one) for one in each]


def train_all(arguments: argparse.Namespace, train: Callable[[argparse.Namespace], int]) -> int:
    """Start or go on with each run of a sweep, and return the exit status.

    All runs are checked before the first is made. A run that fails does not keep those after it
    from being made; a signal does. One that another process is at is left to that.

    Args:
        arguments: of the command line.
        train: makes a run, and returns its exit status.

    Raises:
        ConfigError: naming all faults of all runs.
        TrainingFailed: naming the runs that failed, in the end.
    """
    each, faults, failed = runs(arguments), {}, []
    for one in each:
        try:
            resolve_start(one).model_on_meta()
        except ConfigError as error:
            faults |= {str(fault): fault for fault in error.faults}
    if faults:
        raise ConfigError(arguments.config, list(faults.values()))
    for number, one in enumerate(each, start=1):
        log.info("run %d of %d: %s", number, len(each), one.run_id)
        try:
            if status := train(one):
                return status
        except RunInUse as error:
            log.info("%s", error)
        except (UserError, TrainingFailed) as error:
            failed.append(one.run_id)
            if distributed.claim_message(f"{one.run_id}: {error}"):
                log.error("%s: %s", one.run_id, error)
    if failed:
        raise TrainingFailed(f"{len(failed)} of {len(each)} runs failed: {', '.join(failed)}")
    return 0


def runs(arguments: argparse.Namespace) -> list[argparse.Namespace]:
    """Return the command lines of the runs of a sweep, each with an id that tells its values.

    Raises:
        UserError: if a key is swept twice or set otherwise, or two runs would have the same id.
    """
    keys = [values[0].key for values in arguments.sweeps]
    for key, other in itertools.product(keys, arguments.overrides):
        if f"{other.key}.".startswith(f"{key}."):
            raise UserError(f"{other.option} sets {other.key}, and --sweep {key}: leave out one")
    short = [key.rpartition(".")[2] for key in keys]
    found: dict[str, argparse.Namespace] = {}
    for values in itertools.product(*arguments.sweeps):
        parts = [arguments.run_id] if arguments.run_id else []
        for name, value in zip(short, values, strict=True):
            parts.append(f"{name if short.count(name) == 1 else value.key}-{value.text}")
        run_id = re.sub(r"[^\w.-]+", "-", "_".join(parts).replace('"', ""))
        if run_id in found or len({*keys}) < len(keys):
            raise UserError(f"--sweep: each key once, and each value once; see {run_id}")
        own = {"run_id": run_id, "start_or_resume": True}
        own["overrides"] = [*arguments.overrides, *values]
        found[run_id] = argparse.Namespace(**vars(arguments) | own)
    each = list(found.values())
    if (count := arguments.sweep_random or len(each)) < len(each):
        each = random.Random(arguments.sweep_seed).sample(each, count)
    return each
