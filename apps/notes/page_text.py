"""Defines the text of pages: rows of words, each with a box and a probability of being right."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ink.ink_page import InkPage

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom in the page's units, y downwards."""
Frame: TypeAlias = Mapping[str, float]
"""A frame of a reader's output: its likely symbols (see `searching`), each with its cost: the nats
by which its log-probability is below that of the best symbol."""
MIN_SURE_CONFIDENCE = 0.85
"""Minimum confidence of a word without a question mark (measured, notebook: notes, sure words)."""

MAX_SECONDS = 60.0
"""Processor time of reading a page (assumed: fifteen times that of a dense page)."""
SLOW = "on a page that takes too long to read"
"""Kind of the strokes of a page that takes longer."""

BOX_NAMES = ("unread", "covered", "crossed_out")
"""Names of the boxes of a page's ink that is in no row and may be missed."""

BULLET_MARK = "-"
NUMBER_MARK = "1."
HEADING_MARK = "#"
CELL_MARK = "|"
"""First characters of the marks of rows, see `PageRow.mark`."""


def box_of(points: np.ndarray) -> Box:
    """Return the box around points `(n, 2)`."""
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


@lru_cache(1 << 16)  # as a search compares each word of many rows
def normalised_word(word: str) -> str:
    """Return a word in lower case; remove punctuation at its ends, unless it is all punctuation."""
    places = [place for place, character in enumerate(word) if character.isalnum()]
    return word[places[0] : places[-1] + 1].casefold() if places else word.casefold()


def marked(text: str, confidence: float) -> str:
    """Return the text of a word, followed by `(?)` if the word is unsure."""
    return text if confidence >= MIN_SURE_CONFIDENCE else f"{text}(?)"


@dataclass(frozen=True)
class PageWord:
    """A word of a page.

    Attributes:
        text: the word's text.
        box: box around the word's ink or type.
        confidence: the probability that the text is right; 1 for a corrected or a typed word.
        alternatives: other texts that the ink may say, the likeliest first.
        frames: frames of the word and of the gap after it; empty for a corrected or a typed word.
        strokes: the word's strokes, by their numbers on the page, ascending; a stroke that runs
            through several words belongs to each; empty for a typed word.
    """

    text: str
    box: Box
    confidence: float = 1.0
    alternatives: tuple[str, ...] = ()
    frames: tuple[Frame, ...] = ()
    strokes: tuple[int, ...] = ()

    @property
    def is_sure(self) -> bool:
        return self.confidence >= MIN_SURE_CONFIDENCE

    @property
    def marked(self) -> str:
        """See `marked`."""
        return marked(self.text, self.confidence)


@dataclass(frozen=True)
class PageRow:
    """A row of a page.

    Attributes:
        words: words of the row, from the left.
        strokes: the row's strokes in reading order, by their numbers on the page; empty for a typed
            row.
        ink: digest of the ink, which does not depend on its position; empty for a typed row.
        mark: the row's mark in Markdown: `HEADING_MARK`; `-`, `- [ ]` or `- [x]` for an item of a
            list whose mark was drawn; `NUMBER_MARK` for an item whose text begins with a number; in
            a table a `CELL_MARK` for each column up to the row's; empty for prose.
        turn: number of quarter turns clockwise by which the row is turned.
        is_backwards: whether the points of its strokes are stored backwards.
    """

    words: tuple[PageWord, ...]
    strokes: tuple[int, ...] = ()
    ink: str = ""
    mark: str = ""
    turn: int = 0
    is_backwards: bool = False

    @property
    def box(self) -> Box:
        left, top, right, bottom = zip(*(word.box for word in self.words), strict=True)
        return min(left), min(top), max(right), max(bottom)

    @property
    def is_as_written(self) -> bool:
        """Whether the row has ink, not turned or backwards, and no ink that is no word."""
        is_upright = not self.turn and not self.is_backwards
        return bool(self.ink) and is_upright and all(word.text for word in self.words)

    @property
    def is_learnable(self) -> bool:
        """Whether the row is as it was written, with a word that a person corrected, and no unsure
        word."""
        is_corrected = any(word.confidence == 1 for word in self.words)
        return self.is_as_written and is_corrected and all(word.is_sure for word in self.words)

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words if word.text)

    @property
    def marked(self) -> str:
        """The text, with `(?)` after each unsure word."""
        return " ".join(word.marked for word in self.words if word.text)


