"""A dataset made of another one, whose samples are transformed and divided into pieces."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated

import numpy as np

from base import distributed
from base.base_dataset import SPLITS, BaseDataset, Loaded
from base.base_transform import BaseTransform
from data_loader.sources.cache import derived
from ink.sample import Parsed, Sample
from utils.checks import ConfigFault, Range


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
        used = recorded.used
        splits = [*recorded.samples]
        lines = derived(self, [*recorded.samples.values()], self._read(used), splits)
        shaped = lines.all
        samples = recorded.derived(shaped, lines.notes)
        report = recorded.report
        if self.shaping:
            names = ", ".join(type(transform).__name__ for transform in self.shaping)
            old_count, new_count = used.lengths.sum(), shaped.lengths.sum()
            report += f"\n  shaped by {names}: {old_count:,} points became {new_count:,}"
        if self.split_length is not None:
            split = f"split at {self.split_length:,} steps"
            report += f"\n  {split}: {len(used):,} samples became {len(shaped):,}"
        if not self.shaping:  # Otherwise units and quantisation of `recorded` no longer hold.
            return replace(recorded, samples=samples, report=report)
        return Loaded(samples, report)

    def _read(self, samples: Iterable[Sample]) -> Iterator[Parsed]:
        """Yield the pieces of each sample, and note their number."""
        for sample in distributed.bar(samples, "shaping", unit=" samples", delay=1):
            samples_of_pieces = [*self._pieces(sample)]
            yield Parsed(samples_of_pieces, notes=[len(samples_of_pieces)])

    def _pieces(self, sample: Sample) -> Iterator[Sample]:
        """Yield the transformed sample, whole or in pieces."""
        ink, missing = sample.ink, sample.missing_counts
        for transform in self.shaping:
            ink, missing = transform(ink, missing, np.random.default_rng(0))  # Nothing is drawn.
        slices = pieces(len(ink), self.split_length or len(ink))
        for number, rows in enumerate(slices):
            piece = ink[rows].copy()
            gaps = missing[rows].copy()
            piece[0, :2] = 0  # A piece begins at its first point.
            gaps[0] = 0
            ends = sample.ends and number == len(slices) - 1
            is_whole = len(slices) == 1
            text = sample.text if is_whole else ""
            name = sample.name if is_whole else f"{sample.name}/{number}"
            yield replace(sample, ink=piece, text=text, name=name, ends=ends, missing=gaps)
