import os
import random
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from base.base_data_loader import BaseDataLoader, Batch
from base.base_sampler import BucketBatchSampler


class Noise(Dataset):
    """Samples that are random, but only by epoch and index."""

    def __getitem__(self, keys):
        return [(index, np.random.default_rng([epoch, index]).normal()) for epoch, index in keys]


class Loader(BaseDataLoader):
    def __init__(self, lengths, seed=1, **options):
        workers = {"num_workers": options.pop("num_workers", 0)}
        sampler = BucketBatchSampler(seed, lengths, **{"batch_size": 32} | options)
        super().__init__(Noise(), lengths, sampler, **workers)


def lengths_like_iam(count, seed=0):
    """Lengths of like mean (628), spread and limits as the lines of IAM-OnDB."""
    drawn = np.random.default_rng(seed).normal(628, 215, count)
    return np.clip(drawn, 31, 1940).astype(int)


def test_seed_alone_decides_the_order_and_global_generators_are_left_alone():
    lengths = lengths_like_iam(200)
    first = list(Loader(lengths, seed=5))
    np.random.seed(0)
    torch.manual_seed(0)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    assert list(Loader(lengths, seed=5)) == first
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()
    assert list(Loader(lengths, seed=6)) != first


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_workers_outlive_the_signals_that_end_a_run():
    lengths = lengths_like_iam(600)
    loader = Loader(lengths, batch_size=2, num_workers=2)
    batches = iter(loader)
    taken = [next(batches), next(batches)]  # one of each worker: both have started
    for worker in batches._workers:
        os.kill(worker.pid, signal.SIGINT)
        os.kill(worker.pid, signal.SIGTERM)
    taken += list(batches)
    assert taken == list(Loader(lengths, batch_size=2))


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_workers_outlive_a_signal_that_comes_while_they_start(monkeypatch, number):
    """torch's own first lines in a worker, which set a handler of SIGTERM, draw seeds."""
    run, seed = os.getpid(), random.seed

    def interrupted(*words):
        seed(*words)
        if os.getpid() != run:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(random, "seed", interrupted)
    loader = Loader(lengths_like_iam(20), batch_size=2, num_workers=2)
    assert list(loader) == list(Loader(lengths_like_iam(20), batch_size=2))


def test_a_chunk_and_a_move_to_a_device_keep_the_hand_and_extras_of_each_sequence():
    """Sequences that end before the chunk are left out; a hand of -1 is unknown."""
    (inputs, targets), ones = torch.randn(2, 3, 9, 4), torch.ones(3, dtype=torch.int64)
    plain = Batch(inputs, targets, torch.tensor([9, 4, 7]), ones[:, None], ones, index=ones)
    mood = torch.arange(6.0).reshape(3, 2)
    batch = replace(plain, hand=torch.tensor([5, -1, 6]), extras={"mood": mood})
    chunk = batch.chunk(4, 4)
    assert chunk.hand.tolist() == [5, 6] and chunk.lengths.tolist() == [4, 3]
    assert chunk.extras["mood"].tolist() == [[0, 1], [4, 5]]
    there = batch.to("meta")
    *tensors, extras = vars(there).values()
    assert {tensor.device.type for tensor in (*tensors, extras["mood"])} == {"meta"}
    assert plain.hand is None and plain.extras == {}
    features = replace(plain, targets=None)
    assert features.to("meta").targets is None and features.chunk(4, 4).targets is None
