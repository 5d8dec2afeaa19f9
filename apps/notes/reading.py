"""Reads the text of a page of ink."""

import hashlib
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, chain
from typing import TypeAlias

import numpy as np

from apps.notes.confidence import confidences
from apps.notes.page_text import (
    HEADING,
    MAX_SECONDS,
    NUMBER,
    SLOW,
    Box,
    PageRow,
    PageText,
    PageWord,
    box_of,
)
from apps.notes.rows import CROSSED_OUT
from apps.notes.searching import likely_frames
from apps.notes.sizes import size_classes
from apps.notes.stroke_order import likely_order
from apps.notes.structure import LABEL, MIN_LIST_ROWS, StrokeRow, find_structure, quarter_turns
from ink.drawing.covering import COVERED, unseen
from ink.geometry import from_strokes, to_points, turned_back, x_height
from ink.ink_page import LINE_PITCH, InkPage, TypedText
from model.recognition.beam import GREEDY, Search
from model.recognition.ink_words import InkWord, WordReader
from utils.time_limit import OutOfTime, time_limit

TYPED_WIDTH = 0.5
"""Width of a typed character as a fraction of the font size (assumed)."""
MAX_TYPED_GAP = 0.5
MAX_TYPED_STEP = 0.02
"""Largest gap, and step up or down, between typed texts of a line, in font sizes (assumed)."""
MAX_TRIED_ROWS = 4
MAX_TRIED_STROKES = 1_500
"""Number of rows that are read with a turn and without it, and of the strokes among which they are
found (assumed; strokes: those of a dense page)."""
MIN_TURNED_CONFIDENCE = 0.5
"""Least mean confidence of rows that are turned, or of another size, weighted by characters
(measured, notebook: notes, what is no prose)."""
ReadRow: TypeAlias = Sequence[tuple[str, float]]
"""Text and confidence of each word of a row."""
UNREAD = "not read"
"""Kind of strokes whose rows the reader is too unsure of: doodles, or text."""
MIN_PAGE_CONFIDENCE = 0.2
"""Least mean confidence of a page that is no drawing, weighted by characters (measured, notebook:
notes, scribbles)."""
MIN_SHORT_CONFIDENCE = 0.6
MIN_NUMBER_CONFIDENCE = 0.35
MAX_SHORT_ROW = 3
"""Least mean confidence of a row of letters, and of a row of digits, that is no drawing, if it has
at most `MAX_SHORT_ROW` characters. The bound falls with the square of the length of longer rows
(measured, notebook: notes, scribbles)."""
MAX_DIGIT_HEIGHT = 2.5
"""Height of a digit in x-heights of the text; rings are mostly higher (assumed)."""
LIST_NUMBER = re.compile(r"(\d{1,2}[.)])([^\W\d_].*)?")
"""The number at the start of an item of a list, and a text behind it without a blank."""


def read_page(page: InkPage, reader: WordReader, search: Search = GREEDY) -> PageText:
    """Return the text of a page's ink and typed texts; all rows are read in one batch. If the ink
    takes more than `MAX_SECONDS`, all strokes are `SLOW`.

    Raises:
        UserError: see `model.Reader.read_words`.
    """
    try:
        with time_limit(MAX_SECONDS):
            return _read_page(page, reader, search)
    except OutOfTime:
        kinds = dict.fromkeys(range(len(page.strokes)), SLOW)
        rows, unread = tuple(_with_typed([], page.typed)), _boxes(page, kinds, (SLOW,), [*kinds])
        return PageText(rows, {SLOW: len(kinds)}, kinds, unread)


