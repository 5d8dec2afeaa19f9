"""The words of a written line: the strokes of each word, and its gap to the next word.

Words are the parts of a text between blanks. The peak of the window tells which character each
point belongs to. A delayed stroke, such as the bar of a `t` that is crossed after the next word has
begun, belongs to the word that it lies over.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, pairwise

import numpy as np

from apps.pages.drawn_signs import with_drawn_signs
from apps.pages.hand_shape import HandShape, letter_width
from apps.pages.letter_dots import with_visible_dot
from apps.pages.letter_strokes import LetterStrokes
from apps.pages.marks import with_marks, without_marks
from apps.pages.repairs import repair_letters, repair_signs
from apps.pages.written_word import WrittenWord, span
from data_loader.synthetic.composed.cutting import X_HIGH_LETTERS
from ink.geometry import from_strokes, to_points, turned_back, vertical_segments
from ink.measures import baseline_angle, median_lean, turning_points
from model.generation.line import Line

MIN_FRACTION = 0.2
"""A stroke joins two words if more than this fraction of its points is in the second word (assumed:
the window goes to the next word some points earlier or later than the pen)."""
# Number of letters and digits in a line at which `shrunk` halves a measured difference:
LINE_PRIOR = 1.0  # for the y of the baseline (measured, notebook: pages, words on their line)
TURN_PRIOR = 2.0
"""For the slant, which a few downstrokes show, and the slope of the baseline (measured, notebook:
pages, the lines of a page)."""
WORD_PRIOR = 0.25  # for the y of one word within its line (measured, as `LINE_PRIOR`)
MAX_WORD_OFFSET = 1.3  # largest x-heights from a line's baseline to feet of letters (as above)
MAX_FOOT_RISE = 0.35  # x-heights from the lowest foot of a letter up to another one (by eye)
MAX_FOOT_OFFSET = 0.9  # x-heights from the median foot of a word to one that is no tail (by eye)
MIN_FEET_SPAN = 1.0  # least x-heights from the first foot to the last that show a slope (assumed)
MAX_WORD_RISE = 0.25  # largest x-heights by which a word rises or falls (as above)
TAILED = {*"fgjpqyzGJPQYZ"}
"""Letters with a tail below the baseline in some hands, and a `P`, whose foot some forget."""
WIDTH_PRIOR = 6.0  # for the width of letters (measured, notebook: pages, the lines of a page)
HEIGHT_PRIOR = 5.0  # for the x-height, in its letters (notebook: pages, marks that are drawn)
MAX_WIDENING = 1.33  # largest factor by which letters are resized (assumed)
MIN_TALL_RATIO = 0.6  # least ratio of a tall stroke's height to the tallest stroke's (assumed)
MIDDLE_SIGNS = "-–—~=+"  # Their middle is half an x-height above the baseline (assumed).
# Ratios to the usual gap between words:
MIN_GAP_RATIO = 0.8  # least gap between words (by eye: with 0.6 words run together in full rows)
MAX_GAP_RATIO = 1.35  # largest gap between words (by eye: with 1.7 words look scattered)
MAX_HOLE_RATIO = 0.45  # largest hole within a word (by eye)
MIN_GAP = 1.0  # least gap between words in x-heights (by eye)

StrokesByWord = list[list[np.ndarray]]
"""The strokes `(n, 2)` of each word of a line."""


def written_words(
    line: Line, text: str, shape: HandShape, slant: float | None
) -> list[WrittenWord]:
    """Return the words of a line in x-heights, turned level and changed to the hand's measures. A
    word without ink has the width of its letters, and no strokes.

    Args:
        line: from a network that takes a text; its primer is left out.
        text: what the line should say; marks that its written text lacks are drawn.
        shape: the measures of the hand.
        slant: degrees of the words from upright to the right; None for the slant of the line.
    """
    whole = [LetterStrokes(word, [], []) for word in text.split()]
    cut = []
    if len(line.written):
        whole = cut_words(repair_letters(LetterStrokes.of(line), shape), text)
        cut = [word for word in whole if word.strokes]
    written = dict(zip(text, line.written_text, strict=True))
    lean = shape.lean_at(slant)
    shaped = iter(_shaped_words(line, cut, written, shape, lean) if cut else ())
    words = []
    for word in whole:
        if word.strokes:
            words.append(with_drawn(next(shaped), written, shape, lean))
        else:
            width = len(word.text) * shape.character_width
            words.append(WrittenWord((), width, shape.gap, word.text))
    return words


def with_drawn(
    word: WrittenWord, written: Mapping[str, str], shape: HandShape, lean: float
) -> WrittenWord:
    """Return a word with the signs and marks that a network did not write; see
    `with_drawn_signs`."""
    drawn = with_drawn_signs(word, written, lean, shape.letter_width, shape.mean_step)
    drawn = with_marks(drawn, {c for c in word.text if written[c] != c}, lean, shape.mean_step)
    if drawn is word:
        return word
    plain_text = "".join(written[character] for character in word.text)
    return replace(drawn, plain=replace(word, text=plain_text))


def _shaped_words(
    line: Line,
    cut: Sequence[LetterStrokes],
    written: Mapping[str, str],
    shape: HandShape,
    lean: float,
) -> list[WrittenWord]:
    """Return the words of a line that have ink, see `written_words`, with a `lean`, x over y.
    `written`: for each character, what the network wrote in its place."""
    text = "".join(written[character] for word in cut for character in word.text)
    start = to_points(line.ink)[line.primed]
    words = [[stroke + start for stroke in word.strokes] for word in cut]
    num_characters = sum(map(str.isalnum, line.written_text))
    # A line without a primer does not slope as the hand's primer, and begins at another height.
    words = level(words, shape.angle if line.primed else 0.0, num_characters)
    words = widen(words, shape, text, num_characters)
    words = as_high(words, cut, shape.x_height)
    words = shear(words, shape, lean, num_characters)
    baseline = baseline_of_words(words, text, shape.x_height)
    if line.primed:
        difference = shrunk(baseline - shape.baseline, num_characters, LINE_PRIOR)
        baseline = shape.baseline + difference
    moved = [replace(word, strokes=strokes) for word, strokes in zip(cut, words, strict=True)]
    moved = on_baseline(moved, baseline, shape.x_height)
    return to_written_words(moved, shape, baseline)


def cut_words(letters: LetterStrokes, written_text: str) -> list[LetterStrokes]:
    """Return the words of a line, with their strokes in the order of writing; none for a word
    without ink. Words through which one stroke runs become one word, whose text has blanks.

    Args:
        letters: the strokes of the line.
        written_text: the line's text without the primer's.
    """
    matches = [*re.finditer(r"\S+", written_text)]
    # The word of each character, and of the position behind the text; -1 where there is no word.
    word_of = np.full(len(letters.text) + 1, -1)
    primer_length = len(letters.text) - len(written_text)
    for number, match in enumerate(matches):
        word_of[primer_length + match.start() : primer_length + match.end()] = number
    # The fraction of each stroke's points in each word, `(strokes, words)`.
    numbers = np.arange(len(matches))
    fractions = np.array([(word_of[k][:, None] == numbers).mean(0) for k in letters.indices])
    main_words = np.where(fractions.any(1), fractions.argmax(1), -1).tolist()
    owners = _stroke_owners(letters.strokes, main_words)
    runs_through = fractions > MIN_FRACTION
    for word in np.flatnonzero(fractions.any(0)):
        if word not in owners:  # All of its ink is in a stroke of another word.
            stroke = fractions[:, word].argmax()
            runs_through[stroke, [word, owners[stroke]]] = True
    is_end = np.ones(len(matches), dtype=bool)  # whether no stroke runs on to the next word
    for is_in_word in runs_through:
        stroke_words = np.flatnonzero(is_in_word)
        if len(stroke_words):
            is_end[stroke_words[0] : stroke_words[-1]] = False
    words = []
    first = 0
    for last in np.flatnonzero(is_end):
        word = letters.selected(k for k, owner in enumerate(owners) if first <= owner <= last)
        text = " ".join(match[0] for match in matches[first : last + 1])
        start = len(letters.text) - len(written_text) + matches[first].start()
        # The window is at the blanks beside a word while the pen is still in the word.
        indices = [(each - start).clip(0, len(text) - 1) for each in word.indices]
        words.append(LetterStrokes(text, word.strokes, indices))
        first = last + 1
    return words


def _stroke_owners(strokes: Sequence[np.ndarray], main_words: Sequence[int]) -> list[int]:
    """Return the number of the word that owns each stroke: its main word, or an earlier word that
    covers more than half of the stroke's width and more of it than the main word, or to which the
    stroke is nearer than to the main word's other ink. The owner of a stroke at blanks is the
    earlier word that covers most of it; without earlier words, word 0. `main_words`: number of the
    word of most points of each stroke; -1 if all are at blanks."""
    spans: dict[int, tuple[float, float]] = {}
    owners = []
    for number, (stroke, word) in enumerate(zip(strokes, main_words, strict=True)):
        left, right = span([stroke])
        overlaps = {
            other: min(right, end) - max(left, start) for other, (start, end) in spans.items()
        }
        earlier = [other for other in spans if other < word or word < 0]
        if earlier:
            nearest = max(earlier, key=overlaps.__getitem__)
            is_covered = overlaps[nearest] > 0.5 * max(right - left, 1e-9)
            if word < 0 or (is_covered and overlaps[nearest] > overlaps.get(word, -np.inf)):
                word = nearest
            elif word not in spans:  # It may be a late bar of the word before.
                later = zip(strokes[number + 1 :], main_words[number + 1 :], strict=True)
                begin = next((span([other]).left for other, each in later if each == word), left)
                if left - spans[nearest][1] < begin - right:
                    word = nearest
        word = max(word, 0)  # A first stroke at a blank belongs to the first word.
        start, end = spans.get(word, (left, right))
        spans[word] = min(start, left), max(end, right)
        owners.append(word)
    return owners


def level(words: StrokesByWord, angle: float, num_characters: int) -> StrokesByWord:
    """Turn words, whose origin is the primer's first point, level: first back by the `angle` of the
    primer's baseline, in radians, then by the `shrunk` slope that is left."""
    words = [[turned_back(stroke, angle) for stroke in word] for word in words]
    first_stroke = words[0][0]
    origin = first_stroke[0]
    slope = shrunk(baseline_angle(from_strokes([*chain(*words)])), num_characters, TURN_PRIOR)
    return [[turned_back(stroke - origin, slope) + origin for stroke in word] for word in words]


