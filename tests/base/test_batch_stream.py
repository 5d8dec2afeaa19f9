"""The position in the data, and the state carried over, among any number of processes."""

import pytest
import torch

from base import distributed
from base.batch_stream import gather, share


def play(monkeypatch, count, rank):
    """Let this process be one of `count`."""
    monkeypatch.setattr(distributed, "world_size", lambda: count)
    monkeypatch.setattr(distributed, "rank", lambda: rank)


def gathered(monkeypatch, count, parts):
    """Return what `gather` returns in the main process for the parts of all, by rank."""
    sent = []
    for rank in range(count):
        play(monkeypatch, count, rank)
        monkeypatch.setattr(distributed, "all_gather_object", lambda own: sent.append(own) or [])
        assert count == 1 or gather(parts[rank]) == []
    play(monkeypatch, count, 0)
    monkeypatch.setattr(distributed, "all_gather_object", lambda own: sent)
    return gather(parts[0])


@pytest.mark.parametrize("before", [1, 2, 3])
@pytest.mark.parametrize("after", [1, 2, 3, 5])
def test_a_state_goes_to_the_process_that_has_its_sequence(monkeypatch, before, after):
    """Of two batches of seven sequences, the second of which has ended throughout.

    Sequences 0, 3 and 5 of the first have ended. `distributed.share` says who has which sequence.
    """
    going_on = torch.tensor([1, 2, 4, 6])
    whole = {"hidden": torch.arange(7.0)[:, None] * torch.ones(3), "cell": -torch.arange(7.0)}

    def part(count, rank):
        """What a process of `count` carries over of the first batch, and its rows."""
        play(monkeypatch, count, rank)
        own = distributed.share(torch.arange(7))
        rows = torch.isin(own, going_on).nonzero()[:, 0]
        if not len(rows):
            return None
        return {name: value[own[rows]] for name, value in whole.items()}, rows

    parts = [[part(before, rank), None] for rank in range(before)]
    whole_part, none = gathered(monkeypatch, before, parts)
    assert none is None
    state, rows = whole_part
    assert torch.equal(rows, going_on)
    for name, value in state.items():
        assert torch.equal(value, whole[name][going_on])

    for rank in range(after):
        expected = part(after, rank)
        play(monkeypatch, after, rank)
        own, none = share([whole_part, None], torch.device("cpu"))
        assert none is None
        if expected is None:
            assert own is None
            continue
        assert torch.equal(own[1], expected[1])
        assert own[0].keys() == expected[0].keys()
        for name, value in expected[0].items():
            assert torch.equal(own[0][name], value)
