import numpy as np
import pytest

from data_loader.sources.splits import (
    FRACTIONS,
    check_fractions,
    divide,
    draw,
    official_split,
    subset,
)
from utils.checks import ConfigFault


def names(count, start="n"):
    return [f"{start}{n}" for n in range(count)]


def test_fractions_hold_on_average_and_the_seed_divides_otherwise():
    found, _ = divide("ink", names(20_000), [""] * 20_000, [""] * 20_000, FRACTIONS)
    # Binomial: 4 standard deviations are 0.0085 and 0.011.
    assert len(found["valid"]) / 20_000 == pytest.approx(0.1, abs=0.0085)
    assert len(found["train"]) / 20_000 == pytest.approx(0.8, abs=0.0113)
    other, _ = divide("ink", names(20_000), [""] * 20_000, [""] * 20_000, FRACTIONS, 1)
    assert set(found["valid"].tolist()) != set(other["valid"].tolist())


def test_draw_is_the_same_on_every_machine():
    # printf '0:name:a01' | sha256sum | cut -c1-16, divided by 2^64
    assert draw("name:a01") == pytest.approx(0x4AFB70F86652A1C9 / 2**64, abs=0)


@pytest.mark.parametrize(
    "fractions", [{"train": 0.8, "valid": 0.1}, {"train": 1.0, "valid": 0.5, "test": -0.5}]
)
def test_fractions_that_are_none_are_refused(fractions):
    with pytest.raises(ConfigFault, match=r"fractions = .* none negative, and together 1"):
        check_fractions(fractions)


def test_subset_by_seed():
    names = [str(n) for n in range(300)]
    chosen = subset(names, 50, seed=3)
    assert len(set(chosen)) == 50 and chosen == sorted(chosen)
    assert subset(names, 50, seed=4) != chosen
    assert set(chosen) < set(subset(names, 60, seed=3))
    reverse = subset(names[::-1], 50, seed=3)
    assert {names[::-1][n] for n in reverse} == {names[n] for n in chosen}
    assert np.mean(chosen) == pytest.approx(149.5, abs=5 * 300 / 12**0.5 / 50**0.5)


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("pendigits-train", "train"),
        ("test/a.dat", "test"),
        ("validation.unp", "valid"),
        ("Training_1", "train"),
        ("contest.dat", ""),
        ("trainer", ""),
        ("train/test.dat", ""),
    ],
)
def test_splits_that_names_of_files_tell(path, split):
    assert official_split(path) == split


def test_division_by_hash_moves_nobody_and_keeps_writers_together():
    writers = [f"w{n % 40}" for n in range(2000)]
    few, _ = divide("ink", names(1000), writers[:1000], [""] * 1000, FRACTIONS)
    many, notes = divide("ink", names(2000), writers, [""] * 2000, FRACTIONS)
    assert not notes
    for split in FRACTIONS:
        assert set(few[split].tolist()) <= set(many[split].tolist())
        assert not {writers[n] for n in many[split]} & {
            writers[n] for other in FRACTIONS if other != split for n in many[other]
        }


def test_division_as_the_source_has_it_takes_the_rest_from_training():
    official = ["train"] * 1000 + ["test"] * 300
    found, notes = divide("ink", names(1300), [""] * 1300, official, FRACTIONS)
    assert found["test"].tolist() == list(range(1000, 1300))
    assert 60 < len(found["valid"]) < 140 and found["valid"].max() < 1000
    assert len(found["train"]) + len(found["valid"]) == 1000
    assert notes == ["the splits test, train are the source's; valid by hash from train"]
    found, _ = divide(
        "ink", names(9), [""] * 9, ["test"] * 9, FRACTIONS
    )  # nothing says what trains
    assert sum(map(len, found.values())) == 9 and len(found["train"])


def test_few_samples_leave_no_split_empty_and_one_writer_is_divided_by_name():
    for count in range(3, 12):
        found, _ = divide("ink", names(count), [""] * count, [""] * count, FRACTIONS)
        assert sorted(np.concatenate(list(found.values())).tolist()) == list(range(count))
        assert all(len(part) for part in found.values())
    found, notes = divide("ink", names(500), ["me"] * 500, [""] * 500, FRACTIONS)
    assert 20 < len(found["valid"]) < 80
    assert notes == ["fewer writers than splits: divided by the samples' names"]


def test_what_the_source_keeps_for_test_is_not_taken_from_training_again():
    """A tenth is for validation, however large a share of the samples is for test."""
    fractions = {"train": 0.5, "valid": 0.1, "test": 0.4}
    official = ["train"] * 2000 + ["test"] * 10
    found, _ = divide("ink", names(2010), [""] * 2010, official, fractions)
    assert 160 < len(found["valid"]) < 240
