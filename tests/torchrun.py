"""A script in two processes, as torchrun starts it, or forked from one."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def start(
    script: Path, *words: str, launcher: Sequence[str] = (), **options: Any
) -> subprocess.Popen:
    """Start a script with `words`; `launcher` are options of torchrun, the others of `Popen`."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    if sys.platform == "linux":
        environment["GLOO_SOCKET_IFNAME"] = "lo"
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", *launcher)
    command = [sys.executable, *torchrun, str(script), *words]
    return subprocess.Popen(command, env=environment, **options)


def start_forked(script: Path, *words: str, **options: Any) -> subprocess.Popen:
    """Start a script in two processes that import everything once; the launcher is none."""
    helper = Path(__file__).with_name("two_processes.py")
    return subprocess.Popen([sys.executable, str(helper), str(script), *words], **options)
