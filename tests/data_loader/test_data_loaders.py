import random
from dataclasses import astuple, replace

import numpy as np
import pytest
import torch

from base.base_dataset import SPLITS, BaseDataset, Loaded
from base.base_sampler import BaseSampler
from base.base_transform import BaseTransform
from base.config.binder import FROM_PROGRAM
from data_loader import (
    CutLongSteps,
    FillMissing,
    HandwritingDataLoader,
    IAMOnDBDataset,
    InputNoise,
    Scale,
)
from ink.alphabet import Alphabet
from ink.normalisation import Normalisation
from ink.sample import Sample
from utils.checks import ConfigFault, DataError, UserError

UNIT = Normalisation((0, 0), (1, 1))


class Toy(BaseDataset):
    """Random walks with random texts, half for training; each second one ends its sequence."""

    def __init__(self, count=40, *, letters="abc", texts=None):
        rng, self.samples = np.random.default_rng(7), []
        for number, length in enumerate(rng.integers(2, 60, count).tolist()):
            ink = np.rint(rng.normal(3, 20, (length, 3))).astype(np.float32)
            ink[0, :2] = 0
            ink[:, 2] = rng.random(length) < 0.1
            ink[-1, 2] = 1
            text = "".join(rng.choice(list(letters), rng.integers(1, 9)))
            missing = np.where(np.arange(length) % 5 == 2, 2, 0).astype(np.uint8)
            text = (texts or {}).get(number, text)
            ends, name = number % 2 == 0, f"sample{number}"
            self.samples.append(Sample(ink, text, name, ends=ends, missing=missing))

    def load(self, splits=SPLITS):
        count = len(self.samples)
        edges = [0, count // 2, count // 4 * 3, count]
        parts = {name: self.samples[edges[n] : edges[n + 1]] for n, name in enumerate(SPLITS)}
        return Loaded({split: parts[split] for split in splits}, "toys")


class Knowing(Toy):
    """Knows its characters, of which one does not occur."""

    characters = "abcß"


def data(normalisation=None, alphabet=None, *, split=None, **options):
    """Return data ready for a network, in batches of four."""
    given = {key: options.pop(key) for key in ("extends_alphabet",) if key in options}
    settings = HandwritingDataLoader(**{"dataset": Toy(), "batch_size": 4} | options)
    return settings.load(split, normalisation=normalisation, alphabet=alphabet, seed=1, **given)


def inks(ready, split="train"):
    return [sample.ink for sample in ready.loaded.split(split)]


def texts(dataset):
    return "".join(sample.text for sample in dataset.samples)


def rows(batches):
    """Yield batches, each with its rows, their samples and lengths."""
    for batch in batches:
        indices, lengths = batch.index.tolist(), batch.lengths.tolist()
        for row, (index, length) in enumerate(zip(indices, lengths, strict=True)):
            yield batch, row, index, length


def same(first, second):
    return len(first) == len(second) and all(
        torch.equal(own, other) if torch.is_tensor(own) else own == other
        for batches in zip(first, second, strict=True)
        for own, other in zip(*map(astuple, batches), strict=True)
    )


def test_batches_hold_the_samples_shifted_by_a_step():
    ready, seen = data(), []
    for batch, row, index, length in rows(ready.training_loader()):
        assert batch.inputs.dtype == batch.targets.dtype == torch.float32
        assert batch.inputs.shape == batch.targets.shape == (len(batch), max(batch.lengths), 4)
        sample = ready.loaded.split("train")[index]
        ink = sample.ink.astype(np.float64)
        ink[:, :2] = (ink[:, :2] - ready.normalisation.mean) / ready.normalisation.std
        assert length == len(ink) - 1
        last = np.arange(len(ink)) == length
        ink = np.column_stack((ink, last & sample.ends))
        np.testing.assert_allclose(batch.inputs[row, :length], ink[:-1], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(batch.targets[row, :length], ink[1:], rtol=1e-5, atol=1e-6)
        assert not batch.inputs[row, length:].any() and not batch.targets[row, length:].any()
        letters = batch.text[row, : batch.text_lengths[row]]
        assert ready.alphabet.decode(letters.tolist()) == sample.text
        assert not batch.text[row, batch.text_lengths[row] :].any()
        seen.append(index)
    assert sorted(seen) == list(range(20))


def test_normalisation_is_of_the_preprocessed_training_targets_without_augmentation():
    ready, cut = data(), data(preprocessing=[CutLongSteps(threshold=5.0)])
    offsets = np.concatenate([ink[1:, :2] for ink in inks(ready)]).astype(np.float64)
    np.testing.assert_allclose(ready.normalisation.mean, offsets.mean(axis=0))
    np.testing.assert_allclose(ready.normalisation.std, offsets.std(axis=0))
    assert max(cut.normalisation.std) < 5 < min(ready.normalisation.std)
    assert data(augmentation=[Scale(low=3.0, high=4.0)]).normalisation == ready.normalisation


def test_alphabet_is_that_of_all_splits_or_of_the_config():
    dataset = Toy(texts={3: "x", 25: "y", 39: "z"})
    assert data(dataset=dataset).alphabet.characters == list("abcxyz")
    assert data(characters="cxba").alphabet.characters == list("abcx")
    assert data(dataset=Knowing(), characters="cba").alphabet.characters == list("abc")
    apart = data(dataset=Toy(texts={3: "cafe\u0301"}), characters="acfe\u0301b")
    assert apart.alphabet.characters == list("abcf\u00e9")


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"alphabet": Alphabet("abc")}, "start a run from the checkpoint's weights"),
        ({"characters": "abc"}, "add them to `characters`"),
        ({"alphabet": Alphabet("abcé"), "characters": "abc", "extends_alphabet": True}, "add them"),
    ],
)
def test_characters_that_are_lacking_are_named_with_count_and_sample(options, remedy):
    dataset = Toy(letters="abé")
    count = texts(dataset).count("é")
    first = next(n for n, sample in enumerate(dataset.samples) if "é" in sample.text)
    message = rf"'é' \(U\+00E9\) {count} times, first in sample{first}; leave .* {remedy}"
    with pytest.raises(DataError, match=message):
        data(dataset=dataset, **options)


