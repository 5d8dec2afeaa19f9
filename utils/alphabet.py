"""The characters that a network knows, and their numbers; text in one normal form.

The same visible text can be typed in several ways, such as `é` as one character or as `e` and a
combining accent. Texts are converted to Unicode's normal form C (NFC), which is unique: composed
where there is a composed character. Others, such as `x̂` or an emoji of several parts, stay
sequences of characters.
"""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from utils.checks import DataError, UserError, short

PANGRAM = "Sphinx of black quartz, judge my vow"
"""Every letter, in a line of usual length."""

WRONG = "\N{REPLACEMENT CHARACTER}"
"""In a text, for ink that is no character; a recogniser may learn it like a character."""

WIDTH = 110
"""Columns of a terminal that a table takes at most (assumed)."""

SHOWN = 10
"""Characters that a message lists at most."""


def nfc(text: str) -> str:
    """Return a text in Unicode's normal form C, see above. Its length may change."""
    return unicodedata.normalize("NFC", text)


def describe(part: str) -> str:
    """Return a character, or several, with code points, such as `'é' (U+00E9)`.

    An invisible character is named as well: `' ' (U+0020 space)`. A combining character is shown
    on a dotted circle.
    """
    code = " ".join(f"U+{ord(character):04X}" for character in part)
    if len(part) > 1:
        return f"'{part}' ({code})"
    combining = unicodedata.category(part).startswith("M")
    shown = f"'\N{DOTTED CIRCLE}{part}'" if combining else repr(part)
    if combining or part == " " or not part.isprintable():
        code = f"{code} {unicodedata.name(part, '').lower()}".rstrip()
    return f"{shown} ({code})"


def table(counts: Mapping[str, int], marked: Collection[str] = ()) -> str:
    """Return lines of text with characters and their counts, in the order of `counts`.

    Args:
        counts: how often each character occurs.
        marked: characters with a `*` after their count.
    """
    width = max([12, *(len(describe(character)) for character in counts)])
    cells = []
    for character, count in counts.items():
        mark = "*" if character in marked else " "
        cells.append(f"  {describe(character):{width}} {count:>9,}{mark}")
    columns = max(1, min(4, (WIDTH + 2) // (width + 14)))
    rows = [" ".join(cells[n : n + columns]) for n in range(0, len(cells), columns)]
    return "\n".join(row.rstrip() for row in rows)


class Alphabet:
    """Characters, each numbered by its index in the list. Texts are converted to NFC first.

    Args:
        characters: single characters (code points), each once; `encode` turns the n-th into n
            (from 0).

    Raises:
        DataError: if an element is not a single character, is repeated, or cannot occur in NFC,
            such as half of a surrogate pair.
    """

    def __init__(self, characters: Sequence[str]) -> None:
        if not isinstance(characters, Sequence):
            raise DataError(f"an alphabet is a list of characters, not {short(characters)}")
        self.characters = list(characters)
        for item in self.characters:
            single = isinstance(item, str) and len(item) == 1
            if not single or nfc(item) != item or unicodedata.category(item) == "Cs":
                raise DataError(
                    "an alphabet holds single characters, whole and in Unicode's normal form C, "
                    f"not {short(item)}" + (f" (U+{ord(item):04X})" if single else "")
                )
        self._index = {character: n for n, character in enumerate(self.characters)}
        twice = sorted(c for c, count in Counter(self.characters).items() if count > 1)
        if twice:
            listed = ", ".join(map(describe, twice[:SHOWN]))
            raise DataError(f"{len(twice)} characters stand twice in an alphabet: {listed}")

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> "Alphabet":
        """Return the alphabet of all characters in `texts`, in the order of their code points."""
        return cls(sorted(set().union(*map(nfc, texts))))

    def extended(self, texts: Iterable[str]) -> "Alphabet":
        """Return this alphabet extended by new characters of `texts`, in the order of code points.

        Characters of this alphabet keep their numbers.
        """
        new = set().union(*map(nfc, texts)) - self._index.keys()
        return Alphabet([*self.characters, *sorted(new)])

    def unknown(self, text: str) -> list[str]:
        """Return the characters of `text` that are not in the alphabet, each once, in order."""
        characters = dict.fromkeys(nfc(text))
        return [character for character in characters if character not in self._index]

    def encode(self, text: str) -> np.ndarray:
        """Return the numbers of the characters of `text` in NFC, `(characters,)` int64.

        Raises:
            UserError: if the alphabet lacks a character of `text`.
        """
        if unknown := self.unknown(text):
            raise UserError(
                f"the alphabet lacks {', '.join(map(describe, unknown))}: leave them out, or train "
                "on texts that hold them"
            )
        numbers = [self._index[character] for character in nfc(text)]
        return np.array(numbers, dtype=np.int64)

    def decode(self, indices: Iterable[int]) -> str:
        """Return the text whose characters have the numbers `indices`."""
        return "".join(self.characters[number] for number in indices)

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, character: object) -> bool:
        return character in self._index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alphabet) and self.characters == other.characters

    def __repr__(self) -> str:
        return f"Alphabet({''.join(self.characters)!r})"
