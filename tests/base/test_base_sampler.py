"""Batches of samples of similar length, by hand and by their padding; and what a user's sampler may
return."""

import numpy as np
import pytest
from tiny_run import Curriculum
from torch.utils.data import Dataset

from base.base_data_loader import BaseDataLoader, loaded
from base.base_sampler import BaseSampler, BucketBatchSampler, KeySampler
from base.run.stop_request import StopRequest
from utils.checks import ConfigFault


def lengths_like_iam(count, seed=0):
    """Lengths of like mean (628), spread and limits as the lines of IAM-OnDB."""
    drawn = np.random.default_rng(seed).normal(628, 215, count)
    return np.clip(drawn, 31, 1940).astype(int)


@pytest.mark.parametrize(("bucket", "most", "least"), [(100, 0.05, 0.0), (1, 1.0, 0.3)])
def test_padding_is_at_most_5_percent_at_batch_size_32_unlike_in_unsorted_batches(
    bucket, most, least
):
    lengths = lengths_like_iam(10_400)
    sampler = BucketBatchSampler(1, lengths, 32, bucket)
    for epoch in range(3):
        points = sum(lengths[batch].max() * len(batch) for batch in sampler.batches(epoch))
        assert least < 1 - lengths.sum() / points < most


def sampler(count=500, shards=5, **options):
    lengths = np.random.default_rng(0).integers(1, 60, count)
    of = {"shards": np.arange(count) * shards // count} if options.get("window") else {}
    return BucketBatchSampler(3, lengths, 8, 4, True, **of, **options)


@pytest.mark.parametrize("batch_points", [None, 200])
@pytest.mark.parametrize("window", [None, 2])
def test_an_epoch_has_each_sample_once_in_batches_whose_order_is_not_by_length(
    batch_points, window
):
    batches = sampler(batch_points=batch_points, window=window)
    epochs = [batches.batches(epoch) for epoch in (0, 1, 0)]
    for epoch in epochs:
        assert len(epoch) == len(batches)
        assert sorted(np.concatenate(epoch).tolist()) == list(range(500))
    longest = [batches.lengths[batch].max() for batch in epochs[0]]
    # Fails by 1 in 10^3 of seeds; this one is fixed.
    assert window or abs(np.corrcoef(longest, np.arange(len(longest)))[0, 1]) < 0.5
    first, second, again = ([batch.tolist() for batch in epoch] for epoch in epochs)
    assert first == again and first != second
    keys = KeySampler(batches, batches.lengths)
    assert [[index for _, index in batch] for batch in keys.of(1, 7)] == second[7:]


def test_batches_of_a_small_set_are_different_in_every_epoch():
    drawn = BucketBatchSampler(1, lengths_like_iam(100), 8, bucket=20)
    first, second = ({tuple(batch) for batch in drawn.batches(n)} for n in (0, 1))
    assert len(first) == 13 and len(first & second) < 2


@pytest.mark.parametrize("window", [None, 2])
def test_batches_limited_in_points_are_formed_once_and_have_little_padding(window):
    formed = sampler(batch_points=200, window=window)
    batches = formed.batches(0)
    areas = [len(batch) * int(formed.lengths[batch].max()) for batch in batches]
    assert max(areas) <= 200 and formed.lengths.sum() > 0.85 * sum(areas)
    assert {tuple(batch) for batch in batches} == {tuple(batch) for batch in formed.batches(1)}
    if window:
        assert all(len({*formed.shards[batch].tolist()}) == 1 for batch in batches)
    alone = BucketBatchSampler(3, [5, 300, 4], 8, 4, shuffle=False, batch_points=10)
    assert [batch.tolist() for batch in alone.batches(0)] == [[2, 0], [1]]


def test_a_window_of_shards_is_read_side_by_side_and_each_shard_from_front_to_back():
    drawn = sampler(count=2000, shards=10, window=3)
    read = np.concatenate(drawn.batches(0))
    stretch = drawn.bucket * drawn.batch_size
    for start in range(0, len(read), stretch):
        assert len({*drawn.shards[read[start : start + stretch]].tolist()}) <= 6  # of two windows
    firsts = [np.sort(read[drawn.shards[read] == 4][n : n + 32])[0] for n in range(0, 200, 64)]
    assert firsts == sorted(firsts)


class Keys(Dataset):
    """Batches that are their keys."""

    def __getitem__(self, keys):
        return keys


class Fixed(BaseSampler):
    """Has the batches that it is given."""

    def __init__(self, *batches):
        self.given = batches

    def batches(self, epoch):
        return self.given[epoch]


@pytest.mark.parametrize(
    ("batches", "problem"),
    [
        ([[0, 3]], r"epoch 1 has \[0, 3\] as batch 0"),
        ([[0, -1]], r"epoch 1 has \[0, -1\] as batch 0"),
        ([[0.0, 1.0]], r"epoch 1 has \[0\.0, 1\.0\] as batch 0"),
        ([[True, False]], "epoch 1 has .* as batch 0"),
        ([[]], r"epoch 1 has \[\] as batch 0"),
        ([np.zeros(0, int)], r"epoch 1 has array\(.* as batch 0"),
        ([0], "epoch 1 has 0 as batch 0"),
        ([], "epoch 1 has 0 batches"),
        ([[0], [1]], "epoch 1 has 2 batches"),
    ],
)
def test_batches_that_do_not_exist_are_refused_by_the_sampler_s_name(batches, problem):
    keys = KeySampler(Fixed([[2, 0, 2]], batches), [5, 6, 7])
    assert keys.of(0) == [[(0, 2), (0, 0), (0, 2)]]
    expected = '^data_loader.args.sampler = "Fixed": one with 1 batches in each epoch, lists of '
    expected += f"whole numbers below 3, the number of samples; {problem}"
    with pytest.raises(ConfigFault, match=expected):
        keys.of(1)


@pytest.mark.parametrize(
    ("batches", "problem"),
    [(None, "a list of batches, not None"), (iter([[0]]), "a list of"), ([], "epoch 0 has none")],
)
def test_a_sampler_without_a_list_of_batches_is_refused(batches, problem):
    with pytest.raises(ConfigFault, match=f'^data_loader.args.sampler = "Fixed": .*{problem}'):
        KeySampler(Fixed(batches), [5, 6, 7])


def test_a_sampler_that_raises_is_named():
    """Where the loader is made, and in a later epoch."""
    message = '^data_loader.args.sampler = "Fixed": one whose batches.* works: .*IndexError: '
    with pytest.raises(ConfigFault, match=message):
        KeySampler(Fixed(), [5])
    loader, stop = BaseDataLoader(Keys(), [5], Fixed([[0]])), StopRequest()
    passes = [[*loaded(loader.batches(data_pass), stop.fail)] for data_pass in (0, 1)]
    assert passes == [[*loader], [None]]
    with pytest.raises(ConfigFault, match=message):
        raise stop.failure


def test_an_epoch_goes_on_by_the_state_with_which_it_began():
    keys = KeySampler(Curriculum(1, range(9)), range(9))
    batches, expected = keys.of(0), keys.sampler.batches(0)
    keys.sampler.widest = 9
    state = keys.state_dict()
    assert keys.sampler.batches(0) != expected
    again = KeySampler(Curriculum(1, range(9)), range(9))
    again.load_state_dict(state)
    taken = [batches[0], *again.of(0, 1)]
    assert taken == batches == [[(0, row) for row in batch] for batch in expected]
    assert again.sampler.widest == 9 and again.of(1) == keys.of(1)
