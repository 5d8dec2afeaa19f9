"""Reads and writes single-line fonts of SVG 1.1, as Inkscape's Hershey Text takes them.

A glyph is a path with y upwards, in units of which `units-per-em` make the font's size.
"""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from ink.alphabet import describe, nfc, unmarked
from ink.drawing.layers import curves, decimal
from ink.formats.archives import unpacked
from ink.formats.files import MAX_INK_BYTES, read_file
from ink.formats.svg.rows import path_data
from ink.formats.svg.shapes import flattened, path_curves
from ink.formats.xml import escape, quoteattr, root_tag, xml_tree
from ink.geometry import path_along
from ink.pen_font import PenFont, PenGlyph
from ink.sample import Fault
from utils.checks import printable

HEAD_BYTES = 1 << 16  # in which the outermost element begins (assumed)
MAX_GLYPHS = 65_535  # of a font (as OpenType)
MAX_LIGATURE = 16  # characters of a glyph (assumed)
MAX_POINTS = 2_000_000  # of a font (assumed: a hundred for each of 20,000 characters)
MAX_PAIRS = 500_000  # of kerning (assumed)
MAX_REACH = 50.0  # x-heights from the start of a glyph (assumed)
MAX_LENGTH = 1_000.0  # x-heights of the lines of a glyph (assumed: ten of the longest characters)
STEPS_PER_EM = 2_000  # tolerances of flattened curves in a font's size (assumed)
USUAL_EM = 1_000.0  # units of a font's size, where a font does not say it (SVG 1.1, 20.8.3)
USUAL_X_HEIGHT = 0.5  # of a script without small letters, in sizes of the font (assumed)
X_HEIGHT = 450  # units of a font that is written (as in usual fonts: Times 450, Arial 519)
KERNING_STEP = 10  # units to which kerning is rounded (assumed: less is not seen)
USUAL_BLANK = 0.3  # of a font that has none, in sizes of the font (assumed)
_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[<>]*>")
"""The document type that most fonts declare, without entities."""
_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)\s*", re.ASCII)
_RANGE = re.compile(r"U\+([\dA-Fa-f?]{1,6})(?:-([\dA-Fa-f]{1,6}))?")


def parse(path: Path) -> PenFont:
    """Return the font in a file, or its first font.

    Raises:
        Fault: if the file cannot be read, has no font, exceeds a limit, or draws outlines.
    """
    content = _DOCTYPE.sub(b"", unpacked(read_file(path, MAX_INK_BYTES), MAX_INK_BYTES), 1)
    is_svg = root_tag(content[:HEAD_BYTES]) == "svg"
    font = next(xml_tree(content, "svg").iter("font"), None) if is_svg else None
    if font is None:
        raise Fault("no SVG font: an SVG with a <font>, whose glyphs have unicode= and d=")
    face = next(font.iter("font-face"), Element("font-face"))
    em = _number(face, "units-per-em", USUAL_EM)
    if em <= 0:
        raise Fault("units-per-em that is not above 0", f"{em:g}")
    elements = font.findall("glyph")
    if len(elements) > MAX_GLYPHS:
        raise Fault(f"more than {MAX_GLYPHS:,} glyphs", f"{len(elements):,}")
    texts = {element: _text(element) for element in elements}
    glyphs = _glyphs(texts, em, _number(font, "horiz-adv-x", 0.0))
    _check_lines(glyphs)
    stated = _number(face, "x-height", 0.0)
    x_height = _x_height(glyphs) or (stated if stated > 0 else USUAL_X_HEIGHT * em)
    name = printable(face.get("font-family") or font.get("id") or path.stem)
    scaled = {text: _scaled(text, glyph, 1 / x_height) for text, glyph in glyphs.items()}
    kerning = {pair: width / x_height for pair, width in _kerning(font, texts).items()}
    if any(abs(width) > MAX_REACH for width in kerning.values()):
        raise Fault(f"kerning of more than {MAX_REACH:g} heights of an x")
    return PenFont(name, scaled, kerning)