def _read_page(page: InkPage, reader: WordReader, search: Search) -> PageText:
    kinds = {n: stroke.tool for n, stroke in enumerate(page.strokes) if stroke.tool != "pen"}
    kinds |= unseen(page)
    order = likely_order([stroke.points for stroke in page.strokes])
    pen_numbers = [number for number in order if number not in kinds]
    strokes = [page.strokes[number].points for number in pen_numbers]
    turns = _read_turns(strokes, reader)
    page_rows, pen_kinds = find_structure(strokes, turns, _read_sizes(strokes, turns, reader))
    kinds |= {pen_numbers[index]: kind for index, kind in pen_kinds.items()}
    inks = [_level_ink(strokes, row) for row in page_rows]
    characters, rows = reader.alphabet.characters, []
    read = reader.read_words(inks, search)
    sureness = _sureness(read)
    judged = _judged(inks, sureness, reader, search)
    is_page = mean_confidence(chain(*judged)) >= MIN_PAGE_CONFIDENCE
    are_large = [*map(partial(_is_large, max(inks, key=len, default=None)), inks)]
    are_sure = [is_text(row, is_large=large) for row, large in zip(judged, are_large, strict=True)]
    of_rows = zip(page_rows, inks, read, sureness, are_sure, strict=True)
    for row, ink, ink_words, words_sure, is_sure in of_rows:
        is_written = row.mark not in ("", HEADING) or (is_page and is_sure)
        if not (ink_words and is_written):
            kinds |= dict.fromkeys((pen_numbers[index] for index in row.strokes), UNREAD)
            continue
        numbers = tuple(pen_numbers[index] for index in row.strokes)
        drawn, words = [strokes[index] for index in row.strokes], []
        positions, owners = np.concatenate(drawn), np.repeat(numbers, [*map(len, drawn)])
        for word, (_, confidence) in zip(ink_words, words_sure, strict=True):
            points = positions[word.points]
            frames = likely_frames(word.log_probs, characters)
            of_word = tuple(np.unique(owners[word.points]).tolist())
            read_word = word.text, box_of(points), confidence, word.alternatives, frames, of_word
            words.append(PageWord(*read_word))
        digest = hashlib.sha256(ink.tobytes()).hexdigest()[:24]
        rows.append(PageRow(tuple(words), numbers, digest, row.mark, row.turn))
    rows = tuple(_with_typed(with_numbers(rows), page.typed))
    chosen_kinds = (UNREAD, LABEL), (COVERED,), (CROSSED_OUT,)
    places = (_boxes(page, kinds, chosen, order) for chosen in chosen_kinds)
    return PageText(rows, dict(Counter(kinds.values())), dict(sorted(kinds.items())), *places)


def _boxes(
    page: InkPage, kinds: Mapping[int, str], chosen: Collection[str], order: Sequence[int]
) -> tuple[Box, ...]:
    """Return a box for each succession, in an order of all strokes, of strokes of some kinds."""
    places = np.flatnonzero([kinds.get(number) in chosen for number in order])
    pieces = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    points = ([page.strokes[order[n]].points for n in piece] for piece in pieces if len(piece))
    return tuple(box_of(np.concatenate(drawn)) for drawn in points)


def mean_confidence(words: Iterable[tuple[str, float]]) -> float:
    """Return the mean confidence of words, weighted by their characters; 0 without any."""
    pairs = [(len(text), confidence) for text, confidence in words]
    lengths, sure = np.array(pairs).reshape(-1, 2).T
    return float(lengths @ sure / max(lengths.sum(), 1))


def is_text(words: ReadRow, *, is_large: bool = False) -> bool:
    """Return whether the words of a row, each with its confidence, are text and no drawing.
    Drawings are mostly read as few letters; a row `is_large` if digits are not that high."""
    text = "".join(word for word, _ in words)
    is_number = text.isdigit() and not is_large
    limit = MIN_NUMBER_CONFIDENCE if is_number else MIN_SHORT_CONFIDENCE
    shortness = min(MAX_SHORT_ROW / max(len(text), 1), 1)
    return mean_confidence(words) >= limit * shortness**2


def _is_large(longest: np.ndarray, ink: np.ndarray) -> bool:
    """Return whether a row of ink is higher than digits beside a page's longest row, or is that row
    and a single stroke."""
    if ink is longest:
        return np.count_nonzero(ink[:, 2]) == 1
    return bool(np.ptp(to_points(ink)[:, 1]) > MAX_DIGIT_HEIGHT * x_height(longest))


def _judged(
    inks: Sequence[np.ndarray], rows: Sequence[ReadRow], reader: WordReader, search: Search
) -> list[ReadRow]:
    """Return the words by which `is_text` judges each row of ink.

    If the words that were read with a language model are no text, the row is read without it: the
    model prefers words, also in drawings.
    """
    judged = [*rows]
    doubtful = [number for number, words in enumerate(rows) if not is_text(words)]
    if search.language_model is not None and doubtful:
        read = _sureness(reader.read_words([inks[number] for number in doubtful], GREEDY))
        for number, words in zip(doubtful, read, strict=True):
            judged[number] = words
    return judged


def _level_ink(strokes: Sequence[np.ndarray], row: StrokeRow) -> np.ndarray:
    """Return the ink of a row, turned level from its quarter turns."""
    return from_strokes([turned_back(strokes[n], row.turn * np.pi / 2) for n in row.strokes])


def _read_turns(strokes: Sequence[np.ndarray], reader: WordReader) -> np.ndarray:
    """Return how many quarter turns clockwise each stroke lies, `(strokes,)`.

    Strokes are grouped by their `quarter_turns`. The largest group gets the turn of which the
    reader is surest; each other group keeps its own turn if the reader is surer of that turn.
    """
    seeming, turns, main_turn = quarter_turns(strokes), np.zeros(len(strokes), int), 0
    for index, (turn, _) in enumerate(Counter(seeming.tolist()).most_common()):
        numbers = np.flatnonzero(seeming == turn)
        turns[numbers] = main_turn
        if turn == main_turn:
            continue
        block, sureness = [strokes[number] for number in numbers], dict[int, float]()
        # For the largest group all turns are tried if two are unsure, as a long piece may mislead.
        for tried in dict.fromkeys((main_turn, turn, *(() if index else range(4)))):
            if len(sureness) < 2 or max(sureness.values()) < MIN_TURNED_CONFIDENCE:
                sureness[tried] = mean_confidence(chain(*_longest_rows(block, tried, reader)))
        best = max(sureness, key=sureness.__getitem__)
        if sureness[best] >= (MIN_TURNED_CONFIDENCE if index else MIN_PAGE_CONFIDENCE):
            turns[numbers] = best
        main_turn = main_turn if index else int(turns[numbers[0]])
    return turns


