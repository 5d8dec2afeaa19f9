"""Lay out a text on paper, in one hand, as SVG, PDF, PNG, InkML or JSON."""

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import get_args

import handwriting
import model
from base.pretrained import STYLE, network_of, style_file, style_of
from commands import options, primer_options
from commands.options import Parser, number, require
from handwriting import layout
from handwriting.front_matter import paragraphs
from handwriting.paper import DPI, RULINGS, SIZES, Paper, check_pixels, size
from handwriting.plain_text import explain, fit, split
from handwriting.setting import (
    LAST_COLUMN,
    LINE_HEIGHT,
    Look,
    Setting,
    columns,
    enveloped,
    line_height,
)
from utils.checks import UserError
from utils.files import write_json, write_text
from utils.page import inkml, svg
from utils.page.page import Pen, Sheet, to_json

KINDS = {".svg": ("nib", "animate"), ".pdf": ("nib",), ".png": ("nib", "dpi"), ".inkml": (),
         ".json": ()}  # fmt: skip
"""Suffixes of a page, and the options that are for some of them only."""
ALIGNMENTS = {one: one for one in ("left", "right", "centred", "justified")} | {"center": "centred"}
HEIGHT = 2.2
"""Default x-height in mm (assumed: some 60 characters stand in a line of A4)."""
MAX_BYTES, MAX_LINES = 500_000, 5_000
"""Bounds of a text (assumed: a long novel, whose pages take hours to write; so many empty lines are
170 pages of A4)."""
SIZES_TRIED = [step / 40 for step in range(40, 19, -1)]
"""Sizes of a text that is made to fit, in usual ones (assumed: below half it is another page)."""
FEW_ROWS = 5
"""Rows on the last sheet, up to which one may wish that they stood on the one before (assumed)."""


