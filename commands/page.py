"""Lay out a text on paper, in one hand, as SVG, PDF, PNG, InkML or JSON."""

import argparse
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from base.pretrained import STYLE, style_of
from commands import options, page_options, primer_options
from commands.options import Parser
from commands.page_files import save
from commands.page_options import BIAS, FORMATS, LINE_HEIGHT, OF_PASSAGE, output, sheet
from commands.page_text import text_of
from utils.checks import UserError
from utils.page.page import Pen
from utils.page.paper import Paper


def add_options(parser: Parser) -> None:
    options.add_network(parser, default="writer")
    add = parser.add_argument
    add(
        "file",
        nargs="?",
        metavar="FILE",
        help="text to write, UTF-8, with its paragraphs, empty lines and indents; - reads standard "
        "input",
    )
    add("--text", action="append", help="a paragraph, instead of FILE; may be given several times")
    options.add_bias(parser, BIAS)
    options.add_pen_sharpness(parser)
    options.add_seed(parser, "seed of the first line, incremented for each further one")
    options.add_output(parser, FORMATS)
    primer_options.add_options(parser, f"{STYLE} by writer; else the hand that was learned, or own")
    page_options.add_options(parser)


def check(arguments: argparse.Namespace) -> None:
    if (arguments.file is None) == (arguments.text is None):
        raise UserError("give a text to write: either FILE or --text")
    primer_options.check(arguments)
    page_options.check(arguments)


def run(arguments: argparse.Namespace) -> None:
    options.readable(arguments.primer)
    text = text_of(arguments)
    writer = options.load(arguments.resume, arguments, to="write texts")
    primer = primer_options.take_primer(writer, arguments)
    from model.generation.writing import check_lengths
    from utils.page.layout import pages
    from utils.plain_text import explain, fit

    fitted = fit("\n".join(line.expandtabs(4) for _, line in text), writer.model.alphabet)
    if said := explain(fitted):
        print(said)
    check_lengths(fitted.text.split())
    reader = None
    if arguments.proofread:
        reader = options.load(arguments.proofread, arguments, to="read")
    given = primer is not None or arguments.style == options.OWN
    usual = {name: getattr(arguments, name) for name in OF_PASSAGE}
    usual["style"] = None if given else style_of(writer.path)
    lines = fitted.text.rstrip().split("\n")
    looks = [usual | values for (values, _), _ in zip(text, lines, strict=False)]
    path, paper = output(arguments), sheet(arguments)
    for look in looks:
        check_room(look, line_height(arguments, look, paper), paper)
    options.make_output(path, FORMATS)
    if arguments.report:
        options.make_room(arguments.report, "--report")
    hands = hands_of(arguments, looks, writer, reader, primer)
    found: list[dict[str, Any]] = []
    paragraphs = laid_out(arguments, looks, lines, hands, paper, found)
    for one in save(arguments, path, pages(paragraphs, paper)):
        print(one)
    report(arguments, found)


def line_height(arguments: argparse.Namespace, look: dict[str, Any], paper: Paper) -> float:
    """Return the height of a line in mm, by default in proportion: on a ruling the nearest multiple
    of its spacing, or the least that is not below --line-height."""
    height, spacing = arguments.line_height or LINE_HEIGHT * look["size"], paper.spacing
    if paper.ruling == "plain":
        return height
    steps = height / spacing
    return max(math.ceil(steps - 1e-6) if arguments.line_height else round(steps), 1) * spacing


