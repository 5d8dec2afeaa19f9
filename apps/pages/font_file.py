"""Makes an OpenType font of the forms of a hand.

Lengths of a font are in units, `EM` of which are the size of the type; y is upwards.
"""

import math
import string
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
from fontTools.fontBuilder import FontBuilder
from fontTools.misc.psCharStrings import T2CharString
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables.O_S_2f_2 import Panose
from tqdm import tqdm

from apps.pages.font_features import FontForms, character_name, substitutions
from apps.pages.font_forms import Form, HandForms, marked_form
from apps.pages.font_outlines import charstring, outline
from apps.pages.font_spacing import Spacing, spacing_of
from apps.pages.marks import MARKED
from apps.pages.page_options import LINE_HEIGHT, X_HEIGHT
from data_loader.synthetic.composed.accents import (
    COMMA_ABOVE_RIGHT,
    MARKS_BELOW,
    OGONEK,
    base_and_mark,
)
from ink.drawing.layers import Pen
from utils.licences import OPEN

EM = 1000
SCALE = 450
"""Units of an x-height: 0.45 em, as in usual fonts of text (Times 0.45, Arial 0.52)."""
PEN = Pen.width / X_HEIGHT  # x-heights, as on pages
VERSION = "1.000"
CREATED = 3_786_912_000  # seconds since 1904: 2024, so that a font has the same bytes every day
PREVIEW_AND_PRINT = 4  # in fsType: documents that embed the font may be read and printed
INSTALLABLE = 0
OPEN_URL = "https://creativecommons.org/licenses/by/4.0/"
BLANK_FACTORS = (1.0, 0.94, 1.05, 0.97, 1.07)  # of the widths of blanks (assumed)
NOTDEF = (np.array([[0.1, 0.0], [0.1, -1.4], [0.9, -1.4], [0.9, 0.0], [0.1, 0.0]]),)
DOTLESS = "ı"
LIKE = {" ": "\u00a0", "-": "\u2010\u2011", "–": "\u2212", ".": "\u2024"}
"""Further characters that look like a character."""


@dataclass(frozen=True)
class FontNames:
    """What a font says of itself.

    Attributes:
        family: name of the family.
        licence: the licence, see `utils.licences`.
        source: the network and the hand.
        pen: diameter of the pen in x-heights.
    """

    family: str
    licence: str
    source: str
    pen: float = PEN


@dataclass(frozen=True)
class _Glyph:
    """A glyph of a font: the program of its outline, and its advance and left edge in units."""

    program: T2CharString
    advance: int
    left: int


def font_of(hand: HandForms, names: FontNames, *, progress: bool = False) -> TTFont:
    """Return the font of a hand's forms; the same forms give the same bytes."""
    marks = _Marks(hand)
    spacing = spacing_of(hand, marks.glyphs_of)
    font = FontForms(_with_blanks(hand, spacing), marks.glyphs_of)
    glyphs = {".notdef": _glyph(NOTDEF, 0.0, 1.0, names.pen)}
    bar = tqdm(font.glyphs.items(), "outlines", leave=False, disable=None if progress else True)
    for name, form in bar:
        glyphs[name] = _form_glyph(form, spacing, names.pen)
    for name, strokes in marks.strokes.items():
        glyphs[name] = _glyph(strokes, 0, 0, names.pen)
    for name in font.states:
        glyphs[name] = _glyph((), 0, 0, names.pen)
    builder = FontBuilder(EM, isTTF=False)
    builder.setupGlyphOrder([*glyphs])
    builder.setupCharacterMap(_characters(font))
    programs = {name: glyph.program for name, glyph in glyphs.items()}
    postscript = "".join(filter(str.isalnum, names.family)) + "-Regular"
    builder.setupCFF(postscript, {"FullName": names.family}, programs, {})
    metrics = {name: (glyph.advance, glyph.left) for name, glyph in glyphs.items()}
    builder.setupHorizontalMetrics(metrics)
    _add_tables(builder, hand, names, postscript)
    text = "\n".join([*_glyph_classes(font, marks), substitutions(font),
                      *_kerning(font, spacing), *marks.attachment(font, spacing)])  # fmt: skip
    addOpenTypeFeaturesFromString(builder.font, text)
    return builder.font


def font_bytes(font: TTFont, flavor: str | None = None) -> bytes:
    """Return the file of a font; `flavor`: "woff2" for the web."""
    font.flavor = flavor
    font.recalcTimestamp = False
    file = BytesIO()
    font.save(file)
    return file.getvalue()


def _glyph(strokes: Sequence[np.ndarray], shift: float, advance: float, pen_width: float) -> _Glyph:
    """Return the glyph of strokes that are moved to the right; all lengths are in x-heights."""
    units = max(round(advance * SCALE), 0)
    if not strokes:
        return _Glyph(T2CharStringPen(units, None).getCharString(), units, 0)
    path = outline([stroke + np.array([shift, 0.0]) for stroke in strokes], pen_width, SCALE)
    return _Glyph(charstring(path, units), units, round(path.bounds[0]))


