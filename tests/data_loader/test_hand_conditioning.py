"""What samples are told of their hands: by other lines, which say nothing that they say."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest

from base.base_dataset import BaseDataset, Loaded
from data_loader import ToldHandsDataset, hand_conditioning
from ink.measures import NUM_HAND_LINES
from ink.sample import Sample
from tests.loaded import in_files
from utils.checks import DataError


@dataclass
class Given(BaseDataset):
    loaded: Loaded

    def load(self, splits=("train",)):
        return self.loaded


def sample(text, name, hand, strokes=0):
    ink = np.zeros((20, 3), np.float32)
    ink[:strokes, 2] = 1
    return Sample(ink, text, name, writer=hand)


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
    names = [line.name for line in samples if not line.name.startswith(("composed", "piece"))]
    rows = np.arange(len(names), dtype=np.float32)[:, None] + [0.0, 1000.0, 1.0]
    np.savez(tmp_path / "hands.npz", names=names, values=rows)
    loaded = dataset_of(Loaded({"train": samples}, ""), tmp_path, **options).load()
    lines = {line.name: line for line in loaded.split("train")}
    return lines, dict(zip(names, rows[:, 0], strict=True))


def dataset_of(loaded, folder, **options):
    descriptors = str(folder / "hands.npz")
    return ToldHandsDataset(dataset=Given(loaded), descriptors=descriptors, **options)


def numbers_of(sample):
    rows = sample.extras["hand"]
    return sorted(row[0] for row in rows.tolist() if any(row))


def test_extras_of_a_sample_are_other_lines_of_its_hand(tmp_path):
    samples, number = load(tmp_path)
    assert numbers_of(samples["a1"]) == [number["a2"], number["a3"]]
    assert numbers_of(samples["c1"]) == numbers_of(samples["b1"]) == []
    assert samples["a1"].extras["hand"].shape == (NUM_HAND_LINES, 3)
    many = numbers_of(samples["d7"])
    assert len(set(many)) == NUM_HAND_LINES
    assert number["d7"] not in many
    assert numbers_of(samples["d8"]) != many  # of many lines others are drawn for each
    # None of the lines that it consists of.
    assert numbers_of(samples["composed-1"]) == [number["a3"]]


def test_the_extra_composed_is_the_fraction_of_characters_that_are_not_recorded(tmp_path):
    samples, _ = load(tmp_path)
    shares = {name: float(line.extras["composed"][0]) for name, line in samples.items()}
    assert shares.pop("composed-2") == pytest.approx(4 / 10)  # "a new" of ten letters
    assert shares.pop("composed-3") == 1.0
    assert not any(shares.values())


def test_piece_of_a_line_counts_as_recorded_and_has_other_lines_in_its_extras(tmp_path):
    samples, number = load(tmp_path, [*SAMPLES, sample("at on", "piece-0/a2", "ann")])
    piece = samples["piece-0/a2"]
    assert numbers_of(piece) == [number["a1"], number["a3"]] and not piece.extras["composed"].any()


def test_lines_of_hands_that_join_letters_are_repeated(tmp_path):
    lines = [
        sample("nine letters", "a1", "ann", 5),
        sample("and four", "a2", "ann", 5),  # 10 of 18: 0.56
        sample("as many as", "b1", "bob", 6),  # 6 of 8
        sample("new", "composed-1", "ann", 1),
    ]
    samples, _ = load(tmp_path, lines, joined=3)
    more = {"a1+1", "a1+2", "a2+1", "a2+2"}
    assert set(samples) == more | {line.name for line in lines}
    assert numbers_of(samples["a1+1"]) == numbers_of(samples["a1"])


def test_extras_of_samples_in_files_are_computed_once_and_not_pickled(tmp_path, monkeypatch):
    loaded = in_files(Loaded({"train": [*SAMPLES], "valid": SAMPLES[:3]}, ""), tmp_path)
    held, _ = load(tmp_path, joined=2)
    dataset = dataset_of(loaded, tmp_path, joined=2)
    for _ in range(2):
        samples = dataset.load(["train", "valid"]).samples
        for line in pickle.loads(pickle.dumps(samples["train"])):
            assert line.extras["hand"].tolist() == held[line.name].extras["hand"].tolist()
        assert [*samples["train"].strings("name")] == [*held]
        assert len(pickle.dumps(samples)) < 2000 and samples["train"].key
        monkeypatch.setattr(hand_conditioning, "composed_fraction", None)  # all is cached
        monkeypatch.setattr(hand_conditioning, "strokes_per_character", None)


def test_a_table_of_other_lines_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", names=["x"], values=np.zeros((1, 3), np.float32))
    for name, message in (("other", "has none of the samples"), ("absent", r"absent\.npz")):
        given = Given(Loaded({"train": SAMPLES}, ""))
        dataset = ToldHandsDataset(dataset=given, descriptors=str(tmp_path / f"{name}.npz"))
        with pytest.raises(DataError, match=message):
            dataset.load()
