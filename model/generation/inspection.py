"""Pictures of the window and the mixture of a network that writes, as in the paper's figures."""

from collections.abc import Collection

import torch
from matplotlib.figure import Figure

from model.generation.density import density_map
from model.generation.line import Line
from model.generation.sampling import predict
from model.generation.sampling_options import PEN_SHARPNESS
from model.writer import Writer
from utils.checks import UserError
from utils.plots import density_figure, weights_figure, window_figure


def check_pictures(writer: Writer, kinds: Collection[str]) -> None:
    """Raise a UserError if a network lacks a window or density that `step_figures` would show."""
    for kind in kinds:
        fault = None
        if kind == "window" and not writer.model.needs_text:
            fault = "without text input, which has no window over a text"
        elif kind != "window" and not writer.model.has_density:
            fault = "with a regression head, which has no density or weights"
        if fault:
            raise UserError(f"{writer.path} contains a network {fault}: leave out --show {kind}")


def step_figures(
    writer: Writer, line: Line, kinds: Collection[str], pen_sharpness: float = PEN_SHARPNESS
) -> dict[str, Figure]:
    """Return pictures of the steps in which a line was written, by their kind.

    Args:
        writer: the network that wrote the line.
        line: at least two points.
        kinds: "density", "window" and "weights", or some of them.
        pen_sharpness: that of the line's sampling.

    Raises:
        UserError: see `check_pictures`.
    """
    check_pictures(writer, kinds)
    figures, output = {}, predict(writer.model, line)
    if "window" in kinds:
        attention = output.attention[0].float().cpu().numpy()
        figures["window"] = window_figure(attention, line.text, line.ink)
    if writer.model.has_density:
        bias = torch.from_numpy(line.bias).to(writer.device)  # of each step
        mixture = output.prediction[0].biased(bias, pen_sharpness)
    if "density" in kinds:
        density, extent = density_map(mixture, line.ink, writer.model.normalisation)
        figures["density"] = density_figure(density, extent, line.ink, line.description)
    if "weights" in kinds:
        weights = mixture.weights.cpu().numpy()
        figures["weights"] = weights_figure(weights, line.ink, line.description)
    return figures
