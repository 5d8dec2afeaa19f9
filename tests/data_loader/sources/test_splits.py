import numpy as np
import pytest

from data_loader.sources.splits import by_hash, check_fractions, draw, subset
from utils.checks import ConfigFault

FRACTIONS = {"train": 0.8, "valid": 0.1, "test": 0.1}


def split_of(names, writers, **options):
    splits = by_hash(names, writers, FRACTIONS, **options)
    return {names[n]: split for split, found in splits.items() for n in found}


def test_adding_samples_moves_none():
    names = [f"sample{n}" for n in range(500)]
    before = split_of(names, [""] * 500)
    more = [f"new{n}" for n in range(300)] + names
    after = split_of(more, [""] * 800)
    assert {name: after[name] for name in names} == before
    assert set(before.values()) == set(FRACTIONS)


def test_no_writer_is_in_two_splits():
    names = [f"sample{n}" for n in range(2000)]
    writers = [f"writer{n % 100}" for n in range(2000)]
    found = split_of(names, writers)
    by_writer = {}
    for name, writer in zip(names, writers, strict=True):
        by_writer.setdefault(writer, set()).add(found[name])
    assert all(len(splits) == 1 for splits in by_writer.values())
    assert set.union(*by_writer.values()) == set(FRACTIONS)


def test_fractions_hold_on_average():
    splits = by_hash([str(n) for n in range(20_000)], [""] * 20_000, FRACTIONS)
    assert sum(len(found) for found in splits.values()) == 20_000
    # Binomial: 4 standard deviations are 0.0085 and 0.011.
    assert len(splits["valid"]) / 20_000 == pytest.approx(0.1, abs=0.0085)
    assert len(splits["train"]) / 20_000 == pytest.approx(0.8, abs=0.0113)


def test_seed_divides_otherwise():
    names = [str(n) for n in range(200)]
    assert split_of(names, [""] * 200, seed=1) != split_of(names, [""] * 200, seed=2)


def test_draw_is_the_same_on_every_machine():
    # printf '0:name:a01' | sha256sum | cut -c1-16, divided by 2^64
    assert draw("name:a01") == pytest.approx(0x4AFB70F86652A1C9 / 2**64, abs=0)


@pytest.mark.parametrize(
    "fractions", [{"train": 0.8, "valid": 0.1}, {"train": 1.0, "valid": 0.5, "test": -0.5}]
)
def test_fractions_that_are_none_are_refused(fractions):
    with pytest.raises(ConfigFault, match=r"fractions: .* none negative, and together 1"):
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
