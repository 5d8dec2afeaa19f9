"""Text in one hand, as words that a page can be laid out with.

A network writes lines as long as the lines of its training. Here a text is cut into such lines
at blanks; all lines are written in the hand of one primer and proofread. A page breaks its rows by
the width of the written words (`handwriting.layout`), so no line is written again to fit.
"""

import math
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import NamedTuple

from tqdm import tqdm

from handwriting.hands import Hand
from handwriting.paragraphs import FILL, fill_word
from handwriting.proofreading import CheckedWord, write_words
from handwriting.source_text import RAISED
from handwriting.written_word import WrittenWord
from model.generation.writing import cut
from utils.batches import BATCH_SIZE

LONGEST = 32
"""Characters of a line that is written at once, unless a word is longer (by eye, `writer` in three
styles: 24 and 40 look alike; in people's hands, which are less known, lines of 40 vary more)."""
RAISED_SIZE = 0.6  # size of a raised sign over the usual size (assumed, by eye)
RAISED_BY = 0.9  # x-heights of a raised sign above the baseline (assumed, by eye)
RAISED_GAP = 0.15  # x-heights between a raised sign and its neighbours (assumed, by eye)
NARROWED = 0.85  # factor down to which a narrowed word is surely legible (assumed)


class Part(NamedTuple):
    """A part of a word: a fill, raised signs, or usual characters.

    Attributes:
        text: of the part.
        room: x-heights behind the part besides a usual blank; None where the word goes on.
    """

    text: str
    room: float | None

    @property
    def is_fill(self) -> bool:
        """Whether the part is drawn and not written."""
        return FILL.fullmatch(self.text) is not None


@dataclass(frozen=True)
class Passage:
    """The text of one column of a line, and its hand.

    Attributes:
        hand: in which the text is written.
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
        """The width of a row without the indent; wider words are narrowed to this width."""
        return self.width - self.indent

    @property
    def lines(self) -> list[str]:
        """The texts of the lines, each written at once."""
        texts = [part.text for part in self.parts if not part.is_fill]
        return cut([text.translate(str.maketrans(RAISED)) for text in texts], LONGEST)

    @property
    def parts(self) -> list[Part]:
        """The words; raised signs and fills are parts of their own."""
        signs, parts = "".join(RAISED), []
        kinds = rf"{FILL.pattern}|[{signs}]+|(?:(?!{FILL.pattern})[^{signs}])+"
        for word, blanks in re.findall(r"(\S+)( *)", self.text):
            *earlier, last = re.findall(kinds, word)
            parts += [Part(text, None) for text in earlier]
            parts.append(Part(last, self.hand.shape.blank * max(len(blanks) - 1, 0)))
        return parts


def write_passages(
    passages: Sequence[Passage], seed: int = 0, *, progress: bool = False
) -> Iterator[tuple[list[WrittenWord], list[CheckedWord]]]:
    """Yield the words of each passage, and its proofread words; both empty for a passage without
    words. `progress`: show a progress bar of the lines.

    `BATCH_SIZE` lines are written at a time. A line does not depend on the others: its seed follows
    the seed of the line before.
    """
    jobs = [(passage.hand, text) for passage in passages for text in passage.lines]
    jobs = [(hand, text, number) for number, (hand, text) in enumerate(jobs, seed)]
    starts = range(0, len(jobs), BATCH_SIZE)
    lines = chain.from_iterable(_written(jobs[start : start + BATCH_SIZE]) for start in starts)
    hidden = None if progress else True
    lines = iter(tqdm(lines, "page", len(jobs), unit="line", leave=False, disable=hidden))
    for passage in passages:
        yield words_of(passage, islice(lines, len(passage.lines)))


def _written(jobs: Sequence[tuple[Hand, str, int]]) -> list[list[CheckedWord]]:
    """Return lines in the order of their seeds; lines of a hand are written together."""
    texts: dict[Hand, dict[int, str]] = {}
    for hand, text, seed in jobs:
        texts.setdefault(hand, {})[seed] = text
    lines: dict[int, list[CheckedWord]] = {}
    for hand, by_seed in texts.items():
        written = write_words(hand, [*by_seed.values()], [*by_seed])
        lines |= zip(by_seed, written, strict=True)
    return [line for _, line in sorted(lines.items())]


def words_of(
    passage: Passage, lines: Iterator[list[CheckedWord]]
) -> tuple[list[WrittenWord], list[CheckedWord]]:
    """Return the words of a passage, with its fills and raised signs, and its proofread words.

    Args:
        passage: whose lines were written.
        lines: the proofread words of each line.
    """
    parts = deque(passage.parts)

    def fills() -> list[CheckedWord]:
        """Remove the fills at the front of `parts`, and return them as words."""
        words = []
        while parts and parts[0].is_fill:
            words.append(_fill(passage, parts.popleft()))
        return words

    words: list[WrittenWord] = []
    checked: list[CheckedWord] = []
    for line in lines:
        line_words: list[CheckedWord] = []
        for word in line:
            word_parts: list[Part] = []
            for _ in word.text.split():
                line_words += fills()
                word_parts.append(parts.popleft())
            line_words.append(with_raised(word, word_parts))
        words += fit_line(passage, line_words)
        checked += line_words
    for fill in fills():
        words += fill.words
    return words, checked


def _fill(passage: Passage, part: Part) -> CheckedWord:
    """Return a fill of a passage as a word."""
    shape = passage.hand.shape
    word = fill_word(part.text, shape.blank, passage.room)
    gap = 0.0 if part.room is None else shape.space + part.room
    return CheckedWord((replace(word, gap=gap),), part.text)


def fit_line(passage: Passage, line: Sequence[CheckedWord]) -> list[WrittenWord]:
    """Return the words of a line; a word that is wider than a row is made as narrow as the row."""
    words: list[WrittenWord] = []
    for checked in line:
        for word in checked.words:
            too_long = NARROWED * word.width > passage.room
            reason = checked.reason or ("too long for a row" if too_long else "")
            if word.width > passage.room:
                word = word.narrowed(passage.room)
            words.append(replace(word, doubt=reason if passage.hand.reader else ""))
    return words


def with_raised(checked: CheckedWord, parts: Sequence[Part]) -> CheckedWord:
    """Return a word with the room behind its last part; raised if its only part is raised."""
    words = [*checked.words]
    if len(parts) == 1 and parts[0].text[0] in RAISED:
        for number, word in enumerate(words):
            ink = [RAISED_SIZE * stroke + (RAISED_GAP, -RAISED_BY) for stroke in word.strokes]
            width = RAISED_SIZE * word.width + 2 * RAISED_GAP
            text = parts[0].text
            words[number] = replace(word, strokes=tuple(ink), width=width, text=text)
    if words:
        room = parts[-1].room
        gap = 0.0 if room is None else words[-1].gap + room
        words[-1] = replace(words[-1], gap=gap)
    return replace(checked, words=tuple(words))
