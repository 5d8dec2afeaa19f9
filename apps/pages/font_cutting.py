"""Letters are cut out of written words, where a pen that joins them goes up to the next letter.

The window tells which points are of a letter, but not where the letter ends. A stroke from letter
to letter mostly rises from the baseline: it is cut where it reaches `LOW_JOIN`. From letters that
end high, such as `o`, a stroke hangs between two tops: it is cut at its lowest point.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

from apps.pages.written_word import WrittenWord
from ink.geometry import smooth_path

Join = Literal["", "low", "high"]
"""How the pen goes from a letter to the next: it is lifted, or joins the letters low or high."""

HIGH_ENDS = frozenset("borvw")  # letters whose last stroke is high
STEPS = 4  # of the curve from point to point, on which a cut is (assumed)
LOW_JOIN = 0.4  # x-heights from the baseline up to a low join (by eye)
LAG = 2.0  # points by which the pen is mostly later than the window (by eye)
HIGH_JOINS = (0.45, 1.15)  # bounds on the rise of a high join in x-heights (by eye)
MAX_SLOPE = 0.4  # of a high join, upwards over to the right (by eye)
MIN_PART = 0.35  # x-heights; a part of a stroke that is smaller is no letter (by eye)
MIN_STEP = 0.1  # x-heights from a cut to the next point that stays (by eye)


class Cut(NamedTuple):
    """A place of a smooth curve where it is cut.

    Attributes:
        number: number of the curve's point.
        join: the kind of the join.
    """

    number: int
    join: Join


@dataclass(frozen=True)
class CutLetter:
    """The strokes of letters that follow each other in a word.

    Attributes:
        text: the letters.
        index: the index of the first letter in the word.
        strokes: positions `(n, 2)` in the word.
        entry: where the pen comes from the letter before; None if it was lifted.
        exit: where the pen goes to the letter behind; None if it was lifted.
        joins: the kinds of both.
    """

    text: str
    index: int
    strokes: tuple[np.ndarray, ...]
    entry: np.ndarray | None
    exit: np.ndarray | None
    joins: tuple[Join, Join]


class _Part(NamedTuple):
    """A part of a stroke, of one letter, and whether the stroke goes on at both sides."""

    index: int
    points: np.ndarray
    joins: tuple[Join, Join]


def cut_letters(
    word: WrittenWord, num_letters: int = 1, shifts: Mapping[str, int] = MappingProxyType({})
) -> list[CutLetter]:
    """Return the letters of a word, or each `num_letters` of them that follow each other, where the
    ink shows their ends.

    Args:
        word: its lengths are in x-heights.
        num_letters: how many letters are cut out together.
        shifts: for letters that the window leaves early or late, how many low joins behind the
            nearest one the pen leaves them: 1 for an `m` whose last arch comes later.
    """
    parts: list[_Part] = []
    unclear: set[int] = set()
    for number, (stroke, indices) in enumerate(zip(word.strokes, word.indices, strict=True)):
        letters = _letters_of(word, number)
        cuts = _cuts(word.text, stroke, indices, letters, shifts)
        if cuts is None:
            unclear |= {*letters}
        else:
            parts += _parts(stroke, letters, cuts)
    parts = [_returned(part, parts) for part in parts]
    letters = []
    for index in range(len(word.text) - num_letters + 1):
        places = range(index, index + num_letters)
        if unclear.isdisjoint(places) and (letter := _letter(word.text, places, parts)):
            letters.append(letter)
    return letters


def _returned(part: _Part, parts: Sequence[_Part]) -> _Part:
    """Return a part of a letter; a bar or dot that is above the letter before, though the window
    was already at this one, is of the letter before."""
    before = [each.points for each in parts if each.index == part.index - 1]
    same = [each.points for each in parts if each.index == part.index]
    body = max(same, key=lambda points: np.ptp(points, axis=0).sum())
    if part.joins != ("", "") or not before or part.points is body:
        return part
    center = np.mean([part.points[:, 0].min(), part.points[:, 0].max()])
    is_above = center < body[:, 0].min() and center <= np.concatenate(before)[:, 0].max()
    return part._replace(index=part.index - 1) if is_above else part


def _letters_of(word: WrittenWord, number: int) -> list[int]:
    """Return the indices of the letters that a stroke is of, in the order of writing: the window
    may be at a neighbour for some points. A sign is joined to no letter, and a letter that another
    stroke has more points of is not joined to the end of this one."""
    stroke, indices = word.strokes[number], word.indices[number]
    present = sorted({*indices.tolist()})
    sizes = [float(np.ptp(stroke[indices == index], axis=0).max()) for index in present]
    large = [index for index, size in zip(present, sizes, strict=True) if size >= MIN_PART]
    if len(large) > 1:
        large = [index for index in large if word.text[index].isalpha()]
    if len(large) > 1:
        counts = [int((each == large[-1]).sum()) for each in word.indices]
        large = large if max(counts) == counts[number] else large[:-1]
    return large or [int(np.bincount(indices).argmax())]


def _cuts(
    text: str,
    stroke: np.ndarray,
    indices: np.ndarray,
    letters: Sequence[int],
    shifts: Mapping[str, int],
) -> list[Cut] | None:
    """Return the places where a stroke is cut between its letters; None if there is none."""
    if len(letters) == 1:
        return []
    if letters != [*range(letters[0], letters[-1] + 1)]:
        return None
    curve = smooth_path(stroke, STEPS)
    if len(curve) != STEPS * (len(stroke) - 1) + 1:  # A point is there twice.
        return None
    cuts = []
    for index in letters[1:]:
        before = np.flatnonzero(indices == index - 1)
        behind = np.flatnonzero(indices == index)
        if text[index - 1] in HIGH_ENDS:  # The window leaves them before the pen does.
            cut = _first_high(curve, round(STEPS * behind[0]), round(STEPS * behind[-1]))
        else:
            nominal = behind[0] + min(LAG, len(behind) / 2)
            bounds = before.mean(), behind[-1]
            places = [round(STEPS * place) for place in (nominal, *bounds)]
            cut = _low_join(curve, *places, shifts.get(text[index - 1], 0))
        if cut is None or (cuts and cut.number <= cuts[-1].number):
            return None
        cuts.append(cut)
    return cuts


def _low_join(curve: np.ndarray, nominal: int, first: int, last: int, shift: int) -> Cut | None:
    """Return the low join of a curve that is nearest to the point `nominal`, or the one `shift`
    joins behind it; None if there is none from `first` to `last`."""
    rise = -curve[:, 1]
    places = np.arange(max(first, 0), min(last, len(curve) - 2) + 1)
    low = places[(rise[places] < LOW_JOIN) & (rise[places + 1] >= LOW_JOIN)]
    number = int(np.abs(low - nominal).argmin()) + shift if len(low) else -1
    return Cut(int(low[number]), "low") if 0 <= number < len(low) else None


def _first_high(curve: np.ndarray, first: int, last: int) -> Cut | None:
    """Return the first place, from `first` to `last`, where a curve hangs between two tops."""
    rise = -curve[:, 1]
    places = np.arange(max(first, 1), min(last, len(curve) - 2) + 1)
    is_lowest = (rise[places] <= rise[places - 1]) & (rise[places] < rise[places + 1])
    is_between = (rise[places] >= HIGH_JOINS[0]) & (rise[places] <= HIGH_JOINS[1])
    goes_right = curve[places + 1, 0] > curve[places - 1, 0]
    high = places[is_lowest & is_between & goes_right]
    if len(high):
        return Cut(int(high[0]), "high")
    flat = places[is_between & goes_right]  # The pen goes on to a higher top.
    slopes = np.abs(rise[flat + 1] - rise[flat - 1]) / (curve[flat + 1, 0] - curve[flat - 1, 0])
    is_flat = slopes <= MAX_SLOPE
    return Cut(int(flat[slopes.argmin()]), "high") if is_flat.any() else None


def _parts(stroke: np.ndarray, letters: Sequence[int], cuts: Sequence[Cut]) -> list[_Part]:
    """Return the parts of a stroke; each begins and ends at a cut."""
    if not cuts:
        return [_Part(letters[0], stroke, ("", ""))]
    curve = smooth_path(stroke, STEPS)
    joins: list[Join] = ["", *(cut.join for cut in cuts), ""]
    numbers = [0, *(cut.number for cut in cuts), len(curve) - 1]
    parts = []
    for k, index in enumerate(letters):
        start, end = numbers[k], numbers[k + 1]
        kept = curve[(start // STEPS + 1) * STEPS : end : STEPS]
        ends = curve[[start, end]]
        for point in ends:
            kept = kept[np.hypot(*(kept - point).T) >= MIN_STEP]
        points = np.concatenate([ends[:1], kept, ends[1:]])
        parts.append(_Part(index, points, (joins[k], joins[k + 1])))
    return parts


def _letter(text: str, places: range, parts: Sequence[_Part]) -> CutLetter | None:
    """Return the letters at some places of a text, with their strokes; None without ink, or if two
    strokes join them to a neighbour."""
    letters = [part for part in parts if part.index in places]
    if {part.index for part in letters} != {*places}:
        return None
    entries = [part for part in letters if part.index == places[0] and part.joins[0]]
    exits = [part for part in letters if part.index == places[-1] and part.joins[1]]
    if len(entries) > 1 or len(exits) > 1:
        return None
    strokes: list[np.ndarray] = []
    for part, previous in zip(letters, [None, *letters[:-1]], strict=True):
        joins_previous = previous is not None and part.joins[0] and previous.index < part.index
        if joins_previous and previous.joins[1] and part.index > places[0]:
            strokes[-1] = np.concatenate([strokes[-1], part.points[1:]])
        else:
            strokes.append(part.points)
    return CutLetter(
        text[places[0] : places[-1] + 1],
        places[0],
        tuple(strokes),
        entries[0].points[0] if entries else None,
        exits[0].points[-1] if exits else None,
        (entries[0].joins[0] if entries else "", exits[0].joins[1] if exits else ""),
    )
