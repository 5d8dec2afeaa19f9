"""Records of runs, read from the runs' folders, and means over seeds.

Does not import torch, so that a list of runs is there at once.
"""

import math
import statistics
import sys
from collections import ChainMap, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from logger.metrics_csv import read_rows
from utils import strict_json
from utils.checks import first_line, for_terminal
from utils.strict_json import children, nested

SEED = "trainer.args.seed"
DEPTHS = ("", "*/", "*/*/", "*/*/*/")
"""Patterns of the folders of runs below `saved`, or below a folder within it."""
Run = ChainMap[str, Any]
"""A run, or the mean of several: values by column (a mean has the standard deviation of NAME as
`NAME_std`), then the config by dotted key."""


def read_runs(folders: Sequence[str]) -> Iterator[Run]:
    """Yield the runs in folders, each once; one that cannot be read costs a warning."""
    by_path: dict[Path, Path] = {}
    for folder, depth in product(map(Path, folders), DEPTHS):
        for config in sorted(folder.glob(f"{depth}config.json")):
            by_path[config.parent.resolve()] = config.parent
    for folder in by_path.values():
        try:
            yield read_run(folder)
        except Exception as error:  # Files of these names may hold anything.
            message = f"{folder}: left out, its record cannot be read: {first_line(error)}"
            print(f"warning: {for_terminal(message)}", file=sys.stderr)


def read_run(folder: Path) -> Run:
    """Return the run in a folder."""
    config = strict_json.read(folder / "config.json")
    config = {key: value for key, value in nested(config) if not children(value)}
    record = strict_json.read(folder / "run.json")
    config.setdefault(SEED, record["seed"])  # Older runs of a user's trainer lack it.
    starts = record["runs"]
    rule, table = config.get("trainer.args.monitor"), folder / "metrics.csv"
    epochs = [finite_numbers(row) for row in read_rows(table)] if table.exists() else []
    done = int(epochs[-1]["epoch"]) if epochs else 0
    killed = done < config["trainer.args.epochs"]
    unrecorded = {"state": "stopped", "reason": "killed"} if killed else {"state": "finished"}
    ended = {"reason": "", **starts[-1].get("ended", unrecorded)}
    held = is_held(folder / "run.lock")
    values = {
        "run": f"{record['name']}/{record['run_id']}",
        "state": "running" if held else ended["state"],
        "reason": "" if held else ended["reason"],
        "epochs": done,
        "planned": config["trainer.args.epochs"],
        "monitor": rule,
        "time": sum(seconds(start, folder / "train.log") for start in starts),
        "started": starts[0]["started"],
        "folder": str(folder),
    }
    shown = epochs[-1] if epochs else {}
    if rule is not None:
        mode, _, name = rule.partition(" ")
        judged = [row for row in epochs if name in row]
        shown = (min if mode == "min" else max)(judged, key=lambda row: row[name], default={})
        if shown:
            values |= {"best": shown[name], "best_epoch": int(shown["epoch"])}
    values |= {name: value for name, value in shown.items() if name not in ("epoch", "step")}
    for path in sorted(folder.glob("evaluations/*.json"), key=lambda path: path.stat().st_mtime):
        scores = strict_json.read(path)
        split, overrides = scores["split"], scores.pop("options").get("overrides", [])
        if not any(option == "-o" for option, *_ in overrides):  # of unchanged data
            values |= {f"{split}.{name}": value for name, value in finite_numbers(scores).items()}
            values[f"{split}.checkpoint"] = Path(scores["checkpoint"]).name
    return Run(values, config)


def finite_numbers(values: dict[str, Any]) -> dict[str, float]:
    """Return the finite numbers in a row of a table, or in a record, by dotted name."""
    numbers = {}
    for name, value in nested(values):
        with suppress(TypeError, ValueError):
            numbers[name] = float(value)
    return {name: number for name, number in numbers.items() if math.isfinite(number)}


def seconds(start: dict[str, Any], log: Path) -> float:
    """Return the duration of a start of a run: up to its last message, if no end is recorded."""
    begun = datetime.fromisoformat(start["started"]).timestamp()
    if "ended" in start:
        return datetime.fromisoformat(start["ended"]["time"]).timestamp() - begun
    return max(0.0, log.stat().st_mtime - begun) if log.exists() else 0.0


def is_held(lock: Path) -> bool:
    """Return whether a process trains in the run of a lock."""
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0.1):
            return False
    except Timeout:
        return True
    except OSError:  # in another user's folder, where the lock cannot be opened
        return False


def seed_means(runs: Sequence[Run]) -> Iterator[Run]:
    """Yield the mean of finished runs that differ in nothing but the seed of the training."""
    groups: defaultdict[str, dict[int, Run]] = defaultdict(dict)
    for run in runs:
        if run["state"] == "finished":
            settings = sorted((key, repr(run.get(key))) for key in run.maps[1].keys() - {SEED})
            groups[repr(settings)][run.get(SEED)] = run
    for by_seed in groups.values():
        members = list(by_seed.values())
        if len(members) < 2:
            continue
        first, seeds = members[0], ", ".join(map(str, sorted(by_seed)))
        values = {"run": f"{first.get('name')}: {len(members)} seeds", "state": "mean"}
        values |= {"n": len(members), "monitor": first.get("monitor")}
        for name, value in first.maps[0].items():
            numbers = [run.get(name) for run in members]
            if isinstance(value, float) and None not in numbers:
                values[name] = statistics.fmean(numbers)
                values[f"{name}_std"] = statistics.stdev(numbers)
        yield Run(values, first.maps[1] | {SEED: seeds})
