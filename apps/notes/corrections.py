"""Stores a person's corrections of words in a folder; a word is identified by its strokes."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from apps.notes.alike import Reading
from apps.notes.page_text import PageRow, PageText, PageWord
from ink import guard
from ink.alphabet import nfc
from ink.formats.checks import check_text
from ink.formats.json_strokes import read_values
from ink.ink_page import InkPage
from ink.sample import Fault
from utils.checks import UserError, check_version
from utils.files import write_json
from utils.locks import locked

CORRECTIONS_FILE = "corrections.json"
"""Name of the file of corrections."""
CORRECTIONS_FORMAT = 2
"""Version of the format of such a file; one of a later version is refused."""
FORMAT_WITHOUT_SHAPES = 1
"""Version of the files whose corrections have no shapes; they are read, too."""
REMEDY = "restore a backup of it, or remove it and correct the words again"
MIN_OVERLAP = 0.5
"""Minimum overlap (see `Ink.overlap`) of a correction and the word that it corrects (assumed)."""
MAX_STROKES = 1_000
"""Most strokes of a word (assumed: words have some ten)."""

SHAPE_POINTS = 8
"""Number of points of a stroke on which the digest of its shape depends; strokes of fewer
are not recognised at another size (measured, notebook: notes, corrections of scaled ink)."""
SHAPE_STEPS = 50.035
"""Steps of a shape in its extent (measured, like `SHAPE_POINTS`). No round number lies between two
steps."""

_DIGEST = re.compile("[0-9a-f]{16}")

NumPoints: TypeAlias = Mapping[str, int]
"""Numbers of points of strokes, by digests of the strokes."""


class Ink(NamedTuple):
    """The strokes of a word.

    Attributes:
        strokes: all strokes, by digests of shape and size, see `stroke_digest`.
        shapes: strokes of `SHAPE_POINTS` or more, by digests of the shape, see `shape_digest`.
    """

    strokes: NumPoints
    shapes: NumPoints

    @classmethod
    def of(cls, strokes: Sequence[np.ndarray]) -> "Ink":
        """Return the ink of strokes `(n, 2)`."""
        long = [points for points in strokes if len(points) >= SHAPE_POINTS]
        sizes = {stroke_digest(points): len(points) for points in strokes}
        return cls(sizes, {shape_digest(points): len(points) for points in long})

    @property
    def num_points(self) -> int:
        return sum(self.strokes.values())

    @property
    def digests(self) -> list[str]:
        """The digests of all strokes and shapes."""
        return [*self.strokes, *self.shapes]

    @property
    def longest(self) -> list[str]:
        """The digests of the stroke and of the shape with the most points, as far as there are
        any."""
        return [longest(part) for part in self if part]

    def overlap(self, other: "Ink") -> tuple[float, float]:
        """Return the fractions of the points of both inks in common strokes, and in common
        shapes."""
        return _overlap(self.strokes, other.strokes), _overlap(self.shapes, other.shapes)


class Correction(NamedTuple):
    """The correction of a word: its ink, the right text, "" if it is no word, and the text that had
    been read."""

    ink: Ink
    text: str
    read: str

    @property
    def reading(self) -> Reading:
        return Reading(self.read, self.text)

    @property
    def name(self) -> str:
        """A digest of the correction."""
        parts = [sorted(part.items()) for part in self.ink]
        return _digest(repr((parts, self.text)).encode())


class Corrections:
    """The corrections of a folder: in `CORRECTIONS_FILE`, and in files that were copied there.

    Attributes:
        faults: the copied files that are left out, each with the reason.
    """

    def __init__(self, folder: Path) -> None:
        """Read the corrections. A copied file that has none, or whose version is another one, is
        left out, and stays.

        Raises:
            UserError: if `CORRECTIONS_FILE` is damaged, or of another version.
        """
        self.faults: list[str] = []
        self._folder = folder
        self._by_digest: dict[str, list[Correction]] = {}
        self._files: list[Path] = []
        for path in sorted(folder.glob("*.json")):
            try:
                corrections = _of_file(path)
            except (UserError, OSError) as error:
                if path.name == CORRECTIONS_FILE:
                    raise
                self.faults.append(str(error))
                continue
            self._files.append(path)
            for correction in corrections:
                self._add(correction)

    def reload(self) -> None:
        """Read the files again, see `__init__`."""
        new = Corrections(self._folder)
        self._by_digest = new._by_digest
        self.faults = new.faults

    @property
    def all(self) -> list[Correction]:
        """All corrections, deduplicated."""
        # A name is slow to compute; a correction stands with each of its strokes.
        by_id = dict[int, Correction]()
        for corrections in self._by_digest.values():
            by_id |= {id(correction): correction for correction in corrections}
        by_name = {correction.name: correction for correction in by_id.values()}
        return [*by_name.values()]

    def of_row(self, page: InkPage, row: PageRow) -> list[Correction | None]:
        """Return the correction of each word of a row."""
        if not row.strokes or not self._by_digest:
            return [None] * len(row.words)
        return [self._of_ink(ink) for ink in word_inks(page, row)]

    def corrected(self, page: InkPage, text: PageText) -> PageText:
        """Return the text of a page with the corrections of its words."""
        rows = []
        for row in text.rows:
            words = []
            for word, correction in zip(row.words, self.of_row(page, row), strict=True):
                if correction is not None:
                    word = PageWord(correction.text, word.box, strokes=word.strokes)
                words.append(word)
            rows.append(replace(row, words=tuple(words)))
        return replace(text, rows=tuple(rows))

    def update(self, changes: Iterable[tuple[Ink, Correction | None]]) -> None:
        """Replace the corrections of words, each given by its ink; None removes the correction. The
        file is written once.

        Raises:
            Fault: if a text has control characters, or is too long.
            OSError: if they cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder / ".lock", "stores corrections"):
            new = Corrections(self._folder)  # with the changes of other processes
            for ink, correction in changes:
                for old in new._replaced(ink, is_removed=correction is None):
                    for digest in old.ink.digests:
                        new._by_digest[digest].remove(old)
                if correction:
                    text = " ".join(nfc(correction.text).split())
                    new._add(_checked(correction._replace(text=text)))
            corrections = [
                {"ink": c.ink.strokes, "shapes": c.ink.shapes, "text": c.text, "read": c.read}
                for c in new.all
            ]
            content = {"format": CORRECTIONS_FORMAT, "corrections": corrections}
            write_json(self._folder / CORRECTIONS_FILE, content, indent=None)
            for path in new._files:
                if path.name != CORRECTIONS_FILE:
                    path.unlink(missing_ok=True)
        self._by_digest = new._by_digest

    def _add(self, correction: Correction) -> None:
        for digest in correction.ink.digests:
            self._by_digest.setdefault(digest, []).append(correction)

    def _near(self, ink: Ink) -> list[Correction]:
        candidates = dict[int, Correction]()
        for digest in ink.digests:
            corrections = self._by_digest.get(digest, ())
            candidates |= {id(correction): correction for correction in corrections}
        return [c for c in candidates.values() if max(ink.overlap(c.ink)) >= MIN_OVERLAP]

    def _replaced(self, ink: Ink, *, is_removed: bool) -> list[Correction]:
        """Return the corrections of ink that a new correction replaces, or that are removed.

        Those of ink of another size stay if there is one of the same size: an o may be a scaled O.
        """
        near = self._near(ink)
        of_same_size = [c for c in near if ink.overlap(c.ink)[0] >= MIN_OVERLAP]
        return of_same_size or (near if is_removed else [])

    def _of_ink(self, ink: Ink) -> Correction | None:
        # Ink of the same size comes first: an o may be a scaled O.
        return max(self._near(ink), key=lambda c: ink.overlap(c.ink), default=None)


