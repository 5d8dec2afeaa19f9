"""A learning without a network, which another process carries out."""

import os
import time

from utils.checks import UserError
from utils.files import write_text


def learn(folder, report):
    """Say how far it is, write the number of this process, and go on when there is a file `go`."""
    report("learning: 10%")
    write_text(folder / "pid", str(os.getpid()))
    while not (folder / "go").exists():
        time.sleep(0.02)
    text = (folder / "go").read_text()
    if text == "too few":
        raise UserError("3 corrected rows")
    if text == "fault":
        raise ValueError("a number")
    (folder / "learned.pth").write_text(text)
    return "taken"


def go(folder, text):
    write_text(folder / "go", text)
