"""Options that several commands share, and their values."""

import argparse
import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from base.config.values import Override, parse_override
from utils import checks
from utils.checks import DEVICES, UserError, device_name

METAVARS = (
    *("CHECKPOINT", "FILE", "FOLDER", "ID", "NAME|FILE", "PATH", "RECOGNISER", "RUN_FOLDER"),
    "SITE",
)
"""Metavars of arguments and options that name something, so that their values are not empty."""


class Parser(argparse.ArgumentParser):
    """Parses a command line, and raises a UserError for a fault."""

    def __init__(self, **kwargs: str) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def parse(self, words: list[str] | None = None) -> argparse.Namespace:
        """Parse `words`, or the command line of the process; positional arguments may stand between
        options."""
        words = sys.argv[1:] if words is None else words
        for word in words:  # argparse cannot parse `--` as a value.
            if word.startswith("-") and word.endswith("=--"):
                option = word.removesuffix("=--")
                raise UserError(f"argument {option}: '--' is not a value")
        return self.parse_intermixed_args(words)

    def _get_value(self, action: argparse.Action, text: str) -> object:
        # A path takes an empty name, such as that of an unset variable, for the current folder.
        is_empty = text == "" and action.const != ""  # The constant stands for a missing value.
        if is_empty and action.metavar in METAVARS:
            raise argparse.ArgumentError(action, "the name is empty")
        return super()._get_value(action, text)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see `{self.prog} --help`")


def value(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return an argparse type that calls `parse`; UserErrors become faults of the option."""

    def convert(text: str) -> object:
        try:
            return parse(text)
        except UserError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def number(kind: type[float], low: float, high: float = math.inf) -> Callable[[str], float]:
    """Return an argparse type of numbers from `low` to `high`; `kind` is int or float."""
    return value(checks.number(kind, low, high))


def add_device(parser: Parser) -> None:
    """Add --device and --module."""
    parser.add_argument(
        *("-d", "--device"),
        type=value(device_name),
        default="auto",
        help=f"{DEVICES}, e.g. -d cuda:1 (default: %(default)s)",
    )
    parser.add_argument(
        "--module",
        dest="modules",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="Python file with your own classes that the network was trained with, such as a "
        "dataset; may be given several times (default: none)",
    )


def _data_override(text: str) -> Override:
    """Parse the KEY=VALUE of a command's -o, which must not change the architecture."""
    override = parse_override(text)
    if override.key.partition(".")[0] == "arch":
        raise UserError(f"{override.key}: the checkpoint fixes the architecture; leave it out")
    return override


def add_overrides(
    parser: Parser,
    parse: Callable[[str], Override] = _data_override,
    example: str = "data_loader.args.batch_size=8",
) -> None:
    """Add -o and --data, which are collected as `overrides` in the order of the command line.

    Args:
        parser: the parser of a script or command.
        parse: parses the KEY=VALUE of -o.
        example: a KEY=VALUE, for the help.
    """
    collect = partial(parser.add_argument, dest="overrides", action="append", default=[])
    collect(
        "--data",
        type=value(partial(Override, "--data", None)),
        metavar="FOLDER",
        help="folder with the data: the root of the config's dataset, or of the first source of "
        "`valid` (default: the config's), "
        "e.g. --data data/iam_ondb",
    )
    collect(
        *("-o", "--override"),
        type=value(parse),
        metavar="KEY=VALUE",
        help="set any dotted key of the config; may be given several times; VALUE is JSON, or "
        f"else a string (default: the config's), e.g. -o {example}",
    )
