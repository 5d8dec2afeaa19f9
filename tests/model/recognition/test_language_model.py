"""The language models against second implementations on dictionaries."""

import random
import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from ink.alphabet import Alphabet
from model.recognition import language_model
from model.recognition.language_model import CharacterLanguageModel, WordLanguageModel
from utils.checks import UserError

START, END = "\x02", "\x03"
TEXTS = ["the cat sat on the mat", "a cat and a hat", "that hat sat there", "on and on and on"]
TEXTS += ["at the end", "", "a"]


def counts_and_discounts(texts, order):
    """Return for each length the counts of n-grams and the discounts of 1, 2 and 3 or more."""
    raw = [Counter() for _ in range(order + 2)]
    for line in (START + text + END for text in texts):
        for size in range(1, order + 1):
            raw[size].update(line[n : n + size] for n in range(len(line) - size + 1))
    del raw[1][START]
    levels = {}
    for size in range(1, order + 1):
        contexts = defaultdict(set)
        for longer in raw[size + 1]:
            contexts[longer[1:]].add(longer[0])
        counts = {
            ngram: len(contexts[ngram]) if size < order and ngram[0] != START else count
            for ngram, count in raw[size].items()
        }
        n, discounts = Counter(counts.values()), (0.5, 1.0, 1.5)
        if n[1] and n[2] and n[3]:
            y = n[1] / (n[1] + 2 * n[2])
            estimates = tuple(i - (i + 1) * y * n[i + 1] / n[i] for i in (1, 2, 3))
            if all(0 < discount < i for i, discount in enumerate(estimates, start=1)):
                discounts = estimates
        levels[size] = counts, discounts
    return levels


class KneserNey:
    """Modified Kneser-Ney by Chen & Goodman 1999, eqs 16 to 19, on dictionaries of strings."""

    def __init__(self, texts, alphabet, order):
        self.predicted, self.order = [*alphabet.characters, END], order
        self.levels = counts_and_discounts(texts, order)

    def __call__(self, text):
        """Return the probabilities of what follows a line's text so far, by character."""
        return self.after((START + text)[max(0, len(text) + 2 - self.order) :])

    def after(self, context):
        even = dict.fromkeys(self.predicted, 1 / len(self.predicted))
        lower = self.after(context[1:]) if context else even
        counts, discounts = self.levels[len(context) + 1]
        here = {c: counts[context + c] for c in self.predicted if context + c in counts}
        if not here:
            return lower
        total = sum(here.values())
        less = {c: discounts[min(count, 3) - 1] for c, count in here.items()}
        spread = sum(less.values()) / total
        return {c: (here.get(c, 0) - less.get(c, 0)) / total + spread * p for c, p in lower.items()}


@pytest.mark.parametrize("order", [1, 2, 3, 4, 6])
def test_model_of_characters_equals_a_second_implementation(order):
    alphabet = Alphabet.from_texts([*TEXTS, "xz"])  # two characters are in no text
    source = random.Random(order)
    texts = TEXTS * 2 + ["".join(source.choices("the cats", k=20)) for _ in range(20)]
    model = CharacterLanguageModel(texts, alphabet, order=order)
    expected = KneserNey(texts, alphabet, order)
    lines = [*TEXTS, "xzx cat", "cat on the hat z", "zzzzzzzz"]
    for text in {line[:n] for line in lines for n in range(len(line) + 1)}:
        log_probs = model.log_probs(tuple(alphabet.encode(text).tolist()))
        np.testing.assert_allclose(np.exp(log_probs), [*expected(text).values()], rtol=1e-10)


def test_characters_that_the_alphabet_lacks_are_refused():
    with pytest.raises(UserError, match="'é'"):
        CharacterLanguageModel(["é"], Alphabet("ab"))


WORDS = {
    "cat": 9.0,
    "car": 4.0,
    "ca": 2.0,
    "it": 5.0,
    "été": 3.0,
    "it'c": 4.0,
    "h'": 3.0,
    "h'it": 2.0,
}
LINES = ["Cat, it 12.", "a car? It 7", "THE cat", "", "it'c a"]


