"""Recognisers proofread written words, each alone.

Graves 2013 draws each line once. Here words with a fault are drawn again with the next seed
(`handwriting.Hand`), and the best of their tries is kept. Within a line a recogniser reads from
what stands around a word, as no reader of a number can; so it is shown one word at a time.

A second recogniser may be asked about what the first reads: one that sees a picture, as people do,
and no movement. It does not share the habits by which the first reads what a person would not, or
doubts what a person reads.
"""

import re
import unicodedata
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

from handwriting.layout import Word
from handwriting.line_faults import MISSING, SHAPE, UNENDED, faults_of_line, faults_of_words
from handwriting.word_cutting import HandShape
from model.generation.line import Line
from model.reader import Reader
from model.recognition.error_rates import error_counts, normalised
from utils.alphabet import WRONG
from utils.ink import from_strokes

DOUBT, DOUBT_OF_NUMBERS, REPORTED = 0.1, 0.01, 10.0
"""Nats of doubt with which a word is good enough, and one with a digit, which nobody guesses, and
how many times as much is reported (by eye, lab notebook: the words of a page)."""
UNSURE = 1.0
"""Nats of a second reader's doubt from which it confirms nothing (assumed)."""
UNCLEAR, UNCLEAR_NUMBER = 0.8, 0.4
"""Nats of its doubt over which a word is written again, and one with a digit (lab notebook: a
reader of pictures proofreads)."""
UNSEEN = "."
"""Signs at the end of a word that a second reader overlooks though they are there (lab notebook: a
reader of pictures proofreads)."""
LONG = 8
"""Characters of a word beyond which all doubts but `UNSURE` may be larger in proportion (assumed: a
web address is doubted at each character)."""

ALIKE = ("'’‘`", '"“”„', "-–—", "lI|", "Bß")
"""Characters that nobody tells apart, each group spelt as its first."""
SPELT = str.maketrans({one: group[0] for group in ALIKE for one in group} | {"…": "..."})
ALONE = str.maketrans("_~,'\"/!(", "--...lll")
"""Signs that only other ink, or their height in the line, tells apart, each as one of them."""
BARE_I = ("l", "t", "k", "/")
"""What a reader takes an `I` for that is a bare stroke (lab notebook: the words of a page)."""
MOST_SPELLINGS = 8
"""Of a word: as many are read at once."""


@dataclass(frozen=True)
class Proofread:
    """A word that was proofread; or several, which one stroke joins or of which one is missing.

    Attributes:
        words: as they were written; none before the first try.
        text: what they should say.
        tries: how often they were written.
        hypothesis: what was read.
        errors: characters misread.
        doubt: minus the log-probability that the reader gives the text, in nats.
        faults: what else is wrong: of its line, or of itself.
        bare: whether each `I` is a bare stroke.
        second: doubt of a second reader, in nats: 0 where only context tells what it reads from the
            text; None if there is none, or it does not know the characters.
        looks_like: what it reads instead.
    """

    words: tuple[Word, ...]
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
        """How much is wrong with it: faults and errors, then doubt."""
        return len(self.faults) + self.errors, self.doubt + (self.second or 0.0)

    @property
    def confirmed(self) -> bool:
        """Whether a second reader reads it."""
        return self.second is not None and self.second < UNSURE

    @property
    def doubt_limit(self) -> float:
        """Nats of doubt with which it is good enough: more where a second reader reads it."""
        limit = self._limit(DOUBT, DOUBT_OF_NUMBERS)
        return REPORTED * limit if self.confirmed else limit

    @property
    def accepted(self) -> bool:
        """Whether nothing is wrong with it, as far as the readers can tell."""
        clear = (self.second or 0.0) <= self._limit(UNCLEAR, UNCLEAR_NUMBER)
        sure = self.doubt <= self.doubt_limit and clear
        return sure and not self.errors and not self.faults

    @property
    def reason(self) -> str:
        """Why a person should look at it; empty if there is no need."""
        reasons = list(self.faults)
        accents = self.errors and _marked(self.hypothesis) == _marked(self.text)
        if not self.confirmed and not accents:
            if self.errors:
                reasons.insert(0, f"read as {self.hypothesis!r}")
            elif self.doubt > REPORTED * self.doubt_limit:
                looks = f"looks like {self.looks_like!r}"
                reasons.append(looks if self.looks_like else "hardly legible")
        return ", ".join(reasons)

    def _limit(self, word: float, number: float) -> float:
        limit = number if any(map(str.isdigit, self.text)) else word
        return limit * max(1.0, len(self.text) / LONG)


def check_shapes(line: Line, words: Sequence[Word], shape: HandShape) -> list[Proofread]:
    """Return the words of a line in a hand; all as one if the line has a fault."""
    if faults := faults_of_line(line, words):
        return [Proofread(tuple(words), line.title, faults=faults)]
    found = faults_of_words(line, words, shape)
    return [
        Proofread((word,), word.text, faults=faults, bare=bare)
        for word, (faults, bare) in zip(words, found, strict=True)
    ]