def widen(words: StrokesByWord, shape: HandShape, text: str, num_characters: int) -> StrokesByWord:
    """Return words widened or narrowed towards the letter width of the hand; their lean stays."""
    width = sum(right - left for left, right in map(span, words)) / shape.x_height
    factor = shape.letter_width / letter_width(width, text)
    factor = math.exp(shrunk(math.log(factor), num_characters, WIDTH_PRIOR))
    factor = min(max(factor, 1 / MAX_WIDENING), MAX_WIDENING)
    matrix = [[factor, 0.0], [(factor - 1) * shape.lean, 1.0]]
    return [[stroke @ matrix for stroke in word] for word in words]


def as_high(words: StrokesByWord, cut: Sequence[LetterStrokes], x_height: float) -> StrokesByWord:
    """Return the words of a line, enlarged or reduced towards an x-height, which the letters
    without ascenders and tails show. `cut`: the words with the characters of their points."""
    heights = []
    for strokes, word in zip(words, cut, strict=True):
        letters = replace(word, strokes=strokes)
        for index, character in enumerate(without_marks(word.text)):
            parts = letters.parts_of(index) if character in X_HIGH_LETTERS else ()
            heights += [max(np.ptp(part[:, 1]) for part in parts)] if parts else []
    height = float(np.median(heights)) if heights else 0.0
    if height <= 0.0:
        return words
    factor = math.exp(shrunk(math.log(x_height / height), len(heights), HEIGHT_PRIOR))
    factor = min(max(factor, 1 / MAX_WIDENING), MAX_WIDENING)
    return [[stroke * factor for stroke in word] for word in words]


