"""Compare runs: how far they came, in which settings they differ, and what came out."""

import argparse
import csv
import json
import math
import statistics
import sys
from collections import ChainMap, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from commands.options import MAIN_SCORES, Parser, print_table
from logger.metrics_csv import read_rows
from utils import strict_json
from utils.checks import UserError, first_line, for_terminal, hint
from utils.override import children, nested

SEED = "trainer.args.seed"
FIRST, LAST = ("run", "state", "epochs"), ("best", "best_epoch", "time")
"""Columns of the table before and after the keys in which the runs differ."""
MAX_KEYS, MAX_WIDTH = 8, 24
"""Keys of the config that the table has, and characters of a value there (assumed)."""
Run = ChainMap[str, Any]
"""A run, or the mean of several: values by column (a mean has the standard deviation of NAME as
`NAME_std`), then the config by dotted key."""


def add_options(parser: Parser) -> None:
    where = "with runs: saved, saved/models/NAME, or that of one run (default: saved)"
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help=where)
    parser.add_argument(
        "--sort",
        metavar="COLUMN",
        help="a column, a key of the config such as lr, or a value of metrics.csv or of an "
        "evaluation, such as valid_cer or test.cer; the smallest first, but of `best` the best "
        "(default: the order in which they were started)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print all values, as JSON")
    form.add_argument("--csv", action="store_true", help="print all values, as CSV")


def run(arguments: argparse.Namespace) -> None:
    folders = arguments.folders or ["saved"]
    if missing := [one for one in folders if not Path(one).is_dir()]:
        raise UserError(f"{missing[0]!r}: there is no such folder")
    runs = sorted(read_all(folders), key=itemgetter("started"))
    if not runs:
        raise UserError(f"{', '.join(folders)}: no run there, such as saved/models/NAME/RUN_ID")
    hidden = ("name", "trainer.args.epochs")  # as they are columns of their own
    keys = list(dict.fromkeys(key for one in runs for key in one.maps[1] if key not in hidden))
    different = [key for key in keys if differ(key, runs)]
    means, column = list(seed_means(runs)), arguments.sort
    if column:
        names = dict.fromkeys(name for one in (*runs, *means) for name in one.maps[0])
        column = column_of(column, [*names, *different], keys)
        runs, means = (ordered(part, column) for part in (runs, means))
    rows = [one.maps[0] | {key: one.get(key) for key in different} for one in (*runs, *means)]
    if arguments.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif arguments.csv:
        columns = dict.fromkeys(name for row in rows for name in row)
        writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        show([*runs, *means], different, column)


def differ(key: str, runs: Sequence[Run]) -> bool:
    """Return whether runs differ in a key of the config."""
    return len({repr(one.get(key)) for one in runs}) > 1


def show(runs: Sequence[Run], different: Sequence[str], column: str | None) -> None:
    """Print runs as a table, with the keys that are `different` and a further column."""
    # First those in which runs of one experiment differ.
    experiments = defaultdict(list)
    for one in runs:
        experiments[one["name"]].append(one)
    varied = [key for key in different if any(differ(key, own) for own in experiments.values())]
    keys = list(dict.fromkeys([*varied, *different]))[:MAX_KEYS]
    names = [name for one in runs for name in one.maps[0]]
    scores = [name for name in names if name.partition(".")[2] in MAIN_SCORES]
    columns = dict.fromkeys([*FIRST, *keys, *LAST, *scores, *([column] if column else [])])
    print_table([{short(name, different): shown(one, name) for name in columns} for one in runs])
    if rules := {one.get("monitor") for one in runs} - {None}:
        print(f"best: {' or '.join(sorted(rules))}")
    if others := [short(key, different) for key in different if key not in keys]:
        print(f"they also differ in {len(others)} more keys, see --csv: {', '.join(others)[:200]}")


def shown(one: Run, name: str) -> str:
    """Return a value as the table has it."""
    value, spread = one.get(name), one.get(f"{name}_std")
    if value is None or name == "run":
        return value or ""
    if name == "epochs":
        return f"{value}/{one.get('planned')}"
    if name == "time":
        return str(timedelta(seconds=round(value)))
    text = f"{value:.5g}" if isinstance(value, float) else f"{value!s:.{MAX_WIDTH}}"
    return text if spread is None else f"{text} ± {spread:.2g}"


def short(key: str, keys: Sequence[str]) -> str:
    """Return the shortest end of a dotted key that no other one, and no column, has."""
    parts = key.split(".")
    ends = [".".join(parts[n:]) for n in range(len(parts) - 1, 0, -1)] if key in keys else []
    taken = [f".{other}" for other in (*FIRST, *LAST, *keys) if other != key]
    return next((end for end in ends if not any(one.endswith(f".{end}") for one in taken)), key)


