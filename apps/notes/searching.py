"""Searches for words in the texts of pages, and in less likely readings of the same ink.

A query is spotted in the frames of a row as hidden Markov models spot keywords. A path assigns the
query's states to successive frames. The cost of a path is the number of nats by which it is less
likely than the likeliest symbols of the same frames. If the text of a row lacks the query, the
row's cheapest path may be a hit.

R: rows, S: frames, Q: states of a query, N: symbols of all frames.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from apps.notes.confidence import probability_of
from apps.notes.page_text import Frame, Note, PageRow, PageWord
from utils.checks import UserError

MIN_HIT_CONFIDENCE = 0.5
"""Minimum probability of a hit in a row whose text lacks the query (assumed: more likely right than
wrong)."""
LOGIT_OFFSET = -2.28
LOGIT_PER_NAT = 0.74
LOGIT_PER_CHARACTER = 1.19
"""The logit of a hit's probability is `LOGIT_OFFSET`, minus `LOGIT_PER_NAT` times the cost of its
path in nats, plus `LOGIT_PER_CHARACTER` times the number of letters and digits (measured on
testset_v and testset_t, notebook: notes, search)."""
MIN_WORD_LOGIT = -3.5
"""Minimum logit of each word of a phrase, searched by itself: a phrase with another word is no hit,
but words of one letter, whose logit is -1.09, are allowed (measured, notebook: notes, an index of
notes)."""
MAX_SYMBOL_NATS = 7.0
"""Nats below a frame's likeliest symbol at which a symbol is left out (measured, notebook: notes,
search; 12 gives the same hits in five times the bytes)."""
ABSENT_SYMBOL_NATS = 10.0
"""Cost of a symbol that was left out of a frame (measured, notebook: notes, search)."""
NATS_PER_UNIT = 0.1
"""Unit of the costs of compact frames."""
PAIR_UNIT = 0.5
"""Unit of the costs of pairs, in nats."""
ABSENT_PAIR = 15
"""Cost of a pair that was left out, in units (7.5 nats, so that every cost has four bits)."""
MIN_NEAR_LETTERS = (4, 7)
"""Least number of letters of a word for which words that differ by one letter, and by two, are
searched (assumed)."""
MAX_SIMILAR = 30
"""Most words that differ by letters, which are searched (assumed)."""
MAX_TERMS = 50
"""Most words and phrases of a query (assumed)."""
MAX_BETWEEN = 2
"""Most words between two terms in a row that are marked together (assumed)."""
BATCH = 512
"""Rows that are searched at a time (assumed: 30 MB)."""
CTC_BLANK = "_"
"""Symbol of the frames between characters."""
SEPARATOR = " "
"""Symbol of each character that is neither letter nor digit, and of the ends of a row."""


class Hit(NamedTuple):
    """A place with the words of a query, and the probability that the words stand there. All
    numbers count from 1; `word_number` is where the first word stands in the row, `num_words` how
    many words from there on are the query's; `text` is what was read of the row, or of the rows
    with the words, with `(?)` after unsure words. A place `is_similar` if its words differ from
    the query by a letter or two: it is no hit."""

    name: str
    page_number: int
    row_number: int
    word_number: int
    confidence: float
    text: str
    is_similar: bool = False
    num_words: int = 1


class Phrase(NamedTuple):
    """Successive words, as `tokens` returns them. If the left or right end of the phrase `is_open`,
    its first or last word may have more letters there."""

    words: tuple[str, ...]
    is_open: tuple[bool, bool] = (False, False)

    @classmethod
    def of(cls, text: str) -> "Phrase":
        """Return the phrase that a person typed; `*` at either end opens it."""
        text = text.strip()
        return cls(tokens(text), (text.startswith("*"), text.endswith("*")))

    @property
    def bounded(self) -> str:
        """The words, with a blank at each end that is not open."""
        left, right = ("" if is_open else " " for is_open in self.is_open)
        return f"{left}{' '.join(self.words)}{right}"

    @property
    def num_letters(self) -> int:
        return sum(map(len, self.words))

    @property
    def symbols(self) -> list[str]:
        return [*map(_symbol, self.bounded)]


Term: TypeAlias = tuple[Phrase, ...]
"""A word or a phrase of a query, in its spellings."""


class Query(NamedTuple):
    """What is searched for: terms that a page has all, terms that it has not, and which notes are
    searched: those in a folder, and those from a date, `after`, to the day before another one, as
    far as the dates `YYYY-MM-DD` are given."""

    terms: tuple[Term, ...]
    excluded: tuple[Term, ...] = ()
    folder: str = ""
    after: str = ""
    before: str = ""

    @classmethod
    def of(cls, text: str) -> "Query":
        """Return the query that a person typed: `word "a phrase" -word in:folder before:2026-03`;
        `after:` is the date of the first notes.

        Raises:
            UserError: if there are more than `MAX_TERMS` terms.
        """
        terms: dict[bool, list[Term]] = {True: [], False: []}
        limits = {}
        for minus, key, *quoted in _PARTS.findall(text):
            value = "".join(quoted)
            if key:
                limits[key.lower().replace("in", "folder")] = value
            elif term := _term(value):
                terms[not minus].append(term)
        wanted, excluded = (tuple(dict.fromkeys(terms[kind])) for kind in (True, False))
        if len(wanted) + len(excluded) > MAX_TERMS:
            raise UserError(f"a search has at most {MAX_TERMS} different words and phrases")
        return cls(wanted, excluded, **limits)

    def has(self, name: str, date: Callable[[], str]) -> bool:
        """Return whether the note of a name, and with a date, is searched."""
        folder = self.folder.strip("/").casefold()
        if folder and f"/{folder}/" not in f"/{name.casefold()}":
            return False
        day = date() if self.after or self.before else ""
        return day >= self.after and (not self.before or day < self.before)


def _term(text: str) -> Term:
    """Return the spellings of a word or a phrase: as it is typed; with two letters for each umlaut;
    and with an umlaut for two letters. It is empty without letters and digits."""
    spellings = text, _UMLAUT.sub(lambda found: _UMLAUTS[found[0].lower()], text)
    spellings += (re.sub("([aou])e", r"\1", text, flags=re.IGNORECASE),)
    return tuple(dict.fromkeys(filter(lambda phrase: phrase.words, map(Phrase.of, spellings))))


_PARTS = re.compile(r'(?<!\S)(-?)(?:(in|before|after):)?(?:"([^"]*)"?|(\S+))', re.IGNORECASE)
_UMLAUTS = {"ä": "ae", "ö": "oe", "ü": "ue"}
_UMLAUT = re.compile("[äöü]", re.IGNORECASE)
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)


@lru_cache(1 << 16)  # as words repeat
def tokens(text: str) -> tuple[str, ...]:
    """Return the runs of letters and digits of a text, in lower case and without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return tuple(_TOKEN.findall("".join(c for c in apart if not unicodedata.combining(c))))


