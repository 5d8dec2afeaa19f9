"""Options of a page: on the command line, in Python, and in front matter.

This module does not import torch, so that a wrong value is refused at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from apps.pages.paper import Paper
from apps.pages.row_breaks import parse_language
from apps.pages.styles import OWN, fractions_of, network_of
from base.run.pretrained import resolve_checkpoint
from ink.drawing.layers import Pen
from utils.checks import UserError, hint, number, short

USUAL = "usual"
"""The name of a network's usual style: the style beside a network that learned a hand, the style in
`USUAL_STYLES` of a pretrained network, `OWN` for other networks."""

PROOFREADERS = "reader, or open_reader where the writer is free for any use"
"""The networks that `default_proofreader` returns, for help texts."""
SECOND = "eye"  # the pretrained second reader: reads pictures, and is free for any use
JOINED_BIAS = 1.0  # usual bias of joined hands (measured, notebook: hands, joined hands)
X_HEIGHT = 2.2  # default x-height in mm (assumed: a row of A4 has some 60 characters)
LINE_HEIGHT = 3.9  # default height of a line in x-heights (assumed: 8.5 mm for 2.2 mm)

ALIASES = {"color": "colour", "pen_width": "pen"}
"""Other names of keys."""
Values = dict[str, object]
"""Values of front matter or --set, by key."""
Keys = Mapping[str, Callable[[str], object]]
"""For each key, the function that parses its value or raises a UserError."""

Align = Literal["left", "right", "centred", "justified"]
"""How rows lie between the margins."""
Trace = Literal["light", "dotted"]
"""How letters are drawn for somebody to go over with a pen."""


@dataclass(frozen=True)
class PrimerFile:
    """A file of ink whose handwriting is continued.

    Attributes:
        path: a style, or a file of ink in any format that `read_ink` reads.
        text: the text of the ink; None for the text in the file.
        number: index of the sample in the file, from 0.
        scale: factor from the file's units to those of the network's data; with "auto", the
            ink is levelled, and gets the x-height and the speed of lines that the network writes.
    """

    path: Path
    text: str | None = None
    number: int = 0
    scale: float | Literal["auto"] = "auto"


HandSource = PrimerFile | Path | str
"""A hand's source: a primer, the file of a style, or a text: a mix of styles, `OWN` or `USUAL`."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a text line is written and looks on paper; front matter may change each value.

    Attributes:
        size: x-height in millimetres.
        style, bias, slant, colour, pen, align, indent, trace, language, formulas: see
            `PageOptions`.
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
    language: str | None = None
    formulas: bool = False


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """How a text becomes pages. Lengths are in millimetres.

    Attributes:
        paper: the paper that the text is written on; see `Paper.of`.
        style: the name of a style, its file, a mix of styles, `OWN` or `USUAL`.
        primer: ink that is continued instead of the usual style.
        pen_font: the SVG file of a single-line font, with which a page is written without networks,
            and without proofreading; None for a hand.
        bias, pen_sharpness: see `Sampling`; None for the default.
        extras: see `Sampling`.
        seed: seed of the first line that the network writes; each further line has the next seed.
        hand_seed: seed of a hand that the network invents; None for `seed`.
        size: x-height; None for the x-height of a ruling of three or four lines, or else for
            `X_HEIGHT`, which becomes smaller on a ruling if rows would touch.
        slant: degrees from upright to the right; None for the hand's own.
        colour: colour of the ink, as `#rrggbb`.
        pen: width of the pen's line; None for a width in proportion to the size.
        align: how rows lie between the margins.
        indent: indent of a paragraph's first row.
        line_height: least height of a line; None for a height in proportion to the size, with which
            rows do not touch.
        trace: "light" or "dotted" letters, for somebody to go over with a pen; None for usual ones.
        language: the code of the language by whose rules long words are divided where a row would
            be ragged; None divides words at their soft hyphens alone.
        formulas: whether LaTeX between dollars is set as a formula.
        fit: the number of sheets that the text must fit on, at the largest size from half of `size`
            up to `size`; without `size`, short lines become as wide as the sheet.
        proofread: whether words are read back and misread words are written again.
        reader: the network that proofreads; None for a pretrained reader as free as the writer.
        tries: largest number of times that a word is written.
        skip_unknown: whether to leave out characters that the network does not know, which are
            otherwise an error.
    """

    paper: Paper = Paper()
    style: str | Path = USUAL
    primer: PrimerFile | None = None
    pen_font: str | Path | None = None
    bias: float | None = None
    pen_sharpness: float | None = None
    extras: Mapping[str, Any] = field(default_factory=dict, hash=False)
    seed: int = 0
    hand_seed: int | None = None
    size: float | None = None
    slant: float | None = None
    colour: str = Pen.colour
    pen: float | None = None
    align: Align = "left"
    indent: float = 0.0
    line_height: float | None = None
    trace: Trace | None = None
    language: str | None = None
    formulas: bool = False
    fit: int | None = None
    proofread: bool = True
    reader: str | Path | None = None
    tries: int = 6
    skip_unknown: bool = False

    def __post_init__(self) -> None:
        if self.pen_font is None:
            return
        names = ("style", "primer", "bias", "pen_sharpness", "reader", "tries")
        named = [name for name in names if getattr(self, name) != getattr(PageOptions, name)]
        named += ["extras"] if self.extras else []
        if named:
            problem = "a pen font is written and read without networks"
            raise UserError(f"{problem}: leave out {', '.join(named)}")

    @property
    def look(self) -> Look:
        """The look of text lines without front matter before them."""
        names = ("style", "bias", "slant", "colour", "pen", "align", "indent", "trace")
        names += ("language", "formulas")
        return Look(size=self.usual_size, **{name: getattr(self, name) for name in names})

    @property
    def usual_size(self) -> float:
        """The x-height: `size`, else the ruling's, else `X_HEIGHT`."""
        return self.size or self.paper.x_height or X_HEIGHT


