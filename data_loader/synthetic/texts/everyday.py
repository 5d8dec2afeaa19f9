"""Everyday texts other than sentences: addresses, amounts, dates, numbers, names, signs.

All texts are printable ASCII. Mail and web addresses belong to nobody: their names are reserved for
examples (RFC 2606, RFC 6761, RFC 5737).
"""

import string

from data_loader.synthetic.texts import corpus
from data_loader.synthetic.texts.templates import (
    Draws,
    Fields,
    fill,
    read_lists,
    read_pairs,
    split_of,
)


def calculation(draws: Draws) -> str:
    """Return a correct calculation with whole numbers, such as "84 / 7 = 12"."""
    first = draws.between(2, 99)
    second = draws.between(2, 99)
    blank = draws.pick((" ", " ", ""))
    calculations = (
        (first, "+", second, first + second),
        (first + second, "-", second, first),
        (first, draws.pick("x*"), second, first * second),
        (first * second, draws.pick("/:"), second, first),
    )
    *terms, result = draws.pick(calculations)
    return blank.join(map(str, (*terms, "=", result)))


def thousands(draws: Draws) -> str:
    """Return a whole number of 4 to 8 digits with commas."""
    largest = 10 ** draws.between(4, 8) - 1
    return f"{draws.between(1000, largest):,}"


FIELD_LISTS = read_lists("everyday_fields.txt")
FIELDS: Fields = {
    **corpus.FIELDS,
    **FIELD_LISTS,
    "mon": [month[:3] for month in corpus.CORPUS_LISTS["month"]],
    "dy": [day[:3] for day in corpus.CORPUS_LISTS["day"]],
    "A": list(string.ascii_uppercase),
    "a": list(string.ascii_lowercase),
    "calculation": calculation,
    "thousands": thousands,
    "pointed": lambda draws: thousands(draws).replace(",", "."),
    "quoted": lambda draws: thousands(draws).replace(",", "'"),
    "spaced": lambda draws: thousands(draws).replace(",", " "),
    "first": corpus.CORPUS_LISTS["first_name"] + FIELD_LISTS["first"],
    "plain": corpus.CORPUS_LISTS["last_name"] + FIELD_LISTS["plain"],
}
"""Values of the templates' fields."""

TEMPLATES = read_lists("everyday.txt")
"""The templates of each kind of text."""

TEMPLATE_KINDS = tuple(TEMPLATES)
"""The kinds of texts by which a writer is judged."""

LETTERS = (string.ascii_lowercase, string.ascii_uppercase)
CHARACTER_CLASSES = (*LETTERS, string.digits, string.punctuation)


def random_characters(draws: Draws) -> str:
    """Return 2 to 20 characters that form no words: letters, digits and signs in any order, so that
    each of `CHARACTER_CLASSES` has all others as neighbours."""
    if draws.chance(0.3):
        text = fill(draws.pick(FIELD_LISTS["characters"]), FIELDS, draws)
        if draws.chance(0.3):
            sign = draws.pick(string.punctuation)
            is_last = draws.chance(0.5)
            text = text + sign if is_last else sign + text
        return text
    # Half of the texts have only 2 or 3 characters.
    length = draws.between(2, 3) if draws.chance(0.5) else draws.between(4, 14)
    text = ""
    while len(text) < length:
        count = draws.between(1, 2)
        character_class = draws.pick(CHARACTER_CLASSES)
        if character_class is string.punctuation:
            count = 1
        text += "".join(draws.pick(character_class) for _ in range(count))
        if draws.chance(0.1) and len(text) < length - 1:
            text += " "
    return text.strip()


def everyday(draws: Draws) -> str:
    """Return a text of the training split (see `split_of`): of one of `TEMPLATE_KINDS`, with 4 to
    60 characters, or of `random_characters`."""
    kind = draws.pick((*TEMPLATE_KINDS, "characters"))
    while True:
        if kind == "characters":
            text = random_characters(draws)
        else:
            text = fill(draws.pick(TEMPLATES[kind]), FIELDS, draws)
            if not 4 <= len(text) <= 60:
                continue
        if split_of(text) == 0:
            return text


def held_out_everyday(split: str = "test") -> list[tuple[str, str]]:
    """Return pairs of a kind and a text, the kinds in turn; `everyday` never returns these texts.

    Args:
        split: "test": 200 texts for published measurements; "valid": 400 texts for the choice of
            networks and settings.
    """
    return read_pairs(f"everyday_{split}.txt")
