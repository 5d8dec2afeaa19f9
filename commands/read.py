"""Read ink files, or folders of them, in any supported format."""

import argparse
from pathlib import Path

from commands import options, search_options
from commands.options import Parser


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
    search_options.add_search(parser)
    options.add_overrides(parser)
    options.add_output(parser, (".png",))


def check(arguments: argparse.Namespace) -> None:
    search_options.check_search(arguments)


def run(arguments: argparse.Namespace) -> None:
    options.readable(*arguments.paths, search_options.language_file(arguments))
    reader = options.load(arguments.resume, arguments, to="read")
    from data_loader import read_ink
    from model.recognition.transcribing import Transcription, score
    from utils.plots import draw_lines

    samples = [sample for path in arguments.paths for sample in read_ink(path)]
    options.make_output(arguments.output, (".png",))
    search = search_options.search_of(reader, arguments)
    texts = reader.read_lines([one.ink for one in samples], search, progress=True)
    for one, text in zip(samples, texts, strict=True):
        print(f"{one.name}\t{text}")
    known = [
        Transcription(one.name, one.ink, one.text, text)
        for one, text in zip(samples, texts, strict=True)
        if one.text is not None
    ]
    if known:
        scores = score(known)
        print(
            f"{scores['sequences']} of them have a transcription: cer {scores['cer']:.4f}, "
            f"wer {scores['wer']:.4f}"
        )
    path, shown = options.picture(arguments.output, f"{reader.name}-read.png"), options.SHOWN
    draw_lines(path, [one.ink for one in samples[:shown]], texts[:shown])
    print(f"{path}  ({min(len(samples), shown)} of {len(samples)} lines)")
