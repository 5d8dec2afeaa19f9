"""Compare runs: their progress, the settings in which they differ, and their scores."""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from operator import itemgetter
from pathlib import Path

from base.run_records import Run, read_runs, seed_means
from commands.options import MAIN_SCORES, Parser, print_table
from utils.checks import UserError

FIRST = ("run", "state", "epochs")
"""Columns of the table before the keys in which the runs differ."""
LAST = ("best", "best_epoch", "time")
"""Columns of the table after the keys in which the runs differ."""
MAX_KEYS = 8
"""Largest number of keys of the config in the table (assumed)."""
MAX_WIDTH = 24
"""Largest number of characters of a value in the table (assumed)."""


def add_options(parser: Parser) -> None:
    where = "folder of runs: saved, saved/models/NAME, or that of one run (default: saved)"
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help=where)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print all values, as JSON")
    form.add_argument("--csv", action="store_true", help="print all values, as CSV")


def run(arguments: argparse.Namespace) -> None:
    folders = arguments.folders or ["saved"]
    if missing := [folder for folder in folders if not Path(folder).is_dir()]:
        raise UserError(f"{missing[0]!r}: there is no such folder")
    runs = sorted(read_runs(folders), key=itemgetter("started"))
    if not runs:
        raise UserError(f"{', '.join(folders)}: no run there, such as saved/models/NAME/RUN_ID")
    hidden = ("name", "trainer.args.epochs")  # The columns `run` and `epochs` show these keys.
    keys = dict.fromkeys(key for run in runs for key in run.maps[1] if key not in hidden)
    different = [key for key in keys if len({repr(run.get(key)) for run in runs}) > 1]
    listed = [*runs, *seed_means(runs)]
    rows = [run.maps[0] | {key: run.get(key) for key in different} for run in listed]
    if arguments.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif arguments.csv:
        columns = dict.fromkeys(name for row in rows for name in row)
        writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        show(listed, different)


def show(runs: Sequence[Run], different: Sequence[str]) -> None:
    """Print runs as a table, with the keys in `different`."""
    keys = different[:MAX_KEYS]
    names = [name for run in runs for name in run.maps[0]]
    scores = [name for name in names if name.partition(".")[2] in MAIN_SCORES]
    columns = dict.fromkeys([*FIRST, *keys, *LAST, *scores])
    print_table([{short(name, different): shown(run, name) for name in columns} for run in runs])
    if rules := {run.get("monitor") for run in runs} - {None}:
        print(f"best: {' or '.join(sorted(rules))}")
    if others := [short(key, different) for key in different[MAX_KEYS:]]:
        print(f"they also differ in {len(others)} more keys, see --csv: {', '.join(others)[:200]}")


def shown(run: Run, name: str) -> str:
    """Return a value in the form of the table."""
    value, spread = run.get(name), run.get(f"{name}_std")
    if value is None or name == "run":
        return value or ""
    if name == "epochs":
        return f"{value}/{run.get('planned')}"
    if name == "time":
        return str(timedelta(seconds=round(value)))
    text = f"{value:.5g}" if isinstance(value, float) else f"{value!s:.{MAX_WIDTH}}"
    return text if spread is None else f"{text} ± {spread:.2g}"


def short(key: str, keys: Sequence[str]) -> str:
    """Return the shortest end of a dotted key that no other key and no other column shares."""
    dotted_names = [f".{name}" for name in (*FIRST, *LAST, *keys) if name != key]
    parts = key.split(".") if key in keys else []
    for start in range(len(parts) - 1, 0, -1):
        end = ".".join(parts[start:])
        if not any(name.endswith(f".{end}") for name in dotted_names):
            return end
    return key
