"""The position in the data, and the state carried over."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_run import ChunkTrainer, TinyLoader, make, resumed, rows, sequence, stopped_at, trained

from base import distributed
from base.batch_stream import BatchStream
from base.run_state import RunState
from base.stop_request import StopRequest
from base.training_parts import TrainingSettings
from utils.checks import ConfigFault


def test_an_epoch_of_so_many_steps_continues_where_the_last_one_ended(tmp_path):
    trainer = trained(tmp_path, steps_per_epoch=3, epochs=4)
    assert [row["step"] for row in rows(trainer)] == ["3", "6", "9", "12"]
    assert (trainer.progress.data_pass, trainer.progress.batch) == (2, 2)
    loader = trainer.train_loader
    order = [batch for one in range(3) for batch in loader.sampler.batches(one)]
    assert len(trainer.model.calls) == 12
    for batch, inputs in zip(order, trainer.model.calls, strict=False):
        firsts = [sequence(int(index))[0, 0] for index in batch]
        np.testing.assert_allclose(inputs[:, 0, 0], firsts)


def test_larger_batches_resume_at_the_same_part_of_the_pass(tmp_path, caplog):
    trained(tmp_path, trainer=stopped_at(ChunkTrainer, 3))  # four of five batches are done
    again = resumed(tmp_path, loader={"batch_size": 1})
    assert "13 batches instead of 5" in caplog.text
    assert again.progress.batch == 10
    again.train()
    assert again.progress.step == 4 + 3 + 26


def test_several_processes_cut_no_sequences(tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    with pytest.raises(ConfigFault, match=r"trainer\.args\.truncate = 3: null: several processes"):
        make(tmp_path, truncate=3).check()
    make(tmp_path, run="whole").check()


def stream(truncate=None, accumulate=1, resumed=None, **options):
    """Return a stream; one that goes on where `resumed` is, if that is given."""
    loader, state, cpu = TinyLoader(**options), RunState(), torch.device("cpu")
    settings = TrainingSettings(epochs=1, accumulate=accumulate, truncate=truncate)
    parts = SimpleNamespace(train_loader=loader, device=cpu)
    made = BatchStream(parts, settings, state, StopRequest())
    if resumed is not None:
        state.load_state_dict(resumed.state.state_dict(), {}, "file.pth")
        made.load_state_dict(resumed.state_dict())
    return made


def place(one):
    """Return where its next step takes its batches from: pass, batch and chunk."""
    now = one.state.progress
    return now.data_pass, now.batch, now.chunk


def played(one, steps):
    """Make steps; return of each its position, and which samples its parts have."""
    found = []
    for _ in range(steps):
        start = place(one)
        parts = [chunk and chunk.batch.index.tolist() for chunk in one.chunks()]
        found.append((start, parts))
        one.advance()
    return found


def test_groups_chunks_and_passes_follow_one_another():
    """Five batches a pass, two a step; a batch takes part until its own chunks are done."""
    one = stream(truncate=4, accumulate=2)
    batches = [[int(i) for i in b] for p in (0, 1) for b in one.loader.sampler.batches(p)]
    counts = [max(-(-(len(sequence(i)) - 1) // 4) for i in batch) for batch in batches]
    expected = []
    for data_pass in (0, 1):
        for first, last in ((0, 2), (2, 4), (4, 5)):
            group = [5 * data_pass + number for number in range(first, last)]
            for chunk in range(max(counts[number] for number in group)):
                long = [[i for i in batches[n] if len(sequence(i)) - 1 > 4 * chunk] for n in group]
                parts = [part or None for part in long]
                expected.append(((data_pass, first, chunk), parts))
    assert max(counts) > 1 and min(counts) < max(counts)
    assert played(one, len(expected)) == expected
    assert place(one) == (2, 0, 0)


def test_a_state_is_cut_from_its_graph_and_carried_to_the_next_chunk_alone():
    one = stream(truncate=4, batch_size=13)
    (chunk,) = one.chunks()
    on = one._group[0].lengths > 4
    assert torch.equal(chunk.goes_on, on) and 0 < on.sum() < 13
    state = {"hidden": torch.arange(26.0, requires_grad=True).reshape(13, 2) * 2}
    chunk.carry(state)
    one.advance()
    (chunk,) = one.chunks()
    assert torch.equal(chunk.state["hidden"], state["hidden"][on])
    assert not chunk.state["hidden"].requires_grad and 0 < len(chunk.batch) < 13
    # What is not finite is not carried over.
    chunk.carry({"hidden": torch.full((len(chunk.batch), 2), torch.nan)})
    one.advance()
    assert one.carried == [None]


def test_state_is_carried_when_the_step_is_over():
    one = stream(truncate=4, accumulate=2, batch_size=6)
    second = one.chunks()[1]
    second.carry({"hidden": torch.arange(6.0)})
    assert one.carried == []
    one.advance()
    states = [chunk.state for chunk in one.chunks()]
    assert states[0] is None and torch.equal(states[1]["hidden"], torch.arange(6.0)[second.goes_on])


def test_stream_resumes_within_a_batch_and_restarts_it_when_the_data_differ(caplog):
    first = stream(truncate=4)
    (start,) = first.chunks()
    (batch,) = first._group
    rows = (batch.lengths > 4).nonzero().flatten()
    assert len(rows) > 0
    start.carry({"hidden": torch.arange(float(len(batch)))})
    first.advance()
    assert place(first) == (0, 0, 1) and first.state_dict()["batches"] == 5

    again = stream(truncate=4, resumed=first)
    (chunk,) = again.chunks()
    assert place(again) == (0, 0, 1)
    assert torch.equal(chunk.state["hidden"], rows.float()) and not caplog.messages

    first.carried[0] = {"hidden": torch.zeros(len(rows) - 1)}
    other = stream(truncate=4, resumed=first)
    (chunk,) = other.chunks()
    assert place(other) == (0, 0, 0) and chunk.state is None
    assert caplog.messages == ["the data have changed since file.pth: restarting a batch"]
