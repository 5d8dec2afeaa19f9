"""Texts of a page, each in one hand, become written words.

A network writes lines as long as the lines of its training. Here a text is cut into such lines
at blanks. All lines are written in the same hand and proofread. The rows of a page are broken by
the widths of the written words (`apps.pages.layout`), so no line is written again for its width.
"""

import math
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, groupby, islice
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from apps.pages.formula_layout import set_formula
from apps.pages.formula_letters import letter_forms
from apps.pages.formula_parse import SIGNS
from apps.pages.formulas import WITH_SIGNS, Formula, formulas_in
from apps.pages.paragraphs import FILL, fill_word
from apps.pages.proofreading import MISSING_WORD, CheckedWord, PageHand, write_words
from apps.pages.row_breaks import BLANKS, NO_BREAK, SOFT_HYPHEN
from apps.pages.source_text import RAISED
from apps.pages.word_cutting import tall_strokes
from apps.pages.written_word import WrittenWord
from model.batches import BATCH_SIZE
from model.generation.long_lines import wrapped

MAX_LINE_CHARACTERS = 32  # of a line that is written at once, unless a word is longer (by eye)
FORMULA_GAP = 0.9  # x-heights between parts of a formula that is wider than a row (by eye)
RAISED_SIZE = 0.6  # ratio of the size of a raised sign to the usual size (by eye)
RAISED_BY = 0.9  # x-heights from the baseline up to a raised sign (by eye)
RAISED_GAP = 0.15  # x-heights between a raised sign and its neighbours (by eye)
MAX_FIGURE_RATIO = 1.15  # of heights of numbers (notebook: pages, words on their line)
MIN_NARROWING = 0.85  # least factor by which a word is narrowed and is still legible (assumed)


DRAWN = re.compile(f"{FILL.pattern}|{WITH_SIGNS}")
"""Parts that the network does not write as they stand in the text: fills and formulas."""


class WordPart(NamedTuple):
    """A part of a word: raised signs, usual characters, a fill (a line such as `____`), or the
    placeholder of a formula.

    Attributes:
        text: the characters of the part.
        extra_gap: x-heights behind the part, beyond the usual gap; None if the word goes on.
        breaks: the indices before which the part may be divided.
        keeps_next: whether the next word stands in the same row.
    """

    text: str
    extra_gap: float | None
    breaks: tuple[int, ...] = ()
    keeps_next: bool = False


@dataclass(frozen=True)
class Passage:
    """The text of one cell of a line of the source text, and its hand.

    Attributes:
        hand: the hand in which the text is written.
        text: characters that the hand's writer knows, no-break blanks and soft hyphens, without
            line ends; blanks at the start are an indent.
        width: the width of a row in x-heights.
        seed: the seed of the passage's first line; each further line has the next seed.
        formulas: the formulas of the line of the source text.
        text_seed: the seed of the text, with which the letters of its formulas are written.
    """

    hand: PageHand
    text: str
    width: float = math.inf
    seed: int = 0
    formulas: tuple[Formula, ...] = ()
    text_seed: int = 0

    @property
    def formula_words(self) -> list[str]:
        """The words in formulas, which the network writes first, each as a line."""
        words = (formula.words for formula in formulas_in(self.text, self.formulas))
        return [*chain.from_iterable(words)]

    @property
    def lean(self) -> float:
        """How far downstrokes lean to the right, x over y."""
        return self.hand.shape.lean_at(self.hand.slant)

    @property
    def leading_width(self) -> float:
        """The width of the blanks at the text's start in x-heights, at most half of a row."""
        blanks = len(self.text) - len(self.text.lstrip(" "))
        return min(blanks * self.hand.shape.character_width, self.width / 2)

    @property
    def max_word_width(self) -> float:
        """The width of a row behind the blanks, to which wider words are narrowed."""
        return self.width - self.leading_width

    @property
    def line_texts(self) -> list[str]:
        """The texts that the network writes, each as a line."""
        lines = self.formula_words
        for is_drawn, parts in groupby(self.parts, lambda part: bool(DRAWN.fullmatch(part.text))):
            # The network writes plain characters for raised ones; `with_raised` raises them.
            texts = [part.text.translate(str.maketrans(RAISED)) for part in parts]
            if not is_drawn:
                lines += wrapped(texts, MAX_LINE_CHARACTERS)
        return lines

    @property
    def parts(self) -> list[WordPart]:
        """The parts of all words; most words are one part."""
        signs = "".join(RAISED)
        parts = []
        kinds = rf"{DRAWN.pattern}|[{signs}]+|(?:(?!{DRAWN.pattern})[^{signs}])+"
        for word, blanks in re.findall(rf"(\S+)([{BLANKS}]*)", self.text):
            matches = re.finditer(kinds, word)
            pieces = [_without_breaks(match[0]) for match in matches]
            texts = [piece for piece in pieces if piece is not None]
            if not texts:  # The word has only soft hyphens.
                continue
            for text, breaks in texts[:-1]:
                parts.append(WordPart(text, None, breaks))
            extra_gap = self.hand.shape.character_width * max(len(blanks) - 1, 0)
            text, breaks = texts[-1]
            parts.append(WordPart(text, extra_gap, breaks, NO_BREAK in blanks))
        return parts


