"""Everyday texts other than sentences: addresses, amounts, dates, numbers, names, marks.

All texts are printable ASCII. Mail and web addresses use names reserved for examples (RFC 2606,
RFC 6761, RFC 5737), so that they belong to nobody.
"""

import string

from data_loader.synthetic import corpus
from data_loader.synthetic.templates import Draws, Fields, fill, read_lists, read_pairs, split_of


def calculation(draws: Draws) -> str:
    """Return a correct calculation with whole numbers, such as "84 / 7 = 12"."""
    first, second = draws.between(2, 99), draws.between(2, 99)
    blank = draws.pick((" ", " ", ""))
    left, sign, right, result = draws.pick(
        (
            (first, "+", second, first + second),
            (first + second, "-", second, first),
            (first, draws.pick("x*"), second, first * second),
            (first * second, draws.pick("/:"), second, first),
        )
    )
    return blank.join(map(str, (left, sign, right, "=", result)))


def thousands(draws: Draws) -> str:
    """Return a whole number from 1,000 to 99,999,999 with commas, short as often as long."""
    return f"{draws.between(1000, 10 ** draws.between(4, 8) - 1):,}"


LISTS = read_lists("everyday_fields.txt")
FIELDS: Fields = {
    **corpus.FIELDS,
    **LISTS,
    "mon": [month[:3] for month in corpus.LISTS["month"]],
    "dy": [day[:3] for day in corpus.LISTS["day"]],
    "A": list(string.ascii_uppercase),
    "a": list(string.ascii_lowercase),
    "calculation": calculation,
    "thousands": thousands,
    "pointed": lambda draws: thousands(draws).replace(",", "."),
    "quoted": lambda draws: thousands(draws).replace(",", "'"),
    "spaced": lambda draws: thousands(draws).replace(",", " "),
    "first": corpus.LISTS["first_name"] + LISTS["first"],
    "plain": corpus.LISTS["last_name"] + LISTS["plain"],
}
"""Values of the templates' fields."""

TEMPLATES = read_lists("everyday.txt")
"""The templates of each kind."""

KINDS = tuple(TEMPLATES)
"""The kinds of texts by which a writer is judged."""

CHARACTERS = (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation)


def characters(draws: Draws) -> str:
    """Return 2 to 20 characters that form no words: letters, digits and signs in any order.

    Classes of characters (small letters, capitals, digits, signs) follow each other in every order,
    so that each class is seen beside all others.
    """
    if draws.chance(0.3):
        text = fill(draws.pick(LISTS["characters"]), FIELDS, draws)
        if draws.chance(0.3):
            sign, after = draws.pick(string.punctuation), draws.chance(0.5)
            text = text + sign if after else sign + text
        return text
    # Half of the strings are short: a character with a neighbour or two.
    count = draws.between(2, 3) if draws.chance(0.5) else draws.between(4, 14)
    text = ""
    while len(text) < count:
        run = draws.between(1, 2)
        chosen = draws.pick(CHARACTERS)
        run = 1 if chosen is CHARACTERS[3] else run
        text += "".join(draws.pick(chosen) for _ in range(run))
        if draws.chance(0.1) and len(text) < count - 1:
            text += " "
    return text.strip()


def everyday(draws: Draws) -> str:
    """Return a text of the training split (`split_of`): one of `KINDS`, of 4 to 60 characters, or
    `characters`."""
    kind = draws.pick((*KINDS, "characters"))
    while True:
        if kind == "characters":
            text = characters(draws)
        else:
            text = fill(draws.pick(TEMPLATES[kind]), FIELDS, draws)
            if not 4 <= len(text) <= 60:
                continue
        if split_of(text) == 0:
            return text


def held_out_everyday(split: str = "test") -> list[tuple[str, str]]:
    """Return pairs of kind and text, the kinds in turn; `everyday` never gives these texts.

    Args:
        split: "test" for 200 texts of published measurements, "valid" for 400 texts by which
            networks and settings are chosen.
    """
    return read_pairs(f"everyday_{split}.txt")