_TOKEN = re.compile(r"[^\W_]+")


class SearchedRow(NamedTuple):
    """A row in the form that is searched, in few bytes.

    Attributes:
        words: the words, each with its confidence.
        symbols: the symbols of all frames.
        costs: the cost of each symbol, in `NATS_PER_UNIT`.
        sizes: the number of symbols of each frame.
        stops: for each word, the number of frames up to its end.
    """

    words: Sequence[tuple[str, float]]
    symbols: str
    costs: bytes
    sizes: bytes
    stops: Sequence[int]

    @classmethod
    def of(cls, row: PageRow) -> "SearchedRow":
        """Return a row in the form that is searched."""
        frames = [frame for word in row.words for frame in word.frames]
        nats = (cost for frame in frames for cost in frame.values())
        costs = (min(round(cost / NATS_PER_UNIT), 255) for cost in nats)
        symbols = "".join(symbol[0] for frame in frames for symbol in frame)
        stops = [*accumulate(len(word.frames) for word in row.words)]
        words = [(word.text, word.confidence) for word in row.words]
        return cls(words, symbols, bytes(costs), bytes(map(len, frames)), stops)

    @property
    def marked(self) -> str:
        """See `PageRow.marked`."""
        return PageRow(tuple(PageWord(text, (), sure) for text, sure in self.words)).marked


Place = tuple[int, int, float]
"""Indices of the word where a phrase begins and of the word behind it, and the probability that it
stands there."""


PlaceOnPage: TypeAlias = tuple[int, int, Place]
"""Index of a row of a page, that of the last row of a place, and the place in the row."""