def _without_breaks(text: str) -> tuple[str, tuple[int, ...]] | None:
    """Return a text without soft hyphens, and the indices before which they stand within it; None
    if nothing is left."""
    pieces = text.split(SOFT_HYPHEN)
    whole = "".join(pieces)
    if not whole:
        return None
    places = accumulate(map(len, pieces[:-1]))
    return whole, tuple(place for place in places if 0 < place < len(whole))


def seeded(passages: Iterable[Passage], seed: int) -> list[Passage]:
    """Return passages whose lines have different seeds, from `seed` on."""
    numbered = []
    text_seed = seed
    for passage in passages:
        numbered.append(replace(passage, seed=seed, text_seed=text_seed))
        seed += len(passage.line_texts)
    return numbered


WrittenPassage = tuple[list[WrittenWord], list[CheckedWord]]
"""The written words of a passage, and its proofread words; both are empty without words."""


def write_texts(
    texts: Iterable[Sequence[Passage]], num_lines: int | None = None, *, progress: bool = False
) -> Iterator[list[WrittenPassage]]:
    """Yield the words of all passages of each text.

    `BATCH_SIZE` of the network's lines are written at a time, of several texts if these are short.
    A text is asked for when its first line is to be written, and is not kept once it is yielded.

    Args:
        texts: the passages of each text.
        num_lines: the number of lines that the network writes, for the progress bar.
        progress: show a progress bar.
    """
    waiting = deque[Sequence[Passage]]()
    jobs: list[tuple[PageHand, str, int]] = []
    lines = deque[list[CheckedWord]]()
    disable = None if progress else True  # None: shown on a terminal only
    with tqdm(total=num_lines, desc="page", unit="line", leave=False, disable=disable) as bar:
        for passages in texts:
            waiting.append(passages)
            jobs += chain.from_iterable(map(_jobs, passages))
            while len(jobs) >= BATCH_SIZE:
                lines += _write_batch(jobs[:BATCH_SIZE])
                del jobs[:BATCH_SIZE]
                bar.update(BATCH_SIZE)
            yield from _complete(waiting, lines)
        lines += _write_batch(jobs)
        yield from _complete(waiting, lines)


def _jobs(passage: Passage) -> Iterator[tuple[PageHand, str, int]]:
    """Yield the hand, the text and the seed of each line that the network writes of a passage."""
    for seed, text in enumerate(passage.line_texts, passage.seed):
        yield passage.hand, text, seed


