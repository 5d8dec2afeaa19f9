"""Text in one hand, as words that a page can be laid out with.

A network writes lines as long as those that it was trained on. Here a text is cut into such lines
at blanks, all are written in the hand of one primer and proofread, brought level, and cut into
words again (`handwriting.word_cutting`): a page breaks its rows by the width of what was written
(`handwriting.layout`), and no line has to be written again to fit.
"""

import math
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from tqdm import tqdm

from handwriting.hand import Hand
from handwriting.layout import Word, narrowed
from handwriting.proofreading import Proofread
from handwriting.worksheet import DRAWN, drawn
from model.generation.writing import cut
from utils.batches import BATCH_SIZE

LONGEST = 32
"""Characters of a line that is written at once, unless a word is longer (by eye, `writer` in three
styles: 24 and 40 look alike; in hands of people, which it knows less, lines of 40 vary more)."""
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ", "0123456789n", strict=True))
"""What is written small and raised, and as what."""
RAISED_SIZE, RAISED_BY, RAISED_GAP = 0.6, 0.9, 0.15
"""How small, how many x-heights above the baseline, and beside other letters (assumed, by eye)."""
NARROWED = 0.85
"""How much narrower a word is made without a doubt whether it can be read (assumed)."""


Part = tuple[str, float | None]
"""A part of a word, and the room that is left behind it besides a usual blank, in x-heights; None
where the word goes on."""


@dataclass(frozen=True)
class Passage:
    """A paragraph, and how it is written.

    Attributes:
        hand: in which.
        text: without line ends, of characters that the hand's writer knows; blanks at its start
            are an indent.
        width: of a row in x-heights.
    """

    hand: Hand
    text: str
    width: float = math.inf

    @property
    def indent(self) -> float:
        """The width of the blanks at the start in x-heights, at most half of a row."""
        blanks = len(self.text) - len(self.text.lstrip(" "))
        return min(blanks * self.hand.shape.blank, self.width / 2)

    @property
    def room(self) -> float:
        """What the indent leaves of a row: a word that is wider is made narrower."""
        return self.width - self.indent

    @property
    def lines(self) -> list[str]:
        """The texts that are written at once."""
        written = [text for text, _ in self.parts if not DRAWN.fullmatch(text)]
        return cut([text.translate(str.maketrans(RAISED)) for text in written], LONGEST)

    @property
    def parts(self) -> list[Part]:
        """Words, raised ones and what is drawn apart."""
        signs, parts = "".join(RAISED), []
        for word, blanks in re.findall(r"(\S+)( *)", self.text):
            found = re.findall(
                rf"{DRAWN.pattern}|[{signs}]+|(?:(?!{DRAWN.pattern})[^{signs}])+", word
            )
            room = self.hand.shape.blank * max(len(blanks) - 1, 0)
            parts += [(one, None) for one in found[:-1]] + [(found[-1], room)]
        return parts


def write_passages(
    passages: Sequence[Passage], seed: int = 0, *, progress: bool = False
) -> Iterator[tuple[list[Word], list[Proofread]]]:
    """Yield the words of each passage, and as they were proofread; none for a passage
    without a word. A bar shows how many lines are written, if `progress`.

    `BATCH_SIZE` lines are written at a time. What a line becomes does not depend on the others: it
    has the seed that follows that of the line before.
    """
    jobs = [(passage.hand, text) for passage in passages for text in passage.lines]
    jobs = [(hand, text, number) for number, (hand, text) in enumerate(jobs, seed)]
    starts = range(0, len(jobs), BATCH_SIZE)
    lines = chain.from_iterable(_written(jobs[start : start + BATCH_SIZE]) for start in starts)
    hidden = None if progress else True
    lines = iter(tqdm(lines, "page", len(jobs), unit="line", leave=False, disable=hidden))
    for passage in passages:
        words: list[Word] = []
        read: list[Proofread] = []
        parts = deque(passage.parts)
        for line in islice(lines, len(passage.lines)):
            raised = [part for one in line for part in with_drawn(passage, one, parts)]
            words += fit_line(passage, raised)
            read += raised
        for one in drawn_next(passage, parts):
            words += one.words
        yield words, read


def _written(
    jobs: Sequence[tuple[Hand, str, int]],
) -> list[list[Proofread]]:
    """Return lines in the order of their seeds, those of a hand written together."""
    found: dict[int, list[Proofread]] = {}
    for hand in dict.fromkeys(hand for hand, _, _ in jobs):
        texts, seeds = zip(*((text, seed) for one, text, seed in jobs if one is hand), strict=True)
        found |= zip(seeds, hand.write_words(texts, seeds), strict=True)
    return [line for _, line in sorted(found.items())]


def with_drawn(passage: Passage, one: Proofread, parts: deque[Part]) -> Iterator[Proofread]:
    """Yield what is drawn before a word of a passage, and the word, raised if it is.

    Args:
        parts: of the passage, from there; those that are used are taken.
    """
    own: list[Part] = []
    for _ in one.text.split():
        yield from drawn_next(passage, parts)
        own.append(parts.popleft())
    yield with_raised(one, own)


def drawn_next(passage: Passage, parts: deque[Part]) -> Iterator[Proofread]:
    """Take and yield those of the next parts of a passage that are drawn."""
    shape = passage.hand.shape
    while parts and DRAWN.fullmatch(parts[0][0]):
        text, room = parts.popleft()
        word = drawn(text, shape.blank, passage.room)
        gap = 0.0 if room is None else shape.space + room
        yield Proofread((replace(word, gap=gap),), text)


def fit_line(passage: Passage, line: Sequence[Proofread]) -> list[Word]:
    """Return the words of a line, those that are wider than a row made as narrow as that."""
    words: list[Word] = []
    for one in line:
        for word in one.words:
            too_long = NARROWED * word.width > passage.room
            reason = one.reason or ("too long for a row" if too_long else "")
            if word.width > passage.room:
                word = narrowed(word, passage.room)
            words.append(replace(word, doubt=reason if passage.hand.reader else ""))
    return words


def with_raised(one: Proofread, parts: Sequence[Part]) -> Proofread:
    """Return a word raised if it is, and with the room behind it that its last part has."""
    (text, _), (_, room), words = parts[0], parts[-1], list(one.words)
    if len(parts) == 1 and text[0] in RAISED:
        for number, word in enumerate(words):
            ink = [RAISED_SIZE * stroke + (RAISED_GAP, -RAISED_BY) for stroke in word.strokes]
            width = RAISED_SIZE * word.width + 2 * RAISED_GAP
            words[number] = replace(word, strokes=tuple(ink), width=width, text=text)
    if words:
        gap = 0.0 if room is None else words[-1].gap + room
        words[-1] = replace(words[-1], gap=gap)
    return replace(one, words=tuple(words))
