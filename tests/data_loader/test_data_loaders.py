from dataclasses import astuple

import numpy as np
import pytest
import torch

from base.base_dataset import BaseDataset
from base.base_transform import BaseTransform
from data_loader import (
    CutLongSteps,
    FillMissing,
    HandwritingDataLoader,
    IAMOnDBDataset,
    InputNoise,
    Scale,
    Simplify,
)
from utils.alphabet import Alphabet
from utils.checks import ConfigFault, DataError
from utils.normalisation import Normalisation

UNIT = Normalisation((0, 0), (1, 1))


class Toy(BaseDataset):
    """Random walks with random texts: half for training, the rest for validation and test."""

    def __init__(self, count=40, *, letters="abc", texts=None, lengths=None):
        self.count, self.prepared = count, 0
        rng = np.random.default_rng(7)
        self.lengths = rng.integers(2, 60, count)
        self.lengths[list(lengths or {})] = list((lengths or {}).values())
        self.inks, self.texts = [], []
        for length in self.lengths:
            ink = np.rint(rng.normal(3, 20, (length, 3))).astype(np.float32)
            ink[0, :2] = 0
            ink[:, 2] = rng.random(length) < 0.1
            ink[-1, 2] = 1
            self.inks.append(ink)
            self.texts.append("".join(rng.choice(list(letters), rng.integers(1, 9))))
        for index, text in (texts or {}).items():
            self.texts[index] = text

    def prepare(self):
        self.prepared += 1

    def split_indices(self):
        edges = [0, self.count // 2, self.count // 4 * 3, self.count]
        names = ("train", "valid", "test")
        return {name: np.arange(edges[n], edges[n + 1]) for n, name in enumerate(names)}

    def ink(self, index):
        return self.inks[index].copy()

    def missing(self, index):
        return np.where(np.arange(self.lengths[index]) % 5 == 2, 2, 0).astype(np.uint8)

    def text(self, index):
        return self.texts[index]

    def name(self, index):
        return f"sample{index}"


class Knowing(Toy):
    """Knows its characters, of which one does not occur."""

    characters = "abcß"


class Ending(Toy):
    """Says itself where sequences end: those of an odd index do not."""

    def ends(self, index):
        return index % 2 == 0


def loader(normalisation=None, alphabet=None, seed=1, extends=False, features=None, **options):
    options = {"dataset": Toy(), "batch_size": 4} | options
    made = HandwritingDataLoader(seed, normalisation, alphabet, **options)
    made.prepare(features, extends_alphabet=extends)
    return made


def rows(batches):
    """Yield batches, each with its rows, their samples and lengths."""
    for batch in batches:
        indices, lengths = batch.index.tolist(), batch.lengths.tolist()
        for row, (index, length) in enumerate(zip(indices, lengths, strict=True)):
            yield batch, row, index, length


def same(first, second):
    return len(first) == len(second) and all(
        one is other is None or torch.equal(one, other)
        for a, b in zip(first, second, strict=True)
        for one, other in zip(astuple(a), astuple(b), strict=True)
    )


def heights(ink):
    """Features for a test: fewer points than points, each of one number."""
    return np.cumsum(ink[:, 1:2], axis=0, dtype=np.float32)[::2]


def check_text(made, batch, row, index):
    letters = batch.text[row, : batch.text_lengths[row]]
    assert made.alphabet.decode(letters.tolist()) == made.source.texts[index]
    assert not batch.text[row, batch.text_lengths[row] :].any()


def test_batches_hold_the_samples_shifted_by_one_step():
    made, seen = loader(), []
    for batch, row, index, length in rows(made):
        assert batch.inputs.dtype == batch.targets.dtype == torch.float32
        assert batch.inputs.shape == batch.targets.shape == (len(batch), max(batch.lengths), 4)
        ink = made.source.inks[index].astype(np.float64)
        ink[:, :2] = (ink[:, :2] - made.normalisation.mean) / made.normalisation.std
        assert length == len(ink) - 1
        ink = np.column_stack((ink, np.arange(len(ink)) == length))  # the last one ends it
        np.testing.assert_allclose(batch.inputs[row, :length], ink[:-1], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(batch.targets[row, :length], ink[1:], rtol=1e-5, atol=1e-6)
        assert not batch.inputs[row, length:].any() and not batch.targets[row, length:].any()
        check_text(made, batch, row, index)
        seen.append(index)
    assert sorted(seen) == list(range(20))


def test_normalisation_is_of_the_preprocessed_training_targets_without_augmentation():
    made, cut = loader(), loader(preprocessing=[CutLongSteps(threshold=5.0)])
    offsets = np.concatenate([ink[1:, :2] for ink in made.source.inks[:20]]).astype(np.float64)
    np.testing.assert_allclose(made.normalisation.mean, offsets.mean(axis=0))
    np.testing.assert_allclose(made.normalisation.std, offsets.std(axis=0))
    assert max(cut.normalisation.std) < 5 < min(made.normalisation.std)
    assert loader(augmentation=[Scale(low=3.0, high=4.0)]).normalisation == made.normalisation


def test_alphabet_is_that_of_all_splits_or_of_the_config():
    dataset = Toy(texts={3: "x", 25: "y", 39: "z"})
    assert loader(dataset=dataset).alphabet.characters == list("abcxyz")
    assert loader(characters="cxba").alphabet.characters == list("abcx")
    assert loader(dataset=Knowing(), characters="cba").alphabet.characters == list("abc")
    apart = loader(dataset=Toy(texts={3: "cafe\u0301"}), characters="acfe\u0301b")
    assert apart.alphabet.characters == list("abcf\u00e9")
    with pytest.raises(ConfigFault, match="at least one character, or null"):
        loader(characters="")


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"alphabet": Alphabet("abc")}, "start a run from the checkpoint's weights"),
        ({"characters": "abc"}, "add them to `characters`"),
        ({"alphabet": Alphabet("abcé"), "characters": "abc", "extends": True}, "add them to `cha"),
    ],
)
def test_characters_that_are_lacking_are_named_with_count_and_sample(options, remedy):
    dataset = Toy(letters="abé")
    count = "".join(dataset.texts).count("é")
    first = next(n for n, text in enumerate(dataset.texts) if "é" in text)
    message = rf"'é' \(U\+00E9\) {count} times, first in sample{first}; leave .* {remedy}"
    with pytest.raises(DataError, match=message):
        loader(dataset=dataset, **options)