def column_of(name: str, columns: Sequence[str], keys: Sequence[str]) -> str:
    """Return the column, or else the key of the config, that is called so or alone ends so."""
    every = [*columns, *keys]
    found = [name] if name in every else [one for one in columns if one.endswith(f".{name}")]
    found = found or [one for one in keys if one.endswith(f".{name}")]
    if len(found) != 1:
        which = f"; there are {', '.join(found)}" if found else hint(name, every)
        raise UserError(f"--sort {name}: no such column{which}")
    return found[0]


def ordered(runs: Sequence[Run], column: str) -> list[Run]:
    """Return runs in the order of a column: numbers, then texts, then those without a value."""

    def place(one: Run) -> tuple[int, float, str]:
        value = one.get(column)
        if not isinstance(value, int | float):
            return (2, 0.0, "") if value is None else (1, 0.0, str(value))
        largest_first = column == "best" and one["monitor"].startswith("max")
        return (0, -value if largest_first else value, "")

    return sorted(runs, key=place)


def seed_means(runs: Sequence[Run]) -> Iterator[Run]:
    """Yield the mean of finished runs that differ in nothing but the seed of the training."""
    groups: defaultdict[str, dict[int, Run]] = defaultdict(dict)
    for one in runs:
        if one["state"] == "finished":
            same = sorted((key, repr(one.get(key))) for key in one.maps[1].keys() - {SEED})
            groups[repr(same)][one.get(SEED)] = one
    for by_seed in groups.values():
        members = list(by_seed.values())
        if len(members) < 2:
            continue
        first, seeds = members[0], ", ".join(map(str, sorted(by_seed)))
        values = {"run": f"{first.get('name')}: {len(members)} seeds", "state": "mean"}
        values |= {"n": len(members), "monitor": first.get("monitor")}
        for name, value in first.maps[0].items():
            found = [one.get(name) for one in members]
            if isinstance(value, float) and None not in found:
                values |= {name: statistics.fmean(found), f"{name}_std": statistics.stdev(found)}
        yield Run(values, first.maps[1] | {SEED: seeds})


# Reading


def read_all(folders: Sequence[str]) -> Iterator[Run]:
    """Yield the runs in folders, each once; one that cannot be read costs a warning."""
    found = {
        config.parent.resolve(): config.parent
        for folder in map(Path, folders)
        for depth in ("", "*/", "*/*/", "*/*/*/")
        for config in sorted(folder.glob(f"{depth}config.json"))
    }
    for folder in found.values():
        try:
            yield read(folder)
        except Exception as error:  # whatever may be in files of these names
            message = f"{folder}: left out, its record cannot be read: {first_line(error)}"
            print(f"warning: {for_terminal(message)}", file=sys.stderr)


def read(folder: Path) -> Run:
    """Return the run in a folder."""
    config = strict_json.read(folder / "config.json")
    config = {key: value for key, value in nested(config) if not children(value)}
    record = strict_json.read(folder / "run.json")
    config.setdefault(SEED, record["seed"])  # Older ones of a trainer of one's own lack it.
    starts = record["runs"]
    rule, table = config.get("trainer.args.monitor"), folder / "metrics.csv"
    epochs = [numbers(row) for row in read_rows(table)] if table.exists() else []
    done = int(epochs[-1]["epoch"]) if epochs else 0
    killed = done < config["trainer.args.epochs"]
    unrecorded = ("stopped", "killed") if killed else ("finished", "")
    ended = starts[-1].get("ended", dict(zip(("state", "reason"), unrecorded, strict=True)))
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
        found = strict_json.read(path)
        split, given = found["split"], found.pop("options").get("overrides", [])
        if not any(option == "-o" for option, *_ in given):  # of the data as they are
            values |= {f"{split}.{name}": value for name, value in numbers(found).items()}
            values[f"{split}.checkpoint"] = Path(found["checkpoint"]).name
    return Run(values, config)


def numbers(values: dict[str, Any]) -> dict[str, float]:
    """Return what is a finite number in a row of a table, or a record, by dotted name."""
    found = {}
    for name, value in nested(values):
        with suppress(TypeError, ValueError):
            found[name] = float(value)
    return {name: value for name, value in found.items() if math.isfinite(value)}


def seconds(start: dict[str, Any], log: Path) -> float:
    """Return how long a start of a run took: if it left no end, until its last message."""
    begun = datetime.fromisoformat(start["started"]).timestamp()
    if "ended" in start:
        return datetime.fromisoformat(start["ended"]["time"]).timestamp() - begun
    return max(0.0, log.stat().st_mtime - begun) if log.exists() else 0.0


def is_held(lock: Path) -> bool:
    """Return whether a process trains in the run of a lock; whoever takes it meanwhile waits."""
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0.1):
            return False
    except Timeout:
        return True
    except OSError:  # a folder of others, where the lock cannot be opened
        return False
