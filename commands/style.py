"""Make the sample of a hand from ink, or draw all that there are."""

import argparse
from pathlib import Path

from base.pretrained import STYLES, network_of, pretrained, styles
from commands import options
from commands.options import Parser, number
from handwriting.options import PrimerFile
from utils.alphabet import PANGRAM
from utils.checks import UserError
from utils.files import PLAIN_NAME

LONGEST = 4000
"""Points of a sample at most (assumed: five lines; all of them are read before each line)."""
OF_MAKE, OF_LIST = (
    ("ink", "number", "name"),
    ("bias", "pen_sharpness", "seed"),
)


def add_options(parser: Parser) -> None:
    options.add_network(parser, of_style=True)
    options.add_bias(parser)
    options.add_seed(parser, "list: seed of every line")
    parser.set_defaults(seed=None)  # to tell whether they are given
    add = parser.add_argument
    add("action", choices=("make", "list"), help="make a style, or draw all of them")
    ink = "make: a line of the hand, in any format that `read` accepts"
    add("--ink", type=Path, metavar="FILE", help=ink)
    add("--number", type=number(int, 0), metavar="N", help="make: which sample of the file, from 0")
    add(
        "--text",
        help="make: the text of the ink (default: the one in its file); list: what the styles "
        f"write (default: {PANGRAM!r})",
    )
    add("--name", help="make: of the style, in letters, digits, -, _ and .")
    add(
        "--output",
        type=Path,
        metavar="PATH",
        help="make: the file, or a folder (default: saved/styles); list: the picture, or a folder "
        "(default: saved/figures)",
    )


def run(arguments: argparse.Namespace) -> None:
    action, other = ("make", "list") if arguments.action == "make" else ("list", "make")
    for name in OF_LIST if action == "make" else OF_MAKE:
        if getattr(arguments, name) is not None:
            raise UserError(f"--{name.replace('_', '-')} is for `style {other}`")
    make(arguments) if action == "make" else draw(arguments)


def make(arguments: argparse.Namespace) -> None:
    """Save a style: a line of ink in its own units, its text, and where it is from."""
    from handwriting.primers import sample_of
    from utils.hand_measures import too_wide
    from utils.style_file import write_style

    if arguments.ink is None or not PLAIN_NAME.fullmatch(arguments.name or ""):
        raise UserError(
            "`style make` needs --ink FILE and --name NAME: of letters, digits, -, _ and ., and "
            "first a letter or digit"
        )
    options.check_readable(arguments.ink)
    one, _ = sample_of(arguments.ink, arguments.number or 0, "--number")
    text = one.text if arguments.text is None else arguments.text
    if not text or not text.strip():
        raise UserError(f"{arguments.ink} contains no text for {one.name}: give it with --text")
    if len(one.ink) > LONGEST:
        raise UserError(f"{one.name} has {len(one.ink):,} points: a line of at most {LONGEST:,}")
    if too_wide(one.ink, text):
        raise UserError(f"{one.name} is far wider than {text[:40]!r}: has it a point far off?")
    if arguments.resume not in (None, *pretrained()):
        raise UserError(f"-r {arguments.resume}: a style names one of {', '.join(pretrained())}")
    path = arguments.output or STYLES
    if path.suffix.lower() != ".json":
        path = path / f"{arguments.name}.json"
    options.make_room(path, "--output")
    if path.exists():
        raise UserError(f"{path} is there already: choose another name, or delete it first")
    write_style(path, one.ink, text, arguments.name, arguments.resume)
    print(f"{path}  ({len(one.ink)} points, {text!r})")


def draw(arguments: argparse.Namespace) -> None:
    """Draw one sentence in all styles."""
    known = styles()
    if not known:
        raise UserError(f"there are no styles in {STYLES}: `style make` makes one")
    networks = {name: arguments.resume or network_of(file) for name, file in known.items()}
    writers = {
        one: options.load_writer(one, arguments, of_texts=True)
        for one in dict.fromkeys(networks.values())
    }
    from handwriting.hand import write_lines
    from handwriting.primers import load_primer
    from utils.plots import lines_figure, write_png

    inks, seed = [], arguments.seed or 0
    for name, file in known.items():
        writer = writers[networks[name]]
        (text,) = options.without_unknown(writer.model.alphabet, [arguments.text or PANGRAM], None)
        sampling = options.sampling_of(arguments, writer)
        primer, _ = load_primer(PrimerFile(file), writer)
        (line,) = write_lines(writer, [text], [seed], sampling, primer=primer)
        inks.append(line.visible)
    output = options.Output(arguments.output or "saved/figures", (".png",))
    output.make()
    path = output.named("styles.png")
    write_png(path, lines_figure(inks, list(known)))
    print(path)
