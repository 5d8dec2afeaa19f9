"""Pipes, sockets, devices and symbolic links in the place of what is to be written."""

import os
import random
import shutil
import socket
import stat
from pathlib import Path

from tests.campaign import use
from tests.campaign.frame import Family, demand, run
from tests.campaign.tiny import check_no_traceback, check_tidy, last_line

KINDS = ("pipe", "socket", "device", "link", "link to nothing", "link to a pipe")


def make(kind: str, path: Path) -> None:
    """Make a special file; a pipe instead of a device where only the superuser makes these."""
    if kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)  # a longer path may not fit
        os.rename(path.name, path)
    elif kind == "device" and os.geteuid() == 0:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    elif kind.startswith("link"):
        path.symlink_to(Path("..", "elsewhere"))
        if kind == "link to a pipe":
            os.mkfifo("elsewhere")
    else:
        os.mkfifo(path)


def while_used(rng: random.Random, folder: Path) -> None:
    """Draw, export, score or read where a special file stands in the place of a file."""
    what = rng.choice([what for what in use.USES if what != "make a style"])
    kind = rng.choice(KINDS)
    whole = use.used(what)
    use.give()
    after = use.products(whole.folder / use.OUT)
    name = rng.choice(sorted(after))
    path = use.OUT / name
    make(kind, path)
    if kind == "link":  # to an older file
        shutil.copy(use.used(what, 1).folder / use.OUT / name, "elsewhere")
    before = os.lstat(path)
    done = run(use.USES[what])
    print(f"{name} was a {kind}")
    check_no_traceback(done)
    check_tidy(folder)
    now = os.lstat(path)
    same = (now.st_mode, now.st_ino) == (before.st_mode, before.st_ino)
    demand(same, f"{name}, a {kind}, was replaced")
    if kind in ("link", "link to nothing"):
        demand(done.status == 0, f"it ended with {done.status}: {last_line(done)}")
        demand(path.read_bytes() == after[name], f"{name} is another than undisturbed")
        return
    named = name in last_line(done) and "no regular file" in last_line(done)
    demand(done.status == 2 and named, f"it ended with {done.status}: {last_line(done)}")


FAMILIES = [Family("special files", 40, while_used)]