def proofread(reader: Reader, written: Sequence[Proofread]) -> list[Proofread]:
    """Return words with what is read of them; those of a line with a fault as they are."""
    found = list(written)
    for k, hypothesis, doubt in _readings(reader, found):
        found[k] = judged(found[k], hypothesis, doubt)
    return found


def confirmed(second: Reader, written: Sequence[Proofread]) -> list[Proofread]:
    """Return words with the doubt of a second reader; those of a line with a fault, and of
    characters that it does not know, as they are."""
    found, alphabet = list(written), second.model.alphabet
    for k, hypothesis, doubt in _readings(second, found, UNSEEN):
        if alphabet.unknown(folded(found[k].text)):
            continue
        own = judged(found[k], hypothesis, doubt)
        if not own.errors:
            found[k] = replace(found[k], second=own.doubt)
        elif _loosely(hypothesis) == _loosely(own.text):
            found[k] = replace(found[k], second=0.0)
        else:
            looks_like = hypothesis.replace(WRONG, "?")
            found[k] = replace(found[k], second=doubt, looks_like=looks_like)
    return found


def _readings(
    reader: Reader, written: Sequence[Proofread], unseen: str = ""
) -> Iterator[tuple[int, str, float]]:
    """Yield the numbers of the words whose line has no fault, what is read of them, and with how
    much doubt, with or without the `unseen` signs at their end."""
    of_line = {UNENDED, MISSING, SHAPE}
    whole = [k for k, one in enumerate(written) if of_line.isdisjoint(one.faults)]
    inks = [from_strokes(written[k].words[0].strokes) for k in whole]
    texts = [spellings(written[k].text, written[k].bare) for k in whole]
    texts = [[*dict.fromkeys([*own, *(one.rstrip(unseen) for one in own)])] for own in texts]
    readings = reader.proofread(inks, texts, ALIKE, 1.0)
    for k, (hypothesis, doubt) in zip(whole, readings, strict=True):
        yield k, hypothesis, doubt


def judged(one: Proofread, hypothesis: str, doubt: float) -> Proofread:
    """Return a word that was read as `hypothesis`."""
    text, read = folded(one.text), folded(hypothesis)
    letters = sum(map(str.isalnum, text))
    # Whether a letter alone is a capital cannot be seen, and what a sign is hardly.
    alone = letters <= 1 and not any(map(str.isdigit, text))
    if alone:
        text, read = text.translate(ALONE), read.translate(ALONE)
        if hypothesis.casefold() == one.text.casefold() or not (letters or read):
            read = text
    if read in map(folded, spellings(one.text, one.bare)):
        read = text
    errors = error_counts(text, read).character_errors
    return replace(one, hypothesis=hypothesis, errors=errors, doubt=0.0 if alone else doubt)


def keep_best(before: Sequence[Proofread], tried: Sequence[Proofread]) -> list[Proofread]:
    """Return the words of a line, those that are not right as they were written once more if that
    is better.

    Args:
        before: all words of the line.
        tried: those that are not right, written again as one line.
    """
    left, found = deque(tried), []
    for old in before:
        if old.accepted:
            found.append(old)
            continue
        new: list[Proofread] = []
        while left and old.text.startswith(" ".join(one.text for one in [*new, left[0]])):
            new.append(left.popleft())
        complete = " ".join(one.text for one in new) == old.text
        worst = max((one.wrong for one in new), default=old.wrong)
        kept = new if complete and (not old.tries or worst < old.wrong) else [old]
        found += [replace(one, tries=old.tries + 1) for one in kept]
    return found


def spellings(text: str, bare: bool = False) -> list[str]:
    """Return how a recogniser may spell a text, where each `I` may be a `bare` stroke: IAM-OnDB has
    blanks before apostrophes."""
    several = {"'": ("'", " '"), "...": ("...", "…"), "\0": BARE_I}
    parts = re.split(r"('|\.\.\.|\0)", folded(text.replace("I", "\0") if bare else text))
    ways = [several.get(part, (part,)) for part in parts]
    return ["".join(one).strip() for one in islice(product(*ways), MOST_SPELLINGS)]


def folded(text: str) -> str:
    """Return a text with one character for all that are `ALIKE`."""
    return normalised(text).translate(SPELT).replace(" '", "'")


def _marked(text: str) -> str:
    """Return a text without the kinds of its accents, which small writing hardly shows."""
    apart = unicodedata.normalize("NFD", folded(text))
    return "".join("\u0301" if unicodedata.combining(one) else one for one in apart)


def _loosely(text: str) -> str:
    """Return a text without what only its context tells, blanks within a word, whether a letter is
    a capital, and an `O` from a zero; and without what is `UNSEEN`."""
    return folded(text).replace(" ", "").casefold().replace("0", "o").rstrip(UNSEEN)
