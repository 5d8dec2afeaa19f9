"""The hand that is continued: --style and --primer."""

import argparse
from pathlib import Path

from base.pretrained import styles
from commands.options import Parser, number, require, value
from handwriting.options import OWN, USUAL, PrimerFile, style


def add_style(parser: argparse._ActionsContainer, default: str = OWN, meaning: str = OWN) -> None:
    """Add --style; `meaning` says what its default is."""
    parser.add_argument(
        "--style",
        type=value(style),
        default=default,
        metavar="NAME|FILE",
        help=f"hand to write in: {', '.join(styles()) or 'none is there'}, a file that `style "
        f"make` saved, or own for another hand with each seed (default: {meaning})",
    )


def add_options(parser: Parser, default: str = OWN, meaning: str = OWN) -> None:
    """Add --style, --primer, and what goes with it."""
    either, add = parser.add_mutually_exclusive_group(), parser.add_argument
    add_style(either, default, meaning)
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
        type=value(primer_scale),
        metavar="auto|FACTOR",
        help="factor from the primer's units to those of the training data, e.g. --primer-scale 1 "
        "if they are the same; auto compares the primer with lines that the network writes: it is "
        "scaled if its x-height differs by more than a factor of 2, and then resampled if its "
        "points are more than 2 times denser or sparser (default: auto)",
    )


def primer_scale(text: str) -> float | str:
    """Return the value of --primer-scale: a factor, or `auto`."""
    return text if text == "auto" else number(float, 1e-6, 1e6)(text)


def primer_file(arguments: argparse.Namespace) -> PrimerFile | None:
    """Return what --primer names, or else the file of --style; None for a hand of its own."""
    if not arguments.primer:
        parts = ("primer_text", "primer_number", "primer_points", "primer_scale")
        require(arguments, **dict.fromkeys(parts, "primer"))
        return None if arguments.style in (OWN, USUAL) else PrimerFile(arguments.style)
    return PrimerFile(
        arguments.primer,
        arguments.primer_text,
        arguments.primer_number or 0,
        arguments.primer_points,
        arguments.primer_scale or "auto",
    )
