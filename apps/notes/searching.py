"""Searches for words in the texts of pages, and in less likely readings of the same ink.

A query is spotted in the frames of a row as hidden Markov models spot keywords. A path assigns the
query's states to successive frames. The cost of a path is the number of nats by which it is less
likely than the likeliest symbols of the same frames. If the text of a row lacks the query, the
row's cheapest path may be a hit.

R: rows, S: frames, Q: states of a query, N: symbols of all frames.
"""

import datetime
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from apps.notes.confidence import probability_of
from apps.notes.page_text import MIN_SURE_CONFIDENCE, Frame, Note, PageRow, marked
from utils.checks import UserError, visible

MIN_HIT_CONFIDENCE = 0.5
"""Minimum probability of a hit in a row whose text lacks the query (assumed: more likely right than
wrong)."""
HIT_LOGIT_OFFSET = -2.28
HIT_LOGIT_PER_NAT = 0.74
HIT_LOGIT_PER_CHARACTER = 1.19
"""The logit of a hit's probability is `HIT_LOGIT_OFFSET`, minus `HIT_LOGIT_PER_NAT` times the cost
of its path in nats, plus `HIT_LOGIT_PER_CHARACTER` times the number of letters and digits (measured
on testset_v and testset_t, notebook: notes, search)."""
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
MIN_SIMILAR_LETTERS = (4, 7)
"""Number of letters from which on words that differ by one letter are searched, too, and number
from which on words that differ by two are (assumed)."""
MAX_SIMILAR = 30
"""Most words that differ by letters and are searched (assumed)."""
MAX_TERMS = 50
"""Most words and phrases of a query (assumed)."""
MAX_BETWEEN = 2
"""Most words between two terms in a row that are marked together (assumed)."""
BATCH = 512
"""Number of rows that are searched at a time (assumed: 30 MB)."""
CTC_BLANK = "_"
"""Symbol of the frames between characters."""
SEPARATOR = " "
"""Symbol of each character that is neither letter nor digit, and of the ends of a row."""
UNSURE_TOKEN = "…"
"""Stands for a token of an unsure word; no query has it."""

Cost = TypeVar("Cost", float, np.ndarray)
RowWords: TypeAlias = Sequence[tuple[str, float]]
"""The words of a row as they were read, each with its confidence."""


class Hit(NamedTuple):
    """A place with the words of a query. All numbers count from 1.

    Attributes:
        name: name of the note.
        word_number: number in the row of the first word.
        confidence: probability that the words stand there.
        text: text of the row, or of the rows with the words, with `(?)` after unsure words.
        is_similar: whether the words differ from the query by a letter or two: it is no hit.
        num_words: number of words in the row, from the first word on, that are the query's.
    """

    name: str
    page_number: int
    row_number: int
    word_number: int
    confidence: float
    text: str
    is_similar: bool = False
    num_words: int = 1


class OpenEnds(NamedTuple):
    """Whether the first word of a phrase may have more letters on its left, and the last word on
    its right."""

    left: bool = False
    right: bool = False


