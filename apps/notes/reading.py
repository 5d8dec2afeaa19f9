"""Reads the text of a page of ink."""

import hashlib
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from itertools import accumulate, chain, groupby, product
from typing import NamedTuple, TypeAlias

import numpy as np

from apps.notes.confidence import confidences
from apps.notes.marks import may_be_bar
from apps.notes.page_text import (
    HEADING_MARK,
    MAX_SECONDS,
    MIN_SURE_CONFIDENCE,
    NUMBER_MARK,
    SLOW,
    Box,
    PageRow,
    PageText,
    PageWord,
    box_of,
)
from apps.notes.rows import CROSSED_OUT, CROSSING
from apps.notes.searching import likely_frames
from apps.notes.sizes import size_classes
from apps.notes.stroke_order import likely_order
from apps.notes.structure import LABEL, MIN_LIST_ROWS, StrokeRow, find_structure, quarter_turns
from ink.drawing.covering import COVERED, unseen
from ink.geometry import from_strokes, to_points, turned_back, x_height
from ink.ink_page import LINE_PITCH, InkPage, TypedText
from ink.measures import baseline_of
from model.recognition.beam import GREEDY, Search
from model.recognition.ink_words import InkWord, WordReader
from utils.time_limit import OutOfTime, time_limit

TYPED_WIDTH = 0.5
"""Width of a typed character as a fraction of the font size (assumed)."""
MAX_TYPED_GAP = 0.5
"""Largest gap between typed texts of a line, in font sizes (assumed)."""
MAX_TYPED_STEP = 0.02
"""Largest step up or down between typed texts of a line, in font sizes (assumed)."""
MAX_TRIED_ROWS = 4
"""Number of rows that are read with a turn and without it (assumed)."""
MAX_TRIED_STROKES = 1_500
"""Number of strokes among which these rows are (assumed: those of a dense page)."""
MIN_TURNED_CONFIDENCE = 0.5
"""Minimum mean confidence of rows that are turned, or of another size, weighted by characters
(measured, notebook: notes, what is no prose)."""
ReadRow: TypeAlias = Sequence[tuple[str, float]]
"""Text and confidence of each word of a row."""
UNREAD = "not read"
"""Kind of strokes whose rows the reader is too unsure of: doodles, or text."""
MIN_PAGE_CONFIDENCE = 0.2
"""Minimum mean confidence of a page that is no drawing, weighted by characters (measured, notebook:
notes, scribbles)."""
# Rows that are no drawings (measured, notebook: notes, scribbles).
MAX_SHORT_ROW = 3
"""Most characters of a short row."""
MAX_CHARACTER_STROKES = 4
"""Most strokes of a row of one character (assumed: an E has four)."""
MAX_FIGURE_GAP = 0.5
"""Largest distance between strokes of a figure, in x-heights (assumed)."""
MIN_SHORT_CONFIDENCE = 0.6
"""Minimum mean confidence of a short row. It falls with the square of the length of longer rows."""
MIN_CHARACTER_CONFIDENCE = MIN_SURE_CONFIDENCE
"""The same of a row of one letter or sign, as houses and boxes are read."""
MIN_NUMBER_CONFIDENCE = 0.35
"""The same of a row of digits."""
# Lines that are bars of letters, or cross words out (measured, notebook: notes, what is no prose).
MAX_BAR_WIDTH = 6.0
"""Largest width of the bar of letters, in x-heights."""
MIN_HIGH_BAR = 0.65
"""Minimum height of a high bar above the baseline, in x-heights."""
MAX_HIGH_LOSS = 0.3
"""Largest loss of confidence by a high bar: letters with wide bars read worse."""
MAX_BAR_FRACTION = 0.7
"""Largest width of bars of several words, as a fraction of the words' width (assumed)."""
MAX_BAR_CONFIDENCE = 0.5
"""Largest confidence of a word with a line that may cross it out (assumed)."""
MIN_LONG_CONFIDENCE = 0.5
"""Minimum mean confidence of ink that is longer than a word and stays text."""
CROSSED_OUT_SIGN = "#"
"""What the reader has learned to read for crossed-out ink, as in the texts of IAM-OnDB."""
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
        rows = tuple(_with_typed([], page.typed))
        unread = _boxes(page, kinds, (SLOW,), [*kinds])
        return PageText(rows, {SLOW: len(kinds)}, kinds, unread)


