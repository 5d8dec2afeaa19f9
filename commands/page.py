"""Lay out a text on paper, in one hand, as SVG, PDF, PNG, InkML or JSON."""

import argparse
from pathlib import Path
from typing import get_args

from base.pretrained import STYLE, resolve_checkpoint
from commands import options
from commands.options import Networks, Parser, number, require, value
from handwriting.layout import VAlign
from handwriting.networks import PROOFREADERS
from handwriting.options import HEIGHT, OF_LOOK, USUAL, PageOptions
from handwriting.paper import RULINGS, SIZES, Paper, check_pixels, size
from handwriting.setting import LINE_HEIGHT
from utils.checks import UserError
from utils.files import make_room, read_text, write_json
from utils.page.page import Pen
from utils.page.saving import DPI, KINDS

ALIGNED = "alignment: left, right, centred, justified, center (default: %(default)s)"
MAX_BYTES = 500_000
"""Most bytes of a text (assumed: a long novel, whose pages take hours to write)."""


def margins(text: str) -> tuple[float, float, float, float]:
    """Return the value of --margins: one number or four."""
    try:
        sides = [float(part) for part in text.split(",")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 4) or not all(0 <= side < 5000 for side in sides):
        raise UserError(f"{text!r}: one number of mm, or four: top,right,bottom,left")
    top, right, bottom, left = sides * 4 if len(sides) == 1 else sides
    return top, right, bottom, left


def add_options(parser: Parser) -> None:
    options.add_network(parser, of_style=True)
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="file of the text, in UTF-8; - for standard input")
    add("--text", action="append", help="paragraph, instead of FILE; may be given several times")
    options.add_shared(parser, "--bias", "--pen-sharpness")
    options.add_seed(parser, "seed of the first line, incremented for each further one")
    options.add_shared(parser, "--skip-unknown")
    options.add_output(parser, tuple(KINDS))
    usual = f"{STYLE} by writer; else the hand that was learned, or own"
    options.add_primer(parser, USUAL, usual)
    add_paper(parser)
    add_look(parser)
    proofreading = parser.add_mutually_exclusive_group()
    read = f"read every word back, and write it again if it is misread (default: {PROOFREADERS})"
    proofreading.add_argument(
        "--proofread", dest="reader", nargs="?", metavar="RECOGNISER", help=read
    )
    once = "write every word once"
    proofreading.add_argument("--no-proofread", dest="proofread", action="store_false", help=once)
    options.add_shared(parser, "--tries")
    add("--report", type=Path, metavar="FILE", help="save the result of proofreading as JSON")
    add("--dpi", type=number(int, 10, 2400), help=f"pixels per inch of a PNG (default: {DPI})")
    drawing = parser.add_mutually_exclusive_group()
    nib = "SVG, PDF, PNG: draw strokes thinner where the pen is fast; not for plotters"
    drawing.add_argument("--nib", action="store_true", help=nib)
    speed = {"const": 1.0, "type": number(float, 0.01, 100), "metavar": "SPEED"}
    itself = "SVG: the page writes itself, SPEED times as fast as the pen, or just as fast"
    drawing.add_argument("--animate", nargs="?", **speed, help=itself)


def add_paper(parser: Parser) -> None:
    """Add the options of the paper."""
    add, spacing = (
        parser.add_argument,
        "distance of the ruling's lines (default: 8.5 ruled, 5 others)",
    )
    sizes = f"{', '.join(SIZES)}, or width x height in mm, e.g. 100x150"
    sizes += " (default: a4; an --envelope is DL)"
    add("--paper", type=value(size), metavar="SIZE", help=sizes)
    place = "write an envelope: the last paragraph is the address, those before it the sender's"
    add("--envelope", action="store_true", help=place)
    add("--landscape", action="store_true", help="turn the sheet: the longer side is its width")
    margin = "mm, or one for all (default: 22,20,22,25; if small, a tenth of the shorter side)"
    add("--margins", type=value(margins), metavar="TOP,RIGHT,BOTTOM,LEFT", help=margin)
    add("--ruling", choices=RULINGS, help="kind of paper (default: plain)")
    add("--ruling-spacing", type=number(float, 1, 100), metavar="MM", help=spacing)
    add(
        "--hide-ruling",
        action="store_true",
        help="do not draw the ruling on which the text is written",
    )
    fit = "use the largest size, from half of --size, at which the text fits on SHEETS, or on one"
    add("--fit", nargs="?", const=1, type=number(int, 1, 1000), metavar="SHEETS", help=fit)
    where = "position of the writing on a sheet that it leaves partly empty (default: top)"
    add("--valign", choices=get_args(VAlign), default="top", help=where)


