"""Runs a script in two processes that are connected as torchrun connects them, but are forked from
one that has imported everything: there is one import instead of three. Words behind "--" are those
of a further start of the script, after the one before ended well.

python tests/two_processes.py SCRIPT WORDS... [-- WORDS...]
"""

import os
import runpy
import socket
import sys
from pathlib import Path

script, *words = sys.argv[1:]
sys.path[:1] = [str(Path(script).parent), str(Path(__file__).parents[1])]
os.environ["OMP_NUM_THREADS"] = "1"  # before torch
if sys.platform == "linux":
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"

import torch._dynamo  # noqa: E402 (which torch's optimisers import when the first is made)
import torch.distributed.nn  # noqa: E402
import torch.utils.tensorboard  # noqa: E402, F401

import train  # noqa: E402, F401

while "--" in words:
    at, leader = words.index("--"), os.fork()
    if not leader:
        del words[at:]
    elif os.waitpid(leader, 0)[1]:
        sys.exit(f"failed: {words[:at]}")
    else:
        del words[: at + 1]

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
os.environ |= {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
child = os.fork()
rank = "0" if child else "1"
os.environ |= {"RANK": rank, "LOCAL_RANK": rank}
sys.argv, status = [script, *words], 0
try:
    runpy.run_path(script, run_name="__main__")
except SystemExit as end:
    status = int(end.code or 0)
if child:
    status = status or os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(status)
