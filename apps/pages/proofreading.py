"""Readers proofread written words, one word at a time; misread words are written again.

Graves 2013 draws each line once. Here words with a fault are drawn again with the next seed, and
the best try is kept. The reader is not shown whole lines, because it would guess words from
their neighbours. A person cannot guess a number from its neighbours.

A second reader may read the words too. It sees a picture, as people do, not the movement of the
pen. It therefore makes other mistakes than the first reader, which reads words that are
illegible to people and doubts words that are legible.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, islice, pairwise, product
from typing import Protocol

import numpy as np

from apps.pages.hand_shape import HandShape
from apps.pages.sign_shapes import has_its_dots, shape_faults, without_unknown
from apps.pages.written_word import WrittenWord, strokes_in_row
from ink.alphabet import WRONG
from ink.geometry import DOT_INK, bounds, from_strokes, x_height
from model.generation.line import SEEDS, Line
from model.loading import Reader
from model.recognition.error_rates import error_counts, normalised

TRY_SEED_STRIDE = 1_000_000_007
"""Difference between the seeds of two tries of a line: a prime above the number of lines."""
MAX_HEIGHT = 9.0  # x-heights; higher ink is not a line (assumed)
MAX_WAY_BACK = 3.0  # x-heights that the pen may go back, in addition to a word's width (assumed)
MAX_CHARACTER_WIDTH = 6.0  # x-heights for each character (assumed)
UNENDED = "never ended"
MISSING_WORD = "could not be written"
STRAY_INK = "ink outside the line"
OTHER_DOTS = "a dot too many or too few"
"""Faults of words that are not read: all words of a line have the first and the last."""
MAX_DOUBT = 0.1  # nats (by eye, notebook: pages, the words of a page)
MAX_DOUBT_OF_NUMBER = 0.01  # nats, for a word with a digit (by eye, as above)
CONFIRMED_RATIO = 10.0  # ratio of a confirmed word's limit to the usual one (by eye, as above)
MAX_COMMON_DOUBT = 4.5
"""Nats of `CheckedWord.common_doubt` above which a word is reported (fitted, notebook: pages,
doubt)."""
MAX_CONFIRMING_DOUBT = 1.0
"""Nats of a second reader's doubt below which it confirms a word that it misreads (assumed)."""
MAX_SECOND_DOUBT = 0.8
"""Nats of a second reader's doubt above which a word is written again (measured, notebook: pages, a
reader of pictures)."""
MAX_SECOND_DOUBT_OF_NUMBER = 0.4  # the same limit for a word with a digit (measured, as above)
LONG_WORD = 8
"""Length of a word, in characters, beyond which the limits of doubt up to which a word is accepted
grow with the length (assumed: a web address is doubted at each character)."""
LOOKALIKES = ("'’‘`", '"“”„', "-–—", "lI|", "Bß")
"""Groups of characters that look alike; the first character stands for its group."""
FOLDING = str.maketrans({sign: group[0] for group in LOOKALIKES for sign in group} | {"…": "..."})
MAX_SPELLINGS = 8  # spellings of a word that are compared with the ink (assumed)
OVERLOOKED = ".'"
"""Signs that a second reader overlooks (notebook: pages, a reader of pictures); their places are
checked (`shape_faults`)."""
NO_MARKS = dict.fromkeys(map(ord, OVERLOOKED))
"""Leaves out `OVERLOOKED` signs."""
DIGITS_LIKE_LETTERS = str.maketrans("015", "olS")
"""Digits that only the context tells from letters; each is replaced by the letter."""
AMBIGUOUS_ALONE = str.maketrans("_~,'\"/!(", "--...lll")
"""Signs that, seen alone, cannot be told from another sign; each is replaced by that sign."""


