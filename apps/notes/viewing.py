"""Searches, shows and corrects the notes of a folder for a viewer, and follows the folder."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

from apps.notes.corrections import longest, word_inks
from apps.notes.doubtful import UnsureWord
from apps.notes.exporting import TextForm, note_date, save, text_parts
from apps.notes.page_text import Note, PageRow, PageText, Summary, normalised_word
from apps.notes.page_view import page_values, thumbnail_values
from apps.notes.reading_cache import MIN_POINTS, Library
from apps.notes.searching import Query
from ink import formats, guard
from ink.formats.files import file_state
from ink.ink_page import InkPage
from utils.checks import ABSENT, UserError, described, printable
from utils.program import open_in_program

POLL_SECONDS = 2.0  # from one look at the folder to the next (assumed)
MAX_SHARE = 0.2  # of the time that looking at the folder takes, for large folders (assumed)
MAX_FAULTS = 20  # notes that could not be read, which the viewer lists (assumed)
SHOW_SECONDS = 0.5  # from one answer that has new notes to the next, while they are read (assumed)
FEW_WORDS = 12  # of a kind of doubtful words, in a list of kinds (assumed)
KIND_WORDS = 500  # of a kind that are confirmed at once (assumed: more than one looks at)
NUM_THUMBNAILS = 2_000  # which stay in memory (assumed: some 10 kB each)
PART_PAGES = 20  # of a file, which are parsed together (assumed: most notes are shorter)
NUM_PARTS = 16  # parts of files whose ink stays in memory (assumed: 16 notes)


@dataclass(frozen=True)
class ViewedNote:
    """A note of the folder: its file, the file's state, the day when it was made, what was read,
    and why the file in this state could not be read, if so."""

    path: Path
    state: str
    date: str
    summary: Summary = field(default_factory=Summary)
    fault: str = ""


@dataclass(frozen=True)
class Change:
    """The correction of a word of a note.

    Attributes:
        name: the note's name.
        address: numbers of page, row and word.
        ink: the word's ink, see `corrections.longest`.
        text: the right text; None removes the correction.
        undone: text of the correction that this one takes back, None if there was none; `ABSENT` if
            it takes none back.
    """

    name: str
    address: tuple[int, int, int]
    ink: str
    text: str | None
    undone: object = ABSENT


@dataclass(frozen=True)
class Chosen:
    """Which notes are looked at: those in a subfolder, from a date to another one, as
    `YYYY-MM-DD`; an empty text is no limit."""

    folder: str = ""
    since: str = ""
    until: str = ""

    def has(self, name: str, note: ViewedNote) -> bool:
        is_in = not self.folder or name.startswith(f"{self.folder}/")
        return is_in and self.since <= note.date <= (self.until or "9")


class Viewer:
    """The notes of a folder. Several threads may call its methods."""

    def __init__(
        self,
        folder: Path,
        make_library: Callable[[], Library],
        load: Callable[[], object] = lambda: None,
    ) -> None:
        """Keep a folder; `make_library` makes a library, of which the thread that follows the
        folder has its own, and `load` loads the network, so that a new note need not wait."""
        self._folder, self._load = folder, load
        self._library, self._reading = make_library(), make_library()
        self._lock = threading.RLock()
        self._parsing = threading.Lock()  # One child of the guard is enough.
        self._awake, self._is_closed = threading.Event(), False
        self._notes: dict[str, ViewedNote] = {}  # the newest first
        self._corrections = ""
        self._version, self._left, self._problem, self._is_looking = 0, 0, "", True
        self._answered: set[tuple[str, tuple[int, int, int]]] = set()  # since notes were read
        self._ink_pages = lru_cache(NUM_PARTS)(self._parsed)
        self._thumbnails = lru_cache(NUM_THUMBNAILS)(self._thumbnail)

    # Following the folder

    def follow(self) -> None:
        """Read notes that are new or have changed, until `close`."""
        while not self._is_closed:
            begin = time.monotonic()
            try:
                self.scan()
                self._problem, self._is_looking = "", False
                self._load()
            except Exception as error:  # It may be gone at the next look.
                self._problem, self._is_looking = _message(error), False
            elapsed = time.monotonic() - begin
            self._awake.wait(max(POLL_SECONDS, elapsed / MAX_SHARE))
            self._awake.clear()

    def close(self) -> None:
        """End `follow`."""
        self._is_closed = True
        self._awake.set()

    def scan(self) -> None:
        """Look at the folder, and read the notes that are new or have changed, newest first."""
        folder = self._reading.folder / "corrections"
        if (corrections := " ".join(map(file_state, sorted(folder.glob("*.json"))))) != (
            self._corrections
        ):
            self._reading.reload()
            with self._lock:
                self._library.reload()
                self._version += 1
            self._corrections = corrections
        files = guard.note_files(self._folder)
        current = self._reading.current(files)
        changed = []
        for name, path in files.items():
            note, state = self._notes.get(name), file_state(path)
            if note is None or note.state != state or not (note.fault or name in current):
                old = note.summary if note else Summary()
                changed.append((name, ViewedNote(path, state, note_date(path), old)))
        changed.sort(key=lambda item: item[1].date, reverse=True)
        notes, shown = {n: note for n, note in self._notes.items() if n in files}, time.monotonic()
        is_new = bool(changed) or len(notes) < len(self._notes)
        for number, (name, note) in enumerate(changed):
            self._left = len(changed) - number
            notes[name] = self._read(name, note)
            if time.monotonic() > shown + SHOW_SECONDS:
                self._show(notes)
                shown = time.monotonic()
        self._left = 0
        if is_new:
            self._show(notes)
            self.search("a", Chosen(), 1)  # so that the next search finds the index in memory

    def _read(self, name: str, note: ViewedNote) -> ViewedNote:
        """Return a note that was read; if it cannot be, with the fault and what it was before."""
        try:
            return replace(note, summary=self._reading.note(name, note.path).summary)
        except Exception as error:
            # The viewer shows the note's name before it.
            return replace(note, fault=_message(error).removeprefix(f"{note.path}: "))

    def _show(self, notes: Mapping[str, ViewedNote]) -> None:
        by_date = sorted(notes.items(), key=lambda item: item[1].date, reverse=True)
        with self._lock:
            read = {n for n, note in by_date if self._notes.get(n) is not note}
            self._answered = {word for word in self._answered if word[0] not in read}
            self._notes, self._version = dict(by_date), self._version + 1

    # Answers, as JSON values

    def state(self) -> dict[str, Any]:
        """Return what there is; `version` changes with it."""
        notes = [*self._notes.items()]
        faults = [
            f"{printable(name)}: {fault}"
            for name, note in notes
            for fault in ([note.fault] if note.fault else note.summary.faults)
        ]
        return {
            "folder": self._folder.resolve().name,
            "version": self._version,
            "notes": len(notes),
            "left": self._left,
            **{
                key: sum(getattr(note.summary, key) for _, note in notes)
                for key in ("pages", "words", "unsure")
            },
            "isLooking": self._is_looking,
            "problem": self._problem,
            "numFaults": len(faults),
            "faults": faults[:MAX_FAULTS],
        }

    def notes(self) -> dict[str, Any]:
        """Return the name, date, pages and doubtful words of all notes, and a number that changes
        with the file, the newest first."""
        notes = [*self._notes.items()]
        return {
            "notes": [
                (name, n.date, n.summary.pages, n.summary.unsure, crc32(n.state.encode()))
                for name, n in notes
            ]
        }

    def search(self, query: str, chosen: Chosen, count: int) -> dict[str, Any]:
        """Return the first `count` hits of a query, and whether there are more."""
        wanted = Query.of(query)
        if not wanted.terms:
            return {"hits": [], "more": False}
        with self._lock:
            notes = {
                name: note
                for name, note in self._chosen(chosen).items()
                if wanted.has(name, lambda day=note.date: day)
            }
            files = {name: note.path for name, note in notes.items()}
            hits = self._library.first_hits(wanted, files, count + 1)
        listed = [
            hit._asdict() | {"numWords": hit.num_words, "date": notes[hit.name].date}
            for hit in hits
        ]
        return {"hits": listed[:count], "more": len(hits) > count}

    def unread(self, chosen: Chosen, count: int) -> dict[str, Any]:
        """Return the first `count` places where text may be that was not read."""
        places = (
            {"name": name, "page_number": page, "place": place, "text": text, "date": note.date}
            for name, note in [*self._notes.items()]
            if chosen.has(name, note)
            for page, place, text in _left_places(note.summary)
        )
        listed = [*islice(places, count + 1)]
        return {"hits": listed[:count], "more": len(listed) > count}

    def page(
        self, name: str, number: int, row: int | None = None, place: int | None = None
    ) -> dict[str, Any]:
        """Return a page of a note, or a clipping of one of its rows or unread places.

        Raises:
            UserError, OSError: if there is no such page, or its file cannot be read.
        """
        note = self._note(name)
        page, text = self._page(note, number)
        clip = text.left_places[place] if place is not None else None
        clip = text.rows[row - 1].box if row is not None else clip
        values = page_values(page, text, self._library.corrections, clip)
        about = {"name": name, "number": number, "pages": note.summary.pages, "date": note.date}
        if not clip:
            about["text"] = "".join(text_parts([Note(name, [(page, text)])], TextForm(True)))
        return values | about

    def thumbnail(self, name: str) -> dict[str, Any]:
        """Return the first page of a note in few bytes, see `thumbnail_values`.

        Raises:
            UserError, OSError: if the file cannot be read.
        """
        note = self._note(name)
        return self._thumbnails(note.path, file_state(note.path))

    def pdf(self, name: str) -> bytes:
        """Return a note as a PDF that can be searched.

        Raises:
            UserError, OSError: see `Library.note` and `notes.save`.
        """
        path = self._note(name).path
        with self._lock:
            note = self._library.note(name, path)
        with TemporaryDirectory() as folder:
            file = Path(folder, "note.pdf")
            save([replace(note, name=note.title, path=None)], file)
            return file.read_bytes()

    def open(self, name: str) -> dict[str, Any]:
        """Open a note in the program that the system has for it.

        Raises:
            UserError: see `open_in_program`.
        """
        path = self._note(name).path
        if path.suffix in (".content", ".rm"):
            raise UserError(f"{printable(name)}: only the tablet opens its documents")
        open_in_program(path)
        return {}

    def _chosen(self, chosen: Chosen) -> dict[str, ViewedNote]:
        return {name: note for name, note in self._notes.items() if chosen.has(name, note)}

    def _kinds(self, chosen: Chosen, count: int, kind: str = "") -> list[list[UnsureWord]]:
        """Return the doubtful words of the first kinds, see `Index.doubtful`, without answered
        ones."""
        with self._lock:
            files = {name: note.path for name, note in self._chosen(chosen).items()}
            return self._library.doubtful(files, count, self._answered, kind)

    def kinds(self, chosen: Chosen, count: int, kind: str = "") -> dict[str, Any]:
        """Return the first `count` kinds of doubtful words, those first of which the most are
        expected to be wrong, with some of their words; with `kind` all words of this kind."""
        kinds, num_words = self._kinds(chosen, count + 1, kind), KIND_WORDS if kind else FEW_WORDS
        listed = [
            {
                "kind": normalised_word(words[0].text),
                "text": Counter(word.text for word in words).most_common(1)[0][0],
                "count": min(len(words), KIND_WORDS),
                "wrong": sum(1 - word.confidence for word in words[:KIND_WORDS]),
                "words": [word._asdict() for word in words[:num_words]],
            }
            for words in kinds[:count]
        ]
        return {"kinds": listed, "more": len(kinds) > count}

    def confirm(self, kind: str, count: int, chosen: Chosen) -> dict[str, Any]:
        """Confirm that the first `KIND_WORDS` doubtful words of a kind were read right, and return
        what `correct` returns; `count` is the number of these words that was shown.

        Raises:
            UserError: if there are more words, or see `correct`.
        """
        words = [word for words in self._kinds(chosen, 1, kind) for word in words][:KIND_WORDS]
        if len(words) > count:
            raise UserError("more such words were read meanwhile; look at them again")
        changes = []
        for name, address, text, _ in words:
            number, row, word = address
            page, page_text = self._page(self._note(name), number)
            rows = page_text.rows[row - 1 : row]
            read = rows[0].words[word - 1 : word] if rows and rows[0].strokes else ()
            if read and read[0].text == text and not read[0].is_sure:
                ink = word_inks(page, rows[0])[word - 1]
                if sum(ink.values()) >= MIN_POINTS:
                    changes.append(Change(name, address, longest(ink), text))
        return self.correct(changes)

    def doubtful(
        self, name: str, address: tuple[int, int, int], step: int, chosen: Chosen, kind: str = ""
    ) -> dict[str, Any]:
        """Return the next unsure word behind an address (`step` 1), or before it (-1); with `kind`,
        the next word of this kind."""
        if kind:
            ranks = {n: rank for rank, n in enumerate(self._notes)}
            here = ranks.get(name, -1), address
            words = [word for words in self._kinds(chosen, 1, kind) for word in words][::step]
            for word in words:
                place = ranks.get(word.name, -1), word.address
                if place > here if step > 0 else place < here:
                    return {"name": word.name, "address": word.address}
            return {}
        with self._lock:
            names = [n for n, note in self._notes.items() if chosen.has(n, note)][::step]
            start = names.index(name) if name in names else 0
            for other in names[start:]:
                if not self._notes[other].summary.unsure:
                    continue
                words = self._library.unsure(self._notes[other].path)[::step]
                for word in words:
                    is_behind = other != name or (word > address if step > 0 else word < address)
                    if is_behind and (other, word) not in self._answered:
                        return {"name": other, "address": word}
        return {}

    def correct(self, changes: Sequence[Change]) -> dict[str, Any]:
        """Correct words: all, or none if one is refused. Return the changes that take this back,
        `undo`, and the `version`.

        Raises:
            UserError: if there are none, a word or the correction that is `undone` has changed, or
                see `Library.correct`.
            OSError: if the corrections cannot be written.
        """
        with self._lock:
            corrections = self._library.corrections
            if any(change.undone is not ABSENT for change in changes):
                corrections.reload()  # Another process may have corrected the word.
            places = [self._place(change) for change in changes]
            numbers = [change.address[2] for change in changes]

            def texts() -> list[str | None]:
                found = (corrections.of_row(*place) for place in places)
                words = (row[n - 1] for row, n in zip(found, numbers, strict=True))
                return [word and word.text for word in words]

            before = texts()
            for change, text in zip(changes, before, strict=True):
                if change.undone not in (ABSENT, text):
                    raise UserError("this word was corrected again, or its correction taken back")
            if not changes:
                raise UserError("these words have changed; look at them again")
            note = Note(changes[0].name, [(page, PageText((row,))) for page, row in places])
            addresses = ((page, 1, number) for page, number in enumerate(numbers, 1))
            texts_to_be = (change.text for change in changes)
            self._library.correct(note, zip(addresses, texts_to_be, strict=True))
            undo = [
                {"name": c.name, "address": c.address, "ink": c.ink, "text": old, "undone": now}
                for c, old, now in zip(changes, before, texts(), strict=True)
            ]
            self._answered |= {(change.name, change.address) for change in changes}
            self._version += 1
            version = self._version
        self._awake.set()
        return {"undo": undo, "version": version}

    def _place(self, change: Change) -> tuple[InkPage, PageRow]:
        """Return the page and the row of a word; raise a UserError if its ink is another one."""
        number, row, word = change.address
        page, text = self._page(self._note(change.name), number)
        rows = text.rows[row - 1 : row]
        inks = word_inks(page, rows[0]) if rows and rows[0].strokes else []
        if row < 1 or [*map(longest, inks)][word - 1 : word] != [change.ink] or not change.ink:
            raise UserError("this word has changed; look at the page again")
        return page, rows[0]

    def _note(self, name: str) -> ViewedNote:
        if name not in self._notes:
            raise UserError(f"{printable(name)}: no such note is in the folder")
        return self._notes[name]

    def _page(self, note: ViewedNote, number: int) -> tuple[InkPage, PageText]:
        part, index = divmod(number - 1, PART_PAGES)
        with self._parsing:
            pages = self._ink_pages(note.path, file_state(note.path), part)
        if not 0 <= index < len(pages):
            raise UserError(f"{note.path}: has no page {number}")
        return pages[index], self._library.text_of(pages[index])

    def _thumbnail(self, path: Path, _: str) -> dict[str, Any]:
        """Return the thumbnail of a file; the file's state is a key of the cache."""
        with self._parsing:
            return thumbnail_values(guard.call(formats.first_page, path))

    def _parsed(self, path: Path, _: str, part: int) -> list[InkPage]:
        """Return a part of a file's pages; the file's state is a key of the cache."""
        # A generator that is not read to its end ends the child of the guard; most are.
        pages = guard.read_pages(path, any_pdf=self._library.any_pdf)
        return [*islice(pages, PART_PAGES * part, PART_PAGES * (part + 1))]


def _left_places(summary: Summary) -> Iterator[tuple[int, int, str]]:
    """Yield the page, the number in `PageText.left_places` and what is to be said of each place."""
    titles = [(page, "may be text") for page, _ in summary.unread]
    titles += [(page, "crossed out") for page, _ in summary.crossed_out]
    for page in sorted({page for page, _ in titles}):
        of_page = [title for number, title in titles if number == page]
        yield from ((page, place, title) for place, title in enumerate(of_page))


def _message(error: Exception) -> str:
    return str(error) if isinstance(error, UserError | OSError) else described(error)
