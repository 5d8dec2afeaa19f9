"""Searches for words in the texts that were read, and in all other texts that the ink may say.

A query is spotted in the frames of a row as hidden Markov models spot keywords: on the query's
likeliest path from any frame to any later frame, by how much less likely that path is than the
likeliest symbols of the same frames.

R: rows, S: frames, Q: states of a query.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from notes.confidence import probability_of
from notes.page_text import Frame, Note, PageRow, plain

LEAST = 0.5
"""Least probability of a hit that was not read as such (assumed: more likely there than not)."""
OFFSET = -2.28
COST = 0.74
LENGTH = 1.19
"""Logit of a hit's probability: `OFFSET`, minus `COST` times the nats by which the query is less
likely than the likeliest symbols, plus `LENGTH` for each letter and digit (measured on testset_v
and testset_t, lab notebook: search)."""
FAINT = 7.0
"""Nats below a frame's likeliest symbol, from which a symbol is left out of the frame (measured,
lab notebook: search; 12 gives the same hits in five times the bytes)."""
ABSENT = 10.0
"""Nats below the likeliest symbol for a left-out symbol (measured, lab notebook: search)."""
BLANK = "_"
"""Symbol of the frames between characters."""
MARK = " "
"""Symbol of each character that is neither letter nor digit, and of the ends of a row."""


class Hit(NamedTuple):
    """A place with the words of a query: numbers of the page, the row and the first word, from 1;
    the row; and the probability that the words stand there."""

    page: int
    number: int
    word: int
    row: PageRow
    confidence: float


def search(query: str, note: Note) -> Iterator[Hit]:
    """Yield hits of a query's words side by side in a row, in any case: each place where they were
    read, or else the row's likeliest place, if its probability is at least `LEAST`."""
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
    """Return the likely symbols of frames; of successive blank frames only the first is kept.

    Args:
        log_probs: log-probabilities of the C characters and, last, the blank, `(S, C + 1)`.
        characters: the C characters.
    """
    symbols, frames = [*map(_symbol, characters), BLANK], []
    for nats in log_probs.max(axis=1, keepdims=True) - log_probs:
        frame: dict[str, float] = {}
        for number in np.flatnonzero(nats < FAINT):
            symbol, cost = symbols[number], round(float(nats[number]), 1)
            frame[symbol] = min(cost, frame.get(symbol, FAINT))
        if frame != {BLANK: 0.0} or frames[-1:] != [frame]:
            frames.append(frame)
    return tuple(frames)


def _symbol(character: str) -> str:
    return character.lower() if character.isalnum() else MARK


def _spotted(query: str, rows: Sequence[PageRow]) -> list[tuple[int, float]]:
    """Return each row's likeliest hit: index of the query's first word, and probability."""
    length, states = sum(map(str.isalnum, query)), [MARK]
    # From right to left, so that a path ends where the query begins.
    for symbol in [*map(_symbol, reversed(query)), MARK]:
        between = BLANK
        if MARK in (states[-1], symbol):  # Several marks may follow each other.
            between = BLANK + MARK
        states += [between, symbol]
    costs = [_costs(row, states)[::-1] for row in rows]
    longest = max(map(len, costs))
    padded = [np.pad(c, ((0, longest - len(c)), (0, 0)), constant_values=ABSENT) for c in costs]
    spotted = []
    for row, cost in zip(rows, _path_costs(np.array(padded), states), strict=True):
        stops = np.cumsum([len(word.frames) for word in row.words])
        begin = stops[-1] + 1 - cost.argmin()  # The query's first frame, behind a mark.
        word = np.searchsorted(stops[:-1], begin, side="right")
        logit = OFFSET - COST * cost.min() + LENGTH * length
        spotted.append((int(word), probability_of(logit)))
    return spotted


def _costs(row: PageRow, states: Sequence[str]) -> np.ndarray:
    """Return by how many nats each state, a string of symbols, is less likely than the likeliest
    symbol, in each frame and at both ends of a row, `(S, Q)`."""
    end, distinct, costs = {MARK: 0.0}, [*dict.fromkeys(states)], []
    for frame in (end, *(frame for word in row.words for frame in word.frames), end):
        costs.append([min(frame.get(s, ABSENT) for s in state) for state in distinct])
    return np.array(costs)[:, [distinct.index(state) for state in states]]


def _path_costs(costs: np.ndarray, states: Sequence[str]) -> np.ndarray:
    """Return the cost of the cheapest path through states that ends in each frame, `(R, S)`.

    Args:
        costs: costs of the states, `(R, S, Q)`.
        states: symbols at even indices, gaps between them at odd indices; a path may skip a gap
            between different symbols.
    """
    rows, frames, count = costs.shape
    path, ends = np.full((rows, count + 2), np.inf), np.empty((rows, frames))
    may_skip = [n % 2 == 0 and n > 1 and states[n] != states[n - 2] for n in range(count)]
    skip_cost = np.where(may_skip, 0.0, np.inf)
    for frame in range(frames):
        best = np.minimum(path[:, 2:], path[:, 1:-1])
        best = np.minimum(best, path[:, :-2] + skip_cost)
        best[:, 0] = 0.0  # A path may begin anywhere.
        path[:, 2:] = best + costs[:, frame]
        ends[:, frame] = path[:, -1]
    return ends
