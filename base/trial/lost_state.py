"""Finds state that changes in a step and is in no checkpoint, so that a resumed run lacks it."""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from base.base_loss import BaseLoss
from base.base_trainer import BaseTrainer
from base.config import user_modules
from base.run.digest import digest
from base.trial.trying import OWN_NAMES, unsaved
from utils.checks import first_of

log = logging.getLogger(__name__)

Attribute = tuple[str, str]
"""The name of an owner, and that of an attribute."""
States = dict[Attribute, Any]
"""A digest of each attribute; of a dictionary one for each key."""
# The sums of metrics begin anew with each epoch; loss, network and schedule are owners themselves.
IGNORED = {"metrics", "valid_metrics", "loss", "model", "lr_scheduler", "optimizer", "sampler"}
IGNORED |= vars(nn.Module()).keys() | OWN_NAMES


def states(trainer: BaseTrainer) -> States:
    """Return the states of all attributes that a step may change."""
    digests: States = {}
    for key, (owner, value) in _attributes(trainer).items():
        if isinstance(value, Mapping):
            digests[key] = {name: digest(entry) for name, entry in value.items()}
        else:
            digests[key] = digest(value, (id(owner),))
    return digests


def warn_of_lost(trainer: BaseTrainer, again: BaseTrainer, initial: States, saved: States) -> bool:
    """Warn of each attribute that a trainer's restored copy lacks, or raise a ConfigFault for that
    of an optimiser; return whether there is any.

    Trainer and copy have made one more step since. An attribute that is then equal in both is no
    lost state, nor is a cache, whose entries do not change, and which the copy fills alike.

    Args:
        trainer, again: the trainer and its copy.
        initial, saved: states of the trainer before the trial, and when the copy was made.
    """
    present = states(trainer)
    copied = states(again)
    copies = _attributes(again)
    has_lost = False
    changed = []
    frozen = []
    for key, (owner, value) in _attributes(trainer).items():
        label, name = key
        state = present[key]
        copied_state = copied.get(key)
        is_constant = state == saved.get(key) == initial.get(key)
        if is_constant or state == copied_state:
            if name.endswith(".requires_grad") and initial.get(key, state) != state:
                frozen.append(f"{label}.{name}")
            continue
        # The entries of a cache stay; the copy has some of the entries, or of their numbers.
        if _has(state, saved.get(key)):
            _, copied_value = copies.get(key, (None, None))
            if _has(state, copied_state) or _begins(value, copied_value):
                continue
        if any(value is part for part in trainer.state.parts.values()):
            changed.append(f"{label}.{name}")
            continue
        if isinstance(owner, Optimizer):
            raise unsaved(owner, name)
        has_lost = True
        remedy = "save it by state_dict and load_state_dict"
        if isinstance(owner, nn.Module):
            remedy = "save it as a tensor in a buffer (register_buffer)"
        elif isinstance(value, nn.Module | Optimizer):
            remedy = f"save it by self.keep({name!r}, ...)"
        problem = "changes in a step and is not in a checkpoint, so that a resumed run would begin"
        log.warning("%s.%s %s with its initial value: %s", label, name, problem, remedy)
    if frozen:
        problem = "changes in the first pass: set it in the constructor, or freeze weights by"
        log.warning("%s %s optimizer.groups", first_of(frozen), problem)
    if changed and not has_lost:  # Else what is lost explains the change.
        problem = "in a checkpoint, but a step of a resumed run changes it otherwise: it depends"
        log.warning("%s: %s on what is in no checkpoint", ", ".join(changed), problem)
    return has_lost or bool(changed)


def _has(state: Any, other: Any) -> bool:
    """Return whether a state has the entries of another state, which has some."""
    if not other:
        return False
    if isinstance(state, dict) and isinstance(other, dict):
        return other.items() <= state.items()
    return state == other


def _begins(value: Any, other: Any) -> bool:
    """Return whether a tensor begins with another tensor, as a table that grows with lengths."""
    if not isinstance(value, Tensor) or not isinstance(other, Tensor) or value.ndim != other.ndim:
        return False
    return torch.equal(value[tuple(map(slice, other.shape))], other)


def _attributes(trainer: BaseTrainer) -> dict[Attribute, tuple[object, Any]]:
    """Return the owner and the value of each attribute that a step may change."""
    attributes: dict[Attribute, tuple[object, Any]] = {}
    kind = type(trainer).__name__
    step = trainer.optimizer_step
    attributes[kind, "optimizer_step.clip_norm"] = step, step.clip_norm
    parts = trainer.state.parts | {"sampler": trainer.sampler}
    for name, part in parts.items():
        is_main = name in ("trainer", *IGNORED)
        label = type(part).__name__ if is_main else f"{kind}.{name}"
        owners = part.named_modules() if isinstance(part, nn.Module) else [("", part)]
        for path, owner in owners:
            is_own = user_modules.is_any_from_user(owner)
            names = vars(owner).keys() - IGNORED
            values = {name: vars(owner)[name] for name in names if is_own or name[0] != "_"}
            if isinstance(owner, nn.Module):
                unsaved_buffers = owner._non_persistent_buffers_set
                values |= {name: owner._buffers[name] for name in unsaved_buffers}
                for name, weight in owner.named_parameters(recurse=False):
                    settings = vars(weight) | {"requires_grad": weight.requires_grad}
                    values |= {f"{name}.{k}": v for k, v in settings.items() if k[0] != "_"}
            elif not (is_own or isinstance(owner, BaseLoss)):
                continue
            elif isinstance(owner, Optimizer):  # whatever a state_dict of its own says
                values["state"] = Optimizer.state_dict(owner)["state"]
            for name in sorted(values):
                attributes[f"{label}.{path}".rstrip("."), name] = owner, values[name]
    return attributes
