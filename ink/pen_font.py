"""Single-line fonts: the strokes of each character, as a pen draws them.

Positions are in x-heights from the start of a character on the baseline, x to the right, y
downwards.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class PenGlyph:
    """The strokes of a character, or of several that a font draws together.

    Attributes:
        strokes: positions `(n, 2)` float64 with n >= 2, in the order of drawing; none for a blank.
        advance: the distance to the start of the next character.
    """

    strokes: tuple[np.ndarray, ...]
    advance: float


@dataclass(frozen=True, eq=False)
class PenFont:
    """A single-line font.

    Attributes:
        name: the name of the font.
        glyphs: the glyph of each text: a character, or a ligature of several; among them a blank.
        kerning: by how much the second glyph of a pair stands nearer to the first, by their texts.
    """

    name: str
    glyphs: Mapping[str, PenGlyph]
    kerning: Mapping[tuple[str, str], float] = field(default_factory=dict)

    @property
    def characters(self) -> list[str]:
        """The characters that have ink, in order."""
        return sorted(text for text, glyph in self.glyphs.items() if glyph.strokes and not text[1:])

    def parts(self, text: str) -> Iterator[str]:
        """Yield the texts of the glyphs that draw a text; the longest ligatures come first.

        Raises:
            KeyError: if the font lacks a character.
        """
        longest = max(map(len, self.glyphs))
        start = 0
        while start < len(text):
            ends = range(min(start + longest, len(text)), start, -1)
            part = next((text[start:end] for end in ends if text[start:end] in self.glyphs), None)
            if part is None:
                raise KeyError(text[start])
            yield part
            start += len(part)

    def starts(self, parts: Iterable[str]) -> Iterator[tuple[str, float]]:
        """Yield glyphs, by their texts, side by side: each with the x of its start."""
        x = 0.0
        previous = ""
        for part in parts:
            x -= self.kerning.get((previous, part), 0.0)
            yield part, x
            x += self.glyphs[part].advance
            previous = part
