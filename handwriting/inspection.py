"""Pictures of what goes on inside a network that writes, after the figures of Graves 2013."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from base.pretrained import network_of, styles
from handwriting.hand import write_lines
from handwriting.options import PrimerFile
from handwriting.primers import load_primer
from model.generation.density import density_map
from model.generation.line import Line
from model.generation.options import PEN_SHARPNESS, Primer, Sampling
from model.generation.sampling import predict
from model.writer import Writer
from utils.checks import UserError
from utils.plots import density_figure, grid_figure, weights_figure, window_figure

BIASES = (0.0, 0.5, 1.0, 2.0)
"""Biases of a sheet (assumed: from the most varied to an average hand)."""


def check_pictures(writer: Writer, kinds: Collection[str]) -> None:
    """Raise a UserError if a network lacks what is to be shown: "bias", or as `step_figures`."""
    for kind in kinds:
        if kind == "window" and not writer.model.needs_text:
            lacks = "without text input, which has no window over a text"
        elif kind != "window" and not writer.model.has_density:
            lacks = "with a regression head, which has no density, weights or bias"
        else:
            continue
        raise UserError(f"{writer.path} contains a network {lacks}: leave out --show {kind}")


def step_figures(
    writer: Writer, line: Line, kinds: Collection[str], pen_sharpness: float = PEN_SHARPNESS
) -> dict[str, Figure]:
    """Return pictures of what happened step by step as a line was written, by their kind.

    Args:
        writer: the network that wrote it.
        line: of two points at least.
        kinds: "density", "window" and "weights", or some of them.
        pen_sharpness: by which it was written.

    Raises:
        UserError: if the network lacks what is to be shown.
    """
    check_pictures(writer, kinds)
    figures, output = {}, predict(writer.model, line)
    if "window" in kinds:
        attention = output.attention[0].float().cpu().numpy()
        figures["window"] = window_figure(attention, line.text, line.ink)
    if writer.model.has_density:
        # As it was sharpened step by step.
        bias = torch.from_numpy(line.bias).to(writer.device)
        mixture = output.prediction[0].biased(bias, pen_sharpness)
    if "density" in kinds:
        density, extent = density_map(mixture, line.ink, writer.model.normalisation)
        figures["density"] = density_figure(density, extent, line.ink, line.description)
    if "weights" in kinds:
        weights = mixture.weights.cpu().numpy()
        figures["weights"] = weights_figure(weights, line.ink, line.description)
    return figures


def bias_figures(
    writer: Writer,
    texts: Sequence[str] | None,
    seeds: Sequence[int],
    sampling: Sampling,
    primer: Primer | None,
) -> Iterator[Figure]:
    """Yield a picture of each line at several biases, in every hand that there is.

    Args:
        writer: the network.
        texts, seeds: of the lines; the texts are None for a network without one.
        sampling: of the lines, but for the bias.
        primer: the one hand to write in; None for the network's own, and all styles.
    """
    hands: dict[str, Primer | None] = {"": primer}
    if primer is None:
        hands = {"no style": None, **style_primers(writer)}
    calls = [(hand, bias) for hand in hands.values() for bias in BIASES]
    written = [
        write_lines(writer, texts, seeds, replace(sampling, bias=bias), primer=hand)
        for hand, bias in tqdm(calls, desc="biases", unit="line", leave=False, disable=None)
    ]
    names = [f"bias {bias:g}" for bias in BIASES]
    for n, lines in enumerate(zip(*written, strict=True)):
        inks = [line.written for line in lines]
        grid = ([[ink] for ink in inks], names, [""])
        if len(hands) > 1:
            starts = range(0, len(inks), len(BIASES))
            grid = ([inks[n : n + len(BIASES)] for n in starts], list(hands), names)
        caption = f"{texts[n] if texts else 'no text'} · seed {seeds[n]}"
        yield grid_figure(*grid, caption)


def style_primers(writer: Writer) -> dict[str, Primer]:
    """Return by name the styles whose texts a network knows, in the units of its data, but for
    those that name another one."""
    found: dict[str, Primer] = {}
    for name, file in styles().items() if writer.model.needs_text else ():
        with suppress(UserError):
            if network_of(file) in (writer.path, network_of(None)):
                found[name], _ = load_primer(PrimerFile(file), writer)
    return found
