"""Makes texts with the letters of western and central European languages in Latin script.

The texts are words and short phrases from a small vocabulary for each language. They show which
letters are neighbours, and have no grammar. All texts are in NFC.
"""

from collections.abc import Mapping

from data_loader.synthetic.texts.templates import Draws, fill, read_lists, split_of
from ink.alphabet import nfc

SMALL_ACCENTED = nfc("àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿāăąćċčďđēėęěğġģħīįıķĺļľłńņňőœŕřśşšșťțūůűųźżž")
ACCENTED_LETTERS = SMALL_ACCENTED + SMALL_ACCENTED.replace("ı", "").upper() + "İß"
"""The letters beyond ASCII in both cases. The capitals `I` of `ı` and `SS` of `ß` are ASCII, so the
list lacks them; `İ` is the capital of `i` in Turkish."""

COMMON = "ßßäöüéèàçñåøæÄÖÜÉ"
"""Letters of the most written languages (assumed); `ß` twice, as it resembles no other letter."""

SIGNS = "€£§°«»„“”‘’–—…¿¡·"
"""Signs beyond ASCII in these languages."""

VOCABULARY = read_lists("european.txt")
"""For each language, common words and names, and words with rare letters."""

PHRASES = VOCABULARY.pop("phrases")
"""Templates of texts; all words of a text are of one language."""


def upper(text: str, language: str) -> str:
    """Return a text in the capitals of its language."""
    return (text.replace("i", "İ") if language == "Turkish" else text).upper()


def title(text: str, language: str) -> str:
    """Return a text with its first letter as a capital of its language, unless this is `ß`."""
    return text if text[0] == "ß" else upper(text[0], language) + text[1:]


def _words_with() -> dict[str, list[tuple[str, str]]]:
    words_with: dict[str, list[tuple[str, str]]] = {letter: [] for letter in ACCENTED_LETTERS}
    for language, vocabulary in VOCABULARY.items():
        for word in vocabulary:
            for letter in words_with.keys() & {*word, *upper(word, language)}:
                words_with[letter].append((word, language))
    return words_with


WORDS_WITH: Mapping[str, list[tuple[str, str]]] = _words_with()
"""For each letter, (word, language) pairs whose word has it, as it stands or in capitals."""


def european(draws: Draws) -> str:
    """Return a text of a few words in one language, of 3 to 40 characters and in NFC.

    First a letter is drawn: with the probability 0.25 from `COMMON`, otherwise from
    `ACCENTED_LETTERS`, so that no letter is rare. The text is built around a word with this letter.
    The text belongs to the training split (see `split_of`).
    """
    while True:
        letter = draws.pick(COMMON if draws.chance(0.25) else ACCENTED_LETTERS)
        word, language = draws.pick(WORDS_WITH[letter])
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
