"""Words of finished pages, written again by name: all other points stay as they are."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import chain, islice
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handwriting.hands import Hand
from handwriting.page_hands import Hands
from handwriting.page_options import Look, PageOptions, PrimerFile
from handwriting.pages import Origin, Pages, Place
from handwriting.paper import Paper
from handwriting.paragraphs import traced
from handwriting.proofreading import CheckedWord, try_words
from handwriting.source_text import RAISED
from handwriting.text_lines import NARROWED, Part, with_raised
from handwriting.word_cutting import MAX_GAP_RATIO, MIN_GAP_RATIO
from handwriting.written_word import WrittenWord, extent, strokes_in_row
from model.generation.writing import SEEDS
from model.writer import Writer
from utils import strict_json
from utils.checks import ConfigFault, UserError
from utils.files import read_text, write_json
from utils.page.layers import Pen, PlacedWord, Row
from utils.page.page import Page

CANDIDATES = 12
"""Tries of a word, twice as many as when pages are first written; the best is taken (assumed)."""
FLUSH = 0.5  # millimetres between the margin and the end of a row that counts as flush (assumed)
MAX_BYTES = 2**28  # most bytes of a report (assumed: a page of A4 has half a megabyte)


class Target(NamedTuple):
    """A word of a page: the numbers of its page, row and word, each from 0."""

    page: int
    row: int
    word: int


def save_report(path: str | PathLike[str], pages: Pages) -> None:
    """Save pages, the readings of their words, and their origin."""
    names = ("text", "tries", "hypothesis", "errors", "doubt", "faults", "second", "looks_like")
    each = [{name: getattr(word, name) for name in names} for word in pages.proofread]
    values = {**asdict(pages.origin), "pages": [*map(asdict, pages)]}
    extras = pages.origin.options.extras.items()
    values["options"]["extras"] = {name: np.asarray(value).tolist() for name, value in extras}
    plain = json.loads(json.dumps(values, default=_text))
    write_json(path, {"doubts": pages.doubts, "each": each, **plain}, indent=1)


def load_report(path: str | PathLike[str]) -> Pages:
    """Return the pages of a report, with exactly the points that were saved.

    Raises:
        UserError: if the file cannot be read, or is no report of pages.
    """
    text = read_text(path)
    try:
        values = strict_json.loads(text, MAX_BYTES)
        pages = [*map(_page, values["pages"])]
        each = [CheckedWord((), **word) for word in values["each"]]
        looks = [Look(**look) for look in values["looks"]]
        origin = Origin(_options(values["options"]), looks, values["network"])
    except (ConfigFault, KeyError, TypeError, ValueError):
        raise UserError(
            f"{path}: no report that `page --report FILE` saved, which words are written again from"
        ) from None
    return Pages(pages, each, [], origin)


def rewrite(
    pages: Pages,
    places: Sequence[Place] | None = None,
    writer: Writer | None = None,
    *,
    device: str = "cpu",
    progress: bool = False,
) -> Pages:
    """Return pages with some words written again; every other point is as it was.

    Each word is written `CANDIDATES` times; of the candidates that fit between the word's
    neighbours, the best read is taken. Each further call writes the same word with new seeds.

    Args:
        pages: as they were written, or `load_report` loaded them.
        places: page, row and word, each from 1; None for the doubtful words, which stay as they are
            unless nothing is wrong with the candidate.
        writer: that wrote all of the pages; None for the network of each style.
        device: of the networks that are loaded; a GPU writes more slowly.
        progress: show progress bars.

    Raises:
        UserError: if there is no such word.
    """
    origin = pages.origin
    hands = Hands(writer, origin.options, device, progress)
    chosen = pages.doubtful if places is None else places
    place_of = {target(pages, place): place for place in chosen}
    rows = [[*page.rows] for page in pages]
    targets_by_hand: dict[Hand, list[Target]] = {}
    for number in place_of:
        look = origin.looks[rows[number.page][number.row].line]
        targets_by_hand.setdefault(hands.of(look), []).append(number)
    why = "none that fits its place is read" if places is None else "none fits its place"
    remarks = []
    for hand, numbers in targets_by_hand.items():
        words = [rows[number.page][number.row].words[number.word] for number in numbers]
        draws = [
            np.random.default_rng([origin.options.seed, *number, word.rewritten])
            for number, word in zip(numbers, words, strict=True)
        ]
        tried = candidates(hand, [word.text for word in words], draws)
        for number, old, new_words in zip(numbers, words, tried, strict=True):
            row = rows[number.page][number.row]
            if places is None:
                new_words = [word for word in new_words if not word.doubt]
            new = with_fitting(row, number.word, new_words, hand.shape.space, origin)
            kept = replace(old, rewritten=old.rewritten + 1)  # the next time by other seeds
            rows[number.page][number.row] = new or with_word(row, number.word, kept)
            became = f"stays as it was: of {CANDIDATES} {why}" if new is None else "written again"
            place = "page {}, row {}, word {}".format(*place_of[number])
            remarks.append(f"{place}, {old.text!r}: {became}")
    rewritten = [replace(page, rows=tuple(new)) for page, new in zip(pages, rows, strict=True)]
    return Pages(rewritten, pages.proofread, [*hands.remarks, *remarks], origin)


def target(pages: Sequence[Page], place: Place) -> Target:
    """Return the word at a place; raise a UserError if there is none."""
    page, row, number = place
    rows = pages[page - 1].rows if 1 <= page <= len(pages) else ()
    words = rows[row - 1].numbered() if 1 <= row <= len(rows) else ()
    for index, (first, word) in enumerate(words):
        if word.strokes and first <= number <= first + word.text.count(" "):
            return Target(page - 1, row - 1, index)
    raise UserError(
        f"{page}:{row}:{number}: these pages have no such word; page, row on it and word in that "
        "are counted from 1"
    )


def candidates(
    hand: Hand, texts: Sequence[str], draws: Sequence[np.random.Generator]
) -> list[list[WrittenWord]]:
    """Return for each word those of `CANDIDATES` tries that have the word's text, the best first.

    Lengths are in x-heights, from the left edge of the ink; a word has its reason of doubt.

    Args:
        hand: that writes the words.
        texts: of the words.
        draws: generators from which the seeds of each word are drawn.
    """
    plain = [text.translate(str.maketrans(RAISED)) for text in texts]
    seeds = [draw.integers(SEEDS, size=CANDIDATES).tolist() for draw in draws]
    tried = iter(try_words(hand, np.repeat(plain, CANDIDATES).tolist(), [*chain(*seeds)]))
    words = []
    for text in texts:
        lines = [*islice(tried, CANDIDATES)]
        if text[0] in RAISED:
            part = Part(text, 0.0)
            lines = [[with_raised(checked, [part]) for checked in line] for line in lines]
        lines.sort(key=lambda line: max(checked.badness for checked in line))
        words.append([*filter(None, (_as_one_word(text, line) for line in lines))])
    return words


def _as_one_word(text: str, line: Sequence[CheckedWord]) -> WrittenWord | None:
    """Return a written line as one word; None if its words do not have the text."""
    words = [word for checked in line for word in checked.words]
    if " ".join(word.text for word in words) != text:
        return None
    strokes = strokes_in_row(words)
    left, right = extent(strokes)
    reason = ", ".join(filter(None, (checked.reason for checked in line)))
    moved = tuple(stroke - np.array([left, 0.0]) for stroke in strokes)
    return WrittenWord(moved, right - left, 0.0, text, doubt=reason)


def with_word(row: Row, number: int, word: PlacedWord) -> Row:
    """Return a row with the same strokes, whose word of a number, from 0, is replaced."""
    return replace(row, words=(*row.words[:number], word, *row.words[number + 1 :]))


def with_fitting(
    row: Row, number: int, words: Sequence[WrittenWord], space: float, origin: Origin
) -> Row | None:
    """Return a row of pages in which the best fitting of `words`, in x-heights, replaces a word;
    None if no word fits. `space` is the usual gap of the hand in x-heights."""
    paper, trace = origin.options.paper, origin.looks[row.line].trace
    placed = [traced(word, trace).scaled(row.size) for word in words]
    return exchanged(row, number, placed, space * row.size, paper.width - paper.margins[1])


def exchanged(
    row: Row, number: int, words: Sequence[WrittenWord], gap: float, edge: float
) -> Row | None:
    """Return a row in which the first of `words` that fits replaces a word; None if no word fits.

    The new word stands in the middle between its neighbours, no nearer to them than a hand sets
    words. At an end of the row, or beside a word without a blank, the word keeps its edge.

    Args:
        row: on its page.
        number: of the word that is replaced, from 0.
        words: that may replace it, in millimetres, the best first.
        gap: the usual gap between words.
        edge: x of the right margin.
    """
    start = sum(word.strokes for word in row.words[:number])
    old = row.words[number]
    before, after = row.strokes[:start], row.strokes[start + old.strokes :]
    left, right = extent(row.strokes[start : start + old.strokes])
    gap_before = left - extent(before)[1] if before else 0.0
    gap_after = (extent(after)[0] if after else edge) - right
    for min_gap in (gap, MIN_GAP_RATIO * gap):  # usual gaps, if a word that is right leaves them
        room_before = max(gap_before - min_gap, 0.0)
        room_after = max(gap_after - min_gap, 0.0) if after else max(gap_after, 0.0)
        max_width = right - left + (room_before + room_after)
        new = next((word for word in words if word.width <= max_width), None)
        if new is not None and not new.doubt:
            break
    if new is None:
        tight = [word for word in words if NARROWED * word.width <= max_width]
        if not tight:
            return None
        new = tight[0].narrowed(max_width)
    begins = not before or row.words[number - 1].joined or gap_before > MAX_GAP_RATIO * gap
    x = (left - gap_before + right + gap_after - new.width) / 2
    if old.joined or not (begins or after or gap_after >= FLUSH):
        x = right - new.width
    elif begins or not after:
        x = left
    x = min(max(x, left - room_before), right + room_after - new.width)
    shift = np.array([x, row.baseline])
    strokes = tuple(stroke + shift for stroke in new.strokes)
    word = replace(old, strokes=len(strokes), doubt=new.doubt, rewritten=old.rewritten + 1)
    return replace(with_word(row, number, word), strokes=(*before, *strokes, *after))


def _text(value: object) -> str:
    """Return points or a path as a text that `load_report` reads without loss."""
    if isinstance(value, np.ndarray):
        return " ".join(map(repr, value.ravel().tolist()))
    return str(value)


def _points(text: str, *shape: int) -> np.ndarray:
    return np.array(text.split(), dtype=np.float64).reshape(-1, *shape)


def _page(values: dict) -> Page:
    rows = []
    for row in values["rows"]:
        strokes = tuple(_points(stroke, 2) for stroke in row["strokes"])
        words = tuple(PlacedWord(**word) for word in row["words"])
        rows.append(Row(**row | {"strokes": strokes, "pen": Pen(**row["pen"]), "words": words}))
    printed = {"rules": _points(values["rules"], 2, 2), "dots": _points(values["dots"], 2)}
    return Page(**values | {"rows": tuple(rows)} | printed)


def _options(values: dict) -> PageOptions:
    paper, primer = dict(values["paper"]), values["primer"]
    paper = Paper(**paper | {"margins": tuple(paper["margins"])})
    primer = primer and PrimerFile(**primer | {"path": Path(primer["path"])})
    return PageOptions(**values | {"paper": paper, "primer": primer})
