"""Makes batches of loaded samples, and their order."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from numpy.random import Generator
from torch.utils.data import Dataset

from base.base_data_loader import BaseDataLoader, BaseSampler, Batch, features_of, padded
from base.base_dataset import is_pen
from base.base_transform import BaseTransform
from base.config import user_modules
from base.data.samples import Samples
from ink.alphabet import Alphabet
from ink.drawing.pictures import ink_picture, likely_columns
from ink.normalisation import Normalisation
from ink.sample import Sample
from utils.checks import DataError

_AUGMENTATION_KEY = 1  # last number of the seed of a sample's augmentation
_ORDER_KEY = 2  # and of the order of an epoch, which would else equal that of a sample
_LENGTH_JITTER = 0.02
"""Maximum fraction by which lengths change before they are sorted (assumed: adds at most 0.5 %
padding)."""

Features = Callable[..., np.ndarray]
"""A function that computes the inputs of a network from ink, see `BaseModel`."""


@dataclass(frozen=True, eq=False)
class BatchDataset(Dataset):
    """Makes a batch of the samples of a list of keys `(data_pass, index)`, see `KeySampler`."""

    samples: Samples
    hands: np.ndarray
    """The number of the hand of each sample, `(samples,)` int32; -1 for an unknown hand."""
    features: Features | None
    """Computes inputs from ink; None makes normalised points."""
    normalisation: Normalisation
    alphabet: Alphabet
    seed: int
    augmentation: Sequence[BaseTransform] = ()

    def __len__(self) -> int:
        return len(self.samples)

    def lengths(self) -> np.ndarray:
        """Return the number of steps of each sequence, or an estimate, `(samples,)` int64."""
        if self.features is not ink_picture:
            return self.samples.lengths - 1
        return self.samples.cached(
            "columns", lambda: np.array([likely_columns(sample.ink) for sample in self.samples])
        )

    @cached_property
    def _has_user_class(self) -> bool:
        """Whether the augmentation has a class that a user wrote."""
        return user_modules.is_any_from_user(*self.augmentation)

    def __getitem__(self, keys: Sequence[tuple[int, int]]) -> Batch | None:
        if not keys:
            return None
        samples = [self.samples[index] for _, index in keys]
        steps, targets = self.steps(keys, samples)
        inputs, lengths = padded(steps)
        text, text_lengths = padded([self.alphabet.encode(sample.text) for sample in samples])
        return Batch(
            inputs=inputs,
            targets=None if targets is None else padded(targets)[0],
            lengths=lengths,
            text=text,
            text_lengths=text_lengths,
            index=torch.tensor([index for _, index in keys]),
            hand=torch.tensor([int(self.hands[index]) for _, index in keys]),
            extras={
                name: torch.from_numpy(np.stack([sample.extras[name] for sample in samples]))
                for name in samples[0].extras
            },
        )

    def steps(
        self, keys: Sequence[tuple[int, int]], samples: Sequence[Sample]
    ) -> tuple[list[np.ndarray], list[np.ndarray] | None]:
        """Return the inputs and the targets of each step of samples, augmented for a pass over the
        data; the targets are None if the inputs are features.

        Args:
            keys: the pass and the index of each sample.
            samples: the samples themselves.
        """
        each = zip(keys, samples, strict=True)
        if self.features is None:
            points = [self._points(*key, sample) for key, sample in each]
            return [inputs for inputs, _ in points], [targets for _, targets in points]
        augmented = [self._ink(*key, sample) for key, sample in each]
        if any(arguments for _, arguments in augmented):
            return [self.features(ink, **arguments) for ink, arguments in augmented], None
        return features_of(self.features, [ink for ink, _ in augmented]), None

    def _points(self, data_pass: int, index: int, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Return a sample's points as inputs and targets, `(points - 1, 4)` each."""
        ink, missing, generator = self._started(data_pass, index, sample)
        points = np.zeros((len(ink), 4), np.float32)
        points[:, :3] = self.normalisation.apply(ink)
        points[-1, 3] = sample.ends
        inputs, targets = points[:-1], points[1:]
        if self._acts_on("inputs"):
            # The augmentation does not see the column end_of_sequence.
            drawn = inputs[:, :3], missing[:-1]
            augmented, _ = self._augmented("inputs", *drawn, data_pass, generator)
            inputs = np.pad(augmented, ((0, 0), (0, 1)))
        return inputs, targets

    def _ink(
        self, data_pass: int, index: int, sample: Sample
    ) -> tuple[np.ndarray, dict[str, float]]:
        """Return a sample's ink, and further arguments of `features`."""
        ink, missing, generator = self._started(data_pass, index, sample)
        if self._acts_on("inputs"):
            # Only if needed: rounding in both conversions turns an offset of 0 into 1e-8.
            inputs = self.normalisation.apply(ink)
            inputs, _ = self._augmented("inputs", inputs, missing, data_pass, generator)
            ink = self.normalisation.invert(inputs)
        arguments: dict[str, float] = {}
        for transform in self.augmentation:
            if transform.acts_on == "picture":
                arguments |= transform.arguments(generator)
        return ink, arguments

    def _acts_on(self, stage: str) -> bool:
        """Return whether a transform of the augmentation acts on `stage`."""
        return any(transform.acts_on == stage for transform in self.augmentation)

    def idle_augmentation(self, draws: int = 256) -> list[str]:
        """Return the names of a user's transforms that change none of some draws, each of another
        sample and pass, while there are such."""
        user_made = (each for each in self.augmentation if user_modules.is_any_from_user(each))
        return [
            type(transform).__name__
            for transform in user_made
            if transform.acts_on != "picture"
            and not any(self._is_changed_by(transform, draw) for draw in range(draws))
        ]

    def _is_changed_by(self, transform: BaseTransform, draw: int) -> bool:
        sample = self.samples[draw % len(self)]
        ink, missing = sample.ink.copy(), sample.missing_counts.copy()
        if transform.acts_on == "inputs":
            ink = self.normalisation.apply(ink)
        options = {"epoch": draw} if transform.takes_epoch else {}
        generator = np.random.default_rng([self.seed, draw, _AUGMENTATION_KEY])
        changed = transform(ink.copy(), missing.copy(), generator, **options)
        return not all(map(np.array_equal, changed, (ink, missing)))

    def _started(
        self, data_pass: int, index: int, sample: Sample
    ) -> tuple[np.ndarray, np.ndarray, Generator]:
        """Return a sample's ink and missing points after the augmentation that acts on ink, and
        the generator of all augmentation of the sample."""
        generator = np.random.default_rng([self.seed, data_pass, index, _AUGMENTATION_KEY])
        ink, missing = sample.ink, sample.missing_counts
        if self._has_user_class:  # It may use the global generators, and change its arguments.
            seed = int(np.random.default_rng([self.seed, data_pass, index]).integers(2**32))
            random.seed(seed)
            np.random.seed(seed)
            ink, missing = ink.copy(), missing.copy()
        return *self._augmented("ink", ink, missing, data_pass, generator), generator

    def _augmented(
        self, stage: str, ink: np.ndarray, missing: np.ndarray, data_pass: int, generator: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return `ink` and `missing` after the augmentation that acts on `stage`."""
        if self._has_user_class and (fault := fault_of(ink, missing, stage)):
            raise DataError(f"a sample, before the augmentation, {fault}")
        for transform in self.augmentation:
            if transform.acts_on == stage:
                # A transform calls the pass an epoch, as a sampler does.
                options = {"epoch": data_pass} if transform.takes_epoch else {}
                ink, missing = transform(ink, missing, generator, **options)
                if self._has_user_class and (fault := fault_of(ink, missing, stage)):
                    raise DataError(f"{type(transform).__name__}, of the augmentation, {fault}")
        return ink, missing


class BucketBatchSampler(BaseSampler):
    """Makes batches of samples of similar length, in an order that depends on seed and epoch only.

    Each epoch shuffles the samples, sorts them by length within stretches of `bucket` batches, and
    shuffles the batches. Lengths get a jitter of 2 % before they are sorted, so that even a set
    smaller than a stretch gives different batches every epoch. Without `shuffle` the samples are in
    order of length. The last batch of the sorted samples may be smaller.

    With `batch_points`, batches are formed once, from samples in order of length, and an epoch only
    draws the order of the batches. With `window`, an epoch draws `window` shards at a time, and
    reads them in parallel, each from front to back.

    Args:
        seed: the seed of all random draws.
        lengths: the number of steps of each sequence.
        batch_size: number of samples per batch; the last batch may be smaller.
        bucket: number of batches whose samples are sorted by length together.
        shuffle: whether the order is random; otherwise samples are in order of length.
        batch_points: largest number of points of a batch with its padding, instead of `batch_size`;
            a longer sequence is a batch of its own.
        window: number of shards that are read in parallel; None shuffles all samples.
        shards: the number of the shard of each sample, `(samples,)`, for `window`.
    """

    def __init__(
        self,
        seed: int,
        lengths: Sequence[int],
        batch_size: int,
        bucket: int = 100,
        shuffle: bool = True,
        batch_points: int | None = None,
        window: int | None = None,
        shards: np.ndarray | None = None,
    ) -> None:
        self.seed = seed
        self.lengths = np.array(lengths, dtype=np.int64)
        self.batch_size = batch_size
        self.bucket = bucket
        self.shuffle = shuffle
        self.window = window
        self.shards = np.zeros(len(self.lengths), np.int64) if window is None else shards
        self.formed = None if batch_points is None else self._formed(batch_points)

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Return the indices of the samples of each batch of an epoch."""
        generator = np.random.default_rng([self.seed, epoch, 0, _ORDER_KEY])
        count = len(self.lengths)
        size = self.batch_size
        if self.formed is not None:
            shards = self.shards[[batch[0] for batch in self.formed]]
            order = self._order(shards, generator) if self.shuffle else range(len(shards))
            return [self.formed[n] for n in order]
        if not self.shuffle:
            order = np.argsort(self.lengths, kind="stable")
            return [order[n : n + size] for n in range(0, count, size)]
        order = self._order(self.shards, generator)
        jitter = generator.uniform(1 - _LENGTH_JITTER, 1 + _LENGTH_JITTER, count)
        lengths = self.lengths[order] * jitter
        batches = []
        for start in range(0, count, self.bucket * size):
            stop = start + self.bucket * size
            bucket = order[start:stop][np.argsort(lengths[start:stop], kind="stable")]
            bucket_batches = [bucket[n : n + size] for n in range(0, len(bucket), size)]
            if self.window is None:
                batches += bucket_batches
            else:  # Batches stay in their bucket, and so near the shards that are open.
                batches += [bucket_batches[n] for n in generator.permutation(len(bucket_batches))]
        if self.window is not None:
            return batches
        return [batches[n] for n in generator.permutation(len(batches))]

    def _order(self, shards: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return a random order of samples, whose shards are `shards`.

        With a window, `window` shards are read at a time, each from front to back; the shard of
        each next sample is random.
        """
        if self.window is None:
            return generator.permutation(len(shards))
        drawn = generator.permutation(np.unique(shards))
        order = []
        for n in range(0, len(drawn), self.window):
            samples = np.flatnonzero(np.isin(shards, drawn[n : n + self.window]))
            turns = generator.permutation(shards[samples])  # the shard of each next sample
            by_shard = samples[np.argsort(shards[samples], kind="stable")]
            mixed = np.empty_like(samples)
            mixed[np.argsort(turns, kind="stable")] = by_shard
            order.append(mixed)
        return np.concatenate(order)

    def _formed(self, batch_points: int) -> list[np.ndarray]:
        """Return batches of samples in order of length, of at most `batch_points` points with the
        padding; with a window, a batch has samples of one shard only."""
        order = np.lexsort((self.lengths, self.shards))
        lengths = self.lengths[order].tolist()
        shards = self.shards[order].tolist()
        starts = [0]
        for n in range(1, len(order)):
            # Lengths rise within a shard, so that the last sequence is the longest of its batch.
            num_points = (n + 1 - starts[-1]) * lengths[n]
            if shards[n] != shards[n - 1] or num_points > batch_points:
                starts.append(n)
        return np.split(order, starts[1:])

    def __len__(self) -> int:
        if self.formed is not None:
            return len(self.formed)
        return math.ceil(len(self.lengths) / self.batch_size)


def fault_of(ink: np.ndarray, missing: np.ndarray, stage: str) -> str:
    """Return the fault of the result of a transform that acts on `stage`; "" if it has none."""
    is_ink = stage == "ink"
    if len(ink) != len(missing) or len(ink) < (2 if is_ink else 1):
        return f"returns {len(ink)} points and {len(missing)} counts of missing points"
    if ink.dtype != np.float32 or missing.dtype != np.uint8:
        return f"returns the types {ink.dtype} and {missing.dtype}, not float32 and uint8"
    if is_ink and not is_pen(ink[:, 2]):
        return "leaves an end of stroke, the third number, that is neither 0 nor 1"
    return "" if np.isfinite(ink).all() else "makes points that are not finite"


def check_texts(train: BaseDataLoader, valid: BaseDataLoader | None, network: str) -> None:
    """Raise a DataError if a sample has no text; `network` names the network in the message."""
    for split, loader in (("train", train), ("valid", valid)):
        samples = loader.dataset.samples if loader else Samples()
        count, first = samples.cached("unlabelled", partial(_unlabelled, samples))
        if count:
            raise DataError(
                f"{count:,} of {len(samples):,} samples of the split {split!r} have "
                f"no text, {first} first: {network} cannot learn from "
                "them; leave them out of the dataset"
            )


def _unlabelled(samples: Samples) -> tuple[int, str]:
    """Return the number of samples without a text, and the first one's name."""
    pairs = zip(samples.strings("name"), samples.strings("text"), strict=True)
    names = [name for name, text in pairs if not text.strip()]
    return len(names), names[0] if names else ""
