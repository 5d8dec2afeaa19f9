"""The command line of `train.py`.

This module does not import torch, so that a fault of the command line is refused at once.
"""

import logging
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from base.config.values import EXAMPLE, Override, parse_override, read_config, typed_override
from base.run.pretrained import SAVED, pretrained, resolve_checkpoint
from commands.shared import options
from logger.logger import setup_logging
from utils import strict_json
from utils.checks import UserError, number
from utils.files import prepare_output
from utils.processes import MAX_WORKERS
from utils.program import PREFIX, typed
from utils.strict_json import Json

SHORTHANDS = {
    "--lr": ("optimizer.args.lr", "RATE", "learning rate", "0.001"),
    "--bs": ("data_loader.args.batch_size", "SIZE", "lines in a batch", "16"),
    "--epochs": ("trainer.args.epochs", "N", "epochs of the whole run", "20"),
    "--keep": (
        "data_loader.args.dataset.args.keep",
        "NAME,NAME",
        "lines of a hand that are learned from even if they are misread",
        "a.inkml",
    ),
    "--overfit": ("data_loader.args.overfit", "N", "train and validate on N samples only", "8"),
}
TEXT = "Train a network from a JSON config, or resume a run."
TRAIN = typed("train")
MODULE = f"-m {PREFIX}train" if PREFIX else "train.py"
EXAMPLES = f"""examples:
  {TRAIN} -c unconditional
  {TRAIN} -c conditional -d cuda --epochs 20 -o arch.args.hidden_size=64
  {TRAIN} -r saved/models/NAME/RUN_ID                  (resumes a run)
  {TRAIN} -c conditional -r CHECKPOINT                 (starts from its weights)
  {TRAIN} -c conditional --run-id a --start-or-resume  (in a job script)
  {TRAIN} -c my.json --prepare --workers 16            (reads the data)
  torchrun --nproc_per_node=4 {MODULE} -c conditional   (splits each batch over 4)
"""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a command line asks for: the values of its options, by their names."""

    config: str | None
    resume: str | None
    run_id: str | None
    start_or_resume: bool
    sweeps: Sequence[Sequence[Override]]
    sweep_random: int | None
    sweep_seed: int
    saved: Path
    prepare: bool
    workers: int
    part: tuple[int, int]
    check: bool
    overrides: Sequence[Override]
    device: str
    modules: Sequence[Path]

    @cached_property
    def config_values(self) -> tuple[Json, dict[str, str]]:
        """The values of the config, and the base of each, see `read_config`; read once."""
        return read_config(Path(str(self.config)))


def parsed(words: list[str] | None = None) -> Request:
    """Parse the command line `words`, or that of the process; end the process with status 2 if it
    has faults, or names no file.

    Of the processes that torchrun starts, the first alone names the fault.
    """
    setup_logging(logging.INFO if os.environ.get("RANK", "0") == "0" else logging.CRITICAL)
    try:
        request = parse(words)
        if request.config:
            _ = request.config_values  # refused at once if the file cannot be read
        if request.resume:
            resolve_checkpoint(request.resume)
        return request
    except UserError as error:
        logging.getLogger("train").error("%s", error)
        sys.exit(2)


def parse(words: list[str] | None = None) -> Request:
    """Parse the command line `words`, or that of the process."""
    parser = options.Parser(prog=TRAIN, description=TEXT, epilog=EXAMPLES)
    add = parser.add_argument
    add("-c", "--config", metavar="FILE", help="JSON config (default: that of -r)")
    add(
        *("-r", "--resume"),
        metavar="CHECKPOINT",
        help="resume the run of this folder or checkpoint, with its config; with -c, fine-tune: "
        "start a new run from the weights, with any config and data, and add missing "
        f"characters. Pretrained networks are {', '.join(pretrained())} (default: a new run)",
    )
    add("--run-id", metavar="ID", help="name of the run's folder (default: the current time)")
    start_or_resume = "resume the run of this --run-id and config if it exists, else start it "
    start_or_resume += "(default: an existing run is an error)"
    add("--start-or-resume", action="store_true", help=start_or_resume)
    _add_sweep(parser)
    saved = "folder in which a new run writes models/NAME/ID and log/NAME/ID (default: saved)"
    add("--saved", type=Path, default=SAVED, metavar="FOLDER", help=saved)
    prepare = "prepare the data, print the numbers of samples, and exit (default: train)"
    add("--prepare", action="store_true", help=prepare)
    workers = "with --prepare: number of processes that parse (default: %(default)s)"
    num_workers = number(int, 1, MAX_WORKERS)
    add("--workers", type=num_workers, default=1, metavar="N", help=workers)
    part = "with --prepare: read only this part of the files, such as 3/16; the "
    part += "part that is read last writes the index (default: all)"
    add("--part", type=_part, default=(1, 1), metavar="K/N", help=part)
    check = "try all parts on two samples, print what was tried, and exit (default: train)"
    add("--check", action="store_true", help=check)
    _add_overrides(parser)
    options.add_device(parser)
    request = Request(**vars(parser.parse(words)))
    _check(parser, request)
    return request


def _part(text: str) -> tuple[int, int]:
    """Return a part and the number of parts."""
    match = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", text)
    if match is None or int(match[1]) > int(match[2]):
        raise UserError("a part, from 1, and the number of parts, such as 3/16")
    return int(match[1]), int(match[2])


def _add_overrides(parser: options.Parser) -> None:
    """Add the `SHORTHANDS`, --data and -o, which are collected in the order of the command line."""
    collect = partial(parser.add_argument, dest="overrides", action="append", default=[])
    for option, (key, metavar, meaning, example) in SHORTHANDS.items():
        collect(
            option,
            type=partial(typed_override, option, key),
            metavar=metavar,
            help=f"{meaning}: short for -o {key}={metavar} "
            f"(default: the config's), e.g. {option} {example}",
        )
    options.add_data(parser)
    collect(
        *("-o", "--override"),
        type=parse_override,
        metavar="KEY=VALUE",
        help=f"{options.OVERRIDE_HELP} {EXAMPLE}",
    )


def _add_sweep(parser: options.Parser) -> None:
    add = parser.add_argument
    add(
        "--sweep",
        type=_sweep_values,
        dest="sweeps",
        action="append",
        default=[],
        metavar="KEY=A,B,C",
        help="start or resume a run for each of these values, in turn; with several --sweep, a run "
        "for each combination of values (default: one run), e.g. "
        "--sweep optimizer.args.lr=0.01,0.003 --sweep trainer.args.seed=1,2,3",
    )
    count = "number of runs, drawn at random from the runs of --sweep (default: all)"
    add("--sweep-random", type=number(int, 1), metavar="N", help=count)
    seed = "seed of --sweep-random (default: %(default)s)"
    add("--sweep-seed", type=number(int, 0), default=0, metavar="SEED", help=seed)


def _sweep_values(text: str) -> list[Override]:
    """Parse the `KEY=A,B,C` of a --sweep; the values are JSON, or else strings."""
    key, _, values = text.partition("=")
    if not values:
        raise UserError(f"{text!r} is not KEY=A,B,C, like optimizer.args.lr=0.01,0.003")
    try:
        return [Override("--sweep", key, value) for value in strict_json.loads(f"[{values}]")]
    except strict_json.NotJSON:
        return [typed_override("--sweep", key, value) for value in values.split(",")]


def _check(parser: options.Parser, request: Request) -> None:
    """Raise a UserError if options contradict each other, or --saved cannot be written."""
    if not (request.config or request.resume):
        parser.error("-c CONFIG or -r CHECKPOINT is needed")
    if request.sweeps and not request.config:
        parser.error("--sweep is for -c CONFIG")
    if request.sweep_random and not request.sweeps:
        parser.error("--sweep-random is for --sweep")
    if request.start_or_resume and not (request.config and request.run_id):
        parser.error("--start-or-resume is for -c CONFIG and --run-id ID")
    for name in ("prepare", "check"):
        if request.sweeps and getattr(request, name):
            parser.error(f"--{name} is for one run: without --sweep")
    if not request.prepare and (request.workers, request.part) != (1, (1, 1)):
        parser.error("--workers and --part are for --prepare")
    if request.saved != SAVED:
        saved = request.saved
        prepare_output(saved / "models", "--saved", saved, is_checked_only=True)