def test_new_characters_stand_behind_the_known_ones_and_are_counted():
    made = loader(UNIT, Alphabet("zcb"), extends=True, dataset=Toy(letters="abcdé"))
    assert made.alphabet.characters == list("zcbadé")
    counts = {one: "".join(made.source.texts).count(one) for one in "adé"}
    assert made.new_characters == counts
    assert list(made.new_characters.values()) == sorted(counts.values())
    assert made.split("valid").dataset.alphabet is made.alphabet
    assert loader(UNIT, Alphabet("édcba"), extends=True).new_characters == {}
    made = loader(UNIT, Alphabet("cb"), extends=True, dataset=Knowing())
    assert made.alphabet.characters == list("cbaß") and made.new_characters["ß"] == 0
    assert list(made.new_characters) == ["ß", "a"]
    made = loader(UNIT, Alphabet("yb"), extends=True, characters="cxba")
    assert made.alphabet.characters == list("ybacx")
    assert made.new_characters["x"] == 0 and next(iter(made.new_characters)) == "x"


def test_a_resumed_run_takes_no_further_characters_of_a_config():
    made = loader(UNIT, Alphabet("cbax"), characters="abc")
    assert made.alphabet.characters == list("cbax") and made.new_characters == {}
    with pytest.raises(ConfigFault, match=r"of the checkpoint; it lacks 'é' \(U\+00E9\)"):
        loader(UNIT, Alphabet("cba"), characters="abcé")


def test_preprocessing_changes_length_order_and_batches_alike():
    made = loader(UNIT, preprocessing=[FillMissing()])
    batches = list(made)
    for _, _, index, length in rows(batches):
        ink, missing = made.source.ink(index), made.source.missing(index)
        within = np.concatenate([[0], 1 - ink[:-1, 2]])
        assert length == len(ink) - 1 + (missing * within).sum()
    assert made.batch_sampler._lengths.sum() == sum(batch.points for batch in batches)


