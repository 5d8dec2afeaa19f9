"""What samples are told of their hands: by other lines, which say nothing that they say."""

import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from base.base_dataset import BaseDataset, Loaded, Sample
from data_loader import ToldHandsDataset, told_hands
from tests.loaded import in_files
from utils.checks import DataError
from utils.hand_measures import TOLD_LINES

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


def load(tmp_path, samples=SAMPLES, **options):
    names = [one.name for one in samples if not one.name.startswith(("composed", "piece"))]
    rows = np.arange(len(names), dtype=np.float32)[:, None] + [0.0, 1000.0, 1.0]
    np.savez(tmp_path / "hands.npz", names=names, values=rows)
    dataset = ToldHandsDataset(
        dataset=Given(samples), descriptors=str(tmp_path / "hands.npz"), **options
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
    assert found["a1"].extras["hand"].shape == (TOLD_LINES, 3)
    many = told(found["d7"])
    assert len(set(many)) == TOLD_LINES
    assert number["d7"] not in many
    assert told(found["d8"]) != many  # of many lines others are drawn for each
    assert told(found["composed-1"]) == [number["a3"]]  # none of the lines that it consists of


def test_lines_of_recorded_ones_are_recorded(tmp_path):
    found, _ = load(tmp_path)
    shares = {name: float(one.extras["composed"][0]) for name, one in found.items()}
    assert shares.pop("composed-2") == pytest.approx(4 / 10)  # "a new" of ten letters
    assert shares.pop("composed-3") == 1.0
    assert not any(shares.values())


def test_a_piece_of_a_line_is_recorded_and_told_others(tmp_path):
    found, number = load(tmp_path, [*SAMPLES, sample("at on", "piece-0/a2", "ann")])
    piece = found["piece-0/a2"]
    assert told(piece) == [number["a1"], number["a3"]] and not piece.extras["composed"].any()


def test_hands_that_join_count_more(tmp_path):
    def inked(text, name, hand, strokes):
        ink = np.zeros((20, 3), np.float32)
        ink[:strokes, 2] = 1
        return replace(sample(text, name, hand), ink=ink)

    samples = [
        inked("nine letters", "a1", "ann", 5),
        inked("and four", "a2", "ann", 5),  # 10 of 18: 0.56
        inked("as many as", "b1", "bob", 6),  # 6 of 8
        inked("new", "composed-1", "ann", 1),
    ]
    found, _ = load(tmp_path, samples, joined=3)
    more = {"a1+1", "a1+2", "a2+1", "a2+2"}
    assert set(found) == more | {one.name for one in samples}
    assert told(found["a1+1"]) == told(found["a1"])


def test_the_same_lines_are_told_each_time(tmp_path):
    first, other = load(tmp_path)[0], load(tmp_path)[0]
    assert all(told(first[name]) == told(other[name]) for name in first)
    changed = load(tmp_path, seed=1)[0]
    assert any(told(first[name]) != told(changed[name]) for name in first)


def test_what_samples_in_files_are_told_is_kept_and_hardly_pickled(tmp_path, monkeypatch):
    loaded = in_files(Loaded({"train": [*SAMPLES], "valid": SAMPLES[:3]}, ""), tmp_path)
    held = load(tmp_path, joined=2)[0]
    dataset = ToldHandsDataset(
        dataset=SimpleNamespace(load=lambda _: loaded), descriptors=str(tmp_path / "hands.npz"),
        joined=2,
    )  # fmt: skip
    for _ in range(2):
        samples = dataset.load(["train", "valid"]).samples
        for one in pickle.loads(pickle.dumps(samples["train"])):
            assert one.extras["hand"].tolist() == held[one.name].extras["hand"].tolist()
        assert [*samples["train"].strings("name")] == [*held]
        assert len(pickle.dumps(samples)) < 2000 and samples["train"].key
        monkeypatch.setattr(told_hands, "composed_fraction", None)  # all is kept
        monkeypatch.setattr(told_hands, "strokes_per_character", None)


def test_a_table_of_other_lines_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", names=["x"], values=np.zeros((1, 3), np.float32))
    dataset = ToldHandsDataset(dataset=Given(SAMPLES), descriptors=str(tmp_path / "other.npz"))
    with pytest.raises(DataError, match="has none of the samples"):
        dataset.load(["train"])
    with pytest.raises(DataError, match=r"absent\.npz"):
        ToldHandsDataset(dataset=Given(SAMPLES), descriptors="absent.npz").load(["train"])
