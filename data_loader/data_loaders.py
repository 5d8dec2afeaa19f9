"""Ink and text of a dataset as batches for a network."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from torch.utils.data import Dataset

from base import distributed
from base.base_data_loader import BaseDataLoader, Batch, padded
from base.base_dataset import BaseDataset
from base.base_transform import BaseTransform
from utils.alphabet import Alphabet, describe, nfc
from utils.checks import ConfigFault, DataError, Range
from utils.normalisation import Normalisation

log = logging.getLogger(__name__)

_SAMPLE = 1  # keeps the draws of a sample apart from those of an epoch's order

Sample = tuple[np.ndarray, np.ndarray | None, np.ndarray, int]
"""Inputs, targets unless the inputs are features, characters, and index."""


@dataclass
class _Samples(Dataset):
    """Makes one sample ready for a network, given a key `(epoch, index)`."""

    source: BaseDataset
    seed: int
    preprocessing: Sequence[BaseTransform] = ()
    augmentation: Sequence[BaseTransform] = ()
    normalisation: Normalisation | None = None
    alphabet: Alphabet | None = None
    features: Callable[[np.ndarray], np.ndarray] | None = None

    def preprocessed(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return ink `(points, 3)` in source units, and its missing points."""
        ink, missing = self.source.ink(index), self.source.missing(index)
        for transform in self.preprocessing:
            ink, missing = transform(ink, missing, np.random.default_rng(0))
            if len(ink) < 2:
                raise DataError(
                    f"{self.source.name(index)}: {type(transform).__name__} leaves {len(ink)} of "
                    f"{self.source.lengths[index]} points, and a step to predict needs two; change "
                    "the preprocessing, or leave this sample out"
                )
        return ink, missing

    def _augmented(
        self, part: str, ink: np.ndarray, missing: np.ndarray, generator: np.random.Generator
    ) -> np.ndarray:
        """Return ink after the augmentation that acts on this part of a sample."""
        for transform in self.augmentation:
            if transform.acts_on == part:
                ink, missing = transform(ink, missing, generator)
        return ink

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        epoch, index = key
        generator = np.random.default_rng([self.seed, epoch, index, _SAMPLE])
        ink, missing = self.preprocessed(index)
        ink = self._augmented("ink", ink, missing, generator)
        text = self.alphabet.encode(self.source.text(index))
        if self.features is not None:
            if any(transform.acts_on == "inputs" for transform in self.augmentation):
                # Only then: to normalised units and back, an offset of 0 becomes one of 1e-8.
                inputs = self._augmented(
                    "inputs", self.normalisation.apply(ink), missing, generator
                )
                ink = self.normalisation.invert(inputs)
            return self.features(ink), None, text, index
        inputs, targets = map(self.normalisation.apply, (ink[:-1], ink[1:]))
        inputs = self._augmented("inputs", inputs, missing[:-1], generator)
        # The fourth column: whatever became of the points, the last one is the last.
        inputs, targets = (np.pad(part, ((0, 0), (0, 1))) for part in (inputs, targets))
        targets[-1, 3] = self.source.ends(index)
        return inputs, targets, text, index


def collate(samples: list[Sample]) -> Batch:
    """Return samples as one padded batch."""
    inputs, targets, text, index = zip(*samples, strict=True)
    inputs, lengths = padded(inputs)
    text, text_lengths = padded(text)
    return Batch(
        inputs=inputs,
        targets=None if targets[0] is None else padded(targets)[0],
        lengths=lengths,
        text=text,
        text_lengths=text_lengths,
        index=torch.tensor(index, dtype=torch.int64),
    )


def check_alphabet(dataset: BaseDataset, alphabet: Alphabet, remedy: str) -> None:
    """Raise a DataError that names the characters of the dataset's texts that `alphabet` lacks.

    Each character is listed with its code point, its count and the first sample that contains it,
    followed by a remedy.
    """
    counts, lacking = dataset.character_counts(), []
    for one in reversed(alphabet.unknown("".join(counts))):
        first = next(n for n in dataset.used().tolist() if one in nfc(dataset.text(n)))
        lacking.append(f"{describe(one)} {counts[one]} times, first in {dataset.name(first)}")
    if lacking:
        raise DataError(
            f"the alphabet lacks characters of the dataset's texts: {', '.join(lacking)}; leave "
            f"these samples out, or {remedy}"
        )


