"""Torch's optimisers and schedules as blocks of a config: which, with what arguments.

Their constructors are made for programs: some arguments come from the run, and their errors
do not name the offending value.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Annotated, Any

import torch
from torch.optim import Optimizer, lr_scheduler

from utils.binding import Arguments, BadValue, arguments_of
from utils.checks import ConfigFault, Range

NOT_OFFERED = {
    *("LBFGS", "SparseAdam", "Muon"),  # need a closure, sparse gradients, matrices only
    *("LambdaLR", "MultiplicativeLR", "SequentialLR", "ChainedScheduler"),  # no plain values
}
# Arguments that the program passes to torch's constructors; below, those that it derives for a
# schedule if the config leaves them out: the rate from the optimiser's, the length from the run's.
FROM_PROGRAM = ("params", "optimizer", "last_epoch", "epochs", "steps_per_epoch")

DERIVED_ARGUMENTS = {
    "OneCycleLR": {"max_lr": "lr", "total_steps": "steps"},
    "CyclicLR": {"base_lr": "lr"},
    "CosineAnnealingLR": {"T_max": "steps"},
    "PolynomialLR": {"total_iters": "steps"},
}
# torch checks some of these bounds, but does not name the accepted values.
TORCH_RANGES = {
    **dict.fromkeys(("lr", "max_lr", "base_lr", "eta_min", "min_lr"), Range(0)),
    **dict.fromkeys(("eps", "weight_decay", "gamma", "power", "patience"), Range(0)),
    **dict.fromkeys(("betas", "momentum", "alpha", "rho", "pct_start"), Range(0, 1)),
    **dict.fromkeys(("step_size", "T_max", "T_0", "T_mult", "total_steps"), Range(1)),
    **dict.fromkeys(("total_iters", "milestones", "step_size_up", "step_size_down"), Range(1)),
}


def offered() -> list[Any]:
    """Return what torch's modules contain, but for what a config cannot describe."""
    return [
        value
        for module in (torch.optim, lr_scheduler)
        for name, value in vars(module).items()
        if not name.startswith("_") and name not in NOT_OFFERED
    ]


def arguments(cls: type) -> Arguments:
    """Return the arguments of one of torch's constructors."""
    _, accepted, defaults = arguments_of(cls, FROM_PROGRAM)
    for name in accepted.keys() & TORCH_RANGES.keys():
        accepted[name] = Annotated[accepted[name], TORCH_RANGES[name]]
    defaults |= DERIVED_ARGUMENTS.get(cls.__name__, {})
    return Arguments(list(FROM_PROGRAM), accepted, defaults)


def derived(kind: str, optimizer: Optimizer, total_steps: int) -> dict[str, Any]:
    """Return the arguments of a schedule that follow from its optimiser and the run's length."""
    values = {"lr": optimizer.param_groups[0]["lr"], "steps": total_steps}
    return {name: values[of] for name, of in DERIVED_ARGUMENTS.get(kind, {}).items()}


def weights() -> list[torch.nn.Parameter]:
    """Return a weight with a gradient, to try an optimiser on."""
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    return [weight]


def refused(
    cls: type,
    args: dict[str, Any],
    defaults: Collection[str],
    key: str,
    trial: Callable[..., Any],
) -> Iterator[BadValue]:
    """Find the arguments that a constructor refuses, by adding them one by one to those it accepts.

    Args:
        cls: the class.
        args: its arguments in a config.
        defaults: names of those that may be left out.
        key: of the block, for messages.
        trial: constructs the class with some of the arguments, and uses it once.
    """

    def refusal(names: Iterable[str]) -> str | None:
        try:
            trial(**{name: args[name] for name in names})
        except ConfigFault as fault:
            return fault.expected
        except Exception as error:  # Anything that arithmetic with a bad value raises.
            return f"{cls.__name__} refuses it: {error or type(error).__name__}"
        return None

    if refusal(args) is None:
        return
    taken = [name for name in args if name not in defaults]
    if reason := refusal(taken):
        yield BadValue(f"{key}.args", args, reason)
        return
    left = [name for name in args if name in defaults]
    while fitting := [name for name in left if refusal([*taken, name]) is None]:
        taken.append(fitting[0])
        left.remove(fitting[0])
    for name in left:
        yield BadValue(f"{key}.args.{name}", args[name], str(refusal([*taken, name])))