def _read_page(page: InkPage, reader: WordReader, search: Search) -> PageText:
    """Return what `read_page` returns, without a limit on the time."""
    kinds = {n: stroke.tool for n, stroke in enumerate(page.strokes) if stroke.tool != "pen"}
    kinds |= unseen(page)
    pen = np.array([n for n in range(len(page.strokes)) if n not in kinds], int)
    read = _read_strokes([page.strokes[number].points for number in pen], reader, search)
    order = np.arange(len(page.strokes))
    order[pen] = pen[read.order]  # Strokes of other tools keep their places.
    pen_numbers = order[pen].tolist()
    kinds |= {pen_numbers[index]: kind for index, kind in read.kinds.items()}
    are_text = _are_text(read)
    rows = []
    for index, (row, ink) in enumerate(zip(read.rows, read.inks, strict=True)):
        numbers = tuple(pen_numbers[stroke] for stroke in row.strokes)
        if not read.ink_words[index] or not are_text[index]:
            kinds |= dict.fromkeys(numbers, LABEL if row.is_label else UNREAD)
            continue
        words = _page_words(read, index, pen_numbers, reader)
        digest = hashlib.sha256(ink.tobytes()).hexdigest()[:24]
        rows.append(PageRow(words, numbers, digest, row.mark, row.turn, read.are_backwards))
    all_rows = tuple(_with_typed(with_numbers(rows), page.typed))
    unread = _boxes(page, kinds, (UNREAD, LABEL), order.tolist())
    covered = _boxes(page, kinds, (COVERED,), order.tolist())
    crossed_out = _boxes(page, kinds, (CROSSED_OUT,), order.tolist())
    left_out = dict(Counter(kinds.values()))
    kinds = dict(sorted(kinds.items()))
    return PageText(all_rows, left_out, kinds, unread, covered, crossed_out)


class ReadStrokes(NamedTuple):
    """Pen strokes of a page as they were read.

    Attributes:
        order: numbers of the strokes in a likely order of writing, `(strokes,)`.
        strokes: the strokes in this order, `(n, 2)` each.
        rows: their rows.
        kinds: kind of each stroke that is in no row, by its index.
        bars: indices of the lines that may cross words out, and read as bars of letters.
        inks: ink of each row, level.
        ink_words, words: words of each row.
        judged: words by which `is_text` judges each row.
        are_backwards: whether the points of the strokes are stored backwards.
    """

    order: np.ndarray
    strokes: Sequence[np.ndarray]
    rows: Sequence[StrokeRow]
    kinds: Mapping[int, str]
    bars: Set[int]
    inks: Sequence[np.ndarray]
    ink_words: Sequence[Sequence[InkWord]]
    words: Sequence[ReadRow]
    judged: Sequence[ReadRow]
    are_backwards: bool = False

    @property
    def confidence(self) -> float:
        """The mean confidence of the words of all rows, weighted by characters."""
        return mean_confidence(chain(*self.judged))


def _read_strokes(strokes: Sequence[np.ndarray], reader: WordReader, search: Search) -> ReadStrokes:
    """Return pen strokes as they were read.

    If they read badly, the points of each stroke may be stored backwards, or the page upside down
    and backwards: they are read in the direction and the turn in which they read well.
    """
    read = _read_turned(strokes, _read_turns(strokes, reader), reader, search)
    if not read.rows or read.confidence >= MIN_TURNED_CONFIDENCE:
        return read
    directions = {False: strokes, True: [stroke[::-1] for stroke in strokes]}
    confidence_of = {}
    for are_backwards, turn in product(directions, range(4)):
        rows = _longest_rows(directions[are_backwards], turn, reader)
        confidence_of[are_backwards, turn] = mean_confidence(chain(*rows))
    best = max(confidence_of, key=confidence_of.__getitem__)
    if confidence_of[best] < MIN_TURNED_CONFIDENCE:
        return read
    are_backwards, turn = best
    turns = np.full(len(strokes), turn)
    reread = _read_turned(directions[are_backwards], turns, reader, search)
    return reread._replace(are_backwards=are_backwards)


