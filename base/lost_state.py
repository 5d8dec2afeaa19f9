"""What changes in a step and is in no checkpoint, so that a resumed run would go on without it."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from base.base_trainer import BaseTrainer
from base.config import user_modules
from base.digest import digest
from utils.checks import ConfigFault

log = logging.getLogger(__name__)

States = dict[tuple[str, str], Any]
"""A digest of each attribute, by the owner's name and its own; of a dictionary one for each key."""
# The sums of metrics begin anew with each epoch; loss, network and schedule are owners themselves.
OF_BASES = {"metrics", "valid_metrics", "loss", "model", "lr_scheduler", "optimizer", "base_lrs"}
OF_TORCH = vars(nn.Module()).keys() | vars(SGD([torch.zeros(1)])).keys()


def states(trainer: BaseTrainer) -> States:
    """Return the states of all attributes that a step may change."""
    return {
        key: {name: digest(each) for name, each in value.items()}
        if isinstance(value, Mapping)
        else digest(value, (id(owner),))
        for key, (owner, value) in _attributes(trainer).items()
    }


def warn_of_lost(trainer: BaseTrainer, again: BaseTrainer, initial: States, saved: States) -> bool:
    """Warn of what a trainer's restored copy lacks; return whether there is any.

    Both have made a step more since. What the copy has then as well is no state, nor is a cache,
    whose entries do not change and which the copy fills with the same ones.

    Args:
        initial, saved: states of the trainer before the trial, and when the copy was made.

    Raises:
        ConfigFault: if it is an optimiser's.
    """
    present, copied, found = states(trainer), states(again), False
    attributes, others = _attributes(trainer), _attributes(again)
    for key in present:
        (owner, value), (label, name) = attributes[key], key
        state, other = present[key], copied.get(key, digest(None))
        if state in (other, initial.get(key)):
            continue
        if _has(state, saved.get(key)) and (_has(state, other) or _begins(value, others.get(key))):
            continue
        if isinstance(owner, Optimizer):
            expected = f"one whose steps keep all in state or param_groups; {name} is not saved"
            raise ConfigFault("optimizer", type(owner).__name__, expected)
        remedy, found = "keep it by state_dict and load_state_dict", True
        if isinstance(owner, nn.Module):
            remedy = "keep it as a tensor in a buffer (register_buffer)"
        elif isinstance(value, nn.Module | Optimizer):
            remedy = f"keep it by self.keep({name!r}, ...)"
        log.warning(
            "%s.%s changes in a step and is not in a checkpoint, so that a resumed run would "
            "begin with its initial value: %s",
            *(label, name, remedy),
        )
    return found


def _has(state: Any, other: Any) -> bool:
    """Return whether a state has another one's entries, and these are not none."""
    are_entries = isinstance(state, dict) and isinstance(other, dict)
    return bool(other) and (other.items() <= state.items() if are_entries else state == other)


def _begins(value: Any, other: Any) -> bool:
    """Return whether a tensor begins with another one, as a table that grows with the lengths."""
    other = other and other[1]
    if not isinstance(value, Tensor) or not isinstance(other, Tensor) or value.ndim != other.ndim:
        return False
    return torch.equal(value[tuple(map(slice, other.shape))], other)


def _attributes(trainer: BaseTrainer) -> dict[tuple[str, str], tuple[object, Any]]:
    """Return the owner and the value of each attribute, by the owner's name and its own."""
    found = {}
    for label, owner in _owners(trainer):
        ignored = OF_TORCH if isinstance(owner, nn.Module | Optimizer) else OF_BASES
        for name in sorted(vars(owner).keys() - ignored):
            found[label, name] = owner, vars(owner)[name]
        if isinstance(owner, nn.Module):
            lost = {name: owner._buffers[name] for name in owner._non_persistent_buffers_set}
            for name, weight in owner.named_parameters(recurse=False):
                lost[f"{name}.requires_grad"] = weight.requires_grad
            found |= {(label, name): (owner, value) for name, value in lost.items()}
    step = trainer.optimizer_step
    found[type(trainer).__name__, "optimizer_step.clip_norm"] = step, step.clip_norm
    return found


def _owners(trainer: BaseTrainer) -> Iterator[tuple[str, object]]:
    """Yield the objects whose attributes steps may change, with names for messages."""
    parts = trainer.checkpoint_writer.all_stateful | {"model": trainer.evaluated_model}
    for name, part in parts.items():
        kind = type(part).__name__
        label = kind if name in ("model", "loss", "trainer") else f"{type(trainer).__name__}.{name}"
        if isinstance(part, nn.Module):
            for path, module in part.named_modules():
                yield f"{label}.{path}".rstrip("."), module
        elif user_modules.is_any_defined(part):
            yield label, part
