"""Draw lines of several networks without a text in one picture, one row per network."""

import argparse
from typing import Any

from base.pretrained import resolve_checkpoint
from commands import options
from commands.options import Parser
from utils.checks import UserError

ROW = 10
"""Lines per checkpoint without --num-samples."""

DPI = 300
"""Pixels per inch of the picture (assumed: single digits are small on paper)."""


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "checkpoints",
        nargs="+",
        metavar="CHECKPOINT",
        help="checkpoint files, run folders, or names of pretrained networks, e.g. digit_0 or "
        "saved/models/mnist_single_digit/*",
    )
    options.add_common(parser)
    samples = f"lines per network (default: {ROW})"
    options.add_sampling(parser, samples=samples, steps="default: 700")
    options.add_seed(parser, "seed of the first line of each row, incremented for each further one")
    options.add_output(parser, (".png",))


def run(arguments: argparse.Namespace) -> None:
    for path in arguments.checkpoints:
        resolve_checkpoint(path)
    options.make_output(arguments.output, (".png",))
    count = arguments.num_samples or ROW
    rows, captions, names = [], [], []
    for path in arguments.checkpoints:
        writer = options.load(path, arguments, to="write", quiet=True)
        if writer.model.needs_text:
            raise UserError(
                f"{writer.path} contains a {type(writer.model).__name__}; only networks without a "
                "text can be compared"
            )
        sampling = options.sampling_of(arguments, writer)
        seeds = range(arguments.seed, arguments.seed + count)
        lines = writer.write_lines(None, seeds, sampling, progress=True)
        label = label_of(writer)
        ended = f"{sum(line.ended for line in lines)} of {count} ended on their own"
        print(f"{label}: {ended}  ({writer.path})")
        rows.append([line.ink for line in lines])
        captions.append(f"{label} · {ended}{writer.sharpening(sampling)}")
        names.append(writer.name)
    import numpy as np

    from utils.ink import bounds, side_by_side
    from utils.plots import draw_lines

    widths = [right - left for row in rows for left, _, right, _ in map(bounds, row)]
    # A quantile, so that one runaway line does not push all others apart.
    pitch = 1.3 * float(np.quantile(widths, 0.9)) or 1.0
    path = options.picture(arguments.output, f"{names[0]}-sheet.png")
    draw_lines(path, [side_by_side(row, pitch) for row in rows], captions, dpi=DPI)
    print(f"{path}  ({len(rows)} rows of {count}, seeds from {arguments.seed})")


def label_of(writer: Any) -> str:
    """Return the label of a row: the digit that its network was trained on, or its run."""
    try:
        digit = writer.record["config"]["data_loader"]["args"]["dataset"]["args"]["digit"]
    except (KeyError, TypeError):
        digit = None
    return f"{writer.name} {writer.path.parent.name}" if digit is None else f"digit {digit}"
