"""The language model against a second implementation on dictionaries, and values by hand."""

import random
from collections import Counter, defaultdict

import numpy as np
import pytest

from model.recognition.language_model import CharacterLanguageModel
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
