"""The squared distances by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from model import SSE


def test_sse_by_hand():
    means = torch.tensor(
        [[[1.0, 0.0], [0.0, 2.0], [9.0, 9.0]], [[0.0, 0.0], [3.0, 0.0], [0.5, 0.0]]]
    )
    pens = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    batch = SimpleNamespace(
        inputs=torch.cat((torch.zeros(2, 3, 2), pens[..., None]), -1),
        targets=torch.zeros(2, 3, 3),
        mask=torch.tensor([[True, True, False], [True, True, True]]),
    )
    metric = SSE()
    metric.update(SimpleNamespace(prediction=SimpleNamespace(mean=means)), batch)
    assert metric.compute() == pytest.approx(
        {"sse": (1 + 4 + 0 + 9 + 0.25) / 5, "sse_strokes": 10 / 3, "sse_jumps": 4.25 / 2}
    )
    metric.update(
        SimpleNamespace(prediction=SimpleNamespace(mean=means)), batch, torch.tensor([2.0, 1.0])
    )
    assert metric.compute()["sse_strokes"] == pytest.approx((10 + 40) / 6)
    metric.reset()
    assert np.isnan(metric.compute()["sse"])