def test_new_characters_stand_behind_the_known_characters_and_are_counted():
    ready = data(UNIT, Alphabet("cb"), extends_alphabet=True, dataset=Knowing())
    assert ready.alphabet.characters == list("cbaß")
    counts = [("ß", 0), ("a", texts(ready.options.dataset).count("a"))]  # the rare one first
    assert list(ready.new_characters.items()) == counts
    ready = data(UNIT, Alphabet("yb"), extends_alphabet=True, characters="cxba")
    assert ready.alphabet.characters == list("ybacx") and ready.new_characters["x"] == 0


def test_a_resumed_run_takes_no_further_characters_of_a_config():
    ready = data(UNIT, Alphabet("cbax"), characters="abc")
    assert ready.alphabet.characters == list("cbax") and ready.new_characters == {}
    with pytest.raises(ConfigFault, match=r"of the checkpoint; it lacks 'é' \(U\+00E9\)"):
        data(UNIT, Alphabet("cba"), characters="abcé")


def test_evaluated_splits_hold_the_ink_as_recorded_without_the_transforms_of_training():
    ready = data(
        preprocessing=[FillMissing(), CutLongSteps(threshold=5.0)],
        augmentation=[Scale(), InputNoise(std=1.0)],
    )
    for split, count in (("valid", 10), ("test", 10), ("train", 20)):
        evaluation = ready.loader(split)
        batches = list(evaluation)
        assert same(batches, list(evaluation))
        assert sorted(index for _, _, index, _ in rows(batches)) == list(range(count))
        lengths = [length for _, _, _, length in rows(batches)]
        assert lengths == sorted(lengths)
        for batch, row, index, length in rows(batches):
            recorded = ready.normalisation.apply(inks(ready, split)[index])
            assert length == len(recorded) - 1
            assert (batch.inputs[row, :length, :3].numpy() == recorded[:-1]).all()
            assert (batch.targets[row, :length, :3].numpy() == recorded[1:]).all()


