"""A picture of training samples as a network will see them."""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from base.base_model import BaseModel
from data_loader.data_loaders import Data
from utils import plots
from utils.ink import bounds, to_points, x_height
from utils.plots import CAPTION_GAP, GAP, MARGIN, WIDTH

SAMPLES = 5
"""Of the training split, from the shortest to the longest (assumed: a page)."""
BAR = 10
"""Normalised units whose length is drawn."""
HIGHEST = 0.35
"""X-height in inches, unless a line would be too wide (assumed)."""


def samples_figure(data: Data, model: BaseModel, truncate: int | None = None) -> Figure:
    """Return a figure of samples: as recorded, and as they are in the first two epochs.

    All are drawn to one scale. A dot is an input of the network, a larger one the end of a stroke.

    Args:
        data: ready for `model`, with the training split.
        model: the network, which need not have weights.
        truncate: steps after which sequences are cut, see `BaseTrainer`; a bar is drawn there.
    """
    # In place of a network's features: the ink that they would be computed from.
    items = replace(data, features=lambda ink, **_: ink).training_loader().dataset
    recorded = data.loaded.split("train")[: len(items)]
    by_length = np.argsort([len(sample.ink) for sample in recorded], kind="stable")
    places = np.linspace(0, len(by_length) - 1, min(SAMPLES, len(by_length))).astype(int)
    shown = []
    for index in by_length[places].tolist():
        drawn = {f"in epoch {epoch + 1}": items[epoch, index][0] for epoch in range(2)}
        shown.append((recorded[index], {"as recorded": recorded[index].ink} | drawn))
    inks = [ink for _, draws in shown for ink in draws.values()]
    letter = float(np.median([x_height(ink) for ink in inks]))
    scale = min(HIGHEST / letter, WIDTH / plots.extents(inks)[:, 0].max())
    canvas, y = plots.Canvas(), MARGIN
    title = f"{type(data.settings.dataset).__name__}: {len(items):,} samples to train on, whose "
    title += f"x-height is {letter:.3g}; dots are inputs, the orange ones at the end of a stroke"
    y += canvas.caption(title, MARGIN, y, WIDTH) + CAPTION_GAP
    if model.features is None:
        std = data.normalisation.std
        label = f"{BAR} normalised units: one is {std[0]:.3g} to the right, {std[1]:.3g} downwards"
        y += canvas.caption(label, MARGIN, y, WIDTH) + CAPTION_GAP / 2
        canvas.hairline((MARGIN, y), (MARGIN + BAR * std[0] * scale, y), plots.INK, 2.0)
    y += GAP
    for sample, draws in shown:
        about = f"{sample.name} · {sample.text!r} · {len(sample.text)} characters"
        y += canvas.caption(about, MARGIN, y, WIDTH, plots.INK) + CAPTION_GAP
        for name, ink in draws.items():
            rows = model.places_of_inputs(ink)
            cuts = range(truncate, len(rows), truncate) if truncate else ()
            label = f"{name}: {len(ink)} points, {len(rows)} inputs"
            label += f", cut into {len(cuts) + 1} parts" if cuts else ""
            y += canvas.caption(label, MARGIN, y) + CAPTION_GAP / 2
            box, points = bounds(ink), to_points(ink)[:, :2]
            height = canvas.ink(ink, MARGIN, y, scale, letter, colours=(plots.FRAME,))
            at = np.arange(len(ink))
            xy = np.stack([np.interp(rows, at, column) for column in points.T], 1)
            xy = (xy - box[:2]) * scale + (MARGIN, y)
            # The last input of each stroke: no further one up to its last point.
            ends = np.searchsorted(rows, np.flatnonzero(ink[:, 2]), side="right") - 1
            canvas.dots(xy, 0.008, plots.INK)
            canvas.dots(xy[ends[ends >= 0]], 0.018, plots.PRIMER)
            for x in xy[list(cuts), 0]:
                canvas.hairline((x, y - 0.03), (x, y + height + 0.03), plots.FAULT, 1.2)
            y += height + CAPTION_GAP
        y += GAP / 2
    return canvas.figure(WIDTH + 2 * MARGIN, y + MARGIN / 2)