def add_look(parser: Parser) -> None:
    """Add the options of what stands on the paper."""
    add, kinds = parser.add_argument, {name: value(parse) for name, parse in OF_LOOK.items()}
    size = f"x-height of the writing (default: {HEIGHT}; on a --ruling less where rows would touch)"
    add("--size", type=kinds["size"], metavar="MM", help=size)
    usual = f"(default: about {LINE_HEIGHT:g} times --size, more where rows would touch)"
    height = f"distance of lines, on a --ruling the next multiple of its spacing {usual}"
    add("--line-height", type=number(float, 0.5, 500), metavar="MM", help=height)
    slant = "slant of the writing, from upright to the right (default: that of the hand)"
    add("--slant", type=kinds["slant"], metavar="DEGREES", help=slant)
    add("--align", type=kinds["align"], default="left", metavar="SIDE", help=ALIGNED)
    usual = " (default: %(default)s)"
    indent = f"indent of the first line of each paragraph{usual}"
    add("--indent", type=kinds["indent"], default=0.0, metavar="MM", help=indent)
    kept = "0: every word stands on the line, and all blanks are alike; 1: as people write"
    kept += usual
    add("--liveliness", type=number(float, 0, 1), default=1.0, metavar="SHARE", help=kept)
    width = dict(type=kinds["pen"], default=Pen.width, metavar="MM")
    add("--pen-width", dest="pen", **width, help=f"width of the pen{usual}")
    colour = dict(type=kinds["colour"], default=Pen.colour, metavar="COLOUR")
    add(
        "--colour", "--color", **colour, help=f"colour of the ink: #rrggbb, or a name of CSS{usual}"
    )


def check(arguments: argparse.Namespace, path: Path, paper: Paper) -> None:
    """Refuse options that do not go together, and what cannot be read or written.

    Raises:
        UserError: naming them.
    """
    if (arguments.file is None) == (arguments.text is None):
        raise UserError("give a text to write: either FILE or --text")
    needed = {"hide_ruling": "ruling", "ruling_spacing": "ruling"}
    require(arguments, **needed, tries="proofread", report="proofread")
    options.check_readable(arguments.primer)
    kind = path.suffix.lower()
    for name in ("nib", "animate", "dpi"):
        if getattr(arguments, name) and name not in KINDS[kind]:
            kinds = " or ".join(one for one, accepted in KINDS.items() if name in accepted)
            raise UserError(f"--{name} is for --output FILE ending in {kinds}, not {kind}")
    if kind == ".png":
        check_pixels(paper.width, paper.height, arguments.dpi or DPI)
    if arguments.reader:
        resolve_checkpoint(arguments.reader)
    if arguments.report:
        make_room(arguments.report, "--report", is_checked_only=True)
    make_room(path, "--output", is_checked_only=True)


def options_of(arguments: argparse.Namespace) -> PageOptions:
    """Return what the command line says of the pages."""
    primer = options.primer_file(arguments)
    return options.taken(
        PageOptions,
        arguments,
        paper=Paper.of(
            arguments.paper or SIZES["envelope" if arguments.envelope else "a4"],
            landscape=arguments.landscape,
            margins=arguments.margins,
            ruling=arguments.ruling or "plain",
            spacing=arguments.ruling_spacing,
            printed=not arguments.hide_ruling,
        ),
        primer=primer if arguments.primer else None,
        tries=arguments.tries or PageOptions.tries,
    )


def run(arguments: argparse.Namespace) -> None:
    networks, writer = options.taken(Networks, arguments), None
    path, chosen = arguments.output.named("page.svg"), options_of(arguments)
    check(arguments, path, chosen.paper)
    source, text = arguments.file or "--text", "\n".join(arguments.text or ())
    if arguments.file:
        text = read_text(arguments.file, MAX_BYTES)
    from handwriting.page import write_page

    networks.load_modules()
    if arguments.resume:
        writer = networks.writer(arguments.resume, of_texts=True)
    device = networks.device
    pages = write_page(text, writer, chosen, source=source, device=device, progress=True)
    arguments.output.make()
    files = pages.save(path, nib=arguments.nib, animate=arguments.animate, dpi=arguments.dpi)
    print(*pages.notes, *files, sep="\n")
    words = sum(len(one.words) for one in pages.proofread)
    if not chosen.proofread:
        print(f"{words} words, not proofread")
        return
    again = sum(one.tries > 1 for one in pages.proofread)
    print(f"{words} words proofread, {again} of them written again")
    for doubt in pages.doubts:
        print(f"look at {doubt}")
    if arguments.report:
        make_room(arguments.report, "--report")
        names = ("text", "tries", "hypothesis", "errors", "doubt", "faults")
        each = [{name: getattr(one, name) for name in names} for one in pages.proofread]
        write_json(arguments.report, {"words": words, "doubts": pages.doubts, "each": each})
        print(arguments.report)
