"""Make a font of a hand: OpenType, and WOFF2 for the web."""

import argparse
from importlib.util import find_spec

from apps.pages import writing_options
from apps.pages.page_options import OWN, USUAL, PageOptions
from apps.pages.styles import USUAL_STYLES, network_of
from base.run.pretrained import resolve_checkpoint
from commands.shared import network_options
from commands.shared.network_options import Networks
from commands.shared.options import Parser
from utils.checks import UserError
from utils.files import atomic_write

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
    network_options.add_output(parser, [".otf"])


def run(arguments: argparse.Namespace) -> None:
    missing = [package for module, package in PACKAGES.items() if not find_spec(module)]
    if missing:
        command = f"python -m pip install {' '.join(missing)}"
        raise UserError(f"fonts are made by {' and '.join(missing)}, which is missing: {command}")
    options = options_of(arguments)
    source = options.primer.path if options.primer else options.style
    style = None if source in (OWN, USUAL) else source
    if arguments.resume:
        resolve_checkpoint(arguments.resume)
    else:
        network_of(style)  # refuses an unknown style before torch is imported
    networks = Networks(arguments.device, arguments.modules)
    networks.load_modules()
    writer = networks.writer(arguments.resume, of_texts=True) if arguments.resume else None
    from apps.pages.fonts import font_bytes, make_font

    path = arguments.output.named("hand.otf")
    arguments.output.make()
    font = make_font(options, path.stem, writer, device=networks.device, progress=True)
    for file, flavor in ((path, None), (path.with_suffix(".woff2"), "woff2")):
        data = font_bytes(font, flavor)
        atomic_write(file, lambda stream, data=data: stream.write(data))
        print(file)


def options_of(arguments: argparse.Namespace) -> PageOptions:
    """Return the options of the hand; as of a page, if it were written."""
    values = writing_options.values_of(arguments, [*SETTINGS, *writing_options.PRIMER_KEYS])
    primer = writing_options.primer_of(arguments, values)
    return PageOptions(primer=primer, seed=arguments.seed, **values)
