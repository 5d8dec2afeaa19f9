"""Reads the text of a page of ink."""

import hashlib
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, chain

import numpy as np

from model.reader import Reader
from model.recognition.decoding import GREEDY, Search
from notes.confidence import confidences
from notes.ink_page import InkPage, TypedText
from notes.page_text import HEADING, NUMBER, Box, PageRow, PageText, PageWord, box_of
from notes.rows import DRAWING
from notes.searching import kept_frames
from notes.structure import MIN_LIST_ROWS, FoundRow, find_structure, quarter_turns
from utils.ink import from_strokes, turned_back
from utils.page.covering import COVERED, unseen
from utils.page.ink_page import LINE_PITCH

TYPED_WIDTH = 0.5
"""Width of a typed character as a fraction of the font size (assumed)."""
MAX_TYPED_GAP = 0.5
MAX_TYPED_STEP = 0.02
"""Between typed texts of a line: the gap, and the step up or down, in font sizes (assumed)."""
MAX_TRIED_ROWS = 4
"""Number of rows that are read with a turn and without it (assumed)."""
MIN_TURNED_CONFIDENCE = 0.5
"""Least mean confidence of what is turned, weighted by characters (measured, lab notebook: what is
no prose)."""
MIN_PAGE_CONFIDENCE = 0.2
"""Least mean confidence of a page that is no drawing, weighted by characters (measured, lab
notebook: scribbles)."""
MIN_SHORT_CONFIDENCE = 0.6
MIN_NUMBER_CONFIDENCE = 0.35
MAX_SHORT_ROW = 3
"""Least mean confidence of a row, and of one of digits, of at most so many characters that is no
drawing; of a longer row, it falls with the square of the length (measured, lab notebook:
scribbles)."""
LIST_NUMBER = re.compile(r"(\d{1,2}[.)])([^\W\d_].*)?")
"""The number with which an item of a list begins, and what was read without a blank behind it."""


def read_page(page: InkPage, reader: Reader, search: Search = GREEDY) -> PageText:
    """Return the text of a page's ink and typed texts; all rows are read in one batch.

    Raises:
        UserError: see `Reader.read_words`.
    """
    hidden = unseen(page)
    pen_numbers = [n for n, s in enumerate(page.strokes) if s.tool == "pen" and n not in hidden]
    strokes = [page.strokes[number].points for number in pen_numbers]
    found, kinds = find_structure(strokes, _read_turns(strokes, reader, search))
    left_out = Counter(kinds.values()) + Counter(hidden.values())
    left_out += Counter(stroke.tool for stroke in page.strokes if stroke.tool != "pen")
    inks = [_level_ink(strokes, row) for row in found]
    characters, rows = reader.model.alphabet.characters, []
    read = reader.read_words(inks, search)
    sure = iter(confidences([(word.text, word.probability) for row in read for word in row]))
    sureness = [[(word.text, next(sure)) for word in row] for row in read]
    is_page = mean_confidence(chain(*sureness)) >= MIN_PAGE_CONFIDENCE
    for row, ink, ink_words, words_sure in zip(found, inks, read, sureness, strict=True):
        is_written = row.mark not in ("", HEADING) or (is_page and is_text(words_sure))
        if not (ink_words and is_written):
            left_out[DRAWING] += len(row.strokes)
            continue
        numbers = tuple(pen_numbers[index] for index in row.strokes)
        drawn, words = [strokes[index] for index in row.strokes], []
        positions, owners = np.concatenate(drawn), np.repeat(numbers, [*map(len, drawn)])
        for word, (_, confidence) in zip(ink_words, words_sure, strict=True):
            points = positions[word.points]
            frames = kept_frames(word.log_probs, characters)
            of_word = tuple(np.unique(owners[word.points]).tolist())
            read_word = word.text, box_of(points), confidence, word.alternatives, frames, of_word
            words.append(PageWord(*read_word))
        digest = hashlib.sha256(ink.tobytes()).hexdigest()[:24]
        rows.append(PageRow(tuple(words), numbers, digest, row.mark, row.turn))
    all_rows = tuple(_with_typed(with_numbers(rows), page.typed))
    return PageText(all_rows, dict(left_out), tuple(_places(page, hidden)))


def _places(page: InkPage, hidden: Mapping[int, str]) -> Iterator[Box]:
    """Yield the box of each run of successive strokes that are covered."""
    numbers = np.array([number for number, kind in hidden.items() if kind == COVERED], int)
    for run in np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1) if len(numbers) else ():
        yield box_of(np.concatenate([page.strokes[number].points for number in run]))


def mean_confidence(words: Iterable[tuple[str, float]]) -> float:
    """Return the mean confidence of words, weighted by their characters; 0 without any."""
    pairs = [(len(text), confidence) for text, confidence in words]
    lengths, sure = np.array(pairs).reshape(-1, 2).T
    return float(lengths @ sure / max(lengths.sum(), 1))


