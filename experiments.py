"""Use trained networks.

examples:
  python experiments.py write "Hello world" --bias 1
  python experiments.py page letter.txt --output letter.pdf
"""

from utils import console

if __name__ == "__main__":
    console.set_up()  # before the slow imports

import ast
import logging
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from commands.shared.options import Parser
from logger.logger import setup_logging
from utils.checks import UserError, hint, lacks_memory

log = logging.getLogger("experiments")

COMMANDS = (
    "write",
    "page",
    "style",
    "hand",
    "read",
    "notes",
    "evaluate",
    "export",
    "web",
    "runs",
)


def main(words: list[str]) -> int:
    """Run the command line `words`, and return the exit status, which is 2 without words."""
    if not words or words[0] in ("-h", "--help"):
        text, _, examples = __doc__.strip().partition("\n\n")
        print(f"usage: python experiments.py COMMAND ...\n\n{text}\n\ncommands:")
        for name in COMMANDS:  # Parsed, as importing them all takes three times as long.
            source = Path(__file__).with_name("commands") / f"{name}.py"
            purpose = ast.get_docstring(ast.parse(source.read_text("utf-8")))
            print(f"  {name:<11} {purpose}")
        print(f"\n{examples}\n\nCOMMAND --help shows the options of a command.")
        return 0 if words else 2
    command, parser = parser_of(words[0])
    command.run(parser.parse(words[1:]))
    return 0


def parser_of(name: str) -> tuple[ModuleType, Parser]:
    """Return the module and the parser of a command; raise a UserError for an unknown `name`."""
    if name not in COMMANDS:
        raise UserError(f"no command {name!r}{hint(name, COMMANDS)}")
    try:
        command = import_module(f"commands.{name}")
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] != "apps":
            raise
        raise UserError(f"{name} needs apps/, which is not installed here") from None
    parser = Parser(prog=f"experiments.py {name}", description=command.__doc__)
    command.add_options(parser)
    return command, parser


if __name__ == "__main__":
    setup_logging(logging.WARNING)
    status, message = 0, ""
    try:
        with console.Signals(console.interrupt):
            status = main(sys.argv[1:])
    except SystemExit as end:  # from --help of a command
        status = end.code
    except KeyboardInterrupt as interrupt:
        status, message = console.status_of(interrupt), "interrupted"
    except (UserError, OSError) as error:
        is_refused = isinstance(error, UserError) or lacks_memory(error)
        status, message = 2 if is_refused else 1, str(error)
    if message:
        log.error("%s", message)
    sys.exit(status or console.output_is_lost())
