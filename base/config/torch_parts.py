"""Describes torch's optimisers and schedules, so that configs can have them.

Torch's constructors are made for programs: some arguments depend on the run, and errors do not name
the wrong value.
"""

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import torch
from torch import Tensor
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from base.config.binder import Annotation, BoundClass, Signature, WeightGroup, parameters_of
from utils.checks import ConfigFault, Range, hint

NOT_OFFERED = {
    "LBFGS",  # needs a closure
    "SparseAdam",  # needs sparse gradients
    "Muon",  # needs matrices
    "LambdaLR",  # This one and the others take functions or schedules.
    "MultiplicativeLR",
    "SequentialLR",
    "ChainedScheduler",
}
RESERVED = (
    "params",
    "optimizer",
    "last_epoch",
    "epochs",
    "steps_per_epoch",
    "capturable",
    "differentiable",
)
"""Arguments of torch's constructors that the program passes or leaves at their defaults."""
DERIVED_ARGUMENTS = {
    "OneCycleLR": {"max_lr": "lr", "total_steps": "steps"},
    "CyclicLR": {"base_lr": "lr"},
    "CosineAnnealingLR": {"T_max": "steps"},
    "PolynomialLR": {"total_iters": "steps"},
}
"""Arguments with defaults from the run: its initial learning rates or its number of steps."""
FROM_STEP = "from_step"
"""The option of torch's groups that says how many steps of the run a group's weights are frozen."""
TRIAL_STEPS = 1009
"""Number of steps of the imaginary run for which schedules are made when a config is tried, before
the data are loaded (a prime, so that fractions of the run are seldom whole). A user's schedule is
advanced to its end."""
# Where torch checks these bounds, its errors do not name the accepted values; numbers that exceed
# float32 would fail only at the first step.
TORCH_RANGES = {
    **dict.fromkeys(("lr", "max_lr", "base_lr", "eta_min", "min_lr"), Range(0, 1e6)),
    **dict.fromkeys(("eps", "weight_decay", "gamma", "power", "patience"), Range(0, 1e6)),
    **dict.fromkeys(("div_factor", "final_div_factor"), Range(1e-6)),
    **dict.fromkeys(("betas", "momentum", "alpha", "rho", "pct_start"), Range(0, 1)),
    **dict.fromkeys(("step_size", "T_max", "T_0", "T_mult", "total_steps"), Range(1)),
    **dict.fromkeys(("total_iters", "milestones", "step_size_up", "step_size_down"), Range(1)),
}


def _signature(cls: type[Optimizer] | type[LRScheduler]) -> Signature:
    """Return the arguments of a constructor of torch, with bounds and derived defaults."""
    arguments = {}
    derived = DERIVED_ARGUMENTS.get(cls.__name__, {})
    for parameter in parameters_of(cls):
        name, annotation = parameter.name, parameter.annotation
        if name in TORCH_RANGES:
            annotation = _bounded(annotation, TORCH_RANGES[name])
        default = derived.get(name, parameter.default)
        if name not in RESERVED:
            arguments[name] = parameter.replace(annotation=annotation, default=default)
    if issubclass(cls, Optimizer):
        return Signature(cls, ("params",), arguments, partial(_construct, cls))
    return Signature(cls, ("optimizer", "steps"), arguments, partial(_schedule, cls))


def depends_on_length(schedule: BoundClass) -> bool:
    """Return whether the rates of a schedule depend on the number of the run's steps."""
    if schedule.cls not in SIGNATURES:
        return not {"steps", "total_steps"}.isdisjoint(schedule.signature.from_program)
    derived = DERIVED_ARGUMENTS.get(schedule.cls.__name__, {})
    names = (name for name, source in derived.items() if source == "steps")
    return any(schedule.values.get(name) is None for name in names)


def divided(groups: Sequence[WeightGroup], names: Iterable[str]) -> list[list[str]]:
    """Divide weights among groups: return the names of those that no pattern matches, and then of
    each group. The first group with a pattern that matches a name gets its weight."""
    members = [list[str]() for _ in groups]
    rest = list[str]()
    for name in names:
        fitting = (
            weights for group, weights in zip(groups, members, strict=True) if _matches(group, name)
        )
        next(fitting, rest).append(name)
    return [rest, *members]


def _matches(group: WeightGroup, name: str) -> bool:
    """Return whether a pattern of a group matches a weight's name."""
    return any(fnmatchcase(name, pattern) for pattern in group.names)


