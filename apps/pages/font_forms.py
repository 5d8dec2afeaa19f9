"""The forms of a font: each character as a hand writes it, several times, and proofread.

Words with all characters are written and proofread as those of a page are, and cut into letters.
Where the hand joins two letters, a letter has other forms than where it does not. Of each kind, the
letters that are most like the usual letter are the forms.
"""

import math
import string
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise, product
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from apps.pages.font_cutting import LOW_JOIN, STEPS, CutLetter, Join, cut_letters
from apps.pages.font_texts import FREQUENT, common_pairs, form_texts
from apps.pages.hands import Hand
from apps.pages.letter_strokes import crosses
from apps.pages.marks import MARKED, PLAIN, with_marks
from apps.pages.proofreading import LOOKALIKES, CheckedWord, write_words
from apps.pages.written_word import WrittenWord, span
from data_loader.pen_paths import from_strokes, touching_shift
from data_loader.synthetic.texts.templates import Draws
from ink.geometry import at_equal_steps, path_along, smooth_path
from ink.geometry import from_strokes as ink_from_strokes

LINES_AT_ONCE = 64
NUM_FREQUENT_FORMS = 18  # of a frequent letter that is joined to none
NUM_OTHER_FORMS = 5
NUM_JOINED_FORMS = {("low", "out"): 12, ("high", "out"): 5, ("", "out"): 6, ("low", ""): 6}
"""Forms of a frequent letter of a joined hand, by its entry and whether it has an exit."""
NUM_RARE_FORMS = 3  # of each other kind of a letter
NUM_PAIR_FORMS = 2  # of each kind of a pair
NUM_READ = 3  # letters that are read for each form of a font (assumed)
MAX_READ_DOUBT = 3.0  # nats of all readers, of a letter between two others (by eye)
SHIFTS = (0, 1, -1)  # low joins from the nearest one to the end of a letter, see `cut_letters`
NUM_TRIED = 10  # letters that are read to choose a shift (assumed)
MAX_SPARE_DOUBT = 1.0  # the same of a capital or a pair, which need not be joined (by eye)
MIN_FORMS = 3  # of a letter with a join, else it stands alone there (by eye)
USUAL_FRACTION = 0.6  # of the letters of a kind; the other ones are less alike (by eye)
NUM_PLACES = 32  # points by which letters are compared (assumed)
BARRED = frozenset("ft")
UNBARRED = frozenset(string.ascii_lowercase) - BARRED
LIFTED_BEHIND = frozenset("b")
"""Letters behind which a font lifts the pen: one that is joined to the bowl of a `b` fills it, and
the `b` reads as an `l` (by eye)."""
ENTERED_LOW = frozenset("x")
"""Letters that are not joined high: with a stroke at its top an `x` reads as a `z` (by eye)."""
MAX_BACK = 0.25  # x-heights from a high join back to the left edge of the letter (by eye)
MAX_LEAD = 0.2  # x-heights of a flat stroke in front of a letter that is joined to none (by eye)
MAX_LEAD_RISE = 0.3  # x-heights by which such a stroke goes up or down (by eye)
FINISHED_LATE = frozenset("fijtx")  # letters whose last stroke may follow the next letters
MIN_FLATNESS = 2.0  # of the ink of a bar, over to the right over upwards (by eye)
BAR_RISE = 0.85  # x-heights from the baseline up to the bar of an `f` or `t` (by eye)
BAR_SIDE = 0.35  # x-heights from its stem to an end of the bar (by eye)
REPEATED = {"…": (".", 3), "„": (",", 2)}
"""Signs that are several of another sign, and how many."""
STEP_OF_REPEATED = 0.4  # x-heights from one to the next (by eye)
WARPED = 0.6  # x-heights of a stroke that are bent to a join (by eye)
JOIN_WIDTH = 0.4  # x-heights from a letter to a join that is drawn (by eye)
MAX_OFF = 1e-6  # x-heights, for rounding
MIN_JOINED = 0.5  # fraction of the occurrences in which a hand joins a letter to the next
Kind = tuple[Join, Join]
"""How a letter is joined to the letters before and behind."""


