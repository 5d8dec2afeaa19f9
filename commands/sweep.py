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
    return [Override("--sweep", key, value) for value in each]


def train_all(arguments: argparse.Namespace, train: Callable[[argparse.Namespace], int]) -> int:
    """Start or go on with each run of a sweep, and return the exit status.

    All runs are checked before the first begins. The sweep goes on after a run that fails, but ends
    with a signal. A run that another process holds is left to that process.

    Args:
        arguments: of the command line.
        train: makes a run, and returns its exit status.

    Raises:
        ConfigError: naming all faults of all runs.
        TrainingFailed: naming the runs that failed, in the end.
    """
    each, faults, failed = runs(arguments), {}, []
    for run in each:
        try:
            resolve_start(run).model_on_meta()
        except ConfigError as error:
            faults |= {str(fault): fault for fault in error.faults}
    if faults:
        raise ConfigError(arguments.config, list(faults.values()))
    for number, run in enumerate(each, start=1):
        log.info("run %d of %d: %s", number, len(each), run.run_id)
        try:
            if status := train(run):
                return status
        except RunInUse as error:
            log.info("%s", error)
        except (UserError, TrainingFailed) as error:
            failed.append(run.run_id)
            if distributed.claim_message(f"{run.run_id}: {error}"):
                log.error("%s: %s", run.run_id, error)
    if failed:
        raise TrainingFailed(f"{len(failed)} of {len(each)} runs failed: {', '.join(failed)}")
    return 0


def runs(arguments: argparse.Namespace) -> list[argparse.Namespace]:
    """Return the command lines of the runs of a sweep, with the values in the run's ids.

    Raises:
        UserError: if a key is swept twice or set otherwise, or two runs would have the same id.
    """
    keys = [values[0].key for values in arguments.sweeps]
    for key, other in itertools.product(keys, arguments.overrides):
        if f"{other.key}.".startswith(f"{key}."):
            raise UserError(f"{other.option} sets {other.key}, and --sweep {key}: leave out one")
    short = [key.rpartition(".")[2] for key in keys]
    by_id: dict[str, argparse.Namespace] = {}
    for values in itertools.product(*arguments.sweeps):
        parts = [arguments.run_id] if arguments.run_id else []
        for name, value in zip(short, values, strict=True):
            parts.append(f"{name if short.count(name) == 1 else value.key}-{value.text}")
        run_id = re.sub(r"[^\w.-]+", "-", "_".join(parts).replace('"', ""))
        if run_id in by_id or len({*keys}) < len(keys):
            raise UserError(f"--sweep: each key once, and each value once; see {run_id}")
        changes = {"run_id": run_id, "start_or_resume": True}
        changes["overrides"] = [*arguments.overrides, *values]
        by_id[run_id] = argparse.Namespace(**vars(arguments) | changes)
    each = list(by_id.values())
    if (count := arguments.sweep_random or len(each)) < len(each):
        each = random.Random(arguments.sweep_seed).sample(each, count)
    return each
