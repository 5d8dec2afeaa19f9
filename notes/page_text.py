"""Text of pages: rows of words, each word with its place and the probability that it is right."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from notes.ink_page import InkPage

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom in the page's units, y downwards."""
Frame: TypeAlias = Mapping[str, float]
"""Symbols that a frame of ink may be (see `searching`), each with the nats by which it is less
likely than the frame's likeliest symbol."""
SURE = 0.85
"""Least confidence of a word without a question mark (measured, lab notebook: sure words)."""


def plain(word: str) -> str:
    """Return a word in lower case, without the marks around it."""
    letters = [n for n, character in enumerate(word) if character.isalnum()]
    return word[letters[0] : letters[-1] + 1].casefold() if letters else word.casefold()


@dataclass(frozen=True)
class PageWord:
    """A word of a page.

    Attributes:
        text: the word's text.
        box: box around the word's ink.
        confidence: the probability that the text is right; 1 if a person corrected the word.
        alternatives: other texts that the ink may be, the likeliest first.
        frames: frames of the word and of the gap behind it; empty if a person corrected the word.
    """

    text: str
    box: Box
    confidence: float = 1.0
    alternatives: tuple[str, ...] = ()
    frames: tuple[Frame, ...] = ()

    @property
    def is_sure(self) -> bool:
        return self.confidence >= SURE

    @property
    def marked(self) -> str:
        """The text, with a question mark where it is unsure."""
        return self.text if self.is_sure else f"{self.text}(?)"


@dataclass(frozen=True)
class PageRow:
    """A row of a page.

    Attributes:
        words: words of the row, from the left.
        strokes: numbers of the row's strokes on the page, in reading order; empty for a typed row.
        ink: digest of the strokes, the same at any place on any page; empty for a typed row.
    """

    words: tuple[PageWord, ...]
    strokes: tuple[int, ...] = ()
    ink: str = ""

    @property
    def box(self) -> Box:
        left, top, right, bottom = zip(*(word.box for word in self.words), strict=True)
        return min(left), min(top), max(right), max(bottom)

    @property
    def is_learnable(self) -> bool:
        """Whether the row is ink, a person corrected a word, and all its words are sure."""
        corrected = any(word.confidence == 1 for word in self.words)
        return bool(self.ink) and corrected and all(word.is_sure for word in self.words)

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words if word.text)

    @property
    def marked(self) -> str:
        """The text, with a question mark behind each unsure word."""
        return " ".join(word.marked for word in self.words if word.text)


@dataclass(frozen=True)
class PageText:
    """The text of a page.

    Attributes:
        rows: rows with at least one word, in reading order.
        left_out: number of the page's items that are in no row, by the items' name.
    """

    rows: tuple[PageRow, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the page's text in the types of JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "PageText":
        """Return the `PageText` whose `to_json` returned these values."""
        rows = []
        for row in values["rows"]:
            words = []
            for word in row["words"]:
                box, frames = tuple(word["box"]), tuple(word["frames"])
                alternatives = tuple(word["alternatives"])
                words.append(PageWord(word["text"], box, word["confidence"], alternatives, frames))
            rows.append(PageRow(tuple(words), tuple(row["strokes"]), row["ink"]))
        return cls(tuple(rows), values["left_out"])


@dataclass(frozen=True)
class Note:
    """A file of notes: its pages, each with its text."""

    name: str
    pages: Sequence[tuple[InkPage, PageText]]