@dataclass(frozen=True)
class Form:
    """A character, or a pair of letters, as the hand writes it. Lengths are in x-heights.

    Attributes:
        text: the character or the pair.
        strokes: positions `(n, 2)`, x from the entry, or from the left edge of the ink without an
            entry; y downwards from the baseline.
        advance: x of the exit, or of the right edge of the ink without an exit.
        entry: how the pen comes from the letter before; "" if it is lifted.
        exit: how the pen goes to the letter behind; "" if it is lifted.
    """

    text: str
    strokes: tuple[np.ndarray, ...]
    advance: float
    entry: Join = ""
    exit: Join = ""

    @property
    def kind(self) -> Kind:
        """The joins at both sides."""
        return self.entry, self.exit


@dataclass(frozen=True)
class HandForms:
    """The forms of a hand, and how they are set beside each other.

    Attributes:
        forms: the forms of each character, and of pairs in a joined hand; those of a kind follow
            each other.
        exits: for each letter that is joined to the next, how it is.
        entered: for each kind of join, the letters to which a letter before may be joined so.
        rises: for each kind of join, the x-heights from the baseline up to it.
        gap: x-heights of clearance between characters that are not joined.
        pair_gaps: the same of pairs that were written often.
        blank: x-heights between words.
        lean: how far downstrokes lean to the right, x over y.
    """

    forms: tuple[Form, ...]
    exits: Mapping[str, Join]
    entered: Mapping[Join, frozenset[str]]
    rises: Mapping[Join, float]
    gap: float
    pair_gaps: Mapping[str, float]
    blank: float
    lean: float

    def of(self, text: str, kind: Kind = ("", "")) -> list[Form]:
        """Return the forms of a character or a pair of a kind."""
        return [form for form in self.forms if form.text == text and form.kind == kind]

    def join_between(self, first: str, second: str) -> Join:
        """Return how a letter is joined to the next; "" if it is not."""
        join = self.exits.get(first, "")
        return join if second in self.entered.get(join, ()) else ""


class _Joins(NamedTuple):
    """How a hand joins letters; see `HandForms`."""

    exits: Mapping[str, Join]
    entered: Mapping[Join, frozenset[str]]
    rises: Mapping[Join, float]

    def kinds_of(self, text: str) -> list[Kind]:
        """Return the kinds that a letter, or a pair of letters, has in words."""
        entered = (join for join, letters in self.entered.items() if text[0] in letters)
        entries: list[Join] = ["", *sorted(entered)]
        exits: list[Join] = ["", *filter(None, [self.exits.get(text[-1], "")])]
        return [*product(entries, exits)]


def written_forms(hand: Hand, seed: int = 0, *, progress: bool = False) -> HandForms:
    """Write the forms of all characters that a hand knows.

    Args:
        hand: has a primer; its readers proofread.
        seed: chooses the words, and is the seed of the first line.
        progress: show a progress bar.
    """
    alphabet = hand.writer.model.alphabet.characters
    draws = Draws(np.random.default_rng([seed, 0]))
    lean = hand.shape.lean_at(hand.slant)
    words = [*_proofread_words(hand, form_texts(alphabet, draws), seed, progress)]
    is_joined = hand.shape.joined
    shifts = _best_shifts(hand, words) if is_joined else {}
    letters = [cut_letters(word, 1, shifts) for word in words]
    joins = _joins_of(words, letters) if is_joined else _Joins({}, {}, {})
    by_kind: dict[tuple[str, Kind], list[Form]] = defaultdict(list)
    pairs = {pair for pair in common_pairs() if joins.exits and _is_joinable(pair)}
    for word, singles in zip(words, letters, strict=True):
        for letter in [*singles, *(cut_letters(word, 2, shifts) if pairs else ())]:
            is_wanted = len(letter.text) == 1 or letter.text in pairs
            if is_wanted and _is_whole(letter) and not _may_have_others(letter, word.text):
                form = _form_of(letter, joins)
                by_kind[form.text, form.kind].append(form)
    gaps = _gaps(letters)
    usual = float(np.median([*chain.from_iterable(gaps.values())]))
    usual_forms = {
        key: _most_usual(each, NUM_READ * _num_forms(*key, joins)) for key, each in by_kind.items()
    }
    read = _best_read(hand, usual_forms, usual, lean)
    joins = _kept_joins(joins, read)
    forms = [*_chosen(read, joins, alphabet, draws)]
    if joins.exits:
        forms = [without_lead(form, lean) for form in forms]
    forms += _marked(forms, alphabet, lean)
    medians = {pair: float(np.median(values)) for pair, values in gaps.items() if len(values) > 3}
    blank = hand.shape.gap
    return HandForms(tuple(forms), *joins, usual, medians, blank, lean)


