"""Fonts of hands: `make_font`, `make_pen_font`."""

import logging
from pathlib import Path

from fontTools.ttLib import TTFont

from apps.pages.font_forms import HandForms, written_forms
from apps.pages.font_lines import pen_font_of
from apps.pages.hands import Hand
from apps.pages.page_hands import Hands
from apps.pages.page_options import USUAL, PageOptions
from ink.drawing.layers import Pen
from ink.formats.svg.fonts import to_svg
from model.loading import Writer
from utils.checks import UserError
from utils.licences import OPEN, OPEN_DATA, UNKNOWN

log = logging.getLogger(__name__)


def make_font(
    options: PageOptions,
    family: str,
    writer: Writer | None = None,
    *,
    device: str = "cpu",
    progress: bool = False,
) -> TTFont:
    """Write the characters of a hand, and return them as an OpenType font.

    Args:
        options: the options of pages in the hand.
        family: the name of the font.
        writer: writes all characters; None for the network of the style.
        device: the device of the networks that are loaded.
        progress: show progress bars.

    Raises:
        UserError: as `write_page` does for the hand; if a letter or digit has no legible form.
    """
    from apps.pages.font_file import FontNames, font_of  # needs skia-pathops

    hand, forms, source = _written(options, writer, device, progress)
    pen = (options.pen or Pen.width) / options.usual_size
    names = FontNames(family, hand.writer.licence or UNKNOWN, source, pen)
    return font_of(forms, names, progress=progress)


def make_pen_font(
    options: PageOptions,
    family: str,
    writer: Writer | None = None,
    *,
    device: str = "cpu",
    progress: bool = False,
) -> str:
    """Write the characters of a hand, and return them as an SVG font of single lines, for plotters.
    The arguments and errors are as in `make_font`."""
    hand, forms, source = _written(options, writer, device, progress)
    notice = f"{source}. Licence: {hand.writer.licence or UNKNOWN}."
    return to_svg(pen_font_of(family, forms), notice)


def _written(
    options: PageOptions, writer: Writer | None, device: str, progress: bool
) -> tuple[Hand, HandForms, str]:
    """Return a hand, the forms of its characters, and a sentence on the hand."""
    hands = Hands(writer, options, device, progress)
    hand = hands.of(options.look)
    style = "" if options.style == USUAL else f" in the hand {Path(options.style).stem}"
    source = f"Written by the network {hand.writer.path.stem}{style}, and proofread"
    if hand.writer.licence == OPEN:
        source += f". The network learned from {OPEN_DATA}"
    forms = written_forms(hand, options.seed, progress=progress)
    check_complete(hand.writer.model.alphabet.characters, forms)
    return hand, forms, source


def check_complete(alphabet: str, forms: HandForms) -> None:
    """Log which signs of an alphabet a hand has no form of; raise a UserError if it has none of a
    letter or digit."""
    missing = sorted({*alphabet} - {form.text for form in forms.forms} - {" "})
    needed = [character for character in missing if character.isalnum()]
    if needed:
        raise UserError(f"the hand wrote no legible {' '.join(needed)}: try another seed or bias")
    if missing:
        log.warning("the font lacks %s: the hand wrote none that is legible", " ".join(missing))
