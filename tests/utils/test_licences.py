"""What data and networks may be used for; None stands for a licence that is not known."""

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
UNLICENSED = InkMLDataset(root="x")


class MyLines(BaseDataset):
    licence = "mine"

    def load(self, splits=()) -> Loaded:
        return Loaded({}, "")


def checkpoint_of(*types: str, **arguments: str) -> dict:
    """Return a checkpoint of data of these types, each within the one before, without a licence."""
    inner: dict = {}
    for kind in reversed(types):
        inner = {"type": kind, "args": {**arguments, **({"dataset": inner} if inner else {})}}
    return {"config": {"data_loader": {"args": {"dataset": inner}}}}


@pytest.mark.parametrize("name", pretrained())
def test_a_pretrained_network_has_the_licence_of_the_data_that_trained_it(name):
    is_free = name.startswith(("open_", "digit", "eye"))
    checkpoint = load_checkpoint(pretrained()[name])
    assert checkpoint["licence"] == (OPEN if is_free else RESEARCH)
    if name != "eye":  # whose config names no source
        del checkpoint["licence"]
        assert licence_of(checkpoint) == (OPEN if is_free else RESEARCH)


@pytest.mark.parametrize(
    ("checkpoint", "licence"),
    [
        (checkpoint_of("ComposedDataset", "UnipenDataset"), OPEN),
        (checkpoint_of("ComposedDataset", "IAMOnDBDataset"), RESEARCH),
        (checkpoint_of("ComposedDataset", "UnipenDataset", alignment="iam_ondb"), RESEARCH),
        (checkpoint_of("ShapedDataset", "InkMLDataset"), None),
        (checkpoint_of("ComposedDataset", "MyDataset"), None),
        (checkpoint_of("UnipenDataset") | {"licence": RESEARCH}, RESEARCH),  # its own
        (checkpoint_of("UnipenDataset") | {"licence": None}, None),
        ({"config": {"name": "flat"}}, None),
    ],
)
def test_a_checkpoint_without_a_licence_has_that_of_its_configs_sources(checkpoint, licence):
    assert licence_of(checkpoint) == licence


@pytest.mark.parametrize(
    ("dataset", "licence"),
    [
        (MyLines(), "mine"),
        (UnitedDataset(dataset=UNIPEN, added=MNISTStrokesDataset(root="x")), OPEN),
        (UnitedDataset(dataset=UNIPEN, added=MyLines()), None),  # they differ: unknown
        (UnitedDataset(dataset=UNLICENSED, added=IAM), RESEARCH),
        (ShapedDataset(dataset=IAM), RESEARCH),
        (ComposedDataset(dataset=UNIPEN, alignment="file.npz", size=1), OPEN),
        (ComposedDataset(dataset=UNIPEN, alignment="iam_ondb", size=1), RESEARCH),
        (ComposedDataset(dataset=UNIPEN, alignment="file.npz", size=1, digits=UNLICENSED), None),
    ],
)
def test_a_dataset_is_for_research_if_a_source_is_or_has_their_common_licence(dataset, licence):
    assert combined(dataset.licences()) == licence


@pytest.mark.parametrize(
    ("dataset", "before", "licence"),
    [
        (UNIPEN, RESEARCH, RESEARCH),
        (IAM, OPEN, RESEARCH),
        (UNIPEN, None, None),
        (HandDataset(root="x"), OPEN, OPEN),
    ],
)
def test_training_combines_the_licences_of_data_and_first_weights(dataset, before, licence):
    assert combined(dataset.licences() | {before}) == licence
