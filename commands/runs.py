"""Compare runs: how far they came, in which settings they differ, and what came out."""

import argparse
import csv
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from operator import itemgetter
from pathlib import Path

from base.run_records import Run, read_runs, seed_means
from commands.options import MAIN_SCORES, Parser, print_table
from utils.checks import UserError

FIRST, LAST = ("run", "state", "epochs"), ("best", "best_epoch", "time")
"""Columns of the table before and after the keys in which the runs differ."""
MAX_KEYS, MAX_WIDTH = 8, 24
"""Keys of the config that the table has, and characters of a value there (assumed)."""


def add_options(parser: Parser) -> None:
    where = "folder of runs: saved, saved/models/NAME, or that of one run (default: saved)"
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help=where)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print all values, as JSON")
    form.add_argument("--csv", action="store_true", help="print all values, as CSV")


def run(arguments: argparse.Namespace) -> None:
    folders = arguments.folders or ["saved"]
    if missing := [one for one in folders if not Path(one).is_dir()]:
        raise UserError(f"{missing[0]!r}: there is no such folder")
    runs = sorted(read_runs(folders), key=itemgetter("started"))
    if not runs:
        raise UserError(f"{', '.join(folders)}: no run there, such as saved/models/NAME/RUN_ID")
    hidden = ("name", "trainer.args.epochs")  # as they are columns of their own
    keys = list(dict.fromkeys(key for one in runs for key in one.maps[1] if key not in hidden))
    different = [key for key in keys if differ(key, runs)]
    means = list(seed_means(runs))
    rows = [one.maps[0] | {key: one.get(key) for key in different} for one in (*runs, *means)]
    if arguments.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif arguments.csv:
        columns = dict.fromkeys(name for row in rows for name in row)
        writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        show([*runs, *means], different)


def differ(key: str, runs: Sequence[Run]) -> bool:
    """Return whether runs differ in a key of the config."""
    return len({repr(one.get(key)) for one in runs}) > 1


def show(runs: Sequence[Run], different: Sequence[str]) -> None:
    """Print runs as a table, with the keys that are `different`."""
    # First those in which runs of one experiment differ.
    experiments = defaultdict(list)
    for one in runs:
        experiments[one["name"]].append(one)
    varied = [key for key in different if any(differ(key, own) for own in experiments.values())]
    keys = list(dict.fromkeys([*varied, *different]))[:MAX_KEYS]
    names = [name for one in runs for name in one.maps[0]]
    scores = [name for name in names if name.partition(".")[2] in MAIN_SCORES]
    columns = dict.fromkeys([*FIRST, *keys, *LAST, *scores])
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
