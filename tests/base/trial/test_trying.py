"""Optimisers, schedules and states that are tried on objects which are thrown away."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from every_kind import refused
from tiny_run import Calming, Counting, ScheduleFree
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from base.trial.trying import try_state, try_steps
from utils.checks import UserError


class Fixed(torch.optim.Optimizer):
    """Makes steps of the rate that it was made with."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})
        self.rate = lr

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                weight.sub_(weight.grad, alpha=self.rate)


class Ascending(torch.optim.SGD):
    """Follows the gradient up."""

    def __init__(self, params, lr):
        super().__init__(params, lr, maximize=True)


class Idle(LRScheduler):
    """Never changes its rates."""

    def __init__(self, optimizer, total_steps):
        super().__init__(optimizer)

    def get_lr(self):
        return self.base_lrs


class Late(Idle):
    """Lowers its rates at the end of the steps that are tried."""

    def get_lr(self):
        return [rate if self.last_epoch < 1009 else rate / 2 for rate in self.base_lrs]


def constant(optimizer, _):
    return LambdaLR(optimizer, lambda step: 1.0)


class Constant(LambdaLR):
    """Knows nothing of the run."""

    def __init__(self, optimizer, strength=1.0):
        super().__init__(optimizer, lambda step: strength**0)


@pytest.mark.parametrize(
    ("optimizer", "schedule", "said"),
    [
        (Fixed, None, "Fixed makes the same step with any learning rate"),
        (Ascending, None, "Ascending raises the loss"),
        (Counting, Idle, "Idle changes no learning rate in the first 1,009 steps; that is right"),
        (Counting, Constant, "Constant changes no learning rate in the first 1,009 steps; that is"),
        (Counting, Late, ""),
        (Counting, Calming, ""),
        (Counting, constant, ""),  # of torch
        (ScheduleFree, None, ""),
    ],
)
def test_what_an_optimiser_or_schedule_does_not_do_is_warned_of(optimizer, schedule, said, caplog):
    built = optimizer([nn.Parameter(torch.ones(2, 2))], lr=0.1)
    try_steps(built, schedule and schedule(built, 1009))
    assert [message[: len(said)] for message in caplog.messages] == ([said] if said else [])


class Averaging(torch.optim.SGD):
    """Counts beside its state, from a late step on."""

    steps = averaged = 0

    def step(self, closure=None):
        for weight in self.param_groups[0]["params"]:
            self.state[weight]["steps"] = self.state[weight].get("steps", 0) + 1
            self.averaged = max(0, self.state[weight]["steps"] - 500)
        return super().step(closure)


class Saving(Averaging):
    """Has what it counts in a state of its own."""

    def state_dict(self):
        return super().state_dict() | {"averaged": self.averaged}

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.averaged = state["averaged"]


class Wrapping(torch.optim.Optimizer):
    """Leaves its steps, its state and its groups to another optimiser."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})
        self.inner = torch.optim.Adam(self.param_groups)
        self.param_groups, self.state = self.inner.param_groups, self.inner.state

    def step(self, closure=None):
        self.inner.step()

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.inner.param_groups, self.inner.state = self.param_groups, self.state


@pytest.mark.parametrize("optimizer", [Averaging, Saving, Wrapping])
def test_an_optimiser_that_changes_late_what_no_checkpoint_has_is_refused(optimizer):
    built = optimizer([nn.Parameter(torch.ones(2, 2))], lr=0.1)
    message = r'^optimizer = "Averaging": .*; averaged is not saved'
    is_refused = optimizer is Averaging
    with pytest.raises(UserError, match=message) if is_refused else nullcontext():
        try_steps(built, None)


class Swapping(ScheduleFree):
    """Its mode of training does not take back what that of evaluation did."""

    @torch.no_grad()
    def train(self):
        for group in self.param_groups:
            group["is_training"] = True


@pytest.mark.parametrize("optimizer", [ScheduleFree, Swapping])
def test_modes_of_an_optimiser_that_are_not_inverse_are_refused(optimizer):
    built = optimizer([nn.Parameter(torch.ones(2, 2))])
    with (
        nullcontext()
        if optimizer is ScheduleFree
        else pytest.raises(UserError, match=r'^optimizer = "Swapping": .* train\(\) puts back')
    ):
        try_steps(built, None)


@pytest.mark.parametrize("name", refused())
def test_a_state_that_no_checkpoint_holds_is_refused_with_what_to_use_instead(name):
    value, remedy = refused()[name]
    part = SimpleNamespace(state_dict=lambda: {"a": [value]}, load_state_dict=lambda _: None)
    with pytest.raises(UserError, match=rf'^loss = "SimpleNamespace": .*; not a\.0 = .*{remedy}'):
        try_state("loss", part)


@pytest.mark.parametrize("state", [[1, 2], "abc", None, 0, torch.ones(2)])
def test_a_state_that_is_no_dictionary_is_refused(state):
    part = SimpleNamespace(state_dict=lambda: state, load_state_dict=lambda _: None)
    with pytest.raises(UserError, match=r" = .*: state_dict returns a dictionary$"):
        try_state("trainer", part)
