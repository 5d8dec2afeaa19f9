"""Dropout: how much is dropped, what is left, and that neighbours are independent."""

import math

import pytest
import torch

from model.layers.dropout import Dropout

COUNT = 200_001  # not a multiple of four


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("fraction", [0.1, 0.93])
def test_fraction_is_dropped_independently_and_the_rest_is_scaled(fraction, dtype):
    """Within six standard deviations: a false alarm in 10^8 runs."""
    torch.manual_seed(0)
    outputs, rest = Dropout(fraction)(torch.ones(COUNT, dtype=dtype)), 1 - fraction
    kept = outputs != 0
    bound = 6 * math.sqrt(fraction * rest / COUNT) + 2**-16
    assert abs(float(kept.double().mean()) - rest) < bound
    assert (outputs[kept] == torch.tensor(1 / rest, dtype=dtype)).all()
    for distance in (1, 2, 3):  # neighbours share 64 random bits
        both = float((kept[distance:] & kept[:-distance]).double().mean())
        assert abs(both - rest**2) < 6 / math.sqrt(COUNT)
