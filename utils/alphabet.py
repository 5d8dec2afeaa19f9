"""The characters that a network knows, and their numbers."""

from collections.abc import Iterable, Sequence

import numpy as np

from utils.checks import DataError, UserError


def describe(character: str) -> str:
    """Return a character with its code point, such as `'é' (U+00E9)`."""
    return f"{character!r} (U+{ord(character):04X})"


class UnknownCharacters(UserError):
    """Text holds characters that an alphabet lacks; `characters` lists them, each once."""

    def __init__(self, characters: Sequence[str]) -> None:
        super().__init__(
            "the alphabet lacks "
            + ", ".join(describe(character) for character in characters)
            + ": leave "
            + ("it" if len(characters) == 1 else "them")
            + " out, or train on texts that hold "
            + ("it" if len(characters) == 1 else "them")
        )
        if not isinstance(characters, Sequence):
            raise DataError(f"an alphabet is a list of characters, not {characters!r}")
        self.characters = list(characters)


class Alphabet:
    """Characters, each known by its place in the list.

    Args:
        characters: single characters, each once; `encode` turns the n-th into n (from 0).

    Raises:
        DataError: if an element is not a single character, or stands twice.
    """

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = list(characters)
        for character in self.characters:
            if not isinstance(character, str) or len(character) != 1:
                raise DataError(f"an alphabet holds single characters, not {character!r}")
        self._index = {character: n for n, character in enumerate(self.characters)}
        if len(self._index) < len(self.characters):
            twice = sorted({c for c in self.characters if self.characters.count(c) > 1})
            raise DataError(
                f"characters stand twice in an alphabet: {', '.join(map(describe, twice))}"
            )

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> "Alphabet":
        """Return the alphabet of all characters in `texts`, in the order of their code points."""
        return cls(sorted(set().union(*texts)))

    def unknown(self, text: str) -> list[str]:
        """Return the characters of `text` that are not in the alphabet, each once, in order."""
        return [character for character in dict.fromkeys(text) if character not in self._index]

    def encode(self, text: str) -> np.ndarray:
        """Return the numbers of the characters of `text`, `(characters,)` int64.

        Raises:
            UnknownCharacters: if the alphabet lacks a character of `text`.
        """
        if unknown := self.unknown(text):
            raise UnknownCharacters(unknown)
        return np.array([self._index[character] for character in text], dtype=np.int64)

    def decode(self, indices: Iterable[int]) -> str:
        """Return the text whose characters have the numbers `indices`.

        Raises:
            IndexError: if a number is negative or not below `len(self)`.
        """
        numbers = [int(number) for number in indices]
        for number in numbers:
            if not 0 <= number < len(self):
                raise IndexError(f"no character {number} in an alphabet of {len(self)}")
        return "".join(self.characters[number] for number in numbers)

    def __len__(self) -> int:
        return len(self.characters)

    def __contains__(self, character: object) -> bool:
        return character in self._index

    def __eq__(self, other: object) -> bool:
        return self.characters == other.characters if isinstance(other, Alphabet) else False

    def __hash__(self) -> int:
        return hash(tuple(self.characters))

    def __repr__(self) -> str:
        return f"Alphabet({''.join(self.characters)!r})"
