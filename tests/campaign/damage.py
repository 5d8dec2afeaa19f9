"""Random damage to bytes and to nested values, and what a program that meets it may do."""

import copy
import math
import random
import resource
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.campaign.frame import Failed
from tests.pickled_call import Call

LINES, CHARACTERS = 25, 2000
"""Of a message at most: what one screen shows."""

TRACEBACK = "Traceback (most recent call last)"

MEBIBYTE = 1 << 20

NUMBERS = (
    *(0, -1, 1, 2, 3.5, -0.0, 1e-300, 1e38, -1e308, math.nan, math.inf, -math.inf),
    *(2**31, 2**63, -(2**63), 10**9, 10**400, -(10**400), True, False),
)
OTHERS = (None, "", "x", "nan", "\ud800", "\x1b[31m\n", "x" * 10_000, [], {}, [[]], [None], {"": 0})


EXECUTED = Call(Path.mkdir, Path("executed"))
"""Would make a folder when it is unpickled."""


def damaged(rng: random.Random, content: bytes) -> bytes:
    """Return bytes with one thing wrong: cut, flipped, lacking, doubled, put in, moved."""
    start = rng.randrange(len(content) + 1)
    stop = min(len(content), start + rng.choice((1, 2, 8, 100, 10_000)))
    part = content[start:stop]
    kind = rng.randrange(7)
    if kind == 0:
        return content[:start]
    if kind == 1:
        flipped = bytearray(content)
        for _ in range(rng.choice((1, 1, 3, 30)) if content else 0):
            flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        return bytes(flipped)
    if kind == 2:
        return content[:start] + content[stop:]
    if kind == 3:
        return content[:stop] + part * rng.choice((1, 2, 50)) + content[stop:]
    if kind == 4:
        return content[:start] + rng.randbytes(rng.choice((1, 4, 64))) + content[start:]
    if kind == 5:
        return content[:start] + bytes(len(part)) + content[stop:]
    rest = content[:start] + content[stop:]
    place = rng.randrange(len(rest) + 1)
    return rest[:place] + part + rest[place:]


def other_plain(rng: random.Random, value: Any) -> Any:
    """Return something else than a plain value: often of its kind, sometimes of any."""
    if rng.random() < 0.3:
        return rng.choice((*NUMBERS, *OTHERS, [value], {"x": value}))
    if isinstance(value, bool):
        return rng.choice((not value, str(value), int(value), None))
    if isinstance(value, int | float):
        return rng.choice((*NUMBERS, -value, value + 1, value * 1000, str(value), [value]))
    if isinstance(value, str):
        return rng.choice((f"{value}x", value[:-1], value.upper(), "", "\ud800", f"{value}\n", 3))
    return rng.choice(OTHERS)


def place_in(rng: random.Random, tree: Any) -> tuple[Any, Any]:
    """Return a dict or list within a tree that is not empty, and one of its keys."""
    holder = tree
    while True:
        key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
        child = holder[key]
        if not (isinstance(child, dict | list) and child) or rng.random() < 0.15:
            return holder, key
        holder = child


def spoil(
    rng: random.Random, tree: Any, other: Callable[[random.Random, Any], Any] = other_plain
) -> None:
    """Change a random place in nested dicts and lists: the value, the key, or the order."""
    holder, key = place_in(rng, tree)
    kind = rng.choice(("other", "other", "other", "other", "gone", "renamed", "swapped", "deeper"))
    if kind == "other":
        holder[key] = copy.deepcopy(other(rng, holder[key]))  # else one may come to hold itself
    elif kind == "gone":
        del holder[key]
    elif kind == "renamed" and isinstance(holder, dict):
        name = f"{key}s" if isinstance(key, str) else rng.choice((str(key), -1, None, 10**9))
        holder[name] = holder.pop(key)
    elif kind == "renamed":
        holder.insert(rng.randrange(len(holder) + 1), holder[key])
    elif kind == "swapped":
        there, name = place_in(rng, tree)
        # Copies, as one may hold the other.
        holder[key], there[name] = copy.deepcopy(there[name]), copy.deepcopy(holder[key])
    else:
        for _ in range(rng.choice((1, 2, 20, 200))):
            holder[key] = [holder[key]] if rng.random() < 0.5 else {"x": holder[key]}


def check_message(message: str) -> None:
    """Raise Failed unless a message fits on a screen."""
    if (place := message.find(TRACEBACK)) >= 0:
        after = message[place + len(TRACEBACK) :].splitlines()[1:]
        what = next((line for line in after if not line.startswith(" ")), "cut short")
        raise Failed(f"a traceback: {what[:300]!a}")
    if message.count("\n") > LINES or len(message) > CHARACTERS:
        lines, count = message.count("\n"), len(message)
        raise Failed(f"a message of {lines} lines and {count} characters: {message[:300]!a}")


DIVERGED = ("error: the run ends after epoch", " steps in a row had a loss or gradient")


def check_answer(answer: tuple[int, str], statuses: Iterable[int] = (0, 2)) -> int:
    """Raise Failed unless a program ended as it may, and return its status.

    A training may end with 1 as well, if it diverged and says so: numbers that are all in order can
    make a network that is not.
    """
    status, output = answer
    if TRACEBACK in output:
        check_message(output)
    diverged = status == 1 and any(words in output for words in DIVERGED)
    if status not in statuses and not diverged:
        raise Failed(f"exit status {status}: {output[-300:].strip()!a}")
    if status:
        place = output.rfind("error: ")
        if place < 0:
            raise Failed(f"exit status {status} without an error: {output[-300:].strip()!a}")
        check_message(output[place:])
    return status


def files_in(folder: Path) -> dict[str, bytes]:
    """Return what lies in a folder, by path."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def peak(who: int = resource.RUSAGE_SELF) -> int:
    """Return the most memory in bytes that this process, or a child that has ended, ever held."""
    return resource.getrusage(who).ru_maxrss * 1024


def seconds(who: int = resource.RUSAGE_SELF) -> float:
    """Return the processor's time of this process, or of its children that have ended.

    Unlike the clock's, others that keep the machine busy do not lengthen it.
    """
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def other_tensor(rng: random.Random, tensor: Tensor) -> Any:
    """Return something else than a tensor of a state: mostly another tensor."""
    real = tensor.is_floating_point()
    made = tensor.clone()
    if made.numel():
        made.view(-1)[rng.randrange(made.numel())] = (
            rng.choice((torch.nan, torch.inf, -1e38, 1e38, -1.0)) if real else rng.choice((-1, 127))
        )
    return rng.choice(
        (
            made,
            made,
            torch.full_like(tensor, torch.nan if real else 99),
            -tensor if tensor.dtype != torch.bool else ~tensor,
            tensor[None],
            tensor.flatten()[:-1],
            torch.zeros(0),
            torch.zeros(3, 5),
            torch.zeros(1).expand(10**6, 10**6),
            tensor.to(torch.float64 if real else torch.int32),
            tensor.to(torch.complex64),
            tensor.to(torch.bool),
            tensor.to_sparse() if tensor.dim() else tensor[None],
            torch.empty(tensor.shape, device="meta"),
            torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
            tensor.tolist(),
            None,
            0.5,
            "x",
        )
    )
