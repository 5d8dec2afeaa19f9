"""The position in the data, and the state carried over."""

import numpy as np
import pytest
import torch
from tiny_run import TinyLoader, make, rows, sequence, trained

from base import distributed
from base.base_data_loader import BatchStream
from base.run.run_state import RunState, Sums
from utils.checks import ConfigFault


def test_an_epoch_of_a_given_number_of_steps_continues_where_the_last_epoch_ended(tmp_path):
    trainer = trained(tmp_path, steps_per_epoch=3, epochs=4)
    assert [row["step"] for row in rows(trainer)] == ["3", "6", "9", "12"]
    assert trainer.state.position == (2, 2, 0)
    loader = trainer.train_loader
    order = [batch for n in range(3) for batch in loader.keys.batches(n)]
    assert len(trainer.model.calls) == 12
    for batch, inputs in zip(order, trainer.model.calls, strict=False):
        firsts = [sequence(int(index))[0, 0] for index in batch]
        np.testing.assert_allclose(inputs[:, 0, 0], firsts)


def test_several_processes_refuse_to_cut_sequences(tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    with pytest.raises(ConfigFault, match=r"trainer\.args\.truncate = 3: null: several processes"):
        make(tmp_path, truncate=3).check()
    make(tmp_path, run="whole").check()


def stream(**options):
    """Return a stream; options are its own, or of its loader."""
    own = {name: options.pop(name) for name in ("truncate", "accumulate") if name in options}
    return BatchStream(TinyLoader(**options), torch.device("cpu"), pytest.fail, **own)


def played(batches, steps):
    """Make steps; return of each its pass, batch and chunk, and which samples its parts have."""
    result, run = [], RunState({})
    for _ in range(steps):
        chunks = batches.chunks(run.position, run.carried)
        result.append((run.position, [chunk and chunk.batch.index.tolist() for chunk in chunks]))
        run.end_step(Sums(), chunks, batches.after(run.position))
    return result


def test_chunks_of_a_step_come_in_order_until_each_batch_of_it_is_done():
    """Five batches a pass, two a step; a batch takes part until its own chunks are done."""
    batches = stream(truncate=4, accumulate=2)
    order = [[int(i) for i in b] for p in (0, 1) for b in batches.loader.keys.batches(p)]
    counts = [max(-(-(len(sequence(i)) - 1) // 4) for i in batch) for batch in order]
    expected = []
    for data_pass in (0, 1):
        for first, last in ((0, 2), (2, 4), (4, 5)):
            group = [5 * data_pass + number for number in range(first, last)]
            for chunk in range(max(counts[number] for number in group)):
                long = [[i for i in order[n] if len(sequence(i)) - 1 > 4 * chunk] for n in group]
                parts = [part or None for part in long]
                expected.append(((data_pass, first, chunk), parts))
    assert max(counts) > 1 and min(counts) < max(counts)
    assert played(batches, len(expected)) == expected


def test_a_state_is_detached_and_carried_to_the_next_chunk_only():
    batches, run = stream(truncate=4, batch_size=13), RunState({})
    (chunk,) = batches.chunks(run.position, run.carried)
    on = batches._group[0].lengths > 4
    assert torch.equal(chunk.goes_on, on) and 0 < on.sum() < 13
    state = {"hidden": torch.arange(26.0, requires_grad=True).reshape(13, 2) * 2}
    chunk.carry(state)
    run.end_step(Sums(), [chunk], batches.after(run.position))
    (chunk,) = batches.chunks(run.position, run.carried)
    assert torch.equal(chunk.state["hidden"], state["hidden"][on])
    assert not chunk.state["hidden"].requires_grad and 0 < len(chunk.batch) < 13
    # What is not finite is not carried over.
    chunk.carry({"hidden": torch.full((len(chunk.batch), 2), torch.nan)})
    run.end_step(Sums(), [chunk], batches.after(run.position))
    assert run.carried == [None]


def test_state_is_carried_only_when_the_step_is_over():
    batches, run = stream(truncate=4, accumulate=2, batch_size=6), RunState({})
    chunks = batches.chunks(run.position, run.carried)
    second = chunks[1]
    second.carry({"hidden": torch.arange(6.0)})
    assert run.carried == []
    run.end_step(Sums(), chunks, batches.after(run.position))
    states = [chunk.state for chunk in batches.chunks(run.position, run.carried)]
    assert states[0] is None and torch.equal(states[1]["hidden"], torch.arange(6.0)[second.goes_on])
