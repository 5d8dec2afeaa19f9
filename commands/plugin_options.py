"""Installs the plugin that calls `notes` from the menu of Xournal++."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from commands.options import Parser
from utils.checks import UserError

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = ROOT / "plugins" / "xournalpp"
NAME = "Handwriting"  # of the plugin's folder, which its messages show


def add_option(parser: Parser) -> None:
    """Add --install-plugin."""
    plugin = "install a plugin for Xournal++ that saves the open note as a PDF, text or neater ink "
    plugin += "and searches in the folder PATH (default: where the installed Xournal++ looks)"
    options = dict(nargs="?", const="", metavar="FOLDER")
    parser.add_argument("--install-plugin", help=plugin, **options)


def install(notes: Path, reader: Path, folder: str) -> None:
    """Install the plugin, and print its folder.

    Args:
        notes: the folder that the plugin searches.
        reader: checkpoint of the network that reads.
        folder: folder of plugins; empty for that of the installed Xournal++.

    Raises:
        UserError: if there is no Xournal++, or the folder cannot be written.
    """
    target = (Path(folder).expanduser() if folder else _plugins_folder()) / NAME
    program = {"python": sys.executable, "script": ROOT / "experiments.py"}
    program |= {"notes": notes.absolute(), "reader": reader.absolute()}
    try:
        shutil.copytree(PLUGIN, target, dirs_exist_ok=True)
        (target / "program.lua").write_bytes(_lua_table(program))
    except OSError:
        words = [sys.executable, ROOT / "experiments.py", "notes", notes, "--install-plugin"]
        copied = ["sudo", "cp", "-r", Path("plugin", NAME), target.parent]
        commands = (shlex.join(map(str, command)) for command in ([*words, "plugin"], copied))
        message = f"{target}: cannot be written. Make the plugin elsewhere, and copy it:"
        raise UserError("\n  ".join([message, *commands])) from None
    print(f"{target}\nStart Xournal++ again: its menu Plugin has new entries.")


def _plugins_folder() -> Path:
    """Return the folder in which the installed Xournal++ looks for plugins (seen in 1.1.3)."""
    program = Path(shutil.which("xournalpp") or "xournalpp").resolve()
    folder = program.parents[1] / "share" / "xournalpp" / "plugins"
    if not folder.is_dir():
        message = f"--install-plugin: no Xournal++ found ({folder}); install it, or name its folder"
        raise UserError(f"{message} of plugins: --install-plugin FOLDER")
    return folder


def _lua_table(values: Mapping[str, str | Path]) -> bytes:
    """Return a Lua program that returns a table of strings."""

    def quoted(value: str | Path) -> bytes:
        return re.sub(rb'[\\"\n\r]', lambda sign: b"\\%03d" % sign[0][0], os.fsencode(value))

    items = (b'  %s = "%s",\n' % (name.encode(), quoted(v)) for name, v in values.items())
    return b"return {\n%s}\n" % b"".join(items)
