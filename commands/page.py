"""Lay out a text on paper, in one hand, as SVG, PDF, PNG, InkML or JSON."""

import argparse
import shlex
from pathlib import Path

import handwriting
from base.pretrained import resolve_checkpoint
from commands import options
from commands.options import Networks, Parser, number, require, value
from handwriting.page_options import (
    HEIGHT,
    LINE_HEIGHT,
    LOOK_PARSERS,
    PROOFREADERS,
    SECOND,
    USUAL,
    PageOptions,
)
from handwriting.paper import RULINGS, SIZES, Paper, size_of
from handwriting.styles import USUAL_STYLES
from utils.checks import UserError
from utils.files import make_room, read_text
from utils.page.layers import Pen
from utils.page.page import DPI, KINDS

ALIGNED = "alignment: left, right, centred (or centre, center), justified (default: %(default)s)"
DOUBTFUL = "doubtful"  # value of --rewrite for all doubtful words
MAX_BYTES = 500_000  # limit on a text (assumed: a long novel, whose pages take hours to write)


def rewrite_target(text: str) -> tuple[int, int, int] | str:
    """Parse a value of --rewrite: the address of a word, or `DOUBTFUL`."""
    try:
        return text if text == DOUBTFUL else options.word_address(text)
    except UserError as error:
        raise UserError(f"{error}, or {DOUBTFUL}") from None


def margins(text: str) -> tuple[float, float, float, float]:
    """Parse the value of --margins: one number for all sides, or four numbers."""
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
    options.add_shared(parser, "--bias", "--pen-sharpness", "--extra")
    options.add_seed(parser, "seed of the first line, incremented for each further one")
    options.add_shared(parser, "--skip-unknown")
    options.add_output(parser, KINDS)
    chosen = ", ".join(f"{style} by {name}" for name, style in USUAL_STYLES.items())
    usual = f"{chosen}; else the hand that was learned, or own"
    options.add_primer(parser, USUAL, usual)
    add_paper(parser)
    add_look(parser)
    proofreading = parser.add_mutually_exclusive_group()
    readers = f"{PROOFREADERS}; and {SECOND}"
    read = f"read every word back, and write it again if it is misread (default: {readers})"
    proofreading.add_argument(
        "--proofread", dest="reader", nargs="?", metavar="RECOGNISER", help=read
    )
    once = "write every word once"
    proofreading.add_argument("--no-proofread", dest="proofread", action="store_false", help=once)
    options.add_shared(parser, "--tries")
    memory = "JSON of the pages and of what was read of their words, from which --rewrite goes on "
    memory += "(default: beside the output, if a word is doubtful)"
    add("--report", type=Path, metavar="FILE", help=memory)
    which = "write words of the pages of --report again, and leave all else as it is: page, row "
    which += f"and number of each, or {DOUBTFUL}"
    add("--rewrite", nargs="+", type=value(rewrite_target), metavar="PAGE:ROW:WORD", help=which)
    add("--dpi", type=number(int, 10, 1200), help=f"pixels per inch of a PNG (default: {DPI})")


def add_paper(parser: Parser) -> None:
    """Add the options of the paper."""
    add = parser.add_argument
    spacing = "distance of the ruling's lines (default: 8.5 ruled, 5 others)"
    sizes = f"{', '.join(SIZES)}, or width x height in mm, e.g. 100x150"
    sizes += " (default: a4)"
    add("--paper", type=value(size_of), default=SIZES["a4"], metavar="SIZE", help=sizes)
    add("--landscape", action="store_true", help="turn the sheet: the longer side is its width")
    margin = "mm, or one for all (default: 22,20,22,25; if small, a tenth of the shorter side)"
    add("--margins", type=value(margins), metavar="TOP,RIGHT,BOTTOM,LEFT", help=margin)
    add("--ruling", choices=RULINGS, help="kind of paper (default: plain)")
    add("--ruling-spacing", type=number(float, 1, 100), metavar="MM", help=spacing)
    fit = "use the largest size, from half of --size, at which the text fits on SHEETS, or on one; "
    fit += "without --size, short lines become as wide as the sheet"
    add("--fit", nargs="?", const=1, type=number(int, 1, 1000), metavar="SHEETS", help=fit)


def add_look(parser: Parser) -> None:
    """Add the options of the look of the writing."""
    add, kinds = parser.add_argument, {name: value(parse) for name, parse in LOOK_PARSERS.items()}
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
    width = f"width of the pen (default: in proportion to the size, {Pen.width:g} at {HEIGHT:g})"
    add("--pen-width", dest="pen", type=kinds["pen"], metavar="MM", help=width)
    traced = "letters to go over: light or dotted"
    add("--trace", type=kinds["trace"], metavar="KIND", help=traced)
    ink = {"type": kinds["colour"], "default": Pen.colour, "metavar": "COLOUR"}
    add("--colour", "--color", **ink, help=f"colour of the ink: #rrggbb, or a name of CSS{usual}")