def test_splits_are_as_recorded_whatever_training_does():
    made = loader(
        preprocessing=[FillMissing(), CutLongSteps(threshold=5.0)],
        augmentation=[Scale(), InputNoise(std=1.0)],
    )
    for split, expected in (
        ("valid", range(20, 30)),
        ("test", range(30, 40)),
        ("train", range(20)),
    ):
        evaluation = made.split(split)
        batches = list(evaluation)
        assert same(batches, list(evaluation))
        assert sorted(index for _, _, index, _ in rows(batches)) == list(expected)
        lengths = [length for _, _, _, length in rows(batches)]
        assert lengths == sorted(lengths)
        for batch, row, index, length in rows(batches):
            recorded = made.normalisation.apply(made.source.inks[index])
            assert length == len(recorded) - 1
            assert (batch.inputs[row, :length, :3].numpy() == recorded[:-1]).all()
            assert (batch.targets[row, :length, :3].numpy() == recorded[1:]).all()


def test_valid_batch_size():
    assert len(next(iter(loader(valid_batch_size=7).split("valid")))) == 7
    assert len(next(iter(loader(batch_size=3).split("valid")))) == 3


def test_a_split_of_known_normalisation_does_not_look_at_the_training_ink():
    class Counting(Toy):
        asked = ()

        def ink(self, index):
            self.asked = {*self.asked, index}
            return super().ink(index)

    source, fill = Counting(), [FillMissing()]
    made = HandwritingDataLoader(1, UNIT, Alphabet("abc"), dataset=source, preprocessing=fill)
    assert sum(len(batch) for batch in made.split("test")) == 10
    assert source.asked == set(range(30, 40)) and source.prepared == 1
    made.prepare()  # training comes later, and needs to know how long its ink is then
    assert source.asked >= set(range(20)) and source.prepared == 1


def test_augmentation_differs_by_epoch_and_is_repeated_by_seed():
    options = {"augmentation": [Scale(), InputNoise(std=0.5)]}
    made, again, other = loader(**options), loader(**options), loader(seed=2, **options)
    epochs = [list(made), list(made), list(other)]
    assert same(epochs[0], list(again)) and same(epochs[1], list(again))
    found = [next(b.targets[r, :n] for b, r, i, n in rows(epoch) if i == 3) for epoch in epochs]
    assert not torch.allclose(found[0], found[1]) and not torch.allclose(found[0], found[2])


@pytest.mark.parametrize("dataset", [Toy, Ending])
def test_the_last_point_ends_the_sequence_if_the_dataset_says_so(dataset):
    """Whatever preprocessing puts between the points, and noise on the inputs, which it spares."""
    options = {"preprocessing": [FillMissing()], "dataset": dataset()}
    plain, noisy = (loader(UNIT, augmentation=some, **options) for some in ([], [InputNoise()]))
    for batch, other in zip(noisy, plain, strict=True):
        expected = torch.zeros(batch.targets.shape[:2])
        ends = 1.0 if dataset is Toy else 1.0 - batch.index % 2
        expected[torch.arange(len(batch)), batch.lengths - 1] = ends
        assert torch.equal(batch.targets[..., 3], expected)
        assert torch.equal(batch.targets, other.targets)
        assert torch.equal(batch.inputs[..., 2:], other.inputs[..., 2:])
        assert not torch.equal(batch.inputs, other.inputs) and not batch.inputs[~batch.mask].any()


@pytest.mark.parametrize("features", [None, heights])
def test_workers_and_position_give_the_same_batches(features):
    options = {"augmentation": [Scale(), InputNoise(std=0.5)], "preprocessing": [FillMissing()]}
    options |= {"features": features}
    plain, workers = loader(**options), loader(num_workers=2, **options)
    epochs = [list(plain) for _ in range(3)]
    assert same(list(workers), epochs[0])
    workers.batch_sampler.position = (2, 3)
    assert same(list(workers), epochs[2][3:])
    assert same(list(workers.split("valid")), list(plain.split("valid")))


