"""Words are looked for in all that was read, and in all that the ink may say.

A query is spotted in the frames of a row as hidden Markov models spot keywords: on its likeliest
path from any frame to any other, by how much less likely that is than what was read there.

R: rows, S: frames, Q: states of a query.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from notes.page_text import Frame, Note, PageRow, plain

LEAST = 0.5
"""Least probability of words that are found: rather there than not (assumed)."""
OFFSET = -2.28
COST = 0.74
LENGTH = 1.19
"""The logit of this probability: the offset, less the nats by which the words are less likely than
what was read times the cost, and more for each of their characters (measured on testset_v and
testset_t, lab notebook: search)."""
FAINT = 7.0
"""Nats below the likeliest from which a character is left out of a frame (measured, lab notebook:
search; with 12 it is the same, in five times the bytes)."""
ABSENT = 10.0
"""Nats below the likeliest of a character that is left out (measured, lab notebook: search)."""
BLANK = ""
"""The frames between characters."""
MARK = " "
"""Stands for all that is neither letter nor digit, and for the ends of a row."""


class Hit(NamedTuple):
    """Words that were found: numbers of the page, the row and the first word, from 1; the row; and
    the probability that they stand there."""

    page: int
    number: int
    word: int
    row: PageRow
    confidence: float


def search(query: str, note: Note) -> Iterator[Hit]:
    """Yield where the words of a query stand side by side in a row, in any case: wherever they were
    read, or else where the row says them most likely, if at all."""
    wanted = [plain(word) for word in query.split()]
    for page, (_, text) in enumerate(note.pages, 1):
        spotted = _spotted(" ".join(wanted), text.rows) if text.rows else []
        for number, (row, likeliest) in enumerate(zip(text.rows, spotted, strict=True), 1):
            read = [plain(word.text) for word in row.words]
            places = [
                (start, min(word.confidence for word in row.words[start : start + len(wanted)]))
                for start in range(len(read) - len(wanted) + 1)
                if read[start : start + len(wanted)] == wanted
            ]
            for start, confidence in places or [likeliest]:
                if places or confidence >= LEAST:
                    yield Hit(page, number, start + 1, row, confidence)


def kept_frames(log_probs: np.ndarray, characters: Sequence[str]) -> tuple[Frame, ...]:
    """Return what frames may be, without those that are blank like the one before.

    Args:
        log_probs: `(S, C + 1)`, the blank last.
        characters: of the other C.
    """
    names, frames = [*characters, BLANK], []
    for nats in log_probs.max(axis=1, keepdims=True) - log_probs:
        frame = {names[n]: round(float(nats[n]), 1) for n in np.flatnonzero(nats < FAINT)}
        if frame != {BLANK: 0.0} or frames[-1:] != [frame]:
            frames.append(frame)
    return tuple(frames)


def _spotted(query: str, rows: Sequence[PageRow]) -> list[tuple[int, float]]:
    """Return for each row the word where a query most likely begins, and how likely it does."""
    # From right to left, so that a path ends where the query begins.
    letters = [character if character.isalnum() else MARK for character in reversed(query)]
    symbols = [MARK, *letters, MARK]
    costs = [_costs(row, symbols)[::-1] for row in rows]
    longest = max(map(len, costs))
    padded = [np.pad(c, ((0, longest - len(c)), (0, 0)), constant_values=ABSENT) for c in costs]
    is_same = np.array([False, *(a == b for a, b in pairwise(symbols))])
    spotted = []
    for row, cost in zip(rows, _path_costs(np.array(padded), is_same), strict=True):
        stops = np.cumsum([len(word.frames) for word in row.words])
        begin = stops[-1] + 1 - cost.argmin()  # the frame after the mark before the query
        word = np.searchsorted(stops[:-1], begin, side="right")
        logit = OFFSET - COST * cost.min() + LENGTH * len(query)
        spotted.append((int(word), round(float(1 / (1 + np.exp(-logit))), 4)))
    return spotted


def _costs(row: PageRow, symbols: Sequence[str]) -> np.ndarray:
    """Return by how many nats symbols, and what is between them, are less likely than what was read
    in each frame and at both ends of a row, `(S, Q)`."""
    end: Frame = {MARK: 0.0}
    frames = [end, *(frame for word in row.words for frame in word.frames), end]
    columns = {symbol: column for column, symbol in enumerate(dict.fromkeys([*symbols, BLANK]))}
    costs = np.full((len(frames), len(columns)), ABSENT)
    for number, frame in enumerate(frames):
        for character, cost in frame.items():
            symbol = character.lower() if character.isalnum() or not character else MARK
            if symbol in columns:
                column = columns[symbol]
                costs[number, column] = min(costs[number, column], cost)
    blank, mark = costs[:, columns[BLANK]], costs[:, columns[MARK]]
    states = [costs[:, columns[symbols[0]]]]
    for symbol, following in pairwise(symbols):
        # Marks may follow each other.
        states.append(np.minimum(blank, mark) if MARK in (symbol, following) else blank)
        states.append(costs[:, columns[following]])
    return np.column_stack(states)


def _path_costs(costs: np.ndarray, is_same: np.ndarray) -> np.ndarray:
    """Return the cost of the cheapest path of a query that ends in each frame, `(R, S)`.

    Args:
        costs: of its states, symbols and what is between them in turn, `(R, S, Q)`.
        is_same: whether a symbol is the one before, from which a blank tells it, `(symbols,)`.
    """
    rows, frames, states = costs.shape
    path, ends = np.full((rows, states + 2), np.inf), np.empty((rows, frames))
    skip_cost = np.zeros(states)
    skip_cost[1::2] = np.inf
    skip_cost[::2][is_same] = np.inf
    for frame in range(frames):
        best = np.minimum(path[:, 2:], path[:, 1:-1])
        best = np.minimum(best, path[:, :-2] + skip_cost)
        best[:, 0] = 0.0  # A path may begin anywhere.
        path[:, 2:] = best + costs[:, frame]
        ends[:, frame] = path[:, -1]
    return ends
