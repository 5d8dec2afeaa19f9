"""What data and networks may be used for."""

import pytest

from base.base_dataset import BaseDataset, Loaded
from base.checkpoint import load_checkpoint
from base.pretrained import pretrained
from data_loader import (
    ComposedDataset,
    InkMLDataset,
    MNISTStrokesDataset,
    ShapedDataset,
    UnipenDataset,
    UnitedDataset,
)
from data_loader.sources.iam_ondb import IAMOnDBDataset
from model.trained_network import licence_of
from trainer.own_hand import HandDataset
from utils.licences import OPEN, RESEARCH, combined

IAM = IAMOnDBDataset(root="x")
UNIPEN = UnipenDataset(root="x")
OTHERS = InkMLDataset(root="x")


class MyLines(BaseDataset):
    licence = "mine"

    def load(self, splits=()) -> Loaded:
        return Loaded({}, "")


def of(*types: str, **arguments: str) -> dict:
    """Return a checkpoint of data of these types, each within the one before, without a licence."""
    inner: dict = {}
    for kind in reversed(types):
        inner = {"type": kind, "args": {**arguments, **({"dataset": inner} if inner else {})}}
    return {"config": {"data_loader": {"args": {"dataset": inner}}}}


@pytest.mark.parametrize("name", pretrained())
def test_the_pretrained_networks_that_are_free_for_any_use_are_those_of_open_data(name):
    free = name.startswith(("open_", "digit", "eye"))
    checkpoint = load_checkpoint(pretrained()[name])
    assert checkpoint["licence"] == (OPEN if free else RESEARCH)
    without = {key: value for key, value in checkpoint.items() if key != "licence"}
    if name != "eye":  # Which has always had it.
        assert licence_of(without) == checkpoint["licence"]


@pytest.mark.parametrize(
    ("checkpoint", "expected"),
    [
        (of("ComposedDataset", "UnipenDataset"), OPEN),
        (of("ComposedDataset", "IAMOnDBDataset"), RESEARCH),
        (of("ComposedDataset", "UnipenDataset", alignment="iam_ondb"), RESEARCH),
        (of("ShapedDataset", "InkMLDataset"), None),
        (of("ComposedDataset", "MyDataset"), None),
        (of("UnipenDataset") | {"licence": RESEARCH}, RESEARCH),
        (of("UnipenDataset") | {"licence": None}, None),
        ({"config": {"name": "flat"}}, None),
    ],
)
def test_a_licence_is_the_one_in_a_checkpoint_or_that_of_the_sources_in_its_config(
    checkpoint, expected
):
    assert licence_of(checkpoint) == expected


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (IAM, RESEARCH),
        (UNIPEN, OPEN),
        (OTHERS, None),
        (MyLines(), "mine"),
        (UnitedDataset(dataset=UNIPEN, added=MNISTStrokesDataset(root="x")), OPEN),
        (UnitedDataset(dataset=UNIPEN, added=MyLines()), None),
        (UnitedDataset(dataset=OTHERS, added=IAM), RESEARCH),
        (ShapedDataset(dataset=IAM), RESEARCH),
        (ComposedDataset(dataset=UNIPEN, alignment="file.npz", size=1), OPEN),
        (ComposedDataset(dataset=UNIPEN, alignment="iam_ondb", size=1), RESEARCH),
        (ComposedDataset(dataset=UNIPEN, alignment="file.npz", size=1, digits=OTHERS), None),
    ],
)
def test_a_dataset_states_its_licence_or_those_of_what_it_combines(dataset, expected):
    assert combined(dataset.licences()) == expected


@pytest.mark.parametrize(
    ("dataset", "before", "expected"),
    [
        (UNIPEN, OPEN, OPEN),
        (UNIPEN, RESEARCH, RESEARCH),
        (IAM, OPEN, RESEARCH),
        (UNIPEN, None, None),
        (OTHERS, OPEN, None),
        (HandDataset(root="x"), OPEN, OPEN),
        (HandDataset(root="x"), RESEARCH, RESEARCH),
    ],
)
def test_training_keeps_what_binds_the_weights_it_began_with(dataset, before, expected):
    assert combined(dataset.licences() | {before}) == expected
