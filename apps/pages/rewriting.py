"""Writes some words of finished pages again; all other points stay as they are."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import chain, islice
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.pages.page_hands import hands_of
from apps.pages.page_options import Look, PageOptions, PrimerFile
from apps.pages.pages import Origin, Pages, WordAddress
from apps.pages.paper import Paper
from apps.pages.paragraphs import FILL, LIST_MARK, traced
from apps.pages.proofreading import MISSING_WORD, CheckedWord, PageHand, try_words
from apps.pages.text_lines import MIN_NARROWING, Passage, words_of
from apps.pages.word_cutting import MAX_GAP_RATIO, MIN_GAP_RATIO
from apps.pages.written_word import WrittenWord, span, strokes_in_row
from ink.drawing.layers import Pen, PlacedWord, Row
from model.drawing.page import Page
from model.generation.line import SEEDS
from model.loading import Writer
from utils import strict_json
from utils.checks import ConfigFault, UserError
from utils.files import read_text, write_json

NUM_CANDIDATES = 12  # tries of a word, twice the default of `PageOptions.tries` (assumed)
MAX_FLUSH_GAP = 0.5  # millimetres from a flush row's end to the margin, at most (assumed)
NEXT_STEP = (
    "the same command makes other tries; `page` with another --seed or --style writes all anew"
)
MAX_BYTES = 2**27  # largest size of a report in bytes (assumed: a page of A4 has half a megabyte)


class WordIndex(NamedTuple):
    """The indices of a page, a row in `Page.rows`, and a word in `Row.words`."""

    page: int
    row: int
    word: int


def save_report(path: str | PathLike[str], pages: Pages) -> None:
    """Save pages, the readings of their words, and their origin."""
    names = ("text", "tries", "hypothesis", "errors", "doubt", "faults", "second", "looks_like")
    readings = []
    for (address, _), word in zip(pages.placed(), pages.proofread, strict=True):
        reading = {name: getattr(word, name) for name in names}
        readings.append(dict(zip(WordIndex._fields, address, strict=True)) | reading)
    values = {**asdict(pages.origin), "pages": [*map(asdict, pages)]}
    extras = pages.origin.options.extras.items()
    values["options"]["extras"] = {name: np.asarray(value).tolist() for name, value in extras}
    json_values = json.loads(json.dumps(values, default=_text))
    write_json(path, {"doubts": pages.doubts, "each": readings, **json_values}, indent=1)


def load_report(path: str | PathLike[str]) -> Pages:
    """Return the pages of a report, with exactly the points that were saved.

    Raises:
        UserError: if the file cannot be read, or is not a report of pages.
    """
    text = read_text(path, MAX_BYTES)
    try:
        values = strict_json.loads(text, MAX_BYTES, max_values=MAX_BYTES // 10)
        pages = [*map(_page, values["pages"])]
        proofread = []
        for reading in values["each"]:
            for name in WordIndex._fields:
                del reading[name]
            proofread.append(CheckedWord((), **reading))
        looks = [Look(**look) for look in values["looks"]]
        origin = Origin(_options(values["options"]), looks, values["network"], values["output"])
    except (ConfigFault, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        problem = "not a report saved by `page --report FILE` of this version"
        raise UserError(f"{path}: {problem}") from None
    return Pages(pages, proofread, [], origin)


def rewrite(
    pages: Pages,
    addresses: Sequence[WordAddress] | None = None,
    writer: Writer | None = None,
    *,
    device: str = "cpu",
    progress: bool = False,
) -> Pages:
    """Return pages with some words written again; all other points stay as they are.

    Each word is written `NUM_CANDIDATES` times. The candidate that fits between the word's
    neighbours and is read best replaces the word, unless it is read worse than the word. A further
    call uses new seeds for the word.

    Args:
        pages: the result of `write_page` or `load_report`.
        addresses: page, row and word, each from 1; None for all doubtful words, each of which is
            only replaced by a candidate that is not doubtful.
        writer: the writer of all words; None for the network of each style.
        device: the device of the networks that are loaded; a GPU writes more slowly.
        progress: show progress bars.

    Raises:
        UserError: if there is no word with one of the addresses, or a formula.
    """
    page_origin = pages.origin
    address_of = {
        index_of(pages, address): address
        for address in (pages.doubtful if addresses is None else addresses)
    }
    if formulas := [index for index in address_of if _is_formula(pages, index)]:
        if addresses is not None:
            address = ":".join(map(str, address_of[formulas[0]]))
            raise UserError(f"{address} is a formula, which only another --seed writes anew")
        address_of = {index: each for index, each in address_of.items() if index not in formulas}
    if not address_of:
        return Pages(pages, pages.proofread, ["nothing is doubtful"], page_origin)
    hands = hands_of(writer, page_origin.options, device, progress)
    rows = [[*page.rows] for page in pages]
    proofread = [*pages.proofread]
    number_of = {index: number for number, index in enumerate(_indices(pages))}
    indices_by_hand: dict[PageHand, list[WordIndex]] = {}
    for index in address_of:
        look = page_origin.looks[rows[index.page][index.row].line]
        indices_by_hand.setdefault(hands.of(look), []).append(index)
    remarks = []
    num_failed = 0
    for hand, indices in indices_by_hand.items():
        words = [rows[index.page][index.row].words[index.word] for index in indices]
        generators = [
            np.random.default_rng([page_origin.options.seed, *index, word.rewritten])
            for index, word in zip(indices, words, strict=True)
        ]
        passages = [Passage(hand, word.text) for word in words]
        candidates = write_candidates(hand, passages, generators)
        for index, old, tried in zip(indices, words, candidates, strict=True):
            row = rows[index.page][index.row]
            old_reading = proofread[number_of[index]]
            better = [new for new in tried if may_replace(new, old_reading, addresses is None)]
            new_words = [new.words[0] for new in better]
            fitting = with_fitting(row, index.word, new_words, hand.shape.gap, page_origin)
            result = f"stays as it was: none of {NUM_CANDIDATES} tries fits and is legible"
            if fitting is None:
                # Only the count changes, which reports have as "rewritten": the next seeds differ.
                unchanged = replace(old, rewritten=old.rewritten + 1)
                rows[index.page][index.row] = with_word(row, index.word, unchanged)
                num_failed += 1
            else:
                rows[index.page][index.row], number = fitting
                proofread[number_of[index]] = better[number]
                result = "written again"
            address = "page {}, row {}, word {}".format(*address_of[index])
            remarks.append(f"{address}, {old.text!r}: {result}")
    if num_failed:
        remarks.append(NEXT_STEP)
    new_pages = [replace(page, rows=tuple(new)) for page, new in zip(pages, rows, strict=True)]
    return Pages(new_pages, proofread, remarks, page_origin, hands.sources)


def _is_formula(pages: Pages, index: WordIndex) -> bool:
    """Return whether a word is a formula, or a part of one."""
    row = pages[index.page].rows[index.row]
    text = row.words[index.word].text
    return pages.origin.looks[row.line].formulas and not {"$", "\\"}.isdisjoint(text)


def _indices(pages: Sequence[Page]) -> Iterator[WordIndex]:
    """Yield the index of each word of pages, in order."""
    for page_number, page in enumerate(pages):
        for row_number, row in enumerate(page.rows):
            for number in range(len(row.words)):
                yield WordIndex(page_number, row_number, number)


def may_replace(new: CheckedWord, old: CheckedWord, is_doubtful: bool) -> bool:
    """Return whether a try may replace a word: it is not read worse. If the word `is_doubtful`, the
    try is not doubtful."""
    is_no_worse = new.accepted or new.badness <= old.badness
    return is_no_worse and not (is_doubtful and new.words[0].doubt)


def index_of(pages: Sequence[Page], address: WordAddress) -> WordIndex:
    """Return the index of the word with an address; raise a UserError if there is no such word."""
    page, row, number = address
    rows = pages[page - 1].rows if 1 <= page <= len(pages) else ()
    words = rows[row - 1].numbered() if 1 <= row <= len(rows) else ()
    for index, (first, word) in enumerate(words):
        if first <= number <= first + word.text.count(" ") and not FILL.fullmatch(word.text):
            return WordIndex(page - 1, row - 1, index)
    raise UserError(
        f"{page}:{row}:{number}: these pages have no such word; pages, the rows of a page and the "
        "words of a row are counted from 1"
    )


def write_candidates(
    hand: PageHand, passages: Sequence[Passage], generators: Sequence[np.random.Generator]
) -> list[list[CheckedWord]]:
    """Write each passage `NUM_CANDIDATES` times; return the candidates for each passage, the best
    first. A try in which a word of the passage is missing is no candidate.

    Candidates are in x-heights, from the left edge of their ink; doubtful ones have their reason.

    Args:
        hand: the hand that writes the words.
        passages: a word each, or several words that a stroke joins.
        generators: for each passage the generator that draws its seeds.
    """
    plain = [" ".join(passage.line_texts) for passage in passages]
    seeds = [generator.integers(SEEDS, size=NUM_CANDIDATES).tolist() for generator in generators]
    texts = np.repeat(plain, NUM_CANDIDATES).tolist()
    tries = iter(try_words(hand, texts, [*chain(*seeds)]))
    candidates = []
    for passage in passages:
        lines = [*islice(tries, NUM_CANDIDATES)]
        lines.sort(key=lambda line: max(checked.badness for checked in line))
        candidates.append([_as_one_word(passage, line) for line in lines if _is_whole(line)])
    return candidates


def _is_whole(line: Sequence[CheckedWord]) -> bool:
    """Return whether no word of a written line is missing."""
    return all(MISSING_WORD not in checked.faults for checked in line)


def _as_one_word(passage: Passage, line: Sequence[CheckedWord]) -> CheckedWord:
    """Return the written line of a passage as one word, with the reading of its worst word."""
    words, _ = words_of(passage, iter([line]))
    strokes = strokes_in_row(words)
    left, right = span(strokes)
    reason = ", ".join(filter(None, (word.doubt for word in words)))
    moved = tuple(stroke - np.array([left, 0.0]) for stroke in strokes)
    word = WrittenWord(moved, right - left, 0.0, passage.text, doubt=reason)
    worst = max(line, key=lambda checked: (not checked.accepted, checked.badness))
    return replace(worst, words=(word,), text=passage.text, tries=NUM_CANDIDATES)


def with_word(row: Row, index: int, word: PlacedWord) -> Row:
    """Return a row with the same strokes, in which `word` replaces the word of an index."""
    return replace(row, words=(*row.words[:index], word, *row.words[index + 1 :]))


def with_fitting(
    row: Row, index: int, words: Sequence[WrittenWord], usual_gap: float, origin: Origin
) -> tuple[Row, int] | None:
    """Return a row in which the first of `words` that fits replaces the word of an index, and the
    number of the first; None if no word fits. `words` and `usual_gap`, the hand's, are in
    x-heights."""
    paper = origin.options.paper
    trace = origin.looks[row.line].trace
    in_millimetres = [traced(word, trace).scaled(row.size) for word in words]
    edge = paper.right
    return exchanged(row, index, in_millimetres, usual_gap * row.size, edge)


def exchanged(
    row: Row, index: int, words: Sequence[WrittenWord], gap: float, edge: float
) -> tuple[Row, int] | None:
    """Return a row in which the first of `words` that fits replaces a word, and the number of the
    first; None if no word fits.

    The new word stands in the middle between its neighbours, no nearer to them than a hand sets
    words. It keeps the old left edge at the start of a row, column or item, behind a part of its
    word, and at a ragged end; the old right edge before a part of its word and at the margin.

    Args:
        row: the row on its page.
        index: the index of the word that is replaced.
        words: the words that may replace it, in millimetres, the best first.
        gap: the usual gap between words.
        edge: x of the right margin.
    """
    start = sum(word.strokes for word in row.words[:index])
    old = row.words[index]
    before = row.strokes[:start]
    after = row.strokes[start + old.strokes :]
    left, right = span(row.strokes[start : start + old.strokes])
    gap_before = left - span(before).right if before else 0.0
    next_left = span(after).left if after else edge
    gap_after = next_left - right
    for min_gap in (gap, MIN_GAP_RATIO * gap):  # The second if all that fit are doubtful.
        free_before = max(gap_before - min_gap, 0.0)
        free_after = max(gap_after - min_gap, 0.0) if after else max(gap_after, 0.0)
        max_width = right - left + (free_before + free_after)
        number = next((k for k, word in enumerate(words) if word.width <= max_width), None)
        if number is not None and not words[number].doubt:
            break
    if number is None:
        widths = [MIN_NARROWING * word.width for word in words]
        number = next((k for k, width in enumerate(widths) if width <= max_width), None)
        if number is None:
            return None
    new = words[number]
    if new.width > max_width:
        new = new.narrowed(max_width)
    # A row, a part of a word, a column or an item of a list begins here.
    is_start = not before or row.words[index - 1].joined or gap_before > MAX_GAP_RATIO * gap
    is_start |= index == 1 and LIST_MARK.match(f"{row.words[0].text} {old.text}") is not None
    x = (left - gap_before + right + gap_after - new.width) / 2
    is_flush_end = not after and gap_after < MAX_FLUSH_GAP
    if old.joined or (is_flush_end and not is_start):
        x = right - new.width
    elif is_start or not after:
        x = left
    x = min(max(x, left - free_before), right + free_after - new.width)
    strokes = tuple(stroke + np.array([x, row.baseline]) for stroke in new.strokes)
    word = replace(old, strokes=len(strokes), doubt=new.doubt, rewritten=old.rewritten + 1)
    return replace(with_word(row, index, word), strokes=(*before, *strokes, *after)), number


def _text(value: object) -> str:
    """Return points or a path as a text; `load_report` gets the same values from the text."""
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
        row_values = row | {"strokes": strokes, "pen": Pen(**row["pen"]), "words": words}
        rows.append(Row(**row_values))
    printed = {"rules": _points(values["rules"], 2, 2), "dots": _points(values["dots"], 2)}
    page_values = values | {"rows": tuple(rows)} | printed
    return Page(**page_values)


def _options(values: dict) -> PageOptions:
    paper = dict(values["paper"])
    primer = values["primer"]
    paper = Paper(**paper | {"margins": tuple(paper["margins"])})
    if primer:
        primer = PrimerFile(**primer | {"path": Path(primer["path"])})
    return PageOptions(**values | {"paper": paper, "primer": primer})
