"""Searches for words in the texts that were read, and in less likely readings of the same ink.

A query is spotted in the frames of a row as hidden Markov models spot keywords. A path assigns the
query's states to successive frames. The cost of a path is the number of nats by which it is less
likely than the likeliest symbols of the same frames. If the text of a row lacks the query, the
row's cheapest path may be a hit.

R: rows, S: frames, Q: states of a query.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from notes.confidence import probability_of
from notes.page_text import Frame, Note, PageRow, normalised_word

MIN_HIT_CONFIDENCE = 0.5
"""Minimum probability of a hit in a row whose text lacks the query (assumed: more likely right than
wrong)."""
LOGIT_OFFSET = -2.28
LOGIT_PER_NAT = 0.74
LOGIT_PER_CHARACTER = 1.19
"""The logit of a hit's probability is `LOGIT_OFFSET`, minus `LOGIT_PER_NAT` times the cost of its
path in nats, plus `LOGIT_PER_CHARACTER` times the number of letters and digits (measured on
testset_v and testset_t, lab notebook: search)."""
MAX_SYMBOL_NATS = 7.0
"""Nats below a frame's likeliest symbol at which a symbol is no longer kept (measured, lab
notebook: search; 12 gives the same hits in five times the bytes)."""
ABSENT_SYMBOL_NATS = 10.0
"""Cost of a symbol that a frame does not keep (measured, lab notebook: search)."""
CTC_BLANK = "_"
"""Symbol of the frames between characters."""
SEPARATOR = " "
"""Symbol of each character that is neither letter nor digit, and of the ends of a row."""


class Hit(NamedTuple):
    """A place with the words of a query, and the probability that the words stand there. All
    numbers count from 1; `word_number` is where the query's first word stands in the row."""

    page_number: int
    row_number: int
    word_number: int
    row: PageRow
    confidence: float


def search(query: str, note: Note) -> Iterator[Hit]:
    """Yield the hits of a query, whose words stand side by side in a row, in upper or lower case.

    In a row whose text has the query, each place of it is a hit; in any other row, the likeliest
    place is a hit if its probability is at least `MIN_HIT_CONFIDENCE`.
    """
    wanted = [normalised_word(word) for word in query.split()]
    for page_number, (_, text) in enumerate(note.pages, 1):
        spotted = _spotted(" ".join(wanted), text.rows) if text.rows else []
        for row_number, (row, likeliest) in enumerate(zip(text.rows, spotted, strict=True), 1):
            read = [normalised_word(word.text) for word in row.words]
            places = [
                (start, min(word.confidence for word in row.words[start : start + len(wanted)]))
                for start in range(len(read) - len(wanted) + 1)
                if read[start : start + len(wanted)] == wanted
            ]
            if not places and likeliest[1] >= MIN_HIT_CONFIDENCE:
                places = [likeliest]
            for start, confidence in places:
                yield Hit(page_number, row_number, start + 1, row, confidence)


def kept_frames(log_probs: np.ndarray, characters: Sequence[str]) -> tuple[Frame, ...]:
    """Return the likely symbols of frames; successive frames with only a blank become one frame.

    Args:
        log_probs: log-probabilities of the C characters and, last, the blank, `(S, C + 1)`.
        characters: the C characters.
    """
    symbols, frames = [*map(_symbol, characters), CTC_BLANK], []
    for nats in log_probs.max(axis=1, keepdims=True) - log_probs:
        frame: dict[str, float] = {}
        for number in np.flatnonzero(nats < MAX_SYMBOL_NATS):
            symbol, cost = symbols[number], round(float(nats[number]), 1)
            frame[symbol] = min(cost, frame.get(symbol, MAX_SYMBOL_NATS))
        if frame != {CTC_BLANK: 0.0} or frames[-1:] != [frame]:
            frames.append(frame)
    return tuple(frames)


def _symbol(character: str) -> str:
    return character.lower() if character.isalnum() else SEPARATOR


def _spotted(query: str, rows: Sequence[PageRow]) -> list[tuple[int, float]]:
    """Return each row's likeliest hit: index of the query's first word, and probability."""
    num_characters, states = sum(map(str.isalnum, query)), [SEPARATOR]
    # The states and frames run from right to left, so that a path ends where the query begins.
    for symbol in [*map(_symbol, reversed(query)), SEPARATOR]:
        gap = CTC_BLANK
        if SEPARATOR in (states[-1], symbol):  # Several separators may follow each other.
            gap = CTC_BLANK + SEPARATOR  # either of them, see `_state_costs`
        states += [gap, symbol]
    row_costs = [_state_costs(row, states)[::-1] for row in rows]
    costs = np.full((len(rows), max(map(len, row_costs)), len(states)), ABSENT_SYMBOL_NATS)
    for index, row_cost in enumerate(row_costs):
        costs[index, : len(row_cost)] = row_cost
    spotted = []
    for row, path_costs in zip(rows, _path_costs(costs, states), strict=True):
        stops = np.cumsum([len(word.frames) for word in row.words])
        # The path ends one frame further left, at the separator before the query.
        first_frame = stops[-1] + 1 - path_costs.argmin()
        word = np.searchsorted(stops[:-1], first_frame, side="right")
        logit = LOGIT_OFFSET - LOGIT_PER_NAT * path_costs.min()
        logit += LOGIT_PER_CHARACTER * num_characters
        spotted.append((int(word), probability_of(logit)))
    return spotted


def _state_costs(row: PageRow, states: Sequence[str]) -> np.ndarray:
    """Return the cost of each state in each frame, and at both ends, of a row, `(S + 2, Q)`. A
    state is a string of alternative symbols."""
    end, distinct, costs = {SEPARATOR: 0.0}, [*dict.fromkeys(states)], []
    for frame in (end, *(frame for word in row.words for frame in word.frames), end):
        costs.append([min(frame.get(s, ABSENT_SYMBOL_NATS) for s in state) for state in distinct])
    return np.array(costs)[:, [distinct.index(state) for state in states]]


def _path_costs(costs: np.ndarray, states: Sequence[str]) -> np.ndarray:
    """Return the cost of the cheapest path through all states that ends in each frame, `(R, S)`.

    Args:
        costs: cost of each state in each frame, `(R, S, Q)`.
        states: symbols at even indices, gaps between symbols at odd indices; a path may skip a gap
            between different symbols.
    """
    num_rows, num_frames, num_states = costs.shape
    path, ends = np.full((num_rows, num_states + 2), np.inf), np.empty((num_rows, num_frames))
    may_skip = [n % 2 == 0 and n > 1 and states[n] != states[n - 2] for n in range(num_states)]
    skip_cost = np.where(may_skip, 0.0, np.inf)
    for frame in range(num_frames):
        best = np.minimum(path[:, 2:], path[:, 1:-1])
        best = np.minimum(best, path[:, :-2] + skip_cost)
        best[:, 0] = 0.0  # A path may begin in any frame.
        path[:, 2:] = best + costs[:, frame]
        ends[:, frame] = path[:, -1]
    return ends
