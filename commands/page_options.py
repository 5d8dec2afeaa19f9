"""The options of a page: what they accept, and what they say."""

import argparse
from pathlib import Path

from base.pretrained import style_file
from commands import options
from commands.options import Parser, number, typed
from utils.checks import Range, UserError
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
    """Add the options of a page; all are None unless given."""
    group = parser.add_argument_group(
        f"a page, with --text-file or --paper; its default of --bias is {BIAS:g}"
    )
    add = group.add_argument
    add(
        "--text-file",
        metavar="FILE",
        help="text to lay out on pages, UTF-8; - reads standard input; paragraphs, empty lines and "
        "indents are kept, e.g. --text-file letter.txt",
    )
    add(
        "--paper",
        type=typed(size),
        metavar="SIZE",
        help=f"{', '.join(SIZES)}, or width x height in mm (default: a4), e.g. --paper 100x150",
    )
    add("--landscape", action="store_true", default=None, help="the longer side across")
    add(
        "--margins",
        type=typed(margins),
        metavar="TOP,RIGHT,BOTTOM,LEFT",
        help="in mm, or one number for all (default: 22,20,22,25; small sheets: a tenth of the "
        "shorter side), e.g. --margins 20",
    )
    add("--ruling", choices=RULINGS, help="lines of the paper (default: plain)")
    add(
        "--ruling-spacing",
        type=number(float, Range(1, 100)),
        metavar="MM",
        help="distance of the paper's lines (default: 8.5 ruled, 5 squared and dotted)",
    )
    add(
        "--hide-ruling",
        action="store_true",
        default=None,
        help="write on the lines of the paper, but do not draw them",
    )
    add(
        "--size",
        type=OF_PASSAGE["size"],
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
        metavar="SIDE",
        help=f"{', '.join(ALIGNMENTS)} (default: left)",
    )
    add(
        "--indent",
        type=OF_PASSAGE["indent"],
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
        type=OF_PASSAGE["pen"],
        metavar="MM",
        help="(default: 0.4), e.g. --pen-width 0.7",
    )
    add(
        "--colour",
        type=OF_PASSAGE["colour"],
        metavar="#RRGGBB",
        help="of the ink (default: dark blue)",
    )
    add(
        "--proofread",
        nargs="?",
        const="reader",
        metavar="RECOGNISER",
        help="read every line back, and write it again if it is misread (default: reader)",
    )
    add("--no-proofread", action="store_true", default=None, help="write every line once")
    add(
        "--tries",
        type=number(int, Range(1, 100)),
        metavar="N",
        help="how often a line is written at most (default: 4), e.g. --tries 8",
    )
    add("--report", type=Path, metavar="FILE", help="save what was proofread as JSON")
    add("--dpi", type=number(int, Range(10, 2400)), help=f"of a PNG (default: {DPI})")
    add(
        "--nib",
        action="store_true",
        default=None,
        help="SVG, PDF, PNG: strokes are thinner where the pen is fast; outlines, not for plotters",
    )
    add(
        "--animate",
        nargs="?",
        const=1.0,
        type=number(float, Range(0.01, 100)),
        metavar="SPEED",
        help="SVG: the page writes itself, SPEED times as fast as the pen, e.g. --animate 3",
    )


NAMES = (
    *("text_file", "paper", "landscape", "margins", "ruling", "ruling_spacing", "hide_ruling"),
    *("size", "line_height", "slant", "align", "indent", "liveliness", "pen_width", "colour"),
    *("proofread", "no_proofread", "tries", "report", "dpi", "nib", "animate"),
)
OF_LINES = ("num_samples", "steps", "inkml", "show", "skip_unknown")
"""Options of `write` that are for single lines."""
NEEDS = {
    "dpi": (".png",),
    "nib": (".svg", ".pdf", ".png"),
    "animate": (".svg",),
}
"""Options that only some formats have."""


def wanted(arguments: argparse.Namespace) -> bool:
    """Return whether a page is to be written, and not single lines."""
    return arguments.text_file is not None or arguments.paper is not None


def check(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        UserError: naming them.
    """
    given = [name for name in NAMES if getattr(arguments, name) is not None]
    if not wanted(arguments):
        if given:
            raise UserError(f"{_shown(given[0])} is for a page: give a --text-file or a --paper")
        return
    if arguments.text_file is not None and arguments.text:
        raise UserError("give --text or --text-file, not both")
    if lines := [name for name in OF_LINES if getattr(arguments, name)]:
        raise UserError(f"{_shown(lines[0])} is for single lines, not for a page")
    for name in ("hide_ruling", "ruling_spacing"):
        if getattr(arguments, name) and not arguments.ruling:
            raise UserError(f"{_shown(name)} is for a --ruling")
    for name in ("proofread", "tries", "report"):
        if arguments.no_proofread and name in given:
            raise UserError(f"--no-proofread and --{name} contradict each other")
    if arguments.report and arguments.report.resolve() == output(arguments).resolve():
        raise UserError(f"--report {arguments.report}: that is the --output; name another file")
    kind = output(arguments).suffix.lower()
    for name, kinds in NEEDS.items():
        if name in given and kind not in kinds:
            raise UserError(
                f"{_shown(name)} is for --output FILE ending in {' or '.join(kinds)}, not {kind}"
            )
    if arguments.animate and arguments.nib:
        raise UserError("--animate does not go with --nib")
    paper = sheet(arguments)
    if kind == ".png":
        check_pixels(paper.width, paper.height, arguments.dpi or DPI)


def _shown(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def output(arguments: argparse.Namespace) -> Path:
    """Return the file of the page, or of the first of several."""
    file = options.output_file(arguments.output, FORMATS)
    return file or arguments.output / "page.svg"


def sheet(arguments: argparse.Namespace) -> Paper:
    """Return the paper that the options describe."""
    width, height = arguments.paper or SIZES["a4"]
    if arguments.landscape:
        width, height = max(width, height), min(width, height)
    small = min(width, height) < 180.0
    usual = (round(min(width, height) / 10, 1),) * 4 if small else Paper.margins
    ruling = arguments.ruling or "plain"
    return Paper(
        width,
        height,
        arguments.margins or usual,
        ruling,
        arguments.ruling_spacing or RULINGS[ruling],
        not arguments.hide_ruling,
    )
