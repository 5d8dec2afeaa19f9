"""Options that several commands share, and their values."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import NoReturn

from base.config.values import Override, parse_override
from utils.checks import DEVICES, UserError, device_name

METAVARS = (
    *("CHECKPOINT", "FILE", "FOLDER", "ID", "NAME|FILE", "PATH", "RECOGNISER", "RUN_FOLDER"),
    "SITE",
)
"""Metavars of arguments and options that name something, so that their values are not empty."""

OVERRIDE_HELP = (
    "set any dotted key of the config; may be given several times; VALUE is JSON, or else a string "
    "(default: the config's), e.g. -o"
)
"""The help of -o, before an example."""


class Parser(argparse.ArgumentParser):
    """Parses a command line, and raises a UserError for a fault; the `type` of an argument may
    raise one, too."""

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
        try:
            return super()._get_value(action, text)
        except UserError as error:
            raise argparse.ArgumentError(action, str(error)) from None

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see `{self.prog} --help`")


def add_device(parser: Parser) -> None:
    """Add --device and --module."""
    parser.add_argument(
        *("-d", "--device"),
        type=device_name,
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


def add_data(parser: Parser) -> None:
    """Add --data, which is collected as `overrides`."""
    parser.add_argument(
        "--data",
        dest="overrides",
        action="append",
        default=[],
        type=partial(Override, "--data", None),
        metavar="FOLDER",
        help="folder with the data: the root of the config's dataset, or of the first source of "
        "`valid` (default: the config's), "
        "e.g. --data data/iam_ondb",
    )


def add_overrides(parser: Parser) -> None:
    """Add --data, and the -o of a trained network's config, which are collected as `overrides` in
    the order of the command line."""
    add_data(parser)
    parser.add_argument(
        *("-o", "--override"),
        dest="overrides",
        action="append",
        default=[],
        type=_data_override,
        metavar="KEY=VALUE",
        help=f"{OVERRIDE_HELP} data_loader.args.batch_size=8",
    )


def _data_override(text: str) -> Override:
    """Parse the KEY=VALUE of a command's -o, which must not change the architecture."""
    override = parse_override(text)
    if override.key.partition(".")[0] == "arch":
        raise UserError(f"{override.key}: the checkpoint fixes the architecture; leave it out")
    return override
