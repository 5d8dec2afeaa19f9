"""Words of finished pages, written again by name: all other points stay as they are."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import chain, islice
from math import inf
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from handwriting.hand import Hand
from handwriting.hands import Hands
from handwriting.layout import Word, narrowed, scaled, set_row
from handwriting.page_options import PageOptions, PrimerFile
from handwriting.pages import Origin, Page, Pages, Place
from handwriting.paper import Paper
from handwriting.paragraphs import Look
from handwriting.proofreading import Proofread
from handwriting.repairs import extent
from handwriting.text_lines import NARROWED, RAISED, with_raised
from handwriting.word_cutting import NARROWEST, WIDEST
from handwriting.worksheet import traced
from model.generation.writing import SEEDS
from model.writer import Writer
from utils import strict_json
from utils.checks import ConfigFault, UserError
from utils.files import read_text, write_json
from utils.page.layers import Pen, PlacedWord, Row

CANDIDATES = 12
"""How often a word is written, twice as often as at first; the best is taken (assumed)."""
FLUSH = 0.5
"""Millimetres from the margin up to which the end of a row is at it (assumed)."""
MAX_BYTES = 2**28
"""Most bytes of a report (assumed: a page of A4 has half a megabyte)."""


class Target(NamedTuple):
    """A word of a page: the numbers of its page and row, and which of the row's it is, from 0."""

    page: int
    row: int
    word: int


def save_report(path: str | PathLike[str], pages: Pages) -> None:
    """Save pages, what was read of their words, and what it takes to write one of them again."""
    names = ("text", "tries", "hypothesis", "errors", "doubt", "faults", "second", "looks_like")
    each = [{name: getattr(one, name) for name in names} for one in pages.proofread]
    kept = {**asdict(pages.origin), "pages": [*map(asdict, pages)]}
    extras = pages.origin.options.extras.items()
    kept["options"]["extras"] = {name: np.asarray(value).tolist() for name, value in extras}
    plain = json.loads(json.dumps(kept, default=_text))
    write_json(path, {"doubts": pages.doubts, "each": each, **plain}, indent=1)


