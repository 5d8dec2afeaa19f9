"""Pictures of what goes on inside a network that writes: what `write --show` draws."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import model
from base.pretrained import network_of, styles
from commands.options import Parser
from handwriting.options import PrimerFile
from model.generation.options import Primer, Sampling
from utils.checks import UserError

KINDS = ("window", "density", "weights", "bias")
BIASES = (0.0, 0.5, 1.0, 2.0)
"""Biases of the sheet (assumed: from the most varied to an average hand)."""


def add_options(parser: Parser) -> None:
    """Add --show."""
    parser.add_argument(
        "--show",
        action="append",
        choices=KINDS,
        default=[],
        help="a picture of the network beside each line, after the figures of Graves 2013: where "
        "it expected the next point, where in the text it was, the weights of the mixture's "
        "components, or the line at several biases, in every style; may be given several times "
        "(default: none)",
    )


def check(writer: "model.Writer", shown: Sequence[str]) -> None:
    """Refuse pictures that a network has not.

    Raises:
        UserError: naming it.
    """
    for kind in shown:
        lacks = None
        if kind == "window" and not writer.model.needs_text:
            lacks = "without text input, which has no window over a text"
        elif kind != "window" and not writer.model.has_density:
            lacks = "with a regression head, which has no density, weights or bias"
        if lacks:
            raise UserError(f"{writer.path} contains a network {lacks}: leave out --show {kind}")


def save(
    writer: "model.Writer", shown: Sequence[str], line: "model.Line", stem: Path, sampling: Sampling
) -> list[Path]:
    """Draw what happened step by step as a line was written, and return the files.

    Args:
        writer: the network that wrote it.
        shown: which of `KINDS`.
        line: of two points at least.
        stem: what the names of the files begin with.
        sampling: by which it was written.
    """
    paths = []
    for kind in (one for one in KINDS[:3] if one in shown):
        from utils.plots import write_png

        paths.append(stem.with_name(f"{stem.name}-{kind}.png"))
        write_png(paths[-1], writer.picture(line, kind, sampling.pen_sharpness))
    return paths


def save_biases(
    writer: "model.Writer",
    sampling: Sampling,
    texts: Sequence[str] | None,
    seeds: Sequence[int],
    stems: Sequence[Path],
    primer: Primer | None,
) -> list[Path]:
    """Draw each line at several biases in every hand that there is, and return the files.

    Args:
        writer: the network.
        sampling: of the lines, but for the bias.
        texts, seeds: of the lines; the texts are None for a network without one.
        stems: what the names of the files begin with.
        primer: the one hand to write in; None for the network's own, and all styles.
    """
    from tqdm import tqdm

    from handwriting.hand import write_lines
    from utils.plots import grid_figure, write_png

    hands: dict[str, Primer | None] = {"": primer}
    if primer is None:
        hands = {"no style": None, **primers(writer)}
    calls = [(hand, bias) for hand in hands.values() for bias in BIASES]
    written = [
        write_lines(writer, texts, seeds, replace(sampling, bias=bias), primer=hand)
        for hand, bias in tqdm(calls, desc="biases", unit="line", leave=False, disable=None)
    ]
    names = [f"bias {bias:g}" for bias in BIASES]
    paths = [stem.with_name(f"{stem.name}-bias.png") for stem in stems]
    for n, path in enumerate(paths):
        inks = [lines[n].written for lines in written]
        grid = ([[ink] for ink in inks], names, [""])
        if len(hands) > 1:
            starts = range(0, len(inks), len(BIASES))
            grid = ([inks[n : n + len(BIASES)] for n in starts], list(hands), names)
        caption = f"{texts[n] if texts else 'no text'} · seed {seeds[n]}"
        write_png(path, grid_figure(*grid, caption))
    return paths


def primers(writer: "model.Writer") -> dict[str, Primer]:
    """Return by name the styles whose texts a network knows, in the units of its data, but for
    those that name another one."""
    from handwriting.primers import load_primer

    found: dict[str, Primer] = {}
    for name, file in styles().items() if writer.model.needs_text else ():
        with suppress(UserError):
            if network_of(file) in (writer.path, network_of(None)):
                found[name], _ = load_primer(PrimerFile(file), writer)
    return found
