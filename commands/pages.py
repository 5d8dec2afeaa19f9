"""Pages of handwriting: what `write` does with a text that is laid out on paper."""

import argparse
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from commands import options
from commands.options import Parser, number, typed
from utils.checks import Range, UserError
from utils.page.page import Page, Pen
from utils.page.paper import DPI, RULINGS, SIZES, Paper, check_pixels, size

FORMATS = (".svg", ".pdf", ".png", ".inkml", ".json", ".gcode", ".hpgl")
"""Suffixes of a page."""
ONE_FILE = (".pdf", ".gcode", ".hpgl")
"""Formats of which a file holds all pages."""
ALIGNMENTS = ("left", "right", "centred", "justified")
LINE_HEIGHT = 3.9
"""Default height of a line in x-heights (assumed: 8.5 mm at 2.2 mm)."""
HEIGHT = 2.2
"""Default x-height in mm (assumed: some 60 characters stand in a line of A4)."""
BIAS = 0.75
"""Default of --bias (chosen on 400 texts of eight kinds: 2.3, 1.6 and 1.5 % of the characters
misread at 0.5, 0.75 and 1, see docs/results.md; the higher, the more hands are alike)."""
HAND_TEXT = "It was a quiet evening by the sea"
"""What the network writes for itself as the sample of a page's hand, if none is given."""
HAND_TRIES = 8

Write = Callable[[Path, Page], None]


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
        type=number(float, Range(0.3, 100)),
        metavar="MM",
        help=f"x-height of the writing (default: {HEIGHT:g}), e.g. --size 3",
    )
    add(
        "--line-height",
        type=number(float, Range(0.5, 500)),
        metavar="MM",
        help=f"from line to line (default: about {LINE_HEIGHT:g} times --size, on the ruling if "
        "there is one), e.g. --line-height 10",
    )
    add("--align", choices=ALIGNMENTS, help="(default: left)")
    add(
        "--indent",
        type=number(float, Range(0, 500)),
        metavar="MM",
        help="of the first line of each paragraph (default: 0), e.g. --indent 8",
    )
    add(
        "--liveliness",
        type=number(float, Range(0, 1)),
        metavar="SHARE",
        help="how much of the drift of words from the line, and of the differences of blanks, is "
        "kept (default: 0.7), e.g. --liveliness 1",
    )
    add(
        "--pen-width",
        type=number(float, Range(0.01, 10)),
        metavar="MM",
        help="(default: 0.4), e.g. --pen-width 0.7",
    )
    add("--colour", type=typed(colour), metavar="#RRGGBB", help="of the ink (default: dark blue)")
    add(
        "--proofread",
        nargs="?",
        const="recognition",
        metavar="RECOGNISER",
        help="read every line back, and write it again if it is misread (default: recognition)",
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
        "--optimise",
        action="store_true",
        default=None,
        help="SVG: sort strokes for plotters, for less way of the lifted pen",
    )
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
    add(
        "--machine-area",
        type=typed(size),
        metavar="WIDTHxHEIGHT",
        help="G-code, HPGL: what the pen reaches in mm (default: the sheet), e.g. 300x218",
    )
    add(
        "--machine-origin",
        choices=("bottom-left", "bottom-right", "top-left", "top-right"),
        help="G-code, HPGL: corner of the sheet where the machine's 0, 0 is "
        "(default: bottom-left; HPGL turns a sheet that is higher than wide)",
    )
    add(
        "--pen-commands",
        nargs=2,
        metavar=("UP", "DOWN"),
        help="G-code that moves the pen (default: 'M3 S0' 'M3 S90'), e.g. 'G0 Z5' 'G1 Z0 F600'",
    )
    add(
        "--feed",
        type=number(float, Range(1, 100_000)),
        metavar="MM",
        help="G-code: mm a minute of the pen on the paper (default: 1500)",
    )