def test_validation_has_a_batch_size_of_its_own_or_that_of_training():
    assert len(next(iter(data(valid_batch_size=7).loader("valid")))) == 7
    assert len(next(iter(data(batch_size=3).loader("valid")))) == 3


def test_a_split_alone_needs_no_training_split():
    for split, count in (("train", 20), ("test", 10)):
        ready = data(UNIT, Alphabet("abc"), split=split, preprocessing=[FillMissing()])
        assert sum(len(batch) for batch in ready.loader(split)) == count and not ready.training
    with pytest.raises(UserError, match="no split 'valid': there are test"):
        ready.loader("valid")


class Own(BaseTransform):
    """An augmentation of one's own: a function of ink and missing points."""

    random = True

    def __init__(self, function):
        self.function = function

    def __call__(self, ink, missing, generator):
        return self.function(ink, missing)


class Preprocessing(Own):
    random = False


def test_own_augmentation_may_use_the_global_generators():
    shift = Own(lambda ink, gaps: (ink + np.float32([random.random(), 0, 0]), gaps))
    dataset = data(augmentation=[shift]).training_loader().dataset
    first, other = dataset[[(0, 1)]].inputs, dataset[[(1, 1)]].inputs
    random.random()  # as whatever came before the sample
    assert torch.equal(dataset[[(0, 1)]].inputs, first) and not torch.equal(first, other)


def test_own_augmentation_that_changes_nothing_is_named_and_one_that_seldom_does_is_not():
    def seldom(ink, gaps):
        return (ink * np.float32([2, 1, 1]) if random.random() < 0.1 else ink), gaps

    idle, rare = Own(lambda ink, gaps: (ink.copy(), gaps)), Own(seldom)
    for change, names in ((idle, ["Own"]), (rare, []), (Scale(), [])):
        dataset = data(augmentation=[change]).training_loader().dataset
        random.seed(1)
        assert dataset.idle_augmentation() == names


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda ink, gaps: (ink * np.float32([np.nan, 1, 1]), gaps), "makes points that are not"),
        (lambda ink, gaps: (ink * np.float32([1, 1, 0.5]), gaps), "leaves an end of stroke, the"),
        (lambda ink, gaps: (ink[:1], gaps[:1]), "returns 1 points and"),
        (lambda ink, gaps: (ink[:5], gaps[:6]), "returns 5 points and"),
    ],
)
def test_own_augmentation_that_spoils_a_sample_is_named(function, message):
    dataset = data(augmentation=[Own(function)]).training_loader().dataset
    with pytest.raises(DataError, match=f"Own, of the augmentation, {message}"):
        dataset[[(0, 1)]]


def test_the_last_point_ends_the_sequence_if_the_dataset_says_so():
    """Whatever preprocessing puts between the points, and noise on the inputs, which it spares."""
    plain, noisy = (
        data(UNIT, augmentation=some, preprocessing=[FillMissing()]).training_loader()
        for some in ([], [InputNoise()])
    )
    for batch, other in zip(noisy, plain, strict=True):
        expected = torch.zeros(batch.targets.shape[:2])
        expected[torch.arange(len(batch)), batch.lengths - 1] = 1.0 - batch.index % 2
        assert torch.equal(batch.targets[..., 3], expected)
        assert torch.equal(batch.targets, other.targets)
        assert torch.equal(batch.inputs[..., 2:], other.inputs[..., 2:])
        assert not torch.equal(batch.inputs, other.inputs) and not batch.inputs[~batch.mask].any()


class Growing(BaseTransform):
    random = True

    def change(self, ink, generator, epoch):
        ink[:, 0] += 100 * epoch + generator.random()


