"""Text in one hand, as words that a page can be laid out with.

A network writes lines as long as those that it was trained on. Here a text is cut into such lines
at blanks, all are written in the hand of one primer and proofread, brought level, and cut into
words again (`handwriting.words`): a page breaks its rows by the width of what was written
(`handwriting.layout`), and no line has to be written again to fit.
"""

import math
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, islice

from handwriting.hand import Hand
from handwriting.layout import Word, narrowed
from handwriting.proofreading import Proofread
from handwriting.worksheet import DRAWN, drawn
from model.generation.writing import PART_SEED_STRIDE, SEEDS, cut
from utils.batches import BATCH_SIZE

LONGEST = 32
"""Characters of a line that is written at once, unless a word is longer (by eye, `writer` in three
styles: 24 and 40 look alike; in hands of people, which it knows less, lines of 40 vary more)."""
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ", "0123456789n", strict=True))
"""What is written small and raised, and as what."""
RAISED_SIZE, RAISED_BY, RAISED_GAP = 0.6, 0.9, 0.15
"""How small, how many x-heights above the baseline, and beside other letters (assumed, by eye)."""
NARROWED = 0.85
"""How much narrower a word is made to fit in a row, rather than divided (assumed)."""
FILL, LEAST_PART = 0.92, 3
"""Share of a row that a part of a word too wide for it fills, as written letters vary, and the
least characters that are divided (assumed)."""
BEFORE_END = "-–—/\\.,:;@_=&?#%+"
"""Signs behind which a word may be divided."""


@dataclass(frozen=True)
class Passage:
    """A paragraph, and how it is written.

    Attributes:
        hand: in which.
        text: without line ends, of characters that the hand's writer knows; blanks at its start
            are an indent.
        width: of a row in x-heights.
        squares: whether each sign of what has no letters is written as a word.
    """

    hand: Hand
    text: str
    width: float = math.inf
    squares: bool = False

    @property
    def indent(self) -> float:
        """The width of the blanks at the start in x-heights, at most half of a row."""
        blanks = len(self.text) - len(self.text.lstrip(" "))
        return min(blanks * self.hand.shape.blank, self.width / 2)

    @property
    def room(self) -> float:
        """What the indent leaves of a row: a word that is a little wider is made narrower, one that
        is much wider written again in parts, each of which ends a row."""
        return self.width - self.indent

    @property
    def lines(self) -> list[str]:
        """The texts that are written at once."""
        written = [text for text, _ in self.parts if not DRAWN.fullmatch(text)]
        return cut([text.translate(str.maketrans(RAISED)) for text in written], LONGEST)

    @property
    def parts(self) -> list[tuple[str, bool]]:
        """Words, raised ones and what is drawn apart, each with whether a blank or the end
        follows."""
        signs, parts = "".join(RAISED), []
        for word in self.text.split():
            found = re.findall(
                rf"{DRAWN.pattern}|[{signs}]+|(?:(?!{DRAWN.pattern})[^{signs}])+", word
            )
            if self.squares and not DRAWN.search(word) and not any(map(str.isalpha, word)):
                found = [*word]
            parts += [(one, False) for one in found[:-1]] + [(found[-1], True)]
        return parts


def write_passages(
    passages: Sequence[Passage], seed: int = 0
) -> Iterator[tuple[list[Word], list[Proofread]]]:
    """Yield the words of each passage, and as they were proofread; none for a passage
    without a word.

    `BATCH_SIZE` lines are written at a time. What a line becomes does not depend on the others: it
    has the seed that follows that of the line before.
    """
    jobs = [(passage.hand, text) for passage in passages for text in passage.lines]
    jobs = [(hand, text, number) for number, (hand, text) in enumerate(jobs, seed)]
    starts = range(0, len(jobs), BATCH_SIZE)
    lines = chain.from_iterable(_written(jobs[start : start + BATCH_SIZE]) for start in starts)
    for passage in passages:
        words: list[Word] = []
        read: list[Proofread] = []
        parts = deque(passage.parts)
        for first, line in islice(lines, len(passage.lines)):
            raised = [part for one in line for part in with_drawn(passage, one, parts)]
            seeds = ((first + PART_SEED_STRIDE * number) % SEEDS for number in count(1))
            fitting, of_line = fit_line(passage, raised, seeds)
            words += fitting
            read += of_line
        for one in drawn_next(passage, parts):
            words += one.words
        yield words, read


