"""Optimisers that torch.optim lacks."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any

import torch
from torch import Tensor

from utils.checks import Range


class GravesRMSprop(torch.optim.Optimizer):
    """The paper's centred RMSprop with momentum, eqs (38)-(45).

    Per weight, with gradient g:

        n <- decay n + (1 - decay) g^2                                (38)
        m <- decay m + (1 - decay) g                                  (39)
        Delta <- momentum Delta - lr g / sqrt(n - m^2 + damping)      (40)
        w <- w + Delta                                                (41)

    with the paper's constants (42)-(45) as defaults. The damping stands inside the root, where
    `torch.optim.RMSprop` adds it outside; n, m and Delta start at zero (assumed).

    Args:
        params: weights, or groups of them.
        lr: step size (the paper: 1e-4).
        decay: of the averages n and m (the paper: 0.95).
        momentum: share of the last step that is kept (the paper: 0.9).
        damping: in units of the squared gradient (the paper: 1e-4).
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        lr: Annotated[float, Range(0.0)] = 1e-4,
        decay: Annotated[float, Range(0.0, 1.0)] = 0.95,
        momentum: Annotated[float, Range(0.0, 1.0)] = 0.9,
        damping: Annotated[float, Range(1e-30)] = 1e-4,
    ) -> None:
        super().__init__(params, dict(lr=lr, decay=decay, momentum=momentum, damping=damping))

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step; `closure`, if given, recomputes the loss and its gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            for weight in weights:
                if not self.state[weight]:
                    for name in ("square_average", "average", "delta"):
                        self.state[weight][name] = torch.zeros_like(weight)
            gradients = [weight.grad for weight in weights]
            squares, averages, deltas = (
                [self.state[weight][name] for weight in weights]
                for name in ("square_average", "average", "delta")
            )
            keep = 1 - group["decay"]
            torch._foreach_mul_(squares, group["decay"])
            torch._foreach_addcmul_(squares, gradients, gradients, keep)
            torch._foreach_lerp_(averages, gradients, keep)
            variances = torch._foreach_addcmul(squares, averages, averages, -1)
            # The variance n - m^2 is not negative, but rounding may take it below zero.
            torch._foreach_clamp_min_(variances, 0.0)
            torch._foreach_add_(variances, group["damping"])
            torch._foreach_sqrt_(variances)
            torch._foreach_mul_(deltas, group["momentum"])
            torch._foreach_addcdiv_(deltas, gradients, variances, -group["lr"])
            torch._foreach_add_(weights, deltas)
        return loss
