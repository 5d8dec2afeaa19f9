import pytest

from data_loader.sources.stroke_arrays import StrokeArraysDataset
from utils.checks import ConfigFault


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"train": 0.9, "val": 0.1}, "'val' .* one of train, valid, test"),
        ({"train": 1.0}, "more than 0 for train and for valid"),
        ({"train": 0.8, "valid": 0.1}, "together 1"),
    ],
)
def test_fractions_that_do_not_fit_are_refused(fractions, message):
    with pytest.raises(ConfigFault, match=message):
        StrokeArraysDataset(fractions=fractions)
