"""Records what a run's numbers depend on: versions, the code, the user's modules."""

import hashlib
import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np
import torch

from base import distributed
from base.config import user_modules
from utils.files import atomic_write, errors_name, read_bytes, set_aside
from utils.program import ROOT, version

DIFF_FILE = "checkout.diff"
"""File in the folder of a run: the changes of the code since the commit that `run.json` names."""
PACKAGES_FILE = "packages.txt"
"""File in the folder of a run: the installed packages, as pip lists them."""
GIT_SECONDS = 30
"""Time that a git command may take (assumed: far longer than it takes)."""


def record(folder: Path, device: torch.device | None = None) -> dict[str, Any]:
    """Return the record of a start of a run: command, versions, code.

    The changes of the code, the packages and the user's modules are written into `folder`; an older
    file with other contents is renamed.

    Raises:
        OSError: if the folder cannot be written.
    """
    code = checkout()
    diff = code["diff"] if code else b""
    diff_digest = hashlib.sha256(diff).hexdigest() if diff else None
    files = {DIFF_FILE: diff, PACKAGES_FILE: packages(), **user_modules.sources()}
    for name, content in files.items():
        path = folder / name
        if not content:
            continue
        with errors_name(path):
            if path.exists() and read_bytes(path) != content:
                set_aside(path, "former")
            if not path.exists():
                atomic_write(path, methodcaller("write", content))
    return {
        "command": sys.argv,
        "package": version(),
        "versions": versions(device),
        "processes": distributed.world_size(),
        "threads": torch.get_num_threads(),
        "modules": user_modules.digests(),
        "checkout": None if code is None else {**code, "diff": diff_digest},
    }


def versions(device: torch.device | None = None) -> dict[str, str]:
    """Return the versions that a run's numbers depend on, the name of its device, and the seed of
    Python's hashes: a number, or "random"."""
    device = device or torch.device("cpu")
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "hash_seed": os.environ.get("PYTHONHASHSEED") or "random",
    }


@cache
def packages() -> bytes:
    """Return the installed packages with their versions, a line for each."""
    lines = {f"{package.name}=={package.version}\n" for package in metadata.distributions()}
    return "".join(sorted(lines)).encode()


@cache
def checkout() -> dict[str, Any] | None:
    """Return the `commit` of the code, the `diff` since the commit in bytes, and the names of
    `untracked` Python files; None if the code is not in a git checkout."""
    try:
        # The second name fails if the checkout is of a project that has this code installed in it.
        commit, _ = _git("rev-parse", "HEAD", "HEAD:./train.py").decode().split()
        diff = _git("diff", "--no-ext-diff", "--no-color", "HEAD", "--", ".")
        new = _git("ls-files", "--others", "--exclude-standard", "-z", "--", "*.py")
    except (OSError, subprocess.SubprocessError):
        return None
    untracked = new.decode(errors="surrogateescape").split("\0")[:-1]
    return {"commit": commit, "diff": diff, "untracked": untracked}


def _git(*words: str) -> bytes:
    """Return the output of a git command in the project's folder."""
    command = ["git", "--no-optional-locks", *words]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=GIT_SECONDS,
        check=True,
    )
    return done.stdout
