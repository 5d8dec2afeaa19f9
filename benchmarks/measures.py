"""Runs a script with its options, and finds datasets within datasets."""

import sys
from argparse import Namespace
from collections.abc import Callable

from base.base_dataset import BaseDataset
from commands.options import Parser
from utils.checks import UserError


def main(run: Callable[[Namespace], None], parser: Parser) -> None:
    """Run a script with its options; print a UserError and exit with status 2."""
    try:
        run(parser.parse_args())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def dataset_within(dataset: BaseDataset, kind: type[BaseDataset]) -> BaseDataset | None:
    """Return the first dataset of a class that `dataset` is or is made of, None if there is none;
    of a recipe, the first in the order of its sources."""
    if isinstance(dataset, kind):
        return dataset
    parts = [*getattr(dataset, "sources", {}).values(), *vars(dataset).values()]
    found = (dataset_within(part, kind) for part in parts if isinstance(part, BaseDataset))
    return next(filter(None, found), None)
