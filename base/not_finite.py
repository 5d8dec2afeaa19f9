"""Where what is not finite comes from."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, is_dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from base.batch_stream import Chunk
from base.random_state import random_state_kept
from base.run_state import RunState
from utils.checks import first_line

log = logging.getLogger(__name__)


@dataclass(eq=False)
class NonFinite:
    """Says once an epoch why a step is left out, or ends the run there.

    Args:
        model: the network.
        state: of the run.
        anomaly: whether to end the run, and to look at each module and at each backward pass.
        forward: makes a forward pass of a network, given a batch and a state.
        failure: makes an error of what happened.
    """

    model: nn.Module
    state: RunState
    anomaly: bool
    forward: Callable[..., object]
    failure: Callable[[str], Exception]
    nonfinite_modules: list[str] = field(default_factory=list, init=False)
    """Those whose output was not finite in training, if `anomaly`."""

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Inside, modules and backward passes are looked at, if `anomaly`."""
        with ExitStack() as stack:
            if self.anomaly:
                stack.enter_context(torch.autograd.set_detect_anomaly(True))
                self.nonfinite_modules = stack.enter_context(watched(self.model))
            yield

    def check_loss(self, loss: float, chunk: Chunk) -> None:
        """Report the loss of a chunk if it is not finite."""
        if not math.isfinite(loss) or self.nonfinite_modules:
            self._report(f"{self._find_nonfinite(chunk)} is not finite")

    def _find_nonfinite(self, chunk: Chunk) -> str:
        """Say where what makes a loss not finite comes from, by another forward pass."""
        batch = chunk.batch
        broken = ~torch.isfinite(batch.inputs).flatten(1).all(1)
        if broken.any():
            return f"what sample {int(batch.index[broken][0])} has as inputs"
        with torch.no_grad(), random_state_kept(), watched(self.model) as modules:
            self.forward(self.model, batch, chunk.state)
        return [*self.nonfinite_modules, *modules, "the loss of finite outputs"][0]

    @contextmanager
    def backward(self) -> Iterator[None]:
        """Inside is a backward pass, of which torch reports what is not finite, if `anomaly`."""
        try:
            yield
        except RuntimeError as error:
            if self.anomaly and "returned nan" in str(error):
                self._report(f"in the backward pass, {first_line(error)}")
            raise

    def report_gradient(self) -> None:
        """Report whose gradient is not finite: the weight nearest to the output, and how many."""
        names = [
            name
            for name, weight in self.model.named_parameters()
            if weight.grad is not None and not bool(torch.isfinite(weight.grad).all())
        ]
        others = f" and of {len(names) - 1} other weights" if len(names) > 1 else ""
        what = f"the gradient of {names[-1]}{others}" if names else "the norm of the gradient"
        self._report(f"{what} is not finite")

    def _report(self, why: str) -> None:
        what = f"step {self.state.progress.step + 1}: {why}"
        if self.anomaly:
            raise self.failure(what)
        if not self.state.sums.skipped:
            log.warning("%s, so that the step is left out", what)


@contextmanager
def watched(model: nn.Module) -> Iterator[list[str]]:
    """Yield a list of the modules whose output is not finite, in the order of their calls inside.

    Only calls in training are looked at. Minus infinity, as of what is masked, counts as finite.
    """
    found: list[str] = []

    def look(name: str, module: nn.Module, _: object, output: Any) -> None:
        if module.training and not _finite(output):
            found.append(f"the output of {name or 'the network'} ({type(module).__name__})")

    with ExitStack() as hooks:
        for name, module in model.named_modules():
            hooks.callback(module.register_forward_hook(partial(look, name)).remove)
        yield found


def _finite(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not value.is_floating_point() or bool((value < math.inf).all())
    parts = vars(value) if is_dataclass(value) else value
    parts = list(parts.values()) if isinstance(parts, Mapping) else parts
    return not isinstance(parts, list | tuple) or all(map(_finite, parts))