def check_room(look: dict[str, Any], height: float, paper: Paper) -> None:
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
    arguments: argparse.Namespace,
    looks: Iterable[dict[str, Any]],
    writer: Any,
    reader: Any,
    primer: tuple[Any, str] | None,
) -> dict[tuple[Path | None, float], Any]:
    """Return a hand for each style and bias; the same sample for all biases of a style."""
    from model.handwriting import Hand, own_hand

    given = {"tries": arguments.tries, "liveliness": arguments.liveliness}
    chosen = {name: value for name, value in given.items() if value is not None}
    sampling = options.sampling_of(arguments)
    needed = dict.fromkeys((look["style"], look["bias"]) for look in looks)
    styles = [style for style in dict.fromkeys(style for style, _ in needed) if style]
    samples = dict(zip(styles, options.samples_of(styles, writer), strict=True))
    if (None in (style for style, _ in needed)) and primer is None:
        primer = own_hand(writer, reader, arguments.seed, sampling)
    return {
        (style, bias): Hand(
            writer,
            samples[style] if style else primer,
            reader,
            replace(sampling, bias=bias),
            progress=True,
            **chosen,
        )
        for style, bias in needed
    }


def laid_out(
    arguments: argparse.Namespace,
    looks: list[dict[str, Any]],
    lines: list[str],
    hands: dict[tuple[Path | None, float], Any],
    paper: Paper,
    found: list[dict[str, Any]],
) -> Iterator[Any]:
    """Yield the paragraphs of a text in millimetres, one for each of its lines.

    Args:
        arguments: of the command.
        looks: how each line is written: `OF_PASSAGE` by name.
        lines: of the text.
        hands: by style and bias.
        paper: to write on.
        found: takes for each line that was written what `report` says.
    """
    from tqdm import tqdm

    from model.handwriting import Passage, write
    from utils.page import layout

    passages, indents = [], []
    for look, line in zip(looks, lines, strict=True):
        hand, size = hands[look["style"], look["bias"]], look["size"]
        blanks = (len(line) - len(line.lstrip(" "))) * hand.blank * size
        room = paper.column - look["indent"]
        indents.append(min(blanks, room / 2))
        passages.append(Passage(hand, line, (room - indents[-1]) / size, look["slant"]))
    total = sum(len(passage.lines) for passage in passages)
    with tqdm(total=total, desc="page", unit="line", leave=False, disable=None) as bar:
        for look, passage, indent, (words, proofread) in zip(
            looks, passages, indents, write(passages, arguments.seed), strict=True
        ):
            found += [
                {
                    "text": one.line.title,
                    "read": one.hypothesis,
                    "tries": one.tries,
                    "errors": one.errors,
                    "doubt": one.doubt,
                    "first_errors": one.first_errors,
                    "faults": list(one.faults),
                }
                for one in proofread
            ]
            bar.update(len(passage.lines))
            yield layout.Paragraph(
                [layout.scaled(word, look["size"]) for word in words],
                line_height(arguments, look, paper),
                indent,
                look["indent"],
                look["align"],
                Pen(look["pen"], look["colour"]),
            )


def report(arguments: argparse.Namespace, found: list[dict[str, Any]]) -> None:
    """Print what proofreading found, and save it if asked to.

    Args:
        arguments: of the command.
        found: of each line its `text`, what was `read`, the `tries`, the `errors` in the best and
            the `first_errors`, and other `faults`.
    """
    if not arguments.proofread:
        print(f"{len(found)} lines, not proofread")
        return
    tries, characters = sum(one["tries"] for one in found), sum(len(one["text"]) for one in found)
    first, last = (
        sum(one[name] for one in found) / max(characters, 1) for name in ("first_errors", "errors")
    )
    print(
        f"{len(found)} lines, {tries} tries; characters misread {first:.2%} in the first, "
        f"{last:.2%} as they are"
    )
    doubtful = [one for one in found if one["errors"] or one["faults"]]
    for one in doubtful[: options.SHOWN]:
        faults = "".join(f"; {fault}" for fault in one["faults"])
        print(f"doubtful: {one['text']!r} is read as {one['read']!r}{faults}")
    if len(doubtful) > options.SHOWN:
        print(f"and {len(doubtful) - options.SHOWN} more")
    if arguments.report:
        from utils.files import write_json

        values = {"lines": len(found), "tries": tries, "cer_first": first, "cer": last}
        write_json(arguments.report, values | {"each": found})
        print(arguments.report)
