"""Sentences built from a small vocabulary: mostly plain English, some with numbers and signs.

Together the texts contain every printable ASCII character. The text of a sentence determines its
split.
"""

import itertools
import string

import numpy as np

from data_loader.synthetic.templates import (
    Draws,
    Fields,
    capital,
    fill,
    read_lists,
    read_pairs,
    split_of,
)
from utils.checks import DataError

PLAIN = string.ascii_letters + " .,;:!?'\"-"
"""Characters of plain sentences."""
LISTS = read_lists("corpus.txt")
"""Texts and templates by name. `marks` stand alone: no `_` or `^`, whose height would be unclear.
Marks in `within` stand within words, where a backslash beside an `l` looks like a `v`."""
CAPITALS = {
    letter: [name for name in LISTS["last_name"] + list(map(capital, LISTS["thing"]))
             if name[0] == letter]
    for letter in string.ascii_uppercase
}  # fmt: skip
FIELDS: Fields = {
    **LISTS,
    **{
        name: lambda draws, text=texts[0]: fill(text, FIELDS, draws)
        for name, texts in LISTS.items()
        if len(texts) == 1  # A single text needs no draw.
    },
    "open": "{",
    "close": "}",
    "capital": lambda draws: draws.pick(CAPITALS[draws.pick(string.ascii_uppercase)]),
    # Capitals that look like a digit, or like two letters where their strokes stand apart.
    "capital like others": lambda draws: draws.pick(CAPITALS[draws.pick("OOIKLRY")]),
}
"""Values of the templates' fields."""
SENTENCE = "{sentence}"
"""Template of a sentence of words."""
SYMBOLS = "{noun={thing}}{first={first_name}}{last={last_name}}{symbols}"
"""Template of a line of numbers, addresses, formulas or code."""


def sign(draws: Draws) -> str:
    """Return a word or two with characters rare in English, such as `50%` or `up | on`.

    The text has at most 19 characters, and mostly fewer than 13.
    """
    lists = {"mark": "marks", "pair": "pairs", "word": "short"}
    chosen = {name: draws.pick(LISTS[texts]) for name, texts in lists.items()}
    return fill("{sign}", FIELDS | chosen, draws)


def line(draws: Draws, split: int, low: int, high: int, share: float) -> str:
    """Return a line of running text, with `low` to `high` characters.

    The line begins with a sentence, or within a sentence, and breaks between words. The line and
    its sentences belong to `split`, so that a text is in one split only.

    Raises:
        DataError: if no such line is found, because `low` and `high` are too close.
    """
    for _ in range(10000):
        target = draws.between(low, high)
        text = ""
        while len(text) < target:
            unit = fill(SYMBOLS if draws.chance(share) else SENTENCE, FIELDS, draws)
            if split_of(unit) == split:
                if not text and draws.chance(0.2):
                    words = unit.split(" ")
                    unit = " ".join(words[draws.between(0, len(words) - 1) :])
                text = f"{text} {unit}" if text else unit
        if len(text) > high:
            text = text[: high + 1].rsplit(" ", 1)[0]
        if low <= len(text) <= high and split_of(text) == split:
            return text
    raise DataError(f"no line of {low} to {high} characters could be generated")


def held_out(count: int, low: int = 20, high: int = 40) -> list[str]:
    """Return distinct plain sentences of the test split, of `low` to `high` characters. They are
    always the same; a longer list begins with the sentences of a shorter list."""
    sentences: dict[str, None] = {}
    for number in itertools.count():
        if len(sentences) == count:
            return list(sentences)
        draws = Draws(np.random.default_rng([2, number]))
        sentences.setdefault(line(draws, 2, low, high, 0.0))


CARRIERS = dict(read_pairs("carriers.txt"))
"""A word or two with each visible ASCII character (its carrier), to judge its legibility."""
