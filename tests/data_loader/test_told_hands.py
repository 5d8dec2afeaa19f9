"""What samples are told of their hands: by other lines, which say nothing that they say."""

import numpy as np
import pytest

from base.base_dataset import BaseDataset, Loaded, Sample
from data_loader import ToldHandsDataset
from data_loader.told_hands import LINES
from utils.checks import DataError

INK = np.zeros((3, 3), np.float32)


class Given(BaseDataset):
    def __init__(self, samples):
        self.samples = samples

    def load(self, splits=("train",)):
        return Loaded({"train": self.samples}, "given")


def sample(text, name, hand):
    return Sample(INK, text, name, writer=hand)


SAMPLES = [
    sample("the cat", "a1", "ann"),
    sample("sat on", "a2", "ann"),
    sample("a mat", "a3", "ann"),
    sample("the cat sat on", "composed-1", "ann"),
    sample("the cat a new", "composed-2", "ann"),
    sample("a dog", "composed-3", "ann"),
    sample("the cat", "b1", "bob"),
    sample("alone", "c1", "eve"),
    *(sample(f"line {number:02d}", f"d{number}", "dan") for number in range(20)),
]


def load(tmp_path, **options):
    names = [one.name for one in SAMPLES if not one.name.startswith("composed")]
    rows = np.arange(len(names), dtype=np.float32)[:, None] + [0.0, 1000.0, 1.0]
    np.savez(tmp_path / "hands.npz", names=names, values=rows)
    dataset = ToldHandsDataset(
        dataset=Given(SAMPLES), descriptors=str(tmp_path / "hands.npz"), **options
    )
    loaded = dataset.load(["train"]).samples["train"]
    return {one.name: one for one in loaded}, dict(zip(names, rows[:, 0], strict=True))


def told(sample):
    rows = sample.extras["hand"]
    return sorted(row[0] for row in rows.tolist() if any(row))


def test_a_sample_is_told_other_lines_of_its_hand(tmp_path):
    found, number = load(tmp_path)
    assert told(found["a1"]) == [number["a2"], number["a3"]]
    assert told(found["c1"]) == told(found["b1"]) == []
    assert found["a1"].extras["hand"].shape == (LINES, 3)
    many = told(found["d7"])
    assert len(set(many)) == LINES
    assert number["d7"] not in many
    assert told(found["d8"]) != many  # of many lines others are drawn for each
    assert told(found["composed-1"]) == [number["a3"]]  # none of the lines that it consists of


def test_lines_of_recorded_ones_are_recorded(tmp_path):
    found, _ = load(tmp_path)
    shares = {name: float(one.extras["composed"][0]) for name, one in found.items()}
    assert shares.pop("composed-2") == pytest.approx(4 / 10)  # "a new" of ten letters
    assert shares.pop("composed-3") == 1.0
    assert not any(shares.values())


def test_the_same_lines_are_told_each_time(tmp_path):
    first, other = load(tmp_path)[0], load(tmp_path)[0]
    assert all(told(first[name]) == told(other[name]) for name in first)
    changed = load(tmp_path, seed=1)[0]
    assert any(told(first[name]) != told(changed[name]) for name in first)


def test_a_table_of_other_lines_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", names=["x"], values=np.zeros((1, 3), np.float32))
    dataset = ToldHandsDataset(dataset=Given(SAMPLES), descriptors=str(tmp_path / "other.npz"))
    with pytest.raises(DataError, match="has none of the samples"):
        dataset.load(["train"])
    with pytest.raises(DataError, match=r"absent\.npz"):
        ToldHandsDataset(dataset=Given(SAMPLES), descriptors="absent.npz").load(["train"])
