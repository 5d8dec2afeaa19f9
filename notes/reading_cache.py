"""Keeps the texts of pages, and a person's corrections, in the user's cache folder."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from notes.formats import read_pages
from notes.ink_page import InkPage
from notes.page_text import Note, PageRow, PageText, PageWord
from utils.alphabet import nfc
from utils.checks import UserError, printable
from utils.files import user_cache, write_json

VERSION = 2
"""Version of the reading and of the kept texts; texts of another version are not used."""
MIN_WORD_OVERLAP = 0.5
"""Least overlap (see `_overlap`) of a correction and the word that it corrects (assumed)."""


@dataclass(frozen=True)
class Library:
    """Keeps the texts of pages, and a person's corrections.

    Pages and corrected rows are identified by their ink, in whatever file the ink is.

    Attributes:
        read: reads a page.
        reader: identifier of the network and the options of `read`, such as a digest.
        folder: folder of the kept files; by default in the user's cache folder.
        any_pdf: whether a note may annotate a PDF outside its folder (see `read_pages`).
    """

    read: Callable[[InkPage], PageText]
    reader: str
    folder: Path = field(default_factory=lambda: user_cache() / "notes")
    any_pdf: bool = False

    def note(self, name: str, path: Path) -> Note:
        """Return the note of a file (see `read_pages`), all of whose pages are read and kept; show
        a progress bar in a terminal."""
        pages = _Pages(self, path)
        for _ in tqdm(pages, printable(name), unit="page", leave=False, disable=None):
            pass  # A page is in memory at a time.
        return Note(name, pages)

    def text_of(self, page: InkPage) -> PageText:
        """Return the corrected text of a page; read the page if the library has no text of it."""
        digest = hashlib.sha256(f"{VERSION} {self.reader} {page.typed}".encode())
        for stroke in page.strokes:
            digest.update(f"{stroke.tool} {len(stroke.points)}".encode() + stroke.points.tobytes())
        name = digest.hexdigest()[:32]
        path = self.folder / "pages" / name[:2] / f"{name[2:]}.json"
        try:
            text = PageText.from_json(json.loads(path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):  # The file is missing or damaged.
            text = self.read(page)
            with suppress(OSError):  # If the disk is full, the page is read again next time.
                path.parent.mkdir(parents=True, exist_ok=True)
                write_json(path, text.to_json(), indent=None)
        # The text leaves out strokes, the page leaves out other items of the file.
        left_out = dict(page.left_out + Counter(text.left_out))
        return PageText(tuple(map(self._corrected, text.rows)), left_out)

    def correct(self, note: Note, address: tuple[int, int, int], text: str) -> None:
        """Keep a person's correction of a word.

        Args:
            note: the note with the word.
            address: numbers of the page, the row and the word, from 1.
            text: the right text; empty if the ink is not a word.

        Raises:
            UserError: if the note has no word at this address, or the word was typed.
            OSError: if the correction cannot be kept.
        """
        handwritten = {
            (page_number, row_number, word_number): (row, word)
            for page_number, (_, page_text) in enumerate(note.pages, 1)
            for row_number, row in enumerate(page_text.rows, 1)
            for word_number, word in enumerate(row.words, 1)
            if row.ink
        }
        if address not in handwritten:
            raise UserError(f"{':'.join(map(str, address))}: no handwritten word is there")
        row, word = handwritten[address]
        path, corrections = self._corrections(row)
        span = _span(row, word)
        others = [c for c in corrections if _overlap(span, c[:2]) < MIN_WORD_OVERLAP]
        path.parent.mkdir(parents=True, exist_ok=True)
        text = " ".join(nfc(text).split())
        write_json(path, [*others, [*span, text]], indent=None)

    def _corrections(self, row: PageRow) -> tuple[Path, list[tuple[float, float, str]]]:
        """Return the file of a row's corrections, and each correction's left end, right end, text.

        Raises:
            UserError: if the file is damaged.
        """
        path = self.folder / "corrections" / f"{row.ink}.json"
        try:
            return path, json.loads(path.read_bytes()) if path.exists() else []
        except ValueError:
            raise UserError(f"{path}: damaged; remove it and correct the words again") from None

    def _corrected(self, row: PageRow) -> PageRow:
        """Return a row with a person's corrections."""
        words, (_, corrections) = [*row.words], self._corrections(row)
        for left, right, text in corrections:
            overlaps = [_overlap((left, right), _span(row, word)) for word in row.words]
            best = overlaps.index(max(overlaps))
            if overlaps[best] >= MIN_WORD_OVERLAP:
                words[best] = PageWord(text, words[best].box)
        return replace(row, words=tuple(words))


@dataclass(frozen=True)
class _Pages:
    """The pages of a file, each with its text, which are read at each iteration."""

    library: Library
    path: Path

    def __iter__(self) -> Iterator[tuple[InkPage, PageText]]:
        for page in read_pages(self.path, any_pdf=self.library.any_pdf):
            yield page, self.library.text_of(page)


def _span(row: PageRow, word: PageWord) -> tuple[float, float]:
    """Return the left and the right end of a word, measured from the left end of the row."""
    left, _, right, _ = word.box
    return left - row.box[0], right - row.box[0]


def _overlap(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Return the width of the intersection of two spans, as a fraction of their union."""
    (left, right), (other_left, other_right) = first, second
    intersection = min(right, other_right) - max(left, other_left)
    union = max(right, other_right) - min(left, other_left)
    return intersection / union if union else 1.0
