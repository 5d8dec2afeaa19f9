"""Lay out a text on paper, in one hand, as SVG, PDF, PNG, InkML or JSON."""

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from base.pretrained import STYLE, style_file, style_of
from commands import options, page_text, primer_options
from commands.options import Parser, number, require, typed
from utils.checks import UserError
from utils.files import write_text
from utils.page.page import Page, Pen
from utils.page.paper import DPI, RULINGS, SIZES, Paper, check_pixels, size

KINDS = {".svg": ("nib", "animate"), ".pdf": ("nib",), ".png": ("nib", "dpi"), ".inkml": (),
         ".json": ()}  # fmt: skip
"""Suffixes of a page, and the options that are for some of them only."""
ALIGNMENTS = ("left", "right", "centred", "justified")
LINE_HEIGHT = 3.9
"""Default height of a line in x-heights (assumed: 8.5 mm at 2.2 mm)."""
HEIGHT = 2.2
"""Default x-height in mm (assumed: some 60 characters stand in a line of A4)."""

Look = Mapping[str, Any]
"""How a line of the text is written: `OF_PASSAGE` by name."""


def margins(text: str) -> tuple[float, float, float, float]:
    """Return the value of --margins: one number or four."""
    try:
        found = [float(part) for part in text.split(",")]
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
    "bias": number(float, 0, 100),
    "size": number(float, 0.3, 100),
    "slant": number(float, -45, 45),
    "colour": typed(colour),
    "pen": number(float, 0.01, 10),
    "align": typed(alignment),
    "indent": number(float, 0, 500),
}
"""What may differ from passage to passage, and what takes the value of its option."""


def add_options(parser: Parser) -> None:
    options.add_network(parser, default="writer")
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="text to write, UTF-8; - reads standard input")
    add("--text", action="append", help="a paragraph, instead of FILE; may be given several times")
    options.add_bias(parser)
    options.add_pen_sharpness(parser)
    options.add_seed(parser, "seed of the first line, incremented for each further one")
    options.add_output(parser, tuple(KINDS))
    primer_options.add_options(parser, f"{STYLE} by writer; else the hand that was learned, or own")
    add_paper(parser)
    add_look(parser)
    proofreading = parser.add_mutually_exclusive_group()
    proofreading.add_argument(
        "--proofread",
        nargs="?",
        const="reader",
        default="reader",
        metavar="RECOGNISER",
        help="read every line back, and write it again if it is misread",
    )
    proofreading.add_argument(
        "--no-proofread", dest="proofread", action="store_false", help="write every line once"
    )
    tries = "how often a line is written at most (default: 4)"
    add("--tries", type=number(int, 1, 100), metavar="N", help=tries)
    add("--report", type=Path, metavar="FILE", help="save what was proofread as JSON")
    add("--dpi", type=number(int, 10, 2400), help=f"of a PNG (default: {DPI})")
    drawing = parser.add_mutually_exclusive_group()
    drawing.add_argument(
        "--nib",
        action="store_true",
        help="SVG, PDF, PNG: strokes are thinner where the pen is fast; not for plotters",
    )
    drawing.add_argument(
        "--animate",
        nargs="?",
        const=1.0,
        type=number(float, 0.01, 100),
        metavar="SPEED",
        help="SVG: the page writes itself, SPEED times as fast as the pen",
    )


def add_paper(parser: Parser) -> None:
    """Add the options of the paper."""
    add, spacing = parser.add_argument, "of the paper's lines (default: 8.5 ruled, 5 others)"
    sizes = f"{', '.join(SIZES)}, or width x height in mm, e.g. 100x150"
    add("--paper", default="a4", type=typed(size), metavar="SIZE", help=sizes)
    add("--landscape", action="store_true", help="the longer side across")
    add(
        "--margins",
        type=typed(margins),
        metavar="TOP,RIGHT,BOTTOM,LEFT",
        help="in mm, or one number for all (default: 22,20,22,25; small sheets: a tenth of the "
        "shorter side)",
    )
    add("--ruling", choices=RULINGS, help="lines of the paper (default: plain)")
    add("--ruling-spacing", type=number(float, 1, 100), metavar="MM", help=spacing)
    add("--hide-ruling", action="store_true", help="write on the ruling, but do not draw it")


def add_look(parser: Parser) -> None:
    """Add the options of what stands on the paper."""
    add, kinds = parser.add_argument, OF_PASSAGE
    add("--size", type=kinds["size"], default=HEIGHT, metavar="MM", help="x-height of the writing")
    add(
        "--line-height",
        type=number(float, 0.5, 500),
        metavar="MM",
        help="from line to line, on a --ruling the next multiple of its spacing (default: about "
        f"{LINE_HEIGHT:g} times --size)",
    )
    slant = "how far the writing leans from upright to the right (default: as the hand does)"
    add("--slant", type=kinds["slant"], metavar="DEGREES", help=slant)
    add("--align", type=kinds["align"], default="left", metavar="SIDE", help=", ".join(ALIGNMENTS))
    indent = "of the first line of each paragraph"
    add("--indent", type=kinds["indent"], default=0.0, metavar="MM", help=indent)
    add(
        "--liveliness",
        type=number(float, 0, 1),
        metavar="SHARE",
        help="how much of the drift of words from the line, and of the differences of blanks, is "
        "kept (default: 1, nearest to what people write)",
    )
    width = "of the ink"
    add("--pen-width", dest="pen", type=kinds["pen"], default=Pen.width, metavar="MM", help=width)
    add("--colour", type=kinds["colour"], default=Pen.colour, metavar="#RRGGBB", help=width)