class Phrase(NamedTuple):
    """Successive words, as `tokens` returns them, and whether the ends of the phrase are open."""

    words: tuple[str, ...]
    is_open: OpenEnds = OpenEnds()

    @classmethod
    def of(cls, text: str) -> "Phrase":
        """Return the phrase that a person typed; `*` at either end opens it."""
        text = text.strip()
        return cls(tokens(text), OpenEnds(text.startswith("*"), text.endswith("*")))

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
    """A search for pages that have all `terms` and none that is `excluded`; without terms, for the
    notes with such pages.

    Attributes:
        terms, excluded: words and phrases.
        folder: the folder whose notes are searched; empty for all notes.
        after: date `YYYY-MM-DD` of the first notes that are searched; empty without a limit.
        before: the date after that of the last notes; empty without a limit.
    """

    terms: tuple[Term, ...]
    excluded: tuple[Term, ...] = ()
    folder: str = ""
    after: str = ""
    before: str = ""

    @classmethod
    def of(cls, text: str) -> "Query":
        """Return the query that a person typed, such as `word "a phrase" -word in:folder`.

        `after:2026-03` gives the date of the first notes, `before:` the date after the last ones.

        Raises:
            UserError: if there are more than `MAX_TERMS` terms, a date is none, or `in:` names no
                folder or has a minus, as dates must not.
        """
        terms = dict[Term, None]()  # in order, without repetitions
        excluded = dict[Term, None]()
        limits = dict[str, str]()
        for minus, key, *quoted in _PARTS.findall(text):
            value = "".join(quoted)
            if key:
                key = key.lower()
                if minus:
                    raise UserError(f"-{key}: a minus leaves out words and phrases alone")
                if key == "in" and not value:
                    raise UserError("in: names no folder, such as in:work")
                limits[key.replace("in", "folder")] = value if key == "in" else _day(key, value)
            else:
                term = _term(value)
                if term:  # It has letters or digits.
                    (excluded if minus else terms)[term] = None
        if len(terms) + len(excluded) > MAX_TERMS:
            raise UserError(f"a search has at most {MAX_TERMS} different words and phrases")
        return cls(tuple(terms), tuple(excluded), **limits)

    @property
    def is_empty(self) -> bool:
        """Whether the query neither looks for anything nor leaves anything out."""
        return not any(self)

    def has(self, name: str, date: Callable[[], str]) -> bool:
        """Return whether the note of a name, and with a date, is searched."""
        folder = self.folder.strip("/").casefold()
        if folder and f"/{folder}/" not in f"/{name.casefold()}":
            return False
        day = date() if self.after or self.before else ""
        return day >= self.after and (not self.before or day < self.before)


def _day(key: str, value: str) -> str:
    """Return the beginning of a date, such as `2026-3`, as in `YYYY-MM-DD`."""
    parts = value.split("-")
    padded = "-".join(part.zfill(2) for part in parts)
    try:
        datetime.date.fromisoformat(padded + "-01" * (3 - len(parts)))
    except ValueError:
        text = f"{key}:{visible(value)}: a date such as 2026, 2026-03 or 2026-03-07"
        raise UserError(text) from None
    return padded


def _term(text: str) -> Term:
    """Return the spellings of a word or a phrase; none if it has no letters and digits.

    These are the text, the text with two letters for each umlaut, and with an umlaut for two
    letters.
    """
    with_two_letters = _UMLAUT.sub(lambda match: _UMLAUTS[match[0].lower()], text)
    # Searches ignore accents, so that "a" stands for an umlaut.
    with_umlauts = re.sub("([aou])e", r"\1", text, flags=re.IGNORECASE)
    phrases = [*map(Phrase.of, (text, with_two_letters, with_umlauts))]
    return tuple(dict.fromkeys(phrase for phrase in phrases if phrase.words))


_PARTS = re.compile(r'(?<!\S)(-?)(?:(in|before|after):)?(?:"([^"]*)"?|(\S*))', re.IGNORECASE)
"""Matches a part of a query: a minus, a key, and a phrase in quotation marks or a word."""
_UMLAUTS = {"ä": "ae", "ö": "oe", "ü": "ue"}
_UMLAUT = re.compile("[äöü]", re.IGNORECASE)
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
"""ASCII letters for letters that Unicode does not decompose."""


