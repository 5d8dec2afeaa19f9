"""Random damage to bytes, to tensors, and to trees of them in dicts and lists."""

import copy
import math
import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

NUMBERS = (
    *(0, -1, 1, 2, 3.5, -0.0, 1e-300, 1e38, -1e308, math.nan, math.inf, -math.inf),
    *(2**31, 2**63, -(2**63), 10**9, 10**400, -(10**400), True, False),
    *(64, 1024, 4096, 8192),  # sizes that a large network may have
)
OTHERS = (None, "", "x", "nan", "\ud800", "\x1b[31m\n", "x" * 10_000, [], {}, [[]], [None], {"": 0})
HUGE = torch.zeros(1).expand(10**10)
CHARACTERS = [chr(n) for n in range(0x3400, 0x3400 + 50_000)]
ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)
DEEP: Any = {}
for _ in range(300):
    DEEP = {"x": DEEP}
WIDE: Any = ["x" * 1000] * 1000
for _ in range(8):  # a few names, and endless when written out
    WIDE = [WIDE] * 1000
HOSTILE = (
    *NUMBERS, *OTHERS, ENDLESS, DEEP, WIDE, HUGE, torch.tensor(1.0), torch.zeros(3), torch.zeros(5),
    5e-324, 1e308, 1e-308, "1", "9" * 5000, 10**5000, [[1.0]], [1], "x" * 10**6, ("a", "b"), b"ab",
    *([1.0, number] for number in (*NUMBERS, 5e-324, 1e308)), {"x": "y" * 999}, [torch.zeros(3)],
    ["\ud800"], ["a", "\ud800"], ["a", "a"], ["a"] * 10**6, CHARACTERS, CHARACTERS[:500],
    "".join(CHARACTERS), [["a"]], ["ab" * 10**6], [""], ["\x1b", "\n", "\0"],
)  # fmt: skip
"""Values that no key of a checkpoint should have, some of them beyond any memory."""


def damaged(rng: random.Random, content: bytes) -> bytes:
    """Return bytes with one thing wrong: cut, flipped, lacking, doubled, put in, moved."""
    start = rng.randrange(len(content) + 1)
    stop = min(len(content), start + rng.choice((1, 2, 8, 100, 10_000)))
    before, part, after = content[:start], content[start:stop], content[stop:]
    match rng.randrange(7):
        case 0:
            return before
        case 1:
            flipped = bytearray(content)
            for _ in range(rng.choice((1, 1, 3, 30)) if content else 0):
                flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            return bytes(flipped)
        case 2:
            return before + after
        case 3:
            return before + part + part * rng.choice((1, 2, 50)) + after
        case 4:
            return before + rng.randbytes(rng.choice((1, 4, 64))) + part + after
        case 5:
            return before + bytes(len(part)) + after
    rest = before + after
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


def other_tensor(rng: random.Random, tensor: Tensor) -> Any:
    """Return something else than a tensor of a state: mostly another tensor."""
    real, is_bool = tensor.is_floating_point(), tensor.dtype == torch.bool
    changed = tensor.clone()
    if tensor.numel():
        numbers = (torch.nan, torch.inf, -1e38, 1e38, -1.0) if real else (-1, 127)
        changed.view(-1)[rng.randrange(tensor.numel())] = rng.choice(numbers)
    return rng.choice((
        changed, changed, torch.full_like(tensor, torch.nan if real else 99),
        ~tensor if is_bool else -tensor, tensor[None], tensor.flatten()[:-1], torch.zeros(0),
        torch.zeros(3, 5), torch.zeros(1).expand(10**6, 10**6), tensor.to(torch.bool),
        tensor.to(torch.float64 if real else torch.int32), tensor.to(torch.complex64),
        tensor.to_sparse() if tensor.dim() else tensor[None],
        torch.empty(tensor.shape, device="meta"),
        torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        tensor.tolist(), None, 0.5, "x",
    ))  # fmt: skip


def other(rng: random.Random, value: Any) -> Any:
    """Return something else than a value of a checkpoint, or than the bytes of a file in it."""
    if isinstance(value, bytes):
        return rng.choice((damaged(rng, value), b""))
    if isinstance(value, Tensor) and rng.random() < 0.9:
        return other_tensor(rng, value)
    return rng.choice(HOSTILE) if rng.random() < 0.5 else other_plain(rng, value)


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
