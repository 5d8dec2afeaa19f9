"""The start of the training that a command line of `train.py` asks for."""

import argparse
import json
import shlex
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import parse_config
from base.config import user_modules
from base.run import start
from base.run.pretrained import SAVED
from base.run.run_folder import RunFolder
from base.run.start import Plans, Request, Start
from utils.program import typed

PLANS = Plans(
    of=parse_config.plan_of,
    from_file=parse_config.plan_from_file,
    from_checkpoint=parse_config.plan_from_checkpoint,
    try_constructors=parse_config.try_constructors,
)


def resolve_start(arguments: argparse.Namespace, locks: ExitStack | None = None) -> Start:
    """Return the start that a command line asks for; see `base.run.start.resolve_start`."""
    request = Request(
        config=arguments.config,
        resume=arguments.resume,
        run_id=arguments.run_id,
        saved=arguments.saved,
        start_or_resume=arguments.start_or_resume,
        overrides=arguments.overrides,
        advice=partial(new_run_advice, arguments),
    )
    return start.resolve_start(request, PLANS, locks)


def new_run_advice(
    arguments: argparse.Namespace, config: Path, place: Path | None, from_weights: bool
) -> str:
    """Return a line of a message: the command of a new run with the values of a command line.

    Args:
        arguments: the arguments of the command line.
        config: the config of the new run.
        place: the run or checkpoint that cannot go on with these values; None for random weights.
        from_weights: whether the new run can begin with the weights of `place`.
    """
    from_weights, origin = from_weights and place is not None, place and RunFolder.of(place)
    words = [*typed("train").split(), "-c", str(config)]
    words += ["-r", str(place)] if from_weights else []
    is_new = arguments.run_id not in (None, origin and origin.run_id)
    words += ["--run-id", arguments.run_id] if is_new else []
    words += ["--saved", str(arguments.saved)] if arguments.saved != SAVED else []
    words += ["-d", arguments.device] if arguments.device != "auto" else []
    for option, key, value in arguments.overrides:
        text = value if option == "--data" else json.dumps(value, ensure_ascii=False)
        is_key = option in ("-o", "--sweep")
        words += ["-o", f"{key}={text}"] if is_key else [option, text]
    begins = "begins with its weights" if from_weights else "starts anew"
    return f"\n  a new run {begins}: {shlex.join(words)}{user_modules.options()}"
