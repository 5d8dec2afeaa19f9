import numpy as np

from base.base_dataset import BaseDataset
from utils.alphabet import Alphabet


class Texts(BaseDataset):
    """Only texts."""

    def __init__(self, texts, splits):
        self.texts, self.splits = texts, {name: np.array(n) for name, n in splits.items()}
        self.lengths = np.full(len(texts), 2)

    def prepare(self): ...

    def split_indices(self):
        return self.splits

    def ink(self, index):
        return np.zeros((2, 3), dtype=np.float32)

    def text(self, index):
        return self.texts[index]

    def name(self, index):
        return str(index)

    def report(self):
        return ""


def test_characters_are_counted_the_rare_ones_first_and_each_sample_once():
    dataset = Texts(
        ["abba é", "a b", "zzz"], {"train": [0], "valid": [1], "test": [1]}
    )  # the last one is in no split
    assert list(dataset.character_counts().items()) == [("é", 1), (" ", 2), ("a", 3), ("b", 3)]
    assert dataset.character_report().split("\n") == [
        "4 different characters, the rare ones first",
        "  'é' (U+00E9)               1    ' ' (U+0020 space)         2    "
        "'a' (U+0061)               3",
        "  'b' (U+0062)               3",
    ]


def test_a_dataset_may_count_as_it_likes():
    dataset = Texts(["ab", "c"], {"train": [0], "valid": [1]})
    dataset.count = 2
    assert "1 lines" in dataset.split_report("train")


def test_characters_are_those_of_the_normal_form():
    dataset = Texts(["caf\u00e9", "e\u0301t\u00e9", "\u0301"], {"train": [0, 1], "valid": [2]})
    counts = dict.fromkeys(["a", "c", "f", "t", "\u0301"], 1)
    assert list(dataset.character_counts().items()) == [*counts.items(), ("\u00e9", 3)]


def test_the_report_marks_what_a_checkpoint_does_not_know():
    dataset = Texts(["abba", "b"], {"train": [0], "valid": [1]})
    title, row = dataset.character_report(known=Alphabet("bc")).split("\n")
    assert title.endswith("; * marks 1 that the checkpoint does not know")
    assert row.split() == ["'a'", "(U+0061)", "2*", "'b'", "(U+0062)", "3"]
    assert "*" not in dataset.character_report(known=Alphabet("abc"))


def test_without_texts_there_are_no_characters():
    dataset = Texts(["", ""], {"train": [0], "valid": [1]})
    assert dataset.character_counts() == {}
    assert dataset.character_report() == "0 different characters, the rare ones first"


class Hands(Texts):
    """Texts of which each is by the writer, or of the group, that its first letter tells."""

    def writer(self, index):
        return self.texts[index][:1].strip("xyz")

    def group(self, index):
        return self.texts[index][:1].strip("z")


def test_one_sample_of_each_hand():
    texts = ["a1", "a2", "x1", "x2", "x3", "z1", "z2", "", "b1"]  # z: neither writer nor group
    dataset = Hands(texts, {"train": range(8), "valid": [8]})
    found = [
        dataset.one_of_each_hand("train", np.random.default_rng(seed)).tolist()
        for seed in range(60)
    ]
    for chosen in found:
        assert sorted(texts[index][0] for index in chosen) == ["a", "x", "z", "z"]
    # One of these is never chosen with a chance of 3 (2/3)^60.
    assert {index for chosen in found for index in chosen} == set(range(7))
    assert len({chosen[0] for chosen in found}) > 3
    assert dataset.one_of_each_hand("valid", np.random.default_rng(0)).tolist() == [8]
    plain = Texts(["a", "b"], {"train": [0, 1]})
    assert len(plain.one_of_each_hand("train", np.random.default_rng(0))) == 2
