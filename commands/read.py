"""Read ink files, or folders of them, in any supported format."""

import argparse
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path

import model
from commands.shared import network_options, search_options
from commands.shared.network_options import Networks, Output
from commands.shared.options import Parser
from commands.shared.search_options import SearchOptions
from ink.sample import Sample
from utils.checks import UserError, listed, printable, visible


def add_options(parser: Parser) -> None:
    network_options.add_network(parser, default="reader")
    paths = "ink file (IAM-OnDB's XML, InkML, stroke arrays, MNIST strokes, UNIPEN, JSON, or SVG "
    paths += "of `write` and `page`), or a folder of such files"
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH", help=paths)
    text = "print only the texts, a line for each sample, and messages to stderr; draw no picture"
    parser.add_argument("--text", action="store_true", help=text)
    search_options.add_options(parser)
    network_options.add_output(parser, (".png",))


def run(arguments: argparse.Namespace) -> None:
    chosen = search_options.options_of(arguments)
    samples, faults = _samples(arguments.paths)
    if samples:
        output = None if arguments.text else arguments.output
        with redirect_stdout(sys.stdout if output else sys.stderr):
            reader = Networks.of(arguments).reader(arguments.resume)
        _read(samples, reader, chosen, output)
    if faults:
        raise UserError(faults[0] if len(faults) == 1 else listed("not read", faults))


def _samples(paths: Iterable[Path]) -> tuple[list[Sample], list[str]]:
    """Return the samples of paths, and the faults of those paths that cannot be read."""
    from ink.reading import read_ink

    samples: list[Sample] = []
    faults: list[str] = []
    for path in paths:
        try:
            network_options.check_readable(path)
            samples += read_ink(path)
        except UserError as error:
            faults.append(str(error))
    return samples, faults


def _read(
    samples: list[Sample], reader: "model.Reader", chosen: SearchOptions, output: Output | None
) -> None:
    """Read samples; print their texts alone, or draw them for `output`, and print names, too."""
    from model.recognition.readability import misgiving

    inks = [sample.ink for sample in samples]
    if output:
        output.make()
    messages = sys.stdout if output else sys.stderr
    readings = reader.proofread(inks, search=chosen.search(reader), progress=True)
    texts = [text for text, _ in readings]
    for sample, text in zip(samples, texts, strict=True):
        columns = [printable(sample.name), visible(text)] if output else [visible(text)]
        print(*columns, sep="\t")
    for sample, (text, doubt) in zip(samples, readings, strict=True):
        if reason := misgiving(sample.ink, text, doubt):
            print(f"{printable(sample.name)} can hardly be read: {reason}", file=messages)
    if not output:
        return
    from model.drawing.plots import lines_figure, write_png

    path = output.named(f"{reader.name}-read.png")
    count = network_options.MAX_PICTURED_LINES
    write_png(path, lines_figure(inks[:count], texts[:count]))
    print(f"{path}  ({min(len(samples), count)} of {len(samples)} lines)")
