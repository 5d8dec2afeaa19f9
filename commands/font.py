"""Make a font of a hand: OpenType and WOFF2, or single lines for plotters (SVG)."""

import argparse
from importlib.util import find_spec
from pathlib import Path

import model
from apps.pages import writing_options
from apps.pages.page_options import PageOptions, network_for
from apps.pages.styles import USUAL_STYLES
from commands.shared import network_options
from commands.shared.network_options import Networks, print_visible
from commands.shared.options import Parser
from utils.checks import UserError
from utils.files import atomic_write, prepare_output, write_text

SETTINGS = ("style", "bias", "slant", "pen", "pen_sharpness", "extras")
"""The keys of --set, besides the primer's."""
PACKAGES = {"fontTools": "fonttools", "pathops": "skia-pathops", "brotli": "brotli"}
"""The packages that make fonts, by the module that is imported."""


def add_options(parser: Parser) -> None:
    network_options.add_network(parser, of_style=True)
    defaults = ", ".join(f"{style} for {network}" for network, style in USUAL_STYLES.items())
    defaults += "; for others the hand that the network learned, or own"
    writing_options.add_style(parser, defaults)
    writing_options.add_shared(parser, "--primer")
    network_options.add_seed(parser, "seed of the words of which the font is made")
    keys = f"{', '.join(SETTINGS[1:])}, primer_text, primer_number or primer_scale, as of `page`, "
    keys += "e.g. --set pen=0.3"
    writing_options.add_set(parser, keys)
    network_options.add_output(parser, [*SAVERS])


def run(arguments: argparse.Namespace) -> None:
    path = arguments.output.named("hand.otf")
    save = SAVERS[path.suffix.lower()]
    options = options_of(arguments)
    if save is save_opentype:
        check_packages()
    elif options.pen:
        raise UserError("--set pen is for .otf: single lines have no width")
    for file in files_of(path):  # Writing takes minutes.
        prepare_output(file, "--output", is_checked_only=True)
    network_for(options, arguments.resume)  # refuses an unknown one before torch is imported
    networks = Networks(arguments.device, arguments.modules)
    networks.load_modules()
    writer = networks.writer(arguments.resume, of_texts=True) if arguments.resume else None
    arguments.output.make()
    print_visible(*save(path, options, writer, networks.device))


def files_of(path: Path) -> list[Path]:
    """Return the files of a font: an OpenType font has its WOFF2 beside it."""
    return [path, path.with_suffix(".woff2")] if path.suffix.lower() == ".otf" else [path]


def check_packages() -> None:
    """Raise a UserError if a package that makes OpenType fonts is missing."""
    missing = [package for module, package in PACKAGES.items() if not find_spec(module)]
    if missing:
        command = f"python -m pip install {' '.join(missing)}"
        raise UserError(f"fonts are made by {' and '.join(missing)}, which is missing: {command}")


def save_opentype(
    path: Path, options: PageOptions, writer: "model.Writer | None", device: str
) -> list[Path]:
    """Save an OpenType font, and WOFF2 beside it; return the files."""
    from apps.pages.font_file import font_bytes
    from apps.pages.fonts import make_font

    font = make_font(options, path.stem, writer, device=device, progress=True)
    files = files_of(path)
    for file, flavor in zip(files, (None, "woff2"), strict=True):
        data = font_bytes(font, flavor)
        atomic_write(file, lambda stream, data=data: stream.write(data))
    return files


def save_single_lines(
    path: Path, options: PageOptions, writer: "model.Writer | None", device: str
) -> list[Path]:
    """Save an SVG font of single lines; return the file."""
    from apps.pages.fonts import make_pen_font

    font = make_pen_font(options, path.stem, writer, device=device, progress=True)
    write_text(path, font)
    return [path]


SAVERS = {".otf": save_opentype, ".svg": save_single_lines}
"""The function that saves a font, by the suffix of its file."""


def options_of(arguments: argparse.Namespace) -> PageOptions:
    """Return the options of the hand; as of a page, if it were written."""
    values = writing_options.values_of(arguments, [*SETTINGS, *writing_options.PRIMER_KEYS])
    primer = writing_options.primer_of(arguments, values)
    return PageOptions(primer=primer, seed=arguments.seed, **values)
