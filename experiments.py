"""Use trained networks.

examples:
  {program} write "Hello world" --bias 1
  {program} page letter.txt --output letter.pdf
"""

from utils import console

if __name__ == "__main__":
    console.set_up()  # before the slow imports

import ast
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from commands.shared.options import Parser
from logger.logger import setup_logging
from utils.checks import UserError, hint, lacks_memory
from utils.program import PREFIX, ROOT, room_of, torch_needed_by, typed

log = logging.getLogger("experiments")

COMMANDS = (
    "write",
    "page",
    "style",
    "font",
    "hand",
    "read",
    "notes",
    "evaluate",
    "export",
    "web",
    "runs",
)


def run(words: list[str], scripts: Sequence[str] = ()) -> int:
    """Run the command line `words` as `main` does, print what refuses it, and return the exit
    status."""
    setup_logging(logging.WARNING)
    # OpenMP reads it when torch is imported. Threads that spin while they wait take the cores of
    # those that work, and a network that is used gives them little to do.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    status, message = 0, ""
    try:
        with console.Signals(console.interrupt):
            status = main(words, scripts)
    except SystemExit as end:  # from --help of a command
        status = end.code
    except KeyboardInterrupt as interrupt:
        status, message = console.status_of(interrupt), "interrupted"
    except (UserError, OSError) as error:
        is_refused = isinstance(error, UserError) or lacks_memory(error)
        status, message = 2 if is_refused else 1, str(error)
    if message:
        log.error("%s", message)
    return status or console.output_is_lost()


def main(words: list[str], scripts: Sequence[str] = ()) -> int:
    """Run the command line `words`, and return the exit status, which is 2 without words; `scripts`
    are commands beside those of this script, to be listed."""
    if not words or words[0] in ("-h", "--help"):
        show_commands(scripts)
        return 0 if words else 2
    command, parser = parser_of(words[0])
    with torch_needed_by(words[0]):
        command.run(parser.parse(words[1:]))
    return 0


def show_commands(scripts: Sequence[str]) -> None:
    """Print all commands, with these `scripts`."""
    text, _, examples = __doc__.strip().format(program=typed()).partition("\n\n")
    print(f"usage: {typed('COMMAND')} ...\n\n{text}\n\ncommands:")
    for name in (*scripts, *COMMANDS):  # Parsed, as importing them all takes three times as long.
        source = ROOT / "commands" / f"{name}.py"
        source = source if source.exists() else ROOT / "commands" / name / "__init__.py"
        print(f"  {name:<11} {ast.get_docstring(ast.parse(source.read_text('utf-8')))}")
    print(f"\n{examples}\n\nCOMMAND --help shows the options of a command.")


def parser_of(name: str) -> tuple[ModuleType, Parser]:
    """Return the module and the parser of a command; raise a UserError for an unknown `name`."""
    if name not in COMMANDS:
        raise UserError(f"no command {name!r}{hint(name, COMMANDS)}")
    try:
        with torch_needed_by(name):
            command = import_module(f"{PREFIX}commands.{name}")
    except ModuleNotFoundError as error:
        if room_of(str(error.name)) != "apps":
            raise
        raise UserError(f"{name} needs apps/, which is not installed here") from None
    parser = Parser(prog=typed(name), description=command.__doc__)
    command.add_options(parser)
    return command, parser


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