def margins(text: str) -> tuple[float, float, float, float]:
    """Return the value of --margins: one number or four."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) not in (1, 4) or not all(0 <= one < 5000 for one in found):
        raise UserError(f"{text!r}: one number of mm, or four: top,right,bottom,left")
    top, right, bottom, left = found * 4 if len(found) == 1 else found
    return top, right, bottom, left


def colour(text: str) -> str:
    """Return the value of --colour as `#rrggbb`, in small letters."""
    digits = text.removeprefix("#").lower()
    if len(digits) != 6 or not set(digits) <= set("0123456789abcdef"):
        from matplotlib.colors import CSS4_COLORS  # takes a while to import

        if digits not in CSS4_COLORS:
            raise UserError(f"{text!r}: a colour as #rrggbb, such as #1b2a4e, or its name in CSS")
        return CSS4_COLORS[digits].lower()
    return f"#{digits}"


def alignment(text: str) -> str:
    """Return the value of --align."""
    if text not in ALIGNMENTS:
        raise UserError(f"{text!r}: one of {', '.join(ALIGNMENTS)} is accepted")
    return ALIGNMENTS[text]


OF_LOOK = {
    "style": style_file,
    "bias": number(float, 0, 100),
    "size": number(float, 0.3, 100),
    "slant": number(float, -45, 45),
    "colour": colour,
    "pen": number(float, 0.01, 10),
    "align": alignment,
    "indent": number(float, 0, 500),
}
"""What takes the value of each of a `Look`, of an option or of front matter."""


def add_options(parser: Parser) -> None:
    options.add_network(parser, of_style=True)
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help="text to write, UTF-8; - reads standard input")
    add("--text", action="append", help="a paragraph, instead of FILE; may be given several times")
    options.add_bias(parser)
    options.add_seed(parser, "seed of the first line, incremented for each further one")
    options.add_skip_unknown(parser)
    options.add_output(parser, tuple(KINDS))
    primer_options.add_options(parser, f"{STYLE} by writer; else the hand that was learned, or own")
    parser.set_defaults(primer=False)  # None is a hand of the network's own
    add_paper(parser)
    add_look(parser)
    proofreading = parser.add_mutually_exclusive_group()
    read = "read every word back, and write it again if it is misread"
    usual = {"const": "proofreader", "default": "proofreader", "metavar": "RECOGNISER"}
    proofreading.add_argument("--proofread", nargs="?", **usual, help=read)
    once = "write every word once"
    proofreading.add_argument("--no-proofread", dest="proofread", action="store_false", help=once)
    tries = "how often a word is written at most (default: 6)"
    add("--tries", type=number(int, 1, 100), metavar="N", help=tries)
    add("--report", type=Path, metavar="FILE", help="save what was proofread as JSON")
    add("--dpi", type=number(int, 10, 2400), help=f"of a PNG (default: {DPI})")
    drawing = parser.add_mutually_exclusive_group()
    nib = "SVG, PDF, PNG: strokes are thinner where the pen is fast; not for plotters"
    drawing.add_argument("--nib", action="store_true", help=nib)
    speed = {"const": 1.0, "type": number(float, 0.01, 100), "metavar": "SPEED"}
    itself = "SVG: the page writes itself, SPEED times as fast as the pen"
    drawing.add_argument("--animate", nargs="?", **speed, help=itself)


def add_paper(parser: Parser) -> None:
    """Add the options of the paper."""
    add, spacing = parser.add_argument, "of the paper's lines (default: 8.5 ruled, 5 others)"
    sizes = f"{', '.join(SIZES)}, or width x height in mm, e.g. 100x150"
    add("--paper", type=size, metavar="SIZE", help=f"{sizes} (default: a4; an --envelope is DL)")
    place = "the last paragraph is an address, and what is before it the sender's, in the corner"
    add("--envelope", action="store_true", help=place)
    add("--landscape", action="store_true", help="the longer side across")
    margin = "in mm, or one for all (default: 22,20,22,25; if small, a tenth of the shorter side)"
    add("--margins", type=margins, metavar="TOP,RIGHT,BOTTOM,LEFT", help=margin)
    add("--ruling", choices=RULINGS, help="lines of the paper (default: plain)")
    add("--ruling-spacing", type=number(float, 1, 100), metavar="MM", help=spacing)
    add("--hide-ruling", action="store_true", help="write on the ruling, but do not draw it")
    fit = "the largest size, from half of --size, at which the text fills one sheet, or so many"
    add("--fit", nargs="?", const=1, type=number(int, 1, 1000), metavar="SHEETS", help=fit)
    sides, where = get_args(layout.VAlign), "where the writing stands on a sheet that it leaves"
    add("--valign", choices=sides, default="top", help=f"{where} partly empty")


def add_look(parser: Parser) -> None:
    """Add the options of what stands on the paper."""
    add, kinds = parser.add_argument, OF_LOOK
    size = f"x-height of the writing (default: {HEIGHT}; on a --ruling less where rows would touch)"
    add("--size", type=kinds["size"], metavar="MM", help=size)
    usual = f"(default: about {LINE_HEIGHT:g} times --size, more where rows would touch)"
    height = f"from line to line, on a --ruling the next multiple of its spacing {usual}"
    add("--line-height", type=number(float, 0.5, 500), metavar="MM", help=height)
    slant = "how far the writing leans from upright to the right (default: as the hand does)"
    add("--slant", type=kinds["slant"], metavar="DEGREES", help=slant)
    add("--align", type=kinds["align"], default="left", metavar="SIDE", help=", ".join(ALIGNMENTS))
    indent = "of the first line of each paragraph"
    add("--indent", type=kinds["indent"], default=0.0, metavar="MM", help=indent)
    kept = "0: every word on the line, and all blanks alike; 1: nearest to what people write"
    add("--liveliness", type=number(float, 0, 1), default=1.0, metavar="SHARE", help=kept)
    width = "of the ink"
    add("--pen-width", dest="pen", type=kinds["pen"], default=Pen.width, metavar="MM", help=width)
    colour = dict(type=kinds["colour"], default=Pen.colour, metavar="COLOUR")
    add("--colour", "--color", **colour, help=f"{width}: #rrggbb, or its name in CSS")


def check(arguments: argparse.Namespace, path: Path, paper: Paper) -> None:
    """Refuse options that do not go together.

    Raises:
        UserError: naming them.
    """
    if (arguments.file is None) == (arguments.text is None):
        raise UserError("give a text to write: either FILE or --text")
    require(arguments, hide_ruling="ruling", ruling_spacing="ruling")
    require(arguments, tries="proofread", report="proofread")
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
    options.check_readable(arguments.primer or None)
    text = text_of(arguments)
    named = arguments.resume or network_of(arguments.primer or None)
    writer = options.load_writer(named, arguments, of_texts=True)
    from handwriting.passages import RAISED
    from model.generation.writing import check_lengths

    known = writer.model.alphabet
    raw = "\n".join(
        re.sub(r"^ *\t[ \t]*", lambda one: one[0].expandtabs(4), line) for _, line in text
    )
    fitted = fit(
        raw, {*known.characters, "\t", *(one for one in RAISED if not known.unknown(RAISED[one]))}
    )
    if fitted.left_out and not arguments.skip_unknown:
        options.without_unknown(known, [*fitted.left_out], skip=False)
    if said := explain(fitted):
        print(said)
    check_lengths(fitted.text.split())
    lines = fitted.text.rstrip().split("\n")
    given = {name: getattr(arguments, name) for name in OF_LOOK if name != "style"}
    given["size"] = arguments.size or HEIGHT
    usual = Look(style=style_of(writer.path) if arguments.primer is False else None, **given)
    looks = [replace(usual, **values) for (values, _), _ in zip(text, lines, strict=False)]
    if arguments.envelope:
        looks = enveloped(looks, lines, paper)
    for look in looks:
        line_height(look, arguments.line_height, paper)
    if arguments.report:
        options.make_room(arguments.report, "--report")
    arguments.output.make()
    reader = None
    if arguments.proofread:
        reader = options.load_reader(arguments.proofread, arguments)
    passages = passages_of(arguments, looks, [*map(columns, lines)], paper, writer, reader)
    found: list[handwriting.Proofread] = []
    words = written(arguments.seed, passages, found)
    indents = [first.indent for first, *_ in passages]
    setting = Setting(looks, indents, words, paper, arguments.line_height)
    pages = list(layout.pages(set_to_fit(arguments, setting), paper, arguments.valign))
    for one in save(arguments, path, pages):
        print(one)
    report(arguments, found, pages)


def sheet(arguments: argparse.Namespace) -> Paper:
    """Return the paper that the options describe."""
    width, height = arguments.paper or SIZES["envelope" if arguments.envelope else "a4"]
    if arguments.landscape:
        width, height = max(width, height), min(width, height)
    small = min(width, height) < 180.0
    usual = (round(min(width, height) / 10, 1),) * 4 if small else Paper.margins
    ruling = arguments.ruling or "plain"
    spacing = arguments.ruling_spacing or RULINGS[ruling]
    shown = not arguments.hide_ruling
    return Paper(width, height, arguments.margins or usual, ruling, spacing, shown)


def text_of(arguments: argparse.Namespace) -> list[tuple[dict[str, object], str]]:
    """Return the lines of the text to write, each with the values of the front matter before it.

    Raises:
        UserError: if it cannot be read, is too long, is not UTF-8, or its front matter has a fault.
    """
    source = arguments.file or "--text"
    if arguments.file:
        lines = split(options.read_text(arguments.file, MAX_BYTES))
    else:
        lines = split("\n".join(arguments.text))
    if len(lines) > MAX_LINES:
        raise UserError(f"{source}: {len(lines):,} lines; at most {MAX_LINES:,} are accepted")
    return paragraphs(lines, source, OF_LOOK)


def passages_of(
    arguments: argparse.Namespace,
    looks: Sequence[Look],
    lines: Sequence[Sequence[str]],
    paper: Paper,
    writer: "model.Writer",
    reader: "model.Reader | None",
) -> list[list["handwriting.Passage"]]:
    """Return the columns of each line of a text, with its hand: one sample for all biases of a
    style, written by the style's network unless one is named."""
    from handwriting.hand import TRIES, Hand, own_hand

    sampling = options.sampling_of(arguments, writer)
    given = primer_options.take_primer(writer, arguments)

    tries = arguments.tries or TRIES
    samples, hands, passages, writers = {}, {}, [], {writer.path: writer}
    for look, line in zip(looks, lines, strict=True):
        style, bias = look.style, sampling.bias if look.bias is None else look.bias
        network = network_of(style) if style and not arguments.resume else writer.path
        if network not in writers:
            writers[network] = options.load_writer(network, arguments, of_texts=True)
        if style and style not in samples:
            samples[style] = primer_options.primer_of(style, writers[network])[0]
        elif style not in samples:
            samples[None] = given or own_hand(writer, reader, arguments.seed, sampling)
        if (key := (style, bias, look.slant)) not in hands:
            own, lively = replace(sampling, bias=bias), arguments.liveliness
            by, sample = writers[network], samples[style]
            hands[key] = Hand(by, sample, reader, own, tries, lively, look.slant, True)
        width = (
            (paper.column - look.left - look.indent)
            / look.size
            * (LAST_COLUMN if line[1:] else 1.0)
        )
        passages.append([handwriting.Passage(hands[key], text, width) for text in line])
    return passages