def _form_glyph(form: Form, spacing: Spacing, pen_width: float) -> _Glyph:
    """Return the glyph of a form, with bearings where it is not joined."""
    shift = _shift(form, spacing)
    behind = 0.0 if form.exit or not form.strokes else spacing.right[form.text[-1]]
    return _glyph(form.strokes, shift, shift + form.advance + behind, pen_width)


def _shift(form: Form, spacing: Spacing) -> float:
    """Return the x-heights from the origin of a glyph to that of its form."""
    return 0.0 if form.entry or not form.strokes else spacing.left[form.text[0]]


def _with_blanks(hand: HandForms, spacing: Spacing) -> HandForms:
    """Return the forms of a hand and those of the blank."""
    width = hand.blank - spacing.usual
    blanks = [Form(" ", (), factor * width) for factor in BLANK_FACTORS]
    return replace(hand, forms=(*hand.forms, *blanks))


def _characters(font: FontForms) -> dict[int, str]:
    """Return the glyph of each code point."""
    singles = {form.text for form in font.glyphs.values() if len(form.text) == 1}
    names = {text: character_name(text) for text in sorted(singles)}
    for text, others in LIKE.items():
        names |= dict.fromkeys(others, names[text]) if text in names else {}
    marks = (character for character in map(base_and_mark, font.marks))
    names |= {mark: character_name(mark) for _, mark in marks}
    return {ord(text): name for text, name in names.items()}


class _Marks:
    """The marks above and below letters, as glyphs that are attached to each form of a letter.

    Attributes:
        glyphs_of: the glyphs of the letter and of the mark, for each letter with a mark.
        strokes: the strokes of each mark's glyph, from the point where it is attached.
    """

    def __init__(self, hand: HandForms) -> None:
        self._hand = hand
        self._forms: dict[str, list[Form]] = defaultdict(list)
        for form in hand.forms:
            self._forms[form.text].append(form)
        self.glyphs_of: dict[str, tuple[str, str]] = {}
        self.strokes: dict[str, list[np.ndarray]] = {}
        self._characters: dict[str, dict[str, str]] = defaultdict(dict)
        for character in sorted(MARKED & self._forms.keys()):
            base, mark = base_and_mark(character)
            if not mark or base not in self._forms:
                continue
            form = next(form for form in self._forms[base] if form.kind == ("", ""))
            strokes = self._mark_strokes(form, character)
            if not strokes:
                continue
            below = DOTLESS if base == "i" and mark != OGONEK else base
            self.glyphs_of[character] = character_name(below), character_name(mark)
            point = _attached_at(strokes, mark)
            self.strokes.setdefault(character_name(mark), [each - point for each in strokes])
            self._characters[below].setdefault(_anchor_of(mark), character)

    def _mark_strokes(self, form: Form, character: str) -> list[np.ndarray]:
        """Return the strokes of a mark that is drawn on a form."""
        letter = {*map(id, form.strokes)}
        marked = marked_form(form, character, self._hand.lean)
        return [stroke for stroke in marked.strokes if id(stroke) not in letter]

    def attachment(self, font: FontForms, spacing: Spacing) -> Iterator[str]:
        """Yield the feature that attaches marks to letters."""
        if not self.glyphs_of:
            return
        marks = {mark: name for name in self.glyphs_of for mark, name in [_mark_of(name)]}
        for mark, name in sorted(marks.items()):
            yield f"markClass {name} <anchor 0 0> @{_anchor_of(mark)};"
        yield "feature mark {"
        for (text, kind), names in font.names.items():
            if characters := self._characters.get(text):
                base = "i" if text == DOTLESS else text
                forms = self._hand.of(base, kind)
                for name, form in zip(names, forms, strict=False):
                    yield from self._anchors(name, form, characters, _shift(form, spacing))
        yield "} mark;"

    def _anchors(
        self, name: str, form: Form, characters: Mapping[str, str], shift: float
    ) -> Iterator[str]:
        """Yield the rule with the places of marks on a form."""
        anchors = []
        for anchor, character in characters.items():
            if strokes := self._mark_strokes(form, character):
                x, y = _attached_at(strokes, base_and_mark(character)[1])
                place = f"{round((x + shift) * SCALE)} {round(-y * SCALE)}"
                anchors.append(f"<anchor {place}> mark @{anchor}")
        if anchors:
            yield f"pos base {name} {' '.join(anchors)};"


def _mark_of(character: str) -> tuple[str, str]:
    """Return the mark of a letter, and the name of its glyph."""
    mark = base_and_mark(character)[1]
    return mark, character_name(mark)


