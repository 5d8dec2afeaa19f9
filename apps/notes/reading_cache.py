"""Caches the texts of pages, and stores their index and a person's corrections in a folder."""

import hashlib
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from apps.notes.alike import Reading
from apps.notes.corrections import Correction, Corrections, Ink, word_inks
from apps.notes.doubtful import UnsureWord, WordAddress
from apps.notes.exporting import TextForm, note_date, save
from apps.notes.index import Index, IndexedPage
from apps.notes.page_text import Note, PageText
from apps.notes.searching import Hit, Query
from apps.notes.vault import is_sealed
from ink import guard
from ink.drawing.covering import unseen
from ink.formats.files import file_state
from ink.ink_page import InkPage, ink_bytes
from utils.checks import DataError, UserError, first_of, printable
from utils.files import read_bytes, user_cache, write_json

READING_VERSION = 11
"""Version of the reading and of the cached texts; texts of another version are not used."""
INDEX_VERSION = 6
"""Version of the index; an index of another version is not used."""
SAVED_VERSION = 3
"""Version of saved files; those of another version are saved again."""
MIN_POINTS = 3
"""Minimum points of a word that can be corrected: less ink is not recognised again (assumed)."""

Result = TypeVar("Result")


def notes_folder() -> Path:
    """Return the folder in the user's cache folder where libraries store their files."""
    return user_cache() / "notes"


