"""Samples that are not as they should be end a training by their names."""

import re
from dataclasses import replace

import numpy as np
import pytest

from base.base_dataset import SPLITS, BaseDataset, Loaded
from data_loader.data_loaders import HandwritingDataLoader
from ink.sample import Sample
from utils.checks import DataError


def sample(number, **values):
    ink = np.random.default_rng(number).normal(size=(9 + number, 3)).astype(np.float32)
    ink[:, 2] = np.arange(9 + number) % 4 == 3
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


def added(split, other, name=None):
    """Return a function that adds a training sample to another split."""
    return lambda splits: splits[other].append(
        splits[split][2] if name is None else splits[split][2].renamed(name)
    )


PEN = np.array([[0, 0, 0], [1, 1, 0.5], [1, 1, 1]], np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("train", 1, name="s3"), "^Mine: 2 samples have the name 's3': each needs"),
        (put("train", 1, name="s7"), "^Mine: 2 samples have the name 's7'"),
        (added("train", "valid"), "^Mine: 1 samples of 'valid' are trained on: s2 is in the split"),
        (added("train", "test", "x"), "^Mine: 1 samples of 'test' are trained on: x is in the"),
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
        lambda splits: splits.update({k: [s.renamed("") for s in v] for k, v in splits.items()}),
        put("train", 0, missing=np.zeros(9, np.uint8)),
        put("train", 0, ink=sample(3).ink),  # equal lines of two names
    ],
)
def test_samples_that_are_meant_so_are_accepted(change):
    assert len(load(change).training) == 6