def is_text(words: Sequence[tuple[str, float]]) -> bool:
    """Return whether the words of a row, each with its confidence, are text and no drawing: what
    is drawn is mostly read as few letters."""
    text = "".join(word for word, _ in words)
    limit = MIN_NUMBER_CONFIDENCE if text.isdigit() else MIN_SHORT_CONFIDENCE
    shortness = min(MAX_SHORT_ROW / max(len(text), 1), 1)
    return mean_confidence(words) >= limit * shortness**2


def _level_ink(strokes: Sequence[np.ndarray], row: FoundRow) -> np.ndarray:
    """Return the ink of a row, turned level from its quarter turns."""
    return from_strokes([turned_back(strokes[n], row.turn * np.pi / 2) for n in row.strokes])


def _read_turns(strokes: Sequence[np.ndarray], reader: Reader, search: Search) -> np.ndarray:
    """Return how many quarter turns clockwise each stroke lies, `(strokes,)`: as the pen moved, if
    the reader is then surer of the words than without the turn."""
    turns = quarter_turns(strokes)
    for turn in np.unique(turns[turns > 0]).tolist():
        numbers = np.flatnonzero(turns == turn)
        sureness = {}
        for tried in (0, turn):
            block = [strokes[number] for number in numbers]
            rows, _ = find_structure(block, np.full(len(block), tried))
            longest = sorted(rows, key=lambda row: -len(row.strokes))[:MAX_TRIED_ROWS]
            read = reader.read_words([_level_ink(block, row) for row in longest], search)
            words = [(word.text, word.probability) for row in read for word in row]
            texts = [text for text, _ in words]
            sureness[tried] = mean_confidence(zip(texts, confidences(words), strict=True))
        if sureness[turn] < max(sureness[0], MIN_TURNED_CONFIDENCE):
            turns[numbers] = 0
    return turns


def with_numbers(rows: list[PageRow]) -> list[PageRow]:
    """Return rows, with the mark `NUMBER` where two or more begin with a number of a list."""

    def numbered(row: PageRow) -> PageRow:
        first, *others = row.words
        match = LIST_NUMBER.fullmatch(first.text)
        if row.mark or not match or not (others or match[2]):
            return row
        first = replace(first, text=" ".join(filter(None, match.groups())))
        return replace(row, words=(first, *others), mark=NUMBER)

    marked = [*map(numbered, rows)]
    return marked if sum(row.mark == NUMBER for row in marked) >= MIN_LIST_ROWS else rows


def _with_typed(rows: list[PageRow], typed: Sequence[TypedText]) -> list[PageRow]:
    """Insert each line of typed texts as a row before the first row below; return all rows."""
    lowest = [*accumulate(map(_middle, rows), max)]  # of the middles of each row and those before
    for typed_row in _typed_rows(typed):
        place = bisect_right(lowest, _middle(typed_row))
        rows.insert(place, typed_row)
        lowest.insert(place, _middle(typed_row))
    return rows


def _typed_rows(typed: Sequence[TypedText]) -> list[PageRow]:
    """Return the lines of typed texts; a text that goes on where the one before ends is of its
    line, such as words of another colour."""
    rows: list[PageRow] = []
    for before, text in zip((None, *typed), typed, strict=False):
        for number, line in enumerate(text.text.splitlines()):
            words = (*_typed_words(text, number, line),)
            if words and not number and before and _goes_on(before, text):
                rows[-1] = PageRow((*rows[-1].words, *words))
            elif words:
                rows.append(PageRow(words))
    return rows


def _goes_on(before: TypedText, text: TypedText) -> bool:
    """Return whether a text begins in the line of another, a blank or less behind its end."""
    if abs(before.y - text.y) + abs(before.size - text.size) > MAX_TYPED_STEP * text.size:
        return False
    from utils.fonts import advance  # slow to import

    if len(before.text.splitlines()) != 1 or not before.text.strip():
        return False
    gap = text.x - before.x - before.size * advance(before.text)
    return abs(gap) < MAX_TYPED_GAP * text.size


def _middle(row: PageRow) -> float:
    return (row.box[1] + row.box[3]) / 2


def _typed_words(text: TypedText, line_number: int, line: str) -> Iterator[PageWord]:
    """Yield the words of a line of a typed text."""
    top, column = text.y + LINE_PITCH * line_number * text.size, 0
    for word in line.split():
        column = line.index(word, column)
        left = text.x + TYPED_WIDTH * text.size * column
        column += len(word)
        right = text.x + TYPED_WIDTH * text.size * column
        yield PageWord(word, (left, top, right, top + text.size))
