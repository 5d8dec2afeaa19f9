"""Compare runs: their progress, the settings in which they differ, and their scores."""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from operator import itemgetter
from pathlib import Path

from base.run.run_records import Run, read_runs, seed_means
from commands.shared.network_options import MAIN_SCORES, print_table
from commands.shared.options import Parser
from utils.checks import UserError, visible

# Columns of the table on both sides of the keys in which the runs differ.
LEFT_COLUMNS = ("run", "state", "epochs")
RIGHT_COLUMNS = ("best", "best_epoch", "time")
MAX_KEYS = 8  # keys of the config in the table (assumed)
MAX_VALUE_WIDTH = 24  # characters of a value in the table (assumed)


def add_options(parser: Parser) -> None:
    folder = "folder of a run, or of several: saved or saved/models/NAME (default: saved)"
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help=folder)
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
    different = []
    for key in keys:
        values = {repr(run.get(key)) for run in runs}
        if len(values) > 1:
            different.append(key)
    listed = [*runs, *seed_means(runs)]
    rows = []
    for run in listed:
        settings = {key: run.get(key) for key in different}
        rows.append(run.maps[0] | settings)
    if arguments.json:
        text = json.dumps(rows, indent=2, ensure_ascii=False)
        print(*map(visible, text.split("\n")), sep="\n")
    elif arguments.csv:
        columns = dict.fromkeys(name for row in rows for name in row)
        writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            texts = {name: visible(value) for name, value in row.items() if isinstance(value, str)}
            writer.writerow(row | texts)
    else:
        show(listed, different)


def show(runs: Sequence[Run], different: Sequence[str]) -> None:
    """Print runs as a table, with `different`: the keys in which they differ."""
    keys = different[:MAX_KEYS]
    names = [name for run in runs for name in run.maps[0]]
    scores = [name for name in names if name.partition(".")[2] in MAIN_SCORES]  # SPLIT.SCORE
    columns = dict.fromkeys([*LEFT_COLUMNS, *keys, *RIGHT_COLUMNS, *scores])
    rows = []
    for run in runs:
        rows.append({short(name, different): shown(run, name) for name in columns})
    print_table(rows)
    if rules := {run.get("monitor") for run in runs} - {None}:
        print(f"best: {visible(' or '.join(sorted(rules)))}")
    if others := [short(key, different) for key in different[MAX_KEYS:]]:
        shown_keys = visible(", ".join(others)[:200])
        print(f"the runs differ in {len(others)} more keys (see --csv): {shown_keys}")


def shown(run: Run, name: str) -> str:
    """Return a value of a run as a text of the table."""
    value = run.get(name)
    spread = run.get(f"{name}_std")
    if value is None or name == "run":
        return value or ""
    if name == "epochs":
        return f"{value}/{run.get('planned')}"
    if name == "time":
        return str(timedelta(seconds=round(value)))
    text = f"{value:.5g}" if isinstance(value, float) else f"{value!s:.{MAX_VALUE_WIDTH}}"
    return text if spread is None else f"{text} ± {spread:.2g}"


def short(key: str, keys: Sequence[str]) -> str:
    """Return the shortest end of a dotted key that is an end of no other key and of no column."""
    dotted_names = [f".{name}" for name in (*LEFT_COLUMNS, *RIGHT_COLUMNS, *keys) if name != key]
    parts = key.split(".") if key in keys else []
    for start in range(len(parts) - 1, 0, -1):
        end = ".".join(parts[start:])
        if not any(name.endswith(f".{end}") for name in dotted_names):
            return end
    return key