@dataclass(frozen=True)
class CheckedWord:
    """A proofread word; or several words, if a stroke joins them.

    Attributes:
        words: the written word, without strokes if it is missing; empty before the first try.
        text: what the words should say.
        tries: how often the words were written.
        hypothesis: what the reader reads.
        errors: how many characters are misread.
        doubt: minus the log-probability that the reader gives the text, in nats.
        faults: of the line or the word, besides misread characters.
        second: doubt of a second reader, in nats; 0 if only the context tells its reading from the
            text (`without_context`); None without a second reader, or if the second reader does not
            know a character of the text.
        looks_like: what the second reader reads instead of the text.
    """

    words: tuple[WrittenWord, ...]
    text: str
    tries: int = 0
    hypothesis: str = ""
    errors: int = 0
    doubt: float = 0.0
    faults: tuple[str, ...] = ()
    second: float | None = None
    looks_like: str = ""

    @property
    def is_unread(self) -> bool:
        """Whether no reader is shown the word, because it has no ink or its line has a fault."""
        return not {UNENDED, MISSING_WORD, STRAY_INK}.isdisjoint(self.faults)

    @property
    def badness(self) -> tuple[int, int, float]:
        """2 for a missing word and 1 for another unread word, the number of faults and errors, then
        the doubt; the better of two tries has less."""
        rank = self.is_unread + (MISSING_WORD in self.faults)
        return rank, len(self.faults) + self.errors, self.total_doubt

    @property
    def total_doubt(self) -> float:
        """The doubts of both readers, in nats: the higher, the more strangers misread the word."""
        return self.doubt + (self.second or 0.0)

    @property
    def common_doubt(self) -> float:
        """The geometric mean of both readers' doubts, in nats, which is high if neither reads the
        word well; the doubt of the reader if there is no other."""
        return self.doubt if self.second is None else math.sqrt(self.doubt * self.second)

    @property
    def confirmed(self) -> bool:
        """Whether a second reader reads the word, or has little doubt of it."""
        if self.second is None:
            return False
        return not self.looks_like or self.second < MAX_CONFIRMING_DOUBT

    @property
    def doubt_limit(self) -> float:
        """Nats of doubt up to which the word is accepted; higher if a second reader confirms it."""
        limit = self._limit(MAX_DOUBT, MAX_DOUBT_OF_NUMBER)
        return CONFIRMED_RATIO * limit if self.confirmed else limit

    @property
    def accepted(self) -> bool:
        """Whether nothing is wrong with the word, as far as the readers can tell."""
        second_limit = self._limit(MAX_SECOND_DOUBT, MAX_SECOND_DOUBT_OF_NUMBER)
        is_clear = self.doubt <= self.doubt_limit and (self.second or 0.0) <= second_limit
        return is_clear and not self.errors and not self.faults

    @property
    def reason(self) -> str:
        """Why a person should look at the word; empty if nobody needs to."""
        reasons = list(self.faults)
        if self.common_doubt > MAX_COMMON_DOUBT:
            if self.errors:
                reasons.insert(0, f"read as {self.hypothesis!r}")
            else:
                likeness = f"looks like {self.looks_like!r}"
                reasons.append(likeness if self.looks_like else "hardly legible")
        return ", ".join(reasons)

    def _limit(self, word_limit: float, number_limit: float) -> float:
        limit = number_limit if any(map(str.isdigit, self.text)) else word_limit
        return limit * max(1.0, len(self.text) / LONG_WORD)


class PageHand(Protocol):
    """A hand in which the words of a page are written.

    Attributes:
        reader: proofreads words; None for no proofreading.
        second_reader: proofreads all words after the reader; None for no second reader.
        tries: largest number of times that a word is written.
        slant: degrees from upright to the right; None for the hand's own.
        shape: the measures of the hand.
    """

    slant: float | None
    reader: Reader | None
    second_reader: Reader | None
    tries: int

    @property
    def shape(self) -> HandShape: ...

    def write_words(self, texts: Sequence[str], seeds: Sequence[int]) -> list[list[CheckedWord]]:
        """Write each text once, as a line with the seed of the same index; return the words of each
        line, with the faults of their shapes."""
        ...


def write_words(
    hand: PageHand, texts: Sequence[str], seeds: Sequence[int]
) -> list[list[CheckedWord]]:
    """Write each text as a line in a hand, with the seed of the same index; return the proofread
    words of each line. The hand's writer must know all characters.

    The words of a line that are not accepted are written again together, until they are accepted or
    written `hand.tries` times. The tries of a line do not depend on other lines.
    """
    lines = [[CheckedWord((), text, faults=(MISSING_WORD,))] for text in texts]
    for number in range(hand.tries if hand.reader else 1):
        wrong = []
        for line in lines:
            wrong.append(" ".join(word.text for word in line if not word.accepted))
        pending = [k for k, text in enumerate(wrong) if text]
        if not pending:
            break
        try_seeds = [(seeds[k] + number * TRY_SEED_STRIDE) % SEEDS for k in pending]
        new_lines = try_words(hand, [wrong[k] for k in pending], try_seeds)
        for k, line in zip(pending, new_lines, strict=True):
            lines[k] = keep_best(lines[k], line)
    return lines