def test_batches_are_the_same_with_workers_and_from_any_position():
    augmentation = [Growing(), Scale(), InputNoise(std=0.5)]
    options = {"augmentation": augmentation, "preprocessing": [FillMissing()]}
    plain, others = data(**options), data(num_workers=2, **options)
    loader, workers = plain.training_loader(), others.training_loader()
    epochs = [list(loader.batches(data_pass)) for data_pass in range(3)]
    assert same(list(workers), epochs[0]) and same(list(workers), list(loader))
    assert same(list(workers.batches(2, 3)), epochs[2][3:])
    assert same(list(others.loader("valid")), list(plain.loader("valid")))


def test_augmentation_that_asks_for_the_epoch_gets_it():
    dataset = data(UNIT, augmentation=[Growing()]).training_loader().dataset
    first, later = (dataset[[(epoch, 1)]].targets[0, :, 0] for epoch in (0, 4))
    assert ((later - first - 400).abs() <= 1).all()


def test_only_augmentation_may_take_the_epoch():
    change = {"change": lambda self, ink, generator, epoch: None}
    with pytest.raises(UserError, match=r"Fixed\.change takes `epoch`, which only augmentation"):
        type("Fixed", (BaseTransform,), change)


def test_features_are_computed_from_ink_with_the_noise_on_inputs():
    """In normalised units, as for networks that see the points."""
    noisy = data(augmentation=[InputNoise(std=0.5)])
    noise = []
    for batch, row, index, length in rows(noisy.training_loader(np.copy)):
        difference = batch.inputs[row, :length].numpy() - inks(noisy)[index]
        assert not difference[:, 2].any()
        noise.append(difference[:, :2] / noisy.normalisation.std)
    noise = np.concatenate(noise)
    assert len(noise) > 400
    # Five standard errors of a standard deviation: outside once in a million times.
    assert noise.std() == pytest.approx(0.5, abs=5 * 0.5 / (2 * noise.size) ** 0.5)


def test_transforms_in_the_wrong_place_are_refused():
    with pytest.raises(ConfigFault, match=r"preprocessing = .Scale.: it belongs to augmentation"):
        data(preprocessing=[Scale()])
    with pytest.raises(ConfigFault, match=r"augmentation = .FillMissing.: it belongs to preproces"):
        data(augmentation=[FillMissing()])


def shortened(points):
    """Return what leaves the first few points of samples that have no more than ten."""
    return Preprocessing(
        lambda ink, gaps: (ink[:points], gaps[:points]) if len(ink) <= 10 else (ink, gaps)
    )


@pytest.mark.parametrize("normalisation", [None, UNIT])
def test_a_training_without_a_sample_or_a_step_is_an_error(normalisation):
    with pytest.raises(DataError, match="the split 'train' is empty"):
        data(normalisation, dataset=Toy(1))
    dataset = Toy()
    dataset.samples.append(Sample(dataset.samples[0].ink[:1], "a", "dot"))
    with pytest.raises(DataError, match=r"1 samples have fewer than two points.* dot is"):
        data(normalisation, dataset=dataset)
    dataset = Toy()
    first = next(sample for sample in dataset.samples if len(sample.ink) <= 10)
    message = f"{first.name}: Preprocessing leaves 1 of {len(first.ink)} points, .* needs two; "
    with pytest.raises(DataError, match=message):
        data(normalisation, preprocessing=[shortened(1), FillMissing()])
    assert len(data(normalisation, preprocessing=[shortened(2)]).training_loader()) == 5


@pytest.mark.parametrize(("value", "extra"), [(np.nan, 0.0), (np.inf, 0.0), (1.0, np.nan)])
def test_a_sample_with_a_number_that_is_not_finite_is_named(value, extra):
    dataset = Toy()
    ink = dataset.samples[0].ink.copy()
    ink[1, 0] = value
    extras = {"mood": np.float32([extra])}
    mood = {"mood": np.float32([0])}
    dataset.samples = [replace(sample, extras=mood) for sample in dataset.samples]
    dataset.samples[3:5] = [Sample(ink, "a", name, extras=extras) for name in ("blot", "blur")]
    with pytest.raises(DataError, match=r"^2 samples .* not finite: blot is the first"):
        data(dataset=dataset)