def search(query: str, note: Note) -> Iterator[Hit]:
    """Yield the hits of a phrase, words in succession, in upper or lower case.

    Each place where the text of a page has the phrase is a hit, also across the ends of rows. In a
    row without such a place the likeliest one is a hit if its probability is at least
    `MIN_HIT_CONFIDENCE`, and each of its words is likely by itself. `Library.search` finds the same
    hits, and more, by an index.
    """
    wanted = Phrase.of(query)
    for page_number, (_, text) in enumerate(note.pages, 1):
        rows = [*map(SearchedRow.of, text.rows)]
        places = [*places_on_page(wanted, rows)]
        rest = [n for n in range(len(rows)) if not any(n == row for row, _, _ in places)]
        spotted = spotted_places(wanted, [rows[n] for n in rest])
        places += [(n, n, p) for n, p in zip(rest, spotted, strict=True) if p]
        for row, last, place in sorted(places):
            yield hit_at((note.name, page_number, row + 1), rows[row : last + 1], place)


def hit_at(
    address: tuple[str, int, int],
    rows: Sequence[SearchedRow],
    place: Place,
    *,
    is_similar: bool = False,
) -> Hit:
    """Return the hit at a place of the first of `rows`, whose name, page and number are `address`;
    the others have the rest of its words."""
    first, stop, confidence = place
    text = " ".join(row.marked for row in rows)
    num_words = min(stop, len(rows[0].words)) - first
    return Hit(*address, first + 1, confidence, text, is_similar, max(num_words, 1))


def places_on_page(phrase: Phrase, rows: Sequence[SearchedRow]) -> Iterator[PlaceOnPage]:
    """Yield the places of a phrase in the text of a page's rows, also across their ends."""
    words = [word for row in rows for word in row.words]
    begins = [*accumulate((len(row.words) for row in rows), initial=0)]
    for first, stop, confidence in _exact(phrase, words):
        row, last = (bisect_right(begins, word) - 1 for word in (first, stop - 1))
        yield row, last, (first - begins[row], stop - begins[row], confidence)


def nearest(of_terms: Sequence[Sequence[PlaceOnPage]]) -> PlaceOnPage:
    """Return the first of the places of several terms, one of each, that are nearest to each other,
    with the last row of them all."""

    def chosen(start: PlaceOnPage) -> list[PlaceOnPage]:
        row, _, (word, _, _) = start
        far = [
            min(each, key=lambda p: (abs(p[0] - row), abs(p[2][0] - word))) for each in of_terms[1:]
        ]
        return sorted([start, *far])

    def distance(places: list[PlaceOnPage]) -> tuple[int, int]:
        first, last = places[0], places[-1]
        return last[1] - first[0], last[2][0] - first[2][0]

    first, *others = min(map(chosen, of_terms[0]), key=distance)
    row, _, (word, stop, _) = first
    last, confidence = max(p[1] for p in (first, *others)), min(p[2][2] for p in (first, *others))
    if last == row and others[-1][2][1] - stop <= MAX_BETWEEN * len(others):
        stop = others[-1][2][1]
    return row, last, (word, stop, confidence)


def spotted_places(phrase: Phrase, rows: Sequence[SearchedRow]) -> list[Place | None]:
    """Return the likeliest place of a phrase in each row by its frames; None if it is unlikely."""
    places: list[Place | None] = [None] * len(rows)
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].sizes))  # little padding
    for start in range(0, len(order) if phrase.words else 0, BATCH):
        batch = order[start : start + BATCH]
        spotted = _spotted(phrase, [rows[index] for index in batch])
        for index, (word, confidence) in zip(batch, spotted, strict=True):
            if confidence >= MIN_HIT_CONFIDENCE:
                places[index] = word, word + len(phrase.words), confidence
    return places


def similar(phrase: Phrase, vocabulary: Sequence[str]) -> list[Phrase]:
    """Return phrases that differ from a phrase in a word by as few letters as that word allows,
    where two letters in the wrong order are one; the nearest first."""
    near = []
    for place, word in enumerate(phrase.words if not any(phrase.is_open) else ()):
        if allowed := sum(len(word) >= least for least in MIN_NEAR_LETTERS):
            others = process.extract(
                word, vocabulary, scorer=OSA.distance, score_cutoff=allowed, limit=MAX_SIMILAR
            )
            for other, distance, _ in others:
                words = (*phrase.words[:place], other, *phrase.words[place + 1 :])
                near += [(distance, Phrase(words))] if distance else []
    return [each for _, each in sorted(near)[:MAX_SIMILAR]]


def _exact(phrase: Phrase, words: Sequence[tuple[str, float]]) -> Iterator[Place]:
    """Yield the places where the words that were read are the phrase's words."""
    if not phrase.words:
        return
    starts = [*accumulate((len(_with_blanks(word)) for word, _ in words), initial=1)]
    text = normalised_text(word for word, _ in words)
    position = text.find(phrase.bounded)
    while position >= 0:
        begin = position + (not phrase.is_open[0])
        first = bisect_right(starts, begin) - 1
        stop = bisect_left(starts, begin + len(" ".join(phrase.words)))
        yield first, stop, min(confidence for _, confidence in words[first:stop])
        position = text.find(phrase.bounded, position + 1)


