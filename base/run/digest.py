"""Computes digests of states, by which states are compared."""

import hashlib
import io
import itertools
import logging
import pickle
import random
import threading
import types
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Set
from concurrent.futures import Executor
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm

from base.config import user_modules
from base.run.checkpoint_archive import MAX_VALUE_DEPTH

PLAIN_TYPES = (int, float, complex, str, bytes, bytearray, np.generic, itertools.count)
PICKLED = (np.ndarray, random.Random, np.random.Generator, np.random.RandomState)
COLLECTIONS = (Mapping, Set, list, tuple, deque)
CODE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
TOOLS = (logging.Logger, logging.Handler, io.IOBase, Executor, threading.Thread, tqdm)
"""Types of objects that write, show or compute, and have no state."""


def digest(value: Any, within: tuple[int, ...] = ()) -> bytes:
    """Return a digest that is equal for equal states, bit for bit, so that NaN equals NaN.

    A state is made of tensors, plain values, random generators, collections, parts of torch (their
    `state_dict` counts), dataclasses (their fields count) and objects of any other origin than this
    project and torch (what they hold counts). Other values do not count, nor do None, code, files
    and logs.
    `within` has the ids of the objects that `value` is an attribute of.
    """
    if isinstance(value, nn.Module | Optimizer | LRScheduler):
        value = [type(value).__name__, value.state_dict()]
    elif isinstance(value, torch.Generator):
        value = value.get_state()
    pieces: list[bytes] = []
    is_new = id(value) not in within and len(within) < MAX_VALUE_DEPTH
    if isinstance(value, Tensor):
        pieces = [_content(value)]
    elif isinstance(value, PLAIN_TYPES):
        # `repr` writes no whole number of more than 4300 digits.
        pieces = [(f"{value:x}" if type(value) is int else repr(value)).encode()]
    elif isinstance(value, PICKLED):
        pieces = [pickle.dumps(value)]
    elif is_new and value is not None and not isinstance(value, CODE + TOOLS):
        inner = (*within, id(value))
        if isinstance(value, COLLECTIONS):
            children = value.items() if isinstance(value, Mapping) else value
            pieces = [digest(child, inner) for child in children]
            if isinstance(value, Mapping | Set):
                pieces.sort()  # The order of entries does not count.
        if held := held_by(value):
            pieces.append(digest([type(value).__name__, held], inner))
    return hashlib.sha256(b"".join(pieces)).digest()


def _content(tensor: Tensor) -> bytes:
    """Return the shape and the numbers of a tensor."""
    try:
        # Equal numbers count as equal in any type: torch's optimisers load ints as floats.
        numbers = wide(tensor.detach().cpu()).numpy(force=True)
        return str(tensor.shape).encode() + numbers.tobytes()
    except (TypeError, RuntimeError):  # It is sparse, nested, quantised, on "meta" or in 8 bits.
        file = io.BytesIO()
        torch.save(tensor, file)
        return file.getvalue()


def wide(value: Tensor) -> Tensor:
    """Return a tensor's numbers as float64, or as complex128."""
    return value.to(torch.promote_types(value.dtype, torch.float64))


def held_by(value: Any) -> Mapping[Any, Any]:
    """Return the values in an object's attributes, slots or `__reduce__`, by name; none for a class
    of this project or torch, except the fields of a dataclass."""
    cls = type(value)
    if is_dataclass(value):
        return {field.name: getattr(value, field.name, None) for field in fields(value)}
    if not user_modules.is_any_from_user(value):
        return {}
    names: list[str] = []
    for base in cls.__mro__:
        slots = base.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else slots  # A single slot may be a string.
    held = {name: getattr(value, name) for name in names if hasattr(value, name)}
    held |= getattr(value, "__dict__", {})
    is_plain = (cls.__reduce__, cls.__reduce_ex__) == (object.__reduce__, object.__reduce_ex__)
    if held or is_plain or isinstance(value, COLLECTIONS):
        return held
    try:
        return dict(enumerate(value.__reduce_ex__(2)[1:]))
    except Exception:  # It cannot be copied, such as a generator or a file.
        return {}


def tensors_in(value: Any, within: tuple[int, ...] = ()) -> Iterator[Tensor]:
    """Yield the tensors that a value holds, at any depth."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, nn.Module):
        yield from itertools.chain(value.parameters(), value.buffers())
    elif not isinstance(value, PLAIN_TYPES + PICKLED + CODE + TOOLS) and id(value) not in within:
        children: Iterable[Any]
        if isinstance(value, list | tuple | Set | deque):
            children = value
        elif isinstance(value, Mapping):
            children = value.values()
        else:
            children = held_by(value).values()
        for child in children:
            yield from tensors_in(child, (*within, id(value)))
