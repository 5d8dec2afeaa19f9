"""What pages say: rows of words, each with its place and how likely it is right."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from notes.ink_page import InkPage

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom in the page's units, y downwards."""
Frame: TypeAlias = Mapping[str, float]
"""Symbols that a frame of ink may be, as `searching` has them, and by how many nats each is less
likely than the likeliest one."""
SURE = 0.85
"""Least confidence of a word without a question mark (measured, lab notebook: sure words)."""


def plain(word: str) -> str:
    """Return a word in lower case, without marks around it."""
    letters = [n for n, character in enumerate(word) if character.isalnum()]
    return word[letters[0] : letters[-1] + 1].casefold() if letters else word.casefold()


@dataclass(frozen=True)
class PageWord:
    """A word of a page.

    Attributes:
        text: of it.
        box: of its ink.
        confidence: the probability that the text is right; 1 if a person said it.
        alternatives: what else it may be, the likeliest first.
        frames: of its ink and what is behind it; none of a word that a person said.
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
        words: of it, from the left.
        strokes: numbers of its strokes on the page, in the order in which they are read; none of a
            typed row.
        ink: a digest of these, which is the same anywhere on any page; empty for a typed row.
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
        """Whether it is ink of which a person corrected a word, and all others are sure."""
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
    """What a page says.

    Attributes:
        rows: with a word at least, in the order of reading.
        left_out: how much of what is on the page is in no row, by name.
    """

    rows: tuple[PageRow, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it in the types of JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "PageText":
        """Return what `to_json` was made of."""
        rows = []
        for row in values["rows"]:
            words = (
                PageWord(
                    w["text"],
                    tuple(w["box"]),
                    w["confidence"],
                    *map(tuple, (w["alternatives"], w["frames"])),
                )
                for w in row["words"]
            )
            rows.append(PageRow(tuple(words), tuple(row["strokes"]), row["ink"]))
        return cls(tuple(rows), values["left_out"])


@dataclass(frozen=True)
class Note:
    """A file of notes: its pages, and what each says."""

    name: str
    pages: Sequence[tuple[InkPage, PageText]]