@dataclass(frozen=True)
class Library:
    """Caches the texts of pages, and stores a person's corrections.

    Pages and corrected words are identified by their ink, in whatever file the ink is.

    Attributes:
        read: reads a page.
        reader: identifier of the network and the options of `read`, such as a digest; texts that
            another reader has read are not used.
        folder: folder of the stored files.
        any_pdf: whether a note may annotate a PDF outside its folder (see `read_pages`).
    """

    read: Callable[[InkPage], PageText]
    reader: str
    folder: Path = field(default_factory=notes_folder)
    any_pdf: bool = False

    @cached_property
    def corrections(self) -> Corrections:
        """The stored corrections."""
        return Corrections(self.folder / "corrections")

    @cached_property
    def _index(self) -> Index:
        version = f"{READING_VERSION} {INDEX_VERSION} {self.reader}"
        digest = hashlib.sha256(version.encode()).hexdigest()
        path = self.folder / "index" / f"{digest[:32]}.sqlite"
        return Index(path, self.corrections.all)

    def note(self, name: str, path: Path) -> Note:
        """Read, cache and index all pages of a file (see `read_pages`), unless its state is already
        indexed, and return its note; show a progress bar in a terminal.

        Raises:
            DataError: see `read_pages`; also if each page takes too long to read.
        """
        pages = _Pages(self, path)
        state = self._state(path)
        summary = self._indexed(lambda index: index.summary(path, state))
        if summary is None:
            shown = tqdm(pages, printable(name), unit="page", leave=False, disable=None)
            indexed = [IndexedPage.of(page, text) for page, text in shown]
            summary = self._indexed(lambda index: index.add(path, state, indexed))
        if summary.slow and len(summary.slow) == summary.pages:
            raise DataError(f"{path}: {first_of(summary.faults)}")
        return Note(name, pages, summary, path)

    def _state(self, path: Path) -> str:
        """Return the state of a file; a note is read again if it changes."""
        return f"{file_state(path)} {self.any_pdf}"

    def has(self, path: Path) -> bool:
        """Return whether a file is indexed in its present state."""
        state = self._state(path)
        return self._indexed(lambda index: index.summary(path, state)) is not None

    def read_ahead(self, path: Path) -> None:
        """Cache the texts of a file's pages. Other processes call this for new files: `note` then
        finds the texts, and the file's faults."""
        for _ in _Pages(self, path):
            pass

    def search(self, query: str, files: Mapping[str, Path]) -> tuple[list[Hit], list[Hit]]:
        """Return the hits of a query, see `Query.of`, in files by name, and places with words that
        differ from the query by a letter or two."""
        parsed = Query.of(query)
        searched = searched_files(parsed, files)

        def search_all(index: Index) -> tuple[list[Hit], list[Hit]]:
            states = index.states(searched)
            for name, path in searched.items():
                if states[name] != self._state(path):  # The index may be new.
                    self.note(name, path)
            return index.search(parsed, searched)

        return self._indexed(search_all)

    def notes(self, query: Query, files: Mapping[str, Path]) -> list[str]:
        """Return the names that a query without terms lists, see `Index.notes`, of files that it
        searches and that were read."""
        return self._indexed(lambda index: index.notes(query, files))

    def first_hits(self, query: Query, files: Mapping[str, Path], count: int) -> list[Hit]:
        """Return the first `count` hits, see `Index.hits`, in those of the files that were read."""
        return self._indexed(lambda index: [*islice(index.hits(query, files), count)])

    def unsure(self, path: Path) -> list[WordAddress]:
        """Return the addresses of the unsure words of a file that was read."""
        return self._indexed(lambda index: index.unsure(path))

    def doubtful(
        self, files: Mapping[str, Path], num_kinds: int, answered: Container[tuple], kind: str = ""
    ) -> list[list[UnsureWord]]:
        """Return the unsure words of the first kinds, see `Index.doubtful`; words whose name and
        address are in `answered` are left out."""

        def kinds(index: Index) -> Iterator[list[UnsureWord]]:
            for words in index.doubtful(files, kind):
                left = [word for word in words if (word.name, word.address) not in answered]
                if left:
                    yield left

        return self._indexed(lambda index: [*islice(kinds(index), num_kinds)])

    def alike(
        self, reading: Reading, files: Mapping[str, Path], answered: Container[tuple]
    ) -> list[UnsureWord]:
        """Return the words of files that look like a corrected word, see `Index.alike`."""
        return self._indexed(lambda index: index.alike(reading, files, answered))

    def files_below(self, folder: Path) -> dict[str, Path]:
        """Return the files in a folder and its subfolders that were read, by their paths in it."""
        return self._indexed(lambda index: index.files_below(folder))

    def current(self, files: Mapping[str, Path]) -> set[str]:
        """Return the names of the files that were read since their corrections changed."""
        states = self._indexed(lambda index: index.states(files))
        return {name for name, state in states.items() if state}

    def reload(self) -> None:
        """Read the stored corrections again, with those of other processes."""
        self.corrections.reload()
        self._indexed(lambda index: index.record_corrections(self.corrections.all))

    def save(
        self,
        notes: Sequence[Note],
        path: Path,
        form: TextForm = TextForm(),
        folder: Path | None = None,
    ) -> tuple[list[Path], bool]:
        """Save notes of this library, see `notes.save`, unless neither the notes nor the files have
        changed since the last time. Return the files, and whether they were written.

        Args:
            folder: the folder of outputs in which `path` is the file of a note; None if the notes
                get one file.
        """
        return self.save_changed(notes, path, form, lambda: save(notes, path, form), folder)

    def remove_former(self, note: Note, path: Path, folder: Path) -> list[Path]:
        """Remove the files that a folder of outputs has of a note under another name, and return
        them.

        These are files of the note itself, or of a file that is gone and had its pages. Files that
        somebody changed stay. `path` is the present file of the note in the folder.
        """
        source = note.path
        if source is None:
            return []
        gone = self._indexed(lambda index: index.moved_to(source))
        sources = [_output(folder, path, file) for file in (source, *map(Path, gone))]
        outputs, current = self._indexed(
            lambda index: (index.outputs_of(sources, path), index.saved(path))
        )
        note_path = os.path.abspath(source)
        former = []
        states = dict[str, str]()
        for output, record in outputs.items():
            # A link to the note is another note, whose file stays.
            if record["note"] == note_path or not os.path.lexists(record["note"]):
                former.append(output)
                states |= record["files"]
        self._indexed(lambda index: index.forget(former))
        current_files = current.get("files", {})
        unused = {file: state for file, state in states.items() if file not in current_files}
        return _removed(unused, folder)

    def save_changed(
        self,
        notes: Sequence[Note],
        path: Path,
        form: object,
        write: Callable[[], list[Path]],
        folder: Path | None = None,
    ) -> tuple[list[Path], bool]:
        """Save notes by the function `write`, as `save` does; the `repr` of `form` identifies the
        form in which it saves them."""
        content = [(note.name, note.summary.digest) for note in notes]
        identity = repr((SAVED_VERSION, content, path.suffix, form))
        digest = hashlib.sha256(identity.encode(errors="replace")).hexdigest()
        before = self._indexed(lambda index: index.saved(path))
        files_before = before.get("files", {})
        is_untouched = all(file_state(Path(file)) == state for file, state in files_before.items())
        if before.get("made of") == digest and is_untouched:
            return [*map(Path, files_before)], False
        files = write()
        states = {str(file): file_state(file) for file in files}
        record = {"made of": digest, "files": states}
        source = ""
        if folder and notes[0].path:
            source = _output(folder, path, notes[0].path)
            record["note"] = os.path.abspath(notes[0].path)
        self._indexed(lambda index: index.record_saved(path, record, source))
        unused = {file: state for file, state in files_before.items() if file not in states}
        _removed(unused, path.parent)
        return files, states != files_before

    def _indexed(self, use: Callable[[Index], Result]) -> Result:
        """Return the result of `use` for the index, or for a new one if it is locked or damaged."""
        try:
            return use(self._index)
        except (sqlite3.Error, LookupError) as error:  # Other errors are no faults of the index.
            self._index.renew(error)
            return use(self._index)

    def text_of(self, page: InkPage) -> PageText:
        """Return the corrected text of a page; read the page if the library has no text of it."""
        hidden = sorted(unseen(page))  # Other properties of strokes do not change the text.
        key = f"{READING_VERSION} {self.reader} {page.typed} {hidden}".encode() + ink_bytes(page)
        name = hashlib.sha256(key).hexdigest()[:32]
        path = self.folder / "pages" / name[:2] / f"{name[2:]}.json"
        try:
            text = PageText.from_json(json.loads(read_bytes(path)))
        except Exception:  # The file is missing, or damaged in any way.
            text = self.read(page)
            with suppress(OSError):  # If the disk is full, the page is read again next time.
                path.parent.mkdir(parents=True, exist_ok=True)
                write_json(path, text.to_json(), indent=None)
        # The text leaves out strokes, the page leaves out other items of the file.
        left_out = dict(page.left_out + Counter(text.left_out))
        return self.corrections.corrected(page, replace(text, left_out=left_out))

    def correct(self, note: Note, changes: Iterable[tuple[WordAddress, str | None]]) -> None:
        """Store a person's corrections of words, or undo them: all, or none if one is refused.

        Args:
            note: the note with the words.
            changes: numbers of the page, the row and the word, from 1, and the right text; empty if
                the ink is not a word; None to undo the correction. A word's last change counts.

        Raises:
            UserError: if the note has no word at an address, or the word was typed, has too little
                ink, or is to be undone and was not corrected.
            OSError: if the corrections cannot be written.
        """
        checked: dict[WordAddress, tuple[Ink, Correction | None]] = {}
        for address, text in changes:
            ink, read, is_corrected = self._word(note, address)
            if text is None and not (is_corrected or address in checked):
                raise UserError(f"{':'.join(map(str, address))}: this word was not corrected")
            correction = None if text is None else Correction(ink, text, read)
            checked[address] = ink, correction
        self.corrections.update(checked.values())
        self._indexed(lambda index: index.record_corrections(self.corrections.all))

    def _word(self, note: Note, address: WordAddress) -> tuple[Ink, str, bool]:
        """Return the ink of a word, the text that was read, and whether the word was corrected."""
        place = ":".join(map(str, address))
        page_number, row_index, word_index = address[0], address[1] - 1, address[2] - 1
        pages = (page for number, page in enumerate(note.pages, 1) if number == page_number)
        no_page = InkPage(1, 1, ()), PageText(())
        page, page_text = next(pages, no_page)
        is_valid = min(row_index, word_index) >= 0
        rows = page_text.rows[row_index : row_index + 1] if is_valid else ()
        if not rows or not rows[0].strokes or word_index >= len(rows[0].words):
            raise UserError(f"{place}: no handwritten word is there")
        ink = word_inks(page, rows[0])[word_index]
        correction = self.corrections.of_row(page, rows[0])[word_index]
        if ink.num_points < MIN_POINTS:
            raise UserError(f"{place}: this word has too little ink to be recognised again")
        text_read = correction.read if correction else rows[0].words[word_index].text
        return ink, text_read, correction is not None

    def correctable(self, note: Note, addresses: Sequence[WordAddress]) -> Iterator[WordAddress]:
        """Yield those of the addresses of handwritten words that have enough ink to be recognised
        again."""
        for number, (page, text) in enumerate(note.pages, 1):
            for address in addresses:
                page_number, row, word = address
                if page_number == number:
                    inks = word_inks(page, text.rows[row - 1])
                    if inks[word - 1].num_points >= MIN_POINTS:
                        yield address

    def corrected_words(self, note: Note) -> Iterator[tuple[WordAddress, Correction]]:
        """Yield the address of each corrected word of a note, and its correction."""
        for page_number, (page, text) in enumerate(note.pages, 1):
            for row_number, row in enumerate(text.rows, 1):
                for number, correction in enumerate(self.corrections.of_row(page, row), 1):
                    if correction:
                        yield (page_number, row_number, number), correction


