"""The hand that is continued: --style and --primer."""

import argparse
from pathlib import Path

import numpy as np

import data_loader
import model
from base.pretrained import style_file, styles
from commands.options import Parser, number, require, without_unknown
from model.generation.options import Primer
from utils.checks import UserError


def style(name: str) -> Path | None:
    """Return the value of --style: a file; None for a hand of the network's own."""
    return None if name == "own" else style_file(name)


def add_style(parser: argparse._ActionsContainer, default: str = "own") -> None:
    """Add --style, kept as `primer`; `default` says what it is if it is not given."""
    parser.add_argument(
        "--style",
        dest="primer",
        type=style,
        metavar="NAME|FILE",
        help=f"hand to write in: {', '.join(styles()) or 'none is there'}, a file that `style "
        f"make` saved, or own for another hand with each seed (default: {default})",
    )


def add_options(parser: Parser, default: str = "own") -> None:
    """Add --style, --primer, and what goes with it."""
    either, add = parser.add_mutually_exclusive_group(), parser.add_argument
    add_style(either, default)
    continued = "ink whose handwriting is continued, in any format that `read` accepts"
    either.add_argument("--primer", type=Path, metavar="FILE", help=continued)
    add(
        "--primer-text",
        metavar="TEXT",
        help="text of the primer, for a conditional network; empty where the text to write is that "
        "of the whole line which the primer begins (default: the one in its file)",
    )
    which, points = "which sample of its file, from 0", "use only the first N points of it"
    add("--primer-number", type=number(int, 0), metavar="N", help=f"{which} (default: 0)")
    add("--primer-points", type=number(int, 1), metavar="N", help=f"{points} (default: all)")
    add(
        "--primer-scale",
        type=primer_scale,
        metavar="auto|FACTOR",
        help="factor from the primer's units to those of the training data, e.g. --primer-scale 1 "
        "if they are the same; auto compares the primer with lines that the network writes: it is "
        "scaled if its x-height differs by more than a factor of 2, and then resampled if its "
        "points are more than 2 times denser or sparser (default: auto)",
    )


def primer_scale(text: str) -> float | str:
    """Return the value of --primer-scale: a factor, or `auto`."""
    return text if text == "auto" else number(float, 1e-6, 1e6)(text)


def take_primer(writer: "model.Writer", arguments: argparse.Namespace) -> Primer | None:
    """Return what --primer or --style names, as `primer_of` does, and print what was done."""
    parts = ("primer_text", "primer_number", "primer_points", "primer_scale")
    require(arguments, **dict.fromkeys(parts, "primer"))
    if not arguments.primer:
        return None
    primer, done = primer_of(
        arguments.primer,
        writer,
        text=arguments.primer_text,
        number=arguments.primer_number or 0,
        points=arguments.primer_points,
        scale=arguments.primer_scale or "auto",
        skip_unknown=getattr(arguments, "skip_unknown", None),
    )
    print(f"in the hand of {done}")
    return primer


def primer_of(
    path: Path,
    writer: "model.Writer",
    *,
    text: str | None = None,
    number: int = 0,
    points: int | None = None,
    scale: float | str = "auto",
    skip_unknown: bool | None = None,
) -> tuple[Primer, str]:
    """Return ink of a file in the units of a network's data, with its text, and what was done.

    Args:
        path: the file: a style, or any ink.
        writer: the network.
        text: of the ink; None for the one in the file.
        number, points, scale: see the options of these names.
        skip_unknown: see `options.without_unknown`.

    Raises:
        UserError: if it cannot be read, or its text is needed and not known.
    """
    from data_loader.sources.ink_files import matched
    from model.generation.writing import check_lengths

    sample, of = sample_of(path, number, "--primer-number")
    ink, period = sample.ink, 1.0
    if not writer.model.needs_text:
        if text is not None:
            raise UserError(f"{writer.path} contains a network without text: no --primer-text")
        text = ""
    elif text is None:
        text = sample.text
        if not text or (points is not None and points < len(ink)):
            lacks = f"{path} contains no text for" if not text else f"--primer-points {points} cuts"
            raise UserError(f"{lacks} {sample.name}: give what it says with --primer-text")
    if text:
        try:
            (text,) = without_unknown(writer.model.alphabet, [text], skip_unknown)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
    if scale == "auto":
        ink, scale, period = matched(ink, writer.reference_lines)
    else:
        ink = ink * np.float32([scale, scale, 1])
    if points is not None:
        ink = ink[: max(1, round(points / period))]
    check_lengths((), (ink, text), path)
    done = [f"its first {len(ink)} points"] if points is not None else []
    done += [f"scaled by {scale:.4g}"] if scale != 1 else []
    done += [f"resampled, {period:.3g} points to one"] if period != 1 else []
    says = f", {text!r}" if writer.model.needs_text else ""
    changes = f": {' and '.join(done)}" if done else ""
    return (ink, text), f"{sample.name}{of}{says}{changes}"


def sample_of(path: Path, number: int, option: str) -> "tuple[data_loader.sources.Sample, str]":
    """Return a sample of a file of ink, and of how many it is one, as text.

    Raises:
        UserError: naming the option, if there are not as many.
    """
    samples = data_loader.read_ink(path)
    if number >= len(samples):
        raise UserError(f"{option} {number}: {path} has {len(samples):,} samples, counted from 0")
    return samples[number], f", one of {len(samples):,} in the file" if len(samples) > 1 else ""
