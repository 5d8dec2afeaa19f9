import numpy as np

from base.base_dataset import BaseDataset


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
    train, valid = (f"{name:<6}       1 lines           2 points" for name in ("train", "valid"))
    title, first, second = dataset.report().split("\n  ")
    assert title == "Texts: 2 samples"
    assert first == f"{train}         2 characters" and second == f"{valid}         1 characters"
