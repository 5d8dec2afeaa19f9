"""Signs and letters that a network misforms, drawn in the place of others that it writes.

A network has seen few `ß`, `æ` or `€`; people take a pretrained network's `I` for a `J`, and of its
joined letters `E` for a `C`, `G` for a `g`, `H` for an `X`, `L` for an `h`, `V` for an `N`, and `z`
for an `r` or `s`. It writes a stand-in, an ASCII character of about the same width, and the sign is
drawn in its place, as in composed lines. A `¿` or `¡` is the network's own `?` or `!`, turned
upside down. A network that learned a hand writes all letters.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from apps.pages.hand_shape import MEAN_STEP
from apps.pages.letter_strokes import (
    HIGH_EXITS,
    MAX_LAG,
    MIN_STEM_HEIGHT,
    LetterStrokes,
    late_part,
)
from apps.pages.repairs import with_bars
from apps.pages.written_word import WrittenWord, span
from data_loader.pen_paths import from_strokes, slanted, to_strokes, touching_shift
from data_loader.synthetic.composed.accents import SHAPES, MarkPen, Shape, base_and_mark
from ink.alphabet import Alphabet

_TABLES = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
SIGN_SHAPES: Mapping[str, Sequence[Shape]] = {**SHAPES, **_TABLES["shapes"]}
"""Variants of each sign that is drawn, upright; tall signs are two x-heights high."""
TURNED = {sign: stand_in for stand_in, sign in _TABLES["turned"].items()}
STAND_INS = TURNED | {
    sign: stand_in for stand_in, signs in _TABLES["stand-ins"].items() for sign in signs
}
"""For each sign that is drawn, the sign that the network writes."""
LETTERS: Mapping[str, str] = _TABLES["letters"]
"""For each letter that is drawn in all hands of a pretrained network, the letter it writes."""
JOINED_ONLY: Mapping[str, str] = _TABLES["joined letters"]
"""The same for those that are drawn only in hands that join their letters."""
JOINED_LETTERS: Mapping[str, str] = LETTERS | JOINED_ONLY
"""The same for all that are drawn in such hands."""
DRAWN: Mapping[str, str] = STAND_INS | JOINED_LETTERS
"""For each character that may be drawn, what the network writes in its place."""
TOP_OF_TURNED = 1.1  # x-heights from the baseline up to the dot of a `¿` (by eye)
MIN_REST = 0.3  # x-heights of a rest of a joined stroke that is left (by eye)
MAX_OF_NEXT = 0.4
"""Fraction of the next letter's points up to which ink behind a stand-in is its end (measured: of
2,948 letters `z` 14 had taken more, and the next letter was lost)."""
ARM_WIDTH = 0.45  # x-heights from the foot of an `r` to the end of its arm (by eye)
MAX_BACK = 0.12  # x-heights by which an `r` may go back before its arm ends (by eye)
EXIT_RISE = 0.25  # x-heights from the foot of a letter to the end of its way up (by eye)
TALL_HEIGHTS = (1.6, 2.4)  # bounds on the height of a tall sign in x-heights (by eye)
CAPITAL_HEIGHTS = (2.1, 2.4)
"""The same of a capital of `JOINED_ONLY` before a small letter (measured: half of 2,605 capitals in
five joined hands are 2.0 to 2.6 high; a lower `V` looks like a `v`)."""
OPENING = {*"«¿¡"}
"""Signs before a word, behind which a network leaves a blank as between words."""
MAX_OPENING_GAP = 0.5  # x-heights from such a sign to the ink behind it, at each height (by eye)
LEAST_GAP = 0.12  # x-heights from a drawn sign to the ink before it (by eye)
CAPITAL_GAP = 0.3  # the same between two capitals, whose bars would touch (by eye: "HINT")


def with_stand_ins(text: str, alphabet: Alphabet, is_joined: bool) -> str:
    """Return a plain text with the stand-ins, of a network's alphabet, of the letters that are
    drawn in a hand; `is_joined`: whether the hand joins its letters."""
    letters = JOINED_LETTERS if is_joined else LETTERS
    stand_ins = {sign: letters[sign] for sign in letters if not alphabet.unknown(letters[sign])}
    return text.translate(str.maketrans(stand_ins))


def with_drawn_signs(
    word: WrittenWord,
    written: Mapping[str, str],
    lean: float,
    letter_width: float,
    mean_step: float = MEAN_STEP,
) -> WrittenWord:
    """Return a word in x-heights, which has `indices`, with its signs and letters drawn where the
    network wrote their stand-ins.

    Args:
        word: the word as the network wrote it.
        written: for each character of the text, what the network wrote in its place.
        lean: how far downstrokes lean to the right, x over y.
        letter_width: width of a usual letter of the hand in x-heights.
        mean_step: x-heights from point to point of what is drawn.
    """
    signs = [base_and_mark(character)[0] for character in word.text]
    wanted = []
    for index, (character, sign) in enumerate(zip(word.text, signs, strict=True)):
        if sign in DRAWN and written[character] == DRAWN[sign]:
            wanted.append(index)
    if not wanted or not word.strokes:
        return word
    upright = to_strokes(slanted(from_strokes(word.strokes), -lean))
    letters = LetterStrokes(word.text, upright, [*word.indices])
    for index in wanted:
        generator = np.random.default_rng([index, sum(map(len, letters.strokes))])
        pen = MarkPen(lean, letter_width, mean_step, generator)
        letters = _with_sign(letters, index, signs[index], pen)
    strokes = to_strokes(slanted(from_strokes(letters.strokes), lean))
    # The bar of a `t` may have been a part of the stand-in behind it.
    barred = [index - 1 for index in wanted if word.text[index - 1 : index] == "t"]
    letters = with_bars(replace(letters, strokes=strokes), 1.0, letter_width, barred)
    edge = np.array([span(letters.strokes).left, 0.0])
    strokes = tuple(stroke - edge for stroke in letters.strokes)
    width = span(strokes).right
    return replace(word, strokes=strokes, indices=tuple(letters.indices), width=width)


def _with_sign(letters: LetterStrokes, index: int, sign: str, pen: MarkPen) -> LetterStrokes:
    """Return upright letters with a sign drawn in place of its stand-in; the ink behind moves."""
    stand_in, kept = _without_sign(letters, index)
    before = [stroke for stroke, each in kept.pairs() if np.median(each) < index]
    edge = span(before).right if before else 0.0
    left, right = span(stand_in) if stand_in else (edge, edge)
    if sign in TURNED:
        if not stand_in:
            return letters
        drawn = _turned(stand_in)
    else:
        # Without ink of the stand-in, the sign is as tall as in its table.
        top = -min((stroke[:, 1].min() for stroke in stand_in), default=-2.0)
        is_capital = sign in JOINED_ONLY and sign.isupper()
        is_initial = is_capital and letters.text[index + 1 : index + 2].islower()
        top = np.clip(top, *(CAPITAL_HEIGHTS if is_initial else TALL_HEIGHTS))
        shapes = [[*_as_tall(shape, top)] for shape in SIGN_SHAPES[sign]]
        drawn = to_strokes(pen.draw_shape(shapes, pen.width_factor))
    if before:
        is_in_capitals = sign.isupper() and letters.text[index - 1].isupper()
        least_gap = CAPITAL_GAP if is_in_capitals else LEAST_GAP
        left = max(left, span(before).right + least_gap)
    to_right = np.array([left - span(drawn).left, 0.0])
    drawn = [stroke + to_right for stroke in drawn]
    shift = np.array([span(drawn).right - right, 0.0])
    behind = [stroke + shift for stroke, each in kept.pairs() if np.median(each) > index]
    if sign in OPENING and behind:
        gap = -touching_shift(from_strokes(drawn), from_strokes(behind))
        if math.isfinite(gap):  # The ink behind is at some height of the sign.
            shift = shift - (max(gap - MAX_OPENING_GAP, 0.0), 0.0)
    strokes = []
    place = -1  # number of the stroke behind which the sign is written
    for number, (stroke, each) in enumerate(kept.pairs()):
        middle = np.median(each)
        strokes.append(stroke + shift * (middle > index))
        if middle < index:
            place = number
    # Each stroke is inserted behind the same one: the last of the sign first.
    added = [(place, index, stroke) for stroke in reversed(drawn)]
    return replace(kept, strokes=strokes).with_added(added)


def _without_sign(letters: LetterStrokes, index: int) -> tuple[list[np.ndarray], LetterStrokes]:
    """Return the ink of a character, and the other ink: a joined stroke is cut."""
    main = letters.main_number(index)
    # At the end of a stroke before one that begins with the character, the window is early.
    main_start = main if main is not None and letters.indices[main][0] == index else 0
    num_next = sum(np.sum(each == index + 1) for each in letters.indices)
    is_letter = letters.text[index + 1 : index + 2].isalpha()
    removed = []
    strokes = []
    indices = []
    for number, (stroke, characters) in enumerate(letters.pairs()):
        if letters.is_alone(number, index):
            removed.append(stroke)
            continue
        if index not in characters or number < main_start:
            strokes.append(stroke)
            indices.append(characters)
            continue
        of_next = is_letter * (characters == index + 1) / max(num_next, 1)
        next_fractions = np.where(characters > index + 1, 1.0, of_next)
        part = _whole_part(stroke, late_part(characters, index), next_fractions)
        part = _without_exit(stroke, part, letters.text[index - 1 : index])
        removed.append(stroke[part])
        for other in (slice(0, part.start), slice(part.stop, None)):
            rest = stroke[other]
            if len(rest) > 1 and np.ptp(rest, axis=0).max() >= MIN_REST:
                strokes.append(rest)
                indices.append(characters[other])
    return [*filter(len, removed)], replace(letters, strokes=strokes, indices=indices)


def _whole_part(stroke: np.ndarray, part: slice, next_fractions: np.ndarray) -> slice:
    """Return the part of a stroke that is a character: with all ink behind it, as the belly of a
    `B`, that is not most of the next letter; or down to the foot of its last stem, but without a
    way up at its end, as to the loop of an `e`. `next_fractions`: the fraction of the next letter
    that each point is."""
    if next_fractions[part.stop :].sum() <= MAX_OF_NEXT:
        return slice(part.start, len(stroke))
    falls = np.append(np.diff(stroke[part.start :, 1], prepend=-np.inf) >= 0.0, False)
    last = int(np.flatnonzero(falls[: part.stop - part.start + 1])[-1])
    return slice(part.start, part.start + last + int(falls[last:].argmin()))


def _without_exit(stroke: np.ndarray, part: slice, previous: str) -> slice:
    """Return the part of an upright stroke that is a character without the end of the letter
    before, `previous`, with which the part may begin: its foot, and `EXIT_RISE` of the way up
    behind the foot, or the arm of an `r`."""
    before = stroke[: max(part.start, 1)]
    if np.ptp(before, axis=0).max() < MIN_REST:  # The letter before has no ink in this stroke.
        return part
    start = max(part.start - MAX_LAG, 0)
    x, y = stroke[start : part.stop].T
    foot = part.start - start
    if previous == "r":
        foot = int(y[: foot + 1].argmax())
        turns_back = x < np.maximum.accumulate(x) - MAX_BACK
        is_behind = (x > x[foot] + ARM_WIDTH) | (turns_back & (y < -MIN_STEM_HEIGHT))
    elif previous.islower() and previous not in HIGH_EXITS:
        # A stem of the letter before goes on to the right, unlike the top of a stand-in.
        is_stem = np.append((np.diff(y) >= 0.0) & (np.diff(x) >= 0.0), False)
        end = foot + int(is_stem[foot:].argmin())
        lowest = int(y[: foot + 1].argmax())
        foot = end if end > foot and y[end] >= y[lowest] - EXIT_RISE else lowest
        is_behind = y < y[foot] - EXIT_RISE
    else:
        return part
    behind = np.flatnonzero(is_behind[foot:])
    num_kept = foot + int(behind[0]) if len(behind) else len(x)  # Nothing is of the character.
    return slice(max(part.start, start + num_kept), part.stop)


def _as_tall(shape: Shape, top: float) -> Iterator[np.ndarray]:
    """Yield the strokes of a shape, those of a tall one with their `top` at this height."""
    for stroke in shape:
        points = np.array(stroke, dtype=float)
        y = points[:, 1]
        points[:, 1] = np.where(y > -1.0, y, -1.0 + (y + 1.0) * (top - 1.0))
        yield points


def _turned(strokes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return strokes upside down and backwards, hanging from `TOP_OF_TURNED`."""
    turned = [-stroke[::-1] for stroke in reversed(strokes)]
    top = min(stroke[:, 1].min() for stroke in turned)
    return [stroke - (0.0, top + TOP_OF_TURNED) for stroke in turned]