def written(
    seed: int,
    lines: Sequence[Sequence["handwriting.Passage"]],
    found: list["handwriting.Proofread"],
) -> list[list[list[layout.Word]]]:
    """Return the words of the columns of lines, in x-heights; `found` takes what was proofread."""
    from tqdm import tqdm

    from handwriting.passages import write_passages

    passages = [*chain.from_iterable(lines)]
    total, words = sum(len(passage.lines) for passage in passages), []
    with tqdm(total=total, desc="page", unit="line", leave=False, disable=None) as bar:
        for passage, (own, read) in zip(passages, write_passages(passages, seed), strict=True):
            words.append(own)
            found += read
            bar.update(len(passage.lines))
    left = iter(words)
    return [[*islice(left, len(line))] for line in lines]


def set_to_fit(arguments: argparse.Namespace, setting: Setting) -> list[layout.Paragraph]:
    """Return paragraphs of the size that the options ask for, and print what does not fit."""
    usual, sheets = arguments.size or HEIGHT, arguments.fit or int(arguments.envelope)
    follows = not (setting.spreads or arguments.size or arguments.line_height)

    def rows(found: list[layout.Paragraph]) -> list[int]:
        return [len(page.rows) for page in layout.pages(found, setting.paper)]

    def touch(found: list[layout.Paragraph]) -> bool:
        return layout.crowding(found, setting.paper) > 1.0 + 1e-6

    def fit(found: list[layout.Paragraph]) -> bool:
        return not (sheets and len(rows(found)) > sheets) and not (follows and touch(found))

    def largest(fits: Callable[[list[layout.Paragraph]], bool]) -> float | None:
        sizes = (round(usual * factor, 2) for factor in SIZES_TRIED)
        return next((size for size in sizes if fits(setting.paragraphs(size / usual))), None)

    size = largest(fit) if sheets or follows else usual
    if size is None:
        print(f"there is no size from {usual:g} to {usual / 2:g} mm at which it fits")
    elif size < usual:
        print(f"size {size:g}: the largest that fits")
    found = setting.paragraphs((size or usual) / usual)
    last = rows(found)
    if not sheets and len(last) > 1 and last[-1] <= FEW_ROWS:
        fewer = len(last) - 1
        if smaller := largest(lambda found: len(rows(found)) <= fewer):
            print(
                f"{last[-1]} rows on the last sheet: --fit {fewer} (--size {smaller:g}) spares it"
            )
    if touch(found):
        smaller = None if setting.spreads else largest(lambda found: not touch(found))
        hint = f"--size {smaller:g}" if smaller else "a larger --line-height"
        print(f"rows touch: {hint} keeps them apart")
    return found


