"""Recognisers proofread written words, each alone; misread words are written again.

Graves 2013 draws each line once. Here words with a fault are drawn again with the next seed, and
the best try is kept. A recogniser of whole lines guesses words from their neighbours, which nobody
can do for numbers; so the recogniser is shown one word at a time.

A second recogniser may read the words too. It sees a picture, as people do, not the movement of the
pen. So it makes other mistakes than the first recogniser, which reads words that people cannot
read, and doubts words that they can.
"""

import re
import unicodedata
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise, product

import numpy as np

from handwriting.hands import TRY_SEED_STRIDE, Hand, HandShape
from handwriting.repairs import LetterStrokes
from handwriting.word_cutting import written_words
from handwriting.written_word import WrittenWord, strokes_in_row
from model.generation.line import Line
from model.generation.writing import SEEDS
from model.reader import Reader
from model.recognition.error_rates import error_counts, normalised
from utils.alphabet import WRONG
from utils.hand_measures import is_straight, ring_area, segments_cross
from utils.ink import DOT_INK, bounds, from_strokes, x_height

MAX_HEIGHT = 9.0  # x-heights beyond which ink is not a line (assumed)
MAX_WAY_BACK = 3.0  # x-heights that the pen may go back besides the width of a word (assumed)
MAX_CHARACTER_WIDTH = 6.0  # x-heights for each character (assumed)
UNENDED = "never ended"
MISSING = "left out a word"
SHAPE = "ink outside the line"
"""Faults of a line."""
NO_RING = "a 9 without a ring"
CROSSED = "a digit over another sign"
"""Faults of a word that a reader of pictures overlooks (lab notebook: a reader of pictures
proofreads)."""
RING_AREA = 0.065
"""Least area that a `9` encloses over its height squared (by eye: some 60 of 811 in seven styles
have less, and most of these look like a `1`, `5` or `7`)."""
SIGN_HEIGHT = 0.8  # least x-heights of a stroke that is a whole sign, not a part (by eye)
MAX_DOUBT = 0.1  # nats (by eye: the words of a page)
MAX_DOUBT_OF_NUMBER = 0.01  # nats of a word with a digit (by eye: the words of a page)
REPORTED_RATIO = 10.0  # times the limit, above which doubt is reported (by eye: as above)
UNSURE = 1.0  # nats of doubt with which a second reader does not confirm a word (assumed)
UNCLEAR = 0.8
"""Nats of a second reader's doubt above which a word is written again (measured, lab notebook: "a
reader of pictures proofreads")."""
UNCLEAR_NUMBER = 0.4  # `UNCLEAR` of a word with a digit (measured: as above)
LONG = 8
"""Length of a word, in characters, beyond which the limits of doubt, except `UNSURE`, grow with the
length (assumed: a web address is doubted at each character)."""
ALIKE = ("'’‘`", '"“”„', "-–—", "lI|", "Bß")
"""Groups of characters that nobody tells apart, each spelt as its first character."""
SPELT = str.maketrans({sign: group[0] for group in ALIKE for sign in group} | {"…": "..."})
BARE_I = ("l", "t", "k", "/")
"""What an `I` that is one bare stroke may be read as (lab notebook: the words of a page)."""
MAX_SPELLINGS = 8  # spellings of a word that are compared with the ink (assumed)
UNSEEN = "."
"""Signs at the end of a word that a second reader overlooks (lab notebook: a reader of pictures
proofreads)."""
ALONE = str.maketrans("_~,'\"/!(", "--...lll")
"""Signs that, seen alone, cannot be told from another sign; each is replaced by that sign."""


Character = tuple[str, list[np.ndarray]]
"""A character and its strokes `(n, 2)`."""


