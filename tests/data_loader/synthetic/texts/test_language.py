"""Words of languages, against lists like those of wordfreq: `l'eau` is there as `l` and `eau`."""

import sys
import types

import pytest

from data_loader.synthetic.texts import language
from ink.alphabet import Alphabet
from model import WordLanguageModel

NOUNS = [
    first + second for first in "aeiou" for second in ("rte", "nno", "lba", "rco", "ltro", "dio")
]
LISTS = {
    "en": {"i": 0.01, "i'm": 1e-3, "don't": 1e-3, "it's": 2e-3, "its": 1e-3, "rock'n'roll": 1e-6},
    "fr": {"n": 0.004, "ai": 0.003, "l": 0.02, "eau": 2e-4, "aujourd'hui": 4e-4, "l'eau'x": 1e-6},
    "it": {"dell": 1e-4} | {f"dell'{noun}": 1e-5 for noun in NOUNS} | {"c": 2e-3, "è": 0.01},
    "de": {"strasse": 2e-4, "fussballklasse": 1e-5, "es": 0.01},
}
ALPHABET = Alphabet(" '.,abcdefghijklmnopqrstuvwxyzèßI")


@pytest.fixture(autouse=True)
def lists(monkeypatch):
    package = types.ModuleType("wordfreq")
    package.get_frequency_dict = lambda code, size: LISTS.get(code, {})
    monkeypatch.setitem(sys.modules, "wordfreq", package)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        # A word behind an apostrophe, as the `m`, may also stand behind words that no list has.
        ("en", "i i'm m don't t it's s its rock'n'roll roll"),
        ("fr", "n n' ai l l' eau eau'x x aujourd'hui hui"),
        ("it", " ".join(["dell dell' c c' è", *NOUNS])),
        ("de", "strasse straße es fussballklasse fußballklasse fussballklaße fußballklaße"),
    ],
)
def test_words_have_their_apostrophes_and_their_sharp_s(code, words):
    assert language.word_counts([code]).keys() == set(words.split())


def test_an_elided_word_has_its_apostrophe_half_of_the_times():
    french, italian = (language.word_counts([code]) for code in ("fr", "it"))
    assert french["n"] == french["n'"] == pytest.approx(french["ai"] * 2 / 3)
    assert italian["dell'"] == pytest.approx(3 * italian["dell"])  # thirty words, each a tenth


def test_a_language_is_told_by_words_with_a_sharp_s_and_without_apostrophes():
    frequent = language.frequent_words()
    assert frequent["de"]["straße"] == frequent["de"]["strasse"] == 2e-4
    assert frequent["en"]["don"] == 1e-3 and "don't" not in frequent["en"]


@pytest.mark.parametrize(
    ("code", "text", "others"),
    [
        ("fr", "je n'ai", ["je nai"]),
        ("fr", "aujourd'hui", ["aujourdhui", "aujourd hui"]),
        ("it", "dell'arte", ["dellarte"]),
        ("it", "dell'emu", ["dellemu"]),  # any word follows
        ("en", "I don't", ["I dont", "I don s"]),
        ("en", "its", ["it'si"]),
        ("de", "straße", ["strabe", "straffe"]),
    ],
)
def test_apostrophes_and_sharp_s_are_likelier_than_none(code, text, others):
    known = [line for line in language.texts() if not ALPHABET.unknown(line)]
    model = WordLanguageModel(known, language.word_counts([code]), ALPHABET)

    def log_prob(text):
        codes = (*ALPHABET.encode(text).tolist(), len(ALPHABET))
        return sum(model.log_probs(codes[:n])[code] for n, code in enumerate(codes))

    for other in others:
        assert log_prob(text) > log_prob(other)