@dataclass(frozen=True)
class PageText:
    """The text of a page.

    Attributes:
        rows: rows with at least one word, in reading order.
        left_out: number of the page's items that are in no row, by kind of item.
        kinds: kind of each stroke that is in no row, by the stroke's number on the page.
        unread: boxes of ink that may be text and was not read.
        covered: boxes of ink that later strokes cover.
        crossed_out: boxes of ink that is crossed out, and of what crosses it out.
    """

    rows: tuple[PageRow, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[int, str] = field(default_factory=dict)
    unread: tuple[Box, ...] = ()
    covered: tuple[Box, ...] = ()
    crossed_out: tuple[Box, ...] = ()

    @property
    def places(self) -> dict[str, tuple[Box, ...]]:
        """The boxes by their names in `BOX_NAMES`."""
        return {name: getattr(self, name) for name in BOX_NAMES}

    @property
    def missed_boxes(self) -> tuple[Box, ...]:
        """Boxes of ink that a reader of the text may miss: not read, or crossed out."""
        return self.unread + self.crossed_out

    @property
    def text(self) -> str:
        """The text of all rows on one line."""
        return " ".join(row.text for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Return the page's text as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "PageText":
        """Return a page's text from the JSON values that `to_json` returned."""
        rows = []
        for row in values["rows"]:
            words = []
            for word in row["words"]:  # JSON has no tuples.
                lists = {k: tuple(v) for k, v in word.items() if isinstance(v, list)}
                words.append(PageWord(**word | lists))
            lists = {"words": tuple(words), "strokes": tuple(row["strokes"])}
            rows.append(PageRow(**row | lists))
        kinds = {int(number): kind for number, kind in values["kinds"].items()}
        places = {name: tuple(tuple(box) for box in values[name]) for name in BOX_NAMES}
        return cls(tuple(rows), values["left_out"], kinds, **places)


@dataclass(frozen=True)
class Summary:
    """A summary of a note.

    Attributes:
        pages, words, unsure: number of pages, words, and unsure words.
        left_out: number of items that are in no row, by kind of item.
        pdfs: the PDFs that pages annotate.
        digest: digest of all content that exported files have.
        unread, covered, crossed_out: pages and boxes, in millimetres, of ink that may be text and
            was not read, of ink that later strokes cover, and of ink that is crossed out.
        slow: numbers of the pages whose ink was not read, as that takes more than `MAX_SECONDS`.
    """

    pages: int = 0
    words: int = 0
    unsure: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    pdfs: Sequence[str] = ()
    digest: str = ""
    unread: Sequence[tuple[int, Box]] = ()
    covered: Sequence[tuple[int, Box]] = ()
    crossed_out: Sequence[tuple[int, Box]] = ()
    slow: Sequence[int] = ()

    @property
    def places(self) -> dict[str, Sequence[tuple[int, Box]]]:
        """The pages and boxes by their names in `BOX_NAMES`."""
        return {name: getattr(self, name) for name in BOX_NAMES}

    @property
    def faults(self) -> list[str]:
        """The reasons for which pages were not read, for messages."""
        limit = f"takes more than {MAX_SECONDS:g} s of processor time to read; divide it"
        return [f"page {number} {limit}" for number in self.slow]


@dataclass(frozen=True)
class Note:
    """The name of a file of notes, and its pages, each with its text.

    A note of a `Library` reads its file `path` whenever its pages are iterated over, so that only
    one page is in memory at a time.
    """

    name: str
    pages: Iterable[tuple[InkPage, PageText]]
    summary: Summary = field(default_factory=Summary)
    path: Path | None = None

    @property
    def title(self) -> str:
        """The name without the suffix of the file; folders end in `/`."""
        suffix = self.path.suffix if self.path else ""
        return self.name.removesuffix(suffix).removesuffix(".excalidraw") or self.name