@dataclass(frozen=True)
class CheckedWord:
    """A proofread word; or several words, if a stroke joins them or one of them is missing.

    Attributes:
        words: the written words; empty before the first try.
        text: what the words should say.
        tries: how often the words were written.
        hypothesis: what was read.
        errors: characters misread.
        doubt: minus the log-probability that the reader gives the text, in nats.
        faults: of the line or the word, besides misread characters.
        bare: whether each `I` is a bare stroke.
        second: doubt of a second reader, in nats; 0 if its reading differs from the text only in
            what context alone decides; None without a second reader, or for characters that it does
            not know.
        looks_like: what the second reader reads instead.
    """

    words: tuple[WrittenWord, ...]
    text: str
    tries: int = 0
    hypothesis: str = ""
    errors: int = 0
    doubt: float = 0.0
    faults: tuple[str, ...] = ()
    bare: bool = False
    second: float | None = None
    looks_like: str = ""

    @property
    def wrong(self) -> tuple[int, float]:
        """How wrong the word is, to compare tries: number of faults and errors, then doubt."""
        return len(self.faults) + self.errors, self.doubt + (self.second or 0.0)

    @property
    def confirmed(self) -> bool:
        """Whether a second reader reads the word."""
        return self.second is not None and self.second < UNSURE

    @property
    def doubt_limit(self) -> float:
        """Nats of doubt up to which the word is accepted: more if a second reader confirms it."""
        limit = self._limit(MAX_DOUBT, MAX_DOUBT_OF_NUMBER)
        return REPORTED_RATIO * limit if self.confirmed else limit

    @property
    def accepted(self) -> bool:
        """Whether nothing is wrong with the word, as far as the readers can tell."""
        clear = (self.second or 0.0) <= self._limit(UNCLEAR, UNCLEAR_NUMBER)
        sure = self.doubt <= self.doubt_limit and clear
        return sure and not self.errors and not self.faults

    @property
    def reason(self) -> str:
        """Why a person should look at the word; empty if nobody needs to."""
        reasons = list(self.faults)
        accents = self.errors and without_accents(self.hypothesis) == without_accents(self.text)
        if not self.confirmed and not accents:
            if self.errors:
                reasons.insert(0, f"read as {self.hypothesis!r}")
            elif self.doubt > REPORTED_RATIO * self.doubt_limit:
                looks = f"looks like {self.looks_like!r}"
                reasons.append(looks if self.looks_like else "hardly legible")
        return ", ".join(reasons)

    def _limit(self, word: float, number: float) -> float:
        limit = number if any(map(str.isdigit, self.text)) else word
        return limit * max(1.0, len(self.text) / LONG)


def write_words(hand: Hand, texts: Sequence[str], seeds: Sequence[int]) -> list[list[CheckedWord]]:
    """Return the words of texts as they are written in a hand, one line for each seed; the hand's
    writer has to know all characters.

    The words of a line that are not accepted are written again together, until they are accepted or
    written `tries` times. The tries of a line do not depend on other lines.
    """
    lines = [[CheckedWord((), text, faults=(MISSING,))] for text in texts]
    for number in range(hand.tries if hand.reader else 1):
        wrong = [" ".join(word.text for word in line if not word.accepted) for line in lines]
        pending = [k for k, text in enumerate(wrong) if text]
        if not pending:
            break
        again = [(seeds[k] + number * TRY_SEED_STRIDE) % SEEDS for k in pending]
        tried = try_words(hand, [wrong[k] for k in pending], again)
        for k, line in zip(pending, tried, strict=True):
            lines[k] = keep_best(lines[k], line)
    return lines


def try_words(hand: Hand, texts: Sequence[str], seeds: Sequence[int]) -> list[list[CheckedWord]]:
    """Return the words of lines that are written once, one line for each seed, as read back."""
    checked = []
    for line in hand.write_lines(texts, seeds):
        words = written_words(line, hand.shape, hand.slant)
        checked.append(check_shapes(line, words, hand.shape))
    if not hand.reader:
        return checked
    read = proofread(hand.reader, [*chain(*checked)])
    words = iter(with_second_reading(hand.second_reader, read) if hand.second_reader else read)
    return [[*islice(words, len(line))] for line in checked]


