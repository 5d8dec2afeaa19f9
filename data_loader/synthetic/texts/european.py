"""Makes texts with the letters of western and central European languages in Latin script.

The texts are words and short phrases from a small vocabulary for each language. They show which
letters are neighbours, and have no grammar. All texts are in NFC.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Collection

from data_loader.synthetic.texts import corpus
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
    if language == "Turkish":
        text = text.replace("i", "İ")
    return text.upper()


def title(text: str, language: str) -> str:
    """Return a text with its first letter as a capital of its language, unless this is `ß`."""
    return text if text[0] == "ß" else upper(text[0], language) + text[1:]


class Languages:
    """The words of some languages, by the letters beyond ASCII that they have.

    Args:
        names: keys of `VOCABULARY`.

    Attributes:
        letters, common: those of `ACCENTED_LETTERS` and of `COMMON` that the words have.
        words_with: for each letter, (word, language) pairs whose word has it, as it stands or in
            capitals.
        marked: for each language, the letters that have a mark in it, by the letter below.
    """

    def __init__(self, names: Collection[str]) -> None:
        words_with: dict[str, list[tuple[str, str]]] = {letter: [] for letter in ACCENTED_LETTERS}
        for language, vocabulary in VOCABULARY.items():
            if language not in names:
                continue
            for word in vocabulary:
                for letter in words_with.keys() & {*word, *upper(word, language)}:
                    words_with[letter].append((word, language))
        self.words_with = {letter: words for letter, words in words_with.items() if words}
        self.letters = "".join(self.words_with)
        self.common = "".join(letter for letter in COMMON if letter in self.words_with)
        self.marked: dict[str, dict[str, list[str]]] = {
            name: defaultdict(list) for name in sorted(names)
        }
        for letter, words in self.words_with.items():
            base, *marks = [*unicodedata.normalize("NFD", letter)]
            if not marks:
                continue
            for language in {language for _, language in words}:
                self.marked[language][base].append(letter)


ALL_LANGUAGES = Languages(VOCABULARY)

MARKED_FRACTION = 0.2
"""Fraction of the letters that get a mark in `marked_sentence`, of those that can (assumed: twice
as many as in Czech, so that marks follow each other)."""


def marked_sentence(draws: Draws, languages: Languages) -> str:
    """Return an English text of 10 to 45 characters with marks of one language on random letters.

    A network that learns to read such texts learns marks, and not words. The text belongs to the
    training split (see `split_of`).
    """
    marked = languages.marked[draws.pick([*languages.marked])]
    text = corpus.running_text(draws, split=0, low=10, high=45, symbols=0.0)
    letters = []
    for letter in text:
        is_marked = letter in marked and draws.chance(MARKED_FRACTION)
        letters.append(draws.pick(marked[letter]) if is_marked else letter)
    return "".join(letters)


def european(draws: Draws, languages: Languages = ALL_LANGUAGES) -> str:
    """Return a text of a few words in one language, of 3 to 40 characters and in NFC.

    First a letter is drawn: with the probability 0.25 from `COMMON`, otherwise from all letters of
    the languages, so that no letter is rare. The text is built around a word with this letter. The
    text belongs to the training split (see `split_of`).
    """
    while True:
        letter = draws.pick(languages.common if draws.chance(0.25) else languages.letters)
        word, language = draws.pick(languages.words_with[letter])
        titled = title(word, language)
        # This probability and the next one are assumed.
        if letter in titled and draws.chance(0.6):
            word = titled
        phrase = draws.pick(PHRASES).replace("{word}", "{drawn}", 1)
        text = fill(phrase, {"drawn": [word], "word": VOCABULARY[language]}, draws)
        titled = title(text, language)
        if letter not in word:
            text = upper(text, language)
        elif draws.chance(0.2) and letter in titled:
            text = titled
        if 3 <= len(text) <= 40 and split_of(text) == 0:
            return text
