"""The options of a page: what they accept, and what they say."""

import argparse
from pathlib import Path

from base.pretrained import style_file
from commands import options
from commands.options import Parser, number, typed
from utils.checks import Range, UserError
from utils.page.page import Pen
from utils.page.paper import DPI, RULINGS, SIZES, Paper, check_pixels, size

FORMATS = (".svg", ".pdf", ".png", ".inkml", ".json")
"""Suffixes of a page."""
ALIGNMENTS = ("left", "right", "centred", "justified")
LINE_HEIGHT = 3.9
"""Default height of a line in x-heights (assumed: 8.5 mm at 2.2 mm)."""
HEIGHT = 2.2
"""Default x-height in mm (assumed: some 60 characters stand in a line of A4)."""
BIAS = 0.75
"""Default of --bias (chosen on 400 texts of eight kinds; docs/results.md has the error rates of the
shipped writer at several; the higher, the more hands are alike)."""


def margins(text: str) -> tuple[float, float, float, float]:
    """Return the value of --margins: one number or four."""
    parts = text.replace(" ", "").split(",")
    try:
        found = [float(part) for part in parts]
    except ValueError:
        found = []
    if len(found) not in (1, 4) or not all(0 <= one < 5000 for one in found):
        raise UserError(f"{text!r}: one number of mm, or four: top,right,bottom,left")
    return tuple(found * 4 if len(found) == 1 else found)


def colour(text: str) -> str:
    """Return the value of --colour, in small letters."""
    digits = text.removeprefix("#").lower()
    if len(digits) != 6 or not set(digits) <= set("0123456789abcdef"):
        raise UserError(f"{text!r}: a colour as #rrggbb, such as #1b2a4e")
    return f"#{digits}"


def alignment(text: str) -> str:
    """Return the value of --align."""
    if text not in ALIGNMENTS:
        raise UserError(f"{text!r}: one of {', '.join(ALIGNMENTS)} is accepted")
    return text


OF_PASSAGE = {
    "style": typed(style_file),
    "bias": number(float, Range(0, 100)),
    "size": number(float, Range(0.3, 100)),
    "slant": number(float, Range(-45, 45)),
    "colour": typed(colour),
    "pen": number(float, Range(0.01, 10)),
    "align": typed(alignment),
    "indent": number(float, Range(0, 500)),
}
"""What may differ from passage to passage, and what takes the value of its option."""


