"""Make a style from ink: a hand with a name."""

import argparse
from pathlib import Path

from base.pretrained import pretrained
from commands import options
from commands.options import Parser
from handwriting.styles import STYLES, write_style
from utils.checks import UserError
from utils.files import PLAIN_NAME, make_room

LONGEST = 4000  # limit on a style's points (assumed: five lines; they delay each new line)


def add_options(parser: Parser) -> None:
    add = parser.add_argument
    add("action", choices=("make",), help="make a style")
    ink = "lines of the hand, a file in any format that `read` accepts, or a folder; words are "
    ink += "shaped by the first"
    add("--ink", type=Path, required=True, metavar="PATH", help=ink)
    add("--text", help="text of the ink (default: the one in its file)")
    name = "name of the style, in letters, digits, -, _ and ., and first a letter or digit"
    add("--name", required=True, help=name)
    network = f"network that writes in it: {', '.join(pretrained())} (default: writer)"
    add("-r", "--resume", choices=[*pretrained()], metavar="NETWORK", help=network)
    where = "the file, or a folder (default: saved/styles)"
    add("--output", type=Path, default=STYLES, metavar="PATH", help=where)


def run(arguments: argparse.Namespace) -> None:
    """Save a style: a line of ink in its file's units, the line's text, and the hand vector."""
    if not PLAIN_NAME.fullmatch(arguments.name):
        raise UserError(f"--name {arguments.name}: letters, digits, -, _ and . are accepted")
    options.check_readable(arguments.ink)
    from data_loader import read_ink
    from handwriting.primers import descriptor_of
    from utils.hand_measures import too_wide

    lines = read_ink(arguments.ink)
    sample = lines[0]
    text = sample.text if arguments.text is None else arguments.text
    if not text or not text.strip():
        raise UserError(f"{arguments.ink} contains no text for {sample.name}: give it with --text")
    if len(sample.ink) > LONGEST:
        raise UserError(
            f"{sample.name} has {len(sample.ink):,} points: a line of at most {LONGEST:,}"
        )
    if too_wide(sample.ink, text):
        raise UserError(f"{sample.name} is far wider than {text[:40]!r}: has it a point far off?")
    path = arguments.output
    path = path if path.suffix.lower() == ".json" else path / f"{arguments.name}.json"
    make_room(path, "--output")
    if path.exists():
        raise UserError(f"{path} is there already: choose another name, or delete it first")
    hand, _ = descriptor_of([line.ink for line in lines])
    write_style(path, sample.ink, text, arguments.name, hand.tolist(), arguments.resume)
    print(f"{path}  ({len(sample.ink)} points, {text!r})")
