"""Parse the command line of `experiments.py`: a command, then its own options."""

import argparse
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

from commands.options import Parser
from utils.checks import UserError, nearest


def parse(words: list[str], commands: Mapping[str, str]) -> tuple[ModuleType, argparse.Namespace]:
    """Return the command of a command line, and its options.

    Args:
        words: the words after the name of the script, at least one.
        commands: the module of each command by name.

    Raises:
        UserError: naming the option that is wrong.
    """
    name, *rest = words
    if name not in commands:
        near = nearest(name, commands)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(commands)}"
        raise UserError(f"no command {name!r}: {hint}")
    command, parser = import_module(commands[name]), parser_of(name, commands)
    arguments, unknown = parser.parse_known_intermixed_args(rest)
    if unknown:
        word = next((word for word in unknown if word.startswith("-")), unknown[0])
        owners = [other for other in commands if parser_of(other, commands).knows(word)]
        *some, last = owners or [""]
        whose = " and ".join(filter(None, (", ".join(some), last)))
        problem = f"belongs to {whose}" if whose else "is unknown"
        if not whose and (near := parser.near(word)):
            problem = f"is unknown: did you mean {' or '.join(near)}?"
        elif not word.startswith("-") and parser.knows("--text"):
            problem = "is not an option: a text follows --text"
        if word.partition("=")[0] == "--text-file":
            problem = "is unknown: a page of a text file is written by `page FILE`"
        raise UserError(f"{word} {problem}; `{name} --help` shows what {name} takes")
    if hasattr(command, "check"):
        command.check(arguments)
    return command, arguments


def parser_of(name: str, commands: Mapping[str, str]) -> Parser:
    """Return the parser of a command."""
    command = import_module(commands[name])
    parser = Parser(prog=f"experiments.py {name}", description=command.__doc__)
    command.add_options(parser)
    return parser
