"""Options of a page: on the command line, in Python, and in front matter.

This module does not import torch, so that a wrong value is refused at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from handwriting.paper import Paper
from handwriting.styles import fractions_of
from utils.checks import UserError, number
from utils.page.layers import Pen

OWN = "own"  # the style that is a hand of the network's own, a new hand with each seed
USUAL = "usual"
"""The style beside a network that learned a hand, or the usual style of a pretrained network; `OWN`
for other networks."""

PROOFREADERS = "proofreader, or open_reader where the writer is free for any use"
"""The networks that `default_proofreader` returns, for help."""
SECOND = "eye"
"""The pretrained network that reads after the proofreader: a reader of pictures, free for any
use."""
HEIGHT = 2.2  # default x-height in mm (assumed: some 60 characters stand in a line of A4)
LINE_HEIGHT = 3.9
"""Default height of a line in x-heights, where rows do not touch (assumed: 8.5 mm at 2.2 mm)."""

Align = Literal["left", "right", "centred", "justified"]
"""How rows lie between the margins."""
Trace = Literal["light", "dotted"]
"""How letters are drawn for somebody to go over with a pen."""


@dataclass(frozen=True)
class PrimerFile:
    """A file of ink whose handwriting is continued.

    Attributes:
        path: the file: a style, or ink in any format that is read.
        text: of the ink; None for the text in the file.
        number: which sample of the file, from 0.
        scale: from the file's units to the units of the network's data; "auto" compares the ink
            with lines that the network writes.
    """

    path: Path
    text: str | None = None
    number: int = 0
    scale: float | Literal["auto"] = "auto"


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a line of the text is written and looks on paper; front matter may change each value.

    Attributes:
        style, bias, slant: of the hand; see `PageOptions`.
        size: x-height.
        colour, pen: of the ink, and its width; None in proportion to the size.
        align, indent: between the margins, and of a paragraph's first row.
        trace: see `PageOptions`.
    """

    style: str | Path | None = None
    bias: float | None = None
    slant: float | None = None
    size: float
    colour: str
    pen: float | None
    align: Align
    indent: float
    trace: Trace | None = None


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """How a text becomes pages. Lengths in millimetres.

    Attributes:
        paper: that the text is written on; see `Paper.of`.
        style: the name of a style, its file, `OWN` or `USUAL`.
        primer: ink that is continued instead of a usual style.
        bias, pen_sharpness: see `Sampling`; None for the usual ones.
        extras: see `Sampling`.
        seed: of the first line, incremented for each further one.
        size: x-height; None for `HEIGHT`, less on a ruling where rows would touch, or the x-height
            that a ruling of three or four lines asks for.
        slant: degrees from upright to the right; None for the hand's own.
        colour, pen: of the ink, as `#rrggbb`, and its width; None in proportion to the size.
        align, indent: how rows lie between the margins, and of a paragraph's first row.
        line_height: of a line, at least; None in proportion to the size, without rows that touch.
        trace: how letters are drawn for somebody to go over with a pen: "light" or "dotted"; None
            for usual letters.
        fit: the sheets that the text is to fill at the largest size, from half of `size` up; a
            short text with `size` None becomes as wide as the sheet.
        proofread: whether every word is read back, and a misread word written again.
        reader: the network that proofreads; None for a pretrained one, as free as the writer.
        tries: most times a word is written.
        skip_unknown: whether characters that the network does not know are left out; otherwise they
            are an error.
    """

    paper: Paper = Paper()
    style: str | Path = USUAL
    primer: PrimerFile | None = None
    bias: float | None = None
    pen_sharpness: float | None = None
    extras: Mapping[str, Any] = field(default_factory=dict, hash=False)
    seed: int = 0
    size: float | None = None
    slant: float | None = None
    colour: str = Pen.colour
    pen: float | None = None
    align: Align = "left"
    indent: float = 0.0
    line_height: float | None = None
    trace: Trace | None = None
    fit: int | None = None
    proofread: bool = True
    reader: str | Path | None = None
    tries: int = 6
    skip_unknown: bool = False

    @property
    def look(self) -> Look:
        """The look of lines without front matter before them."""
        names = ("style", "bias", "slant", "colour", "pen", "align", "indent", "trace")
        return Look(size=self.usual_size, **{name: getattr(self, name) for name in names})

    @property
    def usual_size(self) -> float:
        """The x-height: `size`, else the ruling's, else `HEIGHT`."""
        return self.size or self.paper.letter or HEIGHT


def line_height(look: Look, least: float | None, paper: Paper) -> float:
    """Return the height of a line in mm: at least `least`, or in proportion to its x-height.

    Raises:
        UserError: if there is no room for the line, or for its indent, on the paper.
    """
    if look.indent > paper.text_width / 2:
        limit = f"{paper.text_width / 2:g} mm, half of what is between the margins"
        raise UserError(f"indent {look.indent:g}: at most {limit}")
    height = paper.ruled(least) if least else paper.ruled(LINE_HEIGHT * look.size, nearest=True)
    if height > (limit := paper.bottom - paper.margins[0]):
        raise UserError(
            f"size {look.size:g}: with lines {height:g} mm high, but there are {limit:g} mm "
            "between the margins; a smaller size or --line-height, or larger paper, is needed"
        )
    return height


def style(text: str) -> str | Path:
    """Return the value of a style: `OWN`, `USUAL`, a file, or a text that mixes several styles."""
    if text in (OWN, USUAL):
        return text
    files = [*fractions_of(text)]
    return files[0] if len(files) == 1 else text


def colour(text: str) -> str:
    """Return a colour as `#rrggbb`, in small letters."""
    digits = text.removeprefix("#").lower()
    if len(digits) != 6 or not set(digits) <= set("0123456789abcdef"):
        from matplotlib.colors import CSS4_COLORS  # takes a while to import

        if digits not in CSS4_COLORS:
            raise UserError(f"{text!r}: a colour as #rrggbb, such as #1b2a4e, or its name in CSS")
        return CSS4_COLORS[digits].lower()
    return f"#{digits}"


def chosen(text: str, kind: object, **others: str) -> str:
    """Return the name of a kind that a text says; `others` are further names for these."""
    if text not in (names := [*get_args(kind), *others]):
        raise UserError(f"{text!r}: one of {', '.join(names)} is accepted")
    return others.get(text, text)


OF_LOOK = {
    "style": style,
    "bias": number(float, 0, 100),
    "size": number(float, 0.3, 100),
    "slant": number(float, -45, 45),
    "colour": colour,
    "pen": number(float, 0.01, 10),
    "align": partial(chosen, kind=Align, centre="centred", center="centred"),
    "indent": number(float, 0, 500),
    "trace": partial(chosen, kind=Trace),
}
"""By field of `Look` the function that parses its value, from an option or front matter."""
