"""Dropout: its distribution, its gradient, and that it follows from the seed."""

import math

import pytest
import torch

from model.layers.dropout import Dropout


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("share", [0.1, 0.93])
def test_a_share_is_dropped_and_the_rest_is_scaled(share, dtype):
    torch.manual_seed(0)
    count = 200_001  # not a multiple of four
    found = Dropout(share)(torch.ones(count, dtype=dtype))
    kept = found != 0
    # Six standard deviations: a false alarm in 10^9 runs.
    bound = 6 * math.sqrt(share * (1 - share) / count) + 1 / (1 << 16)
    assert abs(float(kept.double().mean()) - (1 - share)) < bound
    scale = torch.tensor(1 / (1 - share), dtype=dtype)
    assert torch.equal(found[kept], scale.expand(int(kept.sum())))
    # Neighbours, which share 64 random bits, are independent.
    for apart in (1, 2, 3):
        both = float((kept[apart:] & kept[:-apart]).double().mean())
        assert abs(both - (1 - share) ** 2) < 6 / math.sqrt(count)
