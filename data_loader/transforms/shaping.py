"""Deterministic transforms of the ink that make different hands and devices alike.

A loader's `preprocessing` applies transforms to the training split only. `ShapedDataset` applies
them to all splits, for a network that reads these splits or is scored on them; the log-loss is then
in the units of the shaped ink. docs/data.md says which transforms can be undone, and how.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Annotated

import numpy as np
from numpy.random import Generator

from base import distributed
from base.base_dataset import SPLITS, BaseDataset, Loaded
from base.base_transform import BaseTransform
from data_loader.sources.derived import make_derived
from data_loader.transforms.augmentation import Linear
from ink.formats.parsed import Parsed
from ink.geometry import at_equal_steps, from_strokes, path_along, strokes, x_height
from ink.measures import baseline_angle
from ink.sample import Sample
from utils.checks import ConfigFault, DataError, Range

MAX_POINTS = 1_000_000  # of a resampled sample (assumed)
MAX_ANGLE = 30.0  # degrees of a baseline that is rotated (assumed)


class LevelBaseline(Linear):
    """Rotates a line so that its baseline is level.

    Ink stays unchanged if it is too short for a `baseline_angle` (single letters, a digit), or if
    the angle is above `MAX_ANGLE`. The inverse of `matrix` undoes the rotation.
    """

    def matrix(self, ink: np.ndarray, generator: Generator) -> np.ndarray:
        angle = baseline_angle(ink)
        if math.isnan(angle) or abs(angle) > math.radians(MAX_ANGLE):
            angle = 0.0
        cosine, sine = math.cos(angle), math.sin(angle)
        return np.array([[cosine, sine], [-sine, cosine]])


@dataclass(kw_only=True)
class ScaleHeight(Linear):
    """Scales a sample to a common x-height. The inverse of `matrix` undoes the scaling.

    Args:
        height: x-height of the scaled ink, in its units.
    """

    height: Annotated[float, Range(1e-3, 1e6)] = 100.0

    def matrix(self, ink: np.ndarray, generator: Generator) -> np.ndarray:
        return np.eye(2) * (self.height / x_height(ink))


def _resampled(
    ink: np.ndarray, step: float, clock: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return ink whose strokes have points at equal steps, and counts of missing points (zeros).

    Each stroke keeps its first and last points; its steps are equal, as near to `step` as can be.

    Args:
        ink: `(points, 3)`.
        step: length of a step, in the unit of `clock` or of the ink.
        clock: the time of each point, `(points,)` ascending; None for steps along the path.
    """
    new_strokes = strokes(ink)
    if clock is None:
        parameters = [path_along(stroke) for stroke in new_strokes]
    else:
        edges = np.cumsum([len(stroke) for stroke in new_strokes[:-1]], dtype=np.int64)
        parameters = [times - times[0] for times in np.split(clock, edges)]
    if sum(values[-1] for values in parameters) / step > MAX_POINTS:
        raise DataError(f"resampling makes more than {MAX_POINTS:,} points of one sample")
    for number, values in enumerate(parameters):
        if len(values) > 1:
            count = max(1, round(values[-1] / step))
            new_strokes[number] = at_equal_steps(new_strokes[number], values, count)
    result = from_strokes(new_strokes)
    result[0, :2], result[-1, 2] = ink[0, :2], ink[-1, 2]
    return result, np.zeros(len(result), dtype=np.uint8)


@dataclass(kw_only=True)
class ResampleTime(BaseTransform):
    """Resamples at equal time steps, along straight lines between the recorded points.

    Recorded points are assumed to be equally spaced in time, except where points are missing. Each
    stroke keeps its first and last points; its time steps are equal, and as near to `period` as
    can be.

    Args:
        period: time between new points, in recorded periods; 2 halves the number of points
            (measured, notebook: data, smoothing).
    """

    period: Annotated[float, Range(0.01, 1000)] = 2.0

    def __call__(
        self, ink: np.ndarray, missing: np.ndarray, generator: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        return _resampled(ink, self.period, np.cumsum(missing.astype(np.float64) + 1))


@dataclass(kw_only=True)
class ResampleDistance(BaseTransform):
    """Resamples at equal distances along each stroke.

    Each stroke keeps its first and last points; its steps are equal, and as near to `spacing` as
    can be.

    Args:
        spacing: distance between new points, in the ink's units.
    """

    spacing: Annotated[float, Range(1e-6, 1e6)]

    def __call__(
        self, ink: np.ndarray, missing: np.ndarray, generator: Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        return _resampled(ink, self.spacing)


def pieces(points: int, steps: int) -> list[slice]:
    """Return slices that divide `points` points into pieces of at most `steps` steps.

    The pieces are about equally long. Each piece begins with the last point of the previous piece,
    so that no step is lost.
    """
    count = max(1, math.ceil((points - 1) / steps))
    edges = [round(n * (points - 1) / count) for n in range(count + 1)]
    return [slice(first, last + 1) for first, last in pairwise(edges)]


@dataclass(kw_only=True, eq=False)
class ShapedDataset(BaseDataset):
    """A dataset whose samples, in all splits, are transformed and divided into pieces.

    Pieces are for networks without text: the characters of a piece of a line are unknown, so that
    its text is empty. A sample that is not divided keeps its text.

    Args:
        dataset: the dataset to shape.
        shaping: deterministic transforms of each sample, in this order.
        split_length: maximum number of steps of a sample; a longer sample becomes pieces of about
            equal length. None leaves samples whole.

    Raises:
        ConfigFault: if `shaping` contains a random transform.
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
        """Load the dataset; return its samples shaped, and divided if they are too long."""
        recorded = self.dataset.load(splits)
        used, parents = recorded.used, [*recorded.samples.values()]
        read = partial(self._read, used)
        derived, counts = make_derived(self, parents, [*recorded.samples], read)
        samples = recorded.derived(derived, counts)
        report = recorded.report
        if self.shaping:
            names = ", ".join(type(transform).__name__ for transform in self.shaping)
            old_count, new_count = used.lengths.sum(), derived.lengths.sum()
            report += f"\n  shaped by {names}: {old_count:,} points became {new_count:,}"
        if self.split_length is not None:
            split = f"split at {self.split_length:,} steps"
            report += f"\n  {split}: {len(used):,} samples became {len(derived):,}"
        if not self.shaping:  # Otherwise units and quantisation of `recorded` no longer hold.
            return replace(recorded, samples=samples, report=report)
        return Loaded(samples, report)

    def _read(self, samples: Iterable[Sample]) -> Iterator[Parsed]:
        """Yield the pieces of each sample, and note their number."""
        for sample in distributed.bar(samples, "shaping", unit=" samples", delay=1):
            pieces = [*self._pieces(sample)]
            yield Parsed(pieces, notes=[len(pieces)])

    def _pieces(self, sample: Sample) -> Iterator[Sample]:
        """Yield the transformed sample, whole or in pieces."""
        ink, missing = sample.ink, sample.missing_counts
        for transform in self.shaping:
            ink, missing = transform(ink, missing, np.random.default_rng(0))
        slices = pieces(len(ink), self.split_length or len(ink))
        for number, rows in enumerate(slices):
            piece, gaps = ink[rows].copy(), missing[rows].copy()
            piece[0, :2] = gaps[0] = 0
            ends = sample.ends and number == len(slices) - 1
            text, name = sample.text, sample.name
            if len(slices) > 1:
                text, name = "", f"{name}/{number}"
            yield replace(sample, ink=piece, text=text, name=name, ends=ends, missing=gaps)
