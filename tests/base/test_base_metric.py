"""Metrics of values that no sum gives."""

from collections import Counter

import numpy as np
import pytest
import torch
from tiny_run import MeanPrediction, Ranked, make

from base.run.run_state import all_reduced
from base.trial.contract import check
from utils.checks import UserError


def filled(*batches):
    """Return a metric that has seen batches of errors, a sample for each."""
    metric = Ranked()
    for errors in batches:
        metric.errors.append(torch.tensor(errors))
        metric.samples.append(torch.arange(len(errors)) + 10 * len(metric.samples))
    return metric


def test_values_are_sorted_and_those_at_one_place_stay_together():
    metric = filled([5.0, 1.0], [], [3.0, 9.0, 1.0])
    (total,) = all_reduced([metric])
    assert total.errors[0].tolist() == [1.0, 1.0, 3.0, 5.0, 9.0]
    assert total.samples[0].tolist() == [1, 22, 20, 0, 21]
    assert total.compute() == {"median": 3.0, "worst": 21}
    assert [len(tensor) for tensor in metric.errors] == [2, 0, 3]  # as it was
    (nothing,) = all_reduced([filled([])])
    assert nothing.errors == nothing.samples == []


def test_columns_of_a_list_stay_together():
    metric = filled([0.0] * 3)
    metric.errors = [torch.tensor([[2.0, 1.0], [1.0, 7.0], [1.0, 6.0]])]
    (total,) = all_reduced([metric])
    assert total.errors[0].tolist() == [[1.0, 6.0], [1.0, 7.0], [2.0, 1.0]]
    assert total.samples[0].tolist() == [2, 1, 0]


def forgets_an_error(metric, output, batch):
    metric.errors.append(batch.lengths[:1].float())
    metric.samples.append(batch.index)


def counts_batches(metric):
    return {"median": len(metric.samples), "worst": 0.0}


@pytest.mark.parametrize(
    ("patches", "message"),
    [
        ({"update": forgets_an_error}, "as many values in each list: 1 in errors, 2 in samples"),
        (
            {"reset": lambda _: None},
            "metrics.0 = .*: a metric whose reset forgets the epoch before",
        ),
        ({"lists": ("errors",), "compute": counts_batches}, "depends only on its sums: errors"),
    ],
)
def test_a_metric_with_wrong_lists_is_refused(tmp_path, monkeypatch, patches, message):
    check(lambda: make(tmp_path, metrics=[Ranked]))
    for name, value in patches.items():
        monkeypatch.setattr(Ranked, name, value)
    monkeypatch.setattr(Ranked, "__init__", lambda own: vars(own).update(errors=[], samples=[]))
    with pytest.raises(UserError, match=message):
        check(lambda: make(tmp_path, metrics=[Ranked]))


@pytest.mark.parametrize(
    ("value", "is_list"),
    [
        (Counter("a"), False),
        (1j, False),
        (1 << 63, False),
        (1 << 80, False),
        (torch.ones(1).to(torch.uint64), False),
        (torch.ones(1).to(torch.float8_e4m3fn), False),
        (np.ones(1), True),
        (torch.ones(1).to(torch.float8_e4m3fn), True),
        (torch.tensor([1j]), True),
    ],
)
def test_what_cannot_be_summed_up_or_listed_is_named_with_its_metric(tmp_path, value, is_list):
    """In the trial, and where it comes later, when it is saved."""
    base, name = (Ranked, "errors") if is_list else (MeanPrediction, "sum")

    class Odd(base):
        def update(self, output, batch):
            setattr(self, name, [value] if is_list else value)

    message = rf"^Odd.{name} {'has' if is_list else '='} .*: a {'list' if is_list else 'sum'} "
    with pytest.raises(UserError, match=message):
        check(lambda: make(tmp_path, metrics=[Odd]))
    with pytest.raises(UserError, match=message):
        make(tmp_path, metrics=[Odd], save_minutes=0.0).train()
