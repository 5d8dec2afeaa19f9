"""Records of runs, read from the runs' folders, and means over seeds.

This module does not import torch, which is slow, so that a list of runs appears at once.
"""

import logging
import math
import statistics
from collections import ChainMap, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import product
from operator import itemgetter
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from logger.metrics_csv import read_rows
from utils import strict_json
from utils.checks import first_line
from utils.strict_json import Config, children, nested

log = logging.getLogger(__name__)

SEED = "trainer.args.seed"
DEPTHS = ("", "*/", "*/*/", "*/*/*/")
"""Patterns of the folders of runs, relative to `saved` or to a folder within it."""
Run = ChainMap[str, Any]
"""A run, or the mean of several runs. The first map has values by column; for a mean, `NAME_std` is
the standard deviation of NAME. The second map has the config by dotted key."""


def read_runs(folders: Sequence[str]) -> Iterator[Run]:
    """Yield each run in `folders` once; warn of a run that cannot be read."""
    by_real_path: dict[Path, Path] = {}
    for folder, depth in product(map(Path, folders), DEPTHS):
        for config in sorted(folder.glob(f"{depth}config.json")):
            by_real_path[config.parent.resolve()] = config.parent
    for folder in by_real_path.values():
        try:
            yield read_run(folder)
        except Exception as error:  # Files of these names may hold anything.
            cause = first_line(error)
            log.warning("%s: left out, its record cannot be read: %s", folder, cause)


def read_run(folder: Path) -> Run:
    """Return the run in a folder."""
    values_of_config = nested(strict_json.read(folder / "config.json"))
    config: Config = {key: value for key, value in values_of_config if not children(value)}
    record = children(strict_json.read(folder / "run.json"))
    config.setdefault(SEED, record["seed"])  # A config may lack it.
    starts = record["runs"]
    monitor = config.get("trainer.args.monitor")
    table = folder / "metrics.csv"
    epochs = [finite_numbers(row) for row in read_rows(table)] if table.exists() else []
    num_complete = int(epochs[-1]["epoch"]) if epochs else 0
    is_partial = num_complete < config["trainer.args.epochs"]
    assumed_end = {"state": "stopped", "reason": "killed"} if is_partial else {"state": "finished"}
    ended = {"reason": "", **starts[-1].get("ended", assumed_end)}
    held = is_held(folder / "run.lock")
    values = {
        "run": f"{record['name']}/{record['run_id']}",
        "state": "running" if held else ended["state"],
        "reason": "" if held else ended["reason"],
        "epochs": num_complete,
        "planned": config["trainer.args.epochs"],
        "monitor": monitor,
        "time": sum(seconds(start, folder / "train.log") for start in starts),
        "started": starts[0]["started"],
        "folder": str(folder),
    }
    row = epochs[-1] if epochs else {}
    if monitor is not None:
        mode, _, name = monitor.partition(" ")
        best_of = min if mode == "min" else max
        with_value = [epoch for epoch in epochs if name in epoch]
        row = best_of(with_value, key=itemgetter(name), default={})
        if row:
            values |= {"best": row[name], "best_epoch": int(row["epoch"])}
    values |= {name: value for name, value in row.items() if name not in ("epoch", "step")}
    # A later evaluation of a split takes the place of the earlier one.
    for path in sorted(folder.glob("evaluations/*.json"), key=lambda path: path.stat().st_mtime):
        scores = children(strict_json.read(path))
        split = scores["split"]
        overrides = scores.pop("options").get("overrides", [])
        if not any(option == "-o" for option, *_ in overrides):  # -o may name other data.
            values |= {f"{split}.{name}": value for name, value in finite_numbers(scores).items()}
            values[f"{split}.checkpoint"] = Path(scores["checkpoint"]).name
    return Run(values, config)


def finite_numbers(values: dict[str, Any]) -> dict[str, float]:
    """Return the finite numbers in a row of a table, or in a record, by dotted name."""
    numbers = {}
    for name, value in nested(values):
        if isinstance(value, int | float | str):
            with suppress(ValueError):
                numbers[name] = float(value)
    return {name: number for name, number in numbers.items() if math.isfinite(number)}


def seconds(start: dict[str, Any], log: Path) -> float:
    """Return the seconds from a start of a run to its recorded end, or else to the last message."""
    started = datetime.fromisoformat(start["started"]).timestamp()
    if "ended" in start:
        return datetime.fromisoformat(start["ended"]["time"]).timestamp() - started
    return max(0.0, log.stat().st_mtime - started) if log.exists() else 0.0


def is_held(lock: Path) -> bool:
    """Return whether a process holds the run with the lock file `lock`."""
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0.1):  # A free lock is taken at once.
            return False
    except Timeout:
        return True
    except OSError:  # in another user's folder, where the lock cannot be opened
        return False


def seed_means(runs: Sequence[Run]) -> Iterator[Run]:
    """Yield the mean of each group of finished runs that differ only in the seed of training."""
    groups: defaultdict[str, dict[int, Run]] = defaultdict(dict)
    for run in runs:
        if run["state"] == "finished":
            settings = sorted((key, repr(run.get(key))) for key in run.maps[1].keys() - {SEED})
            groups[repr(settings)][run[SEED]] = run
    for by_seed in groups.values():
        members = list(by_seed.values())
        if len(members) < 2:
            continue
        first = members[0]
        seeds = ", ".join(map(str, sorted(by_seed)))
        values: dict[str, Any] = {"run": f"{first.get('name')}: {len(members)} seeds"}
        values |= {"state": "mean", "n": len(members), "monitor": first.get("monitor")}
        for name, value in first.maps[0].items():
            numbers = [run[name] for run in members if run.get(name) is not None]
            if isinstance(value, float) and len(numbers) == len(members):
                values[name] = statistics.fmean(numbers)
                values[f"{name}_std"] = statistics.stdev(numbers)
        yield Run(values, {**first.maps[1], SEED: seeds})
