import numpy as np
import pytest

from base.base_dataset import Loaded, is_same_ink
from base.data.samples import stacked
from ink.sample import Sample
from utils.checks import DataError, UserError


def loaded(texts, splits):
    samples = [Sample(np.zeros((2, 3), dtype=np.float32), text) for text in texts]
    return Loaded({name: [samples[n] for n in part] for name, part in splits.items()}, "")


def test_characters_are_counted_once_a_sample_and_listed_from_the_rarest_on():
    data = loaded(["abba é", "a b"], {"train": [0], "valid": [1], "test": [1]})
    assert list(data.character_counts().items()) == [("é", 1), (" ", 2), ("a", 3), ("b", 3)]
    assert data.character_report().split("\n") == [
        "4 different characters, the rare ones first",
        "  'é' (U+00E9)               1    ' ' (U+0020 space)         2    "
        "'a' (U+0061)               3",
        "  'b' (U+0062)               3",
    ]


def test_another_text_order_or_number_of_samples_gives_a_split_another_fingerprint():
    first = loaded(["ab", "c"], {"train": [0, 1], "valid": [1]}).fingerprints
    assert first == loaded(["ab", "c"], {"train": [0, 1], "valid": [1]}).fingerprints
    others = [(["ab", "c"], [1, 0]), (["ab", "d"], [0, 1]), (["ab", "c"], [0])]
    for texts, train in others:
        other = loaded(texts, {"train": train, "valid": [1]}).fingerprints
        assert other["train"] != first["train"]


def inks_of(count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.standard_normal((20, 3), np.float32) for _ in range(count)]


def moved(inks):
    inks[30][7, 1] += 1
    return inks


OTHER_INK = {
    "of another size": lambda inks: [-3 * ink for ink in inks],
    "mirrored": lambda inks: [ink * np.float32([-1, 1, 1]) for ink in inks],
    "backwards": lambda inks: [ink[::-1] for ink in inks],
    "under other names": lambda inks: [inks[1], inks[0], *inks[2:]],
    "of one other point": moved,
    "not a number": lambda inks: [*inks[1:], np.nan * inks[0]],
}


@pytest.mark.parametrize("kind", OTHER_INK)
def test_ink_sums_differ_for_other_ink_though_fingerprints_are_the_same(kind):
    first, same, other = (
        Loaded({"train": [Sample(ink) for ink in inks]}, "")
        for inks in (inks_of(60), inks_of(60), OTHER_INK[kind](inks_of(60)))
    )
    assert same.ink_sums == first.ink_sums and other.fingerprints == first.fingerprints
    assert not is_same_ink(first.ink_sums["train"], other.ink_sums["train"])


def test_ink_that_is_rounded_otherwise_counts_as_the_same_ink():
    generator = np.random.default_rng(2)
    first, other = (
        Loaded({"train": [Sample(ink) for ink in inks]}, "").ink_sums["train"]
        for inks in (
            inks_of(60),
            [
                ink * np.float32(1 + generator.uniform(-1e-7, 1e-7, ink.shape))
                for ink in inks_of(60)
            ],
        )
    )
    assert first != other and is_same_ink(first, other)


def test_splits_that_are_asked_for_stay_in_their_order():
    data = loaded(["a", "b"], {"train": [0], "valid": [1], "test": [1]})
    assert [*data.only(["test", "train", "other"]).samples] == ["test", "train"]
    assert [*data.samples] == ["train", "valid", "test"]


def test_a_split_that_is_not_there_is_named():
    with pytest.raises(UserError, match="no split 'tset': there are train, valid, test"):
        loaded([], {}).split("tset")


def moody(*moods, **others):
    ink = np.zeros((2, 3), dtype=np.float32)
    return [
        Sample(ink, "ab", f"n{n}", extras={"mood": np.float32(mood), **others})
        for n, mood in enumerate(moods)
    ]


def test_extras_and_their_values_are_part_of_the_fingerprint_of_a_split():
    plain = [Sample(sample.ink, "ab", sample.name) for sample in moody([1, 2], [3, 4])]
    assert Loaded({"train": plain}, "").extras == {} == Loaded({}, "").extras
    first = Loaded({"train": moody([1, 2], [3, 4]), "valid": []}, "")
    assert first.extras == {"mood": (2,)}
    others = [moody([1, 2], [3, 5]), moody([1, 2], [3, 4], age=np.float32(1)), plain]
    marks = {Loaded({"train": sample}, "").fingerprints["train"] for sample in others}
    assert len(marks | {first.fingerprints["train"]}) == 4
    again = Loaded({"train": moody([1, 2], [3, 4]), "valid": []}, "")
    assert again.fingerprints == first.fingerprints


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (moody([1, 2], [1, 2, 3]), r"n1 has mood of shape \(3,\), but n0, the first, has mood of"),
        (moody([1, 2], 3.0), r"n1 has mood of shape \(\), but n0"),
        ([*moody([1]), Sample(np.zeros((2, 3)), name="bare")], "bare has no extras, but n0, the"),
        ([*moody([1]), *moody([1], age=np.float32(1))], "n0 has mood .*, age of shape .*, but n0"),
    ],
)
def test_samples_that_differ_in_their_extras_are_named(samples, message):
    with pytest.raises(DataError, match=message):
        Loaded({"train": samples}, "").extras  # noqa: B018


def test_extras_are_stacked_in_the_order_of_their_names():
    arrays = stacked(moody([1, 2], [3, 4], age=np.float32(7)))
    assert [*arrays] == ["age", "mood"] and stacked([]) == {}
    assert arrays["mood"].tolist() == [[1, 2], [3, 4]] and arrays["age"].tolist() == [7, 7]


def test_hands_are_numbered_by_name_in_all_splits():
    names = [("zoe", "f"), ("", "form"), ("ann", ""), ("", "")]
    samples = [Sample(np.zeros((2, 3)), writer=person, group=group) for person, group in names]
    loaded = Loaded({"train": samples[:1], "valid": samples[1:]}, "")
    assert loaded.hands == {"ann": 0, "form": 1, "zoe": 2}