def check_shapes(line: Line, words: Sequence[WrittenWord], shape: HandShape) -> list[CheckedWord]:
    """Return the words of a line with their faults; one `CheckedWord` if the line has a fault."""
    faults = {
        UNENDED: not line.ended,
        MISSING: " ".join(word.text for word in words) != line.title,
        SHAPE: not _is_line(line),
    }
    if any(faults.values()):
        return [CheckedWord(tuple(words), line.title, faults=_names(faults))]
    checked, characters, start = [], _characters(line), 0
    for word in words:
        of_word = characters[start : start + len(word.text)]
        start += len(word.text) + 1  # and the blank
        nines = [ink for sign, ink in of_word if sign == "9" and ink]
        height = SIGN_HEIGHT * shape.letter
        faults = {
            NO_RING: any(ring_area(ink) < RING_AREA for ink in nines),
            CROSSED: any(_cross(*both, height) for both in pairwise(of_word)),
        }
        is_bare = all(is_straight(ink) for sign, ink in of_word if sign == "I")
        checked.append(CheckedWord((word,), word.text, faults=_names(faults), bare=is_bare))
    return checked


def _names(faults: Mapping[str, bool]) -> tuple[str, ...]:
    return tuple(fault for fault, is_there in faults.items() if is_there)


def _characters(line: Line) -> list[Character]:
    """Return the characters of a line's title, each with its strokes: a stroke belongs to the
    character at which the window was for most of its points."""
    title_start = len(line.text) - len(line.title)
    characters: list[Character] = [(sign, []) for sign in line.title]
    for stroke, point_characters in LetterStrokes.of(line).pairs():
        at = int(np.bincount(point_characters).argmax()) - title_start
        if 0 <= at < len(characters):
            characters[at][1].append(stroke)
    return characters


def _cross(before: Character, after: Character, height: float) -> bool:
    """Return whether strokes of two characters cross, one a digit, that are at least so high."""
    if not (before[0].isdigit() or after[0].isdigit()):
        return False
    segments = []
    for _, ink in (before, after):
        tall = [stroke for stroke in ink if np.ptp(stroke[:, 1]) >= height]
        if not tall:
            return False
        ways = [np.stack((stroke[:-1], stroke[1:]), 1) for stroke in tall]
        segments.append(np.concatenate(ways))
    return bool(segments_cross(*segments).any())


def _is_line(line: Line) -> bool:
    """Return whether ink has the extent of a line, and does not jump far back."""
    ink, text = line.written, line.title
    signs = not any(map(str.isalnum, text))
    if len(ink) < (1 if signs else 2):
        return False
    letter = x_height(line.ink if signs else ink)  # signs have no x-height: the primer's
    left, top, right, bottom = bounds(ink)
    across = np.cumsum(ink[:, 0], dtype=np.float64)
    longest = max(map(len, text.split()), default=1)
    back = float((np.maximum.accumulate(across) - across).max())
    return bool(
        bottom - top <= MAX_HEIGHT * letter
        and right - left <= MAX_CHARACTER_WIDTH * letter * max(len(text), 2)
        and back <= (MAX_WAY_BACK + 2.0 * longest) * letter
    )


def proofread(reader: Reader, words: Sequence[CheckedWord]) -> list[CheckedWord]:
    """Return words with what a reader reads; words of a line with a fault stay as they are."""
    words = [*words]
    for k, hypothesis, doubt in _readings(reader, words):
        words[k] = judged(words[k], hypothesis, doubt)
    return words


def with_second_reading(second: Reader, words: Sequence[CheckedWord]) -> list[CheckedWord]:
    """Return all words, each with the doubt of a second reader; words of a line with a fault, or of
    characters that the second reader does not know, stay as they are."""
    words = [*words]
    for k, hypothesis, doubt in _readings(second, words, UNSEEN):
        word = words[k]
        if second.model.alphabet.unknown(folded(word.text)):
            continue
        judgement = judged(word, hypothesis, doubt)
        if not judgement.errors:
            words[k] = replace(word, second=judgement.doubt)
        elif without_context(hypothesis) == without_context(word.text):
            words[k] = replace(word, second=0.0)
        else:
            looks_like = hypothesis.replace(WRONG, "?")
            words[k] = replace(word, second=doubt, looks_like=looks_like)
    return words