def try_words(
    hand: PageHand, texts: Sequence[str], seeds: Sequence[int]
) -> list[list[CheckedWord]]:
    """Write each text once, with the seed of the same index; return the words of each line, which
    are proofread if the hand has a reader."""
    checked = hand.write_words(texts, seeds)
    if not hand.reader:
        return checked
    read = with_first_reading(hand.reader, [*chain(*checked)])
    words = iter(with_second_reading(hand.second_reader, read) if hand.second_reader else read)
    return [[*islice(words, len(line))] for line in checked]


def check_shapes(
    line: Line, words: Sequence[WrittenWord], is_dotted: bool = False
) -> list[CheckedWord]:
    """Return the words of a line with their faults; in a hand that `is_dotted` each `i` and `j` has
    a dot, and no other letter has one.

    The faults of a line are faults of all its words with ink: nobody knows which word has them.
    """
    line_faults = [] if line.ended else [UNENDED]
    if not _is_line(line):
        line_faults.append(STRAY_INK)
    checked = []
    for word in words:
        faults = line_faults if word.strokes else [MISSING_WORD]
        faults = faults or [*shape_faults(word)]
        if not faults and is_dotted and not has_its_dots(word):
            faults = [OTHER_DOTS]
        checked.append(CheckedWord((word,), word.text, faults=tuple(faults)))
    return checked


def _is_line(line: Line) -> bool:
    """Return whether ink has the extent of a line, and does not jump far back."""
    ink = line.written
    text = line.written_text
    only_signs = not any(map(str.isalnum, text))
    if len(ink) < (1 if only_signs else 2):
        return False
    height = x_height(line.ink if only_signs else ink)  # Signs do not show an x-height.
    left, top, right, bottom = bounds(ink)
    x = np.cumsum(ink[:, 0], dtype=np.float64)
    longest_word = max(map(len, text.split()), default=1)
    way_back = float((np.maximum.accumulate(x) - x).max())
    return bool(
        bottom - top <= MAX_HEIGHT * height
        and right - left <= MAX_CHARACTER_WIDTH * height * max(len(text), 2)
        and way_back <= (MAX_WAY_BACK + 2.0 * longest_word) * height
    )


def with_first_reading(reader: Reader, words: Sequence[CheckedWord]) -> list[CheckedWord]:
    """Return words with the reader's hypotheses; unread words stay unchanged."""
    words = [*words]
    seen = [*map(as_written, words)]
    for k, hypothesis, doubt in _readings(reader, seen):
        read = with_reading(seen[k], hypothesis, doubt)
        words[k] = replace(read, words=words[k].words, text=words[k].text)
    return words


def with_second_reading(second_reader: Reader, words: Sequence[CheckedWord]) -> list[CheckedWord]:
    """Return words with the doubt of a second reader. Unread words, and words with a character that
    the second reader does not know, stay unchanged; but accents and signs that it does not know are
    taken away if their shapes are right."""
    seen = [as_seen_by(second_reader, as_written(word)) for word in words]
    words = [replace(word, second=part.second) for word, part in zip(words, seen, strict=True)]
    for k, hypothesis, doubt in _readings(second_reader, seen, _overlooking):
        reading = with_reading(seen[k], hypothesis, doubt)
        if not reading.errors:
            words[k] = replace(words[k], second=reading.doubt)
        elif _differs_by_context(hypothesis, _overlooking(seen[k].text)):
            words[k] = replace(words[k], second=0.0)
        else:
            looks_like = hypothesis.replace(WRONG, "?")
            words[k] = replace(words[k], second=doubt, looks_like=looks_like)
    return words


def as_written(word: CheckedWord) -> CheckedWord:
    """Return a word as the network wrote it: drawn marks and signs are as they should be, and
    readers overlook marks behind joined letters (notebook: pages, marks that are drawn)."""
    written = word.words[0].plain if len(word.words) == 1 else None
    return replace(word, words=(written,), text=written.text) if written else word


def as_seen_by(reader: Reader, word: CheckedWord) -> CheckedWord:
    """Return the part of a word whose characters a reader knows, without words if other ink cannot
    be told from it. If at most marks are left, a `second` reader has no doubt."""

    def is_known(character: str) -> bool:
        return not reader.model.alphabet.unknown(folded(character))

    if word.is_unread or all(map(is_known, word.text)):
        return word
    part = without_unknown(word.words[0], is_known)
    if part is None:
        return replace(word, words=())
    text, strokes = part
    if not any(map(str.isalnum, text)):
        return replace(word, words=(), second=0.0)
    return replace(word, words=(replace(word.words[0], strokes=strokes),), text=text)


def _overlooking(text: str) -> tuple[str, str, str]:
    """Return a text, the text without `OVERLOOKED` signs at its end, and without all of them."""
    return text, text.rstrip(OVERLOOKED), text.translate(NO_MARKS)