def check(arguments: argparse.Namespace, path: Path, paper: Paper) -> None:
    """Refuse options that do not go together.

    Raises:
        UserError: naming them.
    """
    if (arguments.file is None) == (arguments.text is None):
        raise UserError("give a text to write: either FILE or --text")
    require(arguments, hide_ruling="ruling", ruling_spacing="ruling")
    require(arguments, tries="proofread", report="proofread")
    if arguments.report and arguments.report.resolve() == path.resolve():
        raise UserError(f"--report {arguments.report}: that is the --output; name another file")
    kind = path.suffix.lower()
    for name in ("nib", "animate", "dpi"):
        if getattr(arguments, name) and name not in KINDS[kind]:
            kinds = " or ".join(one for one, accepted in KINDS.items() if name in accepted)
            raise UserError(f"--{name} is for --output FILE ending in {kinds}, not {kind}")
    if kind == ".png":
        check_pixels(paper.width, paper.height, arguments.dpi or DPI)


def run(arguments: argparse.Namespace) -> None:
    path, paper = arguments.output.named("page.svg"), sheet(arguments)
    check(arguments, path, paper)
    options.readable(None if arguments.primer == primer_options.OWN else arguments.primer)
    text = page_text.text_of(arguments, OF_PASSAGE)
    writer = options.load(arguments.resume, arguments, to="write texts")
    from model.generation.writing import check_lengths
    from utils.page.layout import pages
    from utils.plain_text import explain, fit

    fitted = fit("\n".join(line.expandtabs(4) for _, line in text), writer.model.alphabet)
    if said := explain(fitted):
        print(said)
    check_lengths(fitted.text.split())
    usual = {name: getattr(arguments, name) for name in OF_PASSAGE if name != "style"}
    usual["style"] = None if arguments.primer else style_of(writer.path)
    usual["bias"] = options.sampling_of(arguments).bias
    lines = fitted.text.rstrip().split("\n")
    looks = [usual | values for (values, _), _ in zip(text, lines, strict=False)]
    for look in looks:
        check_room(look, line_height(arguments, look, paper), paper)
    arguments.output.make()
    if arguments.report:
        options.make_room(arguments.report, "--report")
    reader = None
    if arguments.proofread:
        reader = options.load(arguments.proofread, arguments, to="read")
    hands = hands_of(arguments, looks, writer, reader)
    found: list[Any] = []
    for one in save(arguments, path, pages(laid_out(arguments, looks, lines, hands, found), paper)):
        print(one)
    report(arguments, found)


def sheet(arguments: argparse.Namespace) -> Paper:
    """Return the paper that the options describe."""
    width, height = arguments.paper
    if arguments.landscape:
        width, height = max(width, height), min(width, height)
    small = min(width, height) < 180.0
    usual = (round(min(width, height) / 10, 1),) * 4 if small else Paper.margins
    ruling = arguments.ruling or "plain"
    spacing = arguments.ruling_spacing or RULINGS[ruling]
    shown = not arguments.hide_ruling
    return Paper(width, height, arguments.margins or usual, ruling, spacing, shown)


def line_height(arguments: argparse.Namespace, look: Look, paper: Paper) -> float:
    """Return the height of a line in mm, by default in proportion: on a ruling the nearest multiple
    of its spacing, or the least that is not below --line-height."""
    height, spacing = arguments.line_height or LINE_HEIGHT * look["size"], paper.spacing
    if paper.ruling == "plain":
        return height
    steps = height / spacing
    return max(math.ceil(steps - 1e-6) if arguments.line_height else round(steps), 1) * spacing


def check_room(look: Look, height: float, paper: Paper) -> None:
    """Refuse indents and lines for which there is no room on the paper.

    Raises:
        UserError: naming them.
    """
    if look["indent"] > paper.column / 2:
        most = f"{paper.column / 2:g} mm, half of what is between the margins"
        raise UserError(f"indent {look['indent']:g}: at most {most}")
    if height > (most := paper.bottom - paper.margins[0]):
        raise UserError(
            f"size {look['size']:g}: with lines {height:g} mm high, but there are {most:g} mm "
            "between the margins; a smaller size or --line-height, or larger paper, is needed"
        )