def shear(
    words: StrokesByWord, shape: HandShape, wanted_lean: float, num_characters: int
) -> StrokesByWord:
    """Return words whose downstrokes lean to the right by `wanted_lean`, x over y."""
    difference = median_lean(from_strokes([*chain(*words)])) - shape.lean
    lean = shape.lean + shrunk(difference, num_characters, TURN_PRIOR)
    matrix = np.array([[1.0, 0.0], [lean - wanted_lean, 1.0]])
    return [[stroke @ matrix for stroke in word] for word in words]


def to_written_words(
    words: Sequence[LetterStrokes], shape: HandShape, baseline: float
) -> list[WrittenWord]:
    """Return words scaled to x-heights, with repaired signs, and with gaps behind them."""
    spans = [span(word.strokes) for word in words]
    gaps = [left - right for (_, right), (left, _) in pairwise(spans)]
    gaps = [limited_gap(gap / shape.x_height, shape.gap) for gap in gaps]
    written = []
    for word, (left, _), gap in zip(words, spans, [*gaps, shape.gap], strict=True):
        origin = left, baseline
        strokes = [with_visible_dot((stroke - origin) / shape.x_height) for stroke in word.strokes]
        if " " not in word.text:
            strokes = without_holes(strokes, shape.gap)
        # A dot that was made visible has another number of points.
        indices = [*map(np.resize, word.indices, map(len, strokes))]
        letters = LetterStrokes(word.text, strokes, indices)
        strokes = repair_signs(letters, max_hole(shape.gap))
        right = span(strokes).right
        written.append(WrittenWord(tuple(strokes), right, gap, word.text, tuple(indices)))
    return written


