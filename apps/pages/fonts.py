"""Fonts of hands: `make_font`."""

from pathlib import Path

from fontTools.ttLib import TTFont

from apps.pages.font_file import FontNames, font_bytes, font_of
from apps.pages.font_forms import written_forms
from apps.pages.page_hands import Hands
from apps.pages.page_options import USUAL, PageOptions
from ink.drawing.layers import Pen
from model.loading import Writer
from utils.licences import UNKNOWN

__all__ = ["font_bytes", "make_font"]


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
        UserError: as `write_page` does for the hand.
    """
    hands = Hands(writer, options, device, progress)
    hand = hands.of(options.look)
    forms = written_forms(hand, options.seed, progress=progress)
    pen = (options.pen or Pen.width) / options.usual_size
    style = "" if options.style == USUAL else f" in the hand {Path(options.style).stem}"
    source = f"Written by the network {hand.writer.path.stem}{style}, and proofread"
    names = FontNames(family, hand.writer.licence or UNKNOWN, source, pen)
    return font_of(forms, names, progress=progress)
