"""Lay out a text on paper, in one hand, as SVG, PDF, PNG, InkML or JSON."""

import argparse
import shlex
from pathlib import Path

import handwriting
from base.pretrained import resolve_checkpoint
from commands import options, writing_options
from commands.options import Networks, Parser, number, require, value
from handwriting.page_options import (
    LINE_HEIGHT,
    LOOK_PARSERS,
    PROOFREADERS,
    SECOND,
    USUAL,
    X_HEIGHT,
    PageOptions,
)
from handwriting.paper import RULINGS, SIZES, Paper, size_of
from handwriting.styles import USUAL_STYLES
from utils.checks import UserError
from utils.files import prepare_output, read_text
from utils.page.layers import Pen
from utils.page.page import DPI, KINDS

ALIGNED = "alignment: left, right, centred (or centre, center), justified (default: %(default)s)"
DOUBTFUL = "doubtful"  # value of --rewrite for all doubtful words
MAX_BYTES = 500_000  # of the longest text (assumed: a long novel, which takes hours to write)


def rewrite_target(text: str) -> tuple[int, int, int] | str:
    """Parse a value of --rewrite: PAGE:ROW:WORD, or `DOUBTFUL`."""
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
        raise UserError(f"{text!r}: must be one number of mm, or four: top,right,bottom,left")
    top, right, bottom, left = sides * 4 if len(sides) == 1 else sides
    return top, right, bottom, left


def add_options(parser: Parser) -> None:
    options.add_network(parser, of_style=True)
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="file of the text, in UTF-8; - for standard input")
    add("--text", action="append", help="paragraph, instead of FILE; may be given several times")
    writing_options.add_shared(parser, "--bias", "--pen-sharpness", "--extra")
    options.add_seed(parser, "seed of the first line, incremented for each further line")
    writing_options.add_shared(parser, "--skip-unknown")
    options.add_output(parser, KINDS)
    defaults = ", ".join(f"{style} for {network}" for network, style in USUAL_STYLES.items())
    defaults += "; for others the hand that the network learned, or own"
    writing_options.add_primer(parser, USUAL, defaults)
    add_paper(parser)
    add_look(parser)
    add_either = parser.add_mutually_exclusive_group().add_argument
    readers = f"{PROOFREADERS}; and {SECOND}"
    proofread = f"read every word back, and write misread words again (default: {readers})"
    add_either("--proofread", dest="reader", nargs="?", metavar="RECOGNISER", help=proofread)
    no_proofread = "write every word once"
    add_either("--no-proofread", dest="proofread", action="store_false", help=no_proofread)
    writing_options.add_shared(parser, "--tries")
    report = "JSON of the pages and of the readings of their words, from which --rewrite goes on "
    report += "(default: beside the output, if a word is doubtful)"
    add("--report", type=Path, metavar="FILE", help=report)
    rewrite = "write these words of the pages of --report again, and leave all else as it is: "
    rewrite += f"numbers of page, row and word, or {DOUBTFUL}"
    add("--rewrite", nargs="+", type=value(rewrite_target), metavar="PAGE:ROW:WORD", help=rewrite)
    add("--dpi", type=number(int, 10, 1200), help=f"pixels per inch of a PNG (default: {DPI})")


def add_paper(parser: Parser) -> None:
    """Add the options of the paper."""
    add = parser.add_argument
    sizes = f"{', '.join(SIZES)}, or width x height in mm, e.g. 100x150 (default: a4)"
    add("--paper", type=value(size_of), default=SIZES["a4"], metavar="SIZE", help=sizes)
    add("--landscape", action="store_true", help="turn the sheet, so that it is wider than high")
    margin = "mm, or one number for all sides (default: 22,20,22,25; on small paper a tenth of the "
    margin += "shorter side)"
    add("--margins", type=value(margins), metavar="TOP,RIGHT,BOTTOM,LEFT", help=margin)
    add("--ruling", choices=RULINGS, help="kind of paper (default: plain)")
    spacing = "distance between the ruling's lines (default: 8.5 if ruled, otherwise 5)"
    add("--ruling-spacing", type=number(float, 1, 100), metavar="MM", help=spacing)
    fit = "use the largest size, at least half of --size, at which the text fits on SHEETS "
    fit += "(default: 1); without --size, short lines become as wide as the sheet"
    add("--fit", nargs="?", const=1, type=number(int, 1, 1000), metavar="SHEETS", help=fit)


