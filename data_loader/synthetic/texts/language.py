"""Data for a language model of European languages: word frequencies from the package wordfreq
(data: CC BY-SA 4.0), and texts, from which the model learns the signs between words."""

from collections.abc import Collection, Iterator

import numpy as np

from data_loader.synthetic.texts import corpus
from data_loader.synthetic.texts.european import european
from data_loader.synthetic.texts.everyday import everyday
from data_loader.synthetic.texts.templates import Draws, fill

OTHER_LANGUAGES = "ca cs da fi hu is lt lv nb pt ro sh sk sl sv tr"
WEIGHTS = {
    "en": 0.4,
    **dict.fromkeys(("de", "es", "fr", "it", "nl", "pl"), 0.1),
    **dict.fromkeys(OTHER_LANGUAGES.split(), 0.04),
}
"""Weight of each language, by its code in wordfreq (assumed)."""
NUM_WORDS = 10_000_000
"""Number of running words of a language of weight 1; a word whose count is below 1 in the
language's running words is left out (assumed)."""
MIN_FREQUENCY = 1e-5
"""Occurrences per running word of the rarest words by which a language is told from others
(measured, notebook: reader, the language of a line)."""
NUM_TEXTS = 1500
"""Number of sentences in `texts`; `texts` has as many everyday texts, and a fifth as many European
texts (assumed)."""


def word_counts(languages: Collection[str] = WEIGHTS) -> dict[str, float]:
    """Return the count of each word of `languages`, codes of `WEIGHTS`, in small letters; fewer
    languages have more words each. wordfreq must be installed."""
    counts: dict[str, float] = {}
    total = sum(WEIGHTS[language] for language in languages)
    factor = sum(WEIGHTS.values()) / total  # Fewer languages have more words each.
    for language in languages:
        weight = WEIGHTS[language] * factor
        # The small lists have all words with at least one occurrence in a million words, and ten
        # languages have no large one: asked for it, wordfreq fails, or takes Norwegian for Danish.
        size = "small" if weight * NUM_WORDS <= 1e6 else "best"
        for word, frequency in _words(language, size):
            count = frequency * weight * NUM_WORDS
            if count < 1:
                break
            counts[word] = counts.get(word, 0.0) + count
    return counts


def frequent_words() -> dict[str, dict[str, float]]:
    """Return the frequencies of the frequent words of each language, in small letters, per running
    word. wordfreq must be installed."""
    frequencies = {}
    for language in WEIGHTS:
        words: dict[str, float] = {}
        for word, frequency in _words(language, "small"):
            if frequency < MIN_FREQUENCY:
                break
            words[word] = words.get(word, 0.0) + frequency
        frequencies[language] = words
    return frequencies


def _words(language: str, size: str) -> Iterator[tuple[str, float]]:
    """Yield the words of a list of wordfreq, divided at apostrophes, each with its frequency per
    running word, which falls; a word may come again."""
    from wordfreq import get_frequency_dict

    for token, frequency in get_frequency_dict(language, size).items():
        for word in filter(None, token.split("'")):
            yield word, frequency


def texts() -> list[str]:
    """Return sentences, everyday texts and European texts; every call returns the same texts."""
    draws = Draws(np.random.default_rng(0))
    lines = [fill(corpus.SENTENCE_TEMPLATE, corpus.FIELDS, draws) for _ in range(NUM_TEXTS)]
    lines += [everyday(draws) for _ in range(NUM_TEXTS)]
    return lines + [european(draws) for _ in range(NUM_TEXTS // 5)]
