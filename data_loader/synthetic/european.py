"""Texts with the letters of the languages of western and central Europe written in Latin script.

The texts are words and short phrases of a small vocabulary for each language, without its grammar:
they are made for the letters that stand beside each other. All are in NFC.
"""

from collections.abc import Mapping

from data_loader.synthetic.templates import Draws, fill, read_lists, split_of
from utils.alphabet import nfc

SMALL = nfc("àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿāăąćċčďđēėęěğġģħīįıķĺļľłńņňőœŕřśşšșťțūůűųźżž")
LETTERS = SMALL + SMALL.replace("ı", "").upper() + "İß"
"""The letters beyond ASCII, each in both cases: dotless `ı` is the small form of `I`, `İ` the
capital of `i`, and `ß` is `SS` in capitals."""

COMMON = "ßßäöüéèàçñåøæÄÖÜÉ"
"""Letters of the languages that most people write (assumed); twice `ß`, as no other is like it."""

SIGNS = "€£§°«»„“”‘’–—…¿¡·"
"""Signs beyond ASCII of these languages."""

VOCABULARY = read_lists("european.txt")
"""Words by language, names among them. Common ones, and whatever has the rare letters."""

PHRASES = VOCABULARY.pop("phrases")
"""Templates of texts; the words of one text are of one language."""


def upper(text: str, language: str) -> str:
    """Return a text in capitals, as its language has them."""
    return (text.replace("i", "İ") if language == "Turkish" else text).upper()


def title(text: str, language: str) -> str:
    """Return a text with its first letter as a capital."""
    return upper(text[0], language) + text[1:] if text[0] != "ß" else text


CARRIERS: Mapping[str, list[tuple[str, str]]] = {
    letter: [
        (word, language)
        for language, vocabulary in VOCABULARY.items()
        for word in vocabulary
        if letter in word + upper(word, language)
    ]
    for letter in LETTERS
}
"""Words with each letter, or with the small form of a capital, and their languages."""


def european(draws: Draws) -> str:
    """Return a text of a few words in one language, of 3 to 40 characters and in NFC.

    One of its words, if it has any, is drawn for a letter, which is in the text: a quarter of the
    time one of `COMMON`, else each is as likely, so that none is rare. The text belongs to the
    training split, see `split_of`.
    """
    while True:
        letter = draws.pick(COMMON if draws.chance(0.25) else LETTERS)
        word, language = draws.pick(CARRIERS[letter])
        if letter in (begun := title(word, language)) and draws.chance(0.6):
            word = begun
        phrase = draws.pick(PHRASES).replace("{word}", "{drawn}", 1)
        text = fill(phrase, {"drawn": [word], "word": VOCABULARY[language]}, draws)
        if letter not in word:
            text = upper(text, language)
        elif draws.chance(0.2) and letter in (begun := title(text, language)):
            text = begun
        if 3 <= len(text) <= 40 and split_of(text) == 0:
            return text
