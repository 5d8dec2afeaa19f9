"""A list of samples of several columns does what a list of Python does."""

import pickle

import numpy as np
import pytest

from base.data.samples import Columns, Samples
from data_loader.sources.cache import CacheKey, columns_of
from ink.sample import Parsed, Sample


def lines(count: int, prefix: str) -> list[Sample]:
    """Return samples of 2, 3, 4 points and so on, by two writers."""
    return [
        Sample(np.full((n + 2, 3), n, np.float32), f"t{n}", f"{prefix}{n}", f"w{n % 2}", "form")
        for n in range(count)
    ]


def names(samples) -> list[str]:
    return [sample.name for sample in samples]


@pytest.fixture(params=["in memory", "in files"])
def mixed(request, tmp_path) -> tuple[Samples, list[str]]:
    """Samples of two columns and of copies, in random order, and their names."""
    if request.param == "in files":
        made = [Parsed(lines(9, prefix)) for prefix in "ab"]
        keys = [CacheKey(prefix, {}, [tmp_path]) for prefix in "ab"]
        stored = zip(keys, made, strict=True)
        parts = [columns_of(key, [[parsed]], iter).all for key, parsed in stored]
    else:
        parts = [Samples.of(lines(9, prefix)) for prefix in "ab"]
    whole = parts[0] + parts[1][2:] + parts[0].with_suffix("+1")
    expected = [f"a{n}" for n in range(9)] + [f"b{n}" for n in range(2, 9)]
    expected += [f"a{n}+1" for n in range(9)]
    order = np.random.default_rng(0).permutation(len(expected))
    return whole.take(order), [expected[place] for place in order]


def test_places_of_a_list_are_those_of_a_list_of_python(mixed):
    samples, expected = mixed
    assert names(samples) == [*samples.strings("name")] == expected and len(samples) == 25
    assert samples[3].name == expected[3] and samples[-1].name == expected[-1]
    assert names(samples[4:20:3]) == expected[4:20:3] and names(samples[:0]) == []
    with pytest.raises(IndexError):
        samples[25]


def test_values_are_those_of_the_samples(mixed):
    samples, _ = mixed
    assert samples.lengths.tolist() == [len(sample.ink) for sample in samples]
    for field in ("text", "writer", "group"):
        assert [*samples.strings(field)] == [getattr(sample, field) for sample in samples]
    inks = [sample.ink[1:, :2].astype(float) for sample in samples]
    assert [moments[0] for moments in samples.moments] == [len(ink) for ink in inks]
    means = [moments[1:3] for moments in samples.moments]
    np.testing.assert_allclose(means, [ink.mean(0) for ink in inks])


def test_samples_of_others_and_repetitions_are_left_out(mixed):
    samples, expected = mixed
    doubled = samples[:15] + samples[10:]
    assert names(doubled) == expected[:15] + expected[10:]
    rest = [name for name in expected if name not in expected[5:9]]
    assert names(doubled.without(samples[5:9])) == rest
    assert names(samples.without(Samples())) == expected and not Samples().without(samples)
    places = doubled.places_in(samples)
    assert [expected[place] for place in places] == names(doubled)


def test_a_process_gets_samples_by_their_folder(mixed):
    samples, expected = mixed
    copy = pickle.loads(pickle.dumps(samples))
    assert names(copy) == expected and copy.key == samples.key
    assert names(copy.in_memory) == (expected if samples.key is None else [])


def test_equal_keys_are_of_equal_samples(mixed):
    samples, _ = mixed
    others = [samples[1:], samples.take(np.arange(25)[::-1]), samples.with_suffix("x")]
    keys = {other.key for other in (*others, samples)}
    assert keys == {None} or len(keys) == 4


def test_several_values_are_computed_together_if_one_of_them_is_missing(tmp_path):
    key = CacheKey("kind", {}, [tmp_path])
    samples = columns_of(key, [[Parsed(lines(3, "a"))]], iter).all
    for make in (lambda: [np.arange(3), 7], None):  # the second time both are in files
        array, note = samples.all_cached(["x", "y"], make)
        assert array.tolist() == [0, 1, 2] and note == 7
    next(tmp_path.rglob("y-*.npy")).unlink()
    assert samples.all_cached(["x", "y"], lambda: [np.arange(2), 8])[1] == 8
    assert samples.cached("x", lambda: None).tolist() == [0, 1]


def test_columns_of_a_user_are_asked_for_what_they_know():
    class Known(Columns):
        def sample(self, number):
            return lines(9, "u")[number]

        def lengths(self, numbers):
            return numbers * 100

    samples = Known().take(np.array([3, 1])) + Samples.of(lines(1, "a"))
    assert samples.lengths.tolist() == [300, 100, 2] and names(samples) == ["u3", "u1", "a0"]