def to_svg(font: PenFont, notice: str = "") -> str:
    """Return a font as SVG; `notice`: what the file says of its licence and source."""
    heights = {text: _heights(glyph) for text, glyph in font.glyphs.items()}
    all_heights = np.concatenate([*heights.values()])
    top = float(all_heights.max())
    cap_height = float(heights["H"].max()) if "H" in heights else top
    face = {
        "font-family": font.name,
        "units-per-em": USUAL_EM,
        "ascent": top,
        "descent": float(all_heights.min()),
        "cap-height": cap_height,
        "x-height": X_HEIGHT,
    }
    width = f'horiz-adv-x="{decimal(X_HEIGHT)}"'
    missing = f"M50 0H{decimal(X_HEIGHT - 50)}V{decimal(cap_height)}H50Z"
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<svg xmlns="http://www.w3.org/2000/svg" version="1.1">',
        *([f"<metadata>{escape(notice)}</metadata>"] if notice else []),
        f'<defs>\n<font id="font" {width}>',
        f"<font-face{_attributes(face)}/>",
        f'<missing-glyph {width} d="{missing}"/>',
    ]
    for text, glyph in font.glyphs.items():
        name = "_".join(f"u{ord(sign):04X}" for sign in text)
        advance = X_HEIGHT * glyph.advance
        values = {"unicode": text, "glyph-name": name, "horiz-adv-x": advance}
        lines.append(f"<glyph{_attributes(values)}{_paths(glyph)}/>")
    lines += _rules(font.kerning)
    return "\n".join([*lines, "</font>\n</defs>\n</svg>\n"])


def _attributes(values: Mapping[str, str | float]) -> str:
    """Return attributes, with a blank before each; lengths are rounded to whole units."""
    texts = {k: v if isinstance(v, str) else decimal(round(v)) for k, v in values.items()}
    return "".join(f" {name}={quoteattr(text)}" for name, text in texts.items())


def _heights(glyph: PenGlyph) -> np.ndarray:
    """Return the heights of a glyph's points above the baseline in the font's units, and 0."""
    return -X_HEIGHT * np.concatenate([np.zeros(1), *(stroke[:, 1] for stroke in glyph.strokes)])


def _paths(glyph: PenGlyph) -> str:
    """Return the attribute of a glyph with its strokes as curves, a part each; "" for a blank."""
    scale = (X_HEIGHT, -X_HEIGHT)
    parts = (path_data(np.round(curves(stroke * scale), 1)) for stroke in glyph.strokes)
    return f' d="{"".join(parts)}"' if glyph.strokes else ""


def _rules(kerning: Mapping[tuple[str, str], float]) -> Iterator[str]:
    """Yield the rules of kerning: one for all glyphs that come as much nearer to a glyph."""
    seconds: dict[tuple[str, int], list[str]] = {}
    for (first, second), width in kerning.items():
        units = KERNING_STEP * round(X_HEIGHT * width / KERNING_STEP)
        seconds.setdefault((first, units), []).append(_listable(second))
    for (first, units), texts in seconds.items():
        yield f"<hkern{_attributes({'u1': _listable(first), 'u2': ','.join(texts), 'k': units})}/>"


def _listable(text: str) -> str:
    """Return a text as it may stand in a list with commas."""
    return "U+2C" if text == "," else text


def _number(element: Element, name: str, default: float) -> float:
    """Return a number in an attribute; raise a Fault if it is none, or too large."""
    text = element.get(name)
    if text is None:
        return default
    match = _NUMBER.fullmatch(text)
    if match is None or not math.isfinite(float(match[1])):
        raise Fault(f"{name} that is not a number", text[:40])
    return float(match[1])