@lru_cache(1 << 16)  # as words repeat
def tokens(text: str) -> tuple[str, ...]:
    """Return the runs of letters and digits of a text, in lower case and without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return tuple(_TOKEN.findall("".join(c for c in apart if not unicodedata.combining(c))))


_TOKEN = re.compile(r"[^\W_]+")


def words_of(row: PageRow) -> RowWords:
    """Return the words of a row in the form that is searched."""
    return [(word.text, word.confidence) for word in row.words]


class RowFrames(NamedTuple):
    """The frames of a row, in few bytes.

    Attributes:
        symbols: the symbols of all frames.
        costs: the cost of each symbol, in `NATS_PER_UNIT`, a byte each.
        sizes: the number of symbols of each frame, a byte each.
        stops: for each word, the number of frames up to its end, four bytes each.
    """

    symbols: str
    costs: bytes
    sizes: bytes
    stops: bytes

    @classmethod
    def of(cls, row: PageRow) -> "RowFrames":
        """Return the frames of a row."""
        frames = [frame for word in row.words for frame in word.frames]
        nats = chain(*(frame.values() for frame in frames))
        costs = (min(round(cost / NATS_PER_UNIT), 255) for cost in nats)
        symbols = "".join(symbol[0] for frame in frames for symbol in frame)
        stops = np.cumsum([len(word.frames) for word in row.words])
        return cls(symbols, bytes(costs), bytes(map(len, frames)), stops.astype("<u4").tobytes())

    def word_at(self, frame: int) -> int:
        """Return the index of the word that has a frame, or of the last word behind all frames."""
        stops = np.frombuffer(self.stops, "<u4")
        return int(np.searchsorted(stops[:-1], frame, "right"))

    def word(self, index: int) -> "RowFrames":
        """Return the frames of a word as those of a row."""
        stops = [0, *np.frombuffer(self.stops, "<u4").tolist()]
        frames = slice(*stops[index : index + 2])
        symbols = slice(sum(self.sizes[: frames.start]), sum(self.sizes[: frames.stop]))
        stop = np.array([frames.stop - frames.start], "<u4").tobytes()
        return RowFrames(self.symbols[symbols], self.costs[symbols], self.sizes[frames], stop)


class Place(NamedTuple):
    """A place of a phrase in the words of a row: from the word `first` to the word before `stop`,
    and the probability that the phrase stands there."""

    first: int
    stop: int
    confidence: float

    @property
    def is_sure(self) -> bool:
        return self.confidence >= MIN_SURE_CONFIDENCE


class PlaceOnPage(NamedTuple):
    """A place of a phrase on a page: the indices of its first and last row, and its place in the
    first row."""

    row: int
    last_row: int
    place: Place


def search(query: str, note: Note) -> Iterator[Hit]:
    """Yield the hits of a phrase, words in succession, in upper or lower case.

    Each place where the text of a page has the phrase is a hit, also across the ends of rows. In a
    row without such a place the likeliest one is a hit if its probability is at least
    `MIN_HIT_CONFIDENCE`, and each of its words is likely by itself. `Library.search` finds the same
    hits, and more, by an index.
    """
    phrase = Phrase.of(query)
    for page_number, (_, text) in enumerate(note.pages, 1):
        rows = [*map(words_of, text.rows)]
        places = [*places_on_page(phrase, rows)]
        rest = sorted({*range(len(rows))} - {place.row for place in places})
        spotted = spotted_places(phrase, [RowFrames.of(text.rows[n]) for n in rest])
        places += [PlaceOnPage(n, n, p) for n, p in zip(rest, spotted, strict=True) if p]
        for row, last, place in sorted(places):
            yield hit_at((note.name, page_number, row + 1), rows[row : last + 1], place)


def hit_at(
    address: tuple[str, int, int],
    rows: Sequence[RowWords],
    place: Place,
    *,
    is_similar: bool = False,
) -> Hit:
    """Return the hit at a place.

    Args:
        address: name of the note, number of the page, and number of the first row.
        rows: the first row of the place, and further rows that have the rest of its words.
        place: the place in the first row.
        is_similar: see `Hit`.
    """
    text = " ".join(marked(*word) for word in chain(*rows) if word[0])
    num_words = max(min(place.stop, len(rows[0])) - place.first, 1)
    return Hit(*address, place.first + 1, place.confidence, text, is_similar, num_words)


def places_on_page(phrase: Phrase, rows: Sequence[RowWords]) -> Iterator[PlaceOnPage]:
    """Yield the places of a phrase in the text of a page's rows, also across their ends."""
    words = [*chain(*rows)]
    starts = [*accumulate(map(len, rows), initial=0)]
    for first, stop, confidence in _exact(phrase, words):
        row = bisect_right(starts, first) - 1
        last_row = bisect_right(starts, stop - 1) - 1
        place = Place(first - starts[row], stop - starts[row], confidence)
        yield PlaceOnPage(row, last_row, place)


