"""The characters that a network knows, and their numbers.

The same visible text can be typed in several ways, such as `é` as one character or as `e` and a
combining accent. Texts are therefore converted to Unicode's normal form C (NFC), which has the
composed character where there is one. `x̂`, or an emoji of several parts, stays several characters.
"""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np

from utils.checks import DataError, UserError, short

PANGRAM = "Sphinx of black quartz, judge my vow"
"""A line of ordinary length with every letter."""

WRONG = "\N{REPLACEMENT CHARACTER}"
"""The character of a text that stands for ink that is no character; recognisers may learn it."""

MAX_TABLE_WIDTH = 110
"""Maximum width of a table in characters (assumed: that of a terminal)."""

MAX_MARKS = 32
"""Maximum number of combining characters after a letter that are drawn (assumed: twice those of the
tallest texts that people make for fun)."""

SHOWN = 10
"""Maximum number of characters that a message lists (assumed)."""


def nfc(text: str) -> str:
    """Return a text in Unicode's normal form C, which may change its length."""
    return unicodedata.normalize("NFC", text)


def unmarked(letter: str) -> str:
    """Return a letter without its marks and bars, such as `l` for `ł`; others as they are."""
    plain = unicodedata.name(letter, "").split(" WITH ")[0] if letter.isalpha() else ""
    return unicodedata.lookup(plain) if plain else letter


def with_few_marks(text: str) -> str:
    """Return a text without the combining characters that follow `MAX_MARKS` others."""
    characters = []
    count = 0
    for character in text:
        count = count + 1 if unicodedata.category(character).startswith("M") else 0
        if count <= MAX_MARKS:
            characters.append(character)
    return "".join(characters)


def describe(characters: str) -> str:
    """Return one or several characters with their code points, such as `'é' (U+00E9)`.

    A single character that is invisible is also named: `' ' (U+0020 space)`. A single combining
    character is named too, and shown on a dotted circle.
    """
    code = " ".join(f"U+{ord(character):04X}" for character in characters)
    if len(characters) > 1:
        return f"'{characters}' ({code})"
    combining = unicodedata.category(characters).startswith("M")
    shown = f"'\N{DOTTED CIRCLE}{characters}'" if combining else repr(characters)
    if combining or characters == " " or not characters.isprintable():
        code = f"{code} {unicodedata.name(characters, '').lower()}".rstrip()
    return f"{shown} ({code})"


def table(counts: Mapping[str, int], marked: Collection[str] = ()) -> str:
    """Return a table, as lines of text, of characters and their counts, in the order of `counts`.

    Args:
        counts: how often each character occurs.
        marked: characters that get a `*` after their count.
    """
    width = max([12, *(len(describe(character)) for character in counts)])
    cells = []
    for character, count in counts.items():
        mark = "*" if character in marked else " "
        cells.append(f"  {describe(character):{width}} {count:>9,}{mark}")
    # A cell and the blank behind it have 14 characters more than a description; the last blank of a
    # row, and that of a mark, may stand out. More than 4 columns are hard to read (assumed).
    columns = max(1, min(4, (MAX_TABLE_WIDTH + 2) // (width + 14)))
    rows = [" ".join(cells[n : n + columns]) for n in range(0, len(cells), columns)]
    return "\n".join(row.rstrip() for row in rows)


class Alphabet:
    """A list of characters; the number of a character is its index. Texts are converted to NFC.

    Args:
        characters: single characters (code points), each once.

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
            # Half of a surrogate pair has the category Cs.
            if not single or nfc(item) != item or unicodedata.category(item) == "Cs":
                raise DataError(
                    "an alphabet holds single, whole characters in Unicode's normal form C, "
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
        """Return this alphabet, followed by new characters of `texts` in order of code points."""
        new = set().union(*map(nfc, texts)) - self._index.keys()
        return Alphabet([*self.characters, *sorted(new)])

    def unknown(self, text: str) -> list[str]:
        """Return the characters of `text` that the alphabet lacks, each once, in order."""
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

    @cached_property
    def unmarked(self) -> np.ndarray:
        """The number of each character without its marks, or its own where the alphabet lacks that,
        `(characters,)` int64."""
        plain = []
        for character in self.characters:
            bare = unmarked(character)  # by the function above
            plain.append(bare if bare in self else character)
        return self.encode("".join(plain))

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, character: object) -> bool:
        return character in self._index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alphabet) and self.characters == other.characters

    def __repr__(self) -> str:
        return f"Alphabet({''.join(self.characters)!r})"
