"""Texts from templates with fields, such as `{first} {last}, {1-99} {street|road}`.

Text files beside this module have the templates, and the texts for their fields.
"""

import re
import string
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

T = TypeVar("T")

HEADING = re.compile(r"^\[([\w-]+)\]\n", re.MULTILINE)
COUNTED = re.compile(r"\s*(?:(\d+)× )?(.*\S)")
BRACES = re.compile(r"([{}])")
ASSIGNMENT = re.compile(r"(\w+)=(.*)")
NUMBER = re.compile(r"(\d+)-(\d+)")


class Draws:
    """Choices from a generator's uniform numbers, the same on every machine."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._numbers: list[float] = []

    def number(self) -> float:
        """Return a number from 0 up to 1."""
        if not self._numbers:
            self._numbers = self._generator.random(64).tolist()
        return self._numbers.pop()

    def between(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + int(self.number() * (high - low + 1))

    def pick(self, choices: Sequence[T]) -> T:
        """Return a random item of `choices`."""
        return choices[int(self.number() * len(choices))]

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return self.number() < probability


def split_of(text: str) -> int:
    """Return the split of a text: 0 training (half of all texts), 1 validation, 2 test."""
    return (0, 0, 1, 2)[zlib.crc32(text.encode()) % 4]


def capital(text: str) -> str:
    """Return a text with its first letter as a capital."""
    return text[:1].upper() + text[1:]


def read_lists(file: str) -> dict[str, list[str]]:
    """Return the lists of a file beside this module by their names, in the order of the file.

    A line such as `[things]` names the list below it. A list has either words, with blanks between
    them, or phrases, with line breaks or bars `¦` between them and at least one bar; a phrase
    after `3× ` counts three times.
    """
    _, *parts = HEADING.split(_read(file))
    lists = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        if "¦" not in text:
            lists[name] = text.split()
            continue
        lists[name] = []
        for entry in filter(str.strip, re.split("[¦\n]", text)):
            count, phrase = COUNTED.match(entry).groups()
            lists[name] += [phrase] * int(count or 1)
    return lists


def read_pairs(file: str) -> list[tuple[str, str]]:
    """Return the texts before and after the tab of each line of a file."""
    return [tuple(line.split("\t")) for line in _read(file).splitlines()]


def _read(file: str) -> str:
    return Path(__file__).with_name(file).read_text(encoding="utf-8")


Fields = Mapping[str, str | Sequence[str] | Callable[[Draws], str]]
"""Values of fields by name: a text, templates to choose from, or a function that draws a text."""

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
CLASSES = {
    "9": string.digits,
    "A": string.ascii_uppercase,
    "a": string.ascii_lowercase,
    "X": string.ascii_uppercase + string.digits,
    "x": string.ascii_letters + string.digits,
}
"""By each class character of a mask, the characters that may take its place."""


def fill(template: str, fields: Fields, draws: Draws) -> str:
    """Return a template with each of its fields drawn anew, from left to right.

    A field in braces is one of these:
        `name`: a text of this name in `fields`, whose fields are filled as well; `name:lower`,
            `:upper`, `:capital` (the first letter) and the rest of `FORMS` change its form;
        `red|blue|`: one of the texts between the bars;
        `2-99`: a whole number from 2 to 99; `00-59` gives two digits, such as `07` for 7;
        `#AA-99`: a mask, see `CLASSES`; any other character stays as it is;
        `name=text`: nothing; from here on, `name` stands for the text.
    A field's inner fields are filled before the field; a field of blanks becomes its blanks.

    Raises:
        KeyError: if a field or a form does not exist.
    """
    values, parts = {**fields}, [""]
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
    if not field.strip():
        return field
    if field.startswith("#"):
        return "".join(draws.pick(CLASSES.get(sign, sign)) for sign in field[1:])
    if assignment := ASSIGNMENT.fullmatch(field):
        fields[assignment[1]] = assignment[2]
        return ""
    if "|" in field:
        return draws.pick(field.split("|"))
    if bounds := NUMBER.fullmatch(field):
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