def _read_turned(
    strokes: Sequence[np.ndarray], turns: np.ndarray, reader: WordReader, search: Search
) -> ReadStrokes:
    """Return pen strokes as they were read with these quarter `turns`."""
    order = _order_of_turns(strokes, turns)
    strokes = [strokes[number] for number in order.tolist()]
    turns = turns[order]
    sizes = _read_sizes(strokes, turns, reader)
    rows, kinds, bars = _read_structure(strokes, turns, sizes, reader)
    inks = [_level_ink(strokes, row) for row in rows]
    ink_words = reader.read_words(inks, search)
    words = _with_confidences(ink_words)
    judged = _judged(inks, words, reader, search)
    return ReadStrokes(order, strokes, rows, kinds, bars, inks, ink_words, words, judged)


def _page_words(
    read: ReadStrokes, index: int, page_numbers: Sequence[int], reader: WordReader
) -> tuple[PageWord, ...]:
    """Return the words of the row with an index for a page; `page_numbers` are the numbers of the
    strokes on the page."""
    words = []
    row_strokes = read.rows[index].strokes
    positions = np.concatenate([read.strokes[stroke] for stroke in row_strokes])
    stroke_of = np.repeat(row_strokes, [len(read.strokes[stroke]) for stroke in row_strokes])
    for word, (_, confidence) in zip(read.ink_words[index], read.words[index], strict=True):
        box = box_of(positions[word.points])
        frames = likely_frames(word.log_probs, reader.alphabet.characters)
        strokes = sorted({*stroke_of[word.points].tolist()})
        level = [turned_back(read.strokes[n], read.rows[index].turn * np.pi / 2) for n in strokes]
        has_line = not read.bars.isdisjoint(strokes) or _is_struck(level)
        if has_line and len(word.text) > 1:
            confidence = min(confidence, MAX_BAR_CONFIDENCE)
        numbers = tuple(sorted(page_numbers[stroke] for stroke in strokes))
        words.append(PageWord(word.text, box, confidence, word.alternatives, frames, numbers))
    return tuple(words)


def _is_struck(strokes: Sequence[np.ndarray]) -> bool:
    """Return whether a straight line goes from end to end of a word's level strokes, as no bar of
    its letters does."""
    left, right = np.array([(stroke[:, 0].min(), stroke[:, 0].max()) for stroke in strokes]).T
    widest = int((right - left).argmax())
    is_whole = left[widest] <= left.min() and right[widest] >= right.max()
    return len(strokes) > 1 and bool(is_whole) and may_be_bar(strokes[widest])


def _boxes(
    page: InkPage, kinds: Mapping[int, str], chosen: Collection[str], order: Sequence[int]
) -> tuple[Box, ...]:
    """Return boxes of the strokes whose kind is `chosen`: a box for each run of them in `order`."""
    boxes = []
    for is_chosen, numbers in groupby(order, lambda number: kinds.get(number) in chosen):
        if is_chosen:
            points = [page.strokes[number].points for number in numbers]
            boxes.append(box_of(np.concatenate(points)))
    return tuple(boxes)


def mean_confidence(words: Iterable[tuple[str, float]]) -> float:
    """Return the mean confidence of words, weighted by their characters; 0 without any."""
    pairs = [(len(text), confidence) for text, confidence in words]
    lengths, sure = np.array(pairs).reshape(-1, 2).T
    return float(lengths @ sure / max(lengths.sum(), 1))


def is_text(words: ReadRow, *, is_large: bool = False) -> bool:
    """Return whether the words of a row, each with its confidence, are text and no drawing.

    Drawings are mostly read as few letters. A row `is_large` if digits are not that high.
    """
    text = "".join(word for word, _ in words)
    limit = MIN_SHORT_CONFIDENCE
    if text.isdigit():
        limit = MIN_SHORT_CONFIDENCE if is_large else MIN_NUMBER_CONFIDENCE
    elif len(text) == 1:
        limit = MIN_CHARACTER_CONFIDENCE
    shortness = min(MAX_SHORT_ROW / max(len(text), 1), 1)
    return mean_confidence(words) >= limit * shortness**2