def _anchor_of(mark: str) -> str:
    """Return the name of the anchor to which a mark is attached."""
    if mark in MARKS_BELOW:
        return "ogonek" if mark == OGONEK else "below"
    return "right" if mark == COMMA_ABOVE_RIGHT else "above"


def _attached_at(strokes: Sequence[np.ndarray], mark: str) -> np.ndarray:
    """Return the point of a mark that is attached: its foot, or the top of a mark below."""
    points = np.concatenate(strokes)
    low, high = points.min(0), points.max(0)
    if mark in MARKS_BELOW:
        return np.array([(low[0] + high[0]) / 2, low[1]])
    return np.array([low[0] if mark == COMMA_ABOVE_RIGHT else (low[0] + high[0]) / 2, high[1]])


def _glyph_classes(font: FontForms, marks: _Marks) -> Iterator[str]:
    """Yield the table of the classes of glyphs; states are marks, so that rules can skip them."""
    pairs = [name for key in font.pairs() for name in font.names[key]]
    bases = [name for name in font.glyphs if name not in {*pairs}]
    all_marks = [*marks.strokes, *font.states]
    classes = (f"[{' '.join(names)}]" if names else "" for names in (bases, pairs, all_marks))
    yield "table GDEF {"
    yield f"GlyphClassDef {', '.join(classes)}, ;"
    yield "} GDEF;"


def _kerning(font: FontForms, spacing: Spacing) -> Iterator[str]:
    """Yield the feature that kerns characters which are not joined."""
    ends, starts = defaultdict(list), defaultdict(list)
    for (text, (entry, exit_join)), names in font.names.items():
        starts[text[0]] += [] if entry else names
        ends[text[-1]] += [] if exit_join else names
    classes = {text: f"@end_{character_name(text)}" for text in ends if ends[text]}
    others = {text: f"@start_{character_name(text)}" for text in starts if starts[text]}
    yield "feature kern {"
    yield "lookupflag IgnoreMarks;"
    yield from (f"{name} = [{' '.join(ends[text])}];" for text, name in classes.items())
    yield from (f"{name} = [{' '.join(starts[text])}];" for text, name in others.items())
    for (first, second), kern in spacing.kerns.items():
        yield f"pos {classes[first]} {others[second]} {round(kern * SCALE)};"
    yield "} kern;"


def _add_tables(builder: FontBuilder, hand: HandForms, names: FontNames, postscript: str) -> None:
    """Add the tables of names and of lengths."""
    tops, feet = _extents(hand, string.ascii_letters, names.pen)
    all_tops, all_feet = _extents(hand, None, names.pen)
    ascent, descent = max(tops), max(feet)
    ratio = min(LINE_HEIGHT / (ascent + descent), 1.0)
    ascent, descent = (round(each * ratio * SCALE) for each in (ascent, descent))
    capitals = _extents(hand, string.ascii_uppercase, 0.0)[0]
    builder.setupHorizontalHeader(ascent=ascent, descent=-descent, lineGap=0)
    builder.setupOS2(
        version=4,
        sTypoAscender=ascent,
        sTypoDescender=-descent,
        sTypoLineGap=0,
        usWinAscent=max(ascent, round(max(all_tops) * SCALE)),
        usWinDescent=max(descent, round(max(all_feet) * SCALE)),
        sxHeight=SCALE,
        sCapHeight=round(float(np.median(capitals)) * SCALE),
        fsSelection=1 << 6 | 1 << 7,  # regular; lines are as high as the typographic lengths say
        fsType=INSTALLABLE if names.licence == OPEN else PREVIEW_AND_PRINT,
        achVendID="    ",
        panose=Panose(bFamilyType=3),  # written by hand
    )
    builder.setupNameTable(
        {
            "familyName": names.family,
            "styleName": "Regular",
            "uniqueFontIdentifier": f"{VERSION};{postscript}",
            "fullName": names.family,
            "version": f"Version {VERSION}",
            "psName": postscript,
            "description": names.source,
            "licenseDescription": f"Licence: {names.licence}.",
            **({"licenseInfoURL": OPEN_URL} if names.licence == OPEN else {}),
        },
        mac=False,
    )
    builder.setupPost(italicAngle=-math.degrees(math.atan(hand.lean)), keepGlyphNames=False)
    builder.updateHead(
        fontRevision=float(VERSION), created=CREATED, modified=CREATED, lowestRecPPEM=9
    )


def _extents(
    hand: HandForms, characters: str | None, pen_width: float
) -> tuple[list[float], list[float]]:
    """Return how far the forms of characters, or of all, reach above and below the baseline."""
    forms = [form for form in hand.forms if characters is None or form.text in [*characters]]
    tops = [max(-s[:, 1].min() for s in form.strokes) + pen_width / 2 for form in forms]
    feet = [max(s[:, 1].max() for s in form.strokes) + pen_width / 2 for form in forms]
    return tops, feet
