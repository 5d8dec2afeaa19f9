"""What may differ where a run goes on; tests/test_train.py starts such runs."""

from base.config.overrides import Override
from base.config.resumption import changes, compare


def config(dataset: str, epochs: int = 2, **args: object) -> dict:
    block = {"type": dataset, "args": args}
    return {
        "data_loader": {"args": {"dataset": block, "num_workers": 0}},
        "trainer": {"args": {"epochs": epochs}},
    }


def test_what_does_not_change_a_step_is_taken_over_and_all_else_is_a_fault():
    before = config("A", root="here", keep="a.inkml", drawn=7)
    now = config("A", 3, root="there", cache="home", drawn=None)
    overrides, faults = compare(before, now, "c.json")
    key = "data_loader.args.dataset.args"
    assert sorted(overrides) == [
        Override("c.json", f"{key}.cache", '"home"'),
        Override("c.json", f"{key}.root", '"there"'),
        Override("c.json", "trainer.args.epochs", "3"),
    ]
    assert [(fault.key, fault.expected) for fault in faults] == [
        (f"{key}.keep", 'the run that is to be resumed has "a.inkml"')
    ]
    overrides, (fault,) = compare(config("A", 3), config("A", 2), "c.json")
    assert (overrides, fault.key, fault.value) == ([], "trainer.args.epochs", 2)


def test_a_run_does_not_go_on_with_data_that_are_in_no_folder():
    overrides, faults = compare(config("A", root="here"), config("B"), "c.json")
    assert overrides == []
    assert [fault.key.rpartition(".")[2] for fault in faults] == ["type", "root"]


def test_changes_are_told_with_none_for_what_a_config_lacks_and_without_places():
    before, now = config("A", root="here", size=None), config("A", root="there", count=[1, 2])
    key = "data_loader.args.dataset.args.count"
    assert changes(before, now) == {f"{key}.0": [None, 1], f"{key}.1": [None, 2]}
