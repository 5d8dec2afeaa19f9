"""Samples that are not as they should be end a training by their names."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from base.base_dataset import SPLITS, BaseDataset, Loaded
from base.data.samples import Columns
from data_loader.checks import checked
from data_loader.pipeline import HandwritingDataLoader
from data_loader.recipe import Source
from ink.sample import Sample
from utils.checks import DataError


def sample(number, **values):
    ink = np.random.default_rng(number).normal(size=(9 + number, 3)).astype(np.float32)
    ink[:, 2] = np.arange(9 + number) % 4 == 3
    ink[0, :2] = 0
    return Sample(**{"ink": ink, "text": "a", "name": f"s{number}"} | values)


class Mine(BaseDataset):
    def __init__(self, change=lambda splits: splits):
        self.change = change

    def load(self, splits=SPLITS):
        numbers = {"train": range(6), "valid": range(6, 9), "test": range(9, 11)}
        made = {split: [*map(sample, numbers[split])] for split in SPLITS}
        self.change(made)
        return Loaded({split: made[split] for split in splits}, "mine")


def load(change):
    return HandwritingDataLoader(dataset=Mine(change)).load(seed=1)


def put(split, place, **values):
    """Return a function that changes a sample of a split."""

    def change(splits):
        splits[split][place] = replace(splits[split][place], **values)

    return change


def added(other, **values):
    """Return a function that adds a training sample to another split, with other values."""
    return lambda splits: splits[other].append(
        replace(splits["train"][2], **values) if values else splits["train"][2]
    )


def unnamed(splits):
    splits.update({split: [s.renamed("") for s in samples] for split, samples in splits.items()})


def unnamed_and_shared(splits):
    unnamed(splits)
    splits["test"].append(splits["train"][2])


PEN = np.array([[0, 0, 0], [1, 1, 0.5], [1, 1, 1]], np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("train", 1, name="s3"), "^Mine: 2 samples have the name 's3': each needs"),
        (put("train", 1, name="s7"), "^Mine: 2 samples have the name 's7'"),
        (added("valid"), "^Mine: 1 samples of 'valid' are trained on: s2 is in the split"),
        (added("test", ink=sample(2).ink), "^Mine: 1 samples of 'test' are trained on: s2 is in"),
        (unnamed_and_shared, "^Mine: 1 samples of 'test' are trained on: one of them is in the"),
        (put("valid", 0, ink=PEN), "end of stroke, .* neither 0 nor 1: s6 is the first"),
        (put("valid", 0, ink=PEN.astype(float)), "ink of the type float64, not float32: s6"),
        (put("train", 0, ink=PEN.astype(int)), "ink of the type int64, not float32: s0"),
        (put("train", 0, ink=PEN.tolist()), "ink of the type list, not float32: s0"),
        (put("train", 0, missing=np.zeros(9)), "missing of the type float64, not uint8: s0"),
        (put("train", 0, missing=np.zeros(3, np.uint8)), "counts of missing points: s0"),
        (put("train", 0, text=None), "."),
    ],
)
def test_samples_that_break_a_rule_are_named(change, message):
    with pytest.raises(DataError if message != "." else Exception, match=re.compile(message)):
        load(change)


def test_extras_of_another_type_are_named():
    def mood(splits):
        for samples in splits.values():
            samples[:] = [replace(one, extras={"mood": np.ones(1)}) for one in samples]

    with pytest.raises(DataError, match="mood of the type float64, not float32: s0 is the first"):
        load(mood)


@pytest.mark.parametrize(
    "change",
    [
        lambda splits: splits.update(test=splits["valid"]),
        lambda splits: splits.update(dict.fromkeys(SPLITS, splits["train"])),
        unnamed,
        put("train", 0, missing=np.zeros(9, np.uint8)),
        put("train", 0, ink=sample(3).ink),  # equal lines of two names
    ],
)
def test_samples_that_are_meant_so_are_accepted(change):
    assert len(load(change).training) == 6


@pytest.mark.parametrize("values", [{"name": "x"}, {"text": "b", "name": "x"}, {"name": ""}])
def test_equal_ink_alone_is_counted_in_a_doubt(values):
    loaded = load(added("test", **values)).loaded
    name = values["name"] or "one of them"
    said = "Mine: 1 samples of 'test' have the ink of training samples, with another text or name"
    assert loaded.doubts == (f"{said}: {name} first",)


@pytest.mark.parametrize("writer", ["ann", ""])
def test_persons_who_are_trained_on_are_named_where_they_are_known(writer):
    def written(splits):
        for number, split in enumerate(SPLITS):
            splits[split][-1] = sample(20 + number, writer=writer if split != "test" else "ben")

    said = "Mine: 1 samples of 'valid' are by persons of training samples: ann first"
    assert load(written).loaded.doubts == ((said,) if writer else ())


@pytest.mark.parametrize("start", [(0, 0), (100, -3.5)])
def test_samples_of_positions_are_counted_in_a_doubt(start):
    shift = np.float32([*start, 0])

    def moved(splits):
        splits["valid"] = [replace(each, ink=each.ink + shift) for each in splits["valid"]]

    doubts = load(moved).loaded.doubts
    said = "Mine: 3 of 11 samples do not begin with the offset (0, 0), as if their points were "
    said += "positions: s6 begins with (100, -3.5)"
    assert doubts == ((said,) if any(start) else ())


class OnDemand(Columns):
    """Makes each sample when it is asked for, and counts how often."""

    def __init__(self):
        self.counts = Counter()

    def sample(self, number):
        self.counts[number] += 1
        made = sample(number)
        return replace(made, ink=made.ink * np.float32([2, 2, 1]))


class MadeOnDemand(BaseDataset):
    def __init__(self, valid):
        self.store, self.valid = OnDemand(), valid

    def load(self, splits=SPLITS):
        numbers = {"train": range(150), "valid": self.valid, "test": range(180, 200)}
        return Loaded({k: self.store.take(np.array(numbers[k])) for k in splits}, "on demand")


def test_samples_that_are_made_on_demand_are_compared_by_their_content():
    dataset = MadeOnDemand(range(150, 180))
    checked(dataset, SPLITS)
    assert set(dataset.store.counts.values()) == {1} and len(dataset.store.counts) == 200
    with pytest.raises(DataError, match="30 samples of 'valid' are trained on: s120 is in the"):
        checked(MadeOnDemand(range(120, 180)), SPLITS)


def test_each_source_of_a_recipe_is_checked():
    sources = {"mine": Source(Mine(added("valid"))), "other": Source(Mine())}
    arguments = {"sources": sources, "train": ["other", "mine"], "valid": ["mine"]}
    with pytest.raises(DataError, match="1 samples of 'valid' are trained on: s2"):
        HandwritingDataLoader(**arguments).load(seed=1)
    alike = Source(Mine(added("valid", name="x")))
    arguments["sources"] = {**sources, "mine": alike}
    (doubt,) = HandwritingDataLoader(**arguments).load(seed=1).loaded.doubts
    assert doubt.startswith("Mine: 1 samples of 'valid' have the ink of training samples")
    arguments["sources"] = {**sources, "mine": Source(Mine(put("valid", 0, ink=PEN)))}
    with pytest.raises(DataError, match="neither 0 nor 1: s6 is the first"):
        HandwritingDataLoader(**arguments).load(seed=1)