def _written(
    jobs: Sequence[tuple[Hand, str, int]],
) -> list[tuple[int, list[Proofread]]]:
    """Return lines by their seeds, those of a hand written together."""
    found: dict[int, list[Proofread]] = {}
    for hand in dict.fromkeys(hand for hand, _, _ in jobs):
        texts, seeds = zip(*((text, seed) for one, text, seed in jobs if one is hand), strict=True)
        found |= zip(seeds, hand.write_words(texts, seeds), strict=True)
    return sorted(found.items())


def with_drawn(
    passage: Passage, one: Proofread, parts: deque[tuple[str, bool]]
) -> Iterator[Proofread]:
    """Yield what is drawn before a word of a passage, and the word, raised if it is.

    Args:
        parts: of the passage, from there; those that are used are taken.
    """
    own: list[tuple[str, bool]] = []
    for _ in one.text.split():
        yield from drawn_next(passage, parts)
        own.append(parts.popleft())
    yield with_raised(one, own)


def drawn_next(passage: Passage, parts: deque[tuple[str, bool]]) -> Iterator[Proofread]:
    """Take and yield those of the next parts of a passage that are drawn."""
    shape = passage.hand.shape
    while parts and DRAWN.fullmatch(parts[0][0]):
        text, blank = parts.popleft()
        word = drawn(text, shape.blank, passage.room)
        yield Proofread((replace(word, gap=shape.space * (blank and bool(word.text))),), text)


def fit_line(
    passage: Passage, line: Sequence[Proofread], seeds: Iterator[int]
) -> tuple[list[Word], list[Proofread]]:
    """Return the words of a line, of which those that are too wide are written in parts, and all
    that was proofread, those parts as well.

    Args:
        passage: that the line is of.
        line: as it was written.
        seeds: of the parts.
    """
    words: list[Word] = []
    read: list[Proofread] = []
    for one in line:
        read.append(one)
        for word in one.words:
            word = replace(word, doubt=one.reason if passage.hand.reader else "")
            divisible = " " not in word.text and len(word.text) > LEAST_PART
            if word.width <= passage.room:
                words.append(word)
            elif NARROWED * word.width <= passage.room or not divisible:
                words.append(narrowed(word, passage.room))
            else:
                parts, of_parts = write_parts(passage, word, seeds)
                words += parts
                read += of_parts
    return words, read


def write_parts(
    passage: Passage, word: Word, seeds: Iterator[int]
) -> tuple[list[Word], list[Proofread]]:
    """Return a word that is too wide written again in parts, each of which ends a row, but for the
    last; and what was proofread of them."""
    hand = passage.hand
    characters = int(FILL * passage.room * len(word.text) / word.width)
    hyphen = "" if hand.writer.model.alphabet.unknown("-") else "-"
    parts = divided(word.text, max(characters, 1), hyphen)
    words: list[Word] = []
    read: list[Proofread] = []
    for line in hand.write_words(parts, [*islice(seeds, len(parts))]):
        fitting, of_line = fit_line(passage, line, seeds)
        words += fitting or [Word((), 0.0, 0.0)]
        words[-1] = replace(words[-1], ends_row=True)
        read += of_line
    words[-1] = replace(words[-1], ends_row=False)
    return words, read


def with_raised(one: Proofread, parts: Sequence[tuple[str, bool]]) -> Proofread:
    """Return a word raised if it is, and with no blank behind it if it has none."""
    (text, _), (_, blank), words = parts[0], parts[-1], list(one.words)
    if len(parts) == 1 and text[0] in RAISED:
        for number, word in enumerate(words):
            ink = [RAISED_SIZE * stroke + (RAISED_GAP, -RAISED_BY) for stroke in word.strokes]
            width = RAISED_SIZE * word.width + 2 * RAISED_GAP
            words[number] = replace(word, strokes=tuple(ink), width=width, text=text)
    if words and not blank:
        words[-1] = replace(words[-1], gap=0.0)
    return replace(one, words=tuple(words))


def divided(word: str, characters: int, hyphen: str) -> list[str]:
    """Return a word in parts of at most that many characters, but for the hyphen after one.

    A part ends behind a sign if there is one in its second half; else parts are even. There is a
    hyphen where letters are on both sides, in words alone: an address would be another with it.
    """
    is_word = re.fullmatch(r"\W*[^\W\d_]+(['’-]+[^\W\d_]+)*\W*", word) is not None
    parts, left = [], word
    while len(left) > characters:
        even = math.ceil(len(left) / math.ceil(len(left) / characters))
        signs = [n for n in range(even // 2 + 1, characters + 1) if left[n - 1] in BEFORE_END]
        end = signs[-1] if signs else even
        joined = is_word and left[end - 1].isalpha() and left[end].isalpha()
        parts.append(left[:end] + (hyphen if joined else ""))
        left = left[end:]
    return [*parts, left]
