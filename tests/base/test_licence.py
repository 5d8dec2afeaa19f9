"""What networks may be used for."""

from inspect import signature

import pytest

import data_loader
from base.checkpoint import load_checkpoint
from base.licence import COMBINING, OPEN, RESEARCH, after_training, licence
from base.pretrained import pretrained


def of(*types: str, **arguments: str) -> dict:
    """Return a config with data of these types, each within the one before."""
    inner: dict = {}
    for kind in reversed(types):
        inner = {"type": kind, "args": {**arguments, **({"dataset": inner} if inner else {})}}
    return {"config": {"data_loader": {"args": {"dataset": inner}}}}


@pytest.mark.parametrize("name", pretrained())
def test_the_pretrained_networks_that_are_free_for_any_use_are_those_of_open_data(name):
    free = name.startswith(("open_", "digit", "eye"))
    assert licence(load_checkpoint(pretrained()[name])) == (OPEN if free else RESEARCH)


@pytest.mark.parametrize(
    ("checkpoint", "expected"),
    [
        (of("ComposedDataset", "UnipenDataset"), OPEN),
        (of("ComposedDataset", "IAMOnDBDataset"), RESEARCH),
        (of("ComposedDataset", "UnipenDataset", alignment="iam_ondb"), RESEARCH),
        (of("ShapedDataset", "InkMLDataset"), None),
        (of("MixedDataset"), None),
        (of("UnipenDataset") | {"licence": RESEARCH}, RESEARCH),
        (of("UnipenDataset") | {"licence": None}, None),
        ({"config": {"name": "flat"}}, None),
    ],
)
def test_a_licence_is_the_one_in_a_checkpoint_or_that_of_the_sources_in_its_config(
    checkpoint, expected
):
    assert licence(checkpoint) == expected


@pytest.mark.parametrize(
    ("data", "before", "expected"),
    [
        ("UnipenDataset", None, OPEN),
        ("UnipenDataset", "UnipenDataset", OPEN),
        ("UnipenDataset", "IAMOnDBDataset", RESEARCH),
        ("IAMOnDBDataset", "UnipenDataset", RESEARCH),
        ("UnipenDataset", "InkMLDataset", None),
        ("InkMLDataset", "UnipenDataset", None),
        ("HandDataset", "UnipenDataset", OPEN),
        ("HandDataset", "IAMOnDBDataset", RESEARCH),
    ],
)
def test_training_keeps_what_binds_the_weights_it_began_with(data, before, expected):
    assert after_training(of(data)["config"], before and of(before)) == expected


def test_what_combines_the_lines_of_others_is_no_source():
    datasets = [getattr(data_loader, name) for name in data_loader.__all__ if "Dataset" in name]
    combining = {one.__name__ for one in datasets if "dataset" in signature(one).parameters}
    assert combining == COMBINING
