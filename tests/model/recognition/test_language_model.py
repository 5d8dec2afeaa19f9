"""The language model against a second implementation on dictionaries, and values by hand."""

import random
import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from model.recognition import language_model
from model.recognition.language_model import CharacterLanguageModel, WordLanguageModel
from utils.alphabet import Alphabet
from utils.checks import UserError

TEXTS = [
    "the cat sat on the mat",
    "a cat and a hat",
    "that hat sat there",
    "on and on and on",
    "at the end",
    "",
    "a",
]


def reference(texts, alphabet: Alphabet, order: int):
    """Modified Kneser-Ney by Chen & Goodman 1999, eqs 16 to 19, on dictionaries of strings.

    Returns a function from a line's text so far to a dictionary of probabilities.
    """
    start, end = "\x02", "\x03"
    predicted = [*alphabet.characters, end]
    raw = [Counter() for _ in range(order + 2)]
    for text in texts:
        line = start + text + end
        for size in range(1, order + 1):
            raw[size].update(line[n : n + size] for n in range(len(line) - size + 1))
    del raw[1][start]
    levels = {}
    for size in range(1, order + 1):
        contexts = defaultdict(set)
        for longer in raw[size + 1]:
            contexts[longer[1:]].add(longer[0])
        counts = {
            ngram: len(contexts[ngram]) if size < order and ngram[0] != start else count
            for ngram, count in raw[size].items()
        }
        n = Counter(counts.values())
        taken = (0.5, 1.0, 1.5)
        if n[1] and n[2] and n[3]:
            y = n[1] / (n[1] + 2 * n[2])
            found = tuple(i - (i + 1) * y * n[i + 1] / n[i] for i in (1, 2, 3))
            if all(0 < discount < i for i, discount in enumerate(found, start=1)):
                taken = found
        levels[size] = counts, taken

    def after(context: str) -> dict[str, float]:
        lower = after(context[1:]) if context else dict.fromkeys(predicted, 1 / len(predicted))
        counts, taken = levels[len(context) + 1]
        here = {c: counts[context + c] for c in predicted if context + c in counts}
        if not here:
            return lower
        total = sum(here.values())
        discount = {c: taken[min(count, 3) - 1] for c, count in here.items()}
        spread = sum(discount.values()) / total
        return {
            c: (here.get(c, 0) - discount.get(c, 0)) / total + spread * lower[c] for c in predicted
        }

    return lambda text: after((start + text)[max(0, len(text) + 2 - order) :])


@pytest.mark.parametrize("order", [1, 2, 3, 4, 6])
def test_equals_a_second_implementation(order):
    alphabet = Alphabet.from_texts([*TEXTS, "xz"])  # two characters are in no text
    source = random.Random(order)
    texts = TEXTS * 2 + ["".join(source.choices("the cats", k=20)) for _ in range(20)]
    model = CharacterLanguageModel(texts, alphabet, order=order)
    expected = reference(texts, alphabet, order)
    lines = [*TEXTS, "xzx cat", "cat on the hat z", "zzzzzzzz"]
    for text in {line[:n] for line in lines for n in range(len(line) + 1)}:
        got = model.log_probs(tuple(alphabet.encode(text).tolist()))
        np.testing.assert_allclose(np.exp(got), list(expected(text).values()), rtol=1e-10)


def test_unknown_characters_are_refused():
    with pytest.raises(UserError, match="'é'"):
        CharacterLanguageModel(["é"], Alphabet("ab"))


WORDS = {"cat": 9.0, "car": 4.0, "ca": 2.0, "it": 5.0, "été": 3.0}
LINES = ["Cat, it 12.", "a car? It 7", "THE cat", ""]


def words_reference(context: str, alphabet: Alphabet) -> dict[str, float]:
    """Return what follows a text, by the words and kinds of `WordLanguageModel`'s docstring."""

    def kind(c):
        return "0" if c.isdigit() else "a" if c.islower() else "A" if c.isupper() else c

    mapped = ["".join(map(kind, line)) for line in LINES]
    # Kinds have the places of their first characters, so that the rest of the alphabet is as large.
    first = {kind(c): c for c in reversed(alphabet.characters)}
    lines = ["".join(first[k] for k in line) for line in mapped]
    after = reference(lines, alphabet, language_model.KINDS_ORDER)
    place = "\x02" + "".join(first[kind(c)] for c in context)
    kinds = after(place[-(language_model.KINDS_ORDER - 1) :])
    digits = sum(c.isdigit() for c in alphabet.characters)
    share = {
        c: kinds[first[kind(c)]] / (digits if c.isdigit() else 1) for c in alphabet.characters
    } | {"\x03": kinds["\x03"]}
    ends = sum(p for c, p in share.items() if not c.isalpha())
    word = re.search(r"[^\W\d_]*$", context)[0].lower()
    letters = Alphabet("".join(sorted({c.lower() for c in alphabet.characters if c.isalpha()})))
    known = [w for w in sorted(WORDS, key=WORDS.get, reverse=True) if not letters.unknown(w)]
    alone = reference(known, letters, language_model.LETTERS_ORDER)
    alone = alone(("\x02" + word)[-(language_model.LETTERS_ORDER - 1) :])
    going = sum(p for c, p in alone.items() if c != "\x03")
    mass = {c: (1 - ends) * p / going for c, p in alone.items()} | {"\x03": ends}
    begun = [w for w in known if w.startswith(word)]
    counts = Counter()
    for w in begun:
        counts[(w + "\x03")[len(word)]] += WORDS[w]
    if counts:
        total = sum(counts.values())
        left = language_model.DISCOUNT * len(counts) / total
        mass = {
            c: left * p + max(counts[c] - language_model.DISCOUNT, 0) / total
            for c, p in mass.items()
        }
    if not word:
        going = sum(p for c, p in mass.items() if c != "\x03")
        mass = {c: p * (1 - ends) / going for c, p in mass.items()} | {"\x03": ends}
    result = {
        c: p * mass[c.lower()] / (1 - ends) if c.isalpha() else p * mass["\x03"] / ends
        for c, p in share.items()
    }
    return {c: p / sum(result.values()) for c, p in result.items()}


@pytest.mark.parametrize("context", ["", "c", "Ca", "It 1", "a cat", "a cat ", "IT", "7ca", "xyz"])
def test_a_model_of_words_equals_a_second_implementation(context):
    alphabet = Alphabet(" ,.?12CIHTEacehirtxyz7")
    model = WordLanguageModel(LINES, WORDS, alphabet)
    found = np.exp(model.log_probs(tuple(alphabet.encode(context).tolist())))
    expected = words_reference(context, alphabet)
    assert found == pytest.approx([expected[c] for c in [*alphabet.characters, "\x03"]])
    assert found.sum() == pytest.approx(1)