def save(arguments: argparse.Namespace, path: Path, pages: Sequence[Sheet]) -> list[Path]:
    """Save pages in the format that the file's name says, and return the files."""
    if path.suffix.lower() == ".pdf":  # one file holds all pages
        from utils.plots import page_figure, write_pdf

        figures = (page_figure(page, speed_widths=arguments.nib) for page in pages)
        write_pdf(path, figures, path.stem)
        return [path]
    names = [f"{path.stem}-{count}{path.suffix}" for count in range(1, len(pages) + 1)]
    paths = [path.with_name(name) for name in names] if len(pages) > 1 else [path]
    for one, page in zip(paths, pages, strict=True):
        save_page(arguments, one, page, path.stem)
    return paths


def save_page(arguments: argparse.Namespace, path: Path, page: Sheet, title: str) -> None:
    """Save one page."""
    kind = path.suffix.lower()
    if kind == ".png":
        from utils.plots import page_figure, write_png

        figure = page_figure(page, speed_widths=arguments.nib)
        write_png(path, figure, arguments.dpi or DPI)
    elif kind == ".inkml":
        write_text(path, inkml.page_to_inkml(page))
    elif kind == ".json":
        write_text(path, to_json(page))
    else:
        text = svg.to_svg(page, title, speed_widths=arguments.nib, animate=arguments.animate)
        write_text(path, text)


def report(
    arguments: argparse.Namespace, found: Sequence["handwriting.Proofread"], pages: Sequence[Sheet]
) -> None:
    """Print what proofreading found, and save it if asked to."""
    words = sum(len(one.words) for one in found)
    if not arguments.proofread:
        print(f"{words} words, not proofread")
        return
    again = sum(one.tries > 1 for one in found)
    print(f"{words} words proofread, {again} of them written again")
    doubts = [
        f"page {count}, row {row}: {doubt}"
        for count, page in enumerate(pages, 1)
        for row, one in enumerate(page.rows, 1)
        for doubt in one.doubts
    ]
    for doubt in doubts:
        print(f"look at {doubt}")
    if arguments.report:
        names = ("text", "tries", "hypothesis", "errors", "doubt", "faults")
        each = [{name: getattr(one, name) for name in names} for one in found]
        write_json(arguments.report, {"words": words, "doubts": doubts, "each": each})
        print(arguments.report)
