"""Read ink files, or folders of them, in any supported format."""

import argparse
from pathlib import Path

from commands import options, search_options
from commands.options import Networks, Parser


def add_options(parser: Parser) -> None:
    options.add_network(parser, default="reader")
    parser.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="ink file (IAM-OnDB's XML, InkML, stroke arrays, MNIST strokes, UNIPEN or JSON), or a "
        "folder of them",
    )
    search_options.add_options(parser)
    options.add_output(parser, (".png",))


def run(arguments: argparse.Namespace) -> None:
    chosen = search_options.options_of(arguments)
    options.check_readable(*arguments.paths)
    reader = options.taken(Networks, arguments).reader(arguments.resume)
    from data_loader import read_ink
    from model.recognition.transcribing import Transcription, score
    from utils.plots import lines_figure, write_png

    samples = [sample for path in arguments.paths for sample in read_ink(path)]
    arguments.output.make()
    inks = [one.ink for one in samples]
    texts = reader.read_lines(inks, chosen.search(reader), progress=True)
    for one, text in zip(samples, texts, strict=True):
        print(f"{one.name}\t{text}")
    known = [
        Transcription(one.name, one.ink, one.text, text)
        for one, text in zip(samples, texts, strict=True)
        if one.text
    ]
    if known:
        scores = score(known)
        found = "cer {cer:.4f}, wer {wer:.4f}".format(**scores)
        print(f"{scores['sequences']} of them have a transcription: {found}")
    path, shown = arguments.output.named(f"{reader.name}-read.png"), options.SHOWN
    write_png(path, lines_figure(inks[:shown], texts[:shown]))
    print(f"{path}  ({min(len(samples), shown)} of {len(samples)} lines)")