def _complete(
    waiting: deque[Sequence[Passage]], lines: deque[list[CheckedWord]]
) -> Iterator[list[WrittenPassage]]:
    """Remove the texts whose lines are all written from those that wait, and yield the words of
    their passages; `lines` has the proofread words of each line."""
    while waiting and len(lines) >= sum(len(each.line_texts) for each in waiting[0]):
        passages = waiting.popleft()
        letters = FormulaLetters(passages)
        written = iter(lines.popleft, None)
        yield [
            words_of(each, islice(written, len(each.line_texts)), letters.of(each))
            for each in passages
        ]


class FormulaLetters:
    """The letters of formulas of a text, which have one form in each hand, written when they are
    first needed."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        self._characters = defaultdict[PageHand, set[str]](set)
        self._forms: dict[PageHand, dict[str, CheckedWord]] = {}
        for passage in passages:
            for formula in passage.formulas:
                self._characters[passage.hand] |= formula.characters

    def of(self, passage: Passage) -> dict[str, CheckedWord]:
        """Return the forms of the letters in the formulas of a passage's text; empty for a passage
        without formulas."""
        if not passage.formulas:
            return {}
        hand = passage.hand
        if hand not in self._forms:
            characters = self._characters[hand]
            self._forms[hand] = letter_forms(hand, characters, passage.text_seed, passage.lean)
        return self._forms[hand]


def _write_batch(jobs: Sequence[tuple[PageHand, str, int]]) -> list[list[CheckedWord]]:
    """Write a line for each hand, text and seed; lines in the same hand are written together.
    Return the proofread words of each line, in the order of the jobs."""
    indices_by_hand: dict[PageHand, list[int]] = {}
    for index, (hand, _, _) in enumerate(jobs):
        indices_by_hand.setdefault(hand, []).append(index)
    lines: dict[int, list[CheckedWord]] = {}
    for hand, indices in indices_by_hand.items():
        texts = [jobs[k][1] for k in indices]
        seeds = [jobs[k][2] for k in indices]
        lines |= zip(indices, write_words(hand, texts, seeds), strict=True)
    return [line for _, line in sorted(lines.items())]


def words_of(
    passage: Passage,
    lines: Iterator[list[CheckedWord]],
    letters: Mapping[str, CheckedWord] = MappingProxyType({}),
) -> tuple[list[WrittenWord], list[CheckedWord]]:
    """Return the written and the proofread words of a passage, with its fills and raised signs.
    `lines`: the proofread words of each line; `letters`: the forms of letters in its formulas."""
    parts = deque(passage.parts)
    shape = passage.hand.shape
    written = [*islice(lines, len(passage.formula_words))]
    formulas = _formula_words(passage, written, letters)

    def pop_drawn() -> list[CheckedWord]:
        """Remove the fills and formulas at the front of `parts`, and return them as words."""
        words: list[CheckedWord] = []
        while parts and DRAWN.fullmatch(parts[0].text):
            part = parts.popleft()
            if FILL.fullmatch(part.text):
                word = fill_word(part.text, shape.character_width, passage.max_word_width)
                words.append(CheckedWord((word,), part.text))
            else:
                words += next(formulas)
            gap = 0.0 if part.extra_gap is None else shape.gap + part.extra_gap
            last = replace(words[-1].words[0], gap=gap, keeps_next=part.keeps_next)
            words[-1] = replace(words[-1], words=(last,))
        return words

    checked: list[CheckedWord] = []
    for line in lines:
        checked += pop_drawn()
        for word in line:
            word_parts = [parts.popleft() for _ in word.text.split()]
            checked.append(with_raised(word, word_parts))
    checked += pop_drawn()
    return narrowed_words(passage, checked), checked


def _formula_words(
    passage: Passage, lines: Iterable[list[CheckedWord]], letters: Mapping[str, CheckedWord]
) -> Iterator[list[CheckedWord]]:
    """Yield the words of each formula of a passage; `lines` are the words in it, and `letters` the
    forms of its letters. A formula of which something is missing is missing as a whole."""
    written = chain.from_iterable(lines)
    for number, formula in enumerate(formulas_in(passage.text, passage.formulas)):
        texts = [*islice(written, len(formula.words))]
        texts += [letters[each] for each in sorted(formula.characters & letters.keys())]
        faults = tuple(f"{text.text}: {text.reason}" for text in texts if text.reason)
        is_missing = formula.characters - letters.keys() - SIGNS.keys()
        if is_missing or any(MISSING_WORD in text.faults for text in texts):
            width = len(formula.source) * passage.hand.shape.character_width
            missing = WrittenWord((), width, 0.0, formula.source)
            yield [CheckedWord((missing,), formula.source, faults=(MISSING_WORD, *faults))]
            continue
        words = {text.text: text.words[0] for text in texts}
        seed = passage.seed + number
        pieces = set_formula(formula, words, passage.lean, passage.max_word_width, seed)
        gapped = [replace(piece, gap=FORMULA_GAP) for piece in pieces]
        yield [CheckedWord((piece,), piece.text, faults=faults) for piece in gapped]


def narrowed_words(passage: Passage, checked_words: Sequence[CheckedWord]) -> list[WrittenWord]:
    """Return the written words of a passage, narrowed to the width of a row; doubtful words have
    their reason. In place of a missing word there is a line to write on."""
    words: list[WrittenWord] = []
    even = with_even_figures([word for checked in checked_words for word in checked.words])
    for checked, word in zip(checked_words, even, strict=True):
        is_too_long = MIN_NARROWING * word.width > passage.max_word_width
        reason = checked.reason or ("too long for a row" if is_too_long else "")
        if not word.strokes:
            line = fill_word("_", word.width, word.width)
            word = replace(word, strokes=line.strokes, width=line.width)
        if word.width > passage.max_word_width:
            word = word.narrowed(passage.max_word_width)
        is_named = passage.hand.reader or MISSING_WORD in checked.faults
        words.append(replace(word, doubt=reason if is_named else ""))
    return words


def with_even_figures(words: Sequence[WrittenWord]) -> list[WrittenWord]:
    """Return words; those of figures or capitals are resized if their height and the median of such
    words have a ratio above `MAX_FIGURE_RATIO`."""
    even = [*words]
    heights = {}
    for number, word in enumerate(words):
        has_figures = word.text == word.text.upper() and re.search(r"[\dA-Z]", word.text)
        if word.strokes and has_figures and not word.is_formula:
            tall = [np.ptp(stroke[:, 1]) for stroke in tall_strokes(word.strokes)]
            heights[number] = max(float(np.median(tall)), 0.1)  # not 0, as of flat ink
    for number, height in heights.items():
        ratio = np.clip(height / np.median([*heights.values()]), 0.5, 2.0)
        factor = float(np.clip(ratio, 1 / MAX_FIGURE_RATIO, MAX_FIGURE_RATIO) / ratio)
        even[number] = replace(words[number].scaled(factor), gap=words[number].gap)
    return even


def with_raised(checked: CheckedWord, parts: Sequence[WordPart]) -> CheckedWord:
    """Return a word with the text of its parts, and with the last part's `extra_gap` added to its
    gap. If a raised sign is the only part, the word is made smaller and raised."""
    (word,) = checked.words
    if len(parts) == 1 and parts[0].text[0] in RAISED:
        ink = [RAISED_SIZE * stroke + (RAISED_GAP, -RAISED_BY) for stroke in word.strokes]
        word = replace(word, strokes=tuple(ink), width=RAISED_SIZE * word.width + 2 * RAISED_GAP)
    text = "".join(part.text if part.extra_gap is None else f"{part.text} " for part in parts)
    extra_gap = parts[-1].extra_gap
    gap = 0.0 if extra_gap is None else word.gap + extra_gap
    breaks = parts[0].breaks if len(parts) == 1 else ()
    word = replace(word, text=text.rstrip(), gap=gap, breaks=breaks)
    return replace(checked, words=(replace(word, keeps_next=parts[-1].keeps_next),))