def _is_joinable(pair: str) -> bool:
    """Return whether a pair may be a form: the pen is not lifted in it, nor has it a bar that is
    drawn after the letter behind it."""
    return pair[0] not in LIFTED_BEHIND and pair[1] not in BARRED


def _best_shifts(hand: Hand, words: Sequence[WrittenWord]) -> dict[str, int]:
    """Return for each letter the shift of its cut with which the readers read it best at the start
    of a word, before an `n`; see `cut_letters`."""
    joins = _Joins({}, {}, {"low": LOW_JOIN})
    initials: dict[tuple[str, int], list[Form]] = defaultdict(list)
    finals = []
    for word, shift in product(words, SHIFTS):
        shifts = dict.fromkeys(string.ascii_letters, shift)
        for letter in cut_letters(word, 1, shifts):
            if letter.text == "n" and letter.joins == ("low", "") and not shift:
                finals.append(_form_of(letter, joins))
            elif letter.text in string.ascii_letters and letter.joins == ("", "low"):
                initials[letter.text, shift].append(_form_of(letter, joins))
    keys, inks, texts = [], [], []
    for key, forms in initials.items():
        for form, behind in product(_most_usual(forms, NUM_TRIED), _most_usual(finals, 1)):
            keys.append(key)
            inks.append(ink_from_strokes(_side_by_side((form, behind), 0.0)))
            texts.append([form.text + behind.text])
    doubts: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (text, shift), doubt in zip(keys, _doubts(hand, inks, texts), strict=True):
        doubts[text][shift].append(doubt)
    return {
        text: min(by_shift, key=lambda shift: float(np.median(by_shift[shift])))
        for text, by_shift in doubts.items()
    }


def _doubts(hand: Hand, inks: Sequence[np.ndarray], texts: Sequence[Sequence[str]]) -> list[float]:
    """Return the nats of doubt of all readers of a hand that each ink says its text."""
    readers = [reader for reader in (hand.reader, hand.second_reader) if reader is not None]
    readings = [reader.proofread(inks, texts, LOOKALIKES, 1.0) for reader in readers if inks]
    doubts = np.array([[doubt for _, doubt in reading] for reading in readings])
    return doubts.reshape(len(readings), len(inks)).sum(axis=0).tolist()


def _is_whole(letter: CutLetter) -> bool:
    """Return whether cut letters have their second strokes: an `x` is crossed, and the `f` or `t`
    of a pair has a bar, which the pen often draws after the neighbours. A single one gets one."""
    if letter.text == "x":
        return crosses(letter.strokes, letter.strokes)
    if len(letter.text) == 1 or BARRED.isdisjoint(letter.text):
        return True
    return _has_bar(letter.strokes)


def _has_bar(strokes: Sequence[np.ndarray]) -> bool:
    """Return whether a flat piece of ink crosses another one; where loops cross it is steep."""
    pieces = [np.stack(ends) for stroke in strokes for ends in pairwise(stroke)]
    flat = [
        piece
        for piece in pieces
        if abs(np.diff(piece[:, 0])) > MIN_FLATNESS * abs(np.diff(piece[:, 1]))
    ]
    return bool(flat) and crosses(flat, pieces)


def _may_have_others(letter: CutLetter, text: str) -> bool:
    """Return whether the strokes of a sign may be those of letters before it in the text, whose
    bars and dots the pen draws when the window is at the sign."""
    return not letter.text.isalnum() and not FINISHED_LATE.isdisjoint(text[: letter.index])


