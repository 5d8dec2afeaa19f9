import numpy as np
import pytest

from base.base_dataset import Loaded, Sample
from utils.checks import UserError


def loaded(texts, splits):
    samples = [Sample(np.zeros((2, 3), dtype=np.float32), text) for text in texts]
    return Loaded({name: [samples[n] for n in part] for name, part in splits.items()}, "")


def test_characters_are_counted_the_rare_ones_first_and_each_sample_once():
    found = loaded(["abba é", "a b"], {"train": [0], "valid": [1], "test": [1]})
    assert list(found.character_counts().items()) == [("é", 1), (" ", 2), ("a", 3), ("b", 3)]
    assert found.character_report().split("\n") == [
        "4 different characters, the rare ones first",
        "  'é' (U+00E9)               1    ' ' (U+0020 space)         2    "
        "'a' (U+0061)               3",
        "  'b' (U+0062)               3",
    ]


def test_a_split_is_known_by_the_names_texts_lengths_and_order_of_its_samples():
    first = loaded(["ab", "c"], {"train": [0, 1], "valid": [1]}).fingerprints
    assert first == loaded(["ab", "c"], {"train": [0, 1], "valid": [1]}).fingerprints
    others = [(["ab", "c"], [1, 0]), (["ab", "d"], [0, 1]), (["ab", "c"], [0])]
    for texts, train in others:
        other = loaded(texts, {"train": train, "valid": [1]}).fingerprints
        assert other["train"] != first["train"]


def test_a_split_that_is_not_there_is_named():
    with pytest.raises(UserError, match="no split 'tset': there are train, valid, test"):
        loaded([], {}).split("tset")
