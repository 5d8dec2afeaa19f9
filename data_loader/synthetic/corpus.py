"""Sentences built from a small vocabulary: mostly plain English, some with numbers and signs.

Together the texts contain every printable ASCII character; the split of a sentence follows from
the sentence itself.
"""

import itertools
import string
import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from data_loader.synthetic.lists import read_lists, read_pairs
from utils.checks import DataError

T = TypeVar("T")


LISTS = read_lists("corpus.txt")
ARTICLES, LINKS = LISTS["article"], LISTS["link"]
THINGS, PEOPLE, QUALITIES = LISTS["thing"], LISTS["person"], LISTS["quality"]
DOINGS = [pair.split("/") for pair in LISTS["doing"]]
"""Base form and past of verbs that take an object."""
GOINGS = [pair.split("/") for pair in LISTS["going"]]
"""The same of verbs that need none."""
MANNERS, RELATIONS, TIMES = LISTS["manner"], LISTS["relation"], LISTS["time"]
FIRST_NAMES, LAST_NAMES, CITIES = LISTS["first_name"], LISTS["last_name"], LISTS["city"]
MONTHS, DAYS, NUMBERS = LISTS["month"], LISTS["day"], LISTS["few"]
LETTERS = string.ascii_uppercase
SHOUTS, GREETINGS, SHORT = LISTS["shout"], LISTS["greeting"], LISTS["short"]


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
        """Return one of `choices`."""
        return choices[int(self.number() * len(choices))]

    def chance(self, probability: float) -> bool:
        """Return True with `probability`."""
        return self.number() < probability


def split_of(text: str) -> int:
    """Return the split that a text belongs to: 0 training (half of all texts), 1 valid, 2 test."""
    return (0, 0, 1, 2)[zlib.crc32(text.encode()) % 4]


def a_thing(draws: Draws) -> str:
    """Return a thing with an article, such as "an old clock"."""
    noun = draws.pick(THINGS)
    if draws.chance(0.4):
        noun = f"{draws.pick(QUALITIES)} {noun}"
    article = draws.pick(ARTICLES)
    if article == "a" and noun[0] in "aeiou" and not noun.startswith(("uni", "us")):
        article = "an"
    return f"{article} {noun}"


def somebody(draws: Draws) -> str:
    """Return who does something, in the form used inside a sentence."""
    kind = draws.number()
    if kind < 0.3:
        return draws.pick(("I", "he", "she", "we", "they", "you", "nobody", "everyone"))
    if kind < 0.55:
        return draws.pick(FIRST_NAMES)
    if kind < 0.65:
        return f"{draws.pick(('Mr', 'Mrs', 'Dr', 'Ms'))} {draws.pick(LAST_NAMES)}"
    person = draws.pick(PEOPLE)
    if draws.chance(0.4):
        person = f"{draws.pick(QUALITIES)} {person}"
    return f"{draws.pick(('the', 'the', 'my', 'our', 'their'))} {person}"


def place(draws: Draws) -> str:
    """Return where something happens."""
    if draws.chance(0.2):
        return f"in {draws.pick(CITIES)}"
    return f"{draws.pick(RELATIONS)} {a_thing(draws)}"


def clause(draws: Draws) -> str:
    """Return a statement without its first capital and its full stop."""
    who = somebody(draws)
    if draws.chance(0.6):
        text = f"{who} {draws.pick(DOINGS)[1]} {a_thing(draws)}"
        if draws.chance(0.25):
            text += f" {place(draws)}"
    else:
        text = f"{who} {draws.pick(GOINGS)[1]}"
        if draws.chance(0.5):
            text += f" {draws.pick(MANNERS)}"
        if draws.chance(0.5):
            text += f" {place(draws)}"
    if draws.chance(0.2):
        text += f" {draws.pick(TIMES)}"
    return text


def capital(text: str) -> str:
    """Return a text with its first letter as a capital."""
    return text[:1].upper() + text[1:]