def normalised_text(words: Iterable[str]) -> str:
    """Return the text that has `Phrase.bounded` at each place where the words are the phrase's."""
    return "".join([" ", *map(_with_blanks, words)])


def _with_blanks(word: str) -> str:
    return "".join(f"{token} " for token in tokens(word))


def likely_frames(log_probs: np.ndarray, characters: Sequence[str]) -> tuple[Frame, ...]:
    """Return the likely symbols of frames; successive frames with only a blank are merged.

    Args:
        log_probs: log-probabilities of the C characters and, last, the blank, `(S, C + 1)`.
        characters: the C characters.
    """
    nats, frames = log_probs.max(axis=1, keepdims=True) - log_probs, []
    rows, columns = np.nonzero(nats < MAX_SYMBOL_NATS)
    likely = [dict[str, float]() for _ in nats]
    costs = nats[rows, columns].tolist()
    for row, number, cost in zip(rows.tolist(), columns.tolist(), costs, strict=True):
        symbol = _symbol(characters[number]) if number < len(characters) else CTC_BLANK
        likely[row][symbol] = min(round(cost, 1), likely[row].get(symbol, MAX_SYMBOL_NATS))
    for frame in likely:
        if frame != {CTC_BLANK: 0.0} or frames[-1:] != [frame]:
            frames.append(frame)
    return tuple(frames)


def pair_costs(row: PageRow) -> dict[tuple[str, str], int]:
    """Return the pairs of successive symbols that the frames of a row allow, each with its cost in
    `PAIR_UNIT`, rounded down, below `ABSENT_PAIR`. A word without frames gets frames of its text.

    The costs of a query's pairs together are at most twice the cost of the query's path, as two
    pairs share each symbol.
    """
    frames: list[Frame] = [
        frame for word in row.words for frame in word.frames or _typed(word.text)
    ]
    limit = ABSENT_PAIR * PAIR_UNIT
    pairs: dict[tuple[str, str], float] = {}
    reached = {SEPARATOR: 0.0}  # cost of a path up to this frame that began with the symbol
    for frame in (*frames, {SEPARATOR: 0.0}):
        blank = frame.get(CTC_BLANK, limit)
        symbols = {symbol[0]: cost for symbol, cost in frame.items() if symbol != CTC_BLANK}
        for symbol, cost in symbols.items():
            for first, so_far in reached.items():
                if so_far + cost < pairs.get((first, symbol), limit):
                    pairs[first, symbol] = so_far + cost
        stayed = {s: so_far + min(blank, symbols.get(s, limit)) for s, so_far in reached.items()}
        for symbol, cost in symbols.items():
            stayed[symbol] = min(cost, stayed.get(symbol, limit))
        reached = {symbol: cost for symbol, cost in stayed.items() if cost < limit}
    return {pair: int(cost / PAIR_UNIT) for pair, cost in pairs.items()}


def _typed(text: str) -> list[Frame]:
    return [{_symbol(character): 0.0} for character in f"{text} "]


def _symbol(character: str) -> str:
    return tokens(character)[0][:1] if tokens(character) else SEPARATOR


def _spotted(query: Phrase, rows: Sequence[SearchedRow]) -> list[tuple[int, float]]:
    """Return the likeliest place of a query in each row; it has a probability of 0 if a word of
    the query is unlikely."""
    places: list[tuple[int, float]] = [(0, 0.0)] * len(rows)
    # A path takes a frame for each symbol; the row has a separator at either end.
    num_symbols = len(query.symbols)
    left = [n for n, row in enumerate(rows) if len(row.sizes) + 2 >= num_symbols]
    for word in sorted(query.words, key=len, reverse=True) if len(query.words) > 1 else ():
        if not left:
            break
        part, frames = Phrase((word,), query.is_open), _stacked([rows[n] for n in left])
        logits = _logits(part, _cheapest(part, frames)[0])
        left = [left[k] for k in np.flatnonzero(logits >= MIN_WORD_LOGIT)]
    if not left:
        return places
    costs, from_right = _cheapest(query, _stacked([rows[n] for n in left]))
    # The path ends one frame further left, at the separator before a query that is not open.
    rights = from_right + query.is_open[0]
    for number, right, logit in zip(left, rights, _logits(query, costs), strict=True):
        row = rows[number]
        word_index = bisect_right(row.stops[:-1], len(row.sizes) + 1 - right)
        places[number] = word_index, probability_of(logit)
    return places


