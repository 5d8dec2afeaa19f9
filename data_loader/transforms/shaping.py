"""Deterministic changes of the ink that make different hands and devices alike.

In a loader's `preprocessing` they change the training split only. `ShapedDataset` applies them to
all splits, for a network that reads them or is scored on them: its log-loss is in the units of the
shaped ink. docs/data.md says which changes can be undone, and how.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated

import numpy as np
from numpy.random import Generator

from base import distributed
from base.base_dataset import SPLITS, BaseDataset, Loaded, Sample, changed
from base.base_transform import BaseTransform
from data_loader.transforms.augmentation import Linear
from utils.checks import ConfigFault, DataError, Range
from utils.hand_measures import baseline_angle
from utils.ink import at_equal_steps, from_strokes, path_along, strokes, x_height

MAX_POINTS = 1_000_000
"""Maximum number of points of a resampled sample."""
STEEPEST = 30.0
"""Degrees of the steepest baseline that is turned level (assumed)."""


class LevelBaseline(Linear):
    """Rotates a line so that its baseline is level.

    Ink that is too short for a `baseline_angle` (single letters, a digit), or seems steeper than
    `STEEPEST`, stays unchanged. The inverse of `matrix` undoes the rotation.
    """

    def matrix(self, ink: np.ndarray, generator: Generator) -> np.ndarray:
        angle = baseline_angle(ink)
        if not abs(angle) <= math.radians(STEEPEST):  # also if it is NaN
            angle = 0.0
        cosine, sine = math.cos(angle), math.sin(angle)
        return np.array([[cosine, sine], [-sine, cosine]])


@dataclass(kw_only=True)
class ScaleHeight(Linear):
    """Scales a sample to a common x-height. The inverse of `matrix` undoes the scaling.

    Args:
        height: resulting x-height, in the resulting units.
    """

    height: Annotated[float, Range(1e-3, 1e6)] = 100.0

    def matrix(self, ink: np.ndarray, generator: Generator) -> np.ndarray:
        return np.eye(2) * (self.height / x_height(ink))


def _resampled(
    ink: np.ndarray, step: float, clock: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return ink whose strokes have points at equal steps, and no missing points.

    Each stroke keeps its first and last point: its steps are as near to `step` as its ends allow.

    Args:
        ink: `(points, 3)`.
        step: length of a step, in the unit of `clock` or of the ink.
        clock: the time of each point, `(points,)` ascending; None for steps along the path.
    """
    parts = strokes(ink)
    if clock is None:
        parameters = [path_along(part) for part in parts]
    else:
        edges = np.cumsum([len(part) for part in parts[:-1]], dtype=np.int64)
        parameters = [times - times[0] for times in np.split(clock, edges)]
    if sum(values[-1] for values in parameters) / step > MAX_POINTS:
        raise DataError(f"resampling makes more than {MAX_POINTS:,} points of one sample")
    for number, values in enumerate(parameters):
        if len(values) > 1:
            count = max(1, round(values[-1] / step))
            parts[number] = at_equal_steps(parts[number], values, count)
    result = from_strokes(parts)
    result[0, :2], result[-1, 2] = ink[0, :2], ink[-1, 2]
    return result, np.zeros(len(result), dtype=np.uint8)


@dataclass(kw_only=True)
class ResampleTime(BaseTransform):
    """Resamples at equal times, along straight lines between the recorded points.

    Recorded points are assumed to be equally spaced in time, except where points are missing.
    Each stroke keeps its ends, so that its steps are `period` as nearly as its length allows.

    Args:
        period: time between new points, in recorded periods: 2 halves the points.
    """

    period: Annotated[float, Range(0.01, 1000)] = 1.0

    def __call__(
        self, ink: np.ndarray, missing: np.ndarray, generator: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        return _resampled(ink, self.period, np.cumsum(missing.astype(np.float64) + 1))


@dataclass(kw_only=True)
class ResampleDistance(BaseTransform):
    """Resamples at equal distances along each stroke.

    Each stroke keeps its ends, so that its steps are `spacing` as nearly as its length allows.

    Args:
        spacing: distance between new points, in the ink's units.
    """

    spacing: Annotated[float, Range(1e-6, 1e6)]

    def __call__(
        self, ink: np.ndarray, missing: np.ndarray, generator: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        return _resampled(ink, self.spacing)


def pieces(points: int, steps: int) -> list[slice]:
    """Return the rows of the pieces of a sample, of at most `steps` steps and similar length.

    Each piece begins with the last point of the previous piece, so that no step is lost.
    """
    count = max(1, math.ceil((points - 1) / steps))
    edges = [round(n * (points - 1) / count) for n in range(count + 1)]
    return [slice(first, last + 1) for first, last in pairwise(edges)]


@dataclass(kw_only=True, eq=False)
class ShapedDataset(BaseDataset):
    """A dataset whose samples, in all splits, are shaped and split at a length.

    Splitting is for networks without text: it is unknown which characters a piece of a line
    contains, so pieces have no text (samples that are short enough keep their text).

    Args:
        dataset: the dataset to shape.
        shaping: the changes of each sample, in this order.
        split_length: maximum number of steps of a sample; longer samples become pieces of similar
            length. None leaves samples whole.

    Raises:
        ConfigFault: if `shaping` contains an augmentation.
    """

    dataset: BaseDataset
    shaping: Sequence[BaseTransform] = ()
    split_length: Annotated[int, Range(1, 1_000_000)] | None = None

    def __post_init__(self) -> None:
        for transform in self.shaping:
            if transform.random:
                name = type(transform).__name__
                raise ConfigFault("shaping", name, "it belongs to the loader's augmentation")

    @property
    def characters(self) -> str | None:
        """The characters of the dataset."""
        return self.dataset.characters

    def load(self, splits: Collection[str] = SPLITS) -> Loaded:
        """Return the dataset's samples shaped, or their pieces."""
        main = self.dataset.load(splits)
        bar = distributed.bar(main.used, "shaping", unit=" samples", delay=1)
        shaped = {sample: list(self._pieces(sample)) for sample in bar}
        samples = changed(main.samples, shaped.__getitem__)
        report = main.report
        if self.shaping:
            names = ", ".join(type(transform).__name__ for transform in self.shaping)
            before = sum(len(sample.ink) for sample in shaped)
            after = sum(len(piece.ink) for pieces in shaped.values() for piece in pieces)
            report += f"\n  shaped by {names}: {before:,} points became {after:,}"
        if self.split_length is not None:
            parts = sum(map(len, shaped.values()))
            split = f"split at {self.split_length:,} steps"
            report += f"\n  {split}: {len(shaped):,} samples became {parts:,}"
        if not self.shaping:  # the ink is as recorded
            return replace(main, samples=samples, report=report)
        return Loaded(samples, report)

    def _pieces(self, sample: Sample) -> Iterator[Sample]:
        """Yield a sample shaped, or its pieces."""
        ink, missing = sample.ink, sample.gaps
        for transform in self.shaping:
            ink, missing = transform(ink, missing, np.random.default_rng(0))
        rows = pieces(len(ink), self.split_length or len(ink))
        for number, part in enumerate(rows):
            piece, gaps = ink[part].copy(), missing[part].copy()
            piece[0, :2] = gaps[0] = 0
            ends = sample.ends and number == len(rows) - 1
            text, name = sample.text, sample.name
            if len(rows) > 1:
                text, name = "", f"{name}/{number}"
            yield replace(sample, ink=piece, text=text, name=name, ends=ends, missing=gaps)
