"""Texts of pages and corrections by a person, kept in the user's cache folder."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from notes.formats import read_pages
from notes.ink_page import InkPage
from notes.page_text import Note, PageRow, PageText, PageWord
from utils.alphabet import nfc
from utils.checks import UserError
from utils.files import user_cache, write_json

VERSION = 2
"""Version of the reading and of the kept files; a page of another version is read again."""
SAME_WORD = 0.5
"""Common fraction of the width of two words from which they are the same word (assumed)."""


@dataclass(frozen=True)
class Library:
    """Keeps the texts of pages, and the corrections by a person.

    Pages and corrected rows are recognised by their ink, whatever file they are in.

    Attributes:
        read: reads a page.
        reader: identifies what `read` reads with, such as a digest of the network.
        folder: folder of the kept files; by default in the user's cache folder.
    """

    read: Callable[[InkPage], PageText]
    reader: str
    folder: Path = field(default_factory=lambda: user_cache() / "notes")

    def note(self, name: str, path: Path) -> Note:
        """Return a file of notes (see `read_pages`); a terminal shows a bar of its pages."""
        pages = tqdm(read_pages(path), name, unit="page", leave=False, disable=None)
        return Note(name, [(page, self.text_of(page)) for page in pages])

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
        written = {
            (page, number, n): (row, word)
            for page, (_, page_text) in enumerate(note.pages, 1)
            for number, row in enumerate(page_text.rows, 1)
            for n, word in enumerate(row.words, 1)
            if row.ink
        }
        if place not in written:
            raise UserError(f"{':'.join(map(str, place))}: no written word is there")
        row, word = written[place]
        path, kept = self._corrections(row)
        left, right = _span(row, word)
        others = [c for c in kept if _common((left, right), c[:2]) < SAME_WORD]
        path.parent.mkdir(parents=True, exist_ok=True)
        text = " ".join(nfc(text).split())
        write_json(path, [*others, [left, right, text]], indent=None)

    def _corrections(self, row: PageRow) -> tuple[Path, list[tuple[float, float, str]]]:
        """Return the file of a row's corrections, and these: left and right end, and text.

        Raises:
            UserError: if the file is damaged.
        """
        path = self.folder / "corrections" / f"{row.ink}.json"
        try:
            return path, json.loads(path.read_bytes()) if path.exists() else []
        except ValueError:
            advice = "damaged; remove it, and correct the words again"
            raise UserError(f"{path}: {advice}") from None

    def _corrected(self, row: PageRow) -> PageRow:
        """Return a row with a person's corrections."""
        words, (_, kept) = [*row.words], self._corrections(row)
        for left, right, text in kept:
            common = [_common((left, right), _span(row, word)) for word in row.words]
            best = max(range(len(words)), key=common.__getitem__)
            if common[best] >= SAME_WORD:
                words[best] = PageWord(text, words[best].box)
        return replace(row, words=tuple(words))


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