def plain(draws: Draws) -> str:
    """Return a sentence of words."""
    kind = draws.between(0, 99)
    question = ("Did", "Why did", "When did", "Will", "Could")
    if kind < 42:
        return capital(clause(draws)) + draws.pick("......!")
    if kind < 54:
        return f"{capital(clause(draws))}, {draws.pick(LINKS)} {clause(draws)}."
    if kind < 62:
        verb = draws.pick((draws.pick(DOINGS)[0] + " " + a_thing(draws), draws.pick(GOINGS)[0]))
        return f"{draws.pick(question)} {somebody(draws)} {verb}?"
    if kind < 66:
        return f"{draws.pick(('Where is', 'Who took', 'Is this', 'What about'))} {a_thing(draws)}?"
    if kind < 74:
        verb = capital(draws.pick(DOINGS)[0])
        start = draws.pick((verb, verb, f"Please {verb.lower()}", f"Don't {verb.lower()}"))
        return f"{start} {a_thing(draws)}{draws.pick(('.', '!', f' {draws.pick(TIMES)}.'))}"
    if kind < 82:
        said = draws.pick(("said", "cried", "whispered"))
        return f'"{capital(clause(draws))}," {said} {draws.pick(FIRST_NAMES)}.'
    if kind < 88:
        are, state = draws.pick(("is", "was", "isn't", "wasn't", "seems")), draws.pick(QUALITIES)
        return (
            f"{capital(a_thing(draws))} {are} {draws.pick(('', 'very ', 'too ', 'quite '))}{state}."
        )
    if kind < 92:
        owner, things = draws.pick(FIRST_NAMES), draws.pick(THINGS)
        return f"{owner}'s {things} {draws.pick(GOINGS)[1]} {draws.pick(MANNERS)}."
    if kind < 95:
        return f"{draws.pick(GREETINGS)}, {draws.pick(FIRST_NAMES)}{draws.pick('.!')}"
    if kind < 97:
        return f"Dear {draws.pick(FIRST_NAMES)} and {draws.pick(FIRST_NAMES)},"
    things = [draws.pick(THINGS) for _ in range(3)]
    return draws.pick(
        (
            f"{capital(things[0])}; {things[1]}; {things[2]}.",
            f"{capital(things[0])}, {things[1]} and {things[2]}.",
            f"{capital(things[0])} - {draws.pick(QUALITIES)} and {draws.pick(QUALITIES)}.",
            f"{capital(things[0])}: {draws.pick(NUMBERS)} or {draws.pick(NUMBERS)}",
        )
    )


def name(draws: Draws) -> str:
    """Return a name as used in programs."""
    return draws.pick((draws.pick(THINGS), draws.pick(QUALITIES), draws.pick("abcijknqxyz")))


def symbols(draws: Draws) -> str:
    """Return a line of numbers, addresses, formulas or code."""
    n, thing = draws.between, draws.pick(THINGS)
    first, last = draws.pick(FIRST_NAMES), draws.pick(LAST_NAMES)
    written = (
        lambda: f"{draws.pick(DAYS)}, {n(1, 28)} {draws.pick(MONTHS)} {n(1890, 2049)}",
        lambda: f"{draws.pick(MONTHS)} {n(1, 28)}, {n(1890, 2049)}",
        lambda: f"{first} was born in {n(1890, 2029)}.",
        lambda: f"{n(1, 12)}/{n(1, 28)}/{n(1980, 2039)} at {n(1, 23)}:{n(10, 59)}",
        lambda: f"The {thing} costs ${n(1, 999)}.{n(10, 99)}.",
        lambda: f"{n(2, 99)} {draws.pick(QUALITIES)} {thing}s for ${n(1, 99)}!",
        lambda: f"{n(5, 95)}% off: {thing} & {draws.pick(THINGS)}",
        lambda: f"{n(5, 95)}% of {n(5, 999)} = {n(1, 999)}",
        lambda: f"{last} & {draws.pick(LAST_NAMES)} ({draws.pick(CITIES)})",
        lambda: f"Room #{n(1, 99)}, {n(1, 400)} {last} Street",
        lambda: f"Tel. +{n(1, 99)} {n(100, 999)} {n(1000, 9999)}",
        lambda: f"{first.lower()}_{last.lower()}@{draws.pick(CITIES).lower()}.org",
        lambda: f"{thing}_{draws.pick(THINGS)}@mail{n(1, 99)}.net",
        lambda: f"{first[0]}. {last[0]}. {draws.pick(LAST_NAMES)} (p. {n(1, 999)})",
        lambda: f"{n(1, 99)} + {n(1, 99)} * {n(1, 99)} = {n(2, 9999)}",
        lambda: f"{n(2, 9)} * ({n(1, 99)} - {n(1, 99)}) < {n(10, 999)}",
        lambda: f"{thing}* < {draws.pick(THINGS)}**",
        lambda: f"{name(draws)}^{n(2, 9)} > {n(2, 99)}^{n(2, 9)}",
        lambda: f"~{n(2, 99)} km, ~{n(2, 99)} min",
        lambda: f"~/{thing}/{name(draws)}_{n(1, 99)}.txt",
        lambda: f"{draws.pick('CDEXZ')}:\\{thing}\\{name(draws)}",
        lambda: f"{name(draws)}[{n(0, 99)}] = {{{n(0, 9)}, {n(0, 9)}}};",
        lambda: f"if ({name(draws)} >= {n(1, 99)}) {{ {name(draws)}++; }}",
        lambda: f"{{{name(draws)}: [{n(0, 9)}.{n(0, 9)}, -{n(0, 9)}.{n(0, 9)}]}}",
        lambda: f"`{name(draws)} | {name(draws)}` \\ {n(1, 99)}",
        lambda: f"<b>{thing}</b> | `{name(draws)}`",
        lambda: f"{name(draws)} ^ {name(draws)} | ~{name(draws)} & {n(1, 9)}",
        lambda: f"#{thing} #{draws.pick(QUALITIES)} @{first}{n(1, 99)}",
        lambda: f"{draws.pick(SHOUTS)}!",
        lambda: f"{draws.pick(SHOUTS)}: {draws.pick(SHOUTS)}",
        lambda: f"{draws.pick(LETTERS)}{draws.pick(LETTERS)}{draws.pick(LETTERS)}-{n(100, 999)}",
        lambda: f"{draws.pick(LETTERS)}. {draws.pick(LETTERS)}. {last}, ${n(10, 99)}*",
    )
    return draws.pick(written)()


