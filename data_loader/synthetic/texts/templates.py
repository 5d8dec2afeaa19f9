"""Texts from templates with fields, such as `{first} {last}, {1-99} {street|road}`.

Text files in this module's folder have the templates, and the texts for their fields.
"""

import re
import string
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

T = TypeVar("T")

LIST_HEADING = re.compile(r"^\[([\w-]+)\]\n", re.MULTILINE)  # [things]
COUNTED_PHRASE = re.compile(r"\s*(?:(\d+)× )?(.*\S)")  # 3× a phrase
BRACES = re.compile(r"([{}])")
ASSIGNMENT = re.compile(r"(\w+)=(.*)")  # name=text
NUMBER_RANGE = re.compile(r"(\d+)-(\d+)")  # 2-99


class Draws:
    """Random choices by a generator's uniform numbers, the same on every machine."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._numbers: list[float] = []

    def number(self) -> float:
        """Return a random number from 0 to below 1."""
        if not self._numbers:  # Several at a time are faster.
            self._numbers = self._generator.random(64).tolist()
        return self._numbers.pop()

    def between(self, low: int, high: int) -> int:
        """Return a random whole number from `low` to `high`, both included."""
        return low + int(self.number() * (high - low + 1))

    def pick(self, choices: Sequence[T]) -> T:
        """Return a random item of `choices`."""
        return choices[int(self.number() * len(choices))]

    def chance(self, probability: float) -> bool:
        """Return True with the probability `probability`."""
        return self.number() < probability


def split_of(text: str) -> int:
    """Return a text's split, from a hash: 0 training (half of all texts), 1 validation, 2 test."""
    return (0, 0, 1, 2)[zlib.crc32(text.encode()) % 4]


def capital(text: str) -> str:
    """Return a text with its first letter as a capital."""
    return text[:1].upper() + text[1:]


def read_lists(file: str) -> dict[str, list[str]]:
    """Return the lists of a file in this module's folder, by name, in the order of the file.

    A line such as `[things]` names the list below the line. A list with a bar `¦` has phrases,
    separated by bars or line breaks; any other list has words, separated by blanks. A phrase after
    `3× ` is listed three times.
    """
    _, *names_and_texts = LIST_HEADING.split(_read(file))
    lists = {}
    for name, text in zip(names_and_texts[::2], names_and_texts[1::2], strict=True):
        if "¦" not in text:
            lists[name] = text.split()
            continue
        lists[name] = []
        entries = re.split("[¦\n]", text)
        for entry in filter(str.strip, entries):
            count, phrase = COUNTED_PHRASE.match(entry).groups()
            lists[name] += [phrase] * int(count or 1)
    return lists


def read_pairs(file: str) -> list[tuple[str, str]]:
    """Return the texts before and after the tab of each line of a file in this folder."""
    return [tuple(line.split("\t")) for line in _read(file).splitlines()]


def _read(file: str) -> str:
    return Path(__file__).with_name(file).read_text(encoding="utf-8")


Fields = Mapping[str, str | Sequence[str] | Callable[[Draws], str]]
"""The value of each field: a text, a list of templates, or a function that draws a text."""

FORMS: Mapping[str, Callable[[str], str]] = {
    "lower": str.lower,
    "upper": str.upper,
    "capital": capital,
    "initial": lambda text: text[0].upper(),
    "final": lambda text: text[-1],
    "base": lambda text: text.split("/")[0],
    "past": lambda text: text.split("/")[1],
    "an": lambda text: re.sub("^a (?!uni|us)(?=[aeiou])", "an ", text),
}
MASK_CLASSES = {
    "9": string.digits,
    "A": string.ascii_uppercase,
    "a": string.ascii_lowercase,
    "X": string.ascii_uppercase + string.digits,
    "x": string.ascii_letters + string.digits,
}
"""For each class character of a mask, the characters of which one takes its place."""


def fill(template: str, fields: Fields, draws: Draws) -> str:
    """Return a template with each field replaced by a randomly drawn text, from left to right.

    A field stands in braces and is one of these:
        `name`: the value of `name` in `fields`; if a template is drawn, its fields are filled as
            well. `name:lower`, or another form of `FORMS`, changes the text's form;
        `red|blue|`: one of the texts between the bars;
        `2-99`: a whole number from 2 to 99; `00-59` gives two digits, such as `07` for 7;
        `#AA-99`: a mask, see `MASK_CLASSES`; any other character of the mask stays;
        `name=text`: an empty text; from here on, `name` has the value `text`.
    Fields within a field are filled before that field. A field of blanks is replaced by the blanks.

    Raises:
        KeyError: if a name or a form does not exist.
    """
    # parts[0] is the text outside of fields; each further part is the text of an open field.
    values = {**fields}
    parts = [""]
    for token in BRACES.split(template):
        if token == "{":
            parts.append("")
        elif token == "}" and len(parts) > 1:
            value = _value(parts.pop(), values, draws)
            parts[-1] += value
        else:
            parts[-1] += token
    return "{".join(parts)


def _value(field: str, fields: dict, draws: Draws) -> str:
    """Return the text of a field without its braces, see `fill`; an assignment changes `fields`."""
    if not field.strip():
        return field
    if field.startswith("#"):
        return "".join(draws.pick(MASK_CLASSES.get(sign, sign)) for sign in field[1:])
    if assignment := ASSIGNMENT.fullmatch(field):
        fields[assignment[1]] = assignment[2]
        return ""
    if "|" in field:
        return draws.pick(field.split("|"))
    if bounds := NUMBER_RANGE.fullmatch(field):
        low, high = bounds.groups()
        width = len(low) if low[0] == "0" else 0
        return f"{draws.between(int(low), int(high)):0{width}}"
    name, _, form = field.partition(":")
    text = fields[name]
    if callable(text):
        text = text(draws)
    elif not isinstance(text, str):
        text = fill(draws.pick(text), fields, draws)
    return FORMS[form](text) if form else text