def _proofread_words(
    hand: Hand, texts: Sequence[str], seed: int, progress: bool
) -> Iterator[WrittenWord]:
    """Yield the words of lines that the readers accept; the network wrote each word alone."""
    starts = range(0, len(texts), LINES_AT_ONCE)
    bar = tqdm(starts, "font", unit="batch", leave=False, disable=None if progress else True)
    for start in bar:
        batch = texts[start : start + LINES_AT_ONCE]
        lines = write_words(hand, batch, range(seed + start, seed + start + len(batch)))
        for word in chain.from_iterable(lines):
            if _is_usable(word):
                yield word.words[0]


def _is_usable(word: CheckedWord) -> bool:
    """Return whether letters may be cut out of a proofread word."""
    lengths = [[*map(len, each)] for each in (word.words[0].strokes, word.words[0].indices)]
    return word.accepted and " " not in word.text and lengths[0] == lengths[1]


def _joins_of(words: Sequence[WrittenWord], letters: Sequence[Sequence[CutLetter]]) -> _Joins:
    """Return how a hand joins letters in most words."""
    exits: dict[str, Counter[Join]] = defaultdict(Counter)
    entries: dict[str, Counter[bool]] = defaultdict(Counter)
    rises: dict[Join, list[float]] = {"low": [LOW_JOIN]}
    for word, cut in zip(words, letters, strict=True):
        for letter in cut:
            following = word.text[letter.index + 1 : letter.index + 2]
            if letter.text in string.ascii_letters and following in [*string.ascii_lowercase]:
                exits[letter.text][letter.joins[1]] += 1
            if letter.exit is not None and letter.joins[1] == "high":
                rises.setdefault("high", []).append(-letter.exit[1])
    usual = {letter: counts.most_common(1)[0][0] for letter, counts in exits.items()}
    leaving = {letter: join for letter, join in sorted(usual.items()) if join}
    for word, cut in zip(words, letters, strict=True):
        for letter in cut:
            previous = word.text[letter.index - 1] if letter.index else ""
            if letter.text in string.ascii_lowercase and previous in leaving:
                entries[letter.text][letter.entry is not None] += 1
    entered = frozenset(
        letter for letter, each in entries.items() if each[True] >= MIN_JOINED * each.total()
    )
    medians = {join: float(np.median(values)) for join, values in rises.items()}
    return _Joins(leaving, dict.fromkeys(medians, entered), medians)


def _kept_joins(joins: _Joins, by_kind: Mapping[tuple[str, Kind], Sequence[Form]]) -> _Joins:
    """Return the joins without those of which there are too few forms: the hand's own letter that
    stands alone is better than a drawn join."""
    entries, exits = Counter[tuple[Join, str]](), Counter[str]()
    for (text, (entry, exit_join)), forms in by_kind.items():
        if entry:
            entries["low", text] += len(forms)  # A high join bent to a low one reads well.
        is_within = exit_join == joins.exits.get(text, "")
        if entry == "high" and is_within and text not in ENTERED_LOW:
            entries["high", text] += len(forms)
        exits[text] += len(forms) if exit_join and exit_join == joins.exits.get(text) else 0
    leaving = {
        letter: join
        for letter, join in joins.exits.items()
        if exits[letter] >= MIN_FORMS and letter not in LIFTED_BEHIND
    }
    entered = {
        join: frozenset(letter for letter in letters if entries[join, letter] >= MIN_FORMS)
        for join, letters in joins.entered.items()
    }
    return _Joins(leaving, entered, joins.rises)


def _form_of(letter: CutLetter, joins: _Joins) -> Form:
    """Return the form of a letter, its ends bent to the usual heights of joins."""
    strokes = letter.strokes
    for end, join in zip((letter.entry, letter.exit), letter.joins, strict=True):
        if end is not None and join in joins.rises:
            shift = -joins.rises[join] - end[1]
            strokes = tuple(bent(stroke, end, shift) for stroke in strokes)
    left, right = span(strokes)
    start = left if letter.entry is None else letter.entry[0]
    end_x = right if letter.exit is None else letter.exit[0]
    moved = tuple(stroke - (start, 0.0) for stroke in strokes)
    return _with_bar(Form(letter.text, moved, end_x - start, *letter.joins))


