"""A hand as a single-line font, as plotters need it: one form of each character.

Programs that draw with single-line fonts choose no forms. So all joins are at one height, and the
pen is lifted behind letters that end high.
"""

from collections.abc import Sequence

import numpy as np

from apps.pages.font_forms import Form, HandForms, dense
from apps.pages.font_spacing import MIN_GAP_OF_SIGNS, MIN_GAP_RATIO
from data_loader.pen_paths import touching_shift
from ink.pen_font import PenFont, PenGlyph

DOT = np.array([[0.0, -0.04], [0.0, 0.04]])
"""The line in x-heights that is drawn for a dot, as plotters need one (by eye)."""
MIN_KERNING = 0.05  # x-heights; less is not seen (assumed)
MAX_KERNING = 0.9  # x-heights by which two characters come nearer, at most (by eye)


def pen_font_of(name: str, forms: HandForms) -> PenFont:
    """Return the single-line font of a hand."""
    characters = sorted({form.text for form in forms.forms if len(form.text) == 1})
    chosen = [_form_of(character, forms) for character in characters]
    offsets = _offsets(chosen, forms)
    rights, lefts = _bearings(chosen, offsets)
    glyphs = {" ": PenGlyph((), forms.blank - forms.gap)}
    for form, right, left in zip(chosen, rights.tolist(), lefts.tolist(), strict=True):
        start = np.array([left, 0.0])
        strokes = tuple(_with_length(stroke) + start for stroke in form.strokes)
        glyphs[form.text] = PenGlyph(strokes, right + left)
    nearer = np.nan_to_num(rights[:, None] + lefts - offsets)
    kerning = {
        (characters[first], characters[second]): min(float(nearer[first, second]), MAX_KERNING)
        for first, second in np.argwhere(np.abs(nearer) >= MIN_KERNING).tolist()
    }
    return PenFont(name, glyphs, kerning)


def _form_of(character: str, forms: HandForms) -> Form:
    """Return the form of a character with the median width, of its kind within a word; one that
    ends high is not joined to the next letter."""
    entry = "low" if character in forms.entered.get("low", ()) else ""
    exit_join = "low" if forms.exits.get(character) == "low" else ""
    candidates = forms.of(character, (entry, exit_join))
    candidates = candidates or [form for form in forms.forms if form.text == character]
    return sorted(candidates, key=lambda form: form.advance)[len(candidates) // 2]


def _offsets(chosen: Sequence[Form], forms: HandForms) -> np.ndarray:
    """Return the distance from the start of each form to that of each form behind it, `(forms,
    forms)`; NaN if the pen joins them, or no height has ink of both."""
    paths = [dense(form.strokes) for form in chosen]
    upright = [path[:, 0] + forms.lean * path[:, 1] for path in paths]
    rights = [float(x.max()) for x in upright]
    lefts = [float(x.min()) for x in upright]
    offsets = np.full((len(chosen), len(chosen)), np.nan)
    for row, first in enumerate(chosen):
        for column, second in enumerate(chosen):
            pair = first.text + second.text
            # The way to the next letter is the gap.
            gap = 0.0 if first.exit else forms.pair_gaps.get(pair, forms.gap)
            if first.exit and second.entry:
                continue
            if pair.isalnum():
                gap = gap if first.exit else max(gap, MIN_GAP_RATIO * forms.gap)
                offsets[row, column] = touching_shift(paths[row], paths[column]) + gap
            else:  # A stop below a letter, or an apostrophe above it, would be lost.
                gap = max(gap, MIN_GAP_OF_SIGNS)
                offsets[row, column] = rights[row] - lefts[column] + gap
    return np.where(np.isfinite(offsets), offsets, np.nan)


def _bearings(chosen: Sequence[Form], offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances from each form's start to the end of its glyph, and from the start of
    its glyph to the form's, `(forms,)` each: medians, that need little kerning. Joins are ends."""
    exits = np.array([form.advance if form.exit else np.nan for form in chosen])
    rights = np.where(np.isnan(exits), np.nanmedian(offsets, axis=1), exits)
    is_entered = np.array([bool(form.entry) for form in chosen])
    lefts = np.where(is_entered, 0.0, np.nanmedian(offsets - rights[:, None], axis=0))
    return rights, lefts


def _with_length(stroke: np.ndarray) -> np.ndarray:
    """Return a stroke; a dot of one point becomes a short line."""
    return stroke if len(stroke) > 1 else stroke + DOT