def _are_text(read: ReadStrokes) -> list[bool]:
    """Return whether each row is text and no drawing."""
    if not read.rows:
        return []
    is_page = read.confidence >= MIN_PAGE_CONFIDENCE
    longest = max(read.inks, key=len)
    are_text = []
    drawn = set[int]()
    for row, ink, words in zip(read.rows, read.inks, read.judged, strict=True):
        # The mark of a list, or of a table, shows that a row is no drawing.
        is_written = row.mark not in ("", HEADING_MARK)
        is_figure = _is_figure(words, len(row.strokes))
        is_large = _is_large(longest, ink)
        is_written |= is_page and not is_figure and is_text(words, is_large=is_large)
        if row.is_label:
            is_written &= mean_confidence(words) >= MIN_SURE_CONFIDENCE
        are_text.append(is_written)
        drawn.update(() if is_written else row.strokes)
    unit = x_height(longest)
    for index, (row, words) in enumerate(zip(read.rows, read.judged, strict=True)):
        is_short = sum(len(word) for word, _ in words) <= MAX_SHORT_ROW
        if is_short and not row.mark and _is_beside(row, drawn, read.strokes, unit):
            are_text[index] = False
    return are_text


def _is_figure(words: ReadRow, num_strokes: int) -> bool:
    """Return whether a row that was read as one character has too many strokes for it, such as a
    drawn man."""
    return sum(len(word) for word, _ in words) == 1 and num_strokes > MAX_CHARACTER_STROKES


def _is_beside(
    row: StrokeRow, drawn: Collection[int], strokes: Sequence[np.ndarray], unit: float
) -> bool:
    """Return whether a row was written just before or after a stroke that is `drawn` and nearly
    touches it: a drawn man's head is no 0. `unit` is the x-height."""
    points = np.concatenate([strokes[number] for number in row.strokes])
    for number in {min(row.strokes) - 1, max(row.strokes) + 1} & {*drawn}:
        distances = np.hypot(*(points[:, None] - strokes[number]).T)
        if distances.min() < MAX_FIGURE_GAP * unit:
            return True
    return False


def _is_large(longest: np.ndarray, ink: np.ndarray) -> bool:
    """Return whether a row of ink is higher than digits would be in a page with this longest row.

    The longest row itself is large if it is a single stroke.
    """
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
        reread = reader.read_words([inks[number] for number in doubtful], GREEDY)
        for number, words in zip(doubtful, _with_confidences(reread), strict=True):
            judged[number] = words
    return judged


def _level_ink(strokes: Sequence[np.ndarray], row: StrokeRow) -> np.ndarray:
    """Return the ink of a row, turned level from its quarter turns."""
    return from_strokes([turned_back(strokes[n], row.turn * np.pi / 2) for n in row.strokes])


def _read_turns(strokes: Sequence[np.ndarray], reader: WordReader) -> np.ndarray:
    """Return the number of quarter turns clockwise of each stroke, `(strokes,)`.

    Strokes are grouped by their `quarter_turns`; strokes in no order are one group. The largest
    group gets the turn of which the reader is surest; each other group keeps its turn if the reader
    is surer of that turn.
    """
    turns = np.zeros(len(strokes), int)
    as_given = np.arange(len(strokes))
    is_ordered = any((_order_of_turns(strokes, turns + n) == as_given).all() for n in range(4))
    expected_turns = quarter_turns(strokes) if is_ordered else turns.copy()
    main_turn = 0  # of the largest group, which is the first
    for index, (turn, _) in enumerate(Counter(expected_turns.tolist()).most_common()):
        numbers = np.flatnonzero(expected_turns == turn)
        turns[numbers] = main_turn
        if turn == main_turn and is_ordered:
            continue
        block = [strokes[number] for number in numbers.tolist()]
        confidence_of = dict[int, float]()
        is_largest = index == 0
        # For the largest group all turns are tried if two are unsure, as a long piece may mislead.
        further_turns = range(4) if is_largest else ()
        for tried in dict.fromkeys((main_turn, turn, *further_turns)):
            if len(confidence_of) < 2 or max(confidence_of.values()) < MIN_SURE_CONFIDENCE:
                rows = _longest_rows(block, tried, reader)
                confidence_of[tried] = mean_confidence(chain(*rows))
        best = max(confidence_of, key=confidence_of.__getitem__)
        min_confidence = MIN_PAGE_CONFIDENCE if is_largest else MIN_TURNED_CONFIDENCE
        if confidence_of[best] >= min_confidence:
            turns[numbers] = best
        if is_largest:
            main_turn = int(turns[numbers[0]])
    return turns


def _order_of_turns(strokes: Sequence[np.ndarray], turns: np.ndarray) -> np.ndarray:
    """Return the numbers of strokes in a likely order of writing, by their quarter `turns`; strokes
    of one turn keep the places of their turn."""
    order = np.arange(len(strokes))
    for turn in np.unique(turns).tolist():
        numbers = np.flatnonzero(turns == turn)
        level = [turned_back(strokes[number], turn * np.pi / 2) for number in numbers.tolist()]
        order[numbers] = numbers[likely_order(level)]
    return order