def searched_files(query: Query, files: Mapping[str, Path]) -> dict[str, Path]:
    """Return those of the files that a query searches; a date is read from a file."""
    searched = {}
    for name, path in files.items():
        if query.has(name, partial(note_date, path)):
            searched[name] = path
    return searched


def _output(folder: Path, path: Path, source: Path) -> str:
    """Return an identifier of the output of a note in a folder of files such as `path`."""
    kind = path.suffix, path.stem.endswith(source.suffix)  # A vault's files have no such end.
    return repr((str(folder.resolve()), kind, str(source.resolve())))


def _removed(files: Mapping[str, str], folder: Path) -> list[Path]:
    """Remove files, and the folders in `folder` that become empty, but no file that somebody
    changed. Return the removed files.

    Args:
        files: the state of each file when it was written.
    """
    removed = []
    for file, state in files.items():
        path = Path(file)
        if state and (file_state(path) == state or is_sealed(path)):
            path.unlink()
            removed.append(path)
            with suppress(OSError):  # It has other files.
                while path.parent.resolve() != folder.resolve():
                    path = path.parent
                    path.rmdir()
    return removed


@dataclass(frozen=True)
class _Pages:
    """The pages of a file, each with its text, which are read at each iteration."""

    library: Library
    path: Path

    def __iter__(self) -> Iterator[tuple[InkPage, PageText]]:
        for page in guard.read_pages(self.path, any_pdf=self.library.any_pdf):
            yield page, self.library.text_of(page)
