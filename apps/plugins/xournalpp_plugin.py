"""Installs the plugin that calls `notes` from the menu of Xournal++."""

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from utils.checks import UserError
from utils.program import ROOT, started

PLUGIN_NAME = "Handwriting"  # of the plugin's folder, which its messages show


def install(notes: Path, reader: Path, folder: str) -> None:
    """Install the plugin into a folder of plugins, by default that of the installed Xournal++; it
    searches in `notes` and reads with the checkpoint `reader`.

    Raises:
        UserError: if there is no Xournal++, or the folder cannot be written.
    """
    plugins = Path(folder).expanduser() if folder else _plugins_folder()
    target = plugins / PLUGIN_NAME
    command = shlex.join(started("notes"))
    program = {"python": sys.executable, "command": command, "notes": notes, "reader": reader}
    lines = [b"return {"]
    for name, path in program.items():
        # A path may have any bytes; Lua reads a backslash and three digits as a byte.
        text = re.sub(rb'[\\"\n\r]', lambda sign: b"\\%03d" % sign[0][0], os.fsencode(path))
        lines.append(b'  %s = "%s",' % (name.encode(), text))
    try:
        shutil.copytree(ROOT / "apps" / "plugins" / "xournalpp", target, dirs_exist_ok=True)
        (target / "program.lua").write_bytes(b"\n".join([*lines, b"}\n"]))
    except OSError:
        make_plugin = [*started("notes"), notes, "--install-plugin", "plugin"]
        copy_plugin = ["sudo", "cp", "-r", f"plugin/{PLUGIN_NAME}", target.parent]
        commands = (shlex.join(map(str, command)) for command in (make_plugin, copy_plugin))
        message = f"{target}: cannot be written. Make the plugin elsewhere, and copy it:"
        raise UserError("\n  ".join([message, *commands])) from None
    step = "Start"
    if folder:
        step = "Copy it to the folder of plugins of Xournal++, unless it is there; then start"
    print(f"{target}\n{step} Xournal++ again: its menu Plugin has new entries.")


def _plugins_folder() -> Path:
    """Return the folder in which the installed Xournal++ looks for plugins (seen in 1.1.3)."""
    program = Path(shutil.which("xournalpp") or "xournalpp").resolve()
    folder = program.parents[1] / "share" / "xournalpp" / "plugins"
    if not folder.is_dir():
        message = f"--install-plugin: no Xournal++ found ({folder}); install it, or name its folder"
        raise UserError(f"{message} of plugins: --install-plugin FOLDER")
    return folder
