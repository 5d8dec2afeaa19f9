"""The way of the data, from what a config names to batches, stage by stage.

Each stage takes and returns `Samples`: a list whose samples are read when they are asked for, from
columns in memory or in mapped files (`base/data/`).

| stage | what it does | where it stands |
|---|---|---|
| read | files become columns, once | `SourceDataset.make` |
| check | samples are as `Sample` says, and in one split | `checks.checked` |
| divide | columns become splits | `SourceDataset.load` |
| derive | lines are scaled, shaped, composed, added | `recipe.py`, other datasets |
| leave out | samples that are not learned | `training_samples` |
| preprocess | deterministic transforms, once | `preprocessed_samples` |
| fit | the normalisation and the alphabet | `fit_normalisation`, `fit_alphabet` |
| batches | in an order, augmented, padded | `Data.training_loader`, `Data.loader` |
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar

import numpy as np

from base import distributed
from base.base_data_loader import BaseDataLoader
from base.base_dataset import SPLITS, BaseDataset, Facts, Loaded
from base.base_sampler import BaseSampler, BucketBatchSampler
from base.base_transform import BaseTransform
from base.config import user_modules
from base.config.user_code import errors_as_config_fault
from base.data.samples import Samples
from base.trial.names import check_member_names
from data_loader.batches import BatchDataset, Features
from data_loader.checks import check_alphabet, checked, fault_of
from data_loader.recipe import Recipe, SourceNames, Sources
from data_loader.sources.cache import columns_of, derived_key
from data_loader.sources.source import choose_subset, listed_lines, listed_names
from ink.alphabet import Alphabet, describe, nfc
from ink.drawing.pictures import ink_picture
from ink.normalisation import Normalisation
from ink.sample import Parsed, Sample
from utils.checks import ABSENT, NOTHING, ConfigFault, DataError, Range

log = logging.getLogger(__name__)

BLOCK_SAMPLES = 10_000  # samples that are preprocessed and written together (assumed)


@dataclass(kw_only=True, eq=False)
class HandwritingDataLoader:
    """Makes shuffled batches of a dataset's training split, and sorted batches of other splits.

    The points of a batch have four numbers, `(dx, dy, end_of_stroke, end_of_sequence)`, unless the
    network computes features of the ink. `end_of_sequence` is 1 at the last point of a sample,
    unless the sample was cut there, and 0 elsewhere.

    Args:
        dataset: supplies ink and texts; null if `sources` do.
        sources: datasets by name. A dataset that is derived from another names a source before it.
            Each source may have an argument `like`, the name of a source before it, to whose
            x-height and quantisation grid the lines are scaled. null leaves out a source of a base.
        train, valid, test: the sources whose lines the split has, by name; with `{"NAME": 2}` in
            `train` an epoch has the lines of a source twice. A line of several sources counts once.
        batch_size: lines per batch.
        valid_batch_size: lines per batch of the other splits; None takes `batch_size`.
        num_workers: number of processes that make the batches; 0 makes them in the main process.
            The content of the batches does not depend on this number.
        preprocessing: deterministic transforms of the training ink, in this order; None takes the
            dataset's default.
        augmentation: random transforms of the training ink, in this order, drawn anew every epoch.
        bucket: number of batches whose lines are sorted by length together. A larger number leaves
            less padding; a smaller number shuffles better.
        batch_points: largest number of points of a batch, with its padding. Batches are then formed
            once, of lines of about equal lengths, and an epoch only draws their order; a longer
            line is a batch of its own. None makes batches of `batch_size` lines.
        window: number of shards of prepared data, each of some 13,000 lines, that an epoch reads
            side by side, each from front to back, for data that do not fit into memory. None
            shuffles all lines.
        sampler: chooses the lines of each training batch, and gets the settings above; None takes
            batches of lines of about equal lengths, in random order.
        valid_size: largest number of lines of the validation of an epoch, the same lines each time;
            None takes them all.
        pin_memory: put batches into page-locked memory if there is a GPU.
        characters: all characters that the network knows, as one string; a text with another
            character is an error. The string is converted to NFC, as texts are: NFC merges a letter
            and a combining mark that follows it. None takes the characters of the dataset's texts.
        leave_out: a file with the names of training samples of any source to leave out, as in
            `leave_out` of a source.
        overfit: number of training samples, the first of the split, that are used for training and
            validation, without augmentation, to check that a network can learn them by heart; None
            uses whole splits.

    Raises:
        ConfigFault: if a transform in `preprocessing` is random, or one in `augmentation` is not.
    """

    dataset: BaseDataset | None = None
    sources: Sources | None = None
    train: SourceNames = ()
    valid: Sequence[str] = ()
    test: Sequence[str] = ()
    batch_size: Annotated[int, Range(1, 4096)] = 32
    valid_batch_size: Annotated[int, Range(1, 4096)] | None = None
    num_workers: Annotated[int, Range(0, 256)] = 0
    preprocessing: list[BaseTransform] | None = None
    augmentation: Sequence[BaseTransform] = ()
    bucket: Annotated[int, Range(1, 100_000)] = 100
    batch_points: Annotated[int, Range(2, 100_000_000)] | None = None
    window: Annotated[int, Range(1, 100_000)] | None = None
    sampler: type[BaseSampler] | None = None
    valid_size: Annotated[int, Range(1)] | None = None
    pin_memory: bool = False
    characters: str | None = None
    leave_out: str | None = None
    overfit: Annotated[int, Range(1, 100_000)] | None = None

    adjustable: ClassVar[tuple[str, ...]] = ("num_workers", "pin_memory")
    """Arguments that may differ when a run is resumed, as no batch depends on them."""

    def __post_init__(self) -> None:
        if (self.dataset is None) == (self.sources is None):
            expected = "has to be null with" if self.dataset else "is missing: an object, or"
            raise ConfigFault("dataset", ABSENT, f"{expected} `sources`")
        if self.dataset is None:
            taken = {split: getattr(self, split) for split in SPLITS}
            self.dataset = Recipe(sources=self.sources, **taken)
        elif names := [split for split in SPLITS if getattr(self, split)]:
            raise ConfigFault(names[0], ABSENT, "takes `sources`, which are missing")
        if self.preprocessing is None:
            self.preprocessing = self.dataset.preprocessing()
        for key in ("preprocessing", "augmentation"):
            for transform in getattr(self, key):
                if transform.random != (key == "augmentation"):
                    other = "augmentation" if transform.random else "preprocessing"
                    raise ConfigFault(key, type(transform).__name__, f"it belongs to {other}")

    def load(
        self,
        split: str | None = None,
        *,
        seed: int,
        extras: Mapping[str, tuple[int, ...]] = NOTHING,
        normalisation: Normalisation | None = None,
        alphabet: Alphabet | None = None,
        extends_alphabet: bool = False,
    ) -> "Data":
        """Load the samples of the dataset, and return them with their units and alphabet.

        Args:
            split: the only split that is used, where nothing is trained; None loads all splits, and
                preprocesses the training split.
            seed: seed of shuffling and augmentation.
            extras: the shapes, by name, of the extra arrays that the network takes with the ink of
                each sample, such as a hand vector.
            normalisation: None computes it from the training split after preprocessing.
            alphabet: None takes `characters`, else the dataset's, else the characters of the texts.
            extends_alphabet: append characters that `alphabet` lacks, for fine-tuning, instead of
                raising an error.

        Raises:
            UserError: if there is no such split.
            DataError: if the data are missing or broken; if the training split is empty; if a
                sample lacks an extra, or has fewer than two points or a number that is not finite,
                before or after preprocessing; if a text has a character that the alphabet lacks.
            ConfigFault: if `alphabet` lacks some of `characters`, and is not extended; or if
                loading ends in an error of the code of a dataset or transform.
        """
        trains = split is None or self.overfit is not None
        key = f"data_loader.args.{'sources' if self.sources else 'dataset'}"
        with errors_as_config_fault(key, self.dataset, "a dataset that loads samples"):
            for part in (self.dataset, *self.preprocessing, *self.augmentation):
                check_member_names(key if part is self.dataset else "data_loader.args", part)
            # Read, check, divide and derive; a recipe checks each of its sources.
            load = self.dataset.load if self.sources else partial(checked, self.dataset)
            splits = SPLITS if trains else [split]
            loaded = load(splits).only(splits)
            loaded.split(split or "train")  # raises a UserError if there is no such split
            loaded.check_extras(extras)
            alphabet, new = fit_alphabet(loaded, self, alphabet, extends_alphabet)
            training = Samples()
            if trains:
                training = training_samples(loaded.split("train"), self.leave_out, self.overfit)
                training = preprocessed_samples(training, self.preprocessing)
            if normalisation is None:
                normalisation = fit_normalisation(training)
        return Data(self, loaded, training, seed, normalisation, alphabet, new)


def training_samples(samples: Samples, leave_out: str | None, overfit: int | None) -> Samples:
    """Return the samples to train on, without those of a list, or the first `overfit` of them; see
    `HandwritingDataLoader`."""
    if leave_out:
        names = [*samples.strings("name")]
        listed = listed_names(listed_lines(leave_out), {*names})
        is_left = np.array([name not in listed for name in names])
        log.info("%d samples are left out by %s", np.sum(~is_left), leave_out)
        samples = samples.take(np.flatnonzero(is_left))
    if overfit:
        samples = samples[:overfit]
    if not samples:
        raise DataError("the split 'train' is empty: there is nothing to train on")
    if overfit:
        log.info("overfitting: training and validation use only %d samples", len(samples))
    return samples


def preprocessed_samples(samples: Samples, transforms: Sequence[BaseTransform]) -> Samples:
    """Return samples after deterministic transforms, in order; samples in files become shards."""
    if not transforms:
        return samples
    result = Samples()
    for part in samples.by_columns:
        key = derived_key("preprocessed", transforms, [part])
        starts = range(0, len(part), BLOCK_SAMPLES)
        blocks = [part[start : start + BLOCK_SAMPLES] for start in starts]
        result += columns_of(key, blocks, partial(_preprocess, transforms)).all
    return result


def _preprocess(transforms: Sequence[BaseTransform], samples: Samples) -> Iterator[Parsed]:
    """Yield each of the samples after deterministic transforms."""
    for sample in distributed.bar(samples, "preprocessing", unit=" samples", leave=False):
        yield Parsed([preprocessed(sample, transforms)])


def preprocessed(sample: Sample, transforms: Iterable[BaseTransform]) -> Sample:
    """Return a sample whose ink went through deterministic transforms.

    Raises:
        DataError: if a transform leaves fewer than two points, or a number that is not finite.
    """
    ink, missing = sample.ink.copy(), sample.missing_counts.copy()
    for transform in transforms:
        ink, missing = transform(ink, missing, np.random.default_rng(0))
        finite = np.isfinite(ink).all()
        if len(ink) < 2 or not finite:
            few = f"{len(ink)} of {len(sample.ink)} points, but the network needs two"
            raise DataError(
                f"{sample.name}: {type(transform).__name__} leaves "
                f"{few if finite else 'points that are not finite'}; change "
                "the preprocessing, or leave this sample out"
            )
        if user_modules.is_any_from_user(transform) and (fault := fault_of(ink, missing, "ink")):
            cause = f"{type(transform).__name__}, of the preprocessing,"
            raise DataError(f"{sample.name}: {cause} {fault}")
    return replace(sample, ink=ink, missing=missing)


def fit_normalisation(samples: Samples) -> Normalisation:
    """Return the normalisation that is fitted to samples."""
    values = samples.cached(
        "normalisation", lambda: Normalisation.merged(samples.moments).to_dict()
    )
    return Normalisation.from_dict(values)


def fit_alphabet(
    loaded: Loaded,
    options: HandwritingDataLoader,
    checkpoint_alphabet: Alphabet | None,
    extends: bool,
) -> tuple[Alphabet, dict[str, int]]:
    """Return the alphabet, and the counts of the characters that it adds to `checkpoint_alphabet`;
    see `HandwritingDataLoader.load`."""
    configured = options.characters and nfc(options.characters)
    if configured:
        check_alphabet(loaded, Alphabet.from_texts([configured]), "add them to `characters`")
    possible = configured or options.dataset.characters
    texts = loaded.character_counts() if possible is None else [possible]
    if checkpoint_alphabet is None:
        return Alphabet.from_texts(texts), {}
    if extends:
        alphabet = checkpoint_alphabet.extended(texts)
        counts = loaded.character_counts()
        added = alphabet.characters[len(checkpoint_alphabet) :]
        added_counts = [(counts.get(character, 0), character) for character in added]
        return alphabet, {character: count for count, character in sorted(added_counts)}
    if configured and (unknown := checkpoint_alphabet.unknown(configured)):
        lacking = ", ".join(map(describe, unknown))
        expected = f"characters of the checkpoint; it lacks {lacking}"
        raise ConfigFault("characters", options.characters, expected)
    if not configured:
        remedy = "start a run from the checkpoint's weights, which extends the alphabet"
        check_alphabet(loaded, checkpoint_alphabet, remedy)
    return checkpoint_alphabet, {}


@dataclass(frozen=True, eq=False)
class Data:
    """The samples of a dataset, ready for any network; see `HandwritingDataLoader.load`."""

    options: "HandwritingDataLoader"
    loaded: Loaded
    training: Samples
    """The samples to train on, after preprocessing; empty if nothing is trained."""
    seed: int
    normalisation: Normalisation
    alphabet: Alphabet
    new_characters: Mapping[str, int]
    """Characters appended to the alphabet, with their counts in all splits, the rarest first."""

    @property
    def fitted(self) -> dict[str, float]:
        """The arguments that datasets fitted to a trained network, by key of the config; see
        `Loaded.fitted`."""
        place = "sources" if self.options.sources else "dataset.args"
        fitted = self.loaded.fitted.items()
        return {f"data_loader.args.{place}.{name}": value for name, value in fitted}

    def facts(self, extras: Mapping[str, tuple[int, ...]]) -> Facts:
        """Return the facts that a network with these extras, its trainer and its checkpoints are
        given."""
        return Facts(self.normalisation, self.alphabet, extras, self.loaded)

    def samples(self, split: str) -> Samples:
        """Return the recorded samples of a split; with `overfit`, the split "valid" is `training`.

        Raises:
            UserError: if there is no such split.
        """
        overfits = self.options.overfit and split == "valid"
        return self.training if overfits else self.loaded.split(split)

    def training_loader(self, features: Features | None = None) -> BaseDataLoader:
        """Return a loader of the training samples, shuffled and augmented.

        Args:
            features: computes a network's inputs from ink; None makes normalised points.

        Raises:
            ConfigFault: if augmentation acts on pictures, but the network sees none.
        """
        augmentation = () if self.options.overfit else self.options.augmentation
        for transform in augmentation:
            if transform.acts_on == "picture" and features is not ink_picture:
                expected = "it belongs to a network that sees pictures, such as PictureNetwork"
                raise ConfigFault("augmentation", type(transform).__name__, expected)
        batches = self._batch_dataset(self.training, features, augmentation)
        return self._loader(
            batches,
            self.options.sampler,
            batch_size=self.options.batch_size,
            shuffle=True,
            bucket=self.options.bucket,
            window=self.options.window,
            shards=None if self.options.window is None else self.training.shards,
        )

    def loader(self, split: str, features: Features | None = None) -> BaseDataLoader:
        """Return a loader of the `samples` of a split, in order of length.

        Args:
            features: as of `training_loader`.

        Raises:
            UserError: if there is no such split.
        """
        return self._in_order(self.samples(split), features)

    def validation_loader(self, features: Features | None = None) -> BaseDataLoader:
        """Return the `loader` of the split "valid", with at most `valid_size` samples."""
        samples, size = self.samples("valid"), self.options.valid_size
        if size is not None and size < len(samples):
            choose = partial(choose_subset, samples, size)
            samples = samples.take(samples.cached(f"places-of-valid-{size}", choose))
        return self._in_order(samples, features)

    def _in_order(self, samples: Samples, features: Features | None) -> BaseDataLoader:
        batches = self._batch_dataset(samples, features)
        size = self.options.valid_batch_size or self.options.batch_size
        return self._loader(batches, batch_size=size, shuffle=False)

    def _batch_dataset(
        self,
        samples: Samples,
        features: Features | None,
        augmentation: Sequence[BaseTransform] = (),
    ) -> BatchDataset:
        used = self.loaded.used

        def numbers() -> np.ndarray:
            hands = self.loaded.hands
            return np.array([hands.get(hand, -1) for hand in samples.hands], np.int32)

        # If the used samples are in files, `samples` are as well.
        hands = numbers() if used.key is None else samples.cached(f"hands-{used.key}", numbers)
        return BatchDataset(
            samples,
            hands,
            features,
            self.normalisation,
            self.alphabet,
            self.seed,
            augmentation,
        )

    def _loader(
        self,
        batches: BatchDataset,
        user_sampler: Callable[..., BaseSampler] | None = None,
        *,
        shuffle: bool,
        **arguments: Any,
    ) -> BaseDataLoader:
        lengths = batches.lengths()
        arguments |= {"seed": self.seed, "lengths": lengths, "shuffle": shuffle}
        arguments |= {"batch_points": self.options.batch_points}
        if user_sampler is not None:
            sampler = user_sampler(**arguments, hands=batches.hands)
        else:
            sampler = BucketBatchSampler(**arguments)
        workers = {"num_workers": self.options.num_workers, "pin_memory": self.options.pin_memory}
        return BaseDataLoader(batches, lengths, sampler, **workers, keeps_workers=shuffle)
