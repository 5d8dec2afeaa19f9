"""Texts of pages and corrections by a person, kept in the user's cache folder."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from notes.formats import read_pages
from notes.ink_page import InkPage
from notes.page_text import Note, PageRow, PageText, PageWord
from utils.alphabet import nfc
from utils.checks import UserError
from utils.files import user_cache, write_json

VERSION = 2
"""Version of the reading and of the kept files; a page of another version is read again."""
T = TypeVar("T")
SAME_WORD = 0.5
"""Common fraction of the width of two words from which they are the same word (assumed)."""


@dataclass(frozen=True)
class Library:
    """Keeps the texts of pages, and the corrections by a person.

    Pages and corrected rows are recognised by their ink, whatever file they are in.

    Attributes:
        read: reads a page.
        reader: identifies what `read` reads with, such as a digest of the network.
        folder: folder of the kept files.
    """

    read: Callable[[InkPage], PageText]
    reader: str
    folder: Path

    @classmethod
    def of_user(cls, read: Callable[[InkPage], PageText], reader: str) -> "Library":
        """Return the library in the user's cache folder."""
        return cls(read, reader, user_cache() / "notes")

    def note(self, name: str, path: Path, *, progress: bool = False) -> Note:
        """Return a file of notes (see `read_pages`); `progress` shows a bar of its pages."""
        pages = read_pages(path)
        hidden = None if progress and len(pages) > 1 else True
        bar = tqdm(pages, name, unit="page", leave=False, disable=hidden)
        return Note(name, [(page, self.text_of(page)) for page in bar])

    def text_of(self, page: InkPage) -> PageText:
        """Return the text of a page, which is read only if the library does not have it yet."""
        digest = hashlib.sha256(f"{VERSION} {self.reader} {page.typed}".encode())
        for stroke in page.strokes:
            digest.update(f"{stroke.tool} {len(stroke.points)}".encode() + stroke.points.tobytes())
        name = digest.hexdigest()[:32]
        path = self.folder / "pages" / name[:2] / f"{name[2:]}.json"
        try:
            text = PageText.from_json(json.loads(path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):  # No file yet, or a damaged file.
            text = self.read(page)
            with suppress(OSError):  # Such as a full disk: the page is read again next time.
                path.parent.mkdir(parents=True, exist_ok=True)
                write_json(path, text.to_json(), indent=None)
        left_out = dict(page.left_out + Counter(text.left_out))  # The kept text counts ink only.
        return PageText(tuple(map(self._corrected, text.rows)), left_out)

    def correct(self, note: Note, place: tuple[int, int, int], text: str) -> None:
        """Keep a person's text of a word.

        Args:
            note: the note with the word.
            place: numbers of the page, the row and the word, from 1.
            text: the right text; empty if the ink is no word.

        Raises:
            UserError: if there is no such word, or it was typed.
            OSError: if the correction cannot be kept.
        """
        page_number, row_number, word_number = place
        _, page = _item(note.pages, page_number, "page", "the file", place)
        row = _item(page.rows, row_number, "row", "the page", place)
        word = _item(row.words, word_number, "word", "the row", place)
        if not row.ink:
            raise UserError(f"{':'.join(map(str, place))}: this row was typed, not written")
        path, (left, right) = self._corrections(row), _span(row, word)
        text = " ".join(nfc(text).split())
        others = [c for c in _read(path) if _common((left, right), c[:2]) < SAME_WORD]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, [*others, [left, right, text]], indent=None)

    def _corrections(self, row: PageRow) -> Path:
        """Return the file of a row's corrections: a list of (left, right, text)."""
        return self.folder / "corrections" / f"{row.ink}.json"

    def _corrected(self, row: PageRow) -> PageRow:
        """Return a row with a person's corrections."""
        words, path = [*row.words], self._corrections(row)
        if not row.ink or not path.exists():
            return row
        for left, right, text in _read(path):
            common = [_common((left, right), _span(row, word)) for word in row.words]
            best = max(range(len(words)), key=common.__getitem__)
            if common[best] >= SAME_WORD:
                words[best] = PageWord(text, words[best].box)
        return replace(row, words=tuple(words))


def _item(items: Sequence[T], number: int, kind: str, whole: str, place: tuple[int, int, int]) -> T:
    """Return the item with a number, from 1; raise a UserError if there is no such item."""
    if 1 <= number <= len(items):
        return items[number - 1]
    shown = ":".join(map(str, place))
    raise UserError(f"{shown}: no {kind} {number}: {whole} has {len(items)}")


def _read(path: Path) -> list[tuple[float, float, str]]:
    """Return the corrections of a row.

    Raises:
        UserError: if the file is damaged.
    """
    try:
        return json.loads(path.read_bytes()) if path.exists() else []
    except ValueError:
        raise UserError(f"{path}: damaged; remove it, and correct the words again") from None


def _span(row: PageRow, word: PageWord) -> tuple[float, float]:
    """Return the left and right end of a word, measured from the left end of its row."""
    left, _, right, _ = word.box
    return left - row.box[0], right - row.box[0]


def _common(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Return the width that two words have in common, as a fraction of their whole width."""
    (left, right), (other_left, other_right) = first, second
    common = min(right, other_right) - max(left, other_left)
    whole = max(right, other_right) - min(left, other_left)
    return common / whole if whole else 1.0