def _readings(
    reader: Reader, words: Sequence[CheckedWord], unseen: str = ""
) -> Iterator[tuple[int, str, float]]:
    """Yield the number, hypothesis and doubt of each word whose line has no fault; the word may be
    read without the `unseen` signs at its end."""
    line_faults = {UNENDED, MISSING, SHAPE}
    whole = [k for k, word in enumerate(words) if line_faults.isdisjoint(word.faults)]
    inks, texts = [], []
    for k in whole:
        inks.append(from_strokes(words[k].words[0].strokes))
        spelt = spellings(words[k].text, words[k].bare)
        spelt += [text.rstrip(unseen) for text in spelt]
        texts.append([*dict.fromkeys(spelt)])
    readings = reader.proofread(inks, texts, ALIKE, 1.0)
    for k, (hypothesis, doubt) in zip(whole, readings, strict=True):
        yield k, hypothesis, doubt


def judged(word: CheckedWord, hypothesis: str, doubt: float) -> CheckedWord:
    """Return a word that was read as `hypothesis`."""
    text, read = folded(word.text), folded(hypothesis)
    letters = sum(map(str.isalnum, text))
    # Ink alone does not show whether a single letter is a capital, and hardly which sign a sign is.
    alone = letters <= 1 and not any(map(str.isdigit, text))
    if alone:
        text, read = text.translate(ALONE), read.translate(ALONE)
        if hypothesis.casefold() == word.text.casefold() or not (letters or read):
            read = text
    if read in map(folded, spellings(word.text, word.bare)):
        read = text
    errors = error_counts(text, read).character_errors
    return replace(word, hypothesis=hypothesis, errors=errors, doubt=0.0 if alone else doubt)


def keep_best(before: Sequence[CheckedWord], tried: Sequence[CheckedWord]) -> list[CheckedWord]:
    """Return the words of a line, with a new try where it is better.

    Args:
        before: all words of the line.
        tried: new tries of the words that are not accepted, written as one line.
    """
    left, best = deque(tried), []
    for old in before:
        if old.accepted:
            best.append(old)
            continue
        new: list[CheckedWord] = []
        while left and old.text.startswith(" ".join(word.text for word in [*new, left[0]])):
            new.append(left.popleft())
        complete = " ".join(word.text for word in new) == old.text
        worst = max((word.wrong for word in new), default=old.wrong)
        kept = new if complete and (not old.tries or worst < old.wrong) else [old]
        best += [replace(word, tries=old.tries + 1) for word in kept]
    return best


def spellings(text: str, bare: bool = False) -> list[str]:
    """Return the spellings under which a recogniser may read a text: with a blank before an
    apostrophe, as in IAM-OnDB, with other signs for dots, and for each `I` if it is `bare`."""
    several = {"'": ("'", " '"), "...": ("...", "…"), "\0": BARE_I}
    parts = re.split(r"('|\.\.\.|\0)", folded(text.replace("I", "\0") if bare else text))
    ways = [several.get(part, (part,)) for part in parts]
    return ["".join(way).strip() for way in islice(product(*ways), MAX_SPELLINGS)]


def folded(text: str) -> str:
    """Return a text in which the first of each group in `ALIKE` stands for the whole group."""
    return normalised(text).translate(SPELT).replace(" '", "'")


def without_accents(text: str) -> str:
    """Return a text with one accent for all kinds, which small writing hardly tells apart."""
    apart = unicodedata.normalize("NFD", folded(text))
    return "".join("\u0301" if unicodedata.combining(sign) else sign for sign in apart)


def without_context(text: str) -> str:
    """Return a text reduced to what ink shows without context: no blanks, small letters, `o` for
    zero, and no `UNSEEN` signs at its end."""
    return folded(text).replace(" ", "").casefold().replace("0", "o").rstrip(UNSEEN)


def row_ink(line: Sequence[CheckedWord]) -> np.ndarray:
    """Return a line as ink in x-heights, `(points, 3)`; a dot if the line has no word."""
    words = [word for checked in line for word in checked.words]
    return from_strokes(strokes_in_row(words)) if words else DOT_INK