NAMES = (
    *("text_file", "paper", "landscape", "margins", "ruling", "ruling_spacing", "hide_ruling"),
    *("size", "line_height", "align", "indent", "liveliness", "pen_width", "colour", "proofread"),
    *("no_proofread", "tries", "report", "dpi", "optimise", "nib", "animate", "machine_area"),
    *("machine_origin", "pen_commands", "feed"),
)
OF_LINES = ("num_samples", "steps", "inkml", "window", "density", "skip_unknown")
"""Options of `write` that are for single lines."""
NEEDS = {
    "dpi": (".png",),
    "optimise": (".svg",),
    "nib": (".svg", ".pdf", ".png"),
    "animate": (".svg",),
    "machine_area": (".gcode", ".hpgl"),
    "machine_origin": (".gcode", ".hpgl"),
    "pen_commands": (".gcode",),
    "feed": (".gcode",),
}
"""Options that only some formats have."""


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
    """Return the value of --colour."""
    digits = text.removeprefix("#").lower()
    if len(digits) != 6 or not set(digits) <= set("0123456789abcdef"):
        raise UserError(f"{text!r}: a colour as #rrggbb, such as #1b2a4e")
    return f"#{digits}"


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
    if arguments.no_proofread and (arguments.proofread or arguments.tries):
        other = "--proofread" if arguments.proofread else "--tries"
        raise UserError(f"--no-proofread and {other} contradict each other")
    kind = output(arguments).suffix.lower()
    for name, kinds in NEEDS.items():
        if name in given and kind not in kinds:
            raise UserError(
                f"{_shown(name)} is for --output FILE ending in {' or '.join(kinds)}, not {kind}"
            )
    if arguments.animate and (arguments.optimise or arguments.nib):
        raise UserError("--animate goes with neither --optimise nor --nib")
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


def text_of(arguments: argparse.Namespace) -> str:
    """Return the text to write.

    Raises:
        UserError: if it cannot be read, is not UTF-8, or there is none.
    """
    if arguments.text_file is None:
        if not arguments.text:
            raise UserError("there is no text: give --text or --text-file")
        return "\n".join(arguments.text)
    name = arguments.text_file
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"--text-file {name}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"--text-file {name}: not UTF-8 text (byte {error.start} is "
            f"0x{error.object[error.start]:02x})"
        ) from None


def run(
    arguments: argparse.Namespace, text: str, writer: Any, primer: tuple[Any, str] | None
) -> None:
    """Write the pages.

    Args:
        arguments: of `write`.
        text: see `text_of`.
        writer: the network.
        primer: the hand; None to let the network choose one by the seed.
    """
    from model.handwriting import Hand
    from utils.page.layout import pages
    from utils.plain_text import explain, fit

    if not writer.model.needs_text:
        raise UserError(f"{writer.path} contains a network without text input: a page needs one")
    fitted = fit(text.expandtabs(4), writer.model.alphabet)
    if said := explain(fitted):
        print(said)
    reader = None
    if not arguments.no_proofread:
        reader = options.load(arguments.proofread or "recognition", arguments, to="read")
    sharpening = {"bias": BIAS} | options.sharpening(arguments)
    if primer is None:
        primer = own_hand(writer, reader, arguments.seed, sharpening)
    given = {"tries": arguments.tries, "liveliness": arguments.liveliness}
    chosen = {name: value for name, value in given.items() if value is not None}
    hand = Hand(writer, primer, reader, sharpening, arguments.seed, **chosen)
    path, paper = output(arguments), sheet(arguments)
    options.make_output(path, FORMATS)
    paragraphs = laid_out(hand, fitted.text.rstrip().split("\n"), arguments, paper)
    paths = save(arguments, path, pages(paragraphs, paper))
    for one in paths:
        print(one)
    report(arguments, hand)


def own_hand(writer: Any, reader: Any, seed: int, sharpening: dict[str, float]) -> tuple[Any, str]:
    """Return a line that the network writes, and its text: the sample of the page's hand."""
    from model.proofreading import proofread

    text = "".join(one for one in HAND_TEXT if one in writer.model.alphabet)

    def write(texts: list[str], seeds: list[int]) -> list[Any]:
        return writer.write_lines(texts, seeds, **sharpening)

    def read(lines: list[Any]) -> list[str]:
        return reader.read_lines(lines) if reader else [line.title for line in lines]

    (found,) = proofread(write, read, [text], [seed], HAND_TRIES if reader else 1)
    return found.line.ink, text


def laid_out(
    hand: Any, lines: list[str], arguments: argparse.Namespace, paper: Paper
) -> Iterator[Any]:
    """Yield the paragraphs of a text in millimetres, one for each of its lines."""
    from utils.page.layout import Paragraph, scaled

    height = arguments.size or HEIGHT
    step = LINE_HEIGHT * height
    if paper.ruling != "plain":
        step = max(round(step / paper.spacing), 1) * paper.spacing
    pen = Pen(arguments.pen_width or Pen.width, arguments.colour or Pen.colour)
    indents = [len(line) - len(line.lstrip(" ")) for line in lines]
    for words, spaces in zip(hand.write(lines, paper.column / height), indents, strict=True):
        yield Paragraph(
            [scaled(word, height) for word in words],
            arguments.line_height or step,
            min(spaces * hand.blank * height, paper.column / 2),
            arguments.indent or 0.0,
            arguments.align or "left",
            pen,
        )