def _read_sizes(strokes: Sequence[np.ndarray], turns: np.ndarray, reader: WordReader) -> np.ndarray:
    """Return the class of each stroke's size, `(strokes,)`, see `size_classes`. Strokes of a size
    in which there is no text, such as drawings, get the size of most text."""
    sizes = np.zeros(len(strokes), int)
    for turn in np.unique(turns).tolist():
        numbers = np.flatnonzero(turns == turn)
        classes = size_classes([turned_back(strokes[n], turn * np.pi / 2) for n in numbers])
        rising = [size for size, _ in reversed(Counter(classes.tolist()).most_common())]
        texts: list[int] = []
        for size in rising if len(rising) > 1 else ():
            if size == rising[-1] and not texts:
                break  # All other sizes are drawings.
            block = [strokes[number] for number in numbers[classes == size]]
            rows = _longest_rows(block, turn, reader)
            letters = sum(map(str.isalnum, "".join(text for text, _ in chain(*rows))))
            is_sure = mean_confidence(chain(*rows)) >= MIN_TURNED_CONFIDENCE
            if is_sure and letters > MAX_SHORT_ROW * len(rows):
                texts.append(size)
        if texts:
            sizes[numbers] = np.where(np.isin(classes, texts), classes, texts[-1])
    return sizes


def _longest_rows(block: Sequence[np.ndarray], turn: int, reader: WordReader) -> list[ReadRow]:
    """Return the words of the longest rows of strokes, each with its confidence."""
    block = block[:MAX_TRIED_STROKES]
    sizes = size_classes([turned_back(stroke, turn * np.pi / 2) for stroke in block])
    rows, _ = find_structure(block, np.full(len(block), turn), sizes)
    longest = sorted(rows, key=lambda row: -len(row.strokes))[:MAX_TRIED_ROWS]
    read = reader.read_words([_level_ink(block, row) for row in longest], GREEDY)
    return _sureness(read)


def _sureness(rows: Sequence[Sequence[InkWord]]) -> list[ReadRow]:
    """Return the text of each word of rows with its confidence."""
    sure = iter(confidences([(word.text, word.probability) for row in rows for word in row]))
    return [[(word.text, next(sure)) for word in row] for row in rows]


def with_numbers(rows: list[PageRow]) -> list[PageRow]:
    """Return rows, with the mark `NUMBER` where two or more begin with a number of a list."""

    def numbered(row: PageRow) -> PageRow:
        first, *others = row.words
        match = LIST_NUMBER.fullmatch(first.text)
        if row.mark not in ("", HEADING) or not match or not (others or match[2]):
            return row
        first = replace(first, text=" ".join(filter(None, match.groups())))
        return replace(row, words=(first, *others), mark=NUMBER)

    marked = [*map(numbered, rows)]
    return marked if sum(row.mark == NUMBER for row in marked) >= MIN_LIST_ROWS else rows


def _with_typed(rows: list[PageRow], typed: Sequence[TypedText]) -> list[PageRow]:
    """Insert each line of typed texts as a row before the first row below; return all rows."""
    lowest = [*accumulate(map(_middle, rows), max)]  # the largest middle of the rows so far
    for typed_row in _typed_rows(typed):
        place = bisect_right(lowest, _middle(typed_row))
        rows.insert(place, typed_row)
        lowest.insert(place, _middle(typed_row))
    return rows


def _typed_rows(typed: Sequence[TypedText]) -> list[PageRow]:
    """Return the lines of typed texts. A text that begins where the previous text ends is in the
    same line, such as words of another colour."""
    rows: list[list[PageWord]] = []
    for before, text in zip((None, *typed), typed, strict=False):
        for number, line in enumerate(text.text.splitlines()):
            words = [*_typed_words(text, number, line)]
            if words and not number and before and _goes_on(before, text):
                rows[-1] += words
            elif words:
                rows.append(words)
    return [PageRow(tuple(words)) for words in rows]


def _goes_on(before: TypedText, text: TypedText) -> bool:
    """Return whether a text begins in the line of `before`, at most a blank behind its end."""
    if abs(before.y - text.y) + abs(before.size - text.size) > MAX_TYPED_STEP * text.size:
        return False
    from ink.drawing.fonts import advance  # slow to import

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