def add_look(parser: Parser) -> None:
    """Add the options of the look of the writing."""
    add, types = parser.add_argument, {name: value(parse) for name, parse in LOOK_PARSERS.items()}
    size = (
        f"x-height of the writing (default: {X_HEIGHT}; smaller on a --ruling if rows would touch)"
    )
    add("--size", type=types["size"], metavar="MM", help=size)
    height = "distance between lines; on a --ruling the next multiple of its spacing (default: "
    height += f"about {LINE_HEIGHT:g} times --size, or more if rows would touch)"
    add("--line-height", type=number(float, 0.5, 500), metavar="MM", help=height)
    slant = "slant of the writing to the right, 0 for upright (default: the hand's slant)"
    add("--slant", type=types["slant"], metavar="DEGREES", help=slant)
    add("--align", type=types["align"], default="left", metavar="SIDE", help=ALIGNED)
    indent = "indent of the first line of each paragraph (default: %(default)s)"
    add("--indent", type=types["indent"], default=0.0, metavar="MM", help=indent)
    width = f"width of the pen (default: {Pen.width:g} at a size of {X_HEIGHT:g}, in proportion)"
    add("--pen-width", dest="pen", type=types["pen"], metavar="MM", help=width)
    trace = "draw letters to trace with a pen: light or dotted"
    add("--trace", type=types["trace"], metavar="KIND", help=trace)
    colour = "colour of the ink: #rrggbb, or a name of CSS (default: %(default)s)"
    ink = {"type": types["colour"], "default": Pen.colour, "metavar": "COLOUR"}
    add("--colour", "--color", **ink, help=colour)


def check(arguments: argparse.Namespace) -> None:
    """Raise a UserError for options that contradict each other, or a file that cannot be read."""
    if (arguments.file is None) == (arguments.text is None):
        raise UserError("give a text to write: either FILE or --text")
    require(arguments, ruling_spacing="ruling", tries="proofread", report="proofread")
    options.check_readable(arguments.primer)
    if arguments.reader:
        resolve_checkpoint(arguments.reader)


def check_rewrite(arguments: argparse.Namespace) -> None:
    """Raise a UserError for --rewrite without --report, or with options that the report has."""
    require(arguments, rewrite="report")
    allowed = ("rewrite", "report", "device", "modules", "output", "dpi")
    names = {"file": "FILE", "resume": "-r", "pen": "--pen-width", "extras": "--extra"}
    names |= {"reader": "--proofread", "proofread": "--no-proofread"}
    add_options(parser := Parser())
    defaults = vars(parser.parse([]))
    changed = [
        names.get(name, f"--{name.replace('_', '-')}")
        for name, argument in vars(arguments).items()
        if name not in allowed and argument != defaults[name]
    ]
    if changed:
        raise UserError(f"--report determines these options: leave out {', '.join(changed)}")
    options.check_readable(arguments.report)


def check_output(arguments: argparse.Namespace, path: Path) -> None:
    """Raise a UserError for --dpi without a PNG, or output that cannot be written."""
    suffix = path.suffix.lower()
    if arguments.dpi and suffix != ".png":
        raise UserError(f"--dpi is for --output FILE ending in .png, not {suffix}")
    if arguments.report:
        prepare_output(arguments.report, "--report", is_checked_only=True)
    prepare_output(path, "--output", is_checked_only=True)


def options_of(arguments: argparse.Namespace) -> PageOptions:
    """Return the options of pages that the command line sets."""
    primer = writing_options.primer_file(arguments)
    return PageOptions(
        paper=Paper.of(
            arguments.paper,
            landscape=arguments.landscape,
            margins=arguments.margins,
            ruling=arguments.ruling or "plain",
            spacing=arguments.ruling_spacing,
        ),
        style=arguments.style,
        primer=primer if arguments.primer else None,
        bias=arguments.bias,
        pen_sharpness=arguments.pen_sharpness,
        extras=dict(arguments.extras),
        seed=arguments.seed,
        size=arguments.size,
        slant=arguments.slant,
        colour=arguments.colour,
        pen=arguments.pen,
        align=arguments.align,
        indent=arguments.indent,
        line_height=arguments.line_height,
        trace=arguments.trace,
        fit=arguments.fit,
        proofread=arguments.proofread,
        reader=arguments.reader,
        tries=arguments.tries or PageOptions.tries,
        skip_unknown=arguments.skip_unknown,
    )


def run(arguments: argparse.Namespace) -> None:
    networks, path = Networks.of(arguments), arguments.output.named("page.svg")
    rewrite, dpi = arguments.rewrite, arguments.dpi
    if rewrite:
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
    computing = {"device": networks.device, "progress": True}
    if rewrite:
        addresses = None if DOUBTFUL in rewrite else rewrite
        pages = handwriting.rewrite(pages, addresses, writer, **computing)
    else:
        pages = handwriting.write_page(text, writer, page_options, source=source, **computing)
    arguments.output.make()
    print(*pages.remarks, *pages.save(path, dpi=dpi or DPI), sep="\n")
    num_words = sum(len(row.words) for page in pages for row in page.rows)
    if not page_options.proofread:
        print(f"{num_words} words, not proofread")
        return
    rewritten = sum(word.tries > 1 for word in pages.proofread)
    print(f"{num_words} words proofread, {rewritten} of them written again")
    for doubt in pages.doubts:
        print(f"look at {doubt}")
    report = arguments.report or path.with_name(f"{path.stem}-report.json")
    if arguments.report or pages.doubts:
        prepare_output(report, "--report")
        handwriting.save_report(report, pages)
        print(report)
    if pages.doubts:
        command = ["python", "experiments.py", "page", "--rewrite", DOUBTFUL, "--report", report]
        command += ["--output", path]
        for module in networks.modules:
            command += ["--module", module]
        command += ["--dpi", dpi] if dpi else []
        print(f"to write these words again: {shlex.join(map(str, command))}")
