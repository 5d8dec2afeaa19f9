"""Tries the constructors of a config's classes on objects that are thrown away."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import filterfalse
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from base.base_model import BaseModel
from base.config import torch_parts, user_modules
from base.config.binder import BoundClass, WeightGroup, bound_classes, faults, references
from base.run.training_parts import logged_names, settings_of
from base.trial.trying import try_steps
from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from utils.checks import ConfigFault

TRIAL_ARGUMENTS = {
    "normalisation": Normalisation(mean=(0.0, 0.0), std=(1.0, 1.0)),
    "alphabet": Alphabet([" "]),
    "steps": None,
    "total_steps": torch_parts.TRIAL_STEPS,
    "last_epoch": -1,
    "origin": None,
}
"""What the program supplies in the trial of constructors, by name, while the data are unknown."""
SUPPLIED_AS = {"arch": "model", "optimizer": "optimizer"}
"""By key, the arguments by which the program supplies objects to the constructors of others."""


def try_constructors(
    bound: Mapping[str, Any], network_arguments: Mapping[str, Any]
) -> tuple[BaseModel | None, list[ConfigFault]]:
    """Build each object of a config but the trainer once, and throw them away.

    A network of the project is on the device "meta", where weights take neither time nor memory.
    Optimiser and schedule make steps with small weights. The trainer needs the data.

    Args:
        bound: the bound value of each block of the config, which may have faults.
        network_arguments: see `base.run.checkpoint.network_arguments`; {} without a checkpoint.

    Returns:
        the network, maybe without memory for its weights; None if it takes extras of unknown
        shapes; and the faults of constructors, and of what they build.
    """
    objects, refused = _trial_objects(bound, {**TRIAL_ARGUMENTS, **network_arguments})
    try:
        refused += _together(objects, bound)
        if not refused and not faults(bound):
            try_steps(objects["optimizer"], objects.get("lr_scheduler"))
    except ConfigFault as fault:
        refused.append(fault)
    return objects.get("arch"), refused


def _trial_objects(
    bound: Mapping[str, Any], supplied: Mapping[str, Any]
) -> tuple[dict[str, Any], list[ConfigFault]]:
    """Build the objects of a config, inner ones first, as far as the program has their arguments.

    Args:
        bound: see `try_constructors`.
        supplied: what the program supplies, by name.

    Returns:
        the objects by key, and the faults of constructors.
    """
    objects: dict[str, Any] = {}
    refused: dict[str, ConfigFault] = {}
    for bound_class in filterfalse(faults, bound_classes(bound)):
        of_objects = {name: objects[key] for key, name in SUPPLIED_AS.items() if key in objects}
        weights = _trial_weights(bound_class, objects.get("arch"))
        arguments = {**supplied, **of_objects, "params": weights}
        lacks_argument = {*bound_class.signature.from_program} - arguments.keys()
        lacks_object = references(bound_class) - objects.keys()  # whose constructor has faults
        if lacks_argument or lacks_object:
            continue
        try:
            part = _tried(bound_class, arguments, objects)
            if isinstance(part, Optimizer):
                torch_parts.check_groups(part)  # A schedule would fail without a learning rate.
                torch_parts.check_options(part, bound_class)
            objects[bound_class.key] = part
        except ConfigFault as fault:  # repeated if it is a fault of an inner object
            refused[fault.key] = fault
    return objects, [*refused.values()]


def _trial_weights(optimizer: BoundClass, network: BaseModel | None) -> list[Any]:
    """Return a small weight for each group of weights that an optimiser has in a network."""
    named = {"": None} if network is None else dict(network.named_parameters())
    names = torch_parts.divided(optimizer.groups, named)
    weights = [[nn.Parameter(torch.ones(2, 2))] if group else [] for group in names]
    return torch_parts.with_groups(optimizer, weights)


def _tried(
    bound_class: BoundClass, supplied: Mapping[str, Any], objects: Mapping[str, Any]
) -> object:
    """Build an object; a network is on the device "meta" unless a user wrote it: what it consists
    of may depend on numbers."""
    if bound_class.key.startswith("arch") and not user_modules.is_any_from_user(bound_class.cls):
        # After a fault it is built once more, because it may be one of "meta" alone.
        with suppress(ConfigFault), torch.device("meta"):
            return bound_class.build(supplied, objects)
    return bound_class.build(supplied, objects)


def _together(objects: Mapping[str, Any], bound: Mapping[str, Any]) -> Iterator[ConfigFault]:
    """Yield the faults of parts that do not fit each other, or the trainer and its settings.

    Args:
        objects: the objects by key, as far as they could be built.
        bound: see `try_constructors`.
    """
    network = objects.get("arch")
    loss = objects.get("loss")
    trainer = bound["trainer"]
    if network is not None:
        named = dict(network.named_parameters())
        is_own = user_modules.is_any_from_user(network)  # see `_tried`
        empty = [name for name, each in named.items() if is_lazy(each) or (is_own and each.is_meta)]
        if empty:
            expected = f"one whose constructor makes each weight, also {empty[0]}"
            remedy = "no lazy layers, nor any on the device meta"
            yield ConfigFault("arch", type(network).__name__, f"{expected}: {remedy}")
        groups = [part for part in bound_classes(bound) if isinstance(part, WeightGroup)]
        yield from torch_parts.group_faults(groups, [*named])
    names = None
    is_bound = isinstance(trainer, BoundClass)  # else it is a fault
    metrics = bound["metrics"]
    is_built = not faults(metrics) and all(each.key in objects for each in metrics)
    if loss is not None and is_built:
        metrics = [objects[each.key] for each in metrics]
        if is_bound and network is not None:
            yield from trainer.cls.incompatibilities(network, loss, metrics)
        names = logged_names(loss, metrics, True)
    if is_bound and not faults(trainer):
        yield from settings_of(trainer).validate(objects.get("lr_scheduler"), names)