def nearest(places_of_terms: Sequence[Sequence[PlaceOnPage]]) -> PlaceOnPage:
    """Return the place that spans one place of each of several terms, the nearest ones.

    It begins with the first of these places, and ends with the last of their rows. It has the words
    up to the last place if all are in one row, with few words between them.
    """

    def nearest_to(start: PlaceOnPage) -> list[PlaceOnPage]:
        def distance(other: PlaceOnPage) -> tuple[int, int]:
            return abs(other.row - start.row), abs(other.place.first - start.place.first)

        return sorted([start, *(min(places, key=distance) for places in places_of_terms[1:])])

    def extent(places: list[PlaceOnPage]) -> tuple[int, int]:
        first = places[0]
        last = places[-1]
        return last.last_row - first.row, last.place.first - first.place.first

    places = min(map(nearest_to, places_of_terms[0]), key=extent)
    row = places[0].row
    word = places[0].place.first
    stop = places[0].place.stop
    last_row = max(place.last_row for place in places)
    confidence = min(place.place.confidence for place in places)
    last_stop = places[-1].place.stop
    if last_row == row and last_stop - stop <= MAX_BETWEEN * (len(places) - 1):
        stop = last_stop
    return PlaceOnPage(row, last_row, Place(word, stop, confidence))


def spotted_places(phrase: Phrase, rows: Sequence[RowFrames]) -> list[Place | None]:
    """Return the likeliest place of a phrase in each row by its frames; None if it is unlikely."""
    places: list[Place | None] = [None] * len(rows)
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].sizes))  # little padding
    for start in range(0, len(order) if phrase.words else 0, BATCH):
        batch = order[start : start + BATCH]
        spotted = _spotted(phrase, [rows[index] for index in batch])
        for index, place in zip(batch, spotted, strict=True):
            places[index] = place
    return places


def phrase_costs(phrase: Phrase, rows: Sequence[RowFrames]) -> np.ndarray:
    """Return the cost of the cheapest path of a phrase in each row, in nats, `(R,)`."""
    return _cheapest(phrase, _stacked(rows))[0]


def similar(phrase: Phrase, vocabulary: Sequence[str]) -> list[Phrase]:
    """Return phrases in which one word differs by a letter or two, the nearest first.

    The number of letters depends on the word, see `MIN_SIMILAR_LETTERS`. Two letters in the wrong
    order count as one.
    """
    phrases = []
    for index, word in enumerate(phrase.words if not any(phrase.is_open) else ()):
        max_distance = sum(len(word) >= num_letters for num_letters in MIN_SIMILAR_LETTERS)
        if not max_distance:
            continue
        others = process.extract(
            word, vocabulary, scorer=OSA.distance, score_cutoff=max_distance, limit=MAX_SIMILAR
        )
        for other, distance, _ in others:
            if distance:
                words = (*phrase.words[:index], other, *phrase.words[index + 1 :])
                phrases.append((distance, Phrase(words)))
    return [similar_phrase for _, similar_phrase in sorted(phrases)[:MAX_SIMILAR]]


def _exact(phrase: Phrase, words: Sequence[tuple[str, float]]) -> Iterator[Place]:
    """Yield the places where the words that were read are the phrase's words."""
    if not phrase.words:
        return
    spelt = [_with_blanks(word) for word, _ in words]
    text = f" {''.join(spelt)}"  # as `normalised_text` returns it
    starts = [*accumulate(map(len, spelt), initial=1)]  # of each word in the text
    bounded = phrase.bounded
    position = text.find(bounded)
    while position >= 0:
        # A phrase that is not open begins behind a blank.
        begin = position if phrase.is_open.left else position + 1
        first = bisect_right(starts, begin) - 1
        stop = bisect_left(starts, begin + len(" ".join(phrase.words)))
        yield Place(first, stop, min(confidence for _, confidence in words[first:stop]))
        position = text.find(bounded, position + 1)


def normalised_text(words: Iterable[str]) -> str:
    """Return the text that has `Phrase.bounded` at each place where the words are the phrase's."""
    return "".join([" ", *map(_with_blanks, words)])


def sure_text(words: RowWords) -> str:
    """Return the `normalised_text` of words with `UNSURE_TOKEN` for the tokens of unsure words."""
    text = [" "]
    for word, confidence in words:
        if confidence >= MIN_SURE_CONFIDENCE:
            text.append(_with_blanks(word))
        else:
            text.append(f"{UNSURE_TOKEN} " * len(tokens(word)))
    return "".join(text)


