"""Texts that are written for a font: words with each character of an alphabet often enough."""

import string
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise

import numpy as np

from apps.pages.marks import MARKED, PLAIN
from data_loader.synthetic.texts.corpus import CAPITALISED, CORPUS_LISTS, FIELDS, SENTENCE_TEMPLATE
from data_loader.synthetic.texts.european import VOCABULARY
from data_loader.synthetic.texts.templates import Draws, capital, fill, read_pairs
from model.generation.long_lines import wrapped

MAX_LINE_CHARACTERS = 32  # as of the lines of pages
PAIR_LANGUAGES = ("German", "French", "Spanish")
"""Languages whose words count for the commonest pairs, beside English."""
NUM_PAIRS = 200
NUM_SENTENCES = 400  # English ones, whose pairs of letters are counted
FREQUENT = frozenset("etaoinsrhldcumgp")
"""The commonest letters of texts in English, German, French and Spanish."""
NUM_FREQUENT = {"first": 10, "middle": 40, "last": 12}
NUM_OTHER = {"first": 8, "middle": 24, "last": 10}
"""How often a letter is written at each place of words (assumed: half of them are chosen)."""
NUM_OF_PAIR = 5  # how often a common pair is written
NUM_CAPITALS = 12  # words with a capital at their start, which small letters give its size
NUM_NUMBERS = 60  # of four digits
NUM_CARRIERS = 3  # texts of `carriers.txt` with a sign
NUM_SIGNS = 8  # other texts with a sign, in various words
AFTER = ("en", "an", "is", "on", "ur")
BEFORE = ("an", "me", "su", "lo", "ti")
"""What stands beside a letter that no word has at its start or end."""


def form_texts(alphabet: str, draws: Draws) -> list[str]:
    """Return lines of words with each character of an alphabet, as a network writes them, at the
    places where it occurs; `draws` chooses the words."""
    letters = [*_words_with_letters(draws)]
    lines = [*wrapped(letters, MAX_LINE_CHARACTERS)]
    capitals = [*_words_with_capitals(draws)]
    lines += wrapped(capitals, MAX_LINE_CHARACTERS)
    numbers = ["".join(str(draws.between(0, 9)) for _ in range(4)) for _ in range(NUM_NUMBERS)]
    lines += wrapped(numbers, MAX_LINE_CHARACTERS)
    carriers = dict(read_pairs("carriers.txt"))
    plain = {*string.ascii_letters, *string.digits, " "}
    for sign in sorted({*alphabet} - plain - MARKED):
        known = [carriers[sign]] * NUM_CARRIERS if sign in carriers else []
        lines += [*known, *_carriers(sign, draws)]
    return [line for line in lines if all(c in alphabet for c in line)]


def common_pairs() -> list[str]:
    """Return the `NUM_PAIRS` commonest pairs of small letters, doubles among them, in the words of
    `PAIR_LANGUAGES` and in English sentences."""
    draws = Draws(np.random.default_rng(0))
    sentences = (fill(SENTENCE_TEMPLATE, FIELDS, draws) for _ in range(NUM_SENTENCES))
    counts = _frequencies(chain.from_iterable(map(str.split, sentences)))
    for language in PAIR_LANGUAGES:
        counts += _frequencies(map(_plain, VOCABULARY[language]))
    ranked = sorted(counts, key=lambda pair: (-counts[pair], pair))
    return ranked[:NUM_PAIRS]


def _frequencies(words: Iterable[str]) -> Counter[str]:
    """Return the occurrences of each pair of letters in a million pairs of words."""
    counts = Counter(chain.from_iterable(map(_pairs, words)))
    total = counts.total()
    return Counter({pair: 1_000_000 * count // total for pair, count in counts.items()})


def _english() -> list[str]:
    """Return the English words of small letters."""
    names = ("article", "thing", "person", "quality", "doing", "going", "manner", "relation")
    return [word for name in (*names, "time", "few", "link") for word in CORPUS_LISTS[name]]


def _plain(word: str) -> str:
    """Return a word as a network writes it, in small letters."""
    return "".join(PLAIN.get(letter, letter) for letter in word.lower())


def _pairs(word: str) -> Iterator[str]:
    """Yield the pairs of ASCII letters in a word."""
    for pair in pairwise(word):
        if all(letter in string.ascii_lowercase for letter in pair):
            yield "".join(pair)


def _words_with_letters(draws: Draws) -> Iterator[str]:
    """Yield words of small letters, until each letter is often enough at each place, and each
    common pair is."""
    needs = {
        (letter, place): count
        for letter in string.ascii_lowercase
        for place, count in (NUM_FREQUENT if letter in FREQUENT else NUM_OTHER).items()
    } | {(pair, "pair"): NUM_OF_PAIR for pair in common_pairs()}
    others = chain.from_iterable(VOCABULARY.values())
    words = sorted({word for word in map(_plain, [*_english(), *others]) if _is_word(word)})
    order = {word: draws.number() for word in words}
    for word in sorted(words, key=order.__getitem__):
        if _meet(needs, word):
            yield word
    for (letter, place), count in needs.items():
        for _ in range(count if place != "pair" else 0):
            before = draws.pick(BEFORE) if place != "first" else ""
            behind = draws.pick(AFTER) if place != "last" else ""
            yield before + letter + behind
    for letter in string.ascii_lowercase:
        yield from [letter] * 3


def _is_word(word: str) -> bool:
    """Return whether a word has two to nine small ASCII letters."""
    return 1 < len(word) < 10 and all(letter in string.ascii_lowercase for letter in word)


def _meet(needs: dict[tuple[str, str], int], word: str) -> bool:
    """Count the letters and pairs of a word; return whether one of them was needed."""
    places = ["first", *["middle"] * (len(word) - 2), "last"]
    items = [*zip(word, places, strict=True), *((pair, "pair") for pair in _pairs(word))]
    wanted = [item for item in items if needs.get(item, 0) > 0]
    if not wanted:
        return False
    for item in items:
        if item in needs:
            needs[item] -= 1
    return True


def _words_with_capitals(draws: Draws) -> Iterator[str]:
    """Yield words that begin with each capital."""
    for letter in string.ascii_uppercase:
        names = CAPITALISED[letter] or [letter + ending for ending in AFTER]
        for _ in range(NUM_CAPITALS):
            yield draws.pick(names)


def _carriers(sign: str, draws: Draws) -> Iterator[str]:
    """Yield texts with a sign beside various words."""
    words: Sequence[str] = CORPUS_LISTS["short"]
    for _ in range(NUM_SIGNS):
        first, second = draws.pick(words), draws.pick(words)
        if sign.isupper():
            yield f"{sign}{first} {capital(second)}"
        elif sign.isalpha():
            yield f"{first[:2]}{sign}{second[-2:]}"
        elif sign in "£€":
            yield " ".join(f"{sign}{draws.between(10, 99)}" for _ in range(3))
        elif sign in "([{<«„“‘¿¡":
            yield f"{sign}{first} {sign}{second}"
        else:
            yield f"{first}{sign} {second}{sign}"
