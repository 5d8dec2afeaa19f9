"""Several trainings by one command, in turn: `train.py --sweep KEY=A,B,C`."""

import itertools
import json
import logging
import random
import re
from collections.abc import Callable
from dataclasses import replace

from base import distributed
from base.run.run_folder import RunInUse
from commands.train.options import Request
from commands.train.start import resolve_start
from utils.checks import TrainingFailed, UserError, listed

log = logging.getLogger(__name__)


def train_all(request: Request, train: Callable[[Request], int]) -> int:
    """Start or resume each run of a sweep, and return the exit status.

    All runs are checked before the first run begins. The sweep goes on after a run fails; it ends
    after a run that a signal stops. A run that another process holds is skipped.

    Args:
        request: the values of the command line.
        train: trains a run, and returns the exit status.

    Raises:
        UserError: if configs have faults; names the faults of each such config once.
        TrainingFailed: after the last run; names the runs that failed.
    """
    all_runs = runs(request)
    failed, refused = [], {}
    for run in all_runs:
        try:
            resolve_start(run)
        except UserError as error:
            refused.setdefault(str(error), error)
    if len(refused) > 1:
        raise UserError(listed("--sweep", [*refused]))
    for error in refused.values():
        raise error
    for number, run in enumerate(all_runs, start=1):
        log.info("run %d of %d: %s", number, len(all_runs), run.run_id)
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
        raise TrainingFailed(f"{len(failed)} of {len(all_runs)} runs failed: {', '.join(failed)}")
    return 0


def runs(request: Request) -> list[Request]:
    """Return the request of each run of a sweep; a run's id contains the run's values.

    Raises:
        UserError: if a key is swept twice, or two runs would share an id.
    """
    keys = [values[0].key for values in request.sweeps]
    last_names = [key.rpartition(".")[2] for key in keys]
    by_id: dict[str, Request] = {}
    for values in itertools.product(*request.sweeps):
        parts = [request.run_id] if request.run_id else []
        for name, (_, key, value) in zip(last_names, values, strict=True):
            text = json.dumps(value, ensure_ascii=False)
            parts.append(f"{name if last_names.count(name) == 1 else key}-{text}")
        run_id = re.sub(r"[^\w.-]+", "-", "_".join(parts).replace('"', ""))
        if run_id in by_id or len({*keys}) < len(keys):
            raise UserError(f"--sweep: each key once, and each value once; see the run {run_id}")
        changes = {"run_id": run_id, "start_or_resume": True}
        changes["overrides"] = [*request.overrides, *values]
        by_id[run_id] = replace(request, **changes)
    all_runs = list(by_id.values())
    if (count := request.sweep_random or len(all_runs)) < len(all_runs):
        return random.Random(request.sweep_seed).sample(all_runs, count)
    return all_runs
