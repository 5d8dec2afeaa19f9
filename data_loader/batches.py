"""Makes batches of loaded samples, and their order."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.random import Generator
from torch.utils.data import Dataset

from base.base_data_loader import Batch, features_of, padded
from base.base_transform import BaseTransform
from base.config import user_modules
from base.data.samples import Samples
from data_loader.checks import fault_of
from ink.alphabet import Alphabet
from ink.drawing.pictures import ink_picture, likely_columns
from ink.normalisation import Normalisation
from ink.sample import Sample
from utils.checks import DataError

_AUGMENTATION_KEY = 1  # last number of the seed of a sample's augmentation
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
