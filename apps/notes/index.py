"""Indexes the rows of many pages in a file of SQLite, and finds the rows of a query.

The texts of the pages are a table of FTS5, their sure words another one. For each pair of
successive symbols, the index also has the rows whose frames allow the pair, and its cost (see
`searching.pair_costs`). The frames of the rows in which a phrase's pairs cost least are searched.
"""

import hashlib
import json
import marshal
import os
import pickle
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from functools import cache, lru_cache, partial
from itertools import chain, islice, pairwise, product, repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps.notes.alike import MIN_CONFIDENCE, Reading
from apps.notes.corrections import Correction, word_inks
from apps.notes.doubtful import UnsureWord, UnsureWords, WordAddress
from apps.notes.page_text import BOX_NAMES, MIN_SURE_CONFIDENCE, SLOW, Box, PageText, Summary
from apps.notes.searching import (
    ABSENT_PAIR,
    BATCH,
    Hit,
    Phrase,
    Place,
    Query,
    RowFrames,
    RowWords,
    Term,
    hit_at,
    max_confidences,
    max_pair_costs,
    nearest,
    normalised_text,
    pair_costs,
    places_on_page,
    similar,
    spotted_places,
    sure_text,
    words_of,
)
from ink.formats.page_checks import few_kinds
from ink.ink_page import InkPage, ink_bytes
from utils.files import check_regular

MAX_ROWS = 2_000
"""Most rows whose frames are searched for a query (measured, notebook: notes, an index of
notes)."""
BLOCK_BITS = 12
"""Binary logarithm of the number of rows whose pairs are stored as a block."""
COST_BITS = 4
"""Bits of a pair's cost, which has two bytes together with a row's number within its block."""
MAX_NEAR_SPELLINGS = 200
"""Most spellings of terms that come first because they are near each other (assumed)."""
MAX_APART = 10
"""Most words between terms that are near each other (assumed)."""
MIN_STEP = 32
"""Number of rows of the first step of a search (assumed: more than the ten hits on a screen)."""
ABSENT_PLACE = 1 << 62
"""Rank of a row that is in none of the searched files."""
MEMORY = ":memory:"
"""The place of an index that is in no file."""
LOCK_SECONDS = 5.0
"""Seconds to wait for another process that writes (assumed)."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, state TEXT, pages BLOB, summary TEXT, digest BLOB
);
CREATE TABLE IF NOT EXISTS pages (
    id INTEGER PRIMARY KEY, name BLOB UNIQUE, first INTEGER, count INTEGER, digest BLOB
);
CREATE TABLE IF NOT EXISTS inks (page INTEGER PRIMARY KEY, words TEXT, digest BLOB);
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(text, content='', tokenize='ascii');
CREATE VIRTUAL TABLE IF NOT EXISTS sure_texts USING fts5(text, content='', tokenize='ascii');
CREATE VIRTUAL TABLE IF NOT EXISTS vocabulary USING fts5vocab(texts, row);
CREATE TABLE IF NOT EXISTS words (page INTEGER PRIMARY KEY, rows TEXT, digest BLOB);
CREATE TABLE IF NOT EXISTS frames (
    row INTEGER PRIMARY KEY, symbols TEXT, costs BLOB, sizes BLOB, stops BLOB, digest BLOB
);
CREATE TABLE IF NOT EXISTS pairs (
    pair INTEGER, block INTEGER, rows BLOB, digest BLOB, PRIMARY KEY (pair, block)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS corrections (name TEXT PRIMARY KEY, ink TEXT, digest BLOB);
CREATE TABLE IF NOT EXISTS saved (path TEXT PRIMARY KEY, state TEXT, source TEXT, digest BLOB);
CREATE INDEX IF NOT EXISTS files_by_pages ON files (pages);
CREATE INDEX IF NOT EXISTS saved_by_source ON saved (source);
"""
_NOT_DAMAGED = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
)
"""Errors of an index that is locked, or in a folder that cannot be written."""


