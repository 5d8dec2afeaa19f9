"""Make the sample of a hand from ink, or draw all that there are."""

import argparse
from pathlib import Path

from base.pretrained import STYLES, network_of, pretrained, styles
from commands import options
from commands.options import Networks, Parser, number
from handwriting.networks import sampling_of
from handwriting.options import PrimerFile
from utils.alphabet import PANGRAM
from utils.checks import UserError
from utils.files import PLAIN_NAME, make_room

LONGEST = 4000
"""Points of a sample at most (assumed: five lines; all of them are read before each line)."""
OF = dict.fromkeys(("ink", "number", "name"), "make")
OF |= dict.fromkeys(("bias", "pen_sharpness", "seed"), "list")
"""Options that are for one of the two actions, by name."""


def add_options(parser: Parser) -> None:
    options.add_network(parser, of_style=True)
    options.add_shared(parser, "--bias", "--pen-sharpness")
    options.add_seed(parser, "list: seed of each line", None)
    add = parser.add_argument
    add("action", choices=("make", "list"), help="make a style, or draw all of them")
    ink = "make: a line of the hand, in any format that `read` accepts"
    add("--ink", type=Path, metavar="FILE", help=ink)
    add(
        "--number",
        type=number(int, 0),
        metavar="N",
        help="make: number of the sample in the file, from 0",
    )
    add(
        "--text",
        help="make: text of the ink (default: the one in its file); list: text to write in each "
        f"style (default: {PANGRAM!r})",
    )
    add("--name", help="make: name of the style, in letters, digits, -, _ and .")
    add(
        "--output",
        type=Path,
        metavar="PATH",
        help="make: the file, or a folder (default: saved/styles); list: the picture, or a folder "
        "(default: saved/figures)",
    )


def run(arguments: argparse.Namespace) -> None:
    for name, action in OF.items():
        if action != arguments.action and getattr(arguments, name) is not None:
            raise UserError(f"--{name.replace('_', '-')} is for `style {action}`")
    if arguments.action == "make":
        if arguments.ink is None or not PLAIN_NAME.fullmatch(arguments.name or ""):
            raise UserError(
                "`style make` needs --ink FILE and --name NAME: of letters, digits, -, _ and ., "
                "and first a letter or digit"
            )
        source = PrimerFile(arguments.ink, arguments.text, arguments.number or 0)
        make(source, arguments.name, arguments.resume, arguments.output or STYLES)
        return
    known = styles()
    if not known:
        raise UserError(f"there are no styles in {STYLES}: `style make` makes one")
    networks = options.taken(Networks, arguments)
    named = [arguments.resume or network_of(file) for file in known.values()]
    writers = {one: networks.writer(one, of_texts=True) for one in dict.fromkeys(named)}
    from handwriting.hand import write_lines
    from handwriting.primers import load_primer
    from utils.plots import lines_figure, write_png

    inks, seeds = [], [arguments.seed or 0]
    for file, one in zip(known.values(), named, strict=True):
        writer, asked = writers[one], [arguments.text or PANGRAM]
        texts = options.without_unknown(writer.model.alphabet, asked, None)
        sampling = sampling_of(writer, arguments.bias, arguments.pen_sharpness)
        primer, _ = load_primer(PrimerFile(file), writer)
        (line,) = write_lines(writer, texts, seeds, sampling, primer=primer)
        inks.append(line.visible)
    output = options.Output(arguments.output or options.FIGURES, (".png",))
    output.make()
    path = output.named("styles.png")
    write_png(path, lines_figure(inks, list(known)))
    print(path)


def make(source: PrimerFile, name: str, network: str | None, path: Path) -> None:
    """Save a style: a line of ink in its own units, its text, and where it is from."""
    options.check_readable(source.path)
    from handwriting.primers import sample_of
    from utils.hand_measures import too_wide
    from utils.style_file import write_style

    one, _ = sample_of(source.path, source.number, "--number")
    text = one.text if source.text is None else source.text
    if not text or not text.strip():
        raise UserError(f"{source.path} contains no text for {one.name}: give it with --text")
    if len(one.ink) > LONGEST:
        raise UserError(f"{one.name} has {len(one.ink):,} points: a line of at most {LONGEST:,}")
    if too_wide(one.ink, text):
        raise UserError(f"{one.name} is far wider than {text[:40]!r}: has it a point far off?")
    if network not in (None, *pretrained()):
        raise UserError(f"-r {network}: a style names one of {', '.join(pretrained())}")
    path = path if path.suffix.lower() == ".json" else path / f"{name}.json"
    make_room(path, "--output")
    if path.exists():
        raise UserError(f"{path} is there already: choose another name, or delete it first")
    write_style(path, one.ink, text, name, network)
    print(f"{path}  ({len(one.ink)} points, {text!r})")
