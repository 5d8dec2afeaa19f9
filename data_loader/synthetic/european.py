"""Texts with the letters of the languages of western and central Europe written in Latin script.

The texts are words and short phrases from a small vocabulary for each language, without grammar:
their purpose is to show which letters stand beside each other. All texts are in NFC.
"""

from collections.abc import Mapping

from data_loader.synthetic.templates import Draws, fill, read_lists, split_of
from utils.alphabet import nfc

SMALL = nfc("àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿāăąćċčďđēėęěğġģħīįıķĺļľłńņňőœŕřśşšșťțūůűųźżž")
LETTERS = SMALL + SMALL.replace("ı", "").upper() + "İß"
"""The letters beyond ASCII in both cases. Dotless `ı` is the small form of `I`, `İ` the capital of
`i`; `ß` is `SS` in capitals."""

COMMON = "ßßäöüéèàçñåøæÄÖÜÉ"
"""Letters of the most written languages (assumed); `ß` twice, as no other letter resembles it."""

SIGNS = "€£§°«»„“”‘’–—…¿¡·"
"""Signs beyond ASCII of these languages."""

VOCABULARY = read_lists("european.txt")
"""Words and names by language: common words, and words with rare letters."""

PHRASES = VOCABULARY.pop("phrases")
"""Templates of texts; the words of one text are of one language."""


def upper(text: str, language: str) -> str:
    """Return a text in the capitals of its language."""
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
"""For each letter, the words with the letter or its small form, and the words' languages."""


def european(draws: Draws) -> str:
    """Return a text of a few words in one language, of 3 to 40 characters and in NFC.

    A letter is drawn first: a quarter of the time from `COMMON`, else from all `LETTERS` alike, so
    that no letter is rare. The text is built around a word with this letter. It belongs to the
    training split, see `split_of`.
    """
    while True:
        letter = draws.pick(COMMON if draws.chance(0.25) else LETTERS)
        word, language = draws.pick(CARRIERS[letter])
        if letter in (titled := title(word, language)) and draws.chance(0.6):
            word = titled
        phrase = draws.pick(PHRASES).replace("{word}", "{drawn}", 1)
        text = fill(phrase, {"drawn": [word], "word": VOCABULARY[language]}, draws)
        if letter not in word:
            text = upper(text, language)
        elif draws.chance(0.2) and letter in (titled := title(text, language)):
            text = titled
        if 3 <= len(text) <= 40 and split_of(text) == 0:
            return text
