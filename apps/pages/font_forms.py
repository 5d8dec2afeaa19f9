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

from apps.pages.font_cutting import LAGS, LOW_JOIN, CutLetter, Join, cut_letters
from apps.pages.font_texts import FREQUENT, common_pairs, form_texts
from apps.pages.hands import Hand
from apps.pages.letter_strokes import crosses
from apps.pages.marks import MARKED, PLAIN, with_marks
from apps.pages.proofreading import LOOKALIKES, CheckedWord, write_words
from apps.pages.styles import MAX_JOINED_STROKES
from apps.pages.written_word import WrittenWord, span
from data_loader.pen_paths import from_strokes, touching_shift
from data_loader.synthetic.texts.templates import Draws
from ink.geometry import at_equal_steps, path_along, smooth_path
from ink.geometry import from_strokes as ink_from_strokes
from ink.measures import strokes_per_character

LINES_AT_ONCE = 64
NUM_FREQUENT_FORMS = 18  # of a frequent letter that is joined to none
NUM_OTHER_FORMS = 5
NUM_JOINED_FORMS = {("low", "out"): 12, ("high", "out"): 5, ("", "out"): 6, ("low", ""): 6}
"""Forms of a frequent letter of a joined hand, by its entry and whether it has an exit."""
NUM_RARE_FORMS = 3  # of each other kind of a letter
NUM_PAIR_FORMS = 2  # of each kind of a pair
NUM_READ = 3  # letters that are read for each form of a font (assumed)
MAX_READ_DOUBT = 1.0  # nats of a letter between two others (by eye)
USUAL_FRACTION = 0.6  # of the letters of a kind; the other ones are less alike (by eye)
NUM_PLACES = 32  # points by which letters are compared (assumed)
BARRED = frozenset("ft")
BAR_RISE = 0.85  # x-heights from the baseline up to the bar of an `f` or `t` (by eye)
BAR_SIDE = 0.35  # x-heights from its stem to an end of the bar (by eye)
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
        entered: the letters to which the letter before is joined.
        rises: for each kind of join, the x-heights from the baseline up to it.
        gap: x-heights of clearance between characters that are not joined.
        pair_gaps: the same of pairs that were written often.
        blank: x-heights between words.
        lean: how far downstrokes lean to the right, x over y.
    """

    forms: tuple[Form, ...]
    exits: Mapping[str, Join]
    entered: frozenset[str]
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
        return self.exits.get(first, "") if second in self.entered else ""


class _Joins(NamedTuple):
    """How a hand joins letters; see `HandForms`."""

    exits: Mapping[str, Join]
    entered: frozenset[str]
    rises: Mapping[Join, float]

    def kinds_of(self, text: str) -> list[Kind]:
        """Return the kinds that a letter, or a pair of letters, has in words."""
        entries: list[Join] = ["", *sorted({*self.exits.values()})]
        exits: list[Join] = ["", *filter(None, [self.exits.get(text[-1], "")])]
        return [(a, b) for a in entries if text[0] in self.entered or not a for b in exits]


def written_forms(hand: Hand, seed: int = 0, *, progress: bool = False) -> HandForms:
    """Write the forms of all characters that a hand knows.

    Args:
        hand: has a primer; its readers proofread.
        seed: chooses the words, and is the seed of the first line.
        progress: show a progress bar.
    """
    alphabet = hand.writer.model.alphabet.characters
    draws = Draws(np.random.default_rng([seed, 0]))
    lean = hand.shape.lean if hand.slant is None else math.tan(math.radians(hand.slant))
    words = [*_proofread_words(hand, form_texts(alphabet, draws), seed, progress)]
    is_joined = strokes_per_character([hand.primer]) < MAX_JOINED_STROKES
    letters = [cut_letters(word) for word in words]
    joins = _joins_of(words, letters) if is_joined else _Joins({}, frozenset(), {})
    by_kind: dict[tuple[str, Kind], list[Form]] = defaultdict(list)
    pairs = {*common_pairs()} if joins.exits else set()
    for word in words:
        for letter in _each_cut(word, bool(pairs)):
            is_whole = letter.text != "x" or crosses(letter.strokes, letter.strokes)
            if is_whole and (len(letter.text) == 1 or letter.text in pairs):
                form = _form_of(letter, joins)
                by_kind[form.text, form.kind].append(form)
    gaps = _gaps(letters)
    usual = float(np.median([*chain.from_iterable(gaps.values())]))
    usual_forms = {
        key: _most_usual(each, 2 * _num_forms(*key, joins)) for key, each in by_kind.items()
    }
    read = _best_read(hand, usual_forms, usual)
    forms = [*_chosen(read, joins, alphabet, draws)]
    forms += _marked(forms, alphabet, lean)
    medians = {pair: float(np.median(values)) for pair, values in gaps.items() if len(values) > 3}
    blank = hand.shape.gap
    return HandForms(tuple(forms), *joins, usual, medians, blank, lean)


def _each_cut(word: WrittenWord, with_pairs: bool) -> Iterator[CutLetter]:
    """Yield the letters of a word, and its pairs, by each lag of the pen that cuts it elsewhere;
    the readers tell later which cut is right."""
    seen = set()
    for lag, num_letters in product(LAGS, (1, 2) if with_pairs else (1,)):
        for letter in cut_letters(word, num_letters, lag):
            ends = (None if end is None else (*end,) for end in (letter.entry, letter.exit))
            key = letter.text, letter.index, *ends
            if key not in seen:
                seen.add(key)
                yield letter


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
            if letter.text in string.ascii_lowercase and following in [*string.ascii_lowercase]:
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
    entered = {
        letter for letter, each in entries.items() if each[True] >= MIN_JOINED * each.total()
    }
    medians = {join: float(np.median(values)) for join, values in rises.items()}
    return _Joins(leaving, frozenset(entered), medians)


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
    if form.text not in BARRED or crosses(form.strokes, form.strokes):
        return form
    stem = max(form.strokes, key=lambda stroke: np.ptp(stroke[:, 1]))
    curve = smooth_path(stem, 4)
    cross = curve[np.abs(curve[:, 1] + BAR_RISE).argmin()]
    bar = cross + np.array([[-BAR_SIDE, 0.02], [0.0, 0.0], [BAR_SIDE, -0.03]])
    return replace(form, strokes=(*form.strokes, bar))


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
    """Yield forms of a character in other joins, in the place of a kind that was not written."""
    others = sorted(other for written, other in by_kind if written == text)
    others.sort(key=lambda other: (other[1] != kind[1], other[0] != kind[0]))
    for other in others[:1]:
        for form in by_kind[text, other]:
            yield _as_kind(form, kind, joins)


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
    hand: Hand, by_kind: Mapping[tuple[str, Kind], Sequence[Form]], gap: float
) -> dict[tuple[str, Kind], list[Form]]:
    """Return the forms of each kind; of small letters and pairs those that are read between two
    other letters, the best first."""
    ranked = {key: [*forms] for key, forms in by_kind.items()}
    if hand.reader is None:
        return ranked
    keys, inks, texts = [], [], []
    for (text, (entry, exit_join)), forms in by_kind.items():
        before = by_kind.get(("o" if entry == "high" else "n", ("", entry)))
        behind = by_kind.get(("n", (exit_join, "")))
        if not {*text}.issubset(string.ascii_lowercase) or not before or not behind:
            continue
        for form in forms:
            parts = before[0], form, behind[0]
            keys.append((text, form.kind))
            inks.append(ink_from_strokes(_side_by_side(parts, gap)))
            texts.append(["".join(part.text for part in parts)])
    doubts: dict[tuple[str, Kind], list[float]] = defaultdict(list)
    for key, (_, doubt) in zip(keys, hand.reader.proofread(inks, texts, LOOKALIKES), strict=True):
        doubts[key].append(doubt)
    for key, values in doubts.items():
        order = np.argsort(values, kind="stable").tolist()
        num_clear = sum(value <= MAX_READ_DOUBT for value in values)
        num_kept = max(num_clear, 1) if len(key[0]) == 1 else num_clear
        ranked[key] = [by_kind[key][k] for k in order[:num_kept]]
    return ranked


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