@lru_cache(1 << 16)  # as words repeat
def _with_blanks(word: str) -> str:
    return "".join(f"{token} " for token in tokens(word))


def likely_frames(log_probs: np.ndarray, characters: Sequence[str]) -> tuple[Frame, ...]:
    """Return the likely symbols of frames; successive frames with only a blank are merged.

    Args:
        log_probs: log-probabilities of the C characters and, last, the blank, `(S, C + 1)`.
        characters: the C characters.
    """
    nats = log_probs.max(axis=1, keepdims=True) - log_probs
    rows, columns = np.nonzero(nats < MAX_SYMBOL_NATS)
    all_frames = [dict[str, float]() for _ in nats]
    costs = nats[rows, columns].tolist()
    for row, column, cost in zip(rows.tolist(), columns.tolist(), costs, strict=True):
        symbol = _symbol(characters[column]) if column < len(characters) else CTC_BLANK
        frame = all_frames[row]
        frame[symbol] = min(round(cost, 1), frame.get(symbol, MAX_SYMBOL_NATS))
    frames: list[dict[str, float]] = []
    for frame in all_frames:
        if frame != {CTC_BLANK: 0.0} or frames[-1:] != [frame]:
            frames.append(frame)
    return tuple(frames)


def pair_costs(row: PageRow) -> dict[tuple[str, str], int]:
    """Return the pairs of successive symbols that the frames of a row allow, with their costs.

    Costs are in `PAIR_UNIT`, rounded down, and below `ABSENT_PAIR`. A word without frames gets
    frames of its text.

    The costs of a query's pairs together are at most twice the cost of the query's path, as two
    pairs share each symbol.
    """
    frames = chain(*(word.frames or _typed(word.text) for word in row.words))
    limit = ABSENT_PAIR * PAIR_UNIT
    pairs: dict[tuple[str, str], float] = {}
    path_costs = {SEPARATOR: 0.0}  # of the cheapest path from each symbol up to this frame
    for frame in (*frames, {SEPARATOR: 0.0}):
        blank = frame.get(CTC_BLANK, limit)
        symbols = {symbol[0]: cost for symbol, cost in frame.items() if symbol != CTC_BLANK}
        for symbol, cost in symbols.items():
            for first, path_cost in path_costs.items():
                if path_cost + cost < pairs.get((first, symbol), limit):
                    pairs[first, symbol] = path_cost + cost
        next_costs = {}
        # A path stays in its symbol or in a blank.
        for symbol, path_cost in path_costs.items():
            next_costs[symbol] = path_cost + min(blank, symbols.get(symbol, limit))
        # A path that begins in this frame has the cost of this frame alone.
        for symbol, cost in symbols.items():
            next_costs[symbol] = min(cost, next_costs.get(symbol, limit))
        path_costs = {symbol: cost for symbol, cost in next_costs.items() if cost < limit}
    return {pair: int(cost / PAIR_UNIT) for pair, cost in pairs.items()}


def max_pair_costs(phrase: Phrase) -> dict[Phrase, int]:
    """Return the largest sum of `pair_costs` in a row with a hit of a phrase, in `PAIR_UNIT`: of
    the pairs of each word that must be likely by itself, and at last of the phrase's.

    The sum is twice the cost of the path of the least likely hit.
    """
    min_logits = dict.fromkeys(_separate_words(phrase), MIN_WORD_LOGIT)
    min_logits[phrase] = np.log(MIN_HIT_CONFIDENCE / (1 - MIN_HIT_CONFIDENCE))
    limits = {}
    for part, min_logit in min_logits.items():
        nats = (_logit(part, 0.0) - min_logit) / HIT_LOGIT_PER_NAT
        limits[part] = int(np.ceil(2 * nats / PAIR_UNIT))
    return limits


def _separate_words(phrase: Phrase) -> list[Phrase]:
    """Return each of several words of a phrase."""
    words = phrase.words if len(phrase.words) > 1 else ()
    return [Phrase((word,), phrase.is_open) for word in words]


def max_confidences(phrase: Phrase, costs: np.ndarray) -> np.ndarray:
    """Return the largest probabilities that a phrase stands in rows in which the sum of
    `pair_costs` of its pairs is `costs`, in `PAIR_UNIT`: a path costs at least half as much."""
    logits = _logit(phrase, costs * PAIR_UNIT / 2)
    return np.round(np.exp(-np.logaddexp(0.0, -logits)), 4)  # as `probability_of` does


