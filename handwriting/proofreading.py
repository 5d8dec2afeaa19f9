"""Recognisers proofread written words, each alone; what is misread is written again.

Graves 2013 draws each line once. Here words with a fault are drawn again with the next seed, and
the best of their tries is kept. Within a line a recogniser reads from what stands around a word, as
no reader of a number can; so the recogniser is shown one word at a time.

A second recogniser may be asked about what the first reads: one that sees a picture, as people do,
and no movement. It does not share the habits by which the first reads what a person would not, or
doubts what a person reads.
"""

import re
import unicodedata
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, product

import numpy as np

from handwriting.hand_shape import HandShape
from handwriting.hands import TRY_SEED_STRIDE, Hand
from handwriting.line_faults import MISSING, SHAPE, UNENDED, faults_of_line, faults_of_words
from handwriting.word_cutting import written_words
from handwriting.written_word import WrittenWord, strokes_in_row
from model.generation.line import Line
from model.generation.writing import SEEDS
from model.reader import Reader
from model.recognition.error_rates import error_counts, normalised
from utils.alphabet import WRONG
from utils.ink import DOT_INK, from_strokes

MAX_DOUBT = 0.1  # nats (by eye: the words of a page)
MAX_DOUBT_OF_NUMBER = 0.01  # nats with a digit, which nobody guesses (by eye: the words of a page)
REPORTED_RATIO = 10.0  # limits of doubt from which doubt is reported (by eye: the words of a page)
UNSURE = 1.0  # nats of doubt from which a second reader confirms nothing (assumed)
UNCLEAR = 0.8
"""Nats of a second reader's doubt over which a word is written again (lab notebook: a reader of
pictures proofreads)."""
UNCLEAR_NUMBER = 0.4  # the same of a word with a digit (a reader of pictures proofreads)
LONG = 8
"""Characters of a word beyond which all doubts but `UNSURE` may be larger in proportion (assumed: a
web address is doubted at each character)."""
ALIKE = ("'’‘`", '"“”„', "-–—", "lI|", "Bß")
"""Characters that nobody tells apart, each group spelt as its first."""
SPELT = str.maketrans({sign: group[0] for group in ALIKE for sign in group} | {"…": "..."})
BARE_I = ("l", "t", "k", "/")
"""What a reader takes an `I` for that is a bare stroke (lab notebook: the words of a page)."""
MAX_SPELLINGS = 8  # of a word: as many are read at once
UNSEEN = "."
"""Signs at the end of a word that a second reader overlooks though they are there (lab notebook: a
reader of pictures proofreads)."""
ALONE = str.maketrans("_~,'\"/!(", "--...lll")
"""Signs that only other ink, or their height in the line, tells apart, each as one of them."""


@dataclass(frozen=True)
class CheckedWord:
    """A word that was proofread; or several, which one stroke joins or of which one is missing.

    Attributes:
        words: as they were written; none before the first try.
        text: what they should say.
        tries: how often they were written.
        hypothesis: what was read.
        errors: characters misread.
        doubt: minus the log-probability that the reader gives the text, in nats.
        faults: what else is wrong with the line or with the word.
        bare: whether each `I` is a bare stroke.
        second: doubt of a second reader, in nats: 0 where only context tells what was read from the
            text; None without a second reader, or where the characters are unknown to it.
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
        """How much is wrong: faults and errors, then doubt."""
        return len(self.faults) + self.errors, self.doubt + (self.second or 0.0)

    @property
    def confirmed(self) -> bool:
        """Whether a second reader reads the word."""
        return self.second is not None and self.second < UNSURE

    @property
    def doubt_limit(self) -> float:
        """Nats of doubt with which the word is good enough: more where a second reader reads it."""
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
        """Why a person should look at the word; empty if there is no need."""
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
    """Return the words of lines of characters that the hand's writer knows, one line for each seed.

    What is not right is written again, the words of a line together, until it is right or has been
    written `tries` times. The tries of a line are the same whatever other lines there are.
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
    words = iter(confirmed(hand.second, read) if hand.second else read)
    return [[*islice(words, len(line))] for line in checked]


def check_shapes(line: Line, words: Sequence[WrittenWord], shape: HandShape) -> list[CheckedWord]:
    """Return the words of a line in a hand; all as one if the line has a fault."""
    if faults := faults_of_line(line, words):
        return [CheckedWord(tuple(words), line.title, faults=faults)]
    faults_and_bare = faults_of_words(line, words, shape)
    return [
        CheckedWord((word,), word.text, faults=faults, bare=bare)
        for word, (faults, bare) in zip(words, faults_and_bare, strict=True)
    ]


def proofread(reader: Reader, words: Sequence[CheckedWord]) -> list[CheckedWord]:
    """Return words with what is read of them; those of a line with a fault as they are."""
    words = [*words]
    for k, hypothesis, doubt in _readings(reader, words):
        words[k] = judged(words[k], hypothesis, doubt)
    return words


def confirmed(second: Reader, words: Sequence[CheckedWord]) -> list[CheckedWord]:
    """Return words with the doubt of a second reader; those of a line with a fault, and of
    characters that the second reader does not know, as they are."""
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
    """Yield the numbers of the words whose line has no fault, what is read of them, and with how
    much doubt, with or without the `unseen` signs at their end."""
    of_line = {UNENDED, MISSING, SHAPE}
    whole = [k for k, word in enumerate(words) if of_line.isdisjoint(word.faults)]
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
    # Whether a letter alone is a capital cannot be seen, and what a sign is hardly.
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
    """Return the words of a line, those that are not right as they were written once more if that
    is better.

    Args:
        before: all words of the line.
        tried: those that are not right, written again as one line.
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
    """Return how a recogniser may spell a text, where each `I` may be a `bare` stroke: IAM-OnDB has
    blanks before apostrophes."""
    several = {"'": ("'", " '"), "...": ("...", "…"), "\0": BARE_I}
    parts = re.split(r"('|\.\.\.|\0)", folded(text.replace("I", "\0") if bare else text))
    ways = [several.get(part, (part,)) for part in parts]
    return ["".join(way).strip() for way in islice(product(*ways), MAX_SPELLINGS)]


def folded(text: str) -> str:
    """Return a text with one character for all that are `ALIKE`."""
    return normalised(text).translate(SPELT).replace(" '", "'")


def without_accents(text: str) -> str:
    """Return a text without the kinds of its accents, which small writing hardly shows."""
    apart = unicodedata.normalize("NFD", folded(text))
    return "".join("\u0301" if unicodedata.combining(sign) else sign for sign in apart)


def without_context(text: str) -> str:
    """Return a text without what only its context tells, blanks within a word, whether a letter is
    a capital, and an `O` from a zero; and without what is `UNSEEN`."""
    return folded(text).replace(" ", "").casefold().replace("0", "o").rstrip(UNSEEN)


def row_ink(line: Sequence[CheckedWord]) -> np.ndarray:
    """Return a line that a hand wrote as ink in x-heights, `(points, 3)`; without a word a dot."""
    words = [word for checked in line for word in checked.words]
    return from_strokes(strokes_in_row(words)) if words else DOT_INK
