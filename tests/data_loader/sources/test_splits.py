from itertools import chain

import numpy as np
import pytest

from base.data.samples import Samples
from data_loader.sources.source import FRACTIONS, choose_subset, divide, hash_fraction, named_split
from ink.sample import Sample

NO_INK = np.zeros((0, 3))


def divided(count, writer=lambda n: "", group=lambda n: "", fractions=FRACTIONS, seed=0):
    samples = [Sample(NO_INK, "", f"n{n}", writer(n), group(n)) for n in range(count)]
    parts, notes = divide(Samples.of(samples), fractions, seed)
    return {split: part.tolist() for split, part in parts.items()}, notes


def test_fractions_hold_on_average_and_another_seed_divides_differently():
    parts, _ = divided(20_000)
    # Binomial: 4 standard deviations are 0.0085 and 0.011.
    assert len(parts["valid"]) / 20_000 == pytest.approx(0.1, abs=0.0085)
    assert len(parts["train"]) / 20_000 == pytest.approx(0.8, abs=0.0113)
    other, _ = divided(20_000, seed=1)
    assert set(parts["valid"]) != set(other["valid"])


def test_the_hash_of_a_name_is_the_same_on_every_machine():
    # printf '0:name:a01' | sha256sum | cut -c1-16, divided by 2^64
    assert hash_fraction("name:a01") == pytest.approx(0x4AFB70F86652A1C9 / 2**64, abs=0)


NAMED = [Sample(NO_INK, name=str(n)) for n in range(300)]


def chosen(count, seed, samples=NAMED):
    """Return the names of a subset, which are numbers."""
    places = choose_subset(Samples.of(samples), count, seed).tolist()
    assert places == sorted(places)
    return [int(samples[place].name) for place in places]


def test_a_subset_is_drawn_by_its_seed_and_contained_in_a_larger_subset():
    numbers = chosen(50, 3)
    assert len(set(numbers)) == 50 and chosen(50, 4) != numbers
    assert set(numbers) < set(chosen(60, 3))
    assert chosen(50, 3, NAMED[::-1]) == numbers[::-1]
    assert np.mean(numbers) == pytest.approx(149.5, abs=5 * 300 / 12**0.5 / 50**0.5)


def test_names_of_files_say_which_split_they_are():
    splits = {"pendigits-train": "train", "Training_1": "train", "test/a.dat": "test"}
    splits |= {"validation.unp": "valid", "contest.dat": "", "trainer": "", "train/test.dat": ""}
    assert {path: named_split(path) for path in splits} == splits


def test_division_by_hash_keeps_writers_together_and_in_their_split_when_samples_come():
    few, _ = divided(1000, lambda n: f"w{n % 40}")
    many, notes = divided(2000, lambda n: f"w{n % 40}")
    assert not notes
    writers = {split: {n % 40 for n in many[split]} for split in FRACTIONS}
    assert sum(map(len, writers.values())) == len(set().union(*writers.values())) == 40
    assert all(set(few[split]) <= set(many[split]) for split in FRACTIONS)


def test_splits_of_the_source_are_kept_and_validation_is_taken_from_training():
    """A tenth is for validation, however large a share of the samples would be for test."""
    shares = {"train": 0.5, "valid": 0.1, "test": 0.4}
    parts, notes = divided(2010, group=lambda n: "train" if n < 2000 else "test", fractions=shares)
    assert parts["test"] == list(range(2000, 2010))
    assert 160 < len(parts["valid"]) < 240 and max(parts["valid"]) < 2000
    assert len(parts["train"]) + len(parts["valid"]) == 2000
    assert notes == ["the splits test, train are the source's; valid by hash from train"]
    parts, _ = divided(9, group=lambda n: "test")  # nothing says what trains
    assert sum(map(len, parts.values())) == 9 and len(parts["train"])


def test_few_samples_leave_no_split_empty_and_a_single_writer_is_divided_by_name():
    for count in range(3, 12):
        parts, _ = divided(count)
        assert sorted(chain(*parts.values())) == list(range(count))
        assert all(len(part) for part in parts.values())
    parts, notes = divided(500, lambda n: "me")
    assert 20 < len(parts["valid"]) < 80
    assert notes == ["fewer writers than splits: divided by the samples' names"]
