"""Tries optimisers, schedules and states on objects that are thrown away."""

import copy
import math
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from base.config import user_modules
from base.config.torch_parts import TRIAL_STEPS
from base.config.user_code import errors_as_config_fault
from base.run.checkpoint import load_state, state_of
from base.run.checkpoint_archive import from_archive, to_archive
from base.run.digest import digest
from base.step.optimizer_step import are_inverse, step_schedule
from utils.checks import CheckpointError, ConfigFault

NUM_TORCH_STEPS = 3
"""Steps by which torch's schedules are advanced (assumed: errors come with the first two)."""
TAKES_STATE = "one whose load_state_dict takes what state_dict returns: tensors, plain values"


def try_steps(optimizer: Optimizer, schedule: LRScheduler | None) -> None:
    """Make a few steps with an optimiser and its schedule; raise a ConfigFault if a step fails, or
    if a checkpoint cannot have a state.

    A user's schedule is advanced to its end.
    """
    with errors_as_config_fault("optimizer", optimizer, "an optimiser with eval() and train()"):
        are_inverse(optimizer)  # For now it is left in the mode of training.
    is_user_schedule = schedule is not None and user_modules.is_any_from_user(schedule)
    for step in range(TRIAL_STEPS if is_user_schedule else NUM_TORCH_STEPS):
        for group in optimizer.param_groups:
            for weight in group["params"]:
                weight.grad = torch.ones_like(weight)
        with errors_as_config_fault("optimizer", optimizer, "an optimiser that makes steps"):
            optimizer.step()
        with errors_as_config_fault("lr_scheduler", schedule, "a schedule that makes steps"):
            step_schedule(schedule, 1.0)
        rates = [group["lr"] for group in optimizer.param_groups]
        if not all(type(rate) in (int, float, Tensor) and 0 <= rate < math.inf for rate in rates):
            expected = f"one whose rates are plain numbers >= 0, not {rates} in step {step + 2}"
            raise ConfigFault("lr_scheduler", type(schedule).__name__, expected)
    with errors_as_config_fault("optimizer", optimizer, "an optimiser with eval() and train()"):
        if not are_inverse(optimizer):
            expected = "one whose train() puts back the weights and the state that eval() found"
            raise ConfigFault("optimizer", type(optimizer).__name__, expected)
    try_state("optimizer", optimizer)
    if schedule is not None:
        try_state("lr_scheduler", schedule)


def try_state(key: str, part: Any) -> None:
    """Raise a ConfigFault for `key` if a checkpoint cannot have the state of `part`."""
    with errors_as_config_fault(key, part, TAKES_STATE):
        try:
            saved = from_archive(to_archive(state_of(part)))
        except CheckpointError as fault:
            raise ConfigFault(key, type(part).__name__, f"{TAKES_STATE}; not {fault}") from fault
        load_state(part, copy.deepcopy(saved))  # torch's CyclicLR changes its argument.
        again = part.state_dict()
        if changed := [name for name in saved if digest(saved[name]) != digest(again.get(name))]:
            expected = f"{TAKES_STATE}; afterwards it has another state, of {changed[0]}"
            raise ConfigFault(key, type(part).__name__, expected)
