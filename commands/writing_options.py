"""Options of commands that write: the sampling, lines, the hand."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import model
from commands.options import Parser, number, require, value
from handwriting.page_options import OWN, USUAL, PageOptions, PrimerFile, style
from handwriting.source_text import known_only
from handwriting.styles import styles
from model.generation.sampling_options import Sampling
from utils import checks
from utils.alphabet import Alphabet
from utils.checks import UserError


def extra(text: str) -> tuple[str, list[float]]:
    """Parse a value of --extra into a name and numbers."""
    name, _, values = text.partition("=")
    if not (name and values):
        raise UserError(f"{text!r}: must be NAME=NUMBER,NUMBER")
    return name, [*map(checks.number(float, -1e6, 1e6), values.split(","))]


SHARED: dict[str, dict[str, Any]] = {
    "--bias": {
        "type": number(float, 0, 100),
        "help": "0: as varied as the training data; 1 and more: an average, very legible hand; the "
        "paper calls 0.15 a good balance; briefly trained networks need more "
        f"(default: {Sampling.bias:g})",
    },
    "--pen-sharpness": {
        "type": number(float, 0, 100),
        "metavar": "S",
        "help": "how much the bias also sharpens the probability of lifting the pen; 0: not at "
        f"all, as in the paper (default: {Sampling.pen_sharpness:g})",
    },
    "--extra": {
        "dest": "extras",
        "type": value(extra),
        "action": "append",
        "default": [],
        "metavar": "NAME=NUMBER,NUMBER",
        "help": "numbers for a network that takes extras; may be given several times "
        "(default: zeros)",
    },
    "--skip-unknown": {
        "action": "store_true",
        "help": "leave out characters that the network does not know (default: they are an error)",
    },
    "--tries": {
        "type": number(int, 1, 100),
        "metavar": "N",
        "help": f"most tries of a word that is proofread (default: {PageOptions.tries})",
    },
}
"""Options of several commands: the arguments of `add_argument` by name."""


def add_shared(parser: Parser, *names: str) -> None:
    """Add options of `SHARED`."""
    for name in names:
        parser.add_argument(name, **SHARED[name])


def add_lines(parser: Parser, *, samples: str, steps: str) -> None:
    """Add --num-samples and --steps; `samples` and `steps` are their help texts."""
    steps = f"maximum number of pen steps in a line ({steps})"
    parser.add_argument("--num-samples", type=number(int, 1, 10_000), metavar="N", help=samples)
    parser.add_argument("--steps", type=number(int, 1, 100_000), metavar="N", help=steps)


def without_unknown(alphabet: Alphabet, texts: Sequence[str], skip: bool | None) -> list[str]:
    """Return what `source_text.known_only` keeps of `texts`; print what it leaves out."""
    kept, left_out = known_only(alphabet, texts, skip)
    if left_out:
        print(left_out)
    return kept


# The hand


def add_style(parser: argparse._ActionsContainer, default: str = OWN, meaning: str = OWN) -> None:
    """Add --style; `meaning` describes the default."""
    parser.add_argument(
        "--style",
        type=value(style),
        default=default,
        metavar="NAME|FILE",
        help=f"hand to write in: {', '.join([*styles(), OWN])} (another hand with each seed), or "
        f"a file that `style make` saved (default: {meaning})",
    )


def add_primer(parser: Parser, default: str = OWN, meaning: str = OWN) -> None:
    """Add --style, --primer, and the options that describe a primer."""
    style_or_primer, add = parser.add_mutually_exclusive_group(), parser.add_argument
    add_style(style_or_primer, default, meaning)
    continued = "ink whose handwriting is continued, in any format that `read` accepts"
    style_or_primer.add_argument("--primer", type=Path, metavar="FILE", help=continued)
    add(
        "--primer-text",
        metavar="TEXT",
        help="text of the primer, for a conditional network; empty if the text to write "
        "includes the primer's text (default: the text in the primer's file)",
    )
    index = "index of the primer's sample in its file, from 0 (default: 0)"
    add("--primer-number", type=number(int, 0), metavar="N", help=index)
    add(
        "--primer-scale",
        type=value(primer_scale),
        metavar="auto|FACTOR",
        help="factor from the primer's units to those of the training data, e.g. --primer-scale 1 "
        "if the units are the same; with auto the primer is turned level, scaled and resampled to "
        "the x-height and the distance between points of lines that the network writes "
        "(default: auto)",
    )


def primer_scale(text: str) -> float | str:
    """Parse the value of --primer-scale: a factor, or `auto`."""
    return text if text == "auto" else number(float, 1e-6, 1e6)(text)


def primer_file(arguments: argparse.Namespace) -> PrimerFile | None:
    """Return the primer of --primer, or else of --style; None if the network chooses the hand."""
    if not arguments.primer:
        names = ("primer_text", "primer_number", "primer_scale")
        require(arguments, **dict.fromkeys(names, "primer"))
        return None if arguments.style in (OWN, USUAL) else PrimerFile(arguments.style)
    return PrimerFile(
        arguments.primer,
        arguments.primer_text,
        arguments.primer_number or 0,
        arguments.primer_scale or "auto",
    )


def ink_of(network: "model.TrainedNetwork", option: str) -> Path:
    """Return the file in which a run saved ink of the hand that its network learned.

    Raises:
        UserError: if there is no such file; names the `option` that needs the ink.
    """
    from trainer.own_hand import SAMPLE_FILE

    ink = network.path.with_name(SAMPLE_FILE)
    if not ink.exists():
        raise UserError(f"{option}: {network.path} learned no hand: beside it is no {SAMPLE_FILE}")
    return ink
