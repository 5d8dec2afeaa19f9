"""Sentences built from a small vocabulary: mostly plain English, some with numbers and signs.

Together the texts contain every printable ASCII character. A hash of a text determines the text's
split (`split_of`).
"""

import itertools
import string

import numpy as np

from data_loader.synthetic.texts.templates import (
    Draws,
    Fields,
    capital,
    fill,
    read_lists,
    read_pairs,
    split_of,
)
from utils.checks import DataError

PLAIN_CHARACTERS = string.ascii_letters + " .,;:!?'\"-"
"""Characters of plain sentences."""
CORPUS_LISTS = read_lists("corpus.txt")
"""Texts and templates by name. `marks`: signs that stand alone, without `_` and `^`, whose height
is unclear. `within`: signs in words; twice the backslash, which resembles a `v` next to an `l`."""
CAPITALISED: dict[str, list[str]] = {letter: [] for letter in string.ascii_uppercase}
"""For each capital, the last names and the things, with a capital, that begin with it."""
for _name in (*CORPUS_LISTS["last_name"], *map(capital, CORPUS_LISTS["thing"])):
    CAPITALISED[_name[0]].append(_name)
FIELDS: Fields = {
    **CORPUS_LISTS,
    **{
        # The default value holds the text of this name; a free variable would hold the last one.
        name: lambda draws, text=texts[0]: fill(text, FIELDS, draws)
        for name, texts in CORPUS_LISTS.items()
        if len(texts) == 1  # A list of a single text needs no random choice.
    },
    "open": "{",
    "close": "}",
    "capital": lambda draws: draws.pick(CAPITALISED[draws.pick(string.ascii_uppercase)]),
    # Capitals that look like a digit, or like two letters where their strokes stand apart.
    "capital like others": lambda draws: draws.pick(CAPITALISED[draws.pick("OOIKLRY")]),
}
"""Values of the templates' fields."""
MAX_DRAWN_LINES = 10_000
"""Largest number of lines that are drawn until one fits (assumed)."""
SENTENCE_TEMPLATE = "{sentence}"
"""Template of a plain sentence."""
SYMBOLS = "{noun={thing}}{first={first_name}}{last={last_name}}{symbols}"
"""Template of a line of numbers, addresses, formulas or code."""


def sign(draws: Draws) -> str:
    """Return one or two words with a character that is rare in English, such as `50%` or `up | on`;
    at most 19 characters, mostly fewer than 13."""
    lists = {"mark": "marks", "pair": "pairs", "word": "short"}
    chosen = {field: draws.pick(CORPUS_LISTS[name]) for field, name in lists.items()}
    return fill("{sign}", {**FIELDS, **chosen}, draws)


def running_text(draws: Draws, split: int, low: int, high: int, symbols: float) -> str:
    """Return a line of running text, with `low` to `high` characters.

    The line begins at the start of a sentence or within a sentence, and ends between words. The
    line and each of its sentences belong to `split` (see `split_of`). `symbols` is the fraction of
    sentences made of numbers, addresses, formulas or code.

    Raises:
        DataError: if no such line is drawn, because `low` and `high` are too close.
    """
    for _ in range(MAX_DRAWN_LINES):
        target = draws.between(low, high)
        text = ""
        while len(text) < target:
            template = SYMBOLS if draws.chance(symbols) else SENTENCE_TEMPLATE
            sentence = fill(template, FIELDS, draws)
            if split_of(sentence) == split:
                if not text and draws.chance(0.2):  # The line begins within the sentence.
                    words = sentence.split(" ")
                    sentence = " ".join(words[draws.between(0, len(words) - 1) :])
                text = f"{text} {sentence}" if text else sentence
        if len(text) > high:
            text, *_ = text[: high + 1].rsplit(" ", 1)  # The line ends between words.
        if low <= len(text) <= high and split_of(text) == split:
            return text
    raise DataError(f"no line of {low} to {high} characters could be generated")


def held_out(count: int) -> list[str]:
    """Return `count` distinct plain lines of the test split, of 20 to 40 characters.

    The lines are the same in every call, and a longer list begins with the lines of a shorter list.
    """
    lines: dict[str, None] = {}
    numbers = itertools.count()
    while len(lines) < count:
        draws = Draws(np.random.default_rng([2, next(numbers)]))
        lines.setdefault(running_text(draws, split=2, low=20, high=40, symbols=0.0))
    return list(lines)


CARRIERS = dict(read_pairs("carriers.txt"))
"""For each visible ASCII character, a word or two that contain it, to judge its legibility."""