def group_faults(groups: Sequence[WeightGroup], names: Sequence[str]) -> Iterator[ConfigFault]:
    """Yield a fault for each pattern that matches no name of a network's weights, and for each
    group whose weights are all of groups before it."""
    _, *members = divided(groups, names)
    for group, weights in zip(groups, members, strict=True):
        num_unused = 0
        for number, pattern in enumerate(group.names):
            if not any(fnmatchcase(name, pattern) for name in names):
                num_unused += 1
                expected = f"no weight has such a name{hint(pattern, names)}"
                yield ConfigFault(f"{group.key}.names.{number}", pattern, expected)
        if not weights and not num_unused:
            expected = "patterns of names that no group before it matches"
            yield ConfigFault(f"{group.key}.names", [*group.names], expected)


def check_groups(optimizer: Optimizer) -> None:
    """Raise a ConfigFault if a group of an optimiser has no learning rate."""
    if not all("lr" in group for group in optimizer.param_groups):
        expected = 'one whose param_groups have "lr", which schedules and the warm-up set'
        raise ConfigFault("optimizer", type(optimizer).__name__, expected)


def check_options(optimizer: Optimizer, part: BoundClass) -> None:
    """Raise a ConfigFault if `part` is a group of weights with an argument that an optimiser, made
    of it, does not have for each group."""
    for name, value in part.args.items() if isinstance(part, WeightGroup) else ():
        if name not in optimizer.defaults:
            kind = type(optimizer).__name__
            expected = f"{kind} has it for all weights alike: its param_groups have no {name!r}"
            raise ConfigFault(f"{part.key}.args.{name}", value, expected)


def with_groups(optimizer: BoundClass, weights: Sequence[Sequence[Tensor]]) -> list[Any]:
    """Return the weights of an optimiser with their options, as torch's constructors take them.

    Args:
        optimizer: the bound class of the optimiser.
        weights: the weights of no group, and then those of each group, as `divided`.
    """
    rest, *members = weights
    if not optimizer.groups:
        return [*rest]
    whole = [{"params": [*rest]}] if rest else []
    return whole + [
        {"params": [*weights], **group.args, FROM_STEP: group.from_step}
        for group, weights in zip(optimizer.groups, members, strict=True)
    ]


def _bounded(annotation: Annotation, bounds: Range) -> Annotation:
    """Return an annotation in which all types of numbers have bounds."""
    if annotation in (int, float):
        return Annotated[annotation, bounds]
    members = tuple(_bounded(member, bounds) for member in get_args(annotation))
    origin: Annotation = get_origin(annotation)
    return (Union if origin is UnionType else origin)[members] if members else annotation


def _schedule(
    cls: type[LRScheduler], optimizer: Optimizer, steps: int | None, **args: Any
) -> LRScheduler:
    """Construct a schedule for a run of `steps` steps; None for a trial."""
    rates = [group["lr"] for group in optimizer.param_groups]
    values = {"lr": rates, "steps": steps or TRIAL_STEPS}
    for name, source in DERIVED_ARGUMENTS.get(cls.__name__, {}).items():
        if args.get(name) is None:
            args[name] = values[source]
        elif source == "lr" and not isinstance(args[name], list) and len({*rates}) > 1:
            expected = f"a list of {len(rates)}: the rate of the weights of no group, and of each "
            raise ConfigFault(name, args[name], f"{expected}group; or leave it out: it is their lr")
    if steps and args.get("total_steps", steps) < steps:
        expected = f"at least the {steps} steps of the run; or leave it out"
        raise ConfigFault("total_steps", args["total_steps"], expected)
    return _construct(cls, optimizer, **args)


def _construct(cls: type, first: object, **args: Any) -> Any:
    """Construct a class of torch; raise a ConfigFault if it refuses the arguments."""
    try:
        return cls(first, **args)
    except ZeroDivisionError:  # from OneCycleLR, if its rise would end with the first step
        reason = f"a schedule whose {args.get('total_steps')} steps leave no phase empty"
        reason += ": train for more epochs, or change pct_start"
    except Exception as error:  # Arithmetic with a wrong value may raise any error.
        reason = f"{cls.__name__} refuses it: {str(error) or type(error).__name__}"
    raise ConfigFault("", args, reason)


SIGNATURES = {
    cls: _signature(cls)
    for name, cls in {**vars(torch.optim), **vars(lr_scheduler)}.items()
    if isinstance(cls, type) and issubclass(cls, (Optimizer, LRScheduler))
    if cls not in (Optimizer, LRScheduler) and name[0] != "_" and name not in NOT_OFFERED
}
"""Torch's optimisers and schedules that a config can describe, and their arguments."""