def test_features_are_made_of_the_ink_as_recorded_where_samples_are_made():
    made = loader(features=heights)
    for part, count in ((made, 20), (made.split("valid"), 10)):
        found = list(rows(part))
        assert len(found) == count
        for batch, row, index, length in found:
            assert batch.targets is None and batch.to("cpu").targets is None
            assert batch.inputs.shape == (len(batch), max(batch.lengths), 1)
            expected = heights(made.source.ink(index))
            assert length == len(expected)
            assert np.array_equal(batch.inputs[row, :length], expected)
            assert not batch.inputs[row, length:].any()
            check_text(made, batch, row, index)


def test_features_are_of_ink_with_the_noise_on_inputs():
    """In normalised units, as for networks that see the points."""
    noisy = loader(augmentation=[InputNoise(std=0.5)], features=lambda ink: ink.copy())
    found = []
    for batch, row, index, length in rows(noisy):
        difference = batch.inputs[row, :length].numpy() - noisy.source.ink(index)
        assert not difference[:, 2].any()
        found.append(difference[:, :2] / noisy.normalisation.std)
    found = np.concatenate(found)
    assert len(found) > 400
    # Five standard errors of a standard deviation: outside once in a million times.
    assert found.std() == pytest.approx(0.5, abs=5 * 0.5 / (2 * found.size) ** 0.5)


def test_transforms_in_the_wrong_place_are_refused():
    with pytest.raises(ConfigFault, match=r"preprocessing = .Scale.: it belongs to augmentation"):
        loader(preprocessing=[Scale()])
    with pytest.raises(ConfigFault, match=r"augmentation = .FillMissing.: it belongs to preproces"):
        loader(augmentation=[FillMissing()])


class Shorten(BaseTransform):
    """Drops all points but the first few of samples that have no more than ten."""

    def __init__(self, points):
        self.points = points

    def __call__(self, ink, missing, generator):
        kept = slice(self.points if len(ink) <= 10 else None)
        return ink[kept], missing[kept]


@pytest.mark.parametrize("normalisation", [None, UNIT])
def test_a_training_without_a_sample_or_a_step_is_an_error(normalisation):
    with pytest.raises(DataError, match="the split 'train' is empty"):
        loader(normalisation, dataset=Toy(1))
    with pytest.raises(DataError, match=r"1 samples have fewer than two points.* sample4 is"):
        loader(normalisation, dataset=Toy(lengths={4: 1}))
    dataset = Toy()
    first = next(n for n in range(20) if dataset.lengths[n] <= 10)
    message = f"sample{first}: Shorten leaves 1 of {dataset.lengths[first]} points, .* needs two; "
    with pytest.raises(DataError, match=message):
        loader(normalisation, preprocessing=[Shorten(1), Simplify(tolerance=0.0)])
    assert len(list(loader(normalisation, preprocessing=[Shorten(2)]))) == 5


def test_a_dataset_brings_its_own_preprocessing():
    own = IAMOnDBDataset(root="nowhere")
    kinds = [type(one).__name__ for one in own.preprocessing()]
    assert kinds == ["FillMissing", "CutLongSteps"]
    for given, expected in ((None, kinds), ([], [])):
        made = HandwritingDataLoader(0, None, None, dataset=own, preprocessing=given)
        assert [type(one).__name__ for one in made.dataset.preprocessing] == expected


def test_overfitting_trains_and_validates_on_the_same_samples_as_they_are():
    made = loader(overfit=3, augmentation=[Scale(low=2.0, high=3.0)], preprocessing=[FillMissing()])
    (train,), (valid,) = made, made.split("valid")
    rows = [train.index.sort().indices, valid.index.sort().indices]
    first = made.source.indices("train")[:3].tolist()
    assert train.index[rows[0]].tolist() == valid.index[rows[1]].tolist() == first
    assert torch.equal(train.inputs[rows[0]], valid.inputs[rows[1]])
    assert made.split("test").indices.tolist() == made.source.indices("test").tolist()