def sign(draws: Draws) -> str:
    """Return a word or two with characters rare in English, such as `50%` or `up | on`.

    At most 19 characters, and mostly fewer than 13.
    """
    n, mark = draws.between, draws.pick(SIGNS)
    opening, closing = draws.pick(PAIRS)
    short = draws.pick(SHORT)
    written = (
        lambda: mark,
        lambda: mark,
        lambda: mark,
        lambda: f"{opening}{short}{closing}",
        lambda: f"{short}{opening}{draws.pick(SHORT)}{closing}",
        lambda: f"{short} {opening}{draws.pick(SHORT)}{closing}",
        lambda: f"{short} {opening}{draws.pick(THINGS)}{closing}",
        lambda: f"{opening}{short}, {draws.pick(SHORT)}{closing}",
        lambda: f"{opening}{n(0, 99)}{closing}",
        lambda: draws.pick((f"{n(1, 99)}%", f"${n(1, 99)}", f"#{n(1, 99)}", f"~{n(1, 99)}")),
        lambda: f"{n(1, 9)}{draws.pick('+-*/=<>^')}{n(1, 9)}",
        lambda: f"{short}{draws.pick(WITHIN)}{draws.pick(SHORT)}",
        lambda: f"{draws.pick(THINGS)}{draws.pick(WITHIN)}{draws.pick(THINGS)}",
        lambda: f"{short} {draws.pick(BETWEEN)} {draws.pick(SHORT)}",
        lambda: f"{draws.pick(ATTACHED)}{short}",
        lambda: f"{draws.pick('ACDE')}:\\{short}",
        lambda: draws.pick((f"{short}!", f"{short};", f"{short}:", f"{short}?", f"{short}*")),
        lambda: draws.pick(CAPITALS[draws.pick(LETTERS)]),
        lambda: draws.pick(CAPITALS[draws.pick(LETTERS)]),
        lambda: draws.pick(CAPITALS[draws.pick(LETTERS)]),
        lambda: draws.pick(CAPITALS[draws.pick(LETTERS)]),
        lambda: draws.pick(CAPITALS[draws.pick(LIKE_OTHERS)]),
        lambda: draws.pick("QXZQXZJKUVY") + draws.pick("QXZJKUVY"),
        lambda: str(n(0, 9999)),
        lambda: str(n(0, 9)),
    )
    return draws.pick(written)()


SIGNS = "@#$%&*+=<>~|/\\[]{}{}()()?!QXZ"
"""Those that may stand alone: the height of a lone `_` or `^` is unknown."""
PAIRS = ("()", "()", "[]", "[]", "{}", "{}", "<>", "``", "``", '""', '""', "**", "||", "__")
"""Those that enclose. Brackets, which are alike, and quotes come twice as often."""
BETWEEN = "^^^|||~&+=<>*@#"
"""Those that stand between words, with blanks; otherwise rare ones more often."""
WITHIN = "@_/\\\\|&-+#~"
"""Those that stand between words without blanks; a backslash beside an `l` looks like a `v`."""
LIKE_OTHERS = "OOIKLRY"
"""Capitals that look like a digit, or like two letters where their strokes stand apart."""
CAPITALS = {
    letter: [name for name in LAST_NAMES + list(map(capital, THINGS)) if name[0] == letter]
    for letter in LETTERS
}
ATTACHED = "#@~$/\\_<>"
PLAIN = string.ascii_letters + " .,;:!?'\"-"
"""Characters of plain sentences."""


def sentence(draws: Draws, share: float) -> str:
    """Return a sentence, with probability `share` one of numbers and signs."""
    return symbols(draws) if draws.chance(share) else plain(draws)


def line(draws: Draws, split: int, low: int, high: int, share: float) -> str:
    """Return the text of one line of running text, with `low` to `high` characters.

    It begins with a sentence, sometimes in the middle of one, and breaks between words. Its
    sentences, and the line itself, belong to `split`: so a text is in one split only.

    Raises:
        DataError: if no such line is found, because `low` and `high` are too close.
    """
    for _ in range(10000):
        target = draws.between(low, high)
        text = ""
        while len(text) < target:
            unit = sentence(draws, share)
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
    """Return `count` distinct plain sentences of the test split, the same every time.

    Args:
        count: how many; the first ones of a longer list are those of a shorter one.
        low, high: bounds on their characters.
    """
    found: dict[str, None] = {}
    numbers = itertools.count()
    while len(found) < count:
        draws = Draws(np.random.default_rng([2, next(numbers)]))
        found.setdefault(line(draws, 2, low, high, 0.0))
    return list(found)


CARRIERS = dict(read_pairs("carriers.txt"))
"""Each visible ASCII character in a word or two (its carrier), to judge its legibility."""
