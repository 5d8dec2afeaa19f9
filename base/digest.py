"""A digest of what a part keeps, by which states are compared."""

import hashlib
import pickle
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from base.config import user_modules

PLAIN = (int, float, str, bytes, set, np.generic)
PICKLED = (np.ndarray, random.Random, np.random.Generator, np.random.RandomState)


def digest(value: Any, within: tuple[int, ...] = ()) -> bytes:
    """Return a digest that is equal for equal states, bit for bit, so that NaN equals NaN.

    A state is made of tensors, plain values, random generators, parts of torch (their `state_dict`
    counts) and objects of one's own (their attributes count). Other values do not count, nor does
    None. `within` has the ids of the objects that `value` is an attribute of.
    """
    if isinstance(value, nn.Module | Optimizer | LRScheduler):
        value = [type(value).__name__, value.state_dict()]
    elif isinstance(value, torch.Generator):
        value = value.get_state()
    is_own = hasattr(value, "__dict__") and user_modules.is_any_defined(value)
    pieces: list[bytes] = []
    if isinstance(value, Tensor):
        # Equal numbers count as equal in any type: torch's optimisers load ints as floats.
        numbers = value.detach().cpu().to(torch.promote_types(value.dtype, torch.float64))
        pieces = [str(value.shape).encode(), numbers.numpy().tobytes()]
    elif isinstance(value, PLAIN):
        pieces = [repr(value).encode()]
    elif isinstance(value, PICKLED):
        pieces = [pickle.dumps(value)]
    elif isinstance(value, Mapping):  # in any order
        pieces = sorted(digest(pair, within) for pair in value.items())
    elif isinstance(value, list | tuple):
        pieces = [digest(child, within) for child in value]
    elif is_own and id(value) not in within:
        pieces = [digest([type(value).__name__, vars(value)], (*within, id(value)))]
    return hashlib.sha256(b"".join(pieces)).digest()
