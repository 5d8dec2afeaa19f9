"""Texts of lines that a writer learns from: of the training split, and with what is rare."""

import json
import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from data_loader.synthetic.texts import corpus
from data_loader.synthetic.texts.european import VOCABULARY, european
from data_loader.synthetic.texts.everyday import CHARACTER_CLASSES, everyday, random_characters
from data_loader.synthetic.texts.templates import Draws, capital, fill
from ink.alphabet import Alphabet

MAX_LENGTH = 60
"""Maximum number of characters of a text, and of a line to which words are added (assumed)."""
RARE_LENGTH = 26  # characters after which a text of rare words ends (assumed)
NUM_LINES = 1_500  # of running text, whose words are chosen from (assumed)

_TABLES = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
PLACES: Sequence[str] = _TABLES["places"]
"""Places in words, as patterns: those that strict readers of pages stumbled over, and letters that
words seldom have."""
SIGNS: Sequence[str] = _TABLES["signs"]
"""Templates of signs, of a lone letter, and of digits that are seldom alone."""


def new_texts(
    draws: Draws, alphabets: Iterable[Alphabet], signs: float, *, rare: float = 0.0
) -> Iterator[str]:
    """Yield texts of the training split that all alphabets cover.

    The fraction `signs` are characters with a sign, and the fraction `rare` is half words with a
    rare place, half words of other languages. Of the others, half are everyday texts, a quarter
    sentences, and a quarter random characters; with rare words a half are sentences.
    """
    others = 1.0 - signs - rare
    while True:
        number = draws.number()
        if number < 0.25 * others:
            text = sentence(draws) if rare else random_characters(draws)
        elif number < 0.5 * others:
            text = sentence(draws)
        elif number < others:
            text = everyday(draws)
        elif number < others + 0.5 * rare:
            text = rare_words(draws)
        elif number < others + rare:
            text = european(draws)
        else:
            text = characters_with_sign(draws)
        if len(text) <= MAX_LENGTH and not any(alphabet.unknown(text) for alphabet in alphabets):
            yield text


def sentence(draws: Draws) -> str:
    """Return 10 to 45 characters of running text of the training split."""
    return corpus.running_text(draws, split=0, low=10, high=45, symbols=0.0)


def rare_words(draws: Draws) -> str:
    """Return words with a rare place, capital or sign, of at least `RARE_LENGTH` characters."""
    words = words_by_place()
    text = ""
    while len(text) < RARE_LENGTH:
        kind = draws.number()
        if kind < 0.2:
            word = draws.pick(string.ascii_uppercase)
            word = capital(draws.pick(words[word.lower()] or [word]))
        elif kind < 0.4:
            word = fill(draws.pick(SIGNS), {"word": words[""]}, draws)
        else:
            word = draws.pick(words[draws.pick(PLACES)])
        if draws.chance(0.05):
            word = word.upper()
        text += f" {word}" if text else word
    return text


@cache
def words_by_place() -> Mapping[str, Sequence[str]]:
    """Return words of the training split that have each of `PLACES`, or that begin with a letter;
    under "", all words of English."""
    draws = Draws(np.random.default_rng(0))
    texts = [corpus.running_text(draws, 0, 20, 50, 0.0) for _ in range(NUM_LINES)]
    english = {*re.findall(r"[A-Za-z]{2,}", " ".join(texts))}
    english |= {name for names in corpus.CAPITALISED.values() for name in names if name.isalpha()}
    others = {word for words in VOCABULARY.values() for word in words}
    words = sorted(english | others)
    places = {place: [word for word in words if re.search(place, word)] for place in PLACES}
    initials = {
        letter: [word for word in sorted(english) if word[0].lower() == letter]
        for letter in string.ascii_lowercase
    }
    return places | initials | {"": sorted(english)}


def characters_with_sign(draws: Draws) -> str:
    """Return 1 to 3 characters of a class, a sign, and 0 to 3 of the class, such as `ab/c`."""
    *classes, signs = CHARACTER_CLASSES
    chosen = draws.pick(classes)
    start = "".join(draws.pick(chosen) for _ in range(draws.between(1, 3)))
    end = "".join(draws.pick(chosen) for _ in range(draws.between(0, 3)))
    return start + draws.pick(signs) + end
