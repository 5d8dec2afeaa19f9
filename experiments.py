"""Use trained networks.

examples:
  python experiments.py write --text "Hello world" --bias 1
  python experiments.py page letter.txt --output letter.pdf
"""

from utils import console

if __name__ == "__main__":
    console.set_up()  # Before all other imports, during which there may be an interrupt.

import sys
from importlib import import_module

from commands import command_line
from utils.checks import UserError, for_terminal

COMMANDS = {
    "write": "commands.write",
    "page": "commands.page",
    "style": "commands.style",
    "hand": "commands.hand",
    "read": "commands.read",
    "evaluate": "commands.evaluate",
    "legibility": "commands.legibility",
    "continue": "commands.continuation",
    "compare": "commands.compare",
    "export": "commands.export",
}


def main(words: list[str]) -> int:
    """Run a command line, and return the exit status: 2 for an empty one."""
    if not words or words[0] in ("-h", "--help"):
        print_help()
        return 0 if words else 2
    command, arguments = command_line.parse(words, COMMANDS)
    command.run(arguments)
    return 0


def print_help() -> None:
    """Print the commands, one per line, and the examples."""
    text, _, examples = __doc__.strip().partition("\n\n")
    print(f"usage: python experiments.py COMMAND ...\n\n{text}\n\ncommands:")
    for name, module in COMMANDS.items():
        print(f"  {name:<11} {import_module(module).__doc__}")
    print(f"\n{examples}\n\nCOMMAND --help shows the options of a command.")


if __name__ == "__main__":
    status, message = 0, ""
    try:
        with console.Interruptible():
            status = main(sys.argv[1:])
    except SystemExit as end:  # of a command's help
        status = end.code
    except UserError as error:
        status, message = 2, str(error)
    except OSError as error:
        status, message = 1, str(error)
    except KeyboardInterrupt as interrupt:
        status, message = console.status_of(interrupt), "interrupted"
    if message:
        print(f"error: {for_terminal(message)}", file=sys.stderr)
    sys.exit(status or console.output_is_lost())
