"""Make a style from ink: a hand with a name."""

import argparse
from pathlib import Path

from apps.pages.styles import OWN_STYLES, styles, write_style
from base.run.pretrained import pretrained
from commands.shared import network_options
from commands.shared.options import Parser
from utils.checks import UserError
from utils.files import PLAIN_NAME, prepare_output

MAX_STYLE_POINTS = 4000
"""Points of a style's ink, which primes every line (assumed: as many as five lines)."""


def add_options(parser: Parser) -> None:
    add = parser.add_argument
    add("action", choices=("make",), help="make a style")
    ink = "file of lines in the hand, in any format that `read` accepts, or a folder of such "
    ink += "files; the style has the ink of the first line"
    add("--ink", type=Path, required=True, metavar="PATH", help=ink)
    add("--text", help="text of the first line (default: the text in the file)")
    name = "name of the style: a letter or digit, then letters, digits, -, _ and ."
    add("--name", required=True, help=name)
    network = f"network that writes in the style: {', '.join(pretrained())} (default: writer)"
    add("-r", "--resume", choices=[*pretrained()], metavar="NETWORK", help=network)
    output = "JSON file, or a folder (default: saved/styles)"
    add("--output", type=Path, default=OWN_STYLES, metavar="PATH", help=output)


def run(arguments: argparse.Namespace) -> None:
    """Save a style: a line of ink in its file's units, its text, and the hand's descriptor."""
    if not PLAIN_NAME.fullmatch(arguments.name):
        raise UserError(f"--name {arguments.name}: letters, digits, -, _ and . are accepted")
    network_options.check_readable(arguments.ink)
    from apps.pages.hands import descriptor_of
    from ink.measures import too_wide
    from ink.reading import read_ink

    lines = read_ink(arguments.ink)
    sample = lines[0]
    text = sample.text if arguments.text is None else arguments.text
    if not text or not text.strip():
        raise UserError(f"{arguments.ink} contains no text for {sample.name}: give it with --text")
    if len(sample.ink) > MAX_STYLE_POINTS:
        limit = f"at most {MAX_STYLE_POINTS:,} are allowed"
        raise UserError(f"{sample.name} has {len(sample.ink):,} points; {limit}")
    if too_wide(sample.ink, text):
        raise UserError(f"{sample.name} is far too wide for {text[:40]!r}: is a point far off?")
    path = arguments.output
    if path.suffix.lower() != ".json":
        path = path / f"{arguments.name}.json"
    prepare_output(path, "--output")
    if path.exists() or (arguments.output == OWN_STYLES and arguments.name in styles()):
        raise UserError(f"{path} is there already: choose another name, or delete it first")
    hand, _ = descriptor_of([line.ink for line in lines])
    write_style(path, sample.ink, text, arguments.name, hand.tolist(), arguments.resume)
    print(f"{path}  ({len(sample.ink)} points, {text!r})")
