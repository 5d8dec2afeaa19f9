"""Runs a script with its options."""

import sys
from argparse import Namespace
from collections.abc import Callable

from commands.shared.options import Parser
from utils.checks import UserError


def main(run: Callable[[Namespace], None], parser: Parser) -> None:
    """Run a script with its options; print a UserError and exit with status 2."""
    try:
        run(parser.parse_args())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