def baseline_of_words(words: StrokesByWord, text: str, x_height: float) -> float:
    """Return the y of the baseline of level words, which their `feet` or `MIDDLE_SIGNS` show."""
    strokes = [*chain(*words)]
    if set(text) <= {*MIDDLE_SIGNS}:
        y = np.concatenate(strokes)[:, 1]
        return float(y.min() + y.max() + x_height) / 2
    return float(np.median(feet(strokes, text, x_height)))


def feet(strokes: Sequence[np.ndarray], text: str, x_height: float) -> np.ndarray:
    """Return the y of the low turning points of level strokes; for a text without small letters,
    the y of the feet of tall strokes."""
    # By the hand's x-height: beside a long tail, the ink's own would make flat what letters turn.
    _, low = turning_points(vertical_segments(from_strokes(strokes)), x_height)
    if any(map(str.islower, text)) and len(low):
        return strokes[0][0, 1] + low[:, 1]
    return np.array([stroke[:, 1].max() for stroke in tall_strokes(strokes)])


def tall_strokes(strokes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the strokes that are nearly as high as the highest."""
    min_height = MIN_TALL_RATIO * max(np.ptp(stroke[:, 1]) for stroke in strokes)
    return [stroke for stroke in strokes if np.ptp(stroke[:, 1]) >= min_height]


def on_baseline(
    words: Sequence[LetterStrokes], baseline: float, x_height: float
) -> list[LetterStrokes]:
    """Return level words, each moved up or down towards the baseline of their line.

    The median of the feet of a word's letters shows its offset, which is `shrunk`. A word without
    such letters moves as its neighbours do. Words that rise or fall by more than `MAX_WORD_RISE`
    are turned until they do not.
    """
    numbers = []
    offsets = []
    slopes = np.zeros(len(words))
    for number, word in enumerate(words):
        feet_of_word = (letter_feet(word, x_height) - (0.0, baseline)) / x_height
        left, right = span(word.strokes)
        near = feet_of_word[np.abs(feet_of_word[:, 1]) <= MAX_WORD_OFFSET]
        if len(near):
            numbers.append(number)
            offsets.append(shrunk(float(np.median(near[:, 1])), len(near), WORD_PRIOR) * x_height)
            slopes[number] = _needless_slope(near, (right - left) / x_height)
    if not numbers:
        return [*words]
    moved = []
    shifts = np.interp(range(len(words)), numbers, offsets)
    for word, shift, slope in zip(words, shifts, slopes, strict=True):
        middle = sum(span(word.strokes)) / 2
        matrix = np.array([[1.0, -slope], [0.0, 1.0]])
        strokes = [(s - (middle, shift)) @ matrix + (middle, 0.0) for s in word.strokes]
        moved.append(replace(word, strokes=strokes))
    return moved


def letter_feet(word: LetterStrokes, x_height: float) -> np.ndarray:
    """Return the feet of the letters and digits of a word that stand on the baseline, `(feet, 2)`:
    the low turning points of each that are near its lowest."""
    feet_of_word = [np.empty((0, 2))]
    plain_text = without_marks(word.text)
    for index, character in enumerate(plain_text):
        if not character.isalnum() or character in TAILED:
            continue
        # The window goes on to a joined letter while the pen is still in the tail before it.
        is_behind_tail = index > 0 and plain_text[index - 1] in TAILED
        parts = word.parts_of(index, with_joined=not is_behind_tail)
        if not parts:
            continue
        _, low = turning_points(vertical_segments(from_strokes(parts)), x_height)
        if len(low):
            low = np.unique(low + parts[0][0], axis=0)
            feet_of_word.append(low[low[:, 1] >= low[:, 1].max() - MAX_FOOT_RISE * x_height])
    return np.concatenate(feet_of_word)


def _needless_slope(feet_of_word: np.ndarray, width: float) -> float:
    """Return the slope of the line through the feet of a word, in x-heights, beyond the slope with
    which the word rises or falls by `MAX_WORD_RISE`; 0 if they show less than half of its width."""
    is_foot = np.abs(feet_of_word[:, 1] - np.median(feet_of_word[:, 1])) <= MAX_FOOT_OFFSET
    x, y = feet_of_word[is_foot].T
    if not is_foot.any() or np.ptp(x) < max(width / 2, MIN_FEET_SPAN):
        return 0.0
    slope = float(np.polyfit(x, y, 1)[0])
    usual = MAX_WORD_RISE / width
    return slope - min(max(slope, -usual), usual)


def without_holes(strokes: Sequence[np.ndarray], usual_gap: float) -> list[np.ndarray]:
    """Return the strokes of a word in x-heights, those behind a hole wider than `max_hole` of the
    usual gap between words moved to the left."""
    moved = [*strokes]
    shift = 0.0
    spans = [span([stroke]) for stroke in strokes]
    edge = min(spans).left
    for number in sorted(range(len(strokes)), key=spans.__getitem__):
        left, right = spans[number]
        shift += max(left - edge - max_hole(usual_gap), 0.0)
        edge = max(edge, right)
        moved[number] = strokes[number] - (shift, 0.0)
    return moved


def max_hole(usual_gap: float) -> float:
    """Return the largest hole within a word, by the usual gap between words, in x-heights."""
    return MAX_HOLE_RATIO * max(usual_gap, 1.0)


def limited_gap(gap: float, usual_gap: float) -> float:
    """Return a gap between words, at least `MIN_GAP` and in a range around the usual gap."""
    lowest = MIN_GAP_RATIO * usual_gap
    highest = MAX_GAP_RATIO * usual_gap
    return max(min(max(gap, lowest), highest), MIN_GAP)


def shrunk(difference: float, num_characters: int, prior: float) -> float:
    """Return a measured difference from the hand, shrunk the more, the fewer characters the line
    has: by half if there are `prior` characters. NaN becomes 0."""
    return float(np.nan_to_num(difference)) * num_characters / (num_characters + prior)