def _read_sizes(strokes: Sequence[np.ndarray], turns: np.ndarray, reader: WordReader) -> np.ndarray:
    """Return the class of each stroke's size, `(strokes,)`, see `size_classes`.

    Strokes of a size in which there is no text, such as drawings, get the size of most text.
    """
    sizes = np.zeros(len(strokes), int)
    for turn in np.unique(turns).tolist():
        numbers = np.flatnonzero(turns == turn)
        level = [turned_back(strokes[n], turn * np.pi / 2) for n in numbers.tolist()]
        classes = size_classes(level)
        rarest_first = [size for size, _ in reversed(Counter(classes.tolist()).most_common())]
        if len(rarest_first) == 1:
            continue
        text_sizes: list[int] = []
        for size in rarest_first:
            if size == rarest_first[-1] and not text_sizes:
                break  # All other sizes are drawings.
            block = [strokes[number] for number in numbers[classes == size]]
            rows = _longest_rows(block, turn, reader)
            text = "".join(text for text, _ in chain(*rows))
            num_letters = sum(map(str.isalnum, text))
            is_sure = mean_confidence(chain(*rows)) >= MIN_TURNED_CONFIDENCE
            if is_sure and num_letters > MAX_SHORT_ROW * len(rows):
                text_sizes.append(size)
        if text_sizes:
            sizes[numbers] = np.where(np.isin(classes, text_sizes), classes, text_sizes[-1])
    return sizes


def _read_structure(
    strokes: Sequence[np.ndarray], turns: np.ndarray, sizes: np.ndarray, reader: WordReader
) -> tuple[list[StrokeRow], dict[int, str], set[int]]:
    """Return what `find_structure` returns, but ink that only bars of letters seem to cross out is
    text; and these bars. Strokes that cross a word out get the word's kind."""
    rows, kinds = find_structure(strokes, turns, sizes)
    crossing = [number for number, kind in kinds.items() if kind == CROSSING]
    level = [turned_back(strokes[number], turns[number] * np.pi / 2) for number in crossing]
    lines = {number for number, stroke in zip(crossing, level, strict=True) if may_be_bar(stroke)}
    bars = set[int]()
    if lines:
        rows_with_lines, _ = find_structure(strokes, turns, sizes, lines)
        crossed = {number for number, kind in kinds.items() if kind in (CROSSED_OUT, CROSSING)}
        bars = _read_bars(strokes, rows_with_lines, crossed, lines, reader)
        if bars:
            rows, kinds = find_structure(strokes, turns, sizes, bars)
    kinds = {n: CROSSED_OUT if kind == CROSSING else kind for n, kind in kinds.items()}
    return rows, kinds, bars


def _read_bars(
    strokes: Sequence[np.ndarray],
    rows: Sequence[StrokeRow],
    crossed: Collection[int],
    lines: Collection[int],
    reader: WordReader,
) -> set[int]:
    """Return those of the `lines` that are bars of letters and cross nothing out.

    The ink of such letters reads better with its bars than without them. Ink that is longer than a
    word and than each of the bars stays if it reads well without them.

    Args:
        rows: the rows of the page if all `lines` are bars of letters.
        crossed: the strokes that are crossed out if no line is a bar of letters, and the lines.
    """
    parts = [*_crossed_parts(strokes, rows, crossed, lines)]
    inks = [_level_ink(strokes, row) for part in parts for row in (part.ink, part.with_lines)]
    read = iter(_with_confidences(reader.read_words(inks, GREEDY)))
    bars = set[int]()
    for part in parts:
        words, words_with_lines = next(read), next(read)
        without = _text_confidence(words)
        reads_well = len(words) > 1 and without >= MIN_LONG_CONFIDENCE
        gain = _text_confidence(words_with_lines) - without
        if gain > (-MAX_HIGH_LOSS if part.is_high else 0.0) or (part.is_longer and reads_well):
            bars.update(part.lines)
    return bars


