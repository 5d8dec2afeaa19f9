"""The hand that is continued: --style and --primer."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from base.pretrained import style_file, styles
from commands.options import Parser, known, number, require, typed
from utils.checks import UserError

OWN = Path("own")
"""The value of --style for a hand of the network's own."""


def style(name: str) -> Path:
    """Return the value of --style: a file, or `OWN`."""
    return OWN if name == str(OWN) else style_file(name)


def add_style(parser: Any, default: str = "own") -> None:
    """Add --style, kept as `primer`; `default` says what it is if it is not given."""
    parser.add_argument(
        "--style",
        dest="primer",
        type=typed(style),
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
        type=typed(primer_scale),
        metavar="auto|FACTOR",
        help="factor from the primer's units to those of the training data, e.g. --primer-scale 1 "
        "if they are the same; auto compares the primer with lines that the network writes: it is "
        "scaled if its x-height differs by more than a factor of 2, and then resampled if its "
        "points are more than 2 times denser or sparser (default: auto)",
    )


def primer_scale(text: str) -> float | str:
    """Return the value of --primer-scale: a factor, or `auto`."""
    return text if text == "auto" else number(float, 1e-6, 1e6)(text)


def take_primer(writer: Any, arguments: argparse.Namespace) -> tuple[Any, str] | None:
    """Return the ink of --primer in the units of the training data and its text, and print both.

    Raises:
        UserError: if it cannot be read, or its text is needed and not known.
    """
    parts = ("primer_text", "primer_number", "primer_points", "primer_scale")
    require(arguments, **dict.fromkeys(parts, "primer"))
    if arguments.primer in (None, OWN):
        return None
    import numpy as np

    from data_loader.sources.ink_files import matched
    from model.generation.writing import check_lengths

    one, of = sample_of(arguments.primer, arguments.primer_number or 0, "--primer-number")
    text, count, done = "", arguments.primer_points, "unchanged"
    if writer.model.needs_text:
        text = one.text if arguments.primer_text is None else arguments.primer_text
        if count is not None and count < len(one.ink) and arguments.primer_text is None:
            raise UserError(
                f"--primer-points {count} cuts {one.name}: give the text of the part that remains "
                "with --primer-text"
            )
        if text is None:
            raise UserError(
                f"{arguments.primer} contains no text for {one.name}: give it with --primer-text, "
                "which this network needs"
            )
        if text:
            skip = getattr(arguments, "skip_unknown", None)
            (text,) = known(writer.model.alphabet, [text], skip)
    ink, scale = one.ink, arguments.primer_scale
    if scale in (None, "auto"):
        ink, scale, period = matched(ink, writer.unprimed())
        changes = [f"scaled by {scale:.4g}"] if scale != 1 else []
        changes += [f"resampled, {period:.3g} points to one"] if period != 1 else []
        done = " and ".join(changes) or f"{done}, about as large as the network's own lines"
        count = None if count is None else max(1, round(count / period))
    elif scale != 1:
        ink, done = ink * np.float32([scale, scale, 1]), f"scaled by {scale:g}"
    ink = ink[:count]
    check_lengths((), (ink, text), arguments.primer)
    says = f", {text!r}" if writer.model.needs_text else ""
    print(f"primed with {one.name}{of}{says}: {len(ink)} points, {done}")
    return ink, text


def sample_of(path: Path, number: int, option: str) -> tuple[Any, str]:
    """Return a sample of a file of ink, and of how many it is one, as text.

    Raises:
        UserError: naming the option, if there are not as many.
    """
    from data_loader.sources.ink_files import read_ink

    samples = read_ink(path)
    if number >= len(samples):
        raise UserError(f"{option} {number}: {path} has {len(samples):,} samples, counted from 0")
    return samples[number], f", one of {len(samples):,} in the file" if len(samples) > 1 else ""


def samples_of(styles: Sequence[Path], writer: Any) -> list[tuple[Any, str]]:
    """Return the ink of styles, in the units of the network's data, and their texts.

    Raises:
        UserError: if one has no text, or one that the network does not know.
    """
    if not styles:
        return []
    from data_loader.sources.ink_files import matched, read_ink
    from model.generation.writing import check_lengths

    own, found = writer.unprimed(), []
    for style in styles:
        sample = read_ink(style)[0]
        if not sample.text:
            raise UserError(f"style {style}: contains no text for {sample.name}")
        try:
            (text,) = known(writer.model.alphabet, [sample.text], skip=None)
        except UserError as error:
            raise UserError(f"style {style}: {error}") from None
        check_lengths((), (sample.ink, text), f"style {style}")
        found.append((matched(sample.ink, own)[0], text))
    return found