def check(arguments: argparse.Namespace) -> None:
    """Refuse options of pages that do not go together, or name files that cannot be read.

    Raises:
        UserError: names the options or the file.
    """
    if (arguments.file is None) == (arguments.text is None):
        raise UserError("give a text to write: either FILE or --text")
    require(arguments, ruling_spacing="ruling", tries="proofread", report="proofread")
    options.check_readable(arguments.primer)
    if arguments.reader:
        resolve_checkpoint(arguments.reader)


def check_rewrite(arguments: argparse.Namespace) -> None:
    """Refuse --rewrite without --report, or with options that the report's pages already have.

    Raises:
        UserError: names the options.
    """
    require(arguments, rewrite="report")
    allowed = ("rewrite", "report", "device", "modules", "output", "dpi")
    names = {"file": "FILE", "resume": "-r", "pen": "--pen-width", "extras": "--extra"}
    names |= {"reader": "--proofread", "proofread": "--no-proofread"}
    add_options(parser := Parser())
    defaults = vars(parser.parse([]))
    changed = [
        names.get(name, f"--{name.replace('_', '-')}")
        for name, chosen in vars(arguments).items()
        if name not in allowed and chosen != defaults[name]
    ]
    if changed:
        raise UserError(f"--rewrite takes these from --report: leave out {', '.join(changed)}")
    options.check_readable(arguments.report)


def check_output(arguments: argparse.Namespace, path: Path) -> None:
    """Refuse --dpi for a format without pixels, and output that cannot be written.

    Raises:
        UserError: names the options.
    """
    kind = path.suffix.lower()
    if arguments.dpi and kind != ".png":
        raise UserError(f"--dpi is for --output FILE ending in .png, not {kind}")
    if arguments.report:
        make_room(arguments.report, "--report", is_checked_only=True)
    make_room(path, "--output", is_checked_only=True)


def options_of(arguments: argparse.Namespace) -> PageOptions:
    """Return the options of the pages on the command line."""
    primer = options.primer_file(arguments)
    return options.taken(
        PageOptions,
        arguments,
        paper=Paper.of(
            arguments.paper,
            landscape=arguments.landscape,
            margins=arguments.margins,
            ruling=arguments.ruling or "plain",
            spacing=arguments.ruling_spacing,
        ),
        primer=primer if arguments.primer else None,
        tries=arguments.tries or PageOptions.tries,
        extras=dict(arguments.extras),
    )


def run(arguments: argparse.Namespace) -> None:
    networks, path = options.taken(Networks, arguments), arguments.output.named("page.svg")
    rewritten, dpi = arguments.rewrite, arguments.dpi
    if rewritten:
        check_rewrite(arguments)
        pages = handwriting.load_report(arguments.report)
        page_options, checkpoint = pages.origin.options, pages.origin.network
    else:
        check(arguments)
        page_options, checkpoint = options_of(arguments), arguments.resume
    check_output(arguments, path)
    source, text = arguments.file or "--text", "\n".join(arguments.text or ())
    if arguments.file:
        text = read_text(arguments.file, MAX_BYTES)
    networks.load_modules()
    writer = networks.writer(checkpoint, of_texts=True) if checkpoint else None
    loading = {"device": networks.device, "progress": True}
    if rewritten:
        addresses = None if DOUBTFUL in rewritten else rewritten
        pages = handwriting.rewrite(pages, addresses, writer, **loading)
    else:
        pages = handwriting.write_page(text, writer, page_options, source=source, **loading)
    arguments.output.make()
    print(*pages.remarks, *pages.save(path, dpi=dpi or DPI), sep="\n")
    words = sum(len(row.words) for page in pages for row in page.rows)
    if not page_options.proofread:
        print(f"{words} words, not proofread")
        return
    again = sum(word.tries > 1 for word in pages.proofread)
    print(f"{words} words proofread, {again} of them written again")
    for doubt in pages.doubts:
        print(f"look at {doubt}")
    report = arguments.report or path.with_name(f"{path.stem}-report.json")
    if arguments.report or pages.doubts:
        make_room(report, "--report")
        handwriting.save_report(report, pages)
        print(report)
    if pages.doubts:
        command = ["python", "experiments.py", "page", "--rewrite", DOUBTFUL, "--report", report]
        command += ["--output", path]
        for module in networks.modules:
            command += ["--module", module]
        command += ["--dpi", dpi] if dpi else []
        print(f"to write these words again: {shlex.join(map(str, command))}")
