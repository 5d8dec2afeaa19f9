"""What data and networks may be used for; None stands for a licence that is not known."""

import pytest

from apps.hand import HandDataset
from base.base_dataset import BaseDataset, Loaded
from base.run.checkpoint import load_checkpoint
from base.run.pretrained import pretrained
from data_loader import (
    ComposedDataset,
    InkMLDataset,
    MixedDataset,
    MNISTStrokesDataset,
    ShapedDataset,
    UnipenDataset,
)
from data_loader.sources.iam_ondb import IAMOnDBDataset
from utils.licences import OPEN, RESEARCH_ONLY, combined

IAM = IAMOnDBDataset(root="x")
UNIPEN = UnipenDataset(root="x")
UNLICENSED = InkMLDataset(root="x")


class MyLines(BaseDataset):
    licence = "mine"

    def load(self, splits=()) -> Loaded:
        return Loaded({}, "")


@pytest.mark.parametrize("name", pretrained())
def test_a_pretrained_network_has_the_licence_of_the_data_that_trained_it(name):
    is_free = name.startswith(("open_", "digit", "eye"))
    checkpoint = load_checkpoint(pretrained()[name])
    assert checkpoint["licence"] == (OPEN if is_free else RESEARCH_ONLY)


@pytest.mark.parametrize(
    ("dataset", "licence"),
    [
        (MyLines(), "mine"),
        (MixedDataset(dataset=UNIPEN, added=MNISTStrokesDataset(root="x")), OPEN),
        (MixedDataset(dataset=UNIPEN, added=MyLines()), None),  # they differ: unknown
        (MixedDataset(dataset=UNLICENSED, added=IAM), RESEARCH_ONLY),
        (ShapedDataset(dataset=IAM), RESEARCH_ONLY),
        (ComposedDataset(dataset=UNIPEN, alignment="file.npz", size=1), OPEN),
        (ComposedDataset(dataset=UNIPEN, alignment="iam_ondb", size=1), RESEARCH_ONLY),
        (ComposedDataset(dataset=UNIPEN, alignment="file.npz", size=1, digits=UNLICENSED), None),
    ],
)
def test_a_dataset_is_for_research_if_a_source_is_or_has_their_common_licence(dataset, licence):
    assert combined(dataset.licences()) == licence


@pytest.mark.parametrize(
    ("dataset", "before", "licence"),
    [
        (UNIPEN, RESEARCH_ONLY, RESEARCH_ONLY),
        (IAM, OPEN, RESEARCH_ONLY),
        (UNIPEN, None, None),
        (HandDataset(root="x"), OPEN, OPEN),
    ],
)
def test_training_combines_the_licences_of_data_and_first_weights(dataset, before, licence):
    assert combined(dataset.licences() | {before}) == licence
