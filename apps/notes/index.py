"""Indexes the rows of many pages in a file of SQLite, and finds the rows of a query.

The texts of the pages are a table of FTS5. For each pair of successive symbols, the index also has
the rows whose frames allow the pair, and its cost (see `searching.pair_costs`). The frames of the
rows in which a phrase's pairs cost least are searched.
"""

import hashlib
import json
import os
import pickle
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from functools import lru_cache
from itertools import chain, count, islice, pairwise, product, repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps.notes.alike import MIN_CONFIDENCE, Reading
from apps.notes.corrections import Correction, word_inks
from apps.notes.doubtful import Kind, UnsureWord, UnsureWords, WordAddress
from apps.notes.page_text import BOX_NAMES, MIN_SURE_CONFIDENCE, SLOW, Box, PageText, Summary
from apps.notes.searching import (
    ABSENT_PAIR,
    BATCH,
    Hit,
    Phrase,
    Query,
    SearchedRow,
    Term,
    hit_at,
    max_pair_cost,
    nearest,
    normalised_text,
    pair_costs,
    places_on_page,
    similar,
    spotted_places,
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
MAX_CHOSEN = 256
"""Most rows, of pages with the other terms, that are searched without choosing among them by their
pairs (assumed)."""
MAX_NEAR_SPELLINGS = 200
"""Most spellings of terms that come first because they are near each other (assumed)."""
MAX_APART = 10
"""Most words between terms that are near each other (assumed)."""
MIN_STEP = 32
"""Number of rows of the first step of a search (assumed: more than the ten hits on a screen)."""
ABSENT_PLACE = 1 << 62
"""Rank of a row that is in none of the searched files."""
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
CREATE VIRTUAL TABLE IF NOT EXISTS vocabulary USING fts5vocab(texts, row);
CREATE TABLE IF NOT EXISTS rows (
    id INTEGER PRIMARY KEY, words TEXT, symbols TEXT, costs BLOB, sizes BLOB, stops TEXT,
    digest BLOB
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
        rows: the rows.
        pairs: for each row, its pairs and their costs, `(pairs, 2)` int64, see `pair_costs`.
        inks: digests of each handwritten word, see `Ink.longest`.
        left_out: see `PageText`.
        pdfs: the PDF that the page annotates, if any.
        places: the boxes in `PageText` by their names, in millimetres.
    """

    name: bytes
    look: bytes
    rows: Sequence[SearchedRow]
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
        rows = [*map(SearchedRow.of, text.rows)]
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
        return cls(name, look, rows, pairs, inks, text.left_out, pdfs, places)


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

    def _open(self, path: Path) -> None:
        """Open or make the index; an error says that it is damaged, locked or of another schema."""
        path.parent.mkdir(parents=True, exist_ok=True)
        for end in ("", "-journal", "-wal", "-shm"):
            check_regular(path.with_name(path.name + end))
        # A viewer's threads take turns, by a lock of their own.
        self._database = sqlite3.connect(path, timeout=LOCK_SECONDS, check_same_thread=False)
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(_SCHEMA)
        with closing(sqlite3.connect(":memory:")) as empty:
            empty.executescript(_SCHEMA)
            if _schema(self._database) != _schema(empty):
                raise sqlite3.DatabaseError("another schema")
        with self._database:  # An error says that the texts, which have no digests, are damaged.
            self._database.execute("INSERT INTO texts (texts) VALUES ('integrity-check')")
        self._version: tuple[int, int] | None = None  # of the tables in the next attributes
        self._rows_of: list[tuple[int, int]] = []  # first row and number of rows of each page
        self._pages_of: dict[str, np.ndarray] = {}  # the pages of each file
        self._words: list[str] = []  # of all pages
        self._searched: tuple[tuple, _Places] | None = None  # the files of the last search
        self._unsure = UnsureWords()
        self.record_corrections(self._corrections)

    def renew(self, error: Exception) -> None:
        """Make a new index: in place of a damaged index, or in a temporary file if the index is
        locked or cannot be written."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        with suppress(sqlite3.Error, OSError):
            if not isinstance(error, OSError) and code not in _NOT_DAMAGED:
                for path in (self._path, self._path.with_name(f"{self._path.name}-journal")):
                    path.unlink(missing_ok=True)
                self._open(self._path)
                return
        self._elsewhere = tempfile.TemporaryDirectory()
        self._open(Path(self._elsewhere.name) / self._path.name)

    def summary(self, path: Path, state: str) -> Summary | None:
        """Return the summary of a file; None unless the index has the file in this state."""
        columns = "path, state, pages, summary, digest"
        select = f"SELECT {columns} FROM files WHERE path = ? AND state = ?"
        row = self._database.execute(select, (_key(path), state)).fetchone()
        return Summary(**json.loads(_without_digest(row)[3])) if row else None

    def add(self, path: Path, state: str, pages: Sequence[IndexedPage]) -> Summary:
        """Add or replace the pages of a file, and return their summary. If other corrections were
        recorded by another process or thread meanwhile, the file counts as changed."""
        words = [word for page in pages for row in page.rows for word in row.words]
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
        summary = Summary(*counts, left_out, pdfs, look, slow=slow, **places)
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
            (last,) = execute("SELECT COALESCE(MAX(id), 0) FROM rows").fetchone()
            for number, row, pairs in zip(count(last + 1), page.rows, page.pairs):
                values = row._replace(words=json.dumps(row.words), stops=json.dumps(row.stops))
                insert = "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?)"
                execute(insert, _with_digest(number, *values))
                block, place = divmod(number, 1 << BLOCK_BITS)
                for pair, cost in pairs.tolist():
                    entries[pair, block].append(place << COST_BITS | cost)
            values = page.name, last + 1, len(page.rows)
            insert = "INSERT INTO pages VALUES (NULL, ?, ?, ?, ?)"
            numbers.append(execute(insert, _with_digest(*values)).lastrowid)
            inks = _with_digest(numbers[-1], " ".join(page.inks))
            execute("INSERT INTO inks VALUES (?, ?, ?)", inks)
            text = normalised_text(word for row in page.rows for word, _ in row.words)
            execute("INSERT INTO texts (rowid, text) VALUES (?, ?)", (numbers[-1], text))
        for key, places in sorted(entries.items()):
            select = "SELECT pair, block, rows, digest FROM pairs WHERE pair = ? AND block = ?"
            row = execute(select, key).fetchone()
            before = _without_digest(row)[2] if row else b""
            values = *key, before + np.array(places, "<u2").tobytes()
            execute("INSERT OR REPLACE INTO pairs VALUES (?, ?, ?, ?)", _with_digest(*values))
        return np.array(numbers, "<i8")

    def record_corrections(self, corrections: Iterable[Correction]) -> None:
        """Record all corrections, and mark the files with words whose corrections have changed.

        Until these files are added again, searches find their old texts.
        """
        self._corrections = [*corrections]
        select = "SELECT name, ink, digest FROM corrections"
        recorded = dict(map(_without_digest, self._database.execute(select)))
        current = {c.name: " ".join(c.ink.longest) for c in self._corrections}
        self._recorded = {*current}
        with self._database:
            for name in recorded.keys() ^ current.keys():
                having = "SELECT page FROM inks WHERE instr(words, ?)"
                for digest in (recorded | current)[name].split():
                    for (page,) in self._database.execute(having, (digest,)).fetchall():
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
        """Return the hits of a query in files by name, and similar places, in the order of the
        files, see `hits`."""
        order = {name: number for number, name in enumerate(files)}
        hits = sorted(self.hits(query, files), key=lambda hit: (order[hit.name], *hit[1:4]))
        return [h for h in hits if not h.is_similar], [h for h in hits if h.is_similar]

    def hits(self, query: Query, files: Mapping[str, Path]) -> Iterator[Hit]:
        """Yield the hits of a query in files by name, and at last similar places.

        A query of one term has a hit at each place of the term. A query of several terms has one
        hit on each page that has all of them. The order is:

        1. places in the texts, in the order of the files; terms near each other come first;
        2. places where the ink of a term may say it, from the likeliest;
        3. places of similar terms, see `similar`.

        Hits are found step by step, so the first ones take little time. Files that the index does
        not have are left out.
        """
        places = self._places(files)
        listed = set[int]()  # pages; rows, if there is a single term
        if len(query.terms) > 1:
            for page in self._pages(places, query.terms, query.excluded, near=True):
                yield from self._hits_on_page(query.terms, page, places, listed)
        if query.terms:
            for page in self._pages(places, query.terms, query.excluded):
                yield from self._hits_on_page(query.terms, page, places, listed)
        for number in range(len(query.terms)):
            yield from self._spotted(query, number, places, listed)
        for number, term in enumerate(query.terms):
            for phrase in similar(term[0], self._vocabulary()):
                terms = (*query.terms[:number], (phrase,), *query.terms[number + 1 :])
                for page in self._pages(places, terms, query.excluded):
                    yield from self._hits_on_page(terms, page, places, listed, is_similar=True)

    def _hits_on_page(
        self,
        terms: Sequence[Term],
        page: int,
        places: "_Places",
        listed: set[int],
        *,
        is_similar: bool = False,
    ) -> Iterator[Hit]:
        """Yield the hits of terms in the text of a page that are not `listed`, and list them."""
        first, count = self._rows_of[page - 1]
        rows = self._rows(range(first, first + count))
        places_of_terms = []
        for term in terms:
            spellings = (places_on_page(phrase, rows) for phrase in term)
            places_of_terms.append(sorted({*chain(*spellings)}))
        if not all(places_of_terms):
            return
        if len(terms) > 1:
            matches = [] if page in listed else [nearest(places_of_terms)]
            listed.add(page)
        else:
            (matches,) = places_of_terms
            if is_similar:  # A row that has a hit has no similar place.
                matches = [match for match in matches if first + match[0] not in listed]
            listed |= {first + row for row, _, _ in matches}
        for row, last, place in matches:
            for address in places.of(first + row):
                yield hit_at(address, rows[row : last + 1], place, is_similar=is_similar)

    def _spotted(
        self, query: Query, number: int, places: "_Places", listed: set[int]
    ) -> Iterator[Hit]:
        """Yield the hits where the ink of a row may say a term that the row's text lacks.

        The text of the row's page has the other terms. Hits that are `listed` are left out; the
        others are listed.
        """
        others = (*query.terms[:number], *query.terms[number + 1 :])
        excluded = {page for term in query.excluded for page in self._pages(places, (term,))}
        for phrase in query.terms[number]:
            if others:
                pages = sorted({*self._pages(places, others)} - listed - excluded)
                chosen = np.array([n for page in pages for n in self._numbers(page)], int)
                rows = self._likely(phrase, places, (), chosen)
            else:
                left_out = (n for page in excluded for n in self._numbers(page))
                rows = self._likely(phrase, places, [*listed, *left_out])
            for step in _steps(rows):
                searched = self._rows(step.tolist())
                spotted = spotted_places(phrase, searched)
                for row, content, place in zip(step.tolist(), searched, spotted, strict=True):
                    key = places.page_of(row) if others else row
                    if place and key not in listed:
                        listed.add(key)
                        for address in places.of(row):
                            yield hit_at(address, [content], place)

    def _numbers(self, page: int) -> range:
        """Return the numbers of a page's rows."""
        first, count = self._rows_of[page - 1]
        return range(first, first + count)

    def _pages(
        self,
        places: "_Places",
        terms: Sequence[Term],
        excluded: Sequence[Term] = (),
        *,
        near: bool = False,
    ) -> list[int]:
        """Return the pages whose text has all terms and none that is excluded.

        The pages are in the order of the files. With `near`, some spelling of the terms stands near
        each other on each of them.
        """
        wanted = [self._expressions(term) for term in terms]
        if not all(wanted):
            return []
        if near:
            combinations = islice(product(*wanted), MAX_NEAR_SPELLINGS)
            wanted = [[f"NEAR({' '.join(phrases)}, {MAX_APART})" for phrases in combinations]]
        # An expression of FTS5, such as (("a") AND ("b" OR "c"*)) NOT ("d").
        match = " AND ".join(f"({' OR '.join(alternatives)})" for alternatives in wanted)
        for term in excluded:
            unwanted = self._expressions(term)
            if unwanted:
                match = f"({match}) NOT ({' OR '.join(unwanted)})"
        select = "SELECT rowid FROM texts WHERE texts MATCH ?"
        pages = [page for (page,) in self._database.execute(select, (match,))]
        return places.pages_in_order(pages)

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

    def current(self, files: Mapping[str, Path]) -> set[str]:
        """Return the names of the files that the index has, without those marked as changed."""
        select = "SELECT path FROM files WHERE state != ''"
        paths = {path for (path,) in self._database.execute(select).fetchall()}
        return {name for name, path in files.items() if _key(path) in paths}

    def files_below(self, folder: Path) -> dict[str, Path]:
        """Return the files of the index in a folder and its subfolders, by their paths in it."""
        parent = folder.resolve()
        paths = [Path(path) for (path,) in self._database.execute("SELECT path FROM files")]
        return {p.relative_to(parent).as_posix(): p for p in paths if p.is_relative_to(parent)}

    def unsure(self, path: Path) -> list[WordAddress]:
        """Return the addresses of the unsure words of a file."""
        places = self._places({"": path})
        addresses = []
        for stored_row in places.in_order(range(1, len(places.ranks))):
            (row_read,) = self._rows([int(stored_row)])
            for _, page, row in places.of(stored_row):
                for number, (_, confidence) in enumerate(row_read.words, 1):
                    if confidence < MIN_SURE_CONFIDENCE:
                        addresses.append((page, row, number))
        return addresses

    def doubtful(self, files: Mapping[str, Path], kind: str = "") -> Iterator[list[UnsureWord]]:
        """Yield the unsure words of files by name, in lists of words that were read as the same.

        The list of which the most words are expected to be wrong is the first. With `kind`, only
        the words are yielded that were read as this word, see `normalised_word`. A word of copied
        pages is yielded once.
        """
        places = self._places(files)
        for _, rows, *columns in self._unsure_kinds(places, [kind] if kind else ()):
            words = []
            for row, number, confidence, text in zip(rows, *columns, strict=True):
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
        self._read_unsure()
        near = reading.near(self._unsure.texts)
        of_kind = {kind.text: kind for kind in self._unsure_kinds(places, [*near])} if near else {}
        compared: list[tuple[int, int, int]] = []  # differing letters, row, and number in it
        for text in filter(of_kind.get, near):  # the nearest first
            kind = of_kind[text]
            compared += zip(repeat(near[text]), kind.rows, kind.numbers, strict=False)
        compared = compared[:BATCH]
        if not compared:
            return []
        distances, rows, numbers = zip(*compared, strict=True)
        contents = self._rows(rows)
        parts = [row.word(number - 1) for row, number in zip(contents, numbers, strict=True)]
        sure = reading.confidences(parts, distances)
        words = []
        for row, number, part, confidence in zip(rows, numbers, parts, sure, strict=True):
            addresses = [(name, (page, place, number)) for name, page, place in places.of(row)]
            is_new = not any(address in answered for address in addresses)
            if confidence >= MIN_CONFIDENCE and is_new:
                words.append(UnsureWord(*addresses[0], part.words[0][0], confidence))
        return sorted(words, key=lambda word: -word.confidence)

    def _unsure_kinds(self, places: "_Places", wanted: Collection[str] = ()) -> Iterator[Kind]:
        """Yield the kinds of unsure words at places, see `UnsureWords.kinds`."""
        self._read_unsure()
        # Rows may be in none of the files, or were added after `places` was made.
        ranks = np.full(self._unsure.last_row + 1, ABSENT_PLACE)
        ranks[: len(places.ranks)] = places.ranks[: len(ranks)]
        yield from self._unsure.kinds(ranks, ABSENT_PLACE, wanted)

    def _read_unsure(self) -> None:
        """Read the unsure words of the rows that are new."""
        select = "SELECT id, words FROM rows WHERE id > ? ORDER BY id"
        for row, words in self._database.execute(select, (self._unsure.last_row,)):
            try:
                self._unsure.add(row, json.loads(words))
            except (TypeError, ValueError):
                raise sqlite3.DatabaseError("a damaged row") from None

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

    def _likely(
        self,
        phrase: Phrase,
        places: "_Places",
        left_out: Sequence[int],
        chosen: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the rows of places in which the pairs of a phrase cost least, the cheapest first.

        A pair that a row lacks costs `ABSENT_PAIR`; each pair that it has saves the difference.
        Rows whose pairs cost more than those of a hit are left out.

        Args:
            left_out: rows that are left out.
            chosen: the rows among which they are; None for all.
        """
        if chosen is not None and len(chosen) <= MAX_CHOSEN:
            return chosen
        pairs = Counter(_pair(*pair) for pair in pairwise(phrase.symbols))
        saved = np.zeros(len(places.ranks), np.int32)
        for pair, times in pairs.items():
            select = "SELECT pair, block, rows, digest FROM pairs WHERE pair = ?"
            for _, block, packed in map(_without_digest, self._database.execute(select, (pair,))):
                rows = np.frombuffer(packed, "<u2").astype(np.int64)
                numbers = (block << BLOCK_BITS) + (rows >> COST_BITS)
                saved[numbers] += times * (ABSENT_PAIR - (rows & (1 << COST_BITS) - 1))
        saved[places.ranks == ABSENT_PLACE] = 0
        saved[[*left_out]] = 0
        if chosen is not None:
            saved[np.setdiff1d(np.arange(len(saved)), chosen)] = 0
        best = np.argpartition(-saved, min(MAX_ROWS, len(saved) - 1))[:MAX_ROWS]
        best = best[np.argsort(-saved[best], kind="stable")]
        min_saved = ABSENT_PAIR * pairs.total() - max_pair_cost(phrase)
        return best[saved[best] >= max(min_saved, 1)]

    def _rows(self, numbers: Sequence[int]) -> list[SearchedRow]:
        """Return the rows with these numbers, at most `BATCH` of them or those of a page."""
        places = ", ".join("?" * len(numbers))
        select = f"SELECT * FROM rows WHERE id IN ({places})"
        stored = {row[0]: row for row in self._database.execute(select, numbers)}
        rows = []
        for number in numbers:
            row = SearchedRow(*_without_digest(stored.get(number))[1:])
            rows.append(row._replace(words=json.loads(row.words), stops=json.loads(row.stops)))
        return rows

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

    def in_order(self, rows: Iterable[int]) -> np.ndarray:
        """Return the rows that stand in the files, in the order of their places."""
        numbers = np.array([*rows], np.int64)
        ranks = self.ranks[numbers]
        order = np.argsort(ranks, kind="stable")
        return numbers[order][ranks[order] != ABSENT_PLACE]

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
        page = self._page_of[row]
        for place in self._order[slice(*self._slices(page))].tolist():
            name = self._names[self._files[place]]
            yield name, int(self._page_numbers[place]), int(row - self._firsts[page]) + 1


def _steps(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield rows in growing parts: the first hits come soon, and all of them fast."""
    start = 0
    size = MIN_STEP
    while start < len(rows):
        yield rows[start : start + size]
        start += size
        size = min(2 * size, BATCH)


def _schema(database: sqlite3.Connection) -> list[tuple]:
    """Return the definitions of a database's tables and other objects."""
    return database.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()


def _with_digest(*values: Any) -> tuple:
    """Return the values of a row, and their digest."""
    content = repr(values).encode(errors="backslashreplace")
    return *values, hashlib.sha256(content).digest()[:8]


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
    return os.fsencode(path.resolve()).decode(errors="backslashreplace")


def _pair(first: str, second: str) -> int:
    return ord(first) << 21 | ord(second)  # A code point has 21 bits.