class CrossedPart(NamedTuple):
    """A part of a row that lines cross out, unless these are bars of its letters.

    Attributes:
        ink: the part without the lines.
        with_lines: the part with the lines.
        lines: numbers of the lines.
        is_longer: whether the ink is longer than each of the lines.
        is_high: whether the lines are as high above the baseline as bars.
    """

    ink: StrokeRow
    with_lines: StrokeRow
    lines: list[int]
    is_longer: bool
    is_high: bool


def _crossed_parts(
    strokes: Sequence[np.ndarray],
    rows: Sequence[StrokeRow],
    crossed: Collection[int],
    lines: Collection[int],
) -> Iterator[CrossedPart]:
    """Yield the parts of rows that lines cross out which are no wider than bars of letters; see
    `_read_bars`."""
    for row in rows:
        unit = x_height(_level_ink(strokes, row))
        for is_crossed, numbers in groupby(row.strokes, crossed.__contains__):
            with_lines = row._replace(strokes=[*numbers])
            ink = row._replace(strokes=[n for n in with_lines.strokes if n not in lines])
            part_lines = [number for number in with_lines.strokes if number in lines]
            if not (is_crossed and part_lines and ink.strokes):
                continue
            level_lines = [turned_back(strokes[n], row.turn * np.pi / 2) for n in part_lines]
            level_ink = [turned_back(strokes[n], row.turn * np.pi / 2) for n in ink.strokes]
            widest = max(np.ptp(line[:, 0]) for line in level_lines)
            is_longer = bool(widest < MAX_BAR_FRACTION * np.ptp(np.concatenate(level_ink)[:, 0]))
            height = baseline_of(level_ink) - np.concatenate(level_lines)[:, 1].mean()
            if widest < MAX_BAR_WIDTH * unit:
                is_high = bool(height > MIN_HIGH_BAR * unit)
                yield CrossedPart(ink, with_lines, part_lines, is_longer, is_high)


def _text_confidence(words: ReadRow) -> float:
    """Return the mean confidence of words, weighted by their characters; none in words with
    `CROSSED_OUT_SIGN`."""
    return mean_confidence((text, 0.0 if CROSSED_OUT_SIGN in text else c) for text, c in words)


def _longest_rows(block: Sequence[np.ndarray], turn: int, reader: WordReader) -> list[ReadRow]:
    """Return the words of the longest rows of strokes, each with its confidence, if the strokes are
    turned by so many quarter turns."""
    block = block[:MAX_TRIED_STROKES]
    turns = np.full(len(block), turn)
    block = [block[number] for number in _order_of_turns(block, turns)]
    sizes = size_classes([turned_back(stroke, turn * np.pi / 2) for stroke in block])
    rows, _ = find_structure(block, turns, sizes)
    longest = sorted(rows, key=lambda row: -len(row.strokes))[:MAX_TRIED_ROWS]
    inks = [_level_ink(block, row) for row in longest]
    return _with_confidences(reader.read_words(inks, GREEDY))


def _with_confidences(rows: Sequence[Sequence[InkWord]]) -> list[ReadRow]:
    """Return the text of each word of rows with its confidence."""
    words = [(word.text, word.probability) for word in chain(*rows)]
    next_confidence = iter(confidences(words))  # They depend on all words of the page.
    return [[(word.text, next(next_confidence)) for word in row] for row in rows]


def with_numbers(rows: list[PageRow]) -> list[PageRow]:
    """Return rows, with the mark `NUMBER_MARK` where two or more begin with a number of a list."""

    def numbered(row: PageRow) -> PageRow:
        first, *others = row.words
        match = LIST_NUMBER.fullmatch(first.text)
        if row.mark not in ("", HEADING_MARK) or not match:
            return row
        if not others and not match[2]:  # a number by itself
            return row
        first = replace(first, text=" ".join(filter(None, match.groups())))
        return replace(row, words=(first, *others), mark=NUMBER_MARK)

    marked = [*map(numbered, rows)]
    num_items = sum(row.mark == NUMBER_MARK for row in marked)
    return marked if num_items >= MIN_LIST_ROWS else rows


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
            if not words:
                continue
            is_first_line = number == 0
            if is_first_line and before and _goes_on(before, text):
                rows[-1] += words
            else:
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
    top = text.y + LINE_PITCH * line_number * text.size
    column = 0
    for word in line.split():
        column = line.index(word, column)
        left = text.x + TYPED_WIDTH * text.size * column
        column += len(word)
        right = text.x + TYPED_WIDTH * text.size * column
        yield PageWord(word, (left, top, right, top + text.size))