def save(arguments: argparse.Namespace, path: Path, pages: Iterator[Page]) -> list[Path]:
    """Save pages, and return the files."""
    kind = path.suffix.lower()
    title = path.stem
    if kind in ONE_FILE:
        if kind == ".pdf":
            from utils.page.drawing import write_pdf

            write_pdf(path, pages, title, speed_widths=bool(arguments.nib))
        else:
            plot(arguments, path, list(pages))
        return [path]
    write = page_format(arguments, kind, title)
    first, second = next(pages), next(pages, None)
    if second is None:
        write(path, first)
        return [path]
    paths = []
    for count, page in enumerate(chain([first, second], pages), 1):
        paths.append(path.with_name(f"{path.stem}-{count}{path.suffix}"))
        write(paths[-1], page)
    return paths


def page_format(arguments: argparse.Namespace, kind: str, title: str) -> Write:
    """Return what writes one page in a format."""
    nib = bool(arguments.nib)
    if kind == ".png":
        from utils.page.drawing import write_png

        return lambda path, page: write_png(path, page, dpi=arguments.dpi or DPI, speed_widths=nib)
    if kind == ".inkml":
        from utils.page.inkml import write_page_inkml

        return write_page_inkml
    if kind == ".json":
        from utils.page.page_json import write_page_json

        return write_page_json
    if arguments.animate:
        from utils.page.svg_animation import write_animated_svg

        return lambda path, page: write_animated_svg(path, page, title, speed=arguments.animate)
    from utils.page.svg_page import write_page_svg

    def write_svg(path: Path, page: Page) -> None:
        write_page_svg(path, page, title, speed_widths=nib, optimise=bool(arguments.optimise))
        if arguments.optimise:
            from utils.page.plotting import pen_up_travel

            before, after = pen_up_travel(page)
            print(f"{path}: the lifted pen moves {after:,.0f} mm instead of {before:,.0f}")

    return write_svg


def plot(arguments: argparse.Namespace, path: Path, pages: list[Page]) -> None:
    """Save pages as one program of a machine."""
    from utils.page.gcode import Commands, Machine, write_gcode
    from utils.page.hpgl import write_hpgl

    machine = None
    if arguments.machine_area or arguments.machine_origin:
        corner = (arguments.machine_origin or "bottom-left").replace("-", " ")
        machine = Machine(corner, area=arguments.machine_area)
    if path.suffix.lower() == ".hpgl":
        write_hpgl(path, pages, machine)
        return
    commands = {"feed": arguments.feed}
    commands |= dict(zip(("up", "down"), arguments.pen_commands or (None, None), strict=True))
    given = {name: value for name, value in commands.items() if value is not None}
    write_gcode(path, pages, machine, Commands(**given))


def report(arguments: argparse.Namespace, hand: Any) -> None:
    """Print what proofreading found, and save it if asked to."""
    found = hand.lines
    if hand.reader is None:
        print(f"{len(found)} lines, not proofread")
        return
    characters = sum(len(one.line.title) for one in found)
    doubtful = [one for one in found if not one.right]
    first, last = (
        sum(getattr(one, name) for one in found) / max(characters, 1)
        for name in ("first_errors", "errors")
    )
    print(
        f"{len(found)} lines, {sum(one.tries for one in found)} tries; characters misread "
        f"{first:.2%} in the first, {last:.2%} as they are"
    )
    for one in doubtful[: options.SHOWN]:
        faults = "".join(f"; {fault}" for fault in one.faults)
        print(f"doubtful: {one.line.title!r} is read as {one.hypothesis!r}{faults}")
    if len(doubtful) > options.SHOWN:
        print(f"and {len(doubtful) - options.SHOWN} more")
    if arguments.report:
        from utils.files import write_json

        write_json(
            arguments.report,
            {
                "lines": len(found),
                "tries": sum(one.tries for one in found),
                "cer_first": first,
                "cer": last,
                "each": [
                    {
                        "text": one.line.title,
                        "read": one.hypothesis,
                        "tries": one.tries,
                        "errors": one.errors,
                        "first_errors": one.first_errors,
                        "faults": list(one.faults),
                    }
                    for one in found
                ],
            },
        )
        print(arguments.report)