def _readings(
    reader: Reader,
    words: Sequence[CheckedWord],
    variants: Callable[[str], Sequence[str]] = lambda text: (text,),
) -> Iterator[tuple[int, str, float]]:
    """Yield the index, hypothesis and doubt of each word that has ink and is not unread. A reading
    of one of the `variants` of a spelling counts as a reading of the word."""
    readable = [k for k, word in enumerate(words) if word.words and not word.is_unread]
    inks = []
    texts = []
    for k in readable:
        inks.append(from_strokes(words[k].words[0].strokes))
        accepted = spellings(words[k].text)
        texts.append([*dict.fromkeys(chain.from_iterable(map(variants, accepted)))])
    readings = reader.proofread(inks, texts, LOOKALIKES, 1.0)
    for k, (hypothesis, doubt) in zip(readable, readings, strict=True):
        yield k, hypothesis, doubt


def with_reading(word: CheckedWord, hypothesis: str, doubt: float) -> CheckedWord:
    """Return a word with a reader's hypothesis, its errors and its doubt."""
    text = folded(word.text)
    read = folded(hypothesis)
    num_letters = sum(map(str.isalnum, text))
    # A single letter does not show its case, and a single sign can hardly be identified.
    is_alone = num_letters <= 1 and not any(map(str.isdigit, text))
    if is_alone:
        text = text.translate(AMBIGUOUS_ALONE)
        read = read.translate(AMBIGUOUS_ALONE)
        if hypothesis.casefold() == word.text.casefold() or not (num_letters or read):
            read = text
    if read in map(folded, spellings(word.text)):
        read = text
    errors = error_counts(text, read).character_errors
    if is_alone and not errors:
        doubt = 0.0
    return replace(word, hypothesis=hypothesis, errors=errors, doubt=doubt)


def keep_best(words: Sequence[CheckedWord], new_words: Sequence[CheckedWord]) -> list[CheckedWord]:
    """Return the words of a line; a word that is not accepted is replaced by a better try, if one
    is among the `new_words`: tries of all such words, written as one line."""
    counts = [len(word.text.split()) for word in new_words]  # several for words that are joined
    spans = [*pairwise(accumulate(counts, initial=0))]
    end = 0
    best = []
    for old in words:
        if old.accepted:
            best.append(old)
            continue
        start = end
        end = end + len(old.text.split())
        within = zip(spans, new_words, strict=True)
        new = [word for (first, last), word in within if start <= first and last <= end]
        is_complete = " ".join(word.text for word in new) == old.text
        worst = max((word.badness for word in new), default=old.badness)
        kept = new if is_complete and (not old.tries or worst < old.badness) else [old]
        best += [replace(word, tries=old.tries + 1) for word in kept]
    return best


def spellings(text: str) -> list[str]:
    """Return the spellings under which a reader may read a text: with a blank before an
    apostrophe, as in IAM-OnDB; and with an ellipsis for three dots."""
    variants = {"'": ("'", " '"), "...": ("...", "…")}
    parts = re.split(r"('|\.\.\.)", folded(text))
    choices = [variants.get(part, (part,)) for part in parts]
    return ["".join(choice).strip() for choice in islice(product(*choices), MAX_SPELLINGS)]


def folded(text: str) -> str:
    """Return a text in which the first character of each group of `LOOKALIKES` replaces the other
    characters of the group, and no blank stands before an apostrophe."""
    return normalised(text).translate(FOLDING).replace(" '", "'")


def without_context(text: str) -> tuple[str, str]:
    """Return what ink shows of a text without context: no blanks, small letters, letters for the
    digits that look like them, and no `OVERLOOKED` signs at the end. The first time an `I` is a
    bare stroke, which is not an `L`; the second time it is a letter of its own."""
    shown = normalised(text).replace(" ", "").rstrip(OVERLOOKED).translate(DIGITS_LIKE_LETTERS)
    return folded(shown).replace("L", "\0").casefold(), folded(shown.casefold())


def _differs_by_context(hypothesis: str, texts: Sequence[str]) -> bool:
    """Return whether only the context tells what was read from one of the texts."""
    bare, letter = without_context(hypothesis)
    shown = map(without_context, texts)
    return any(bare == text_bare or letter == text_letter for text_bare, text_letter in shown)


def line_ink(line: Sequence[CheckedWord]) -> np.ndarray:
    """Return a line as ink in x-heights, `(points, 3)`; a dot if the line has no word."""
    words = [word for checked in line for word in checked.words]
    return from_strokes(strokes_in_row(words)) if words else DOT_INK