class IndexedPage(NamedTuple):
    """A page for the index, in few bytes.

    Attributes:
        name: digest of the ink and the text.
        look: digest of the whole page, as shown, and its text.
        words: the words of the rows.
        frames: the frames of the rows.
        pairs: for each row, its pairs and their costs, `(pairs, 2)` int64, see `pair_costs`.
        inks: digests of each handwritten word, see `Ink.longest`.
        left_out: see `PageText`.
        pdfs: the PDF that the page annotates, if any.
        places: the boxes in `PageText` by their names, in millimetres.
    """

    name: bytes
    look: bytes
    words: Sequence[RowWords]
    frames: Sequence[RowFrames]
    pairs: Sequence[np.ndarray]
    inks: Sequence[str]
    left_out: Mapping[str, int]
    pdfs: Sequence[str]
    places: Mapping[str, Sequence[Box]]

    @classmethod
    def of(cls, page: InkPage, text: PageText) -> "IndexedPage":
        """Return a page with its text."""
        words_read = [[(w.text, w.box, w.confidence) for w in row.words] for row in text.rows]
        content = repr(page.typed).encode() + ink_bytes(page)
        content += repr(words_read).encode(errors="backslashreplace")
        name = hashlib.sha256(content).digest()
        look = hashlib.sha256(name + pickle.dumps(page)).digest()
        words = [*map(words_of, text.rows)]
        frames = [*map(RowFrames.of, text.rows)]
        pairs = []
        for row in text.rows:
            costs = [(_pair(*pair), cost) for pair, cost in pair_costs(row).items()]
            pairs.append(np.array(costs, np.int64).reshape(-1, 2))
        rows_of_ink = [row for row in text.rows if row.strokes]
        inks = [digest for row in rows_of_ink for i in word_inks(page, row) for digest in i.longest]
        pdfs = [str(page.background)] if page.background else []
        places = {}
        for kind, boxes in text.places.items():
            edges = np.round(page.millimetres * np.reshape(boxes, (-1, 4))).astype(int)
            places[kind] = [*map(tuple, edges.tolist())]
        return cls(name, look, words, frames, pairs, inks, text.left_out, pdfs, places)