def _of_file(path: Path) -> list[Correction]:
    """Return the corrections of a file.

    Raises:
        UserError: if the file is damaged, or of another version.
        OSError: if it cannot be read.
    """
    try:
        values: Any = guard.call(read_values, path)  # checked as they are taken
        if values.get("format") != FORMAT_WITHOUT_SHAPES:
            check_version(path, values.get("format"), CORRECTIONS_FORMAT, REMEDY)
        return [_parsed(**correction) for correction in values["corrections"]]
    except Fault as fault:
        raise UserError(f"{path}: damaged: {fault}; {REMEDY}") from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(f"{path}: damaged; {REMEDY}") from None


def _parsed(ink: NumPoints, text: str, read: str, shapes: NumPoints | None = None) -> Correction:
    """Return a correction of these values of a file; raise an error of many kinds if it is not
    one."""
    return _checked(Correction(Ink(ink, {} if shapes is None else shapes), text, read))


def _checked(correction: Correction) -> Correction:
    """Return a correction from a file; raise an error of many kinds if it is not one."""
    if max(map(len, correction.ink)) > MAX_STROKES:
        raise ValueError
    for digest, num_points in chain(*(part.items() for part in correction.ink)):
        if not _DIGEST.fullmatch(digest) or type(num_points) is not int or num_points < 1:
            raise ValueError
    if not isinstance(correction.text, str) or not isinstance(correction.read, str):
        raise ValueError
    check_text(correction.text)
    check_text(correction.read)
    return correction


def word_inks(page: InkPage, row: PageRow) -> list[Ink]:
    """Return the ink of each word of a row; a stroke of several words is that of the first."""
    inks = []
    used = set[int]()
    for word in row.words:
        strokes = [page.strokes[number].points for number in word.strokes if number not in used]
        inks.append(Ink.of(strokes))
        used.update(word.strokes)
    return inks


def longest(strokes: NumPoints) -> str:
    """Return the digest of the stroke with the most points; "" without strokes."""
    return max(strokes, key=lambda digest: (strokes[digest], digest), default="")


def stroke_digest(points: np.ndarray) -> str:
    """Return a digest of a stroke `(n, 2)`, the same wherever the stroke lies on a page."""
    # The shape is relative to a power of two of the size, so that rounding does not depend on it.
    offsets = points - points[0]
    # Odd factors, so that no round number lies between two steps, where a move would decide.
    extent = 1.2345 * float(np.abs(offsets).max()) or 1.0  # 1 for a dot
    size = np.log2(extent)
    steps = np.round(1000.7 * np.append(offsets / 2.0 ** np.floor(size), size))
    return _digest(steps.astype(np.int32).tobytes())


def shape_digest(points: np.ndarray) -> str:
    """Return a digest of the shape of a stroke `(n, 2)`, the same at each size and place.

    It depends on the number of points and on `SHAPE_POINTS` of them, coarsely rounded, as programs
    round the points that they scale.
    """
    numbers = np.linspace(0, len(points) - 1, SHAPE_POINTS).round().astype(int)
    offsets = points[numbers] - points[0]
    extent = float(np.abs(points - points[0]).max()) or 1.0  # 1 for a dot
    steps = np.round(SHAPE_STEPS * offsets / extent)
    return _digest(np.append(steps, len(points)).astype(np.int32).tobytes())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _overlap(first: NumPoints, second: NumPoints) -> float:
    """Return the fraction of the points of both that are in common strokes; 0 without points."""
    common = sum(first[stroke] for stroke in first.keys() & second.keys())
    return common / max(sum(first.values()) + sum(second.values()) - common, 1)
