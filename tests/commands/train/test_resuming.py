"""What may differ where a run goes on; test_start.py starts such runs."""

import pytest

from commands.train.start import differing_values
from parse_config import plan_of
from tests import tiny_config
from trainer.generation_trainer import GenerationTrainingSettings
from utils.checks import ConfigError

FREE = {
    "data_loader.args.num_workers": 3,
    "data_loader.args.pin_memory": True,
    "trainer.args.anomaly": True,
    "trainer.args.keep_last": None,
    "trainer.args.log_steps": 7,
    "trainer.args.save_minutes": 1.0,
    "trainer.args.save_period": 2,
    "trainer.args.tensorboard": True,
    "trainer.args.time_limit_minutes": 5.0,
}
"""Settings that change no step, and other values than those of the config."""


def config(dataset: str, epochs: int = 2, **args: object) -> dict:
    block = {"type": dataset, "args": args}
    return {
        "name": "a",
        "data_loader": {"args": {"dataset": block, "num_workers": 0}},
        "trainer": {"args": {"epochs": epochs}},
    }


def adjusted(before: dict, now: dict) -> dict:
    """Return what differs in a run `before` that goes on with the config `now`."""
    plan, previous = (plan_of(values, "c.json") for values in (now, before))
    for each in (plan, previous):
        each.__dict__.update(bound={}, faults=[])  # as nothing is bound
    return {key.rpartition(".")[2]: value for _, key, value in differing_values(plan, previous)}


def test_folders_and_settings_that_change_no_step_may_differ_where_a_run_goes_on():
    before = config("A", root="here", keep="a.inkml", drawn=7)
    now = config("A", 3, root="there", cache="home", keep="a.inkml", drawn=None)
    assert adjusted(before, now) == {"root": "there", "cache": "home", "epochs": 3}
    plan = plan_of(tiny_config.CONFIG, "c.json")
    for key, value in FREE.items():
        (override,) = differing_values(plan.with_values({key: value}), plan)
        assert override[1:] == (key, value)


def test_settings_of_a_class_may_name_further_ones(monkeypatch):
    names = (*GenerationTrainingSettings.adjustable, "sample_bias")
    plan = plan_of(tiny_config.CONFIG, "c.json")
    changed = plan.with_values({"trainer.args.sample_bias": 2.0})
    with pytest.raises(ConfigError, match=r"sample_bias = 2\.0: the run has 0\.5"):
        differing_values(changed, plan)
    monkeypatch.setattr(GenerationTrainingSettings, "adjustable", names)
    assert [key for _, key, _ in differing_values(changed, plan)] == ["trainer.args.sample_bias"]


def test_a_class_may_use_the_name_for_something_else(monkeypatch):
    plan = plan_of(tiny_config.CONFIG, "c.json")
    changed = plan.with_values({"trainer.args.sample_bias": 2.0})
    monkeypatch.setattr(GenerationTrainingSettings, "adjustable", True)
    with pytest.raises(ConfigError, match="the run has"):
        differing_values(changed, plan)


@pytest.mark.parametrize(
    ("before", "now", "faults"),
    [
        (config("A", keep="a"), config("A", keep="b"), {'dataset.args.keep = "b"': 'has "a"'}),
        (config("A", 3), config("A", 2), {"trainer.args.epochs = 2": "has 3"}),
        (
            config("A", root="here"),
            config("B"),
            {'dataset.type = "B"': 'has "A"', "dataset.args.root": 'has "here"'},
        ),
        (config("A"), config("A", keep="b"), {'dataset.args.keep = "b"': "lacks it"}),
    ],
)
def test_run_does_not_go_on_when_its_config_differs_in_other_settings(before, now, faults):
    with pytest.raises(ConfigError) as error:
        adjusted(before, now)
    assert len(error.value.faults) == len(faults)
    for fault, (key, state) in zip(error.value.faults, faults.items(), strict=True):
        assert f"{key}: the run {state}" in str(fault)


def test_epochs_may_grow_unless_a_schedule_depends_on_their_number():
    assert adjusted(config("A", 2), config("A", 3)) == {"epochs": 3}
    plan, previous = (plan_of(config("A", epochs), "c.json") for epochs in (3, 2))
    plan.__dict__["faults"] = []
    with pytest.raises(ConfigError, match="epochs = 3: the run has 2, on which its Rise depends"):
        differing_values(plan, previous, "Rise")