def hands_of(
    arguments: argparse.Namespace, looks: Sequence[Look], writer: Any, reader: Any
) -> dict[tuple[Path | None, float], Any]:
    """Return a hand for each style and bias; the same sample for all biases of a style."""
    from model.handwriting import Hand, own_hand

    given = {"tries": arguments.tries, "liveliness": arguments.liveliness}
    chosen = {name: value for name, value in given.items() if value is not None}
    sampling, primer = options.sampling_of(arguments), primer_options.take_primer(writer, arguments)
    styles = list(dict.fromkeys(look["style"] for look in looks if look["style"]))
    samples = dict(zip(styles, primer_options.samples_of(styles, writer), strict=True))
    if any(look["style"] is None for look in looks):
        samples[None] = primer or own_hand(writer, reader, arguments.seed, sampling)
    return {
        (style, bias): Hand(
            writer, samples[style], reader, replace(sampling, bias=bias), progress=True, **chosen
        )
        for style, bias in dict.fromkeys((look["style"], look["bias"]) for look in looks)
    }


def laid_out(
    arguments: argparse.Namespace,
    looks: Sequence[Look],
    lines: Sequence[str],
    hands: Mapping[tuple[Path | None, float], Any],
    found: list[Any],
) -> Iterator[Any]:
    """Yield the paragraphs of a text in millimetres, one for each of its lines.

    Args:
        arguments: of the command.
        looks: how each line is written.
        lines: of the text.
        hands: by style and bias.
        found: takes what was proofread.
    """
    from tqdm import tqdm

    from model.handwriting import Passage, write
    from utils.page import layout

    paper, passages, indents = sheet(arguments), [], []
    for look, line in zip(looks, lines, strict=True):
        hand, height = hands[look["style"], look["bias"]], look["size"]
        blanks = (len(line) - len(line.lstrip(" "))) * hand.blank * height
        room = paper.column - look["indent"]
        indents.append(min(blanks, room / 2))
        passages.append(Passage(hand, line, (room - indents[-1]) / height, look["slant"]))
    total = sum(len(passage.lines) for passage in passages)
    with tqdm(total=total, desc="page", unit="line", leave=False, disable=None) as bar:
        for look, passage, indent, (words, proofread) in zip(
            looks, passages, indents, write(passages, arguments.seed), strict=True
        ):
            found += proofread
            bar.update(len(passage.lines))
            yield layout.Paragraph(
                [layout.scaled(word, look["size"]) for word in words],
                line_height(arguments, look, paper),
                indent,
                look["indent"],
                look["align"],
                Pen(look["pen"], look["colour"]),
            )


def save(arguments: argparse.Namespace, path: Path, pages: Iterator[Page]) -> list[Path]:
    """Save pages in the format that the file's name says, and return the files."""
    if path.suffix.lower() == ".pdf":  # one file holds all pages
        from utils.page.drawing import write_pdf

        write_pdf(path, pages, path.stem, speed_widths=arguments.nib)
        return [path]
    first, second = next(pages), next(pages, None)
    if second is None:
        save_page(arguments, path, first, path.stem)
        return [path]
    paths = []
    for count, page in enumerate(chain([first, second], pages), 1):
        paths.append(path.with_name(f"{path.stem}-{count}{path.suffix}"))
        save_page(arguments, paths[-1], page, path.stem)
    return paths


def save_page(arguments: argparse.Namespace, path: Path, page: Page, title: str) -> None:
    """Save one page."""
    kind, nib = path.suffix.lower(), arguments.nib
    if kind == ".png":
        from utils.page.drawing import page_figure
        from utils.plots import write_png

        write_png(path, page_figure(page, speed_widths=nib), arguments.dpi or DPI)
    elif kind == ".inkml":
        from utils.page.inkml import page_to_inkml

        write_text(path, page_to_inkml(page))
    elif kind == ".json":
        from utils.page.page import to_json

        write_text(path, to_json(page))
    else:
        from utils.page.svg import to_svg

        write_text(path, to_svg(page, title, speed_widths=nib, animate=arguments.animate))


def report(arguments: argparse.Namespace, found: Sequence[Any]) -> None:
    """Print what proofreading found, `model.proofreading.Proofread`, and save it if asked to."""
    if not arguments.proofread:
        print(f"{len(found)} lines, not proofread")
        return
    tries, characters = sum(one.tries for one in found), sum(len(one.line.title) for one in found)
    first = sum(one.first_errors for one in found) / max(characters, 1)
    last = sum(one.errors for one in found) / max(characters, 1)
    print(
        f"{len(found)} lines, {tries} tries; characters misread {first:.2%} in the first, "
        f"{last:.2%} as they are"
    )
    doubtful = [one for one in found if one.errors or one.faults]
    for one in doubtful[: options.SHOWN]:
        faults = "".join(f"; {fault}" for fault in one.faults)
        print(f"doubtful: {one.line.title!r} is read as {one.hypothesis!r}{faults}")
    if len(doubtful) > options.SHOWN:
        print(f"and {len(doubtful) - options.SHOWN} more")
    if arguments.report:
        from utils.files import write_json

        names = ("tries", "errors", "doubt", "first_errors")
        each = [
            {"text": one.line.title, "read": one.hypothesis}
            | {name: getattr(one, name) for name in names}
            | {"faults": list(one.faults)}
            for one in found
        ]
        values = {"lines": len(found), "tries": tries, "cer_first": first, "cer": last}
        write_json(arguments.report, values | {"each": each})
        print(arguments.report)