def _text(element: Element) -> str:
    """Return the characters that a glyph stands for; "" if it has none that can be written."""
    text = nfc(element.get("unicode", ""))
    is_control = any(unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Cn") for sign in text)
    has_blank = any(map(str.isspace, text)) and text != " "
    return "" if is_control or has_blank or len(text) > MAX_LIGATURE else text


def _glyphs(texts: Mapping[Element, str], em: float, advance: float) -> dict[str, PenGlyph]:
    """Return the glyph of each text that has ink, and a blank, in the font's units, y downwards;
    the first of a text counts. `advance`: the usual one of the font."""
    glyphs: dict[str, PenGlyph] = {}
    num_points = 0
    for element, text in texts.items():
        if not text or text in glyphs:
            continue
        glyph = _glyph(element, text, em, advance)
        num_points += sum(map(len, glyph.strokes))
        if num_points > MAX_POINTS:
            raise Fault(f"more than {MAX_POINTS:,} points")
        if glyph.strokes or text == " ":
            glyphs[text] = glyph
    if not any(text.strip() for text in glyphs):
        raise Fault("a font in which no character has a line")
    return {" ": PenGlyph((), USUAL_BLANK * em)} | glyphs


def _glyph(element: Element, text: str, em: float, advance: float) -> PenGlyph:
    name = describe(text)
    try:
        curves = path_curves(element.get("d", ""))
        advance = _number(element, "horiz-adv-x", advance)
    except Fault as fault:
        raise Fault(f"the glyph of {name}: {fault.reason}", fault.detail) from None
    strokes = tuple(flattened(part, em / STEPS_PER_EM) * (1.0, -1.0) for part in curves)
    return PenGlyph(strokes, advance)


def _check_lines(glyphs: Mapping[str, PenGlyph]) -> None:
    """Raise a Fault if letters are outlines: if every part of every letter is closed."""
    strokes = [
        stroke for text, glyph in glyphs.items() if text.isalpha() for stroke in glyph.strokes
    ]
    if len(strokes) > 1 and all(np.allclose(stroke[0], stroke[-1]) for stroke in strokes):
        raise Fault("a font of outlines, not of single lines: each path of its letters is closed")


def _x_height(glyphs: Mapping[str, PenGlyph]) -> float:
    """Return the median height of small letters, most of which are x-high; 0 without any.

    A font's own `x-height` is not used, as it is often wrong: Hershey fonts have 300 for 380.
    """
    heights = [
        max(0.0, -min(float(stroke[:, 1].min()) for stroke in glyph.strokes))
        for text, glyph in glyphs.items()
        if text.islower() and not text[1:] and unmarked(text) == text
    ]
    return float(np.median(heights)) if heights else 0.0


@np.errstate(over="ignore", invalid="ignore")  # What is not finite is refused.
def _scaled(text: str, glyph: PenGlyph, factor: float) -> PenGlyph:
    """Return a glyph in x-heights; raise a Fault if it reaches or leads too far."""
    strokes = tuple(stroke * factor for stroke in glyph.strokes)
    advance = glyph.advance * factor
    reach = max([abs(advance), *(float(np.abs(stroke).max()) for stroke in strokes)])
    length = sum(float(path_along(stroke)[-1]) for stroke in strokes)
    for value, limit, verb in ((reach, MAX_REACH, "reaches"), (length, MAX_LENGTH, "leads")):
        if not value <= limit:
            problem = f"{verb} further than {limit:g} heights of an x"
            raise Fault(f"the glyph of {describe(text)} {problem}")
    return PenGlyph(strokes, advance)


def _kerning(font: Element, texts: Mapping[Element, str]) -> dict[tuple[str, str], float]:
    """Return by how much glyphs stand nearer to each other; the first rule of a pair counts."""
    names: dict[str, set[str]] = {}
    for element, text in texts.items():
        names.setdefault(element.get("glyph-name", ""), set()).add(text)
    known = {*texts.values()} - {""}
    kerning: dict[tuple[str, str], float] = {}
    num_pairs = 0
    for rule in font.iter("hkern"):
        firsts, seconds = ({*_sides(rule, number, known, names)} for number in "12")
        num_pairs += len(firsts) * len(seconds)
        if num_pairs > MAX_PAIRS:
            raise Fault(f"kerning of more than {MAX_PAIRS:,} pairs")
        width = _number(rule, "k", 0.0)
        for pair in product(firsts, seconds):
            kerning.setdefault(pair, width)
    return kerning


def _sides(
    rule: Element, number: str, known: set[str], names: Mapping[str, set[str]]
) -> Iterator[str]:
    """Yield the texts on one side of a rule of kerning: characters, their ranges, and glyphs."""
    characters = rule.get(f"u{number}", "")
    for part in [","] if characters == "," else characters.split(","):
        if match := _RANGE.fullmatch(part):
            first, last = (int(match[1].replace("?", digit), 16) for digit in "0F")
            last = int(match[2], 16) if match[2] else last
            yield from (text for text in known if len(text) == 1 and first <= ord(text) <= last)
        elif nfc(part) in known:
            yield nfc(part)
    for name in rule.get(f"g{number}", "").split(","):
        yield from names.get(name, set()) - {""} if name else ()