def load_report(path: str | PathLike[str]) -> Pages:
    """Return the pages of a report, their points as they were.

    Raises:
        UserError: if it cannot be read, or is no report of pages.
    """
    text = read_text(path)
    try:
        values = strict_json.loads(text, MAX_BYTES)
        pages = [_page(one) for one in values["pages"]]
        each = [Proofread((), **one) for one in values["each"]]
        looks = [Look(**one) for one in values["looks"]]
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

    Of `CANDIDATES` that fit between a word's neighbours the one is taken that is read best. The
    next time the same word is named it becomes another one.

    Args:
        pages: as they were written, or `load_report` loaded them.
        places: page, row and word, each from 1; None for the doubtful ones, which stay as they are
            unless nothing is wrong with the best.
        writer: that wrote all of the pages; None for the network of each style.
        device: of the networks that are loaded; a GPU writes more slowly.
        progress: show progress bars.

    Raises:
        UserError: if there is no such word.
    """
    hands = Hands(writer, pages.origin.options, device, progress)
    named = pages.doubtful if places is None else places
    targets = {target(pages, place): place for place in named}
    sheets = [[*page.rows] for page in pages]
    of_hand: dict[Hand, list[Target]] = {}
    for one in targets:
        look = pages.origin.looks[sheets[one.page][one.row].line]
        of_hand.setdefault(hands.of(look), []).append(one)
    paper, notes = pages.origin.options.paper, []
    for hand, own in of_hand.items():
        words = [sheets[one.page][one.row].words[one.word] for one in own]
        draws = [
            np.random.default_rng([pages.origin.options.seed, *one, word.rewritten])
            for one, word in zip(own, words, strict=True)
        ]
        found = candidates(hand, [word.text for word in words], draws)
        for one, tried in zip(own, found, strict=True):
            row = sheets[one.page][one.row]
            if places is None:
                tried = [word for word in tried if not word.doubt]
            look = pages.origin.looks[row.line]
            gap, edge = hand.shape.space * row.size, paper.width - paper.margins[1]
            tried = [scaled(traced(word, look.trace), row.size) for word in tried]
            new = exchanged(row, one.word, tried, gap, edge)
            sheets[one.page][one.row] = new or kept(row, one.word)
            why = "none that fits its place is read" if places is None else "none fits its place"
            became = f"stays as it was: of {CANDIDATES} {why}" if new is None else "written again"
            place = "page {}, row {}, word {}".format(*targets[one])
            notes.append(f"{place}, {row.words[one.word].text!r}: {became}")
    rewritten = [replace(page, rows=tuple(rows)) for page, rows in zip(pages, sheets, strict=True)]
    return Pages(rewritten, pages.proofread, [*hands.notes, *notes], pages.origin)


def target(pages: Pages, place: Place) -> Target:
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
) -> list[list[Word]]:
    """Return `CANDIDATES` of each word that are that word, the best first: in x-heights, from its
    ink's left edge, with what is doubtful of it.

    Args:
        draws: from which the seeds of each are drawn.
    """
    plain = [text.translate(str.maketrans(RAISED)) for text in texts]
    seeds = [draw.integers(SEEDS, size=CANDIDATES).tolist() for draw in draws]
    tried = iter(hand.try_words(np.repeat(plain, CANDIDATES).tolist(), [*chain(*seeds)]))
    found = []
    for text in texts:
        lines = [*islice(tried, CANDIDATES)]
        if text[0] in RAISED:
            lines = [[with_raised(one, [(text, 0.0)]) for one in line] for line in lines]
        lines.sort(key=lambda line: max(one.wrong for one in line))
        found.append([*filter(None, (_joined(text, line) for line in lines))])
    return found


def _joined(text: str, line: Sequence[Proofread]) -> Word | None:
    """Return what was written as one word; None if it is not that text."""
    words = [word for one in line for word in one.words]
    if " ".join(word.text for word in words) != text:
        return None
    strokes, _ = set_row(words, inf, "left", True)
    left, right = extent(strokes)
    reason = ", ".join(filter(None, (one.reason for one in line)))
    moved = tuple(stroke - np.array([left, 0.0]) for stroke in strokes)
    return Word(moved, right - left, 0.0, text, doubt=reason)


def kept(row: Row, number: int) -> Row:
    """Return a row of which a word stays as it is; the next time other seeds are tried."""
    word = replace(row.words[number], rewritten=row.words[number].rewritten + 1)
    return replace(row, words=(*row.words[:number], word, *row.words[number + 1 :]))


def exchanged(row: Row, number: int, words: Sequence[Word], gap: float, edge: float) -> Row | None:
    """Return a row with another word in the place of one; None if none fits.

    It stands in the middle between its neighbours, which it comes no nearer than words of a hand
    do; at the ends of a row, or beside a word without a blank, that edge of it stays.

    Args:
        row: on its sheet.
        number: of the word, from 0.
        words: that may take its place, in millimetres, the best first.
        gap: the usual one.
        edge: the right margin.
    """
    start = sum(word.strokes for word in row.words[:number])
    old = row.words[number]
    before, after = row.strokes[:start], row.strokes[start + old.strokes :]
    left, right = extent(row.strokes[start : start + old.strokes])
    gaps = (left - extent(before)[1] if before else 0.0,
            (extent(after)[0] if after else edge) - right)  # fmt: skip
    for least in (gap, NARROWEST * gap):  # usual gaps, if a word that is right leaves them
        room = [max(gaps[0] - least, 0.0), max(gaps[1] - least * bool(after), 0.0)]
        most = right - left + sum(room)
        new = next((word for word in words if word.width <= most), None)
        if new is not None and not new.doubt:
            break
    if new is None:
        tight = [word for word in words if NARROWED * word.width <= most]
        if not tight:
            return None
        new = narrowed(tight[0], most)
    begins = not before or row.words[number - 1].joined or gaps[0] > WIDEST * gap
    x = (left - gaps[0] + right + gaps[1] - new.width) / 2
    if old.joined or not (begins or after or gaps[1] >= FLUSH):
        x = right - new.width
    elif begins or not after:
        x = left
    x = min(max(x, left - room[0]), right + room[1] - new.width)
    shift = np.array([x, row.baseline])
    strokes = tuple(stroke + shift for stroke in new.strokes)
    named = replace(old, strokes=len(strokes), doubt=new.doubt, rewritten=old.rewritten + 1)
    return replace(
        row,
        strokes=(*before, *strokes, *after),
        words=(*row.words[:number], named, *row.words[number + 1 :]),
    )


def _text(value: object) -> str:
    """Return points or a path as a text from which it is read as the same."""
    return (
        " ".join(map(repr, value.ravel().tolist())) if isinstance(value, np.ndarray) else str(value)
    )


def _points(text: str, *shape: int) -> np.ndarray:
    return np.array(text.split(), dtype=np.float64).reshape(-1, *shape)


def _page(values: dict) -> Page:
    rows = [
        Row(**row | {
            "strokes": tuple(_points(stroke, 2) for stroke in row["strokes"]),
            "pen": Pen(**row["pen"]),
            "words": tuple(PlacedWord(**word) for word in row["words"]),
        })
        for row in values["rows"]
    ]  # fmt: skip
    printed = {"rules": _points(values["rules"], 2, 2), "dots": _points(values["dots"], 2)}
    return Page(**values | {"rows": tuple(rows)} | printed)


def _options(values: dict) -> PageOptions:
    paper, primer = dict(values["paper"]), values["primer"]
    paper = Paper(**paper | {"margins": tuple(paper["margins"])})
    primer = primer and PrimerFile(**primer | {"path": Path(primer["path"])})
    return PageOptions(**values | {"paper": paper, "primer": primer})