def kind(c):
    return "0" if c.isdigit() else "a" if c.islower() else "A" if c.isupper() else c


def normalised(probabilities, total=1.0):
    factor = total / sum(probabilities.values())
    return {c: factor * p for c, p in probabilities.items()}


def by_words(context, alphabet):
    """Return what follows a text, by the words and kinds of `WordLanguageModel`'s docstring."""
    # Kinds have the places of their first characters, so that the rest of the alphabet is as large.
    first = {kind(c): c for c in reversed(alphabet.characters)}
    lines = ["".join(first[kind(c)] for c in line) for line in LINES]
    kinds = KneserNey(lines, alphabet, language_model.KINDS_ORDER)
    letters_and_apostrophes = re.search(r"([^\W\d_]|')*$", context)[0]
    before = context.removesuffix(letters_and_apostrophes)
    last = letters_and_apostrophes[-1:]
    seen = before + letters_and_apostrophes[:-1].replace("'", "") + last
    kinds = kinds("".join(first[kind(c)] for c in seen))
    digits = sum(c.isdigit() for c in alphabet.characters)
    by_kind = {
        c: kinds[first.get(kind(c), c)] / (digits if c.isdigit() else 1)
        for c in [*alphabet.characters, END]
    }
    ends = sum(p for c, p in by_kind.items() if not c.isalpha())
    apostrophe = by_kind["'"]
    word = current_word(context)
    letters = Alphabet("".join(sorted({c.lower() for c in alphabet.characters if c.isalpha()})))
    words = {word: n for word, n in WORDS.items() if not letters.unknown(word.replace("'", ""))}
    plain = [word for word in words if "'" not in word]
    spelling = KneserNey(plain, letters, language_model.LETTERS_ORDER)(word.rpartition("'")[2])
    del spelling[END]
    mass = normalised(spelling, 1 - ends) | {END: ends - apostrophe, "'": apostrophe}
    counts = Counter()
    for longer in words:
        if longer.startswith(word):
            counts[(longer + END)[len(word)]] += words[longer]
    if total := sum(counts.values()):
        discount = language_model.DISCOUNT
        mass = {c: discount * len(counts) / total * p for c, p in mass.items()}
        mass |= {c: mass[c] + (count - discount) / total for c, count in counts.items()}
        ended = mass[END] + mass["'"]
        mass["'"] = max(mass["'"], ended * apostrophe / ends)
        mass[END] = ended - mass["'"]
    if not word:
        del mass[END], mass["'"]
        mass = normalised(mass, 1 - ends) | {END: ends - apostrophe, "'": apostrophe}
    result = {c: p * mass[END] / (ends - apostrophe) for c, p in by_kind.items()}
    result |= {c: p * mass[c.lower()] / (1 - ends) for c, p in by_kind.items() if c.isalpha()}
    return normalised(result | {"'": mass["'"]})


def current_word(context):
    """Return the current word of a text in small letters; behind an apostrophe a new one begins,
    unless words of `WORDS` go on there and none ends."""
    word, *parts = re.search(r"[^\W\d_']*('[^\W\d_']*)*$", context)[0].lower().split("'")
    for part in parts:
        is_open = any(longer.startswith(word + "'") for longer in WORDS)
        goes_on = is_open and word + "'" not in WORDS
        word = f"{word}'{part}" if goes_on else part
    return word


CONTEXTS = ["", "c", "Ca", "It 1", "a cat", "a cat ", "IT", "7ca", "xyz"]
CONTEXTS += [
    "it'",
    "It'c",
    "a h'",
    "H'ca",
    "cat'",
    "cat'c",
    "' cat",
    "'ca",
    "a 'it",
    "it'c'",
    "ca''",
]


@pytest.mark.parametrize("context", CONTEXTS)
def test_model_of_words_equals_a_second_implementation(context):
    alphabet = Alphabet(" ,.?'12CIHTEacehirtxyz7")
    model = WordLanguageModel(LINES, WORDS, alphabet)
    probabilities = np.exp(model.log_probs(tuple(alphabet.encode(context).tolist())))
    assert probabilities == pytest.approx([*by_words(context, alphabet).values()])
    assert probabilities.sum() == pytest.approx(1)