def test_preprocessing_that_leaves_no_finite_number_is_named_with_its_sample():
    broken = Preprocessing(lambda ink, gaps: (ink * np.float32(np.nan), gaps))
    message = r"^sample0: Preprocessing leaves points that are not finite"
    with pytest.raises(DataError, match=message):
        data(preprocessing=[broken])


def test_a_dataset_brings_its_own_preprocessing():
    for given, expected in ((None, ["FillMissing", "CutLongSteps"]), ([], [])):
        ready = HandwritingDataLoader(dataset=IAMOnDBDataset(), preprocessing=given)
        assert [type(transform).__name__ for transform in ready.preprocessing] == expected


def test_samples_that_a_file_names_are_left_out_of_the_training_alone(tmp_path):
    (path := tmp_path / "listed.txt").write_text("# read\nsample3 for sure\nsample25\n")
    ready, usual = data(leave_out=str(path)), data()
    names = [*usual.training.strings("name")]
    assert [*ready.training.strings("name")] == [name for name in names if name != "sample3"]
    assert [*ready.samples("valid").strings("name")] == [*usual.samples("valid").strings("name")]
    with pytest.raises(ConfigFault, match='leave_out = "gone": a text file of names'):
        data(leave_out="gone")


def test_overfitting_trains_and_validates_on_the_same_samples_as_they_are():
    ready = data(overfit=3, augmentation=[Scale(low=2.0, high=3.0)], preprocessing=[FillMissing()])
    (train,), (valid,) = ready.training_loader(), ready.loader("valid")
    rows = [train.index.sort().indices, valid.index.sort().indices]
    assert train.index[rows[0]].tolist() == valid.index[rows[1]].tolist() == [0, 1, 2]
    assert torch.equal(train.inputs[rows[0]], valid.inputs[rows[1]])
    assert [sample.name for sample in ready.samples("valid")] == ["sample0", "sample1", "sample2"]
    assert ready.samples("test") == ready.loaded.split("test")


def test_validation_of_limited_size_has_the_same_samples_each_time():
    ready, whole = data(valid_size=3), data()
    few = [sorted(batch.index.tolist()) for batch in ready.validation_loader()]
    names = [sample.name for sample in ready.validation_loader().dataset.samples]
    assert few == [[0, 1, 2]] and len(set(names)) == 3
    assert names == [
        sample.name for sample in data(valid_size=3).validation_loader().dataset.samples
    ]
    assert {*names} < {sample.name for sample in whole.validation_loader().dataset.samples}
    assert len(ready.samples("valid")) == len(whole.samples("valid")) == 10


class Alone(BaseSampler):
    """Has each sample in a batch of its own."""

    def __init__(self, *, hands, lengths, **supplied):
        self.hands = hands
        self.lengths = lengths
        self.supplied = supplied

    def batches(self, epoch):
        return [[n] for n in range(len(self.lengths))]


def test_a_sampler_gets_the_lengths_and_hands_of_the_training_samples_alone():
    made = data(sampler=Alone, bucket=7)
    loader = made.training_loader()
    batches = list(loader)
    assert [len(batch) for batch in batches] == len(made.training) * [1]
    alone = loader.keys.sampler
    assert [int(batch.lengths) for batch in batches] == alone.lengths.tolist()
    assert [int(batch.hand) for batch in batches] == alone.hands.tolist()
    assert {*alone.supplied, "hands", "lengths"} == {*FROM_PROGRAM["BaseSampler"]}
    chosen = {"seed": 1, "batch_size": 4, "bucket": 7, "shuffle": True}
    assert chosen.items() <= alone.supplied.items()
    assert len(list(made.validation_loader())) < len(made.samples("valid"))