def add_options(parser: Parser) -> None:
    """Add the options of the paper, of what is on it, and of its file."""
    add = parser.add_argument
    add(
        "--paper",
        default="a4",
        type=typed(size),
        metavar="SIZE",
        help=f"{', '.join(SIZES)}, or width x height in mm (default: a4), e.g. --paper 100x150",
    )
    add("--landscape", action="store_true", help="the longer side across")
    add(
        "--margins",
        type=typed(margins),
        metavar="TOP,RIGHT,BOTTOM,LEFT",
        help="in mm, or one number for all (default: 22,20,22,25; small sheets: a tenth of the "
        "shorter side), e.g. --margins 20",
    )
    add("--ruling", choices=RULINGS, default="plain", help="lines of the paper (default: plain)")
    add(
        "--ruling-spacing",
        type=number(float, Range(1, 100)),
        metavar="MM",
        help="distance of the paper's lines (default: 8.5 ruled, 5 squared and dotted)",
    )
    add("--hide-ruling", action="store_true", help="write on the ruling, but do not draw it")
    add(
        "--size",
        type=OF_PASSAGE["size"],
        default=HEIGHT,
        metavar="MM",
        help=f"x-height of the writing (default: {HEIGHT:g}), e.g. --size 3",
    )
    add(
        "--line-height",
        type=number(float, Range(0.5, 500)),
        metavar="MM",
        help="from line to line, on a --ruling the next multiple of its spacing (default: about "
        f"{LINE_HEIGHT:g} times --size), e.g. --line-height 10",
    )
    add(
        "--slant",
        type=OF_PASSAGE["slant"],
        metavar="DEGREES",
        help="how far the writing leans from upright to the right (default: as the hand does), "
        "e.g. --slant 15",
    )
    add(
        "--align",
        type=OF_PASSAGE["align"],
        default="left",
        metavar="SIDE",
        help=f"{', '.join(ALIGNMENTS)} (default: left)",
    )
    add(
        "--indent",
        type=OF_PASSAGE["indent"],
        default=0.0,
        metavar="MM",
        help="of the first line of each paragraph (default: 0), e.g. --indent 8",
    )
    add(
        "--liveliness",
        type=number(float, Range(0, 1)),
        metavar="SHARE",
        help="how much of the drift of words from the line, and of the differences of blanks, is "
        "kept (default: 1, nearest to what people write), e.g. --liveliness 0.5",
    )
    add(
        "--pen-width",
        dest="pen",
        type=OF_PASSAGE["pen"],
        default=Pen.width,
        metavar="MM",
        help=f"(default: {Pen.width:g}), e.g. --pen-width 0.7",
    )
    add(
        "--colour",
        type=OF_PASSAGE["colour"],
        default=Pen.colour,
        metavar="#RRGGBB",
        help="of the ink (default: dark blue)",
    )
    proofreading = parser.add_mutually_exclusive_group()
    proofreading.add_argument(
        "--proofread",
        nargs="?",
        const="reader",
        default="reader",
        metavar="RECOGNISER",
        help="read every line back, and write it again if it is misread (default: reader)",
    )
    proofreading.add_argument(
        "--no-proofread",
        dest="proofread",
        action="store_const",
        const=None,
        help="write every line once",
    )
    add(
        "--tries",
        type=number(int, Range(1, 100)),
        metavar="N",
        help="how often a line is written at most (default: 4), e.g. --tries 8",
    )
    add("--report", type=Path, metavar="FILE", help="save what was proofread as JSON")
    add("--dpi", type=number(int, Range(10, 2400)), help=f"of a PNG (default: {DPI})")
    drawing = parser.add_mutually_exclusive_group()
    drawing.add_argument(
        "--nib",
        action="store_true",
        help="SVG, PDF, PNG: strokes are thinner where the pen is fast; outlines, not for plotters",
    )
    drawing.add_argument(
        "--animate",
        nargs="?",
        const=1.0,
        type=number(float, Range(0.01, 100)),
        metavar="SPEED",
        help="SVG: the page writes itself, SPEED times as fast as the pen, e.g. --animate 3",
    )


def check(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        UserError: naming them.
    """
    if arguments.ruling == "plain" and (arguments.hide_ruling or arguments.ruling_spacing):
        name = "hide-ruling" if arguments.hide_ruling else "ruling-spacing"
        raise UserError(f"--{name} is for a --ruling")
    if not arguments.proofread and (arguments.tries or arguments.report):
        name = "tries" if arguments.tries else "report"
        raise UserError(f"--no-proofread and --{name} contradict each other")
    if arguments.report and arguments.report.resolve() == output(arguments).resolve():
        raise UserError(f"--report {arguments.report}: that is the --output; name another file")
    kind = output(arguments).suffix.lower()
    accepted = {"dpi": (".png",), "nib": (".svg", ".pdf", ".png"), "animate": (".svg",)}
    for name, kinds in accepted.items():
        if getattr(arguments, name) and kind not in kinds:
            kinds = " or ".join(kinds)
            raise UserError(f"--{name} is for --output FILE ending in {kinds}, not {kind}")
    paper = sheet(arguments)
    if kind == ".png":
        check_pixels(paper.width, paper.height, arguments.dpi or DPI)


def output(arguments: argparse.Namespace) -> Path:
    """Return the file of the page, or of the first of several."""
    file = options.output_file(arguments.output, FORMATS)
    return file or arguments.output / "page.svg"


def sheet(arguments: argparse.Namespace) -> Paper:
    """Return the paper that the options describe."""
    width, height = arguments.paper
    if arguments.landscape:
        width, height = max(width, height), min(width, height)
    small = min(width, height) < 180.0
    usual = (round(min(width, height) / 10, 1),) * 4 if small else Paper.margins
    return Paper(
        width,
        height,
        arguments.margins or usual,
        arguments.ruling,
        arguments.ruling_spacing or RULINGS[arguments.ruling],
        not arguments.hide_ruling,
    )
