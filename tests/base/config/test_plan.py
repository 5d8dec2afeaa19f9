"""What may differ where a run goes on; tests/test_train.py starts such runs."""

import pytest

from base.config.binder import Binder
from base.config.plan import Plan, changes
from utils.checks import ConfigError


def config(dataset: str, epochs: int = 2, **args: object) -> dict:
    block = {"type": dataset, "args": args}
    return {
        "data_loader": {"args": {"dataset": block, "num_workers": 0}},
        "trainer": {"args": {"epochs": epochs}},
    }


def resumed(before: dict, now: dict) -> dict:
    """Return the config of a run `before` that is resumed with the config `now`."""
    plan, former = (Plan(values, "c.json", {}, Binder()) for values in (now, before))
    return plan.resumed(former).config


def test_resumed_run_takes_over_settings_that_change_no_step():
    before = config("A", root="here", keep="a.inkml", drawn=7)
    now = config("A", 3, root="there", cache="home", keep="a.inkml", drawn=None)
    args = {"root": "there", "keep": "a.inkml", "drawn": 7, "cache": "home"}
    assert resumed(before, now) == config("A", 3, **args)


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
        (config("A"), config("A", keep="b"), {'dataset.args.keep = "b"': "did not have it"}),
    ],
)
def test_run_is_not_resumed_when_its_config_differs_in_other_settings(before, now, faults):
    with pytest.raises(ConfigError) as error:
        resumed(before, now)
    assert len(error.value.faults) == len(faults)
    for fault, (key, state) in zip(error.value.faults, faults.items(), strict=True):
        assert f"{key}: the run that is to be resumed {state}" in str(fault)


def test_changes_of_configs_have_none_for_missing_keys_and_leave_out_folders():
    before, now = config("A", root="here", size=None), config("A", root="there", count=[1, 2])
    key = "data_loader.args.dataset.args.count"
    assert changes(before, now) == {f"{key}.0": [None, 1], f"{key}.1": [None, 2]}