class Index:
    """An index of the pages of files."""

    def __init__(self, path: Path, corrections: Iterable[Correction] = ()) -> None:
        """Open or make the index in a file; `corrections` are all corrections."""
        self._path = path
        self._corrections = [*corrections]
        try:
            self._open(path)
        except Exception as error:
            self.renew(error)

    def _open(self, place: Path | str) -> None:
        """Open or make the index in a file, or in `MEMORY`; an error says that it is damaged,
        locked or of another schema."""
        if isinstance(place, Path):
            place.parent.mkdir(parents=True, exist_ok=True)
            for end in ("", "-journal", "-wal", "-shm"):
                check_regular(place.with_name(place.name + end))
        # A viewer's threads take turns, by a lock of their own.
        self._database = sqlite3.connect(place, timeout=LOCK_SECONDS, check_same_thread=False)
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)
        with closing(sqlite3.connect(MEMORY)) as empty:
            empty.executescript(_SCHEMA)
            if _schema(self._database) != _schema(empty):
                raise sqlite3.DatabaseError("another schema")
        with self._database:  # An error says that the texts, which have no digests, are damaged.
            for table in ("texts", "sure_texts"):
                check = f"INSERT INTO {table} ({table}) VALUES ('integrity-check')"
                self._database.execute(check)
        self._version: tuple[int, int] | None = None  # of the tables in the next attributes
        self._rows_of: list[tuple[int, int]] = []  # first row and number of rows of each page
        self._pages_of: dict[str, np.ndarray] = {}  # the pages of each file
        self._words: list[str] = []  # of all pages
        self._searched: tuple[tuple, _Places] | None = None  # the files of the last search
        self._unsure = UnsureWords()
        self.record_corrections(self._corrections)

    def renew(self, error: Exception) -> None:
        """Make a new index: in place of a damaged index, or in memory if the index is locked or
        cannot be written, as on a full disk."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        with suppress(sqlite3.Error, OSError):
            if not isinstance(error, OSError) and code not in _NOT_DAMAGED:
                for path in (self._path, self._path.with_name(f"{self._path.name}-journal")):
                    path.unlink(missing_ok=True)
                self._open(self._path)
                return
        self._open(MEMORY)

    def summary(self, path: Path, state: str) -> Summary | None:
        """Return the summary of a file; None unless the index has the file in this state."""
        columns = "path, state, pages, summary, digest"
        select = f"SELECT {columns} FROM files WHERE path = ? AND state = ?"
        row = self._database.execute(select, (_key(path), state)).fetchone()
        return Summary(**json.loads(_without_digest(row)[3])) if row else None

    def add(self, path: Path, state: str, pages: Sequence[IndexedPage]) -> Summary:
        """Add or replace the pages of a file, and return their summary. If other corrections were
        recorded by another process or thread meanwhile, the file counts as changed."""
        words = [word for page in pages for row in page.words for word in row]
        unsure = sum(confidence < MIN_SURE_CONFIDENCE for _, confidence in words)
        left_out = dict(few_kinds(*(page.left_out for page in pages)))
        look = hashlib.sha256(b"".join(page.look for page in pages)).hexdigest()
        pdfs = sorted({pdf for page in pages for pdf in page.pdfs})
        places: dict[str, list[tuple[int, Box]]] = {name: [] for name in BOX_NAMES}
        slow = []
        for number, page in enumerate(pages, 1):
            for name, boxes in page.places.items():
                places[name] += [(number, box) for box in boxes]
            if SLOW in page.left_out:
                slow.append(number)
        counts = len(pages), len(words), unsure
        unread, covered, crossed_out = (places[name] for name in BOX_NAMES)
        summary = Summary(*counts, left_out, pdfs, look, unread, covered, crossed_out, slow)
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")  # so that no other process adds these rows
            recorded = {name for (name,) in self._database.execute("SELECT name FROM corrections")}
            if recorded != self._recorded:
                state = ""  # The file counts as changed.
            numbers = self._add_pages(pages)
            values = _key(path), state, numbers.tobytes(), json.dumps(asdict(summary))
            insert = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)"
            self._database.execute(insert, _with_digest(*values))
        return summary

    def _add_pages(self, pages: Sequence[IndexedPage]) -> np.ndarray:
        """Add new pages, and return the numbers of all pages."""
        numbers = []
        entries = defaultdict[tuple[int, int], list[int]](list)
        execute = self._database.execute
        for page in pages:
            stored = execute("SELECT id FROM pages WHERE name = ?", (page.name,)).fetchone()
            if stored:
                numbers.append(stored[0])
                continue
            last_page = execute("SELECT first + count FROM pages ORDER BY id DESC").fetchone()
            (first,) = last_page or (1,)
            rows = zip(page.frames, page.pairs, strict=True)
            for number, (frames, pairs) in enumerate(rows, first):
                insert = "INSERT INTO frames VALUES (?, ?, ?, ?, ?, ?)"
                execute(insert, _with_digest(number, *frames))
                block, place = divmod(number, 1 << BLOCK_BITS)
                for pair, cost in pairs.tolist():
                    entries[pair, block].append(place << COST_BITS | cost)
            values = page.name, first, len(page.frames)
            insert = "INSERT INTO pages VALUES (NULL, ?, ?, ?, ?)"
            numbers.append(execute(insert, _with_digest(*values)).lastrowid)
            self._add_words(numbers[-1], page)
        for key, places in sorted(entries.items()):
            select = "SELECT pair, block, rows, digest FROM pairs WHERE pair = ? AND block = ?"
            row = execute(select, key).fetchone()
            before = _without_digest(row)[2] if row else b""
            packed = before + np.array(places, "<u2").tobytes()
            insert = "INSERT OR REPLACE INTO pairs VALUES (?, ?, ?, ?)"
            execute(insert, _with_digest(*key, packed))
        return np.array(numbers, "<i8")

    def _add_words(self, number: int, page: IndexedPage) -> None:
        """Add the words of a new page that has a number."""
        execute = self._database.execute
        inks = _with_digest(number, " ".join(page.inks))
        execute("INSERT INTO inks VALUES (?, ?, ?)", inks)
        words = _with_digest(number, json.dumps(page.words))
        execute("INSERT INTO words VALUES (?, ?, ?)", words)
        of_page = [*chain(*page.words)]
        texts = {"texts": normalised_text(text for text, _ in of_page)}
        texts["sure_texts"] = sure_text(of_page)
        for table, text in texts.items():
            execute(f"INSERT INTO {table} (rowid, text) VALUES (?, ?)", (number, text))

    def record_corrections(self, corrections: Iterable[Correction]) -> None:
        """Record all corrections, and mark the files with words whose corrections have changed.

        Until these files are added again, searches find their old texts.
        """
        self._corrections = [*corrections]
        select = "SELECT name, ink, digest FROM corrections"
        recorded = dict(map(_without_digest, self._database.execute(select)))
        current = {c.name: " ".join(c.ink.longest) for c in self._corrections}
        self._recorded = {*current}
        changes = recorded.items() ^ current.items()
        if not changes:
            return
        changed = {digest for _, digests in changes for digest in digests.split()}
        with self._database:
            inks = self._database.execute("SELECT page, words, digest FROM inks").fetchall()
            for page, words in map(_without_digest, inks):
                if not changed.isdisjoint(words.split()):
                    self._mark_changed(np.array(page, "<i8").tobytes())
            self._database.execute("DELETE FROM corrections")
            values = [_with_digest(*correction) for correction in current.items()]
            self._database.executemany("INSERT INTO corrections VALUES (?, ?, ?)", values)

    def _mark_changed(self, page: bytes) -> None:
        """Remove the state of the files with a page."""
        columns = "path, state, pages, summary, digest"
        select = f"SELECT {columns} FROM files WHERE instr(pages, ?)"
        for row in self._database.execute(select, (page,)).fetchall():
            path, _, *values = _without_digest(row)
            insert = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)"
            self._database.execute(insert, _with_digest(path, "", *values))

    def search(self, query: Query, files: Mapping[str, Path]) -> tuple[list[Hit], list[Hit]]:
        """Return the hits of a query in files by name, and similar places, see `hits`."""
        hits = [*self.hits(query, files)]
        return [h for h in hits if not h.is_similar], [h for h in hits if h.is_similar]

    def hits(self, query: Query, files: Mapping[str, Path]) -> Iterator[Hit]:
        """Yield the hits of a query in files by name, and at last similar places.

        A query of one term has a hit at each place of the term. A query of several terms has one
        hit on each page that has all of them. The order is:

        1. places in the texts: first terms near each other, then terms apart; of either, first
           those of which all words are sure; of these, in the order of the files;
        2. places where the ink of a term may say it, the likeliest first;
        3. places of similar terms, the most similar first, see `similar`.

        Hits are found step by step, so the first ones take little time. Files that the index does
        not have are left out.
        """
        if not query.terms:
            return
        places = self._places(files)
        listed = set[int]()  # pages; rows, if there is a single term
        for is_near in (True, False) if len(query.terms) > 1 else (False,):
            for is_sure in (True, False):
                pages = self._pages(places, query, is_near=is_near, is_sure=is_sure)
                for page in pages:
                    yield from self._hits_on_page(
                        query.terms, page, places, listed, is_sure=is_sure
                    )
        for number in range(len(query.terms)):
            yield from self._spotted(query, number, places, listed)
        for number, term in enumerate(query.terms):
            for phrase in similar(term[0], self._vocabulary()):
                terms = (*query.terms[:number], (phrase,), *query.terms[number + 1 :])
                for page in self._pages(places, query._replace(terms=terms)):
                    yield from self._hits_on_page(terms, page, places, listed, is_similar=True)

    def notes(self, query: Query, files: Mapping[str, Path]) -> list[str]:
        """Return the names of files with a page that has no excluded term of a query, and of files
        without pages."""
        self._places(files)  # reads the tables if they have changed
        excluded = self._pages_with_any(query.excluded)
        names = []
        for name, path in files.items():
            pages = {*map(int, self._pages_of.get(_key(path), ()))}
            if not pages or pages - excluded:
                names.append(name)
        return names

    def _hits_on_page(
        self,
        terms: Sequence[Term],
        page: int,
        places: "_Places",
        listed: set[int],
        *,
        is_sure: bool = False,
        is_similar: bool = False,
    ) -> Iterator[Hit]:
        """Yield the hits of terms in the text of a page that are not `listed`, and list them.

        With `is_sure`, all words of the hits are sure.
        """
        if len(terms) > 1 and page in listed:
            return
        first, _ = self._rows_of[page - 1]
        rows = self._words_on(page)
        places_of_terms = []
        for term in terms:
            matches = sorted({*chain(*(places_on_page(phrase, rows) for phrase in term))})
            # The sure places of a single term are listed before the others.
            if is_sure or (len(terms) == 1 and not is_similar):
                matches = [match for match in matches if match.place.is_sure == is_sure]
            places_of_terms.append(matches)
        if not all(places_of_terms):
            return
        if len(terms) > 1:
            matches = [nearest(places_of_terms)]
            listed.add(page)
        else:
            (matches,) = places_of_terms
            if is_similar:  # A row that has a hit has no similar place.
                matches = [match for match in matches if first + match.row not in listed]
            listed |= {first + match.row for match in matches}
        pages = [*places.of_page(page)]
        for row, last, place in matches:
            for name, number in pages:
                address = name, number, row + 1
                yield hit_at(address, rows[row : last + 1], place, is_similar=is_similar)

    def _spotted(
        self, query: Query, number: int, places: "_Places", listed: set[int]
    ) -> Iterator[Hit]:
        """Yield the hits where the ink of a row may say a term that the row's text lacks.

        The text of the row's page has the other terms. Hits that are `listed` are left out; the
        others are listed.
        """
        others = (*query.terms[:number], *query.terms[number + 1 :])
        is_searched = places.ranks != ABSENT_PLACE  # of each row
        if others:
            pages = {*self._pages(places, query._replace(terms=others))} - listed
            if not pages:  # as of many words; the rows' pairs take the most time
                return
            is_searched &= places.are_rows_of(pages)
        else:
            is_searched &= ~places.are_rows_of(self._pages_with_any(query.excluded))
            is_searched[[*listed]] = False
        for phrase in query.terms[number]:
            for row, place in self._likeliest(phrase, is_searched):
                page = places.page_of(row)
                key = page if others else row
                if key not in listed:
                    listed.add(key)
                    words = self._words_on(page)[row - self._rows_of[page - 1][0]]
                    for address in places.of(row):
                        yield hit_at(address, [words], place)

    def _likeliest(self, phrase: Phrase, is_searched: np.ndarray) -> Iterator[tuple[int, Place]]:
        """Yield the rows whose ink may say a phrase, and its place, the likeliest first."""
        rows, bounds = self._likely(phrase, is_searched)
        waiting: list[tuple[int, Place]] = []
        for step in _steps(len(rows)):
            searched = rows[step].tolist()
            places = spotted_places(phrase, self._frames(searched))
            for row, place in zip(searched, places, strict=True):
                if place:
                    waiting.append((row, place))
            waiting.sort(key=lambda item: -item[1].confidence)
            # Further rows may have likelier places than the rest of those that wait.
            bound = bounds[step.stop] if step.stop < len(rows) else 0.0
            num_likeliest = sum(place.confidence >= bound for _, place in waiting)
            yield from waiting[:num_likeliest]
            waiting = waiting[num_likeliest:]

    def _pages(
        self, places: "_Places", query: Query, *, is_near: bool = False, is_sure: bool = False
    ) -> list[int]:
        """Return the pages whose text has all terms of a query and none that is excluded.

        The pages are in the order of the files. With `is_near`, some spelling of the terms stands
        near each other on each of them; with `is_sure`, all their words are sure.
        """
        wanted = [self._expressions(term) for term in query.terms]
        if not all(wanted):
            return []
        if is_near:
            combinations = islice(product(*wanted), MAX_NEAR_SPELLINGS)
            wanted = [[f"NEAR({' '.join(phrases)}, {MAX_APART})" for phrases in combinations]]
        # An expression of FTS5, such as ("a") AND ("b" OR "c"*).
        match = " AND ".join(f"({' OR '.join(alternatives)})" for alternatives in wanted)
        pages = self._matches(match, "sure_texts" if is_sure else "texts")
        return places.pages_in_order(pages - self._pages_with_any(query.excluded))

    def _pages_with_any(self, terms: Sequence[Term]) -> set[int]:
        """Return the pages whose text has some of the terms."""
        expressions = [*chain(*map(self._expressions, terms))]
        return self._matches(" OR ".join(expressions), "texts") if expressions else set()

    def _matches(self, match: str, table: str) -> set[int]:
        """Return the pages in a table of FTS5 that an expression matches."""
        select = f"SELECT rowid FROM {table} WHERE {table} MATCH ?"
        return {page for (page,) in self._database.execute(select, (match,))}

    def _expressions(self, term: Term) -> list[str]:
        """Return expressions of FTS5 that together match the pages with a term."""
        expressions = []
        for phrase in term:
            words = phrase.words
            firsts = [*words[:1]]
            if phrase.is_open.left:  # FTS5 has no words of which only the end is given.
                end = words[0]
                is_part = len(words) == 1 and phrase.is_open.right
                vocabulary = self._vocabulary()
                if is_part:
                    firsts = [word for word in vocabulary if end in word]
                else:
                    firsts = [word for word in vocabulary if word.endswith(end)]
            star = "*" * phrase.is_open.right
            expressions += [f'"{" ".join((first, *words[1:]))}"{star}' for first in firsts]
        return expressions

    def _vocabulary(self) -> list[str]:
        """Return all words of the pages."""
        if not self._words:
            select = "SELECT term FROM vocabulary"
            self._words = [word for (word,) in self._database.execute(select)]
        return self._words

    def states(self, files: Mapping[str, Path]) -> dict[str, str]:
        """Return the state that each file had when it was read, by name; "" if the index lacks the
        file, or if it is marked as changed."""
        by_path = dict(self._database.execute("SELECT path, state FROM files").fetchall())
        return {name: by_path.get(_key(path), "") for name, path in files.items()}

    def files_below(self, folder: Path) -> dict[str, Path]:
        """Return the files of the index in a folder and its subfolders, by their paths in it."""
        parent = folder.resolve()
        paths = [Path(path) for (path,) in self._database.execute("SELECT path FROM files")]
        return {p.relative_to(parent).as_posix(): p for p in paths if p.is_relative_to(parent)}

    def unsure(self, path: Path) -> list[WordAddress]:
        """Return the addresses of the unsure words of a file."""
        places = self._places({"": path})
        addresses = []
        for page in places.pages_in_order(range(1, len(self._rows_of) + 1)):
            for row, words in enumerate(self._words_on(page), 1):
                for number, (_, confidence) in enumerate(words, 1):
                    if confidence < MIN_SURE_CONFIDENCE:
                        addresses += [(copy, row, number) for _, copy in places.of_page(page)]
        return sorted(addresses)

    def doubtful(self, files: Mapping[str, Path], kind: str = "") -> Iterator[list[UnsureWord]]:
        """Yield the unsure words of files by name, in lists of words that were read as the same.

        The list of which the most words are expected to be wrong is the first. With `kind`, only
        the words are yielded that were read as this word, see `normalised_word`. A word of copied
        pages is yielded once.
        """
        places = self._places(files)
        self._read_unsure(places)
        wanted = [kind] if kind else ()
        for _, *columns in self._unsure.kinds(places.ranks, ABSENT_PLACE, wanted):
            words = []
            for row, number, confidence, text in zip(*columns, strict=True):
                name, page, row_number = next(places.of(row))
                words.append(UnsureWord(name, (page, row_number, number), text, confidence))
            yield words

    def alike(
        self, reading: Reading, files: Mapping[str, Path], answered: Container[tuple]
    ) -> list[UnsureWord]:
        """Return the unsure words of files that look like a word with this reading, the likeliest
        first, each with the probability that it is the same word.

        The `BATCH` words that were read most alike are compared. A word of copied pages is returned
        once. Words that stand at an `answered` place, of a name and an address, are left out.
        """
        places = self._places(files)
        self._read_unsure(places)
        near = reading.near(self._unsure.texts)
        kinds = self._unsure.kinds(places.ranks, ABSENT_PLACE, [*near]) if near else ()
        of_kind = {kind.text: kind for kind in kinds}
        # Differing letters, row, number in it and text of each word; the nearest come first.
        compared: list[tuple[int, int, int, str]] = []
        for kind in map(of_kind.get, near):
            if kind:
                distance = repeat(near[kind.text])
                compared += zip(distance, kind.rows, kind.numbers, kind.texts, strict=False)
        compared = compared[:BATCH]
        frames = self._frames([row for _, row, _, _ in compared])
        frames = [f.word(n - 1) for f, (_, _, n, _) in zip(frames, compared, strict=True)]
        texts = [text for *_, text in compared]
        distances = [distance for distance, *_ in compared]
        confidences = reading.confidences(texts, frames, distances)
        words = []
        for (_, row, number, text), confidence in zip(compared, confidences, strict=True):
            addresses = [(name, (page, place, number)) for name, page, place in places.of(row)]
            is_new = not any(address in answered for address in addresses)
            if confidence >= MIN_CONFIDENCE and is_new:
                words.append(UnsureWord(*addresses[0], text, confidence))
        return sorted(words, key=lambda word: -word.confidence)

    def _read_unsure(self, places: "_Places") -> None:
        """Read the unsure words of the rows that are new."""
        next_page = places.page_of(self._unsure.last_row) + 1
        select = "SELECT page, rows, digest FROM words WHERE page BETWEEN ? AND ? ORDER BY page"
        for stored in self._database.execute(select, (next_page, len(self._rows_of))):
            page, rows = _without_digest(stored)
            first, _ = self._rows_of[page - 1]
            for row, words in enumerate(json.loads(rows), first):
                self._unsure.add(row, words)

    def _places(self, files: Mapping[str, Path]) -> "_Places":
        """Return where rows stand in files; the tables are read anew if they have changed."""
        (version,) = self._database.execute("PRAGMA data_version").fetchone()
        state = version, self._database.total_changes
        if self._version != state:
            with self._database:
                self._database.execute("BEGIN")  # so that the tables fit each other
                self._read_tables()
            self._version = state
            self._searched = None
        key = tuple(files.items())
        if self._searched is None or self._searched[0] != key:
            stored = {}
            for name, path in key:
                pages = self._pages_of.get(_key(path))
                if pages is not None:
                    stored[name] = pages
            rows_of = np.array([(0, 0), *self._rows_of])  # Pages are numbered from 1.
            self._searched = key, _Places(rows_of, stored)
        return self._searched[1]

    def _read_tables(self) -> None:
        """Read the pages that are new, and the pages of all files."""
        execute = self._database.execute
        select = "SELECT id, name, first, count, digest FROM pages WHERE id > ? ORDER BY id"
        for page, *row in execute(select, (len(self._rows_of),)).fetchall():
            self._rows_of += [(0, 0)] * (page - len(self._rows_of))
            _, first, num_rows = _without_digest(row)
            self._rows_of[page - 1] = first, num_rows
        self._words = []
        select = "SELECT path, state, pages, summary, digest FROM files"
        rows = map(_without_digest, execute(select).fetchall())
        self._pages_of = {path: np.frombuffer(pages, "<i8") for path, _, pages, _ in rows}

    def _likely(self, phrase: Phrase, is_searched: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows in which the pairs of a phrase cost least, the cheapest first, and the
        largest probability that the phrase stands there.

        A pair that a row lacks costs `ABSENT_PAIR`; each pair that it has saves the difference.
        Rows in which the pairs, or those of one word, cost more than in a row with a hit are left
        out.

        Args:
            is_searched: whether each row is searched.
        """
        is_likely = is_searched.copy()
        rows_with = cache(partial(self._rows_with, num_rows=len(is_searched)))
        for part, limit in max_pair_costs(phrase).items():  # the phrase is the last one
            pairs = Counter(_pair(*pair) for pair in pairwise(part.symbols))
            costs = np.full(len(is_searched), ABSENT_PAIR * pairs.total())
            for pair, count in pairs.items():
                rows, saved = rows_with(pair)
                costs[rows] -= count * saved
            is_likely &= costs <= limit
            if not is_likely.any():  # as of most phrases
                break
        rows = np.flatnonzero(is_likely)
        rows = rows[np.argsort(costs[rows], kind="stable")][:MAX_ROWS]
        return rows, max_confidences(phrase, costs[rows])

    def _rows_with(self, pair: int, num_rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Return those of the first rows whose frames allow a pair, and what the pair costs less
        than in other rows."""
        select = "SELECT pair, block, rows, digest FROM pairs WHERE pair = ?"
        blocks = [*map(_without_digest, self._database.execute(select, (pair,)))]
        entries = np.frombuffer(b"".join(entries for _, _, entries in blocks), "<u2")
        first_rows = np.array([block << BLOCK_BITS for _, block, _ in blocks], np.int64)
        counts = [len(entries) // 2 for _, _, entries in blocks]
        rows = np.repeat(first_rows, counts) + (entries >> COST_BITS)
        saved = ABSENT_PAIR - (entries & (1 << COST_BITS) - 1).astype(np.int64)
        is_present = rows < num_rows
        return rows[is_present], saved[is_present]

    def _words_on(self, page: int) -> list[RowWords]:
        """Return the words of a page's rows."""
        select = "SELECT page, rows, digest FROM words WHERE page = ?"
        row = self._database.execute(select, (page,)).fetchone()
        return json.loads(_without_digest(row)[1])

    def _frames(self, rows: Sequence[int]) -> list[RowFrames]:
        """Return the frames of rows, at most `BATCH`."""
        places = ", ".join("?" * len(rows))
        select = f"SELECT * FROM frames WHERE row IN ({places})"
        stored = {row[0]: row for row in self._database.execute(select, rows)}
        return [RowFrames(*_without_digest(stored.get(row))[1:]) for row in rows]

    def saved(self, path: Path) -> dict[str, Any]:
        """Return the record of a saved file, see `record_saved`; empty if there is none."""
        select = "SELECT path, state, source, digest FROM saved WHERE path = ?"
        row = self._database.execute(select, (_key(path),)).fetchone()
        if not row:
            return {}
        _, state, _ = _without_digest(row)
        return json.loads(state)

    def record_saved(self, path: Path, state: Mapping[str, Any], source: str = "") -> None:
        """Record the digest of a saved file's content, as JSON values; `source` identifies the note
        of which the file is the output, see `outputs_of`."""
        with self._database:
            insert = "INSERT OR REPLACE INTO saved VALUES (?, ?, ?, ?)"
            self._database.execute(insert, _with_digest(_key(path), json.dumps(state), source))

    def outputs_of(self, sources: Iterable[str], path: Path) -> dict[str, dict[str, Any]]:
        """Return the records of the outputs of notes, without that of the file `path`, by the keys
        that `forget` takes."""
        select = "SELECT path, state, source, digest FROM saved WHERE source = ? AND path != ?"
        records = {}
        for source in sources:
            for row in self._database.execute(select, (source, _key(path))).fetchall():
                other, state, _ = _without_digest(row)
                records[other] = json.loads(state)
        return records

    def forget(self, outputs: Iterable[str]) -> None:
        """Remove records of outputs, see `outputs_of`."""
        with self._database:
            delete = "DELETE FROM saved WHERE path = ?"
            self._database.executemany(delete, [(output,) for output in outputs])

    def moved_to(self, path: Path) -> list[str]:
        """Return the files that are gone and had the pages of a file: it may be the same note under
        another name."""
        columns = "path, state, pages, summary, digest"
        same = "pages = (SELECT pages FROM files WHERE path = ?)"
        select = f"SELECT {columns} FROM files WHERE {same} AND path != ?"
        rows = self._database.execute(select, (_key(path), _key(path))).fetchall()
        others = [path_of_row for path_of_row, *_ in map(_without_digest, rows)]
        # A name that is no text has its bytes as `\\xff`: whether it is there is unknown.
        return [other for other in others if "\\" not in other and not os.path.lexists(other)]


class _Places:
    """The places of rows in files by name; a place is a page of a file, in the order of the files.

    Attributes:
        ranks: for each row, the number of the first place that has it, or `ABSENT_PLACE`.
    """

    def __init__(self, rows_of: np.ndarray, pages_of: Mapping[str, np.ndarray]) -> None:
        """Store where the pages of files stand.

        Args:
            rows_of: the first row and the number of rows of each page, `(pages, 2)`.
            pages_of: the numbers of the pages of each file.

        Raises:
            LookupError: if a page of a file is not in the index.
        """
        self._firsts = rows_of[:, 0]
        self._names = [*pages_of]
        lengths = [*map(len, pages_of.values())]
        pages = np.concatenate([np.empty(0, np.int64), *pages_of.values()])
        self._files = np.repeat(np.arange(len(lengths)), lengths)
        self._page_numbers = np.concatenate([[], *(np.arange(n) + 1 for n in lengths)]).astype(int)
        self._order = np.argsort(pages, kind="stable")  # of the places, by their pages
        self._pages = pages[self._order]
        if not self._firsts[pages].all():
            raise LookupError("a page that is not in the index")
        counts = rows_of[:, 1]
        # The numbers of the rows of all pages: those of a page follow its first one.
        rows = np.arange(counts.sum()) + np.repeat(
            self._firsts - np.cumsum(counts) + counts, counts
        )
        self._page_of = np.zeros(rows.max(initial=0) + 1, np.int64)  # of each row
        self._page_of[rows] = np.repeat(np.arange(len(rows_of)), counts)
        start, stop = self._slices(self._page_of)
        is_present = start < stop
        self.ranks = np.full(len(start), ABSENT_PLACE)
        self.ranks[is_present] = self._order[start[is_present]]

    def _slices(self, pages: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices in `_order` where the places of each page begin and end."""
        return np.searchsorted(self._pages, pages), np.searchsorted(self._pages, pages, "right")

    def are_rows_of(self, pages: Iterable[int]) -> np.ndarray:
        """Return whether each row stands on one of the pages."""
        is_wanted = np.zeros(len(self._firsts), bool)
        numbers = np.array([*pages], np.int64)
        is_wanted[numbers[numbers < len(is_wanted)]] = True
        return is_wanted[self._page_of]

    def pages_in_order(self, pages: Iterable[int]) -> list[int]:
        """Return the pages with rows that stand in the files, in the order of their places."""
        numbers = np.array([*pages], np.int64)
        start, stop = self._slices(numbers)
        numbers = numbers[start < stop]
        start = start[start < stop]
        first_places = self._order[start]
        return numbers[np.argsort(first_places, kind="stable")].tolist()

    def page_of(self, row: int) -> int:
        """Return the page of a row."""
        return int(self._page_of[row])

    def of(self, row: int) -> Iterator[tuple[str, int, int]]:
        """Yield the name of the file, the page and the number of the row at each of its places."""
        page = self.page_of(row)
        for name, page_number in self.of_page(page):
            yield name, page_number, row - int(self._firsts[page]) + 1

    def of_page(self, page: int) -> Iterator[tuple[str, int]]:
        """Yield the name of the file, and the number in it, of each place of a page."""
        start, stop = self._slices(np.array(page))
        for place in self._order[start:stop].tolist():
            yield self._names[self._files[place]], int(self._page_numbers[place])


def _steps(num_rows: int) -> Iterator[slice]:
    """Yield growing parts of rows: the first hits come soon, and all of them fast."""
    start = 0
    size = MIN_STEP
    while start < num_rows:
        yield slice(start, start + size)
        start += size
        size = min(2 * size, BATCH)


def _schema(database: sqlite3.Connection) -> list[tuple]:
    """Return the definitions of a database's tables and other objects."""
    return database.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()


def _with_digest(*values: Any) -> tuple:
    """Return the values of a row, and their digest."""
    # This version of marshal, and not a later one, writes equal values always as the same bytes.
    return *values, hashlib.sha256(marshal.dumps(values, 2)).digest()[:8]


def _without_digest(row: Sequence[Any] | None) -> tuple:
    """Return the values of a row without their digest.

    Raises:
        sqlite3.DatabaseError: if there is no row, or the digest is not that of the values.
    """
    if row is None or tuple(row) != _with_digest(*row[:-1]):
        raise sqlite3.DatabaseError("a damaged row")
    return tuple(row[:-1])


@lru_cache(1 << 17)  # as all files of an archive are searched
def _key(path: Path) -> str:
    return os.fsencode(os.path.realpath(path)).decode(errors="backslashreplace")


def _pair(first: str, second: str) -> int:
    return ord(first) << 21 | ord(second)  # A code point has 21 bits.
