"""Plots the window and the mixture of a network that writes, as in the paper's figures."""

import math
from collections.abc import Collection

import numpy as np
import torch
from matplotlib.figure import Figure

from ink.geometry import bounds, to_points, x_height
from ink.normalisation import Normalisation
from model.drawing.plots import density_figure, weights_figure, window_figure
from model.generation.line import PEN_SHARPNESS, Line
from model.generation.mixture import Mixture
from model.loading import Writer
from utils.checks import UserError

MAX_MAP_COLUMNS = 1600
"""Most cells in a row of the grid of `density_map` (assumed)."""
MAX_MAP_ROWS = 4 * MAX_MAP_COLUMNS
"""Most rows of that grid (assumed)."""
MAP_MARGIN = 1.5
"""X-heights from the ink to the edges of that grid (assumed)."""
MAX_DEVIATIONS = 4
"""Standard deviations from a component's mean beyond which it is left out of a map (assumed)."""
MIN_MAP_WEIGHT = 1e-3
"""Weight below which a component is left out of a map (assumed)."""


def check_pictures(writer: Writer, kinds: Collection[str]) -> None:
    """Raise a UserError if the network lacks a window or density that `step_figures` would show."""
    for kind in kinds:
        fault = None
        if kind == "window" and not writer.model.needs_text:
            fault = "without text input, which has no window over a text"
        elif kind != "window" and not writer.model.has_density:
            fault = f"with a {writer.model.head} head, which has no density or weights"
        if fault:
            raise UserError(f"{writer.path} contains a network {fault}: leave out show={kind}")


def step_figures(
    writer: Writer, line: Line, kinds: Collection[str], pen_sharpness: float = PEN_SHARPNESS
) -> dict[str, Figure]:
    """Return, by kind, figures that show the steps in which a line was written.

    Args:
        writer: the network that wrote the line.
        line: at least two points.
        kinds: the kinds of figures: any of "density", "window" and "weights".
        pen_sharpness: `Sampling.pen_sharpness` when the line was written.

    Raises:
        UserError: see `check_pictures`.
    """
    check_pictures(writer, kinds)
    figures = {}
    output = writer.model.output_over(line)
    if "window" in kinds:
        attention = output.attention[0].float().cpu().numpy()
        figures["window"] = window_figure(attention, line.text, line.ink)
    if writer.model.has_density:
        bias = torch.from_numpy(line.bias).to(writer.device)  # (steps,)
        mixture = output.prediction[0].biased(bias, pen_sharpness)
    if "density" in kinds:
        density, extent = density_map(mixture, line.ink, writer.model.normalisation)
        figures["density"] = density_figure(density, extent, line.ink, line.description)
    if "weights" in kinds:
        weights = mixture.weights.cpu().numpy()
        figures["weights"] = weights_figure(weights, line.ink, line.description)
    return figures


@torch.inference_mode()
def density_map(
    mixture: Mixture, ink: np.ndarray, normalisation: Normalisation
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Add up, over all steps, the densities of the next position (the paper, figure 10).

    Components are left out beyond `MAX_DEVIATIONS`, and if their weight is below `MIN_MAP_WEIGHT`.
    Their standard deviations are at least half a cell, so that cells' centres miss no component.

    Args:
        mixture: the mixture at each step, leading dimensions `(steps,)`.
        ink: `(steps + 1, 3)` in the data's units.
        normalisation: normalisation of the mixture's offsets.

    Returns:
        the sum per unit of area, `(rows, columns)` float64, with the first row at the top; and the
        grid's `(left, top, right, bottom)` in the data's units.
    """
    mean = np.array(normalisation.mean)
    std = np.array(normalisation.std)
    margin = MAP_MARGIN * x_height(ink)
    left, top = np.array(bounds(ink)[:2]) - margin
    right, bottom = np.array(bounds(ink)[2:]) + margin
    cell = max((right - left) / MAX_MAP_COLUMNS, (bottom - top) / MAX_MAP_ROWS)  # edge of a square
    rows = math.ceil((bottom - top) / cell)
    columns = math.ceil((right - left) / cell)
    grid = np.zeros((rows, columns))
    grid_size = np.array([[columns], [rows]])
    corner = np.array([left, top])
    log_min_scales = torch.from_numpy(np.log(cell / 2 / std)).float()[:, None]  # half a cell
    weights = mixture.weights.double().cpu().numpy()  # (steps, M)
    means = mixture.means.float().cpu()
    correlations = mixture.correlations.float().cpu()
    log_scales = torch.maximum(mixture.log_scales.float().cpu(), log_min_scales)  # (steps, 2, M)
    centres = means.double().numpy() * std[:, None] + (mean - corner)[:, None]
    centres += to_points(ink)[:-1, :, None]  # relative to the grid's corner, (steps, 2, M)
    radii = MAX_DEVIATIONS * log_scales.double().exp().numpy() * std[:, None]
    starts = np.floor((centres - radii) / cell).clip(0, grid_size).astype(int)
    stops = np.ceil((centres + radii) / cell).clip(0, grid_size).astype(int)
    # Of many equal components none may weigh `MIN_MAP_WEIGHT`.
    min_weight = min(MIN_MAP_WEIGHT, 0.5 / weights.shape[1])
    is_counted = (weights >= min_weight) & (stops > starts).all(axis=1)
    # Each component's density is computed only in the cells within its radii.
    for step, m in np.argwhere(is_counted).tolist():
        x_start, y_start = starts[step, :, m]
        x_stop, y_stop = stops[step, :, m]
        centre = centres[step, :, m]
        # The densities are those at the centres of cells, half a cell behind their edges.
        x = ((np.arange(x_start, x_stop) + 0.5) * cell - centre[0]) / std[0]
        y = ((np.arange(y_start, y_stop) + 0.5) * cell - centre[1]) / std[1]
        offsets = torch.from_numpy(np.stack(np.meshgrid(x, y), axis=-1)).float()
        component = Mixture(
            end_logits=torch.zeros(()),
            weight_logits=torch.zeros(1),
            means=torch.zeros(2, 1),  # `offsets` are distances from the mean
            log_scales=log_scales[step, :, m, None],
            correlations=correlations[step, m, None],
        )
        density = component.log_prob_offset(offsets).double().exp().numpy()
        weight = weights[step, m] / std.prod()  # per unit of the data's area
        grid[y_start:y_stop, x_start:x_stop] += weight * density
    extent = (left, top, left + columns * cell, top + rows * cell)
    return grid, tuple(float(edge) for edge in extent)
