"""What goes wrong in the code of a part becomes a fault of the config that names the part."""

import copy
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from base.base_transform import BaseTransform
from base.config import user_modules
from base.config.torch_parts import TRIAL_STEPS
from base.distributed import Lost
from base.run.digest import digest
from base.step.optimizer_step import has_modes, step_schedule
from utils.checks import ConfigFault, UserError, described, short

NUM_TORCH_STEPS = 3
"""Number of steps by which torch's schedules are advanced (assumed: errors come with the first
two)."""
KEYS = {
    **{"BaseTrainer": "trainer", "BaseLoss": "loss", "BaseMetric": "metrics", "BaseModel": "arch"},
    **{"Optimizer": "optimizer", "LRScheduler": "lr_scheduler"},
    "BaseTransform": "data_loader.args.augmentation",
}
"""The key of a config that names a part, by the name of the part's base class."""
TAKES_STATE = "one whose load_state_dict takes what state_dict returns: tensors, plain values"


@contextmanager
def trying(key: str, part: object, wanted: str, hint: str = "") -> Iterator[None]:
    """A block in which an error in the code of `part` becomes a ConfigFault for `key`; `wanted`
    says what is expected of the code, and `hint` ends the message.

    If the error comes from a user's part, the fault names this part; SystemExit is such an error.
    """
    try:
        yield
    except (UserError, OSError, Lost):
        raise
    except (Exception, SystemExit) as error:
        culprit_key, culprit = _innermost(error)
        if culprit is not None and type(culprit) is not type(part):
            key, part, wanted, hint = culprit_key, culprit, "one that works", ""
        expected = f"{wanted}: trying it ended in {described(error)}{hint}"
        raise ConfigFault(key, type(part).__name__, expected) from error


def _innermost(error: BaseException) -> tuple[str, object]:
    """Return the key and the part of the innermost method of a user's part in an error's traceback;
    None if there is none."""
    key, culprit, trace = "", None, error.__traceback__
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
        names, module = frame.f_code.co_varnames, frame.f_globals.get("__name__", "")
        part = frame.f_locals.get(names[0]) if frame.f_code.co_argcount else None
        for base in type(part).__mro__:
            if base.__name__ in KEYS and user_modules.is_defined_by_user(module):
                key, culprit = KEYS[base.__name__], part
    if isinstance(culprit, BaseTransform) and not culprit.random:
        key = "data_loader.args.preprocessing"
    return key, culprit


def check_groups(optimizer: Optimizer) -> None:
    """Raise a ConfigFault if a group of an optimiser has no learning rate."""
    if not all("lr" in group for group in optimizer.param_groups):
        expected = 'one whose param_groups have "lr", which schedules and the warm-up set'
        raise ConfigFault("optimizer", type(optimizer).__name__, expected)


def try_steps(optimizer: Optimizer, schedule: LRScheduler | None) -> None:
    """Make a few steps with an optimiser and its schedule; raise a ConfigFault if a step fails, or
    if a checkpoint cannot keep a state.

    A user's schedule is advanced to its end.
    """
    if has_modes(optimizer):
        with trying("optimizer", optimizer, "an optimiser with eval() and train()"):
            optimizer.eval()
            optimizer.train()
    is_user_schedule = schedule is not None and user_modules.is_any_defined(schedule)
    for step in range(TRIAL_STEPS if is_user_schedule else NUM_TORCH_STEPS):
        for group in optimizer.param_groups:
            for weight in group["params"]:
                weight.grad = torch.ones_like(weight)
        with trying("optimizer", optimizer, "an optimiser that makes steps"):
            optimizer.step()
        with trying("lr_scheduler", schedule, "a schedule that makes steps"):
            step_schedule(schedule, 1.0)
        rates = [group["lr"] for group in optimizer.param_groups]
        plain = all(type(rate) in (int, float, Tensor) for rate in rates)
        if not plain or not all(0 <= rate < math.inf for rate in rates):
            expected = f"one whose rates are plain numbers >= 0, not {rates} in step {step + 2}"
            raise ConfigFault("lr_scheduler", type(schedule).__name__, expected)
    try_state("optimizer", optimizer)
    if schedule is not None:
        try_state("lr_scheduler", schedule)


def try_state(key: str, part: Any) -> None:
    """Raise a ConfigFault for `key` if a checkpoint cannot keep the state of `part`."""
    with trying(key, part, TAKES_STATE):
        state = part.state_dict()
        if refused := _refused(state):
            raise ConfigFault(key, type(part).__name__, f"{TAKES_STATE}; not {refused}")
        saved = stored(state)
        part.load_state_dict(copy.deepcopy(saved))  # torch's CyclicLR changes its argument.
        again = part.state_dict()
        if changed := [name for name in saved if digest(saved[name]) != digest(again.get(name))]:
            expected = f"{TAKES_STATE}; afterwards it has another state, of {changed[0]}"
            raise ConfigFault(key, type(part).__name__, expected)


def _refused(value: Any, name: str = "") -> str:
    """Return name and value of what a checkpoint cannot have of a state; "" if there is none."""
    try:
        stored(value)
    except Exception:  # Pickling may raise any.
        pairs = value.items() if isinstance(value, dict) else ()
        pairs = enumerate(value) if isinstance(value, list | tuple) else pairs
        inner = (_refused(child, f"{name}.{key}".lstrip(".")) for key, child in pairs)
        return next(filter(None, inner), f"{name} = {short(value)}")
    return ""


def stored(content: Any) -> Any:
    """Return what a checkpoint has of a content after it was written and read."""
    file = io.BytesIO()
    torch.save(content, file)
    file.seek(0)
    return torch.load(file, weights_only=True)
