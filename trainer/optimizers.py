"""The paper's optimiser, which torch.optim lacks."""

from typing import Annotated

import torch
from torch.optim.optimizer import ParamsT

from utils.checks import Range

AVERAGES = ("square_average", "average", "delta")
"""The names of n, m and Delta in the state of a weight."""


class GravesRMSprop(torch.optim.Optimizer):
    """The paper's centred RMSprop with momentum, eqs (38)-(45).

    Per weight, with gradient g:

        n <- decay n + (1 - decay) g^2                                (38)
        m <- decay m + (1 - decay) g                                  (39)
        Delta <- momentum Delta - lr g / sqrt(n - m^2 + damping)      (40)
        w <- w + Delta                                                (41)

    with the paper's constants (42)-(45) as defaults. The damping is inside the square root;
    `torch.optim.RMSprop` adds it outside. n, m and Delta start at zero (assumed). A complex weight
    counts as two.

    Args:
        params: weights, or groups of weights.
        lr: step size (the paper: 1e-4).
        decay: decay rate of the averages n and m (the paper: 0.95).
        momentum: fraction of the last step that is kept (the paper: 0.9).
        damping: added to the variance of the gradient before its root is taken, in units of the
            squared gradient (the paper: 1e-4).
    """

    def __init__(
        self,
        params: ParamsT,
        *,
        lr: Annotated[float, Range(0.0)] = 1e-4,
        decay: Annotated[float, Range(0.0, 1.0)] = 0.95,
        momentum: Annotated[float, Range(0.0, 1.0)] = 0.9,
        damping: Annotated[float, Range(1e-30)] = 1e-4,
    ) -> None:
        super().__init__(params, dict(lr=lr, decay=decay, momentum=momentum, damping=damping))

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # not called
        """Make a step; `closure` is not called."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update(weight, group)

    def _update(self, weight: torch.Tensor, group: dict[str, float]) -> None:
        state = self.state[weight]
        gradient = weight.grad
        new_fraction = 1 - group["decay"]
        if not state:
            for name in AVERAGES:
                state[name] = torch.zeros_like(weight)
        tensors = [weight, gradient, *(state[name] for name in AVERAGES)]
        if weight.is_complex():  # Real and imaginary parts are weights of their own.
            tensors = [*map(torch.view_as_real, tensors)]
        weight, gradient, square, average, delta = tensors
        square.mul_(group["decay"]).addcmul_(gradient, gradient, value=new_fraction)
        average.lerp_(gradient, new_fraction)
        # Rounding may make the variance n - m^2 negative.
        variance = torch.addcmul(square, average, average, value=-1).clamp_min_(0.0)
        root = variance.add_(group["damping"]).sqrt_()
        delta.mul_(group["momentum"]).addcdiv_(gradient, root, value=-group["lr"])
        weight.add_(delta)