def _typed(text: str) -> list[Frame]:
    """Return frames that are sure of a text's characters, and of the end of its last word."""
    return [{_symbol(character): 0.0} for character in f"{text} "]


def _symbol(character: str) -> str:
    return tokens(character)[0][:1] if tokens(character) else SEPARATOR


def _spotted(query: Phrase, rows: Sequence[RowFrames]) -> list[Place | None]:
    """Return the likeliest place of a query in each row; None if it, or a word of it, is unlikely
    there."""
    places: list[Place | None] = [None] * len(rows)
    # A path takes a frame for each symbol; the row has a separator at either end.
    num_symbols = len(query.symbols)
    likely = [n for n, row in enumerate(rows) if len(row.sizes) + 2 >= num_symbols]
    # Long words come first, as they leave the fewest rows.
    for word in sorted(_separate_words(query), key=lambda word: word.num_letters, reverse=True):
        if not likely:
            break
        frames = _stacked([rows[n] for n in likely])
        logits = _logit(word, _cheapest(word, frames)[0])
        likely = [likely[k] for k in np.flatnonzero(logits >= MIN_WORD_LOGIT)]
    if not likely:
        return places
    costs, from_right = _cheapest(query, _stacked([rows[n] for n in likely]))
    # The path ends one frame further left, at the separator before a query that is not open.
    rights = from_right + query.is_open.left
    for number, right, logit in zip(likely, rights.tolist(), _logit(query, costs), strict=True):
        confidence = probability_of(logit)
        if confidence >= MIN_HIT_CONFIDENCE:
            first = rows[number].word_at(len(rows[number].sizes) + 1 - right)
            places[number] = Place(first, first + len(query.words), confidence)
    return places


def _logit(query: Phrase, cost: Cost) -> Cost:
    """Return the logit of a hit's probability; `cost` is that of its path, in nats."""
    return HIT_LOGIT_OFFSET - HIT_LOGIT_PER_NAT * cost + HIT_LOGIT_PER_CHARACTER * query.num_letters


class _Stacked(NamedTuple):
    """The symbols of several rows.

    Attributes:
        codes: code point of each symbol, `(N,)`.
        costs: cost of each symbol in nats, `(N,)`.
        rows: index of each symbol's row, `(N,)`.
        frames: number of each symbol's frame, from 1 at the right end of its row, `(N,)`.
        counts: number of frames of each row, `(R,)`.
    """

    codes: np.ndarray
    costs: np.ndarray
    rows: np.ndarray
    frames: np.ndarray
    counts: np.ndarray


def _stacked(rows: Sequence[RowFrames]) -> _Stacked:
    """Return the symbols of rows in one piece, so that numpy searches all rows at once."""
    codes = np.frombuffer("".join(row.symbols for row in rows).encode("utf-32-le"), np.uint32)
    units = np.frombuffer(b"".join(row.costs for row in rows), np.uint8)
    sizes = np.frombuffer(b"".join(row.sizes for row in rows), np.uint8)
    counts = np.array([len(row.sizes) for row in rows])
    numbers = np.repeat(np.arange(len(rows)), counts)
    from_right = np.cumsum(counts)[numbers] - np.arange(len(sizes))
    costs = np.float32(NATS_PER_UNIT) * units
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
    # Two states before the first one, which no path reaches, make the steps below alike.
    path = np.full((num_rows, num_states + 2), np.inf, np.float32)
    ends = np.empty((num_rows, num_frames), np.float32)
    may_skip = [n % 2 == 0 and n > 1 and states[n] != states[n - 2] for n in range(num_states)]
    skip_cost = np.where(may_skip, 0.0, np.inf).astype(np.float32)
    for frame in range(num_frames):
        best = np.minimum(path[:, 2:], path[:, 1:-1])  # from the same state or the one before
        best = np.minimum(best, path[:, :-2] + skip_cost)
        best[:, 0] = 0.0  # A path may begin in any frame.
        path[:, 2:] = best + costs[:, frame]
        ends[:, frame] = path[:, -1]
    return ends
