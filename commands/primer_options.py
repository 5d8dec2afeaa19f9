"""The hand that is continued: --style and --primer, as `write` and `page` take them."""

import argparse
from pathlib import Path
from typing import Any

from commands import options
from commands.options import Parser, number, typed
from utils.checks import Range, UserError

PRIMED = ("primer_text", "primer_number", "primer_points", "primer_scale")


def add_options(parser: Parser, style: str = "own") -> None:
    """Add --style, whose default is described by `style`, --primer, and what goes with it."""
    options.add_style(parser, style)
    add = parser.add_argument
    add(
        "--primer",
        type=Path,
        metavar="FILE",
        help="ink whose handwriting is continued, in any format that `read` accepts "
        "(default: none)",
    )
    add(
        "--primer-text",
        metavar="TEXT",
        help="text of the primer, for a conditional network (default: the one in its file)",
    )
    add(
        "--primer-number",
        type=number(int, Range(0)),
        metavar="N",
        help="which sample of the primer's file to use, counted from 0 (default: 0)",
    )
    add(
        "--primer-points",
        type=number(int, Range(1)),
        metavar="N",
        help="use only the first N points of the primer (default: all), e.g. --primer-points 50",
    )
    add(
        "--primer-scale",
        type=typed(primer_scale),
        metavar="auto|FACTOR",
        help="factor from the primer's units to those of the training data, e.g. --primer-scale 1 "
        "if they are the same; auto compares the primer with lines that the network writes: it is "
        "scaled if its x-height differs by more than a factor of 2, and then resampled if its "
        "points are more than 2 times denser or sparser (default: auto)",
    )


def primer_scale(text: str) -> float | str:
    """Return the value of --primer-scale: a factor, or `auto`."""
    return text if text == "auto" else number(float, Range(1e-6, 1e6))(text)


def check(arguments: argparse.Namespace) -> None:
    """Make a style the primer.

    Raises:
        UserError: if there are two hands, or something is said of a primer that is not there.
    """
    if arguments.style:
        if arguments.primer:
            raise UserError("give --style or --primer, not both: either is the hand")
        if arguments.style != options.OWN:
            arguments.primer = arguments.style
    given = [name for name in PRIMED if getattr(arguments, name) is not None]
    if given and arguments.primer is None:
        raise UserError(f"--{given[0].replace('_', '-')} is for a --primer FILE")


def take_primer(writer: Any, arguments: argparse.Namespace) -> tuple[Any, str] | None:
    """Return the ink of --primer in the units of the training data and its text, and print both.

    Raises:
        UserError: if it cannot be read, or its text is needed and not known.
    """
    if arguments.primer is None:
        return None
    import numpy as np

    from data_loader.sources.ink_files import matched, read_ink
    from model.generation.writing import check_lengths

    model, chosen = writer.model, arguments.primer_number or 0
    samples = read_ink(arguments.primer)
    if chosen >= len(samples):
        raise UserError(
            f"--primer-number {chosen}: {arguments.primer} has {len(samples):,} samples, counted "
            "from 0"
        )
    one, count = samples[chosen], arguments.primer_points
    cut = count is not None and count < len(one.ink)
    text = ""
    if model.needs_text:
        if cut and arguments.primer_text is None:
            raise UserError(
                f"--primer-points {count} cuts {one.name}: give the text of the part that remains "
                "with --primer-text"
            )
        given = one.text if arguments.primer_text is None else arguments.primer_text
        if arguments.primer_text is not None and not given.strip():
            raise UserError("--primer-text is empty: what does the primer say?")
        if not given or not given.strip():
            raise UserError(
                f"{arguments.primer} contains no text for {one.name}: give it with --primer-text, "
                "which this network needs"
            )
        skip = getattr(arguments, "skip_unknown", None)
        (text,) = options.known(model.alphabet, [given], skip)
    ink, done = one.ink, "unchanged"
    if arguments.primer_scale in (None, "auto"):
        ink, scale, period = matched(ink, writer.own_hand())
        changes = [f"scaled by {scale:.4g}"] if scale != 1 else []
        changes += [f"resampled, {period:.3g} points to one"] if period != 1 else []
        done = " and ".join(changes) or f"{done}, about as large as the network's own lines"
        count = None if count is None else max(1, round(count / period))
    elif arguments.primer_scale != 1:
        ink = ink * np.float32([arguments.primer_scale, arguments.primer_scale, 1])
        done = f"scaled by {arguments.primer_scale:g}"
    ink = ink[:count]
    check_lengths((), (ink, text), arguments.primer)
    of = f", one of {len(samples):,} in the file" if len(samples) > 1 else ""
    says = f", {text!r}" if model.needs_text else ""
    print(f"primed with {one.name}{of}{says}: {len(ink)} points, {done}")
    return ink, text
