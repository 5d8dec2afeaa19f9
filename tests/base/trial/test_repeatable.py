"""Two samples for the trial, drawn again and again."""

import pytest
from tiny_run import TinyLoader

from base.trial.repeatable import two_samples


@pytest.mark.parametrize(
    ("indices", "drawn"),
    [([0, 9, 1, 2], [0, 1]), ([0, 9, 18], [0, 9]), ([4], [4, 4])],
    ids=["of different lengths", "of one length", "a single one"],
)
def test_the_two_samples_differ_wherever_there_are_two(indices, drawn):
    assert two_samples(TinyLoader(indices)).index.tolist() == drawn