class HandwritingDataLoader(BaseDataLoader):
    """The training split of a dataset in shuffled batches, and the others by `split`.

    The points of its batches have four numbers, `(dx, dy, end_of_stroke, end_of_sequence)`, unless
    `features` computes others from the ink. The last one is 1 at the last point of a sample with
    which its sequence ends, and 0 elsewhere.

    `normalisation` and `alphabet` are available after `prepare`; `source` is the dataset itself
    (`dataset` prepares its samples for a network).

    Args:
        seed: the seed of shuffling and augmentation.
        normalisation: None computes it from the training split after preprocessing.
        alphabet: None takes the characters of the texts of all splits.
        only: the one split that is asked for, by `split`; None if any may be, and for training.
        dataset: where ink and texts come from.
        batch_size: lines per batch.
        valid_batch_size: lines per batch in loaders made by `split`; None takes `batch_size`.
        num_workers: processes that make batches; 0 makes them in this one. The batches are the
            same.
        preprocessing: deterministic changes of the training ink, in this order; None takes the
            dataset's default.
        augmentation: random changes of the training ink, in this order, drawn every time.
        bucket: batches whose lines are sorted by length together: more leave less padding, fewer
            mix better.
        pin_memory: put batches into page-locked memory if there is a GPU.
        characters: the alphabet as one string, instead of the characters of the dataset's texts:
            the network then knows each, whether it occurs or not, and any other one is an error.
            It is converted to NFC like texts, so that a combining mark must not follow a letter
            that it combines with. None takes those of the texts.
        overfit: train on the first so many samples of the training split, without augmentation, and
            validate on the same, to see that a network can learn them by heart; null for all.

    Raises:
        ConfigFault: if an augmentation is among the preprocessing, or the reverse; if
            `characters` is empty.
    """

    dataset: _Samples

    def __init__(
        self,
        seed: int,
        normalisation: Normalisation | None,
        alphabet: Alphabet | None,
        only: str | None = None,
        *,
        dataset: BaseDataset,
        batch_size: Annotated[int, Range(1, 4096)] = 32,
        valid_batch_size: Annotated[int, Range(1, 4096)] | None = None,
        num_workers: Annotated[int, Range(0, 256)] = 0,
        preprocessing: list[BaseTransform] | None = None,
        augmentation: list[BaseTransform] = [],  # noqa: B006 (never changed)
        bucket: Annotated[int, Range(1, 100_000)] = 100,
        pin_memory: bool = False,
        characters: str | None = None,
        overfit: Annotated[int, Range(1, 100_000)] | None = None,
    ) -> None:
        if characters is not None:
            characters = nfc(characters)
            if not characters:
                raise ConfigFault("characters", characters, "at least one character, or null")
        if preprocessing is None:
            preprocessing = dataset.preprocessing()
        for key, transforms in (("preprocessing", preprocessing), ("augmentation", augmentation)):
            for transform in transforms:
                if transform.random != (key == "augmentation"):
                    other = "augmentation" if transform.random else "preprocessing"
                    raise ConfigFault(key, type(transform).__name__, f"it belongs to {other}")
        dataset = dataset if only is None else dataset.only(only)
        samples = _Samples(dataset, seed, preprocessing, [] if overfit else augmentation)
        options = {"num_workers": num_workers, "pin_memory": pin_memory}
        super().__init__(samples, collate, seed, batch_size=batch_size, bucket=bucket, **options)
        self.source = dataset
        self.normalisation = normalisation
        self.alphabet = alphabet
        self.characters, self.overfit = characters, overfit
        self.new_characters: dict[str, int] = {}
        self._split_options = {"batch_size": valid_batch_size or batch_size, **options}
        self._loaded = self._prepared = False

    def prepare(
        self,
        features: Callable[[np.ndarray], np.ndarray] | None = None,
        *,
        extends_alphabet: bool = False,
    ) -> None:
        """Load the dataset; compute alphabet and normalisation unless given. Once only.

        Args:
            features: the function from ink to inputs, see `BaseModel`; None: normalised points.
            extends_alphabet: whether characters that the given alphabet lacks are appended to it,
                for fine-tuning, or are an error.

        Raises:
            DataError: if the data is missing or broken, the training split is empty, a sample
                has fewer than two points, also after preprocessing, or a character is neither in
                the given alphabet nor among `characters`, and is not to extend the alphabet.
        """
        if self._prepared:
            return
        self.dataset.features = features
        self._load(extends_alphabet)
        indices = self.source.indices("train")[: self.overfit]
        if not len(indices):
            raise DataError("the split 'train' is empty: there is nothing to train on")
        if self.overfit:
            log.info("overfitting: trained and validated on %d samples alone", len(indices))
        lengths = self.source.lengths[indices] - 1
        if self.normalisation is None or self.dataset.preprocessing:
            lengths = self._measure(indices)
        self.dataset.alphabet = self.alphabet
        self.dataset.normalisation = self.normalisation
        self.batch_sampler.fill(indices, lengths)
        self._prepared = True

    def _load(self, extends_alphabet: bool = False) -> None:
        """Load the dataset, and set `alphabet` unless given, or extend it."""
        if self._loaded:
            return
        source = self.source
        source.prepare()
        used = source.used()
        if len(short := used[source.lengths[used] < 2]):
            raise DataError(
                f"{len(short)} samples have fewer than two points, so no step to predict: "
                f"{source.name(int(short[0]))} is the first"
            )
        known, former = self.characters or source.characters, self.alphabet
        if self.characters is not None:
            check_alphabet(source, Alphabet.from_texts([known]), "add them to `characters`")
        texts = [known] if known is not None else map(source.text, used.tolist())
        if former is None:
            self.alphabet = Alphabet.from_texts(texts)
        elif extends_alphabet:
            self.alphabet = former.extended(texts)
            counts = source.character_counts()
            new = self.alphabet.characters[len(former) :]
            rare_first = sorted(new, key=lambda one: (counts.get(one, 0), one))
            self.new_characters = {one: counts.get(one, 0) for one in rare_first}
        elif self.characters is not None and (unknown := former.unknown(self.characters)):
            lacking = ", ".join(map(describe, unknown))
            expected = f"characters of the checkpoint; it lacks {lacking}"
            raise ConfigFault("characters", self.characters, expected)
        else:
            remedy = "start a run from the checkpoint's weights, which gives them inputs of their"
            check_alphabet(source, former, f"{remedy} own")
        self._loaded = True

    def _measure(self, indices: np.ndarray) -> np.ndarray:
        """Return the steps of the training samples after preprocessing; set `normalisation`."""
        lengths = []

        def inks() -> Iterator[np.ndarray]:
            what = "measuring the training set"
            bar = distributed.bar(indices.tolist(), what, unit=" samples", leave=False)
            for index in bar:
                ink, _ = self.dataset.preprocessed(index)
                lengths.append(len(ink) - 1)
                yield ink

        if self.normalisation is None:
            self.normalisation = Normalisation.fit(inks())
        else:
            deque(inks(), maxlen=0)
        return np.array(lengths, dtype=np.int64)

    def split(
        self, name: str, features: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> BaseDataLoader:
        """Return a loader over the split `name`, "train", "valid" or "test"; of `features`, if this
        is not prepared for them.

        It has this one's alphabet and normalisation; its ink is as recorded, also for "train". If
        these are given the training split is not read.

        Raises:
            DataError: as `prepare`.
            UserError: if the dataset has no such split.
        """
        if self.normalisation is None:
            self.prepare()
        self._load()
        overfits = self.overfit if name == "valid" else None
        samples = replace(
            self.dataset,
            preprocessing=self.dataset.preprocessing if overfits else (),
            augmentation=(),
            normalisation=self.normalisation,
            alphabet=self.alphabet,
            features=features or self.dataset.features,
        )
        loader = BaseDataLoader(samples, collate, self.seed, shuffle=False, **self._split_options)
        indices = self.source.indices("train" if overfits else name)[:overfits]
        loader.batch_sampler.fill(indices, self.source.lengths[indices] - 1)
        return loader
