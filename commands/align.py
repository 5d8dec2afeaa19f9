"""Find which points of recorded lines belong to which characters, for new lines."""

import argparse
from functools import partial
from pathlib import Path

from commands import options
from commands.options import Parser
from utils.checks import UserError


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "config",
        type=Path,
        metavar="CONFIG",
        help="config whose recorded lines are aligned, of all its splits",
    )
    options.add_network(parser, default="conditional")
    parser.add_argument(
        "--reader",
        default="recognition",
        metavar="CHECKPOINT",
        help="the recogniser that tells which characters can be read (default: recognition)",
    )
    parser.add_argument(
        "--not-text",
        default="",
        metavar="CHARACTERS",
        help="characters of the transcriptions that nobody wrote, such as # for crossed-out words "
        "(default: none)",
    )
    options.add_overrides(parser)
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("alignment.npz"),
        metavar="FILE",
        help="the table (default: alignment.npz)",
    )


def run(arguments: argparse.Namespace) -> None:
    options.readable(arguments.config)
    aligner = options.load(arguments.resume, arguments)
    reader = options.load(arguments.reader, arguments, quiet=True)
    import numpy as np

    from data_loader.synthetic.alignment import AlignedLine, Alignment
    from data_loader.synthetic.bank import check_forms, hands, look_at_pieces
    from data_loader.synthetic.cutting import measured_lines
    from model.reader import Reader
    from model.recognition.error_rates import error_counts, read_in_place
    from model.writer import Writer
    from parse_config import ConfigParser
    from utils.alphabet import nfc

    if not isinstance(reader, Reader):
        raise UserError(f"--reader {arguments.reader}: contains no network that reads")
    if isinstance(aligner, Writer) and aligner.model.needs_text:
        from model.generation.aligning import align
    elif isinstance(aligner, Reader) and aligner.model.head == "ctc":
        from model.recognition.aligning import align
    else:
        raise UserError(
            f"{aligner.path} contains a {type(aligner.model).__name__}: a network that writes "
            "texts, or a recogniser with CTC, can align"
        )
    options.make_room(arguments.output, "--output")
    config = ConfigParser.from_file(arguments.config, arguments.overrides)
    loader = config.build("data_loader", 0, aligner.model.normalisation, aligner.model.alphabet)
    source = loader.source
    source.prepare()
    used = np.unique(np.concatenate(list(source.split_indices().values()))).tolist()
    known = aligner.model.alphabet
    text_of = {
        index: text
        for index in used
        if (text := nfc(source.text(index)))
        and not known.unknown(text)
        and source.lengths[index] > len(text)
    }
    if not text_of:
        raise UserError(
            f"{arguments.config}: no line has a text in the characters of {aligner.path}, and more "
            "points than characters"
        )
    check_forms(source, text_of)
    indices, texts = list(text_of), list(text_of.values())
    inks = [source.ink(index) for index in indices]
    found = align(aligner.model, inks, texts, progress=True)
    read = reader.read_lines(inks, progress=True)
    lines = {}
    for index, text, counts, hypothesis in zip(indices, texts, found, read, strict=True):
        errors = error_counts(text, hypothesis).character_errors
        written = [one not in arguments.not_text for one in text]
        flags = read_in_place(text, hypothesis) & written
        lines[source.name(index)] = AlignedLine(counts, flags, np.zeros_like(flags), errors)
    table = Alignment(lines)
    measured = measured_lines(source, indices, table)
    found = hands((source.hand(index), line) for index, line in measured)
    tried, passed = look_at_pieces(found.values(), partial(reader.read_lines, progress=True))
    table.save(arguments.output)
    characters = sum(len(line.read) for line in lines.values())
    right = sum(int(line.read.sum()) for line in lines.values())
    print(
        f"{arguments.output}  ({len(lines):,} lines, {characters:,} characters, "
        f"{right / max(characters, 1):.4f} of them read; of {tried:,} cut out, "
        f"{passed / max(tried, 1):.4f})"
    )
