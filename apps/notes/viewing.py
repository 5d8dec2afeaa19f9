"""Searches, shows and corrects the notes of a folder for a viewer, and follows the folder."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

from apps.notes.corrections import Corrections, longest, word_inks
from apps.notes.doubtful import UnsureWord, WordAddress
from apps.notes.exporting import TextForm, note_date, save, text_parts
from apps.notes.learning import Learning
from apps.notes.page_text import Note, PageRow, PageText, Summary, normalised_word
from apps.notes.page_view import page_values, thumbnail_values
from apps.notes.reading_cache import MIN_POINTS, Library
from apps.notes.searching import Query
from ink import formats, guard
from ink.formats.files import file_state
from ink.ink_page import InkPage
from utils.checks import ABSENT, UserError, described, printable
from utils.program import open_in_program

POLL_SECONDS = 2.0  # from one scan of the folder to the next (assumed)
MAX_SCAN_FRACTION = 0.2  # fraction of the time that scans of a large folder take (assumed)
MAX_FAULTS = 20  # number of notes that could not be read, which the viewer lists (assumed)
SHOW_SECONDS = 0.5  # from one answer with new notes to the next, while notes are read (assumed)
MAX_LISTED_WORDS = 12  # number of doubtful words of a kind, in a list of kinds (assumed)
MAX_CONFIRMED_WORDS = 500  # number of words that are confirmed at once (assumed)
NUM_THUMBNAILS = 2_000  # number of thumbnails in memory (assumed: some 10 kB each)
PART_PAGES = 20  # number of pages of a file that are parsed together (assumed: most have fewer)
NUM_PARTS = 16  # number of parts of files whose ink stays in memory (assumed: 16 notes)


@dataclass(frozen=True)
class ViewedNote:
    """A note of the folder.

    Attributes:
        path, state: the file, and its state.
        date: day when the note was made.
        summary: summary of the note when it was last read.
        fault: the reason for which the file in this state could not be read; empty if it was read.
    """

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
        address: the word's place in the note.
        ink: the word's ink, see `corrections.longest`.
        text: the right text; None removes the correction.
        undone: text of the correction that this one takes back, None if there was none; `ABSENT` if
            it takes none back.
    """

    name: str
    address: WordAddress
    ink: str
    text: str | None
    undone: object = ABSENT


@dataclass(frozen=True)
class NoteFilter:
    """Limits on the notes that a viewer shows; an empty text is no limit.

    Attributes:
        folder: a subfolder.
        since, until: dates `YYYY-MM-DD` of the first and the last notes.
    """

    folder: str = ""
    since: str = ""
    until: str = ""

    def has(self, name: str, note: ViewedNote) -> bool:
        is_in = not self.folder or name.startswith(f"{self.folder}/")
        until = self.until or "9"  # behind every date
        return is_in and self.since <= note.date <= until