def network_for(options: PageOptions, checkpoint: str | Path | None) -> Path:
    """Return the file or the run of the network that writes in a hand, without loading it: the
    checkpoint, if there is one, or else the pretrained network of the style.

    Raises:
        CheckpointError: if there is no such network or style.
        UserError: if styles of several networks are mixed.
    """
    if checkpoint:
        return resolve_checkpoint(checkpoint)
    style = options.primer.path if options.primer else options.style
    return network_of(None if style in (OWN, USUAL) else style)


def line_height(look: Look, min_height: float | None, paper: Paper) -> float:
    """Return the height of a line in mm: `min_height`, or, if None, a height in proportion to the
    x-height. On a ruling, the height becomes a multiple of the ruling's spacing.

    Raises:
        UserError: if there is no room for the line, or for its indent, on the paper.
    """
    if look.indent > paper.text_width / 2:
        limit = f"{paper.text_width / 2:g} mm, half of what is between the margins"
        raise UserError(f"indent {look.indent:g}: at most {limit}")
    height = paper.rounded_to_ruling(min_height or LINE_HEIGHT * look.size, nearest=not min_height)
    limit = paper.bottom - paper.top
    if height > limit:
        raise UserError(
            f"size {look.size:g}: a line is {height:g} mm high, but there are {limit:g} mm "
            "between the margins; a smaller size or line_height, or larger paper, is needed"
        )
    return height


def parse_style(text: str) -> str | Path:
    """Parse a style: return `OWN`, `USUAL`, the file of a style, or a mix of styles as a text."""
    if text in (OWN, USUAL):
        return text
    style_files = [*fractions_of(text)]
    return style_files[0] if len(style_files) == 1 else text


def colour(text: str) -> str:
    """Parse a colour, `#rrggbb` or a name in CSS: return it as `#rrggbb` in small letters."""
    digits = text.removeprefix("#").lower()
    if len(digits) != 6 or not set(digits) <= set("0123456789abcdef"):
        from matplotlib.colors import CSS4_COLORS  # slow to import

        if digits not in CSS4_COLORS:
            raise UserError(f"{text!r}: a colour as #rrggbb, such as #1b2a4e, or its name in CSS")
        return CSS4_COLORS[digits].lower()
    return f"#{digits}"


def choice(text: str, kind: object, **aliases: str) -> str:
    """Parse a value of the Literal type `kind`; `aliases` are further names of its values."""
    names = [*get_args(kind), *aliases]
    if text not in names:
        raise UserError(f"{text!r}: one of {', '.join(names)} is accepted")
    return aliases.get(text, text)


LOOK_PARSERS: Keys = {
    "style": parse_style,
    "bias": number(float, 0, 100),
    "size": number(float, 0.3, 100),
    "slant": number(float, -45, 45),
    "colour": colour,
    "pen": number(float, 0.01, 10),
    "align": partial(choice, kind=Align, centre="centred", center="centred"),
    "indent": number(float, 0, 500),
    "trace": partial(choice, kind=Trace),
    "language": parse_language,
    "formulas": lambda text: choice(text, Literal["on", "off"]) == "on",
}
"""For each field of `Look`, the function that parses its value in an option or front matter."""


def key_of(name: str) -> str:
    """Return the key of a name such as `color` or `pen-width`."""
    key = name.replace("-", "_")
    return ALIASES.get(key, key)


def parse_value(key: str, text: str, keys: Keys) -> object:
    """Return the value of a key; raise a UserError if `keys` lack the key or it has no such value.

    Front matter and the command line have this in common.
    """
    if key not in keys:
        raise UserError(f"no key {short(key)}{hint(key, keys)}")
    return keys[key](text)
