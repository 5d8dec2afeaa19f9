"""Torch's schedules as parts of a config."""

import pytest
from torch.optim import SGD

from base.config.torch_parts import SIGNATURES, depends_on_length
from parse_config import plan_of
from tests.tiny_config import CONFIG, changed
from utils.checks import ConfigFault

SCHEDULES = [
    ("OneCycleLR", {"pct_start": 0.2}, True),
    ("OneCycleLR", {"total_steps": 99}, False),
    ("CosineAnnealingLR", {}, True),
    ("CosineAnnealingLR", {"T_max": 7}, False),
    ("PolynomialLR", {"power": 2.0}, True),
    ("CyclicLR", {"max_lr": 0.1}, False),
    ("StepLR", {"step_size": 2}, False),
    ("ReduceLROnPlateau", {}, False),
]


@pytest.mark.parametrize(("kind", "args", "expected"), SCHEDULES)
def test_a_schedule_depends_on_the_length_of_a_run_that_gives_its_own(kind, args, expected):
    plan = plan_of(changed(CONFIG, {"lr_scheduler": {"type": kind, "args": args}}), "c.json")
    assert depends_on_length(plan.checked()["lr_scheduler"]) == expected


def test_an_error_without_a_message_is_named_by_its_type(monkeypatch):
    def fails(self, params):
        raise AssertionError

    monkeypatch.setattr(SGD, "__init__", fails)
    with pytest.raises(ConfigFault, match=r"SGD refuses it: AssertionError$"):
        SIGNATURES[SGD].construct([])