class Viewer:
    """The notes of a folder. Several threads may call its methods."""

    def __init__(
        self,
        folder: Path,
        make_library: Callable[[], Library],
        load: Callable[[], object] = lambda: None,
        learning: Learning | None = None,
    ) -> None:
        """Make a viewer; it reads no notes yet.

        Args:
            folder: the folder of notes.
            make_library: makes a library of what the present reader reads; the thread that follows
                the folder uses a second one.
            load: loads the network, so that a new note need not wait.
            learning: lets the reader learn; None if it cannot.
        """
        self._folder = folder
        self._load = load
        self._learning = learning
        self._make_library = make_library
        self._library = make_library()
        self._reading = make_library()  # of the thread that follows the folder
        self._lock = threading.RLock()
        self._parsing = threading.Lock()  # One child of the guard is enough.
        self._awake = threading.Event()
        self._is_closed = False
        self._notes: dict[str, ViewedNote] = {}  # the newest first
        self._corrections = ""
        self._version = 0
        self._left = 0
        self._problem = ""
        self._is_looking = True
        # The words that a person answered since their notes were read: the notes' names, addresses.
        self._answered: set[tuple[str, WordAddress]] = set()
        self._ink_pages = lru_cache(NUM_PARTS)(self._parsed)
        self._thumbnails = lru_cache(NUM_THUMBNAILS)(self._thumbnail)

    # Following the folder

    def follow(self) -> None:
        """Read notes that are new or have changed, until `close`."""
        while not self._is_closed:
            begin = time.monotonic()
            try:
                self.scan()
                self._problem = ""
                self._is_looking = False
                self._load()
            except Exception as error:  # It may be gone at the next look.
                self._problem = _message(error)
                self._is_looking = False
            elapsed = time.monotonic() - begin
            self._awake.wait(max(POLL_SECONDS, elapsed / MAX_SCAN_FRACTION))
            self._awake.clear()

    def close(self) -> None:
        """End `follow`, and a learning that is under way."""
        self._is_closed = True
        if self._learning:
            self._learning.stop()
        self._awake.set()

    def scan(self) -> None:
        """Look at the folder, and read the notes that are new or have changed, newest first; all
        notes if the reader is another one."""
        is_other_reader = self._take_reader()
        folder = self._reading.folder / "corrections"
        corrections = " ".join(map(file_state, sorted(folder.glob("*.json"))))
        if corrections != self._corrections:
            self._reading.reload()
            with self._lock:
                self._library.reload()
                self._version += 1
            self._corrections = corrections
        files = guard.note_files(self._folder)
        current = self._reading.current(files)
        changed = []
        for name, path in files.items():
            note = self._notes.get(name)
            state = file_state(path)
            is_unchanged = note and note.state == state and not is_other_reader
            is_read = note and is_unchanged and (note.fault or name in current)
            if not is_read:
                summary = note.summary if note else Summary()  # until the note is read
                changed.append((name, ViewedNote(path, state, note_date(path), summary)))
        changed.sort(key=lambda item: item[1].date, reverse=True)
        notes = {n: note for n, note in self._notes.items() if n in files}
        shown = time.monotonic()
        has_changes = bool(changed) or len(notes) < len(self._notes)
        for number, (name, note) in enumerate(changed):
            self._left = len(changed) - number
            notes[name] = self._read(name, note)
            if time.monotonic() > shown + SHOW_SECONDS:
                self._show(notes)
                shown = time.monotonic()
        self._left = 0
        if has_changes:
            self._show(notes)
            self.search("a", NoteFilter(), 1)  # so that the next search finds the index in memory

    def _take_reader(self) -> bool:
        """Use the libraries of the present reader, and return whether it is another one."""
        reading = self._make_library()
        if reading.reader == self._reading.reader:
            return False
        self._reading = reading
        with self._lock:
            self._library = self._make_library()
            self._version += 1
        return True

    def _read(self, name: str, note: ViewedNote) -> ViewedNote:
        """Read a note, and return it with its summary, or else with the fault that prevents it."""
        try:
            return replace(note, summary=self._reading.note(name, note.path).summary)
        except Exception as error:
            # The viewer shows the note's name before it.
            return replace(note, fault=_message(error).removeprefix(f"{note.path}: "))

    def _show(self, notes: Mapping[str, ViewedNote]) -> None:
        """Let the answers have these notes; forget the answered words of notes that were read."""
        by_date = sorted(notes.items(), key=lambda item: item[1].date, reverse=True)
        with self._lock:
            read = {name for name, note in by_date if self._notes.get(name) is not note}
            self._answered = {
                (name, address) for name, address in self._answered if name not in read
            }
            self._notes = dict(by_date)
            self._version += 1

    # Answers, as JSON values

    def state(self) -> dict[str, Any]:
        """Return the state of the folder and its notes; `version` changes with it."""
        notes = [*self._notes.items()]
        faults = []
        for name, note in notes:
            of_note = [note.fault] if note.fault else note.summary.faults
            faults += [f"{printable(name)}: {fault}" for fault in of_note]
        return {
            "folder": self._folder.resolve().name,
            "version": self._version,
            "notes": len(notes),
            "left": self._left,
            "pages": sum(note.summary.pages for _, note in notes),
            "words": sum(note.summary.words for _, note in notes),
            "unsure": sum(note.summary.unsure for _, note in notes),
            "isLooking": self._is_looking,
            "problem": self._problem or "; ".join(self._library.corrections.faults),
            "numFaults": len(faults),
            "faults": faults[:MAX_FAULTS],
            "learning": self._learning.state() if self._learning else {},
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

    def search(self, query: str, chosen: NoteFilter, count: int) -> dict[str, Any]:
        """Return the first `count` hits of a query, and whether there are more; for a query without
        terms, such as `in:folder -word`, also the names of its `notes`."""
        parsed = Query.of(query)
        files = {}
        dates = {}
        with self._lock:
            for name, note in self._chosen(chosen).items():
                # A function, as other callers have to read a file for the date.
                if parsed.has(name, partial(str, note.date)):
                    files[name] = note.path
                    dates[name] = note.date
            if not parsed.terms:
                notes = {} if parsed.is_empty else {"notes": self._library.notes(parsed, files)}
                return {"hits": [], "more": False} | notes
            hits = self._library.first_hits(parsed, files, count + 1)
        listed = [
            hit._asdict() | {"numWords": hit.num_words, "date": dates[hit.name]} for hit in hits
        ]
        return {"hits": listed[:count], "more": len(hits) > count}

    def unread(self, chosen: NoteFilter, count: int) -> dict[str, Any]:
        """Return the first `count` places where text may be that was not read."""
        places = []
        for name, note in self._chosen(chosen).items():
            for page, place, text in _missed_places(note.summary):
                hit = {"name": name, "page_number": page, "place": place, "text": text}
                places.append(hit | {"date": note.date})
            if len(places) > count:
                break
        return {"hits": places[:count], "more": len(places) > count}

    def page(
        self, name: str, number: int, row: int | None = None, place: int | None = None
    ) -> dict[str, Any]:
        """Return a page of a note, or a clipping of one of its rows or unread places.

        Raises:
            UserError, OSError: if there is no such page, or its file cannot be read.
        """
        note = self._note(name)
        page, text = self._page(note, number)
        clip = None
        if place is not None:
            clip = text.missed_boxes[place]
        if row is not None:
            clip = text.rows[row - 1].box
        values = page_values(page, text, self._library.corrections, clip)
        about = {"name": name, "number": number, "pages": note.summary.pages, "date": note.date}
        if not clip:
            note_of_page = Note(name, [(page, text)])
            about["text"] = "".join(text_parts([note_of_page], TextForm(is_prose=True)))
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

    def learn(self) -> dict[str, Any]:
        """Let the reader begin to learn the corrected rows of the notes; `state` says how far it
        is. The notes are then read again.

        Raises:
            UserError: see `Learning.begin`.
        """
        return self._learned(Learning.begin)

    def stop_learning(self) -> dict[str, Any]:
        """End the learning that is under way."""
        return self._learned(Learning.stop)

    def forget(self) -> dict[str, Any]:
        """Remove the reader that has learned; the notes are then read again.

        Raises:
            UserError, OSError: see `Learning.forget`.
        """
        return self._learned(Learning.forget)

    def _learned(self, act: Callable[[Learning], None]) -> dict[str, Any]:
        """Take an action, and return the state of the learning."""
        if self._learning is None:
            raise UserError("this viewer's reader cannot learn")
        act(self._learning)
        self._awake.set()
        return {"learning": self._learning.state()}

    def _chosen(self, chosen: NoteFilter) -> dict[str, ViewedNote]:
        notes = [*self._notes.items()]  # Another thread may add notes.
        return {name: note for name, note in notes if chosen.has(name, note)}

    def _kinds(self, chosen: NoteFilter, count: int, kind: str = "") -> list[list[UnsureWord]]:
        """Return the doubtful words of the first kinds, see `Index.doubtful`, without answered
        ones."""
        with self._lock:
            files = {name: note.path for name, note in self._chosen(chosen).items()}
            return self._library.doubtful(files, count, self._answered, kind)

    def _words_of_kind(self, chosen: NoteFilter, kind: str) -> list[UnsureWord]:
        return [*chain(*self._kinds(chosen, 1, kind))]

    def kinds(self, chosen: NoteFilter, count: int, kind: str = "") -> dict[str, Any]:
        """Return the first `count` kinds of doubtful words, those first of which the most are
        expected to be wrong, with some of their words; with `kind` all words of this kind."""
        kinds = self._kinds(chosen, count + 1, kind)
        num_words = MAX_CONFIRMED_WORDS if kind else MAX_LISTED_WORDS
        listed = []
        for words in kinds[:count]:
            [(spelling, _)] = Counter(word.text for word in words).most_common(1)
            values = {
                "kind": normalised_word(words[0].text),
                "text": spelling,
                "count": min(len(words), MAX_CONFIRMED_WORDS),
                "wrong": sum(1 - word.confidence for word in words[:MAX_CONFIRMED_WORDS]),
                "words": [word._asdict() for word in words[:num_words]],
            }
            listed.append(values)
        return {"kinds": listed, "more": len(kinds) > count}

    def confirm(self, kind: str, count: int, chosen: NoteFilter) -> dict[str, Any]:
        """Confirm that the first `MAX_CONFIRMED_WORDS` doubtful words of a kind were read right.

        Return the answer of `correct`.

        Args:
            count: the number of words that was shown.

        Raises:
            UserError: if there are more words than `count`, or see `correct`.
        """
        words = self._words_of_kind(chosen, kind)[:MAX_CONFIRMED_WORDS]
        if len(words) > count:
            raise UserError("more such words were read meanwhile; look at them again")
        return self.correct(self._changes((word, word.text) for word in words))

    def alike(self, name: str, address: WordAddress) -> dict[str, Any]:
        """Return the words of all notes that look like a corrected word, see `Index.alike`, each
        with what was read and the text that it probably is.

        Raises:
            UserError, OSError: if there is no such page, or its file cannot be read.
        """
        number, row, word = address
        page, text = self._page(self._note(name), number)
        rows = text.rows[row - 1 : row]  # Empty if the page has no such row any more.
        with self._lock:
            corrections = self._library.corrections.of_row(page, rows[0]) if rows else []
            correction = next(iter(corrections[word - 1 : word]), None)
            if correction is None:
                return {"text": "", "words": []}
            reading = correction.reading
            files = {other: note.path for other, note in self._notes.items()}
            alike = self._library.alike(reading, files, self._answered | {(name, address)})
        words = []
        for other in alike:
            texts = {"read": other.text, "text": reading.corrected(other.text)}
            words.append(other._asdict() | texts)
        return {"text": correction.text, "words": words}

    def accept(self, words: Sequence[tuple[UnsureWord, str]]) -> dict[str, Any]:
        """Correct words that look like a corrected one, each with its right text.

        Return the answer of `correct`.

        Raises:
            UserError: see `correct`.
        """
        return self.correct(self._changes(words))

    def _changes(self, words: Iterable[tuple[UnsureWord, str]]) -> list[Change]:
        """Return the corrections of unsure words, each with its right text, without those that
        were read anew as another word, or corrected, meanwhile."""
        changes = []
        for (name, address, read, _), text in words:
            number, row, word = address
            page, page_text = self._page(self._note(name), number)
            # Both are empty if the page has no such word any more.
            rows = page_text.rows[row - 1 : row]
            read_now = rows[0].words[word - 1 : word] if rows and rows[0].strokes else ()
            if read_now and read_now[0].text == read and not read_now[0].is_sure:
                ink = word_inks(page, rows[0])[word - 1]
                if ink.num_points >= MIN_POINTS:
                    changes.append(Change(name, address, longest(ink.strokes), text))
        return changes

    def doubtful(
        self,
        name: str,
        address: WordAddress,
        step: int,
        chosen: NoteFilter,
        kind: str = "",
    ) -> dict[str, Any]:
        """Return the next unsure word behind an address (`step` 1), or before it (-1); with `kind`,
        the next word of this kind."""
        if kind:
            ranks = {n: rank for rank, n in enumerate(self._notes)}  # as the viewer lists them
            start = ranks.get(name, -1), address
            words = self._words_of_kind(chosen, kind)[::step]
            for word in words:
                place = ranks.get(word.name, -1), word.address
                is_behind = place > start if step > 0 else place < start
                if is_behind:
                    return {"name": word.name, "address": word.address}
            return {}
        with self._lock:
            # Backwards if `step` is -1, as the words of each note below.
            names = [n for n, note in self._notes.items() if chosen.has(n, note)][::step]
            first = names.index(name) if name in names else 0
            for other in names[first:]:
                if not self._notes[other].summary.unsure:
                    continue
                addresses = self._library.unsure(self._notes[other].path)[::step]
                for next_address in addresses:
                    is_behind = next_address > address if step > 0 else next_address < address
                    is_next = is_behind or other != name
                    if is_next and (other, next_address) not in self._answered:
                        return {"name": other, "address": next_address}
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
            before = _corrected_texts(corrections, places, numbers)
            for change, text in zip(changes, before, strict=True):
                if change.undone not in (ABSENT, text):
                    raise UserError("this word was corrected again, or its correction taken back")
            if not changes:
                problem = "have changed, or too little ink to be recognised again"
                raise UserError(f"these words {problem}; look at them again")
            note = Note(changes[0].name, [(page, PageText((row,))) for page, row in places])
            addresses = ((page, 1, number) for page, number in enumerate(numbers, 1))
            new_texts = (change.text for change in changes)
            self._library.correct(note, zip(addresses, new_texts, strict=True))
            after = _corrected_texts(corrections, places, numbers)
            undo = [
                {"name": c.name, "address": c.address, "ink": c.ink, "text": old, "undone": new}
                for c, old, new in zip(changes, before, after, strict=True)
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
        digests = [longest(ink.strokes) for ink in inks][word - 1 : word]
        if row < 1 or not change.ink or digests != [change.ink]:
            raise UserError("this word has changed; look at the page again")
        return page, rows[0]

    def _note(self, name: str) -> ViewedNote:
        if name not in self._notes:
            raise UserError(f"{printable(name)}: no such note is in the folder")
        return self._notes[name]

    def _page(self, note: ViewedNote, number: int) -> tuple[InkPage, PageText]:
        """Return a page of a note, by its number from 1, and its text."""
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
        # A generator that is not read to its end ends the guard's child process; most notes have
        # one part alone.
        pages = guard.read_pages(path, any_pdf=self._library.any_pdf)
        return [*islice(pages, PART_PAGES * part, PART_PAGES * (part + 1))]


def _corrected_texts(
    corrections: Corrections, places: Sequence[tuple[InkPage, PageRow]], numbers: Sequence[int]
) -> list[str | None]:
    """Return the texts of the corrections of words, None without a correction; `numbers` are those
    of the words in their rows, from 1."""
    texts = []
    for (page, row), number in zip(places, numbers, strict=True):
        correction = corrections.of_row(page, row)[number - 1]
        texts.append(correction.text if correction else None)
    return texts


def _missed_places(summary: Summary) -> Iterator[tuple[int, int, str]]:
    """Yield the page, the index in `PageText.missed_boxes`, and a title of each missed place."""
    titles = [(page, "may be text") for page, _ in summary.unread]
    titles += [(page, "crossed out") for page, _ in summary.crossed_out]
    for page in sorted({page for page, _ in titles}):
        page_titles = [title for number, title in titles if number == page]
        yield from ((page, index, title) for index, title in enumerate(page_titles))


def _message(error: Exception) -> str:
    return str(error) if isinstance(error, UserError | OSError) else described(error)