def _with_bar(form: Form) -> Form:
    """Return a form; an `f` or `t` without a bar, which is part of the next letter's stroke or was
    cut off, gets one."""
    if form.text not in BARRED or len(form.strokes) > 1 or _has_bar(form.strokes):
        return form
    stem = max(form.strokes, key=lambda stroke: np.ptp(stroke[:, 1]))
    curve = smooth_path(stem, 4)
    cross = curve[np.abs(curve[:, 1] + BAR_RISE).argmin()]
    bar = cross + np.array([[-BAR_SIDE, 0.02], [0.0, 0.0], [BAR_SIDE, -0.03]])
    return replace(form, strokes=(*form.strokes, bar))


def without_lead(form: Form, lean: float) -> Form:
    """Return a form. A flat stroke in front of a small letter to which none is joined, such as the
    bar of a `t` that was before it, reads as a hyphen and is cut off but for `MAX_LEAD`."""
    strokes = [*form.strokes]
    number = min(range(len(strokes)), key=lambda k: strokes[k][:, 0].min())
    stroke = strokes[number]
    if form.entry or form.text[0] not in UNBARRED or len(stroke) < 2:
        return form
    curve = smooth_path(stroke, STEPS)
    is_steep = np.abs(curve[:, 1] - curve[0, 1]) > MAX_LEAD_RISE
    end = int(is_steep.argmax()) if is_steep.any() else len(curve) - 1
    upright = curve[:, 0] + lean * curve[:, 1]
    too_far = np.flatnonzero(upright[:end] < upright[end:].min() - MAX_LEAD)
    if not len(too_far):
        return form
    start = int(too_far[-1]) + 1
    strokes[number] = np.concatenate([curve[start : start + 1], stroke[start // STEPS + 1 :]])
    left, right = span(strokes)
    moved = tuple(each - np.array([left, 0.0]) for each in strokes)
    return replace(form, strokes=moved, advance=(form.advance if form.exit else right) - left)


def bent(stroke: np.ndarray, end: np.ndarray, shift: float) -> np.ndarray:
    """Return a stroke; one that begins or ends at `end` is moved up or down there, the less the
    farther a point is from this end."""
    path = path_along(stroke)
    if (stroke[0] == end).all():
        distance = path
    elif (stroke[-1] == end).all():
        distance = path[-1] - path
    else:
        return stroke
    weight = np.clip(1.0 - distance / WARPED, 0.0, 1.0)
    return stroke + np.outer(weight**2 * (3 - 2 * weight), (0.0, shift))


def _chosen(
    by_kind: Mapping[tuple[str, Kind], Sequence[Form]], joins: _Joins, alphabet: str, draws: Draws
) -> Iterator[Form]:
    """Yield the forms of each character and pair that are most like the usual one."""
    pairs = sorted({text for text, _ in by_kind if len(text) == 2})
    for text in [*sorted({*alphabet} - MARKED - {" "}), *pairs]:
        for kind in joins.kinds_of(text):
            candidates = by_kind.get((text, kind), ())
            if not candidates and len(text) == 1:
                candidates = [*_stand_ins(by_kind, text, kind, joins)]
            number = _num_forms(text, kind, joins)
            yield from sorted(candidates[:number], key=lambda _: draws.number())


def _num_forms(text: str, kind: Kind, joins: _Joins) -> int:
    """Return how many forms a character or pair has of a kind."""
    if len(text) == 2:
        return NUM_PAIR_FORMS
    if text not in FREQUENT:
        return NUM_OTHER_FORMS if kind == joins.kinds_of(text)[-1] else NUM_RARE_FORMS
    if len(joins.kinds_of(text)) == 1:
        return NUM_FREQUENT_FORMS
    return NUM_JOINED_FORMS.get((kind[0], "out" if kind[1] else ""), NUM_RARE_FORMS)


def _stand_ins(
    by_kind: Mapping[tuple[str, Kind], Sequence[Form]], text: str, kind: Kind, joins: _Joins
) -> Iterator[Form]:
    """Yield forms in the place of a kind that was not written: the character in other joins, or
    signs that it consists of."""
    if text in REPEATED:
        sign, count = REPEATED[text]
        for form in by_kind.get((sign, ("", "")), ()):
            shifts = [(k * STEP_OF_REPEATED, 0.0) for k in range(count)]
            strokes = tuple(s + np.array(shift) for shift in shifts for s in form.strokes)
            yield Form(text, strokes, form.advance + shifts[-1][0])
    others = sorted(
        other for (written, other), forms in by_kind.items() if written == text and forms
    )
    others.sort(key=lambda other: _unlikeness(other, kind))
    for other in others[:1]:
        for form in by_kind[text, other]:
            yield _as_kind(form, kind, joins)


def _unlikeness(kind: Kind, other: Kind) -> tuple[int, int]:
    """Return how many ends of two kinds are joined in one alone, and how many differ at all."""
    lifts = sum(bool(a) != bool(b) for a, b in zip(kind, other, strict=True))
    return lifts, sum(a != b for a, b in zip(kind, other, strict=True))


def _as_kind(form: Form, kind: Kind, joins: _Joins) -> Form:
    """Return a form as if it were joined otherwise: its main stroke is bent to another join, or
    goes on to it; a join that is too many stays as a tail."""
    strokes = [*form.strokes]
    number = max(range(len(strokes)), key=lambda k: np.ptp(strokes[k], axis=0).sum())
    main = strokes[number]
    if form.entry and kind[0]:
        shift = joins.rises[form.entry] - joins.rises[kind[0]]
        main = bent(main, main[0], shift) if abs(main[0, 0]) < MAX_OFF else main
    elif kind[0]:
        x = min(main[0, 0] - JOIN_WIDTH, span(strokes)[0])
        main = np.concatenate([[(x, -joins.rises[kind[0]])], main])
    if kind[1] and not form.exit:
        x = max(main[-1, 0] + JOIN_WIDTH, span(strokes)[1])
        main = np.concatenate([main, [(x, -joins.rises[kind[1]])]])
    strokes[number] = main
    left, right = span(strokes)
    start = (0.0 if form.entry else main[0, 0]) if kind[0] else left
    end = (form.advance if form.exit else main[-1, 0]) if kind[1] else right
    moved = tuple(stroke - np.array([start, 0.0]) for stroke in strokes)
    return Form(form.text, moved, end - start, *kind)


def _most_usual(candidates: Sequence[Form], number: int) -> list[Form]:
    """Return at most a number of forms: the ones that are nearest to the median of all, but no more
    than `USUAL_FRACTION` of all."""
    if len(candidates) <= 1:
        return [*candidates]
    places = np.stack([*map(_places, candidates)])
    num_strokes = np.array([len(form.strokes) for form in candidates])
    is_usual = num_strokes == np.bincount(num_strokes).argmax()
    median = np.median(places[is_usual], axis=0)
    distances = np.sqrt(((places - median) ** 2).sum(-1).mean(-1)) + 10.0 * ~is_usual
    nearest = np.argsort(distances, kind="stable").tolist()
    return [candidates[k] for k in nearest[: min(number, math.ceil(USUAL_FRACTION * len(nearest)))]]


def _best_read(
    hand: Hand, by_kind: Mapping[tuple[str, Kind], Sequence[Form]], gap: float, lean: float
) -> dict[tuple[str, Kind], list[Form]]:
    """Return the forms of each kind; of letters and pairs those that the readers read between two
    other letters, in the same order. Of each letter at least one is left."""
    ranked = {key: [*forms] for key, forms in by_kind.items()}
    keys, inks, texts = [], [], []
    for (text, (entry, exit_join)), forms in by_kind.items():
        before = by_kind.get(("o" if entry == "high" else "n", ("", entry)))
        behind = by_kind.get(("n", (exit_join, "")))
        if not {*text}.issubset(string.ascii_letters) or not before or not behind:
            continue
        for form in forms:
            parts = (form, behind[0]) if text.isupper() else (before[0], form, behind[0])
            keys.append((text, form.kind))
            inks.append(ink_from_strokes(_side_by_side(parts, gap)))
            texts.append(["".join(part.text for part in parts)])
    doubts: dict[tuple[str, Kind], list[float]] = defaultdict(list)
    for key, doubt in zip(keys, _doubts(hand, inks, texts), strict=True):
        doubts[key].append(doubt)
    for key, values in doubts.items():
        each = zip(by_kind[key], values, strict=True)
        is_small = len(key[0]) == 1 and key[0].islower()
        limit = MAX_READ_DOUBT if is_small else MAX_SPARE_DOUBT
        ranked[key] = [f for f, doubt in each if doubt <= limit and not overlaps(f, lean)]
    for text in {text for text, _ in doubts if len(text) == 1}:
        kinds = [key for key in doubts if key[0] == text]
        if not any(ranked[key] for key in kinds):
            best = min(kinds, key=lambda key: min(doubts[key]))
            ranked[best] = [by_kind[best][int(np.argmin(doubts[best]))]]
    return ranked


def overlaps(form: Form, lean: float) -> bool:
    """Return whether a small letter stands on the one before, to which it is joined high: it was
    cut too far to the right."""
    points = np.concatenate(form.strokes)
    points = points[points[:, 1] <= 0.0]  # A loop below the baseline may go back.
    if form.entry != "high" or form.text[0] not in UNBARRED or not len(points):
        return False
    upright = points[:, 0] + lean * points[:, 1]
    entry = upright[np.abs(points[:, 0]).argmin()]
    return bool(upright.min() < entry - MAX_BACK)


def _side_by_side(forms: Sequence[Form], gap: float) -> list[np.ndarray]:
    """Return the strokes of forms beside each other. Strokes that join two forms stay apart."""
    strokes: list[np.ndarray] = []
    x = 0.0
    for form, previous in zip(forms, [None, *forms[:-1]], strict=True):
        if previous is not None and not (previous.exit and form.entry):
            x += gap
        strokes += [stroke + np.array([x, 0.0]) for stroke in form.strokes]
        x += form.advance
    return strokes


def _places(form: Form) -> np.ndarray:
    """Return points along a form's strokes, `(NUM_PLACES, 2)`, by which it is compared."""
    points = np.concatenate(form.strokes)
    if len(points) == 1:
        return np.repeat(points, NUM_PLACES, axis=0)
    path = path_along(points)
    if path[-1] == 0.0:
        return np.repeat(points[:1], NUM_PLACES, axis=0)
    return at_equal_steps(points, path, NUM_PLACES - 1)


def _marked(forms: Sequence[Form], alphabet: str, lean: float) -> Iterator[Form]:
    """Yield the forms of letters whose marks are drawn, as pages have them."""
    by_text: dict[str, list[Form]] = defaultdict(list)
    for form in forms:
        by_text[form.text].append(form)
    for character in sorted(MARKED & {*alphabet}):
        counts: Counter[Kind] = Counter()
        for form in by_text[PLAIN[character]]:
            counts[form.kind] += 1
            if counts[form.kind] <= NUM_RARE_FORMS:
                yield marked_form(form, character, lean)


def marked_form(form: Form, character: str, lean: float) -> Form:
    """Return the form of a character, whose mark is drawn on the form of the letter below."""
    indices = tuple(np.zeros(len(stroke), int) for stroke in form.strokes)
    word = WrittenWord(form.strokes, form.advance, 0.0, character, indices)
    marked = with_marks(word, {character}, lean)
    return replace(form, text=character, strokes=marked.strokes)


def _gaps(letters: Sequence[Sequence[CutLetter]]) -> dict[str, list[float]]:
    """Return the clearances between characters that follow each other and are not joined. The bar
    of a letter may be part of its neighbour's ink."""
    gaps: dict[str, list[float]] = defaultdict(list)
    for cut in letters:
        for letter, following in pairwise(cut):
            is_next = following.index == letter.index + 1
            is_next = is_next and BARRED.isdisjoint(letter.text + following.text)
            if is_next and letter.exit is None and following.entry is None:
                clearance = -touching_shift(dense(letter.strokes), dense(following.strokes))
                if np.isfinite(clearance):
                    gaps[letter.text + following.text].append(clearance)
    return gaps


def dense(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """Return strokes as a path whose points are near each other."""
    return from_strokes([smooth_path(each, 4) if len(each) > 1 else each for each in strokes])
