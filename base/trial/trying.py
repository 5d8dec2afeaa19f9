"""Tries optimisers, schedules and states on objects that are thrown away."""

import copy
import logging
import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from base.config import user_modules
from base.config.torch_parts import TRIAL_STEPS
from base.config.user_code import errors_as_config_fault
from base.run.checkpoint import load_state, state_of
from base.run.checkpoint_archive import from_archive, to_archive
from base.run.digest import digest, tensors_in
from base.run.run_state import HasModes, weights_of
from base.step.step import step_schedule
from utils.checks import CheckpointError, ConfigFault

log = logging.getLogger(__name__)

TRIAL_RATES = 1e-2, 1e-5
"""Learning rates by which a step of weights of 1 differs (assumed)."""
OWN_NAMES = vars(SGD([torch.zeros(1)])).keys()
"""The attributes that torch gives an optimiser; a checkpoint has those that steps change."""
NUM_TORCH_STEPS = 3
"""Steps by which torch's schedules are advanced (assumed: errors come with the first two)."""
TAKES_STATE = "one whose load_state_dict takes what state_dict returns: tensors, plain values"


def try_steps(optimizer: Optimizer, schedule: LRScheduler | None) -> None:
    """Make a few steps with an optimiser and its schedule; raise a ConfigFault if a step fails, or
    if a checkpoint cannot have a state.

    A user's schedule is advanced by `TRIAL_STEPS`; one that changes no rate in these is warned of,
    and so is a user's optimiser whose steps do not depend on the rates, or ascend.
    """
    is_user_schedule = schedule is not None and user_modules.is_any_from_user(schedule)
    with errors_as_config_fault("optimizer", optimizer, "an optimiser that makes steps"):
        are_inverse(optimizer)  # For now it is left in the mode of training.
        seen = {repr([group["lr"] for group in optimizer.param_groups])}
        for step in range(TRIAL_STEPS if is_user_schedule else NUM_TORCH_STEPS):
            _step(optimizer)
            with errors_as_config_fault("lr_scheduler", schedule, "a schedule that makes steps"):
                step_schedule(schedule, 1.0)
            rates = [group["lr"] for group in optimizer.param_groups]
            if not all(
                type(rate) in (int, float, Tensor) and 0 <= rate < math.inf for rate in rates
            ):
                next_step = step + 2  # as a user counts, from 1
                expected = (
                    f"one whose rates are plain numbers >= 0, not {rates} in step {next_step}"
                )
                raise ConfigFault("lr_scheduler", type(schedule).__name__, expected)
            seen.add(repr(rates))
        if is_user_schedule and len(seen) == 1:
            problem = f"changes no learning rate in the first {TRIAL_STEPS:,} steps"
            log.warning("%s %s; that is right if it begins later", type(schedule).__name__, problem)
        if not are_inverse(optimizer):
            expected = "one whose train() puts back the weights and the state that eval() found"
            raise ConfigFault("optimizer", type(optimizer).__name__, expected)
        try_state("optimizer", optimizer)
        if user_modules.is_any_from_user(optimizer):
            _try_late_steps(optimizer)
            if problem := _doubt(optimizer):
                log.warning("%s %s", type(optimizer).__name__, problem)
    if schedule is not None:
        try_state("lr_scheduler", schedule)


def are_inverse(optimizer: Optimizer) -> bool:
    """Return whether an optimiser has no modes, or its `train()` takes back what its `eval()` does;
    leave it in the mode of training. See `HasModes`."""
    if not isinstance(optimizer, HasModes):
        return True
    optimizer.train()
    # A state_dict refers to the optimiser's tensors, which eval() and train() change in place.
    held = [*tensors_in([weights_of(optimizer), optimizer.state_dict()])]
    before = [tensor.detach().clone() for tensor in held]
    optimizer.eval()
    optimizer.train()
    are_close = partial(torch.allclose, rtol=1e-5, atol=1e-5, equal_nan=True)
    return all(map(are_close, held, before))


def _step(optimizer: Optimizer) -> None:
    """Make a step with gradients of 1."""
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad = torch.ones_like(weight)
    optimizer.step()


def _try_late_steps(optimizer: Optimizer) -> None:
    """Make as many steps as a run may have; raise a ConfigFault if they change what no checkpoint
    has: what the state of before does not bring back."""
    held = {name: digest(value) for name, value in vars(optimizer).items()}
    weights, state = copy.deepcopy((weights_of(optimizer), optimizer.state_dict()))
    for _ in range(TRIAL_STEPS):
        _step(optimizer)
    try_state("optimizer", optimizer)
    _put_back(optimizer, weights, state)
    for name, value in vars(optimizer).items():
        if name not in OWN_NAMES and digest(value) != held.get(name):
            raise unsaved(optimizer, name)


def _put_back(optimizer: Optimizer, weights: list[Tensor], state: dict[str, Any]) -> None:
    """Give an optimiser a state of before, and its weights the values that they had."""
    load_state(optimizer, copy.deepcopy(state))
    with torch.no_grad():
        torch._foreach_copy_(weights_of(optimizer), weights)


def unsaved(optimizer: Optimizer, name: str) -> ConfigFault:
    """Return the fault of an optimiser whose steps change an attribute that no checkpoint has."""
    expected = f"one whose steps hold all in state or param_groups; {name} is not saved"
    return ConfigFault("optimizer", type(optimizer).__name__, expected)


def _doubt(optimizer: Optimizer) -> str:
    """Return in words what may be wrong with an optimiser's steps: they are the same with a far
    lower rate, or go along gradients of 1; or ""."""
    before = copy.deepcopy(weights_of(optimizer))
    state = optimizer.state_dict()
    after = []
    for rate in TRIAL_RATES:
        _put_back(optimizer, before, state)
        for group in optimizer.param_groups:
            group["lr"] = 0 * group["lr"] + rate  # It may be a tensor.
        _step(optimizer)
        after.append(copy.deepcopy(weights_of(optimizer)))
    first_step, second_step = map(digest, after)
    if first_step == second_step and first_step != digest(before):
        return "makes the same step with any learning rate: schedule and warm-up set group['lr']"
    for weights in after:
        for weight, previous in zip(weights, before, strict=True):
            if not (weight > previous).all():
                return ""
    return "raises the loss: its steps go along the gradient, not against it"


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