def _logits(query: Phrase, costs: np.ndarray) -> np.ndarray:
    return LOGIT_OFFSET - LOGIT_PER_NAT * costs + LOGIT_PER_CHARACTER * query.num_letters


class _Stacked(NamedTuple):
    """The symbols of several rows: code points, costs in nats, rows, and frames, counted from the
    right end of the row, `(N,)` each; and the number of frames of each row, `(R,)`."""

    codes: np.ndarray
    costs: np.ndarray
    rows: np.ndarray
    frames: np.ndarray
    counts: np.ndarray


def _stacked(rows: Sequence[SearchedRow]) -> _Stacked:
    codes = np.frombuffer("".join(row.symbols for row in rows).encode("utf-32-le"), np.uint32)
    costs = np.frombuffer(b"".join(row.costs for row in rows), np.uint8)
    sizes = np.frombuffer(b"".join(row.sizes for row in rows), np.uint8)
    counts = np.array([len(row.sizes) for row in rows])
    numbers = np.repeat(np.arange(len(rows)), counts)
    from_right = np.cumsum(counts)[numbers] - np.arange(len(sizes))
    costs = np.float32(NATS_PER_UNIT) * costs
    return _Stacked(codes, costs, np.repeat(numbers, sizes), np.repeat(from_right, sizes), counts)


def _cheapest(query: Phrase, frames: _Stacked) -> tuple[np.ndarray, np.ndarray]:
    """Return the cost of the cheapest path in each row, `(R,)`, and the frame where it begins,
    counted from the right, `(R,)`."""
    # The states and frames run from right to left, so that a path ends where the query begins.
    symbols = query.symbols[::-1]
    states = symbols[:1]
    for previous, symbol in pairwise(symbols):
        gap = CTC_BLANK
        if SEPARATOR in (previous, symbol):  # Several separators may follow each other.
            gap = CTC_BLANK + SEPARATOR  # either of them, see `_state_costs`
        states += [gap, symbol]
    path_costs = _path_costs(_state_costs(frames, states), states)
    return path_costs.min(axis=1), path_costs.argmin(axis=1)


def _state_costs(frames: _Stacked, states: Sequence[str]) -> np.ndarray:
    """Return the cost of each state in each frame, `(R, S, Q)`, in the frames' order from the
    right. A state is a string of alternative symbols."""
    distinct = [*dict.fromkeys(states)]
    shape = len(distinct), len(frames.counts), frames.counts.max() + 2
    costs = np.full(shape, ABSENT_SYMBOL_NATS, np.float32)
    for state, state_costs in zip(distinct, costs, strict=True):
        for symbol in state:
            has_symbol = np.flatnonzero(frames.codes == ord(symbol))
            place = frames.rows[has_symbol], frames.frames[has_symbol]
            state_costs[place] = np.minimum(state_costs[place], frames.costs[has_symbol])
        if SEPARATOR in state:
            state_costs[:, 0] = 0.0
            state_costs[np.arange(len(frames.counts)), frames.counts + 1] = 0.0
    return costs[[distinct.index(state) for state in states]].transpose(1, 2, 0)


def _path_costs(costs: np.ndarray, states: Sequence[str]) -> np.ndarray:
    """Return the cost of the cheapest path through all states that ends in each frame, `(R, S)`.

    Args:
        costs: cost of each state in each frame, `(R, S, Q)`.
        states: symbols at even indices, gaps between symbols at odd indices; a path may skip a gap
            between different symbols.
    """
    num_rows, num_frames, num_states = costs.shape
    path = np.full((num_rows, num_states + 2), np.inf, np.float32)
    ends = np.empty((num_rows, num_frames), np.float32)
    may_skip = [n % 2 == 0 and n > 1 and states[n] != states[n - 2] for n in range(num_states)]
    skip_cost = np.where(may_skip, 0.0, np.inf).astype(np.float32)
    for frame in range(num_frames):
        best = np.minimum(path[:, 2:], path[:, 1:-1])
        best = np.minimum(best, path[:, :-2] + skip_cost)
        best[:, 0] = 0.0  # A path may begin in any frame.
        path[:, 2:] = best + costs[:, frame]
        ends[:, frame] = path[:, -1]
    return ends
