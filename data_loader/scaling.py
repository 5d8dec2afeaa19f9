"""Scales the lines of a source to the x-height and the grid of another source."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from base.base_dataset import BaseDataset
from ink.geometry import to_points, x_height
from ink.sample import Sample

MAX_MEASURED = 300  # lines from which a typical height is measured (assumed)


def typical_height(dataset: BaseDataset, lines: Sequence[Sample]) -> float:
    """Return the `x_height` of a dataset or, if it is None, the median x-height of up to
    `MAX_MEASURED` of `lines`, evenly spread."""
    if dataset.x_height is not None:
        return dataset.x_height
    count = min(len(lines), MAX_MEASURED)
    chosen = np.linspace(0, len(lines) - 1, count).astype(int).tolist()
    return float(np.median([x_height(lines[number].ink) for number in chosen]))


def scaled(line: Sample, factor: float, grid: float | None) -> Sample:
    """Return a line scaled by `factor` and rounded to the grid, without its writer."""
    ink = line.ink.copy()
    ink[:, :2] *= np.float32(factor)
    return replace(anonymous(line), ink=on_grid(ink, grid), name=f"added/{line.name}")


def anonymous(line: Sample) -> Sample:
    """Return a line without the names of its writer and form."""
    missing = line.missing_counts.copy()
    missing[0] = 0  # A new line begins here: no points are missing before the first point.
    return replace(line, writer="", group="", missing=missing)


def on_grid(ink: np.ndarray, grid: float | None) -> np.ndarray:
    """Return ink with its points rounded to multiples of `grid`, or unchanged if `grid` is None."""
    if grid is None:
        return ink
    nodes = np.rint(to_points(ink) / grid)
    ink = ink.copy()
    ink[:, :2] = np.diff(nodes, axis=0, prepend=nodes[:1]) * grid
    return ink
